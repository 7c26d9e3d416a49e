"""The base classes of encoders. An encoder maps the cells of one field to tokens of one width.

An encoder is a backbone with its own width and a projection to ``width``. It does not depend on rows: it encodes the U distinct cells of
a batch independently of one another (it may use group or layer normalisation, but not batch normalisation).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from ..backbones import Backbone
from ..config import Config
from ..flow import Features, Field, Form, State
from ..language import Sentence


class EncoderConfig(Config):
    """The base class of encoder configs: the form that the encoder reads, and the settings that it requires of the modality."""

    form: ClassVar[Form]
    is_pretrained: ClassVar[bool] = False
    """Whether it is built from a pretrained model, which its setting ``model`` names."""

    @classmethod
    def usual(cls, rows: int) -> tuple[EncoderConfig, str] | None:
        """Return the default settings for a table, and the reason; None if another encoder suits so many rows better.

        The default encoder of a field is the first on the menu that accepts the first form of the modality and does not return None. The
        default of this method is the default settings, with the first line of the docstring as the reason.

        :param rows: the number of rows of the table
        """
        return cls(), Sentence(f"encoder.{cls.model_fields['kind'].default}")

    @classmethod
    def usual_pretrained(cls, forms: Sequence[Form], models: Any = None) -> tuple[EncoderConfig, str] | None:
        """Return the settings with a frozen, pretrained backbone that ``model.preset: pretrained`` uses, and the reason; None if there are
        none (the default).

        :param forms: the forms that the modality makes
        :param models: the models to use (``PretrainedModels``); None = those of the menu
        """
        return None

    def form_for(self, made: Sequence[Form]) -> Form:
        """Return the form that the encoder reads, given the forms that the modality makes."""
        return self.form

    def needs(self, form: Form) -> dict[str, Any]:
        """Return the settings that the modality must use instead of learning its own, as plain JSON data."""
        return {}

    @property
    def is_frozen(self) -> bool:
        """Whether the encoder reads the features of a frozen backbone, which is not part of the trained model."""
        return False

    @property
    def may_download(self) -> bool:
        """Whether its files may be downloaded."""
        return False

    @property
    def libraries(self) -> tuple[str, ...]:
        """The packages on whose versions its features depend, in addition to those of every run."""
        return ()

    def backbone(self, state: State) -> Backbone:
        """Build the frozen backbone. Its weights are not loaded yet."""
        raise NotImplementedError

    def build(self, width: int, state: State) -> Encoder:
        """Build the encoder.

        :param width: the width of its tokens
        :param state: the fitted state of the modality
        """
        raise NotImplementedError


class Encoder(nn.Module, ABC):
    """The base class of encoders: ``Field -> Features``, (U, ...) -> (U, L, width)."""

    width: int
    project: nn.Linear
    """The last layer, from the backbone's own width to ``width``."""
    lr_scale: float = 1.0
    """The factor on the learning rate of the encoder."""
    standardised: bool = True
    """Whether the scale of its features is set by the first batch before training. False for embeddings, whose scale is known."""
    halved: ClassVar[tuple[str, ...]] = ()
    """The names of parameters that are rounded to half precision after training, in which a bundle contains them: large tables."""

    def start(self) -> None:
        """Load the pretrained weights, if there are any. Called before training, but not for a model loaded from a bundle."""

    def start_from(self, donor: Encoder) -> Mapping[str, Tensor]:
        """Return the tensors of an encoder of an earlier run that this one starts with, by their names in ``state_dict``. By default, these
        are all tensors of the same name and shape."""
        own = self.state_dict()
        return {name: value for name, value in donor.state_dict().items() if name in own and own[name].shape == value.shape}

    def lr_scales(self) -> Iterator[tuple[nn.Parameter, float]]:
        """Yield parameters with the factor on their learning rate. The factor of other parameters is 1."""
        for parameter in self.parameters():
            yield parameter, self.lr_scale

    @abstractmethod
    def forward(self, field: Field) -> Features:
        """Return the tokens of each distinct cell, (U, L, width), L >= 1."""
