"""Conformal prediction: sets of classes, and intervals of numbers, that contain the truth with a stated probability.

The error of a model on a row that it was not trained on (``Task.errors``) is 1 - the probability of the true class, or the distance to the
true number. A set contains every class (or number) whose error would be at most that of a fraction ``coverage`` of such rows. Errors of
numbers are divided by the expected error of the row (``spread.py``), if that can be estimated.

* **Split conformal prediction** (Vovk et al. 2005; Lei et al. 2018, arXiv:1604.04173; for classes Sadinle et al. 2019, arXiv:1609.00451).
  The errors are those of the final predictions, on rows that no model was trained on and that selected nothing. The probability that a set
  contains the truth is at least ``coverage``, and at most 1 / (rows + 1) more if no two errors are equal. With folds, these are the
  calibration rows. For a single model they are the validation rows, each of which is predicted with vote weights that were fitted on other
  rows; the theorem does not cover this step, and ``benchmarks/honesty.py`` measures it.
* **CV+**, with folds, if there are too few rows for calibration rows (Barber et al. 2021, arXiv:1905.02928, for numbers; Romano et al.
2020,
  arXiv:2006.02544, for classes). Each error is that of the one model that was not trained on its row, and is compared with that model's
  prediction of the new row. The probability is at least about ``2 * coverage - 1`` for any distribution (Barber et al. 2021, theorem 4),
  and in practice ``coverage`` or more, and much more if the models disagree.

Both guarantees are probabilities over training rows and new rows together, for exchangeable rows: of one distribution and in no particular
order.

Shapes: ``N`` rows, ``C`` classes, ``K`` models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import numpy as np

from ..errors import ConfigError
from ..inference import Answer
from ..tasks import Task
from .spread import Spread, pooled

KEPT = 500
"""The maximum number of errors of a model in a bundle. If there are more, evenly spaced ones are kept."""
FEWEST = 19
"""The least number of errors from which a coverage can be stated."""
_AT_ONCE = 2**21  # the number of values that are sorted at a time
_ROUNDING = 1e-7  # the rounding error of a probability in float32


class ModelErrors(TypedDict):
    """The errors of one model in a bundle."""

    rows: int
    """The number of rows on which errors were computed."""
    errors: list[float]
    """The errors that are kept, in ascending order."""


class KeptErrors(TypedDict):
    """The errors of one task in a bundle, as plain data."""

    method: str
    """``split`` or ``cv+``."""
    rows: int
    """The number of rows on which errors were computed."""
    models: list[ModelErrors]
    """The errors of each model."""
    spreads: NotRequired[list[dict[str, Any]]]
    """The expected error by row of each model (``Spread.facts``), by which errors were divided; absent = they were not divided."""
    scale: NotRequired[float]
    """The scale of the mean of several members; 1 = none."""


def kept_errors(
    task: Task, target_NT: np.ndarray, scores_NC: np.ndarray, member_N: np.ndarray, folds: int, spread_N: np.ndarray | None = None
) -> KeptErrors:
    """Return the errors from which a bundle computes prediction sets, as plain data.

    :param task: the task
    :param target_NT: the targets (N, T)
    :param scores_NC: the prediction of each row by a model that was not trained on it, without the scale of the averaged prediction
    :param member_N: the number of that model among the ``folds`` models
    :param folds: the number of models with errors of their own; 1 = a single model, or the mean of all models
    :param spread_N: the expected error of each row, by which errors are divided; None = they are not divided
    :returns: ``method`` ("split" or "cv+"), ``rows``, and for each model its ``rows`` and ascending ``errors``
    """
    known = ~np.isnan(target_NT).any(1) & ~np.isnan(scores_NC).any(1)
    errors_N = task.errors(target_NT[known], scores_NC[known]).astype(np.float64)
    if spread_N is not None:
        errors_N = errors_N / spread_N[known]
    models = [_thinned(np.sort(errors_N[member_N[known] == at] if folds > 1 else errors_N)) for at in range(folds)]
    return {"method": "cv+" if folds > 1 else "split", "rows": len(errors_N), "models": models}


def _thinned(errors: np.ndarray) -> ModelErrors:
    """Return the number of ascending errors, and at most ``KEPT`` of them, evenly spaced."""
    count = len(errors)
    if count > KEPT:
        errors = errors[_ranks(count) - 1]
    return {"rows": count, "errors": [round(float(error), 9) for error in errors]}


def _ranks(count: int) -> np.ndarray:
    """Return the ranks (from 1) of the errors that are kept out of ``count``. The largest error is always kept."""
    return np.arange(1, count + 1) if count <= KEPT else np.ceil(np.arange(1, KEPT + 1) * count / KEPT).astype(np.int64)


@dataclass(frozen=True)
class Errors:
    """The errors of the models of one task in a bundle.

    :param rows: the number of rows on which errors were computed
    :param errors: the errors of each model in ascending order
    :param ranks: the ranks of these errors
    :param is_pooled: whether the errors are those of the mean of all models
    """

    rows: int
    errors: Sequence[np.ndarray]
    ranks: Sequence[np.ndarray]
    is_pooled: bool
    spreads: Sequence[Spread] = ()
    """The expected error by row of each model of the bundle, by which errors were divided; () = they were not divided."""

    @classmethod
    def of(cls, kept: Any, members: int, place: str) -> Errors:
        """Return the errors in a bundle.

        :param kept: the plain data of the bundle, see ``kept_errors``
        :param members: the number of models of the bundle
        :param place: the target, for messages
        :raises ConfigError: there are fewer than 19 errors, or they are invalid
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
            raise ConfigError(f"{place}: {count:,} validation rows for a coverage; expected {FEWEST} or more; train on more rows")
        return cls(sum(rows), errors, [_ranks(count) for count in rows], len(errors) < members or members == 1, spreads)

    def rank(self, coverage: float) -> int:
        """Return the rank of the error that is the limit of the set.

        :raises ConfigError: ``coverage`` is not between 0 and 1
        """
        if not 0 < coverage < 1:
            raise ConfigError(f"coverage {coverage:g}: expected a fraction between 0 and 1, such as 0.9")
        return math.ceil((self.rows + 1) * coverage - 1e-9)

    def classes(self, scores: Sequence[np.ndarray], coverage: float) -> np.ndarray:
        """Return which classes are in the set of each row, bool (N, C).

        :param scores: the probabilities (N, C) of each model
        :param coverage: the probability that a set contains the true class
        """
        below_NC = np.zeros(scores[0].shape, np.int64)
        for scores_NC, errors, ranks in zip(scores, self.errors, self.ranks, strict=True):
            at_NC = np.searchsorted(errors, 1 - scores_NC.astype(np.float64) - _ROUNDING, side="left")
            below_NC += np.concatenate([[0], ranks])[at_NC]
        return below_NC < self.rank(coverage)

    def spread(self, answers: Sequence[Answer], task: str, place: str) -> np.ndarray:
        """Return the expected error of each row (N,), by which errors are divided.

        :param answers: the outputs of the models of the bundle
        :param task: the name of the task
        :param place: the target, for messages
        :raises ConfigError: the expected errors in the bundle are not those of its models
        """
        try:
            return pooled(self.spreads, answers, task)
        except ValueError:
            raise ConfigError(f"{place}: the expected errors are of another model; expected those of this bundle; train it again") from None

    def interval(self, answers: Sequence[np.ndarray], coverage: float, spread_N: np.ndarray | None = None) -> np.ndarray:
        """Return the bounds of the interval of each row (N, 2); infinite if there are too few errors.

        :param answers: the predictions (N, 1) of each model
        :param coverage: the probability that an interval contains the true number
        :param spread_N: the expected error of each row, see ``spread``; None = errors were not divided
        """
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
    """Return the ``rank``-th smallest value of each row, where each value counts ``count_E`` times."""
    order = np.argsort(values_NE, axis=1, kind="stable")
    at = (np.cumsum(count_E[order], 1) >= rank).argmax(1)
    return np.take_along_axis(values_NE, order[np.arange(len(order)), at][:, None], 1)[:, 0]


