"""Gated multimodal units (GMU, Arevalo et al. 2017, arXiv:1702.01992), in their form for any number of fields.

Each field has features tanh(W x) and a sigmoid gate that depends on all fields: h = sum of gate * tanh(W x), feature by feature. As in the
paper's form for more than two fields, the gates are not normalised by a softmax. Differences from the paper: a field that a row lacks is
zeros in the input of the gates, and its own gate is 0; both layers have a bias.

Shapes: ``B`` rows, ``F`` fields, ``D`` width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import nn

from ..flow import Features
from ..layers.pooling import mean_pool
from .fusion import Fusion, FusionConfig, linear, present, total


class GatedConfig(FusionConfig):
    """The sum of the fields' features, each multiplied by a gate that depends on all fields."""

    kind: Literal["gated"] = "gated"

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Build the fusion for any number of fields of any widths."""
        return Gated(widths, width)


class Gated(Fusion):
    """The gated sum of the fields -> (B, 1, width); zeros for a row without any field."""

    def __init__(self, widths: Mapping[str, int | None], width: int) -> None:
        super().__init__()
        self.say = nn.ModuleList(linear(field_width, width) for field_width in widths.values())
        self.gates = linear(total(widths), len(widths) * width)
        self.width_out = width

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Pool each field to a vector, multiply its features by its gate, and sum over the fields."""
        vectors = [mean_pool(field) for field in features.values()]
        values_BFD = torch.stack([say(vector_BD).tanh() for say, vector_BD in zip(self.say, vectors, strict=True)], 1)
        gates_BFD = self.gates(torch.cat(vectors, -1)).view_as(values_BFD).sigmoid()
        return Features.vector((present(features).unsqueeze(-1) * gates_BFD * values_BFD).sum(1))
