"""What keeps one field from stopping the others: between backward and step it may hold an encoder back, or say which losses count.

Its place in training: ``Trainer.gradient`` -> ``Balancer.step`` -> the optimiser's step; once an epoch, ``Balancer.epoch``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ...config import Config


class BalanceConfig(Config):
    """What every balancer's config says."""

    def build(self, fields: Sequence[str]) -> Balancer:
        """The balancer of a model of these fields, two at least."""
        raise NotImplementedError


@dataclass(frozen=True)
class Moment:
    """One step, after backward: everything that a balancer may depend on. ``confidence`` is, by field, the mean of exp(-loss) of its own
    vote: for classes the probability of the truth; a field that no row of the batch has is not there."""

    seed: int
    epoch: int
    step: int
    confidence: Mapping[str, float]

    def generator(self, device: torch.device) -> torch.Generator:
        """Random numbers of this step alone, whatever was drawn before."""
        entropy = np.random.SeedSequence([self.seed, 19, self.epoch, self.step]).generate_state(1, np.uint64)[0] >> 1
        return torch.Generator(device).manual_seed(int(entropy))


class Balancer(ABC):
    """Of one model in training. All that it remembers is in ``facts``."""

    @property
    def shares(self) -> Mapping[str, float] | None:
        """The weights of the losses of the fused vote ("") and of each field's own; None = as usual."""
        return None

    @abstractmethod
    def step(self, moment: Moment, encoders: Mapping[str, Sequence[nn.Parameter]]) -> dict[str, float]:
        """Called when the gradient of a batch stands in the parameters, clipped; ``encoders`` are those of each field that learn. It may
        change their gradients, and gives back by field the multiple of this step's learning rate, where that is not 1."""

    def epoch(self, trained: Mapping[str, float], held_out: Mapping[str, float]) -> None:  # noqa: B027  (few learn from it)
        """Called after each validation with the mean losses of every vote, the fused one under "", in training and on held-out rows."""

    def facts(self) -> dict[str, Any]:
        """All that ``restore`` needs, as plain data."""
        return {}

    def restore(self, facts: Mapping[str, Any]) -> None:  # noqa: B027  (few remember anything)
        """Go on from ``facts()``."""


class NoneConfig(BalanceConfig):
    """Every field learns as it does."""

    kind: Literal["none"] = "none"

    def build(self, fields: Sequence[str]) -> Balancer:
        """Return the balancer that changes nothing, ``Unbalanced``."""
        return Unbalanced()


class Unbalanced(Balancer):
    """The balancer that changes nothing."""

    def step(self, moment: Moment, encoders: Mapping[str, Sequence[nn.Parameter]]) -> dict[str, float]:
        """Do nothing after the backward pass."""
        return {}


def add_noise(gradient: Tensor, generator: torch.Generator) -> None:
    """Gaussian noise of the gradient's own spread, where it is not zero."""
    noise = torch.empty_like(gradient).normal_(generator=generator)
    gradient.add_(noise.mul_(gradient.std(correction=0)).mul_(gradient != 0))
