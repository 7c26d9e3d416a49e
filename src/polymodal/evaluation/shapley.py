"""Shapley values: what a whole is worth beyond nothing, shared out among its players (Shapley 1953).

A player's value is what it adds to the players before it, on average over all orders. The values sum to whole minus nothing, players
that do alike get alike, and one that never adds anything gets 0. Up to ``EXACT`` players every subset is asked once; above it orders are
drawn (Castro et al. 2009), and each value has the standard error of its mean. Drawn orders keep the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial

import numpy as np

EXACT = 6
"""Players up to whom all subsets are asked, 64 of them."""
ORDERS = 64
"""Orders drawn where there are more."""

Value = Callable[[frozenset[str]], np.ndarray]
"""What some players are worth together: an array of any shape, the same for all subsets."""


@dataclass(frozen=True)
class Shares:
    """``values`` by player, in the shape of what was shared; ``errors`` likewise, None where the values are exact; what ``nothing`` and
    the ``whole`` are worth; how many ``orders`` were drawn (0 = exact)."""

    values: dict[str, np.ndarray]
    errors: dict[str, np.ndarray] | None
    nothing: np.ndarray
    whole: np.ndarray
    orders: int


def shapley(players: Sequence[str], value: Value, seed: int = 0, orders: int = ORDERS) -> Shares:
    """What each player is worth. ``value`` is asked once for each subset that is needed."""
    known: dict[frozenset[str], np.ndarray] = {}

    def ask(subset: frozenset[str]) -> np.ndarray:
        if subset not in known:
            known[subset] = np.asarray(value(subset), np.float64)
        return known[subset]

    nothing, whole = ask(frozenset()), ask(frozenset(players))
    if len(players) <= EXACT:
        return Shares({name: _exact(name, players, ask) for name in players}, None, nothing, whole, 0)
    rng = np.random.default_rng(seed)
    added: dict[str, list[np.ndarray]] = {name: [] for name in players}
    for _ in range(orders):
        before: frozenset[str] = frozenset()
        for at in rng.permutation(len(players)):
            after = before | {players[at]}
            added[players[at]].append(ask(after) - ask(before))
            before = after
    values = {name: np.mean(found, axis=0) for name, found in added.items()}
    errors = {name: np.std(found, axis=0, ddof=1) / np.sqrt(orders) for name, found in added.items()}
    return Shares(values, errors, nothing, whole, orders)


def _exact(name: str, players: Sequence[str], ask: Value) -> np.ndarray:
    others = [other for other in players if other != name]
    total = np.zeros(())
    for size in range(len(players)):
        weight = factorial(size) * factorial(len(others) - size) / factorial(len(players))
        for chosen in combinations(others, size):
            total = total + weight * (ask(frozenset(chosen) | {name}) - ask(frozenset(chosen)))
    return total
