"""Late fusion: each field has its own head, and the prediction combines the votes of the heads. No vote comes from a fused representation.

``rule`` selects the combination: ``mean`` gives all fields the same weight; ``learned`` fits the weights of all fields together on
validation rows; ``uncertainty`` weights each field by its own uncertainty on those rows (after Kendall et al. 2018, arXiv:1705.07115). The
rules are in ``tasks/voting.py``; this module only selects one. A field that a row lacks does not vote. Each head is trained on the votes of
its field alone. A sum of votes cannot represent interactions between fields.

The representation h that ``embed`` returns is the concatenation of the fields, as in ``concat``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch

from ..flow import Features
from ..layers.pooling import mean_pool
from .fusion import Fusion, FusionConfig, total


class LateConfig(FusionConfig):
    """A head for each field, whose votes are combined."""

    kind: Literal["late"] = "late"
    rule: Literal["mean", "learned", "uncertainty"] = "mean"
    """The weights of the fields' votes. mean = equal weights; learned = weights fitted together on validation rows; uncertainty = each
    field's weight fitted from its own errors on validation rows."""

    @property
    def voting(self) -> str:
        """The voting rule: ``rule``, which combines the votes of single fields only."""
        return self.rule

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Build the fusion for any number of fields of any widths."""
        return Late(self, widths)


class Late(Fusion):
    """The concatenation of the pooled fields -> (B, 1, the sum of the widths). Only ``embed`` uses it; no head reads it."""

    def __init__(self, config: LateConfig, widths: Mapping[str, int | None]) -> None:
        super().__init__()
        self.voting = config.voting
        self.width_out = total(widths)

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Pool each field to a vector, and concatenate the vectors."""
        return Features.vector(torch.cat([mean_pool(field) for field in features.values()], -1))
