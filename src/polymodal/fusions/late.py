"""Late fusion: each field has a head of its own, and the answer is what their votes come to. No fused representation takes part.

``rule`` says how: ``mean`` counts every field alike; ``learned`` gives each field a weight, all fitted together on held-out rows;
``uncertainty`` weighs each by how far it can be trusted by itself there (after Kendall et al. 2018, arXiv:1705.07115). The rules are in
``tasks/voting.py``: this file only names one. A field that a row lacks does not vote. Each head is trained on its field's votes
alone. What a sum of votes cannot say is that one field changes what another means.

The representation h that ``embed`` gives is the fields side by side, as in ``concat``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch

from ..flow import Features
from ..layers.pooling import mean_pool
from .fusion import Fusion, FusionConfig, total


class LateConfig(FusionConfig):
    """A head for each field, and nothing but their votes."""

    kind: Literal["late"] = "late"
    rule: Literal["mean", "learned", "uncertainty"] = "mean"
    """mean = every field alike; learned = weights fitted together on held-out rows; uncertainty = each by how well it does there alone."""

    @property
    def voting(self) -> str:
        """One of single-field votes."""
        return self.rule

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Any number of fields of any widths."""
        return Late(self, widths)


class Late(Fusion):
    """-> (B, 1, the sum of the widths), for ``embed``; no head reads it."""

    def __init__(self, config: LateConfig, widths: Mapping[str, int | None]) -> None:
        super().__init__()
        self.voting = config.voting
        self.width_out = total(widths)

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Pool each field, put the vectors side by side."""
        return Features.vector(torch.cat([mean_pool(field) for field in features.values()], -1))
