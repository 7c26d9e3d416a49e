"""Whether answers are right as often as they say, before and after they were scaled, on rows that the scale was not fitted on.

The sum of a rule's vote weights is a temperature (``tasks/voting.py``; Guo et al. 2017, arXiv:1706.04599). *Before* are answers of the
same weights, divided so that they sum to what they sum to unfitted: the shares of the voters are the same, and so is nearly every answer;
only the scale differs.

The members of several folds are pooled first and calibrated then (Rahaman and Thiery 2021, arXiv:2007.08792): the mean of calibrated
members is less certain than it is right wherever they differ. One number scales their mean, fitted on rows that no member was trained on
(``pooled_scale``).

Shapes: ``N`` rows, ``T`` numbers of a target, ``C`` outputs of a task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..tasks import Task
from ..tasks.curves import calibration
from ..tasks.metrics import Metrics, ece_by_chance
from ..tasks.voting import FEWEST, scale_of_logits
from .measure import mean_of_known, pool, score

_PARTS = 5


@dataclass(frozen=True)
class Calibration:
    """``facts``: ``rows``, the ``scale``, ``ece`` and ``log_loss`` ``before`` and ``after``, and what ECE perfect calibration would show by
    ``chance``, with its ``spread``. ``curves``: ``before`` and ``after``, to plot."""

    facts: dict[str, Any]
    curves: dict[str, list[list[float]]]


def calibrate(task: Task, target_NT: np.ndarray, before_NC: np.ndarray, after_NC: np.ndarray, scale: float) -> Calibration | None:
    """Compare answers without a scale and with one, on rows that the scale was not fitted on.

    :param before_NC: probabilities (N, C) without a scale; ``after_NC`` with it
    :param scale: the one that ships, fitted on all of these rows
    :returns: None where the answer is a number, or the rows with a target are too few (under 64)
    """
    known_N = ~np.isnan(target_NT).any(1)
    if not task.has_classes or known_N.sum() < 4 * FEWEST:
        return None
    target_NT, before_NC, after_NC = target_NT[known_N], before_NC[known_N], after_NC[known_N]
    sure = task.confidence(target_NT, after_NC)
    facts: dict[str, Any] = {"rows": len(target_NT), "scale": scale}
    for name, scores_NC in (("before", before_NC), ("after", after_NC)):
        found, _ = task.measure(target_NT, scores_NC)
        facts[name] = {metric: found.get(metric) for metric in ("ece", "log_loss")}
    facts["chance"], facts["spread"] = ece_by_chance(sure[1])
    return Calibration(facts, {"before": calibration(*task.confidence(target_NT, before_NC)), "after": calibration(*sure)})


@dataclass(frozen=True)
class PooledScale:
    """The mean of several members on rows that none of them was trained on.

    :param scale: what the mean of their logits is multiplied by; 1 where nothing is fitted
    :param rows: those with a target, on which it is fitted
    :param metrics: of the answers, scaled by numbers that were fitted on the other fifths of the rows
    :param single: the mean over the members of each one's own metrics on these rows: how much better the mean of all members is than one
    :param calibration: of these answers, and of those without a scale; None where the rows are too few
    """

    scale: float
    rows: int
    metrics: Metrics
    single: Metrics
    calibration: Calibration | None = None

    def facts(self) -> dict[str, Any]:
        """Return the fields as plain data for ``metrics.json``."""
        found = None if self.calibration is None else self.calibration.facts
        return {"rows": self.rows, "scale": self.scale, "metrics": self.metrics, "single": self.single, "calibration": found}


def pooled_scale(task: Task, members: Sequence[np.ndarray], target_NT: np.ndarray, seed: int | None) -> PooledScale:
    """Measure the mean of several members, and fit its scale.

    :param members: each member's logits (N, C) on rows that none of them was trained on
    :param seed: of the parts of the rows; None = the answer has no scale
    """
    rows = np.flatnonzero(task.known(target_NT))
    members, target_NT = [logits_NC[rows] for logits_NC in members], target_NT[rows]
    logits_NC = pool(members)
    before_NC, after_NC, scale = logits_NC, logits_NC, 1.0
    if seed is not None and len(rows) >= FEWEST:
        part_N, after_NC = crossing(len(rows), seed), np.empty_like(logits_NC)
        for part in np.unique(part_N):
            inside = part_N == part
            after_NC[inside] = logits_NC[inside] * scale_of_logits(task, logits_NC[~inside], target_NT[~inside])
        scale = scale_of_logits(task, logits_NC, target_NT)
    scores_NC = score(task, [after_NC])
    metrics, *each = (
        task.measure(target_NT, one)[0] if len(rows) else dict.fromkeys(task.metric_names)
        for one in (scores_NC, *(score(task, [logits_NC]) for logits_NC in members))
    )
    single = {name: mean_of_known([one[name] for one in each]) for name in metrics}
    found = None if seed is None else calibrate(task, target_NT, score(task, [before_NC]), scores_NC, scale)
    return PooledScale(scale, len(rows), metrics, single, found)


def crossing(rows: int, seed: int, parts: int = _PARTS) -> np.ndarray:
    """The part of each of some rows (N,), where what is fitted on the rows of the other parts is measured on its own."""
    part_N = np.arange(rows) % min(parts, max(rows, 1))
    return np.random.default_rng([seed, 23]).permutation(part_N)


def scale_of(weights: Sequence[float], start: Sequence[float]) -> float:
    """The sum of fitted weights, as a multiple of what they sum to before any are fitted; 1 for a sum of 0."""
    return float(np.sum(weights) / np.sum(start)) or 1.0
