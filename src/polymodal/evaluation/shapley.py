"""Shapley values: the value of a whole beyond that of nothing, divided among its players (Shapley 1953).

The value of a player is what it adds to the players before it, on average over all orders. The values sum to whole minus nothing, players
that add the same have the same value, and a player that never adds anything has the value 0. Of up to ``EXACT`` players every subset is
evaluated once. Of more, orders are sampled (Castro et al. 2009), and each value has the standard error of its mean. The sum of the values
is the same for sampled orders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import Any

import numpy as np

from ..random_streams import Stream, generator
from ..tasks import Task
from ..tasks.metrics import Metrics

EXACT = 6
"""The largest number of players of which all subsets are evaluated, 64 of them."""
ORDERS = 64
"""The number of orders that are sampled if there are more players."""

Value = Callable[[frozenset[str]], np.ndarray]
"""A function from a set of players to their value together: an array of any shape, the same for all subsets."""


@dataclass(frozen=True)
class Shares:
    """Shapley values.

    ``values`` by player, in the shape of the value that is divided. ``errors`` are their standard errors, None if the values are exact.
    ``nothing`` and ``whole`` are the values of no player and of all players. ``orders`` is the number of sampled orders, 0 if exact.
    """

    values: dict[str, np.ndarray]
    errors: dict[str, np.ndarray] | None
    nothing: np.ndarray
    whole: np.ndarray
    orders: int


def shapley(players: Sequence[str], value: Value, seed: int = 0, orders: int = ORDERS) -> Shares:
    """Compute the Shapley value of each player.

    :param value: called once for each subset that is needed
    :param seed: the seed of the sampled orders
    :param orders: the number of orders that are sampled if there are more than ``EXACT`` players
    """
    computed: dict[frozenset[str], np.ndarray] = {}

    def value_of(subset: frozenset[str]) -> np.ndarray:
        if subset not in computed:
            computed[subset] = np.asarray(value(subset), np.float64)
        return computed[subset]

    nothing, whole = value_of(frozenset()), value_of(frozenset(players))
    if len(players) <= EXACT:
        return Shares({name: _exact(name, players, value_of) for name in players}, None, nothing, whole, 0)
    rng = generator(Stream.SHAPLEY_ORDERS, seed)
    added: dict[str, list[np.ndarray]] = {name: [] for name in players}
    for _ in range(orders):
        before: frozenset[str] = frozenset()
        for at in rng.permutation(len(players)):
            after = before | {players[at]}
            added[players[at]].append(value_of(after) - value_of(before))
            before = after
    values = {name: np.mean(of_player, axis=0) for name, of_player in added.items()}
    errors = {name: np.std(of_player, axis=0, ddof=1) / np.sqrt(orders) for name, of_player in added.items()}
    return Shares(values, errors, nothing, whole, orders)


def _exact(name: str, players: Sequence[str], value_of: Value) -> np.ndarray:
    """Return the Shapley value of one player, from all subsets."""
    others = [other for other in players if other != name]
    total = np.zeros(())
    for size in range(len(players)):
        weight = factorial(size) * factorial(len(others) - size) / factorial(len(players))
        for chosen in combinations(others, size):
            total = total + weight * (value_of(frozenset(chosen) | {name}) - value_of(frozenset(chosen)))
    return total


def shares_of_metrics(
    tasks: Mapping[str, Task], measured: Mapping[frozenset[str], Mapping[str, Metrics]], fields: Sequence[str]
) -> dict[str, Any]:
    """Divide the metric of each task among fields.

    :param measured: the metrics by task of every subset of ``fields``, the other fields being hidden
    :returns: by task: ``metric``, its value for the ``whole`` and for ``nothing``, and for each of the ``fields`` its Shapley ``value`` and
        its ``share`` of whole minus nothing; None where undefined
    """
    result: dict[str, Any] = {}
    for name, task in tasks.items():
        by_subset = {shown: np.array(_number(metrics[name][task.usual_metric])) for shown, metrics in measured.items()}
        shares = shapley(fields, by_subset.__getitem__)
        whole, nothing = float(shares.whole), float(shares.nothing)
        facts = {}
        for field in fields:
            value = float(shares.values[field])
            facts[field] = {"value": _finite(value), "share": value / (whole - nothing) if whole > nothing else None}
        result[name] = {"metric": task.usual_metric, "whole": _finite(whole), "nothing": _finite(nothing), "fields": facts}
    return result


def _number(value: float | None) -> float:
    """Return a value as a number; NaN for None."""
    return float("nan") if value is None else value


def _finite(value: float) -> float | None:
    """Return a number, or None if it is not finite."""
    return value if np.isfinite(value) else None
