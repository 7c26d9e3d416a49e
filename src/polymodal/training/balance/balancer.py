"""Base class of methods that keep one field from preventing the others from learning.

Between the backward pass and the optimizer's step, a balancer may reduce the step of an encoder; it may also weight the losses. Its place
in training: ``Trainer.gradient`` -> ``Balancer.step`` -> the optimizer's step; after each epoch, ``Balancer.epoch``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...config import Config
from ...random_streams import Stream, seed_of


class BalanceConfig(Config):
    """Base class of the configurations of balancers."""

    def build(self, fields: Sequence[str]) -> Balancer:
        """Return the balancer for a model of these fields, of which there are at least two."""
        raise NotImplementedError


@dataclass(frozen=True)
class Moment:
    """The state of training after a backward pass: all that a balancer may depend on.

    :param seed: the random seed of the run
    :param epoch: the number of the epoch
    :param step: the number of the step
    :param confidence: by field, the mean of exp(-loss) of its own vote; for classes this is the probability of the true class. Fields that
        are missing in all rows of the batch are absent
    """

    seed: int
    epoch: int
    step: int
    confidence: Mapping[str, float]

    def generator(self, device: torch.device) -> torch.Generator:
        """Return a random generator that depends on the seed, the epoch and the step alone."""
        entropy = seed_of(Stream.BALANCE, self.seed, self.epoch, self.step)
        return torch.Generator(device).manual_seed(int(entropy))


class Balancer(ABC):
    """Balances the fields of one model in training. Its whole state is in ``facts``."""

    @property
    def shares(self) -> Mapping[str, float] | None:
        """The weights of the losses of the fused vote (key ``""``) and of each field's vote; None = the default weights."""
        return None

    @abstractmethod
    def step(self, moment: Moment, encoders: Mapping[str, Sequence[nn.Parameter]]) -> dict[str, float]:
        """Return the factors of the learning rate in this step, by field; fields with factor 1 may be absent.

        It is called after the gradient of a batch was computed and clipped, and may change the gradients.

        :param moment: the state of training
        :param encoders: the parameters of each field's encoder that are trained
        """

    def epoch(self, trained: Mapping[str, float], validation: Mapping[str, float]) -> None:  # noqa: B027  (optional)
        """Update the state after a validation; by default do nothing.

        :param trained: the mean training loss of every vote, the fused one under ``""``
        :param validation: the mean validation loss of every vote
        """

    def facts(self) -> dict[str, Any]:
        """Return the state as plain data, for ``restore``."""
        return {}

    def restore(self, facts: Mapping[str, Any]) -> None:  # noqa: B027  (optional)
        """Restore the state from ``facts()``; by default there is none."""


class NoneConfig(BalanceConfig):
    """No balancing."""

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
    """Add Gaussian noise to a gradient in place, with the gradient's standard deviation, where the gradient is not zero."""
    noise = torch.empty_like(gradient).normal_(generator=generator)
    gradient.add_(noise.mul_(gradient.std(correction=0)).mul_(gradient != 0))
