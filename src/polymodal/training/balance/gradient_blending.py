"""Gradient-Blending (Wang et al. 2020, arXiv:1905.12681), online variant: the losses of the fused vote and of each field's vote are
weighted by G / O^2, the ratio of generalization to overfitting, which is estimated every few epochs.

G is the decrease of a vote's validation loss since the last estimate. O is the increase of the gap between its validation loss and its
training loss.

Differences from the paper: the paper trains a copy of the network for each field to estimate G and O. Here the votes are trained together,
and the estimates come from their loss curves. A vote with G <= 0 keeps a small weight, since a head without a loss could not improve again.
O is at least 0.01 G. If no vote has G > 0, the weights do not change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field as Setting
from torch import nn

from ...flow import FUSED
from .balancer import BalanceConfig, Balancer, Moment

LEAST = 0.05
"""The smallest weight, as a fraction of an equal weight."""


class GradientBlendingConfig(BalanceConfig):
    """Weight the losses of all votes by how well they generalize (Gradient-Blending). ``training.auxiliary`` has no effect."""

    kind: Literal["gradient_blending"] = "gradient_blending"
    every: int = Setting(3, ge=1)
    """The number of epochs between two estimates of the weights."""

    def build(self, fields: Sequence[str]) -> Balancer:
        """Return the balancer for any number of fields."""
        return GradientBlending(self, fields)


class GradientBlending(Balancer):
    """The state consists of the weights and of each vote's losses at the last estimate."""

    def __init__(self, config: GradientBlendingConfig, fields: Sequence[str]) -> None:
        self.config = config
        self._shares = dict.fromkeys([FUSED, *fields], 1.0 / (1 + len(fields)))
        self._before: dict[str, list[float]] = {}
        self._since = 0

    @property
    def shares(self) -> Mapping[str, float] | None:
        """The weights of the losses by vote. They sum to 1, and are equal at first."""
        return self._shares

    def step(self, moment: Moment, encoders: Mapping[str, Sequence[nn.Parameter]]) -> dict[str, float]:
        """Change nothing, since this method weights the losses."""
        return {}

    def epoch(self, trained: Mapping[str, float], validation: Mapping[str, float]) -> None:
        """Estimate the weights if ``every`` epochs have passed since the last estimate."""
        now = {voter: [trained[voter], validation[voter]] for voter in self._shares if voter in trained and voter in validation}
        self._since += 1
        if not self._before:
            self._before, self._since = now, 0
        elif self._since >= self.config.every:
            self._shares = blended(self._shares, self._before, now)
            self._before, self._since = now, 0

    def facts(self) -> dict[str, Any]:
        """Return the weights and the last losses."""
        return {"shares": self._shares, "before": self._before, "since": self._since}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Restore the weights and the last losses."""
        self._shares, self._before, self._since = dict(facts["shares"]), dict(facts["before"]), facts["since"]


def blended(shares: Mapping[str, float], before: Mapping[str, Sequence[float]], now: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return weights proportional to G / O^2 that sum to 1; ``shares`` if no vote has improved.

    :param shares: the present weights by vote
    :param before: the training loss and the validation loss of each vote at the last estimate
    :param now: these losses now
    """
    values = {}
    for voter in shares:
        if voter not in before or voter not in now:
            values[voter] = 0.0
            continue
        (trained_then, valid_then), (trained, valid) = before[voter], now[voter]
        gain = max(valid_then - valid, 0.0)
        overfitting = max((valid - trained) - (valid_then - trained_then), 0.01 * gain)
        values[voter] = gain / overfitting**2 if gain > 0 else 0.0
    total = sum(values.values())
    if total <= 0:
        return dict(shares)
    least = LEAST / len(values)
    return {voter: least + (1 - LEAST) * value / total for voter, value in values.items()}
