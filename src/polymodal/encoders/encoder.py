"""What all encoders share: the cells of one field in, tokens of one width out.

An encoder is a backbone of its own width and a projection to ``width``. It knows nothing of rows: it encodes the U
distinct cells of a batch, each by itself, and never mixes two of them (normalisation is by group or layer, never batch).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from torch import nn

from ..config import Config
from ..flow import Features, Field, Form, State


class EncoderConfig(Config):
    """What every encoder's config says: the form that it eats, and the plain facts that it needs of the modality."""

    form: ClassVar[Form]

    def needs(self) -> dict[str, Any]:
        """Facts that the modality must use instead of learning its own."""
        return {}

    def build(self, width: int, state: State) -> Encoder:
        """The encoder, for a modality fitted to ``state``."""
        raise NotImplementedError


class Encoder(nn.Module, ABC):
    """``Field -> Features``, (U, ...) -> (U, L, width)."""

    width: int
    project: nn.Linear
    """The last layer, from the backbone's own width to ``width``."""
    lr_scale: float = 1.0
    """Its learning rate, as a multiple of the others'."""

    @abstractmethod
    def forward(self, field: Field) -> Features:
        """The tokens of each distinct cell, (U, L, width), L >= 1."""
