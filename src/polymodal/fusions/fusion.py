"""What all fusions share: the features of any number of fields in, one representation out (g in h = g(f(x), f(t))).

A field that a row lacks comes in with no real token, and must count as if the model had been asked without it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..config import Config
from ..errors import ConfigError
from ..flow import Features


class FusionConfig(Config):
    """What every fusion's config answers."""

    @property
    def voting(self) -> str:
        """The rule by which votes become the answer (``tasks.RULES``); one of single-field votes alone leaves out the fused one."""
        return "weighed"

    def check(self, fields: Sequence[str], width: int) -> None:
        """``ConfigError`` where these fields cannot be fused in a model of ``width``: asked when a config is read, and before building."""

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """The fusion of fields with these token widths (None: known at the first call) in a model of ``width``."""
        raise NotImplementedError


class Fusion(nn.Module, ABC):
    """``Mapping[str, Features] -> Features``, (B, L, D) each -> (B, L, width_out)."""

    width_out: int | None
    """Width of what comes out; None = known at the first call."""

    voting: str = "weighed"
    """As its config says."""

    @abstractmethod
    def forward(self, features: Mapping[str, Features]) -> Features:
        """The fused representation; every field that the fusion was built for is in ``features``, in order."""


def linear(width_in: int | None, width_out: int) -> nn.Linear:
    """A linear layer, its input width found at the first call when it is not known yet."""
    return nn.LazyLinear(width_out) if width_in is None else nn.Linear(width_in, width_out)


def total(widths: Mapping[str, int | None]) -> int | None:
    """The width of all fields side by side; None = not known yet."""
    known = [width for width in widths.values() if width is not None]
    return sum(known) if len(known) == len(widths) else None


def present(features: Mapping[str, Features]) -> Tensor:
    """1 where a row has a field, else 0: (B, F), in the dtype of the tokens."""
    first = next(iter(features.values())).tokens_BLD
    return torch.stack([field.mask_BL.any(1) for field in features.values()], 1).to(first.dtype)


def heads_divide(heads: int, width: int) -> None:
    """``ConfigError`` unless attention can be split into so many heads."""
    if width % heads:
        raise ConfigError(f"model.fusion.heads: {heads} does not divide model.width = {width}")
