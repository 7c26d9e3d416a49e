"""A perceptron over a vector of numbers. A missing number is replaced by a learned value of its position.

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
    """The settings of a perceptron over a vector."""

    form: ClassVar[Form] = "vector"
    kind: Literal["vector"] = "vector"
    hidden: int = Setting(128, ge=1, le=2**16)
    """The hidden width of the perceptron."""
    depth: int = Setting(1, ge=1, le=256)
    """The number of hidden layers of the perceptron."""
    dropout: float = Setting(0.2, ge=0, lt=1)
    """The dropout rate."""

    def build(self, width: int, state: State) -> Encoder:
        """Build the encoder for the state of a vector field."""
        return Vector(self, width, state)


class Vector(Encoder):
    """A perceptron: ``values`` (U, K), NaN = missing -> one token for each vector."""

    def __init__(self, config: VectorConfig, width: int, state: State) -> None:
        super().__init__()
        self.width = width
        length = state["length"]
        self.missing_K = nn.Parameter(torch.randn(length) * 0.02)
        self.mlp = mlp(length, config.hidden, config.hidden, config.depth - 1, config.dropout)
        self.drop = nn.Sequential(nn.GELU(), nn.Dropout(config.dropout))
        self.project = nn.Linear(config.hidden, width)

    def forward(self, field: Field) -> Features:
        """Return the tokens (U, 1, width)."""
        values_UK = field.values["values"]
        values_UK = torch.where(values_UK.isnan(), self.missing_K, values_UK)
        return Features.vector(self.project(self.drop(self.mlp(values_UK))))
