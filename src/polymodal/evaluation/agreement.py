"""How far the members of a model agree on rows that neither of two saw, and what their mean is worth beyond one of them.

Under folds each held-out row is answered by one member, so what is fitted on these rows (the scale of the votes, the errors of conformal
sets) suits one member; the answer is the mean of all. Let a member's logit be what all of them say of a row, and its own noise. Over rows
the square of the mean of K members is then 1/K + (1 - 1/K) r of one member's, where r is what two members have in common: E[ab] over the
mean of E[aa] and E[bb]. That is the ``share``. If one member's logits are calibrated, the mean's are after division by it: the best
multiple of x + noise to tell x is the part of the mean square that is x's, and grows by 1 / share as the noise shrinks. (Means are not
taken off: weights multiply the prior of a class that is rare as well.) For a number r is that of the errors, and the squared error of the
mean is the share of one member's. The errors of the member whose epoch was chosen by these rows are a little too small; those of the other,
which has never seen them, say by how much (``unseen``). Rahaman and Thiery (2021, arXiv:2007.08792) show that pooled answers are not sure
enough and scale them on rows that no member saw; two members suffice here, and few labels or none, so that a few rows do.

Of classes, errors (1 - the probability of the truth) do not all shrink alike: among many, noise makes some that are not true look likely,
and averaging takes that away; where a member is often wrong, the mean is less often. How errors are distributed among calibrated answers
follows from the answers alone. So it is measured how far each quantile of their log odds moves from one member to the mean of two (divided
by their share). Noise falls to 1/2 there and to 1/K in the mean of all: quantiles move 2 (1 - 1/K) times as far. A parabola smooths that
(``Shift``).

Shapes: ``N`` rows, ``C`` outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..tasks import Task
from ..tasks.voting import FEWEST
from .measure import score

_PRIOR_ROWS = 5.0
"""Rows on which two members say the same, beside those that were asked: few tell little."""
_PRIOR_SHIFT = 20.0
"""Likewise of a shift, which is of three numbers."""
_RANKS = np.linspace(0.05, 0.97, 60)
"""The quantiles that a shift is measured at."""
_LEAST = 1e-7
"""A probability as float32 knows it."""


@dataclass(frozen=True)
class Shift:
    """How far the log odds of errors move: a polynomial in them, the highest power first, between ``low`` and ``high``; never farther than
    was seen (``least`` to ``most``)."""

    coefficients: tuple[float, ...]
    low: float
    high: float
    least: float
    most: float

    @classmethod
    def of(cls, before: np.ndarray, after: np.ndarray, times: float) -> Shift:
        """From the log odds of errors at the same ranks."""
        moved = (after - before) * times
        powers = min(2, len(np.unique(before.round(6))) - 1)
        coefficients = np.polynomial.Polynomial.fit(before, moved, powers).convert().coef if powers else [moved.mean()]
        return cls(tuple(map(float, coefficients))[::-1], *map(float, (before.min(), before.max(), moved.min(), moved.max())))

    def __call__(self, errors_N: np.ndarray) -> np.ndarray:
        """Errors, moved."""
        odds_N = _log_odds(errors_N)
        moved_N = np.clip(np.polyval(self.coefficients, np.clip(odds_N, self.low, self.high)), self.least, self.most)
        return 1 / (1 + np.exp(-(odds_N + moved_N)))


@dataclass(frozen=True)
class Agreement:
    """Of ``members``, two of which answered each of ``rows``: the ``correlation`` (about 0) of what they say, from 0 to 1; None: not known.
    ``shift``: of the errors of classes. ``unseen``: of a number, the squared error of the second member as a multiple of the first one's,
    which chose by these rows. Where they cannot be ``used``, nothing changes."""

    members: int
    rows: int
    correlation: float | None
    shift: Shift | None = None
    unseen: float = 1.0
    used: bool = True

    @property
    def share(self) -> float:
        """The mean square of the members' mean, as a share of one member's; of errors on new rows, as a share of those on held-out ones."""
        if self.correlation is None or not self.used:
            return 1.0
        return self.unseen * (1 / self.members + (1 - 1 / self.members) * self.correlation)

    def facts(self) -> dict[str, Any]:
        """As it is written down."""
        return {"members": self.members, "rows": self.rows, "correlation": self.correlation, "share": self.share}


ALONE = Agreement(1, 0, None)
"""Of a single member."""


def agreement(task: Task, first: Sequence[np.ndarray], second: Sequence[np.ndarray], target_NT: np.ndarray, members: int) -> Agreement:
    """From what two members say of the same rows: logits (N, C) of each, in parts. The ``first`` chose its epoch by these rows."""
    one, other = (np.concatenate([np.zeros((0, task.outputs)), *parts]).astype(np.float64) for parts in (first, second))
    if task.classes is None:
        known = np.isfinite(target_NT).all(1)
        one, other = (said[known] - target_NT[known] for said in (one, other))
    elif task.config.kind == "multiclass":  # a number added to all of a row's logits says nothing
        one, other = (said - said.mean(1, keepdims=True) for said in (one, other))
    rows, both = len(one), float((one**2).sum() + (other**2).sum())
    if rows < FEWEST or both == 0:
        return Agreement(members, rows, None)
    correlation = 2 * float((one * other).sum()) / both
    found = Agreement(members, rows, min(1.0, max(0.0, (rows * correlation + _PRIOR_ROWS) / (rows + _PRIOR_ROWS))))
    if task.classes is None:
        alike = _PRIOR_ROWS * both / (2 * rows)
        return replace(found, unseen=(float((other**2).sum()) + alike) / (float((one**2).sum()) + alike))
    if task.config.kind == "multilabel":
        return found
    mean = (one + other) / 2 / replace(found, members=2).share
    before, after = _quantiles(task, np.concatenate([one, other])), _quantiles(task, mean)
    return replace(found, shift=Shift.of(before, after, 2 * (1 - 1 / members) * rows / (rows + _PRIOR_SHIFT)))


def _quantiles(task: Task, logits_NC: np.ndarray) -> np.ndarray:
    """The log odds of errors at ``_RANKS``, were answers right as often as they say."""
    chances = np.sort(score(task, [logits_NC]).astype(np.float64).ravel())[::-1]
    ranks = np.searchsorted(np.cumsum(chances) / len(logits_NC), _RANKS - 1e-9)
    return _log_odds(1 - chances[np.minimum(ranks, len(chances) - 1)])


def _log_odds(chances: np.ndarray) -> np.ndarray:
    chances = np.clip(chances, _LEAST, 1 - _LEAST)
    return np.log(chances) - np.log1p(-chances)


def carried(task: Task, errors_N: np.ndarray, found: Agreement) -> np.ndarray:
    """The errors that the mean of the members would make, from those of single members (``Task.errors``). Of labels that do not exclude one
    another, which have no sets, as they are."""
    if task.classes is None:
        return errors_N * found.share**0.5
    return errors_N if found.shift is None or not found.used else found.shift(errors_N)
