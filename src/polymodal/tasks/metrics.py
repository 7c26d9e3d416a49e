"""Metrics of classes, labels and numbers, in numpy. Functions that return all metrics of a task return None for a metric that is undefined
on the rows, and the reasons as a second value.

Shapes: ``N`` rows with a target, ``C`` classes. Targets of classes are indices; -1 is a class not seen in training. Such a row counts as
predicted incorrectly, and is excluded from metrics of probabilities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..language import Sentence
from ..random_streams import Stream, generator

Metrics = dict[str, float | None]


@dataclass(frozen=True)
class Metric:
    """The properties of a metric that are needed to compare and to print its values.

    :param name: the name in results and settings
    :param larger_is_better: whether larger values are better
    :param low: the smallest possible value
    :param high: the largest possible value
    :param in_unit: whether values are in the unit of the target, as an absolute error is
    :param is_percentage: whether values are shares that are printed in percent
    :param rewards_learning: whether the metric is better for a model that has learned than for a constant prediction; a calibration error
        is not
    """

    name: str
    larger_is_better: bool = True
    low: float = 0.0
    high: float = 1.0
    in_unit: bool = False
    is_percentage: bool = False
    rewards_learning: bool = True


CLASS_METRICS = (
    Metric("accuracy", is_percentage=True),
    Metric("balanced_accuracy", is_percentage=True),
    Metric("macro_f1"),
    Metric("roc_auc"),
    Metric("average_precision"),
    Metric("log_loss", larger_is_better=False, high=math.inf),
    Metric("ece", larger_is_better=False, rewards_learning=False),
)
"""The metrics of classes and of labels."""
NUMBER_METRICS = (
    Metric("mae", larger_is_better=False, high=math.inf, in_unit=True),
    Metric("rmse", larger_is_better=False, high=math.inf, in_unit=True),
    Metric("r2", low=-math.inf),
)
"""The metrics of a number."""

CONSTANT = 1e-12
"""Numbers count as constant if their standard deviation is at most this share of the largest magnitude among them."""


def accuracy(truth_N: np.ndarray, answer_N: np.ndarray) -> float:
    """Return the share of rows whose prediction is correct."""
    return float((truth_N == answer_N).mean())


def balanced_accuracy(truth_N: np.ndarray, answer_N: np.ndarray) -> float:
    """Return the mean of the recalls of the classes that occur in ``truth_N``."""
    return float(np.mean([(answer_N[truth_N == label] == label).mean() for label in np.unique(truth_N)]))


def macro_f1(truth_N: np.ndarray, answer_N: np.ndarray) -> float:
    """Return the mean of the F1 scores of the classes that occur in the truth or in the predictions."""
    scores = []
    for label in np.union1d(truth_N, answer_N):
        hits = int(((truth_N == label) & (answer_N == label)).sum())
        scores.append(2 * hits / (int((truth_N == label).sum()) + int((answer_N == label).sum())))
    return float(np.mean(scores))


def roc_auc(truth_N: np.ndarray, score_N: np.ndarray) -> float | None:
    """Return the area under the ROC curve, in which ties count half; None unless both classes occur."""
    positives = int(truth_N.sum())
    negatives = len(truth_N) - positives
    if not positives or not negatives:
        return None
    _, group_N, count = np.unique(score_N, return_inverse=True, return_counts=True)
    rank_N = (np.cumsum(count) - (count - 1) / 2)[group_N]
    return float((rank_N[truth_N > 0].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(truth_N: np.ndarray, score_N: np.ndarray) -> float | None:
    """Return the sum over distinct thresholds of the precision times the increase in recall; None if no row is positive."""
    if not truth_N.sum():
        return None
    order = np.argsort(-score_N, kind="stable")
    hits = np.cumsum(truth_N[order])
    last = np.append(np.diff(score_N[order]) != 0, True)
    precision = hits[last] / (np.flatnonzero(last) + 1)
    recall = hits[last] / hits[-1]
    return float((precision * np.diff(recall, prepend=0.0)).sum())


def log_loss(truth_N: np.ndarray, scores_NC: np.ndarray) -> float:
    """Return the mean negative logarithm of the predicted probability of the true class, clipped at 1e-7."""
    picked = scores_NC[np.arange(len(truth_N)), truth_N.astype(np.int64)].astype(np.float64)
    return float(-np.log(np.clip(picked, 1e-7, 1.0)).mean())


def ece(right_N: np.ndarray, confidence_N: np.ndarray, bins: int = 15) -> float:
    """Return the expected calibration error over bins of equal width (Guo et al. 2017, arXiv:1706.04599)."""
    bin_N = np.clip((confidence_N * bins).astype(int), 0, bins - 1)
    total = 0.0
    for at in np.unique(bin_N):
        inside = bin_N == at
        total += inside.mean() * abs(right_N[inside].mean() - confidence_N[inside].mean())
    return float(total)


def ece_by_chance(confidence_N: np.ndarray, bins: int = 15) -> tuple[float, float]:
    """Return the mean and the standard deviation of the ECE of perfectly calibrated predictions with these confidences, by simulation.

    The ECE is a sum of absolute values, so chance alone makes it positive: the ECE of few rows is too large by about this mean.
    """
    rows = len(confidence_N)
    if not rows:
        return 0.0, 0.0
    rng = generator(Stream.CHANCE, 0)
    bin_N = np.clip((confidence_N * bins).astype(int), 0, bins - 1)
    samples = []
    for _ in range(max(10, min(200, 4_000_000 // rows))):
        off_N = (rng.random(rows) < confidence_N) - confidence_N
        samples.append(np.abs(np.bincount(bin_N, off_N)).sum() / rows)
    return float(np.mean(samples)), float(np.std(samples, ddof=1))


def classification(truth_N: np.ndarray, scores_NC: np.ndarray) -> tuple[Metrics, dict[str, str]]:
    """Return all metrics of a target of C classes, and the reasons why some are None. Areas are means over the classes that occur."""
    values: Metrics = {}
    reasons: dict[str, str] = {}
    truth_N = truth_N.astype(np.int64)
    answer_N = scores_NC.argmax(1)
    values["accuracy"] = accuracy(truth_N, answer_N)
    values["balanced_accuracy"] = balanced_accuracy(truth_N, answer_N)
    values["macro_f1"] = macro_f1(truth_N, answer_N)
    seen = truth_N >= 0
    truth_N, scores_NC, answer_N = truth_N[seen], scores_NC[seen], answer_N[seen]
    labels = [1] if scores_NC.shape[1] == 2 else range(scores_NC.shape[1])
    for name, metric in (("roc_auc", roc_auc), ("average_precision", average_precision)):
        each = [metric((truth_N == label).astype(float), scores_NC[:, label]) for label in labels]
        known = [value for value in each if value is not None]
        values[name] = float(np.mean(known)) if known and len(np.unique(truth_N)) > 1 else None
        if values[name] is None:
            reasons[name] = Sentence("undefined.two_classes")
    if len(truth_N):
        values["log_loss"] = log_loss(truth_N, scores_NC)
        values["ece"] = ece(answer_N == truth_N, scores_NC.max(1))
    else:
        values["log_loss"] = values["ece"] = None
        reasons["log_loss"] = reasons["ece"] = Sentence("undefined.no_known_class")
    return values, reasons


def multilabel(truth_NC: np.ndarray, scores_NC: np.ndarray) -> tuple[Metrics, dict[str, str]]:
    """Return all metrics of a target of C labels, and the reasons why some are None.

    ``accuracy`` is the share of rows whose labels are all correct; ``log_loss`` and ``ece`` are computed over all row-label pairs. The
    others are macro averages over the labels for which they are defined, as scikit-learn computes them with these ``labels=``:
    ``macro_f1`` over the labels that some row has in the truth or in the predictions; ``balanced_accuracy`` and ``average_precision`` over
    those that some row has in the truth; ``roc_auc`` over those of them that some row does not have. If labels that never occur were
    included, they would count as predicted perfectly, and many rare labels would hide the quality of the others.
    """
    answer_NC = (scores_NC >= 0.5).astype(float)
    has_C, answered_C = (truth_NC > 0).any(0), (answer_NC > 0).any(0)
    reasons: dict[str, str] = {}
    values: Metrics = {"accuracy": float((truth_NC == answer_NC).all(1).mean())}
    for name, metric, other_NC, labels_C, reason in (
        ("balanced_accuracy", balanced_accuracy, answer_NC, has_C, Sentence("undefined.some_label")),
        ("macro_f1", _f1, answer_NC, has_C | answered_C, Sentence("undefined.label_anywhere")),
        ("roc_auc", roc_auc, scores_NC, has_C & ~(truth_NC > 0).all(0), Sentence("undefined.label_both")),
        ("average_precision", average_precision, scores_NC, has_C, Sentence("undefined.some_label")),
    ):
        each = [metric(truth_NC[:, at], other_NC[:, at]) for at in np.flatnonzero(labels_C)]
        known = [value for value in each if value is not None]
        values[name] = float(np.mean(known)) if known else None
        if not known:
            reasons[name] = reason
    flat_truth, flat_score = truth_NC.ravel().astype(int), scores_NC.ravel()
    values["log_loss"] = log_loss(flat_truth, np.stack([1 - flat_score, flat_score], 1))
    confidence = np.maximum(flat_score, 1 - flat_score)
    values["ece"] = ece((flat_score >= 0.5) == flat_truth, confidence)
    return values, reasons


def _f1(truth_N: np.ndarray, answer_N: np.ndarray) -> float:
    """Return the F1 score of a label that some row has in the truth or in the predictions."""
    return 2 * float((truth_N * answer_N).sum()) / float(truth_N.sum() + answer_N.sum())


def variance(values_N: np.ndarray) -> float:
    """Return the variance of numbers; 0 for constant ones (``CONSTANT``), whose computed variance may exceed 0 by rounding."""
    if not len(values_N):
        return 0.0
    spread = float(((values_N - values_N.mean()) ** 2).mean())
    return spread if spread**0.5 > CONSTANT * float(np.abs(values_N).max()) else 0.0


def regression(truth_N: np.ndarray, answer_N: np.ndarray) -> tuple[Metrics, dict[str, str]]:
    """Return ``mae`` and ``rmse`` in the target's unit, and ``r2``, which is None if the targets are constant (``variance``)."""
    error_N = answer_N - truth_N
    values: Metrics = {"mae": float(np.abs(error_N).mean()), "rmse": float(np.sqrt((error_N**2).mean())), "r2": None}
    spread = variance(truth_N)
    if not spread:
        return values, {"r2": Sentence("undefined.differ")}
    values["r2"] = 1 - float((error_N**2).mean()) / spread
    return values, {}
