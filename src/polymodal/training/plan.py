"""How much training fits into the time: members, epochs, baselines. Its choices are facts, written down with the run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

COMFORT = 420.0
"""Seconds on two cores that a run without a time limit may take, by ``usual_plan``'s estimate."""
_PACE, _ROW = 2.4e9, 1e6
"""Multiply-adds a second that two cores train at, and those that every row costs whatever it holds."""
RESERVE = 0.06
"""Share of a time limit that is kept for measuring and saving."""


class Clock:
    """The time limit of a command, from its start."""

    def __init__(self, limit: float | None, start: float | None = None) -> None:
        self.limit = limit
        self.start = time.monotonic() if start is None else start

    @property
    def left(self) -> float:
        """Seconds left, infinite without a limit."""
        return float("inf") if self.limit is None else self.limit - (time.monotonic() - self.start)

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start


@dataclass(frozen=True)
class Plan:
    """``members`` models of the whole, ``baseline_members`` of each single field, ``epochs`` each."""

    members: int
    baseline_members: int
    epochs: int
    share: Mapping[str, float]
    """Estimated seconds of one epoch of one member, by what it sees ("" = all fields)."""

    def facts(self) -> dict[str, Any]:
        """Return the fields as plain data for ``metrics.json``."""
        return asdict(self)

    def cost(self, name: str) -> float:
        """Estimated seconds of one member."""
        return self.share.get(name, 1.0) * self.epochs


def usual_plan(members: int, epochs: int, baselines: bool, rows: int, costs: Mapping[str, float]) -> Plan:
    """The plan where no time limit is said: what fits some minutes on two cores, by a rule and not by the clock, so that it is the same
    wherever it is made. Epochs are never cut. ``costs``: multiply-adds of a row, by field (``Modality.cost``)."""
    seconds = {name: rows * (cost + _ROW) / _PACE for name, cost in costs.items()}
    seconds[""] = rows * (sum(costs.values()) + _ROW) / _PACE
    alone = sum(value for name, value in seconds.items() if name) if baselines else 0.0
    for m, b in _choices(members):
        if epochs * (m * seconds[""] + b * alone) <= COMFORT:
            break
    return Plan(m, b if baselines else 0, epochs, {})


def _choices(members: int) -> list[tuple[int, int]]:
    """Members of the whole and of each single field, from the most on: baselines on every fold give way first."""
    few = min(3, members)
    return [(members, members), (members, 1), (few, 1), (1, 1)]


def make_plan(members: int, epochs: int, baselines: bool, seconds: Mapping[str, float], budget: float) -> Plan:
    """The largest plan that fits ``budget`` seconds. ``seconds``: of one epoch, by single field and, under "", of all.

    What gives way first: baselines on every fold, then folds, then epochs.
    """
    alone = sum(value for name, value in seconds.items() if name) if baselines else 0.0

    def cost(m: int, b: int, e: int) -> float:
        return e * (m * seconds[""] + b * alone)

    few = min(3, members)
    for m, b in _choices(members)[:3]:
        if cost(m, b if baselines else 0, epochs) <= budget:
            return Plan(m, b if baselines else 0, epochs, dict(seconds))
    for m, b in [(few, 1), (1, 1)]:
        fitting = int(budget / max(cost(m, b if baselines else 0, 1), 1e-9))
        if fitting >= min(epochs, max(5, epochs // 2)) or m == 1:
            return Plan(m, b if baselines else 0, max(1, min(epochs, fitting)), dict(seconds))
    return Plan(1, 1 if baselines else 0, 1, dict(seconds))
