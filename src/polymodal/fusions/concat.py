"""Concatenation: each field is pooled to a vector, and the vectors are concatenated. It is the fusion of the founding document.

With a linear head, the logits are a sum of one term for each field. Such a model cannot represent interactions between fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch

from ..flow import Features
from ..layers.pooling import mean_pool
from .fusion import Fusion, FusionConfig, total


class ConcatConfig(FusionConfig):
    """The concatenation of the fields' vectors."""

    kind: Literal["concat"] = "concat"

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Build the fusion for any number of fields of any widths."""
        return Concat(widths)


class Concat(Fusion):
    """The concatenation of the pooled fields -> (B, 1, the sum of the widths); zeros for a missing field."""

    def __init__(self, widths: Mapping[str, int | None]) -> None:
        super().__init__()
        self.width_out = total(widths)

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Pool each field to a vector, and concatenate the vectors."""
        return Features.vector(torch.cat([mean_pool(field) for field in features.values()], -1))
