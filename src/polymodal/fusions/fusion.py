"""The base classes of fusions. A fusion maps the features of any number of fields to one representation (g in h = g(f(x), f(t))).

A field that a row lacks has no real token. It must not affect the representation of that row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..config import Config
from ..errors import ConfigError
from ..flow import Features, Form, State


class FusionConfig(Config):
    """The base class of fusion configs."""

    is_compared: ClassVar[bool] = True
    """Whether a comparison that names no fusions includes it."""

    @property
    def voting(self) -> str:
        """The rule that combines the votes (a key of ``tasks.RULES``). Some rules combine the votes of single fields only, without the
        vote of the fused representation."""
        return "weighed"

    def check(self, fields: Sequence[str], width: int) -> None:
        """Check that these fields can be fused. Called when a config is read, and again before the fusion is built.

        :param fields: the names of the fields
        :param width: the width of the model
        :raises ConfigError: the fields cannot be fused in a model of this width
        """

    def check_forms(self, forms: Mapping[str, Sequence[Form]]) -> None:
        """Check that fields of these kinds can be fused. Called when a config is read.

        :param forms: the forms that the modality of each field makes
        :raises ConfigError: the fields cannot be fused
        """

    @property
    def libraries(self) -> tuple[str, ...]:
        """The packages that build the fusion, in addition to those of every run."""
        return ()

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Build the fusion.

        :param widths: the token width of each field; None = not known before the first call
        :param width: the width of the model
        :raises ConfigError: the fields cannot be fused in a model of this width
        """
        raise NotImplementedError

    def build_for(self, widths: Mapping[str, int | None], width: int, states: Mapping[str, State]) -> Fusion:
        """Build the fusion for fields whose states are known. By default, it does not depend on them.

        :param states: the fitted state of each field; empty for a model that is built by hand
        """
        return self.build(widths, width)


class Fusion(nn.Module, ABC):
    """The base class of fusions: ``Mapping[str, Features] -> Features``, (B, L, D) for each field -> (B, L, width_out)."""

    width_out: int | None
    """The width of the representation; None = not known before the first call."""

    voting: str = "weighed"
    """The voting rule of its config (``FusionConfig.voting``)."""

    lr_scale: float = 1.0
    """The factor on the learning rate of the fusion."""

    def start(self) -> None:
        """Load the pretrained weights, if there are any. Called before training, but not for a model loaded from a bundle."""

    def lr_scales(self) -> Iterator[tuple[nn.Parameter, float]]:
        """Yield parameters with the factor on their learning rate. The factor of other parameters is 1."""
        for parameter in self.parameters() if self.lr_scale != 1.0 else ():
            yield parameter, self.lr_scale

    @abstractmethod
    def forward(self, features: Mapping[str, Features]) -> Features:
        """Return the fused representation.

        :param features: the features of all fields that the fusion was built for, in the same order
        """


def linear(width_in: int | None, width_out: int) -> nn.Linear:
    """Return a linear layer. If ``width_in`` is None, the layer is lazy: its input width is set at the first call."""
    return nn.LazyLinear(width_out) if width_in is None else nn.Linear(width_in, width_out)


def total(widths: Mapping[str, int | None]) -> int | None:
    """Return the sum of the widths, which is the width of the concatenated fields; None if a width is not known yet."""
    known = [width for width in widths.values() if width is not None]
    return sum(known) if len(known) == len(widths) else None


def present(features: Mapping[str, Features]) -> Tensor:
    """Return which fields each row has: 1 = present, 0 = missing, (B, F), in the dtype of the tokens."""
    first = next(iter(features.values())).tokens_BLD
    return torch.stack([field.mask_BL.any(1) for field in features.values()], 1).to(first.dtype)


def heads_divide(heads: int, width: int) -> None:
    """Check that ``heads`` divides ``width``.

    :raises ConfigError: ``width`` is not divisible by ``heads``
    """
    if width % heads:
        raise ConfigError(f"model.fusion.heads: {heads} does not divide model.width = {width}")
