"""Evidential fusion (TMC, Han et al. 2021, arXiv:2102.02051): the head of each field returns evidence for each class, and Dempster's
reduced rule combines the evidence of all fields, so that a field without evidence for a row does not affect its prediction. No vote comes
from a fused representation.

The rule, its loss and the differences from the paper are in ``tasks/evidence.py``; this module only selects the rule. It requires classes
that exclude one another: tasks of kind ``binary`` and ``multiclass``.

The representation h that ``embed`` returns is the concatenation of the fields, as in ``concat``.
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
        """The voting rule: Dempster's rule of combination."""
        return "evidential"

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Build the fusion for any number of fields of any widths."""
        return Evidential(self, widths)


class Evidential(Fusion):
    """The concatenation of the pooled fields -> (B, 1, the sum of the widths). Only ``embed`` uses it; no head reads it."""

    def __init__(self, config: EvidentialConfig, widths: Mapping[str, int | None]) -> None:
        super().__init__()
        self.voting = config.voting
        self.width_out = total(widths)

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Pool each field to a vector, and concatenate the vectors."""
        return Features.vector(torch.cat([mean_pool(field) for field in features.values()], -1))
