"""The data of a report's plots of predictions: confusion matrix, ROC, precision-recall and calibration curves, and scatter. All of them are
plain data of bounded size.

Shapes: ``N`` rows with a target, ``C`` classes; targets of classes are indices, -1 is a class not seen in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .metrics import average_precision, roc_auc

MOST_CLASSES, _POINTS, _BINS, _CURVES = 20, 60, 10, 6
"""The maximum numbers of classes of a confusion matrix, points of a curve, bins of confidence, and classes with curves."""

Curves = dict[str, Any]


def classification(names: Sequence[Any], truth_N: np.ndarray, scores_NC: np.ndarray) -> Curves:
    """Return ``confusion``, ``calibration`` and ``curves`` of a target of C classes, named ``names``."""
    truth_N = truth_N.astype(np.int64)
    answer_N = scores_NC.argmax(1)
    seen_N = truth_N >= 0
    counts = np.bincount(truth_N[seen_N], minlength=len(names))
    kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_CLASSES])
    confusion = [[int(((truth_N == row) & (answer_N == column)).sum()) for column in kept] for row in kept]
    data: Curves = {"confusion": {"classes": [str(names[at]) for at in kept], "counts": confusion, "of": len(names)}}
    data["calibration"] = calibration(*confidence(truth_N, scores_NC))
    plotted = [1] if len(names) == 2 else sorted(np.argsort(-counts, kind="stable")[:_CURVES].tolist())
    data["curves"] = [
        curve
        for at in plotted
        if (curve := curve_of(str(names[at]), (truth_N[seen_N] == at).astype(float), scores_NC[seen_N, at])) is not None
    ]
    return data


def confidence(truth_N: np.ndarray, scores_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each prediction is correct, and its probability, of the rows whose class was seen in training."""
    seen_N = truth_N >= 0
    return scores_NC[seen_N].argmax(1) == truth_N[seen_N], scores_NC[seen_N].max(1)


def label_confidence(truth_NC: np.ndarray, scores_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each label of each row is predicted correctly, and the probability of that prediction, of all row-label pairs."""
    truth, score = truth_NC.ravel() > 0.5, scores_NC.ravel()
    return (score >= 0.5) == truth, np.maximum(score, 1 - score)


def doubt(truth_N: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
    """Return 1 - the probability of the true class, (N,); 1 for a class not seen in training."""
    truth_N = truth_N.astype(np.int64)
    given_N = scores_NC[np.arange(len(truth_N)), truth_N.clip(min=0)]
    return np.where(truth_N >= 0, 1 - given_N, 1.0)


def multilabel(names: Sequence[Any], truth_NC: np.ndarray, scores_NC: np.ndarray) -> Curves:
    """Return ``calibration`` over all row-label pairs of a target of C labels, and ``curves`` of the most frequent labels."""
    data: Curves = {"calibration": calibration(*label_confidence(truth_NC, scores_NC))}
    plotted = sorted(np.argsort(-truth_NC.sum(0), kind="stable")[:_CURVES].tolist())
    data["curves"] = [curve for at in plotted if (curve := curve_of(str(names[at]), truth_NC[:, at], scores_NC[:, at])) is not None]
    return data


def regression(truth_N: np.ndarray, answer_N: np.ndarray) -> Curves:
    """Return ``scatter``: the true and the predicted number of at most 400 rows, spaced evenly in the order of the true numbers."""
    order = np.argsort(truth_N, kind="stable")
    some = order[np.unique(np.linspace(0, len(order) - 1, min(len(order), 400)).astype(np.int64))] if len(order) else order
    return {"scatter": [[float(truth_N[at]), float(answer_N[at])] for at in some]}


def calibration(right_N: np.ndarray, confidence_N: np.ndarray) -> list[list[float]]:
    """Return the mean confidence, the share of correct predictions and the number of rows of each bin of confidence that has rows
    (Guo et al. 2017, arXiv:1706.04599)."""
    bin_N = np.clip((confidence_N * _BINS).astype(int), 0, _BINS - 1)
    return [
        [float(confidence_N[bin_N == at].mean()), float(right_N[bin_N == at].mean()), int((bin_N == at).sum())] for at in np.unique(bin_N)
    ]


def curve_of(name: str, truth_N: np.ndarray, score_N: np.ndarray) -> Curves | None:
    """Return the ROC and precision-recall curves of one class against the rest; None unless some rows have it and some have not."""
    positives = float(truth_N.sum())
    if not 0 < positives < len(truth_N):
        return None
    order = np.argsort(-score_N, kind="stable")
    hits, misses = np.cumsum(truth_N[order]), np.cumsum(1 - truth_N[order])
    last = np.flatnonzero(np.append(np.diff(score_N[order]) != 0, True))
    last = last[np.unique(np.linspace(0, len(last) - 1, min(len(last), _POINTS)).astype(np.int64))]
    roc = [[0.0, 0.0], *([float(misses[at] / misses[-1]), float(hits[at] / positives)] for at in last)]
    precision = [[float(hits[at] / positives), float(hits[at] / (at + 1))] for at in last]
    return {"class": name, "roc": roc, "precision_recall": precision, "roc_auc": roc_auc(truth_N, score_N),
            "average_precision": average_precision(truth_N, score_N)}  # fmt: skip