def sets(
    task: Task, errors: Errors, scores_NC: np.ndarray, own: Sequence[np.ndarray], coverage: float, empty: bool = True,
    spread_N: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Return prediction sets: lists of classes (N,), the most probable first, or the bounds of intervals (N, 2)
    within ``task.limits``.

    :param task: the task
    :param errors: the errors of the models
    :param scores_NC: the averaged prediction, by which classes are ordered
    :param own: the predictions to which the errors belong, without the scale of the averaged prediction: the averaged one, or those of each
        model (N, C)
    :param coverage: the probability that a set contains the truth
    :param empty: whether a list may be empty; if not, every list contains the most probable class
    :param spread_N: the expected error of each row (``Errors.spread``); None = errors were not divided
    """
    if not task.has_classes:
        ends: np.ndarray = np.clip(errors.interval(own, coverage, spread_N), *task.limits)
        return ends
    return task.sets(scores_NC, errors.classes(own, coverage), empty)


def scale_of(metrics: Mapping[str, Any], name: str) -> float:
    """Return the factor of the averaged logits of a task from the metrics of a bundle; 1 if there is none."""
    scale = metrics.get("conformal", {}).get(name, {}).get("scale", 1.0)
    return float(scale) if isinstance(scale, (int, float)) and 0 < scale < math.inf else 1.0
