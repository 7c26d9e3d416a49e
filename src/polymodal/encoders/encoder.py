"""What all encoders share: the cells of one field in, tokens of one width out.

An encoder is a backbone of its own width and a projection to ``width``. It knows nothing of rows: it encodes the U
distinct cells of a batch, each by itself, and never mixes two of them (normalisation is by group or layer, never batch).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from torch import nn

from ..backbones import Backbone
from ..config import Config
from ..flow import Features, Field, Form, State


class EncoderConfig(Config):
    """What every encoder's config says: the form that it eats, and the plain facts that it needs of the modality."""

    form: ClassVar[Form]

    def form_for(self, made: Sequence[Form]) -> Form:
        """What it asks of a modality that makes these forms: the one form that it eats."""
        return self.form

    def needs(self, form: Form) -> dict[str, Any]:
        """Facts that the modality must use instead of learning its own."""
        return {}

    @property
    def is_frozen(self) -> bool:
        """Whether a backbone that never learns stands before the model, and the encoder eats what that says."""
        return False

    @property
    def may_download(self) -> bool:
        """Whether it may be fetched from the network."""
        return False

    @property
    def libraries(self) -> tuple[str, ...]:
        """Packages, beside those of every run, whose version its answers depend on."""
        return ()

    def placed(self, folder: Path) -> Self:
        """The same config, its files named wherever it is read from."""
        return self

    def backbone(self, state: State) -> Backbone:
        """That backbone, its weights still to be loaded."""
        raise NotImplementedError

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

    def start(self) -> None:
        """Take the weights that training starts from, where they come from elsewhere. Not called for a model out of a bundle."""

    def lr_scales(self) -> Iterator[tuple[nn.Parameter, float]]:
        """Parameters whose learning rate is another multiple of the others' than 1."""
        for parameter in self.parameters():
            yield parameter, self.lr_scale

    @abstractmethod
    def forward(self, field: Field) -> Features:
        """The tokens of each distinct cell, (U, L, width), L >= 1."""
