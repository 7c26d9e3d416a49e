"""Concatenation, the founding document's fusion: each field pooled to a vector, the vectors side by side, nothing else.

With a linear head the answer is a sum of what each field says alone: it cannot learn that one field changes what
another means.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch

from ..flow import Features
from ..layers.pooling import mean_pool
from .fusion import Fusion, FusionConfig, total


class ConcatConfig(FusionConfig):
    """Concatenation and nothing else."""

    kind: Literal["concat"] = "concat"

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Any number of fields of any widths."""
        return Concat(widths)


class Concat(Fusion):
    """-> (B, 1, the sum of the widths); a field that a row lacks is zeros."""

    def __init__(self, widths: Mapping[str, int | None]) -> None:
        super().__init__()
        self.width_out = total(widths)

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Pool each field, put the vectors side by side."""
        return Features.vector(torch.cat([mean_pool(field) for field in features.values()], -1))
