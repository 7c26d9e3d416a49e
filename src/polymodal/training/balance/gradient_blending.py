"""Gradient-Blending (Wang et al. 2020, arXiv:1905.12681), online: the losses of the fused vote and of each field's own are weighed by how
much each generalises for how much it overfits, G / O^2, estimated anew every few epochs.

G is what a vote's held-out loss has fallen by since the last estimate, O by how much the gap between it and the training loss has grown.

Departs from the paper: it trains a copy of the network for each field to estimate G and O; here the votes are trained together, and their
own curves are read. A vote that has not gained keeps a small weight, since a head that no loss reaches could not gain again; a gap
that does not grow counts as one that grows by a hundredth of G; and where no vote has gained, the weights stay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field as Setting
from torch import nn

from ...flow import FUSED
from .balancer import BalanceConfig, Balancer, Moment

LEAST = 0.05
"""The smallest weight, as a share of an equal one."""


class GradientBlendingConfig(BalanceConfig):
    """The losses of all votes are weighed by how they generalise (Gradient-Blending); ``training.auxiliary`` counts for nothing."""

    kind: Literal["gradient_blending"] = "gradient_blending"
    every: int = Setting(3, ge=1)
    """Epochs from one estimate of the weights to the next."""

    def build(self, fields: Sequence[str]) -> Balancer:
        """For any number of fields."""
        return GradientBlending(self, fields)


class GradientBlending(Balancer):
    """Remembers the weights, and each vote's losses at the last estimate."""

    def __init__(self, config: GradientBlendingConfig, fields: Sequence[str]) -> None:
        self.config = config
        self._shares = dict.fromkeys([FUSED, *fields], 1.0 / (1 + len(fields)))
        self._before: dict[str, list[float]] = {}
        self._since = 0

    @property
    def shares(self) -> Mapping[str, float] | None:
        """They sum to 1, and are equal at first."""
        return self._shares

    def step(self, moment: Moment, encoders: Mapping[str, Sequence[nn.Parameter]]) -> dict[str, float]:
        """Nothing: the losses were weighed."""
        return {}

    def epoch(self, trained: Mapping[str, float], held_out: Mapping[str, float]) -> None:
        """Estimate the weights, when it is time."""
        now = {voter: [trained[voter], held_out[voter]] for voter in self._shares if voter in trained and voter in held_out}
        self._since += 1
        if not self._before:
            self._before, self._since = now, 0
        elif self._since >= self.config.every:
            self._shares = blended(self._shares, self._before, now)
            self._before, self._since = now, 0

    def facts(self) -> dict[str, Any]:
        """The weights and the last losses."""
        return {"shares": self._shares, "before": self._before, "since": self._since}

    def restore(self, facts: Mapping[str, Any]) -> None:
        """Restore the weights and the last losses."""
        self._shares, self._before, self._since = dict(facts["shares"]), dict(facts["before"]), facts["since"]


def blended(shares: Mapping[str, float], before: Mapping[str, Sequence[float]], now: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Weights in the proportions of G / O^2, summing to 1, from each vote's losses in training and on held-out rows, before and now."""
    found = {}
    for voter in shares:
        if voter not in before or voter not in now:
            found[voter] = 0.0
            continue
        (trained_then, held_then), (trained, held) = before[voter], now[voter]
        gain = max(held_then - held, 0.0)
        overfitting = max((held - trained) - (held_then - trained_then), 0.01 * gain)
        found[voter] = gain / overfitting**2 if gain > 0 else 0.0
    total = sum(found.values())
    if total <= 0:
        return dict(shares)
    least = LEAST / len(found)
    return {voter: least + (1 - LEAST) * value / total for voter, value in found.items()}
