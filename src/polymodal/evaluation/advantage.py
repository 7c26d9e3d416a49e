"""A paired test of two models on the same rows: is the first better, or worse, on other rows of the same kind?

Shares of right answers of single rows are compared by McNemar's test with the mid-p value, whose level holds for few discordant pairs too
(Fagerland, Lydersen and Laake 2013). Every other metric, and clusters of rows, are compared by a t test of the mean contribution to the
metric (``Task.credits``) over clusters: for the area under the ROC curve this is the test of DeLong, DeLong and Clarke-Pearson (1988), for
clustered rows that of Obuchowski (1997). The degrees of freedom follow from the kurtosis of the clusters' shares (``paired.variance``).

Shapes: ``N`` rows, ``U`` clusters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .paired import variance

LEVEL = 0.025
"""One-sided: of "better" and of "worse" each."""
_NORMAL_FROM = 2_000
_STEPS = 4_001


@dataclass(frozen=True)
class Advantage:
    """The mean of first minus second, its standard error, and one-sided p values: of as large a difference where the first is not
    ``better``, and of as small a one where it is not ``worse``."""

    mean: float
    error: float
    better: float
    worse: float
    test: str


def advantage(first_N: np.ndarray, second_N: np.ndarray, cluster_N: np.ndarray, unit: bool = False) -> Advantage:
    """The test of two models.

    :param first_N: the contribution of each row to the metric, larger for better; ``second_N`` likewise
    :param cluster_N: the number of the cluster of each row
    :param unit: whether the metric lies between 0 and 1: then its variance is never 0 (Bonett and Price 2012)
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
    if clusters == rows and _is_right(first_N) and _is_right(second_N):
        wins, losses = int((gain_N > 0).sum()), int((gain_N < 0).sum())
        return Advantage(mean, error, mid_p(wins, losses), mid_p(losses, wins), "McNemar, mid-p")
    if error == 0:
        return Advantage(mean, 0.0, 0.5 if mean == 0 else float(mean < 0), 0.5 if mean == 0 else float(mean > 0), "none")
    above = t_above(mean / error, freedom)
    return Advantage(mean, error, above, 1 - above, "paired t over clusters" if clusters < rows else "paired t over rows")


def _is_right(credit_N: np.ndarray) -> bool:
    """Whether contributions are those of right and wrong answers."""
    return bool(np.isin(credit_N, (0.0, 1.0)).all())


def mid_p(wins: int, losses: int) -> float:
    """The one-sided mid-p value of so many wins among the discordant pairs, each of which is a win with probability one half."""
    count = wins + losses
    logs = [
        math.lgamma(count + 1) - math.lgamma(at + 1) - math.lgamma(count - at + 1) - count * math.log(2) for at in range(wins, count + 1)
    ]
    chances = np.exp(np.array(logs))
    return float(min(chances.sum() - chances[0] / 2, 1.0))


def t_above(value: float, freedom: float) -> float:
    """The probability that Student's t is above ``value``: a normal tail for many degrees of freedom, else the integral of the density
    after the substitution t = sqrt(freedom) tan(angle), under which it is a power of a cosine."""
    if freedom >= _NORMAL_FROM:
        return math.erfc(value / math.sqrt(2)) / 2

    def integral(low: float, high: float) -> float:
        return float(np.trapezoid(np.cos(np.linspace(low, high, _STEPS)).clip(min=0) ** (freedom - 1), dx=(high - low) / (_STEPS - 1)))

    tail = integral(math.atan(abs(value) / math.sqrt(freedom)), math.pi / 2) / (2 * integral(0.0, math.pi / 2))
    return tail if value >= 0 else 1 - tail
