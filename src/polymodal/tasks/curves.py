"""The data of a report's plots of predictions: confusion matrix, ROC, precision-recall and calibration curves, and scatter. All of them are
plain data of bounded size.

Shapes: ``N`` rows with a target, ``C`` classes; targets of classes are indices, -1 is a class not seen in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .metrics import average_precision, roc_auc

MOST_CLASSES, _PAIRS, _POINTS, _BINS, _CURVES = 12, 12, 60, 10, 6
"""The maximum numbers of classes of a confusion matrix, pairs of confused classes, points of a curve, bins of confidence, and classes with
curves."""

Curves = dict[str, Any]


def classification(names: Sequence[Any], truth_N: np.ndarray, scores_NC: np.ndarray) -> Curves:
    """Return ``confusion``, ``calibration`` and ``curves`` of a target of C classes, named ``names``."""
    truth_N = truth_N.astype(np.int64)
    answer_N = scores_NC.argmax(1)
    seen_N = truth_N >= 0
    counts = np.bincount(truth_N[seen_N], minlength=len(names))
    data: Curves = {"confusion": confusion([str(name) for name in names], truth_N[seen_N], answer_N[seen_N])}
    data["calibration"] = calibration(*confidence(truth_N, scores_NC))
    plotted = [1] if len(names) == 2 else sorted(np.argsort(-counts, kind="stable")[:_CURVES].tolist())
    data["curves"] = [
        curve
        for at in plotted
        if (curve := curve_of(str(names[at]), (truth_N[seen_N] == at).astype(float), scores_NC[seen_N, at])) is not None
    ]
    return data


def confusion(names: Sequence[str], truth_N: np.ndarray, answer_N: np.ndarray) -> Curves:
    """Return the confusion matrix of C classes, of which at most ``MOST_CLASSES`` are shown: those with the most errors.

    :param truth_N: the true class of each row
    :param answer_N: the predicted class of each row
    :returns: ``classes``, the names of the shown classes in the order of ``names``; ``counts``, their rows by true and predicted class;
        ``of``, the number of all classes. If classes are left out, they are summed in a last row and a last column of ``counts``, and
        ``pairs`` has the most frequent confusions: the true and the predicted class, the number of rows, and the rows of the true class
    """
    many = len(names)
    cell_P, count_P = np.unique(truth_N * many + answer_N, return_counts=True)  # only the pairs that occur: there may be many classes
    true_P, given_P = cell_P // many, cell_P % many
    kept = _most_confused(true_P, given_P, count_P, many)
    place_C = np.full(many, len(kept))
    place_C[kept] = np.arange(len(kept))
    size = min(len(kept) + 1, many)
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, (place_C[true_P], place_C[given_P]), count_P)
    found: Curves = {"classes": [names[at] for at in kept], "counts": counts.tolist(), "of": many}
    if len(kept) < many:
        of_C = np.bincount(truth_N, minlength=many)
        wrong = np.flatnonzero(true_P != given_P)
        most = wrong[np.argsort(-count_P[wrong], kind="stable")[:_PAIRS]]
        found["pairs"] = [[names[true_P[at]], names[given_P[at]], int(count_P[at]), int(of_C[true_P[at]])] for at in most]
    return found


def _most_confused(true_P: np.ndarray, given_P: np.ndarray, count_P: np.ndarray, many: int) -> np.ndarray:
    """Return the classes with the most errors, of which they are the true or the predicted class, in ascending order; of equal ones, the
    more frequent.

    :param true_P: the true class of each pair of a true and a predicted class; likewise the predicted one, and the number of rows
    :param many: the number of classes, of which at most ``MOST_CLASSES`` are returned
    """
    count_P = count_P.astype(np.float64)
    wrong_P = np.where(true_P != given_P, count_P, 0.0)
    errors_C = np.bincount(true_P, wrong_P, many) + np.bincount(given_P, wrong_P, many)
    return np.sort(np.lexsort((-np.bincount(true_P, count_P, many), -errors_C))[:MOST_CLASSES])


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
