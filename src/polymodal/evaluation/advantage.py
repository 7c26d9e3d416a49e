"""A paired test of two models on the same rows: whether the first is better, or worse, on new rows of the same distribution.

Accuracies on independent rows are compared by McNemar's test with the mid-p value, whose level is correct for few discordant pairs as well
(Fagerland, Lydersen and Laake 2013). Every other metric, and clusters of rows, are compared by a t test of the mean of the rows' values of
the metric (``Task.row_values``) over clusters: for the area under the ROC curve this is the test of DeLong, DeLong and Clarke-Pearson
(1988), for clustered rows that of Obuchowski (1997). The degrees of freedom follow from the kurtosis of the clusters' shares
(``paired.variance``).

Shapes: ``N`` rows, ``U`` clusters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .paired import variance

LEVEL = 0.025
"""The level of each of the one-sided tests for "better" and for "worse"."""
_NORMAL_FROM = 2_000
_STEPS = 4_001


@dataclass(frozen=True)
class Advantage:
    """The result of a test.

    :param mean: the mean of the first minus the second model
    :param error: its standard error
    :param better: the one-sided p value of "the first model is better"
    :param worse: the one-sided p value of "the first model is worse"
    :param test: the name of the test
    """

    mean: float
    error: float
    better: float
    worse: float
    test: str


def advantage(first_N: np.ndarray, second_N: np.ndarray, cluster_N: np.ndarray, unit: bool = False) -> Advantage:
    """Test whether one model is better or worse than another.

    :param first_N: the ``Task.row_values`` of the first model, with such a sign that larger is better
    :param second_N: the same of the second model
    :param cluster_N: the number of the cluster of each row
    :param unit: whether the metric is between 0 and 1; its variance is then never 0 (Bonett and Price 2012)
    """
    gain_N = np.asarray(first_N, np.float64) - np.asarray(second_N, np.float64)
    mean, rows = float(gain_N.mean()), len(gain_N)
    _, place_N = np.unique(cluster_N, return_inverse=True)
    clusters = int(place_N.max()) + 1
    if clusters < 2:
        return Advantage(mean, math.inf, 0.5, 0.5, "none")
    share_U = np.bincount(place_N, (gain_N - mean) / rows, clusters)
    total, freedom = variance(share_U, clusters - 1)
    error = math.sqrt(total + (2 / rows**2 if unit else 0.0))
    if clusters == rows and _are_hits(first_N) and _are_hits(second_N):
        wins, losses = int((gain_N > 0).sum()), int((gain_N < 0).sum())
        return Advantage(mean, error, mid_p(wins, losses), mid_p(losses, wins), "McNemar, mid-p")
    if error == 0:
        return Advantage(mean, 0.0, 0.5 if mean == 0 else float(mean < 0), 0.5 if mean == 0 else float(mean > 0), "none")
    above = t_above(mean / error, freedom)
    return Advantage(mean, error, above, 1 - above, "paired t over clusters" if clusters < rows else "paired t over rows")


def verdict(better: float, worse: float) -> str:
    """Return ``better than``, ``worse than`` or ``within noise of``, from the p values of "better" and of "worse"."""
    return "better than" if better <= LEVEL else "worse than" if worse <= LEVEL else "within noise of"


def _are_hits(value_N: np.ndarray) -> bool:
    """Return whether the value of every row is 1 (correct) or 0 (incorrect)."""
    return bool(np.isin(value_N, (0.0, 1.0)).all())


def mid_p(wins: int, losses: int) -> float:
    """Return the one-sided mid-p value of McNemar's test.

    :param wins: the number of discordant pairs in which the first model is correct
    :param losses: the number of those in which the second model is correct
    """
    count = wins + losses
    logs = [
        math.lgamma(count + 1) - math.lgamma(at + 1) - math.lgamma(count - at + 1) - count * math.log(2) for at in range(wins, count + 1)
    ]
    chances = np.exp(np.array(logs))
    return float(min(chances.sum() - chances[0] / 2, 1.0))


def t_above(value: float, freedom: float) -> float:
    """Return the probability that Student's t is above ``value``.

    From 2,000 degrees of freedom it is the tail of the normal distribution. Otherwise the density is integrated after the substitution
    t = sqrt(freedom) tan(angle), which makes it a power of a cosine.
    """
    if freedom >= _NORMAL_FROM:
        return math.erfc(value / math.sqrt(2)) / 2

    def integral(low: float, high: float) -> float:
        return float(np.trapezoid(np.cos(np.linspace(low, high, _STEPS)).clip(min=0) ** (freedom - 1), dx=(high - low) / (_STEPS - 1)))

    tail = integral(math.atan(abs(value) / math.sqrt(freedom)), math.pi / 2) / (2 * integral(0.0, math.pi / 2))
    return tail if value >= 0 else 1 - tail
