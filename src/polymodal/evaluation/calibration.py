"""Calibration of predicted probabilities before and after scaling, measured on rows that the scale was not fitted on.

The sum of a rule's vote weights is an inverse temperature (``tasks/voting.py``; Guo et al. 2017, arXiv:1706.04599). *Before* scaling, the
predictions have the same weights, divided such that their sum is that of unfitted weights: the shares of the voters are the same, and so is
nearly every predicted class; only the scale differs.

The members of several folds are averaged first and calibrated afterwards (Rahaman and Thiery 2021, arXiv:2007.08792): the mean of
calibrated members is underconfident wherever they differ. Their mean is multiplied by one number, which is fitted on rows that no member
was trained on (``pooled_scale``).

Shapes: ``N`` rows, ``T`` numbers of a target, ``C`` outputs of a task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..random_streams import Stream, generator
from ..tasks import Task
from ..tasks.curves import calibration
from ..tasks.metrics import Metrics, ece_by_chance
from ..tasks.voting import FEWEST, scale_of_logits
from .measure import mean_of_known, pool, score

_PARTS = 5


@dataclass(frozen=True)
class Calibration:
    """The calibration of a task before and after scaling.

    :param facts: ``rows``, the ``scale``, ``ece`` and ``log_loss`` ``before`` and ``after``, and the mean (``chance``) and the standard
        deviation (``spread``) of the ECE of a perfectly calibrated model on as many rows
    :param curves: the calibration curves ``before`` and ``after``
    """

    facts: dict[str, Any]
    curves: dict[str, list[list[float]]]


def calibrate(task: Task, target_NT: np.ndarray, before_NC: np.ndarray, after_NC: np.ndarray, scale: float) -> Calibration | None:
    """Compare predictions without and with a scale, on rows that the scale was not fitted on.

    :param task: the task
    :param target_NT: the targets (N, T)
    :param before_NC: probabilities (N, C) without a scale
    :param after_NC: probabilities (N, C) with a scale that was fitted on other rows
    :param scale: the scale of the final model, fitted on all of these rows
    :returns: None for regression, or if fewer than 64 rows have a target
    """
    known_N = ~np.isnan(target_NT).any(1)
    if not task.has_classes or known_N.sum() < 4 * FEWEST:
        return None
    target_NT, before_NC, after_NC = target_NT[known_N], before_NC[known_N], after_NC[known_N]
    after = task.confidence(target_NT, after_NC)
    facts: dict[str, Any] = {"rows": len(target_NT), "scale": scale}
    for name, scores_NC in (("before", before_NC), ("after", after_NC)):
        metrics, _ = task.measure(target_NT, scores_NC)
        facts[name] = {metric: metrics.get(metric) for metric in ("ece", "log_loss")}
    facts["chance"], facts["spread"] = ece_by_chance(after[1])
    return Calibration(facts, {"before": calibration(*task.confidence(target_NT, before_NC)), "after": calibration(*after)})


@dataclass(frozen=True)
class PooledScale:
    """The mean of several members on rows that none of them was trained on.

    :param scale: the factor of the mean of their logits; 1 = not fitted
    :param rows: the number of rows with a target, on which the scale is fitted
    :param metrics: the metrics of the mean; each fifth of the rows is scaled by a number that was fitted on the others
    :param single: the metrics of single members on these rows, averaged over the members
    :param calibration: the calibration of the mean without and with a scale; None if there are too few rows
    """

    scale: float
    rows: int
    metrics: Metrics
    single: Metrics
    calibration: Calibration | None = None

    def facts(self) -> dict[str, Any]:
        """Return the fields as plain data for ``metrics.json``."""
        facts = None if self.calibration is None else self.calibration.facts
        return {"rows": self.rows, "scale": self.scale, "metrics": self.metrics, "single": self.single, "calibration": facts}


def pooled_scale(task: Task, members: Sequence[np.ndarray], target_NT: np.ndarray, seed: int | None) -> PooledScale:
    """Measure the mean of several members, and fit its scale.

    :param task: the task
    :param members: the logits (N, C) of each member on rows that none of them was trained on
    :param target_NT: the targets (N, T)
    :param seed: the seed by which rows are divided into parts; None = no scale is fitted
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
    calibrated = None if seed is None else calibrate(task, target_NT, score(task, [before_NC]), scores_NC, scale)
    return PooledScale(scale, len(rows), metrics, single, calibrated)


def crossing(rows: int, seed: int, parts: int = _PARTS) -> np.ndarray:
    """Divide rows at random into parts for cross-fitting, and return the part of each row (N,).

    :param rows: N, the number of rows
    :param seed: the random seed
    :param parts: the number of parts
    """
    part_N = np.arange(rows) % min(parts, max(rows, 1))
    return generator(Stream.CALIBRATION_PARTS, seed).permutation(part_N)


def scale_of(weights: Sequence[float], start: Sequence[float]) -> float:
    """Return the sum of fitted vote weights divided by that of unfitted ones; 1 if the sum is 0."""
    return float(np.sum(weights) / np.sum(start)) or 1.0
