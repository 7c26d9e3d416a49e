"""What all fusions share: the features of any number of fields in, one representation out (g in h = g(f(x), f(t))).

A field that a row lacks comes in with no real token, and must count as if the model had been asked without it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import nn

from ..config import Config
from ..flow import Features


class FusionConfig(Config):
    """What every fusion's config answers."""

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """The fusion of fields with these token widths (None: known at the first call) in a model of ``width``."""
        raise NotImplementedError


class Fusion(nn.Module, ABC):
    """``Mapping[str, Features] -> Features``, (B, L, D) each -> (B, L, width_out)."""

    width_out: int | None
    """Width of what comes out; None = known at the first call."""

    @abstractmethod
    def forward(self, features: Mapping[str, Features]) -> Features:
        """The fused representation; every field that the fusion was built for is in ``features``, in order."""


def linear(width_in: int | None, width_out: int) -> nn.Linear:
    """A linear layer, its input width found at the first call when it is not known yet."""
    return nn.LazyLinear(width_out) if width_in is None else nn.Linear(width_in, width_out)
