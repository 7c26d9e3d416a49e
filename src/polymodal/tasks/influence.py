"""The influence of each row on a metric: the influence function of every metric, evaluated at the measured rows.

The influence of row i is N times the derivative of the metric with respect to the weight of that row (the infinitesimal jackknife: Jaeckel
1972; Efron 1982, chapter 6). Influences have mean 0, and their variance divided by N is the variance of the metric over samples of rows.
For a mean over rows it is the row's value minus the mean; for the area under the ROC curve it is the placement value of DeLong, DeLong and
Clarke-Pearson (1988). Sums over clusters of rows give the variance for clustered rows (for the area: Obuchowski 1997).

Shapes: ``N`` rows with a target, ``C`` classes or labels. Targets of classes are indices; -1 is a class not seen in training.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_BINS = 15
_MOST_GROUPS = 500


def jackknife(value: Callable[[np.ndarray], float | None], rows: int) -> np.ndarray:
    """Estimate the influence of each row on any metric by the jackknife (Efron 1982): the metric without the row, compared with the metric.

    Of more than 500 rows, groups of consecutive rows are left out together, and the rows of a group have the same influence.

    :param value: the metric on some rows, given their positions; None where it is undefined
    :param rows: the number N of rows
    :returns: float64 (N,), of mean 0; 0 for rows without which the metric is undefined
    """
    whole = value(np.arange(rows))
    group_N = np.arange(rows) * min(rows, _MOST_GROUPS) // max(rows, 1)
    influence_N = np.zeros(rows)
    for group in np.unique(group_N) if rows > 1 and whole is not None else ():
        inside_N = group_N == group
        without = value(np.flatnonzero(~inside_N)) if not inside_N.all() else None
        if without is not None and whole is not None:
            influence_N[inside_N] = (whole - without) * (rows - inside_N.sum()) / inside_N.sum()
    return centred(influence_N) if rows else influence_N


def classification(metric: str, truth_N: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
    """Return the influence of each row on a metric of C classes, float64 (N,). The metric must be defined on these rows."""
    truth_N = truth_N.astype(np.int64)
    answer_N = scores_NC.argmax(1)
    right_N = (truth_N == answer_N).astype(np.float64)
    if metric == "accuracy":
        return centred(right_N)
    if metric == "balanced_accuracy":
        return _balanced(truth_N, right_N)
    if metric == "macro_f1":
        labels, place = np.unique(np.concatenate([truth_N, answer_N]), return_inverse=True)
        return _f1(place[: len(truth_N)], place[len(truth_N) :], len(labels))
    seen_N = truth_N >= 0
    influence_N = np.zeros(len(truth_N))
    truth, scores = truth_N[seen_N], scores_NC[seen_N].astype(np.float64)
    if metric == "log_loss":
        inside = centred(-np.log(np.clip(scores[np.arange(len(truth)), truth], 1e-7, 1.0)))
    elif metric == "ece":
        inside = ece(right_N[seen_N], scores.max(1), np.arange(len(truth)), len(truth))
    else:
        labels = np.array([1]) if scores.shape[1] == 2 else np.unique(truth)
        each = [_area(metric, truth == label, scores[:, label]) for label in labels]
        inside = np.mean([one for one in each if one is not None], axis=0)
    influence_N[seen_N] = inside * (len(truth_N) / max(len(truth), 1))
    return influence_N


def multilabel(metric: str, truth_NC: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
    """Return the influence of each row on a metric of C labels, float64 (N,). Averages over labels include only those that occur."""
    truth_NC, scores_NC = truth_NC > 0.5, scores_NC.astype(np.float64)
    answer_NC = scores_NC >= 0.5
    right_NC = (truth_NC == answer_NC).astype(np.float64)
    rows, labels = truth_NC.shape
    if metric == "accuracy":
        return centred(right_NC.all(1).astype(np.float64))
    if metric == "log_loss":
        return centred(-np.log(np.clip(np.where(truth_NC, scores_NC, 1 - scores_NC), 1e-7, 1.0)).mean(1))
    if metric == "ece":
        pair = np.repeat(np.arange(rows), labels)
        return ece(right_NC.ravel(), np.maximum(scores_NC, 1 - scores_NC).ravel(), pair, rows)
    each = []
    occurs_C = truth_NC.any(0) | (answer_NC.any(0) if metric == "macro_f1" else False)
    for at in np.flatnonzero(occurs_C):
        truth_N = truth_NC[:, at]
        if metric == "balanced_accuracy":
            each.append(_balanced(truth_N.astype(np.int64), right_NC[:, at]))
        elif metric == "macro_f1":
            total = float(truth_N.sum() + answer_NC[:, at].sum())
            f1 = 2 * float((truth_N & answer_NC[:, at]).sum()) / total
            share_N = 2.0 * (truth_N & answer_NC[:, at]) - f1 * (truth_N.astype(np.float64) + answer_NC[:, at])
            each.append(share_N * rows / total)
        elif (area := _area(metric, truth_N, scores_NC[:, at])) is not None:
            each.append(area)
    return np.asarray(np.mean(each, axis=0)) if each else np.zeros(rows)


def regression(metric: str, truth_N: np.ndarray, answer_N: np.ndarray) -> np.ndarray:
    """Return the influence of each row on a metric of a number, float64 (N,)."""
    square_N = (answer_N - truth_N) ** 2
    if metric == "mae":
        return centred(np.abs(answer_N - truth_N))
    if metric == "rmse":
        return centred(square_N) / (2 * max(float(np.sqrt(square_N.mean())), 1e-300))
    spread_N = (truth_N - truth_N.mean()) ** 2
    spread = max(float(spread_N.mean()), 1e-300)
    return np.asarray(-centred(square_N) / spread + (float(square_N.mean()) / spread) * (centred(spread_N) / spread))


def centred(value_N: np.ndarray) -> np.ndarray:
    """Return the values minus their mean."""
    return np.asarray(value_N - value_N.mean())


def _balanced(truth_N: np.ndarray, right_N: np.ndarray) -> np.ndarray:
    """Return the influence on the balanced accuracy."""
    _, place_N, count_C = np.unique(truth_N, return_inverse=True, return_counts=True)
    share_C = np.bincount(place_N, right_N) / count_C
    return np.asarray((right_N - share_C[place_N]) * len(truth_N) / (count_C[place_N] * len(count_C)))


def _f1(truth_N: np.ndarray, answer_N: np.ndarray, labels: int) -> np.ndarray:
    """Return the influence on the mean F1 of all labels, each of which occurs in the truth or in the predictions."""
    hit_N = truth_N == answer_N
    total_C = (np.bincount(truth_N, minlength=labels) + np.bincount(answer_N, minlength=labels)).astype(np.float64)
    f1_C = 2 * np.bincount(truth_N[hit_N], minlength=labels) / total_C
    ratio_C, each_C = f1_C / total_C, 2 / total_C
    return np.asarray((np.where(hit_N, each_C[truth_N], 0.0) - ratio_C[truth_N] - ratio_C[answer_N]) * (len(truth_N) / labels))


def ece(right_P: np.ndarray, confidence_P: np.ndarray, row_P: np.ndarray, rows: int) -> np.ndarray:
    """Return the influence of each row on the expected calibration error over ``P`` pairs of a row and a label (or a
    person).

    The error is a sum of absolute values; their signs are treated as constant.
    """
    bin_P = np.clip((confidence_P * _BINS).astype(int), 0, _BINS - 1)
    off_P = right_P - confidence_P
    sign = np.sign(np.bincount(bin_P, off_P, _BINS))
    of_row_N = np.bincount(row_P, sign[bin_P] * off_P, rows)
    return np.asarray((of_row_N - of_row_N.sum() / max(len(row_P), 1) * np.bincount(row_P, minlength=rows)) * (rows / max(len(row_P), 1)))


def _area(metric: str, truth_N: np.ndarray, score_N: np.ndarray) -> np.ndarray | None:
    """Return the influence on ``roc_auc`` or ``average_precision``; None if the metric is undefined."""
    positives = int(truth_N.sum())
    if not positives or (metric == "roc_auc" and positives == len(truth_N)):
        return None
    return _roc_auc(truth_N, score_N) if metric == "roc_auc" else _average_precision(truth_N, score_N)


def _roc_auc(truth_N: np.ndarray, score_N: np.ndarray) -> np.ndarray:
    """Return the influence on the area under the ROC curve. ``G`` are the different scores."""
    rows, positives = len(truth_N), int(truth_N.sum())
    negatives = rows - positives
    _, place_N, count_G = np.unique(score_N, return_inverse=True, return_counts=True)
    positive_G = np.bincount(place_N, truth_N.astype(np.float64))
    negative_G = count_G - positive_G
    below_G = np.cumsum(negative_G) - negative_G / 2  # negatives below, ties at half
    above_G = positives - np.cumsum(positive_G) + positive_G / 2  # positives above
    area = float((positive_G * below_G).sum()) / (positives * negatives)
    return np.where(
        truth_N, (below_G[place_N] / negatives - area) * (rows / positives), (above_G[place_N] / positives - area) * (rows / negatives)
    )


def _average_precision(truth_N: np.ndarray, score_N: np.ndarray) -> np.ndarray:
    """Return the influence on the average precision. ``G`` are the different scores."""
    rows, positives = len(truth_N), int(truth_N.sum())
    _, place_N, count_G = np.unique(-score_N, return_inverse=True, return_counts=True)  # the highest score first
    positive_G = np.bincount(place_N, truth_N.astype(np.float64))
    hits_G, seen_G = np.cumsum(positive_G), np.cumsum(count_G).astype(np.float64)
    precision_G = hits_G / seen_G
    value = float((positive_G * precision_G).sum()) / positives
    # A row is part of the precision at its own threshold and at every lower one.
    as_hit_G = np.cumsum((positive_G / seen_G)[::-1])[::-1]
    as_seen_G = np.cumsum((positive_G * hits_G / seen_G**2)[::-1])[::-1]
    own_N = np.where(truth_N, precision_G[place_N] + as_hit_G[place_N] - value, 0.0)
    return np.asarray((own_N - as_seen_G[place_N]) * (rows / positives))
