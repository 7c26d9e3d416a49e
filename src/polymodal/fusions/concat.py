"""Concatenation: each field is pooled to a vector, and the vectors are concatenated. It is the fusion of the founding document.

With a linear head, the logits are a sum of one term for each field. Such a model cannot represent interactions between fields. With
``layers``, hidden layers follow the concatenation, and it can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field as Setting
from torch import nn

from ..flow import Features
from ..layers.pooling import mean_pool
from .fusion import Fusion, FusionConfig, linear, total


class ConcatConfig(FusionConfig):
    """The concatenation of the fields' vectors."""

    kind: Literal["concat"] = "concat"
    layers: int = Setting(0, ge=0, le=64)
    """The number of hidden layers of ``model.width`` after the concatenation; 0 = none, so that fields do not interact."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """The dropout rate after each hidden layer."""

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Build the fusion for any number of fields of any widths."""
        return Concat(widths, [width] * self.layers, self.dropout)


class Concat(Fusion):
    """The concatenation of the pooled fields -> (B, 1, the sum of the widths), with zeros for a missing field; then the hidden layers, if
    there are any -> (B, 1, width)."""

    def __init__(self, widths: Mapping[str, int | None], hidden: Sequence[int] = (), dropout: float = 0.0) -> None:
        super().__init__()
        sizes = [total(widths), *hidden]
        layers = [(linear(before, after), nn.GELU(), nn.Dropout(dropout)) for before, after in zip(sizes, hidden, strict=False)]
        self.hidden = nn.Sequential(*(part for layer in layers for part in layer))
        self.width_out = sizes[-1]

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Pool each field to a vector, concatenate the vectors, and apply the hidden layers."""
        return Features.vector(self.hidden(torch.cat([mean_pool(field) for field in features.values()], -1)))
