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

Errors shrink faster than the share says where there are many classes: noise makes some that are not true look likely, and averaging takes
that away as well. So it is measured how much smaller the chance to be wrong (1 minus the largest probability, in logarithms) is in the mean
of two, divided by their share, than in each of them. Noise falls to 1/2 there and to 1/K in the mean of all: what is gained is 2 (1 - 1/K)
times as much (``surer``).

Shapes: ``N`` rows, ``C`` outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..tasks import Task
from ..tasks.voting import FEWEST

_PRIOR_ROWS = 5.0
"""Rows on which two members say the same, beside those that were asked: few tell little."""
_CARRIED = 4_000_000
"""Probabilities that the errors of one member are carried over to the mean by, at most."""


@dataclass(frozen=True)
class Agreement:
    """Of ``members``, two of which answered each of ``rows``: the ``correlation`` (about 0) of what they say, from 0 to 1; None: not known.
    ``gained``: by what share the logarithm of the chance to be wrong grows in the mean of two. ``unseen``: of a number, the squared error
    of the second member as a multiple of the first one's, which chose by these rows. Where they cannot be ``used``, nothing changes."""

    members: int
    rows: int
    correlation: float | None
    gained: float = 0.0
    unseen: float = 1.0
    used: bool = True

    @property
    def share(self) -> float:
        """The mean square of the members' mean, as a share of one member's; of errors on new rows, as a share of those on held-out ones."""
        if self.correlation is None or not self.used:
            return 1.0
        return self.unseen * (1 / self.members + (1 - 1 / self.members) * self.correlation)

    @property
    def surer(self) -> float:
        """The logarithm of the mean of all's chance to be wrong, as a multiple of one member's; 1 of what is no class."""
        return 1.0 + 2 * (1 - 1 / self.members) * self.gained if self.used else 1.0

    def facts(self) -> dict[str, Any]:
        """As it is written down."""
        known = {"members": self.members, "rows": self.rows, "correlation": self.correlation}
        return {**known, "share": self.share, "surer": self.surer}


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
        unseen = float((other**2).sum() / max((one**2).sum(), 1e-12))
        return replace(found, unseen=(rows * unseen + _PRIOR_ROWS) / (rows + _PRIOR_ROWS))
    if task.config.kind == "multilabel":
        return found
    alone = (_sureness(one) + _sureness(other)) / 2
    together = _sureness((one + other) / 2 / replace(found, members=2).share)
    return replace(found, gained=max(0.0, together / alone - 1) * rows / (rows + _PRIOR_ROWS))


def _sureness(logits_NC: np.ndarray) -> float:
    """Minus the mean logarithm of the chance that the most probable class is not the true one."""
    if logits_NC.shape[1] == 1:
        odds_N = np.abs(logits_NC[:, 0])
    else:
        ordered_NC = np.sort(logits_NC, axis=1)
        odds_N = ordered_NC[:, -1] - np.logaddexp.reduce(ordered_NC[:, :-1], axis=1)
    return float(np.logaddexp(0.0, odds_N).mean())


def carried(task: Task, errors_N: np.ndarray, scores_NC: np.ndarray, found: Agreement) -> np.ndarray:
    """The errors that the mean of the members would make, from those of single members (``Task.errors``) on the rows of these scores.

    For a number all shrink alike. For a class the answers spread wider, as they are surer. How errors are distributed among calibrated
    answers follows from the answers alone; so an error takes the rank that it has by the answers as they are, and becomes the error of that
    rank by the wider ones. Not for labels that do not exclude one another, which have no sets.
    """
    if not len(errors_N):
        return errors_N
    if task.classes is None:
        return errors_N * found.share**0.5
    if found.surer == 1:
        return errors_N
    scores_NC = scores_NC[:: -(-scores_NC.size // _CARRIED)].astype(np.float64)
    wider_NC = scores_NC**found.surer
    errors, ranks = _ranked(scores_NC)
    instead, ranks_instead = _ranked(wider_NC / wider_NC.sum(1, keepdims=True))
    # Rows alike have errors alike: the last of them has the rank. Errors are float32, and a little off.
    rank_N = np.concatenate([[0.0], ranks])[np.searchsorted(errors, errors_N + 1e-6, side="right")]
    return instead[np.minimum(np.searchsorted(ranks_instead, rank_N - 1e-9), len(instead) - 1)]


def _ranked(scores_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The errors that answers can turn out to be, ascending, and the probability of one that is no larger, were they calibrated."""
    chances = np.sort(scores_NC.ravel())[::-1]
    return 1 - chances, np.cumsum(chances) / len(scores_NC)
