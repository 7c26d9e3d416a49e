"""A perceptron over a vector of numbers. A missing number has a learned value of its place, as in a table's columns.

Shapes: ``U`` distinct vectors, ``K`` places.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field as Setting
from torch import nn

from ..flow import Features, Field, Form, State
from ..layers.mlp import mlp
from .encoder import Encoder, EncoderConfig


class VectorConfig(EncoderConfig):
    """A perceptron over a vector."""

    form: ClassVar[Form] = "vector"
    kind: Literal["vector"] = "vector"
    hidden: int = Setting(128, ge=1, le=2**16)
    """Width of the perceptron."""
    depth: int = Setting(1, ge=1, le=256)
    """Its hidden layers."""
    dropout: float = Setting(0.2, ge=0, lt=1)
    """Share dropped in training."""

    def build(self, width: int, state: State) -> Encoder:
        """For ``state`` of a field of vectors."""
        return Vector(self, width, state)


class Vector(Encoder):
    """``values`` (U, K), NaN = missing -> one token."""

    def __init__(self, config: VectorConfig, width: int, state: State) -> None:
        super().__init__()
        self.width = width
        length = state["length"]
        self.missing_K = nn.Parameter(torch.randn(length) * 0.02)
        self.mlp = mlp(length, config.hidden, config.hidden, config.depth - 1, config.dropout)
        self.drop = nn.Sequential(nn.GELU(), nn.Dropout(config.dropout))
        self.project = nn.Linear(config.hidden, width)

    def forward(self, field: Field) -> Features:
        """-> (U, 1, width)."""
        values_UK = field.values["values"]
        values_UK = torch.where(values_UK.isnan(), self.missing_K, values_UK)
        return Features.vector(self.project(self.drop(self.mlp(values_UK))))
