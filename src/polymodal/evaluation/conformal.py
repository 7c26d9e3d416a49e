"""Sets of classes, and intervals of a number, that contain the truth with a stated probability: conformal prediction.

A model's error on a row that it was not trained on (``Task.errors``) is 1 - the probability of the true class, or the distance to the true
number. A set contains every answer whose error would be no larger than those of a share ``coverage`` of such rows. Errors of a number are
divided by what is expected of the row (``spread.py``), where that can be estimated.

* **Split conformal prediction** (Vovk et al. 2005; Lei et al. 2018, arXiv:1604.04173; for classes Sadinle et al. 2019, arXiv:1609.00451).
  The errors are those of the answer as it ships, on rows that no model was trained on and that selected nothing. The probability that a
  set contains the truth is at least ``coverage``, and at most 1 / (rows + 1) more where no two errors are equal. Under folds these are the
  calibration rows. Of one model they are the validation rows, to each of which the model answers by vote weights that were fitted on other
  rows; the theorem does not cover that step, ``benchmarks/honesty.py`` measures it.
* **CV+**, under folds of too few rows to keep any for calibration (Barber et al. 2021, arXiv:1905.02928, for numbers; Romano et al. 2020,
  arXiv:2006.02544, for classes). Each error is of the one model that was not trained on its row, and is compared with that model's
  answer to the new row. The probability is at least about ``2 * coverage - 1`` for any distribution (Barber et al. 2021, theorem 4), and in
  practice ``coverage`` or more: far more where the models disagree.

Both hold over training rows and new rows together, for rows that are exchangeable: of one distribution and in no particular order.

Shapes: ``N`` rows, ``C`` classes, ``K`` models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..inference import Answer
from ..tasks import Task
from .spread import Spread, pooled

KEPT = 500
"""Errors of a model that a bundle contains, at most: of more, evenly spaced ones."""
FEWEST = 19
"""Errors that a coverage can be stated from, at least."""
_AT_ONCE = 2**21  # values sorted at a time
_ROUNDING = 1e-7  # of a probability as float32


def kept_errors(
    task: Task, target_NT: np.ndarray, scores_NC: np.ndarray, member_N: np.ndarray, folds: int, spread_N: np.ndarray | None = None
) -> dict[str, Any]:
    """What a bundle keeps to make sets of a task's answers.

    :param scores_NC: the answer to each row of a model that did not train on it, without the scale of the pooled answer
    :param member_N: the place of that model among the ``folds`` models
    :param spread_N: the expected error of each row, by which errors are divided; None = errors are as they are
    :returns: ``method`` ("split" or "cv+"), ``rows``, and by model its ``rows`` and ascending ``errors``
    """
    known = ~np.isnan(target_NT).any(1) & ~np.isnan(scores_NC).any(1)
    errors_N = task.errors(target_NT[known], scores_NC[known]).astype(np.float64)
    if spread_N is not None:
        errors_N = errors_N / spread_N[known]
    models = [_thinned(np.sort(errors_N[member_N[known] == at] if folds > 1 else errors_N)) for at in range(folds)]
    return {"method": "cv+" if folds > 1 else "split", "rows": len(errors_N), "models": models}


def _thinned(errors: np.ndarray) -> dict[str, Any]:
    count = len(errors)
    if count > KEPT:
        errors = errors[_ranks(count) - 1]
    return {"rows": count, "errors": [round(float(error), 9) for error in errors]}


def _ranks(count: int) -> np.ndarray:
    """The ranks, from 1 on, of the errors that are kept of ``count``, the largest among them."""
    return np.arange(1, count + 1) if count <= KEPT else np.ceil(np.arange(1, KEPT + 1) * count / KEPT).astype(np.int64)


@dataclass(frozen=True)
class Errors:
    """The errors of the models of one task, as a bundle keeps them: by model ``errors``, ascending, and their ``ranks``. Of a pooled answer
    (``is_pooled``) they are those of all models together."""

    rows: int
    errors: Sequence[np.ndarray]
    ranks: Sequence[np.ndarray]
    is_pooled: bool
    spreads: Sequence[Spread] = ()
    """By model of the bundle, the expected error of each row, of which the errors are multiples; () = they are errors."""

    @classmethod
    def of(cls, kept: Any, members: int, place: str) -> Errors:
        """From what a bundle contains.

        :param members: how many models the bundle has
        :param place: the target, for messages
        :raises ConfigError: there are too few errors, or none
        """
        try:
            models = kept.get("models", [kept])
            rows = [int(one["rows"]) for one in models]
            errors = [np.asarray(one["errors"], np.float64) for one in models]
            spreads = [Spread.of(one) for one in kept.get("spreads", [])]
            whole = len(models) in (1, members) and len(spreads) in (0, members)
            whole &= all(
                one.ndim == 1 and len(one) == min(count, KEPT) and np.isfinite(one).all() and (np.diff(one) >= 0).all()
                for one, count in zip(errors, rows, strict=True)
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            rows, errors, spreads, whole = [], [], [], False
        if not whole or sum(rows) < FEWEST:
            count = sum(rows) if whole else 0
            raise ConfigError(f"{place}: {count:,} validation rows to state a coverage from; expected {FEWEST} or more; train on more rows")
        return cls(sum(rows), errors, [_ranks(count) for count in rows], len(errors) < members or members == 1, spreads)

    def rank(self, coverage: float) -> int:
        """How many of the errors an error in the set may exceed, plus 1; ``ConfigError`` for no coverage."""
        if not 0 < coverage < 1:
            raise ConfigError(f"coverage {coverage:g}: expected a share between 0 and 1, such as 0.9")
        return math.ceil((self.rows + 1) * coverage - 1e-9)

    def classes(self, scores: Sequence[np.ndarray], coverage: float) -> np.ndarray:
        """Which classes are in the set of each row: bool (N, C), from the models' probabilities (N, C)."""
        below_NC = np.zeros(scores[0].shape, np.int64)
        for scores_NC, errors, ranks in zip(scores, self.errors, self.ranks, strict=True):
            at_NC = np.searchsorted(errors, 1 - scores_NC.astype(np.float64) - _ROUNDING, side="left")
            below_NC += np.concatenate([[0], ranks])[at_NC]
        return below_NC < self.rank(coverage)

    def spread(self, answers: Sequence[Answer], task: str, place: str) -> np.ndarray:
        """What each row's errors are multiples of (N,), from what the models of the bundle answer.

        :raises ConfigError: the bundle's spreads are not those of its models
        """
        try:
            return pooled(self.spreads, answers, task)
        except ValueError:
            raise ConfigError(f"{place}: the expected errors are of another model; expected those of this bundle; train it again") from None

    def interval(self, answers: Sequence[np.ndarray], coverage: float, spread_N: np.ndarray | None = None) -> np.ndarray:
        """The ends of the interval of each row, (N, 2), from the models' numbers (N, 1); infinite where the errors are too few."""
        rank = self.rank(coverage)
        if rank > self.rows:
            return np.tile([-np.inf, np.inf], (len(answers[0]), 1))
        errors = np.concatenate(self.errors)
        count = np.concatenate([np.diff(ranks, prepend=0) for ranks in self.ranks])
        model = np.repeat(np.arange(len(self.errors)), [len(one) for one in self.errors])
        answers_NK = np.concatenate(answers, 1).astype(np.float64)
        spread_N1 = np.ones((len(answers_NK), 1)) if spread_N is None else spread_N[:, None]
        ends = np.empty((len(answers_NK), 2))
        step = max(1, _AT_ONCE // len(errors))
        for start in range(0, len(answers_NK), step):
            of_errors, wide = answers_NK[start : start + step, model], spread_N1[start : start + step] * errors
            ends[start : start + step, 1] = _weighted(wide + of_errors, count, rank)
            ends[start : start + step, 0] = -_weighted(wide - of_errors, count, rank)
        return np.sort(ends, 1)


def _weighted(values_NE: np.ndarray, count_E: np.ndarray, rank: int) -> np.ndarray:
    """The ``rank``-th smallest of each row's values, each of which counts ``count_E`` times."""
    order = np.argsort(values_NE, axis=1, kind="stable")
    at = (np.cumsum(count_E[order], 1) >= rank).argmax(1)
    return np.take_along_axis(values_NE, order[np.arange(len(order)), at][:, None], 1)[:, 0]


def sets(
    task: Task, errors: Errors, scores_NC: np.ndarray, own: Sequence[np.ndarray], coverage: float, empty: bool = True,
    spread_N: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """The sets of some rows' answers: lists of classes (N,), the most probable first, or the ends of intervals (N, 2).

    :param scores_NC: the pooled answer, by which classes are ordered
    :param own: the answer that the errors are of, without the scale of the pooled answer: the pooled one, or each model's (N, C)
    :param empty: whether a list may be empty; if not, the most probable class is in every list
    :param spread_N: what the errors of each row are multiples of (``Errors.spread``); None = they are errors
    """
    if not task.has_classes:
        return errors.interval(own, coverage, spread_N)
    return task.sets(scores_NC, errors.classes(own, coverage), empty)


def scale_of(metrics: Mapping[str, Any], name: str) -> float:
    """What the logits of a task's pooled answer were multiplied by, from what a bundle contains; 1 where nothing is known."""
    scale = metrics.get("conformal", {}).get(name, {}).get("scale", 1.0)
    return float(scale) if isinstance(scale, (int, float)) and 0 < scale < math.inf else 1.0
