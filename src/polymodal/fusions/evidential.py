"""Evidential fusion (TMC, Han et al. 2021, arXiv:2102.02051): each field's head counts evidence for each class, and Dempster's reduced rule
combines it, so that a field which knows nothing of a row has no say in it. No fused representation takes part.

The rule and its loss are in ``tasks/evidence.py``, with what departs from the paper: this file only names it. It needs classes that exclude
one another: tasks of kind ``binary`` and ``multiclass``.

The representation h that ``embed`` gives is the fields side by side, as in ``concat``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch

from ..flow import Features
from ..layers.pooling import mean_pool
from .fusion import Fusion, FusionConfig, total


class EvidentialConfig(FusionConfig):
    """Evidence of each field for each class, combined by Dempster's rule."""

    kind: Literal["evidential"] = "evidential"

    @property
    def voting(self) -> str:
        """The voting rule is Dempster's rule of combination."""
        return "evidential"

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Any number of fields of any widths."""
        return Evidential(self, widths)


class Evidential(Fusion):
    """-> (B, 1, the sum of the widths), for ``embed``; no head reads it."""

    def __init__(self, config: EvidentialConfig, widths: Mapping[str, int | None]) -> None:
        super().__init__()
        self.voting = config.voting
        self.width_out = total(widths)

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Pool each field, put the vectors side by side."""
        return Features.vector(torch.cat([mean_pool(field) for field in features.values()], -1))
