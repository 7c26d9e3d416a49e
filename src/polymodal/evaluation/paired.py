"""The difference between two models that were measured on the same rows, with a confidence interval.

A difference has two sources of variance: the measured rows, and the training of the models. The variance from the rows is that of a mean
over clusters of rows (a single row, or all rows of one group or image). Each row enters with its value of the metric
(``Task.row_values``), so that the same computation applies to accuracies, losses, areas under curves and r2. The variance from training is
estimated from R rounds, in each of which the models are trained: it is the variance between rounds minus the part of it that the measured
rows explain, at least 0. Since the training sets of different rounds overlap, the mean over R rounds does not divide this component by R:
it is multiplied by 1/R + n_test/n_train (Nadeau and Bengio 2003, who multiply the whole variance between rounds, rows included).

The interval is a generalized confidence interval for a mean with variance components (Weerahandi 1993; Hannig, Iyer and Patterson 2006):
the components are sampled from their fiducial distributions, scaled inverse chi-squares, and the mean from a normal distribution with these
variances. Satterthwaite's degrees of freedom are not used: if the estimated training component is 0 by chance, they give an interval from
the rows alone, which is too narrow for few rounds. ``benchmarks/compare_power.py`` simulates level and power.

Shapes: ``N`` rows of a round, ``R`` rounds, ``U`` clusters, ``M`` models, ``D`` draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..random_streams import Stream, generator

DRAWS = 8_000
COVERAGE = 0.95
FEWEST_ROUNDS = 3
"""The least number of rounds for an interval for retrained models."""
UNBOUNDED = (-math.inf, math.inf)


@dataclass(frozen=True)
class Difference:
    """The difference between two models.

    :param mean: the mean of the first minus the second over all rows of all rounds
    :param low: the lower bound of its 95 % confidence interval; infinite if there are too few rounds to estimate the variance from training
    :param high: the upper bound
    """

    mean: float
    low: float
    high: float

    def facts(self) -> dict[str, float]:
        """Return the fields as plain data for JSON."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


def paired(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], clusters: Sequence[np.ndarray], seed: int = 0, *,
    overlap: float | None = None, bounds: tuple[float, float] = UNBOUNDED,
) -> Difference:  # fmt: skip
    """Estimate the difference between ``first`` and ``second``. The parameters are those of ``against``."""
    return against({"": first}, second, clusters, seed, overlap=overlap, bounds=bounds)[""]


def against(
    many: Mapping[str, Sequence[np.ndarray]], second: Sequence[np.ndarray], clusters: Sequence[np.ndarray], seed: int = 0, *,
    retrained: bool = True, overlap: float | None = None, bounds: tuple[float, float] = UNBOUNDED,
) -> dict[str, Difference]:  # fmt: skip
    """Estimate the difference between each of several models and another one.

    :param many: by name and round, the ``Task.row_values`` (N,), with such a sign that larger is better
    :param second: by round, the same of the other model
    :param clusters: by round, the number of the cluster of each row (N,); a number may occur in several rounds
    :param seed: the random seed
    :param retrained: True = the difference between models that are trained again; False = between these models on other rows, for which one
        round is enough
    :param overlap: the measured rows of a round divided by its training rows, n_test/n_train; None = 1 / (R - 1), as in cross-validation
    :param bounds: the smallest and the largest possible value of the metric
    """
    measured = _Measured({**{f"+{name}": of for name, of in many.items()}, "-": second}, clusters, retrained, overlap, bounds, seed)
    return {name: measured.difference(f"+{name}", "-") for name in many}


def chosen(
    first: Mapping[str, Sequence[np.ndarray]], second: Mapping[str, Sequence[np.ndarray]], scores: Mapping[str, Sequence[float]],
    clusters: Sequence[np.ndarray], seed: int = 0, *, overlap: float | None = None, bounds: tuple[float, float] = UNBOUNDED,
) -> Difference:  # fmt: skip
    """Estimate the difference between the best of ``first`` and the best of ``second``.

    Both are selected by the mean of ``scores`` over the rounds. If others are nearly as good, other rounds would have selected another
    pair: each draw selects by rounds sampled with replacement, so that the interval includes the selection. The difference of another pair
    than the selected one is shrunk towards that of the selected one (James and Stein 1961, positive part), so that the interval is wider if
    pairs differ, but not if they differ by chance alone.

    :param first: by name and round, the ``Task.row_values`` (N,), with such a sign that larger is better
    :param second: the same for the other models
    :param scores: by name, the score of each round on rows that are not measured; larger is better
    :param clusters: by round, the number of the cluster of each row (N,)
    :param seed: the random seed
    :param overlap: see ``against``
    :param bounds: see ``against``
    """
    measured = _Measured({**first, **second}, clusters, True, overlap, bounds, seed)
    rounds = len(clusters)
    sampled_DR = generator(Stream.ROUNDS, seed).integers(0, rounds, (DRAWS, rounds))

    def best(names: list[str]) -> tuple[str, np.ndarray]:
        scores_NR = np.array([scores[name] for name in names], np.float64)
        return names[int(scores_NR.mean(1).argmax())], scores_NR[:, sampled_DR].mean(2).argmax(0)

    (one, one_D), (other, other_D) = best(list(first)), best(list(second))
    draws_D = np.empty(DRAWS)
    for at, name in enumerate(first):
        for of, against_name in enumerate(second):
            here_D = (one_D == at) & (other_D == of)
            if here_D.any():
                shift = measured.shrunk([(name, against_name), (one, other)])
                draws_D[here_D] = measured.draws(name, against_name, shift)[here_D]
    return measured.interval(one, other, draws_D)


@dataclass(frozen=True)
class _Parts:
    """The components of the variance of a difference.

    :param mean: the mean of the difference
    :param rows: the variance of that mean from the measured rows
    :param freedom: the degrees of freedom of ``rows``
    :param between: the variance between rounds
    :param explained: the part of ``between`` that the measured rows explain
    """

    mean: float
    rows: float
    freedom: float
    between: float
    explained: float


class _Measured:
    """The values of the rows of all rounds, reduced to the sums that a difference between two models requires."""

    def __init__(
        self, row_values: Mapping[str, Sequence[np.ndarray]], clusters: Sequence[np.ndarray], retrained: bool, overlap: float | None,
        bounds: tuple[float, float], seed: int,
    ) -> None:  # fmt: skip
        used = [at for at, of in enumerate(clusters) if len(of)]
        self.names, self.retrained, self.bounds, self.seed = list(row_values), retrained, bounds, seed
        self.rounds = len(used)
        self.overlap = overlap if overlap is not None else 1 / max(self.rounds - 1, 1)
        rows = np.array([len(clusters[at]) for at in used], np.float64)
        self.weight_R = rows / rows.sum()
        every, unit = np.unique(np.concatenate([clusters[at] for at in used]), return_inverse=True)
        unit_R = np.split(unit, np.cumsum(rows.astype(np.int64))[:-1])
        names = len(self.names)
        self.value_RM = np.zeros((self.rounds, names))
        self.sum_UM, mean_UM = np.zeros((len(every), names)), np.zeros((len(every), names))
        squares_MM, seen, self.enough = np.zeros((names, names)), 0, True
        for place, at in enumerate(used):
            value_NM = np.stack([np.asarray(row_values[name][at], np.float64) for name in self.names], 1)
            self.value_RM[place] = value_NM.mean(0)
            mine, position = np.unique(unit_R[place], return_inverse=True)
            if len(mine) < 2:
                self.enough = False
                continue
            off_NM = (value_NM - self.value_RM[place]) / len(value_NM)
            share_UM = np.stack([np.bincount(position, off_N, len(mine)) for off_N in off_NM.T], 1) * (len(mine) / (len(mine) - 1)) ** 0.5
            self.sum_UM[mine] += self.weight_R[place] * share_UM
            mean_UM[mine] += share_UM / self.rounds
            squares_MM += share_UM.T @ share_UM
            seen += len(mine)
        # The covariance between rounds that the measured rows explain; 0 for one round.
        self.explained_MM = (squares_MM - self.rounds * mean_UM.T @ mean_UM) / max(self.rounds - 1, 1)
        self.distinct_rows = float(rows.sum()) * len(every) / max(seen, 1)
        repeats = seen / max(len(every), 1)
        self.most_freedom = max(len(every) - self.rounds / max(repeats, 1.0), 1.0)

    def difference(self, first: str, second: str) -> Difference:
        """Estimate the difference between two models, with its interval."""
        return self.interval(first, second, self.draws(first, second))

    def draws(self, first: str, second: str, shift: float = 0.0) -> np.ndarray:
        """Sample the difference between two models plus ``shift`` (``DRAWS``,), with the same random numbers for all pairs; infinite if
        there are too few rounds or rows.
        """
        if not self.enough or (self.retrained and self.rounds < FEWEST_ROUNDS):
            return np.full(DRAWS, np.inf)
        parts = self._parts({first: 1.0, second: -1.0} if first != second else {})
        rng = generator(Stream.VARIANCE, self.seed)
        scale_D = parts.freedom / rng.chisquare(parts.freedom, DRAWS)
        variance_D = parts.rows * scale_D
        if self.retrained:
            # A second random generator, so that the samples of rows do not depend on the number of rounds.
            chance_D = generator(Stream.ROUND_CHANCE, self.seed).chisquare(self.rounds - 1, DRAWS)
            between_D = parts.between * (self.rounds - 1) / chance_D
            variance_D = variance_D + self._carried * np.maximum(0.0, between_D - parts.explained * scale_D)
        return parts.mean + shift + np.sqrt(variance_D) * rng.standard_normal(DRAWS)

    def shrunk(self, pairs: Sequence[tuple[str, str]]) -> float:
        """Return the shift of the difference of the first pair towards that of the second pair."""
        if pairs[0] == pairs[1] or not self.enough or self.rounds < FEWEST_ROUNDS:
            return 0.0
        contrast = dict.fromkeys(self.names, 0.0)
        for (one, two), sign in zip(pairs, (1.0, -1.0), strict=True):
            contrast[one] += sign
            contrast[two] -= sign
        parts = self._parts(contrast)
        chance = parts.rows + self._carried * max(0.0, parts.between - parts.explained)
        return -parts.mean * min(1.0, chance / max(parts.mean**2, 1e-300))

    @property
    def _carried(self) -> float:
        """The factor of the training component in the variance of the mean over the rounds."""
        return float((self.weight_R**2).sum()) + self.overlap

    def _parts(self, contrast: Mapping[str, float]) -> _Parts:
        """Return the mean of a linear combination of models, and the components of its variance."""
        contrast_M = np.array([contrast.get(name, 0.0) for name in self.names])
        gain_R = self.value_RM @ contrast_M
        rows, freedom = variance(self.sum_UM @ contrast_M, self.most_freedom)
        between = float(np.var(gain_R, ddof=1)) if self.rounds > 1 else 0.0
        explained = float(contrast_M @ self.explained_MM @ contrast_M) + self.rounds * self._unseen
        return _Parts(float(self.weight_R @ gain_R), rows + self._unseen, freedom, between, explained)

    def interval(self, first: str, second: str, draws_D: np.ndarray) -> Difference:
        """Return the mean difference between two models and the interval of the samples, limited to possible values."""
        one, two = (float(self.weight_R @ self.value_RM[:, self.names.index(name)]) for name in (first, second))
        mean = one - two
        if not np.isfinite(draws_D).all():
            return Difference(mean, -math.inf, math.inf)
        low, high = (float(end) for end in np.quantile(draws_D, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2]))
        most = self._most((one + two) / 2)
        return Difference(mean, min(max(low, -most), mean), max(min(high, most), mean))

    @property
    def _unseen(self) -> float:
        """A variance that is never 0, for metrics between 0 and 1: that of two additional rows, of which each model alone predicts one
        correctly (Bonett and Price 2012).
        """
        return 2 / self.distinct_rows**2 if self._unit else 0.0

    @property
    def _unit(self) -> float:
        """The difference between the bounds of the metric if it is at most 1, otherwise 0."""
        span = self.bounds[1] - self.bounds[0]
        return span if span <= 1 else 0.0

    def _most(self, middle: float) -> float:
        """Return the largest possible difference between two values of the metric whose mean is ``middle``, within one row."""
        low, high = self.bounds
        return min(2 * (min(middle - low, high - middle) + self._unit / self.distinct_rows), high - low)


def variance(share_U: np.ndarray, most: float) -> tuple[float, float]:
    """Return the variance of a sum of independent shares with mean 0, and its degrees of freedom.

    The degrees of freedom follow from the kurtosis of the shares, and are at most ``most``: a variance to which few clusters contribute is
    less precise. It is corrected for an underestimation by about one part in its degrees of freedom, since the shares are evaluated at the
    estimate.
    """
    squares = share_U**2
    total = float(squares.sum())
    spread = float((squares**2).sum()) - total**2 / len(share_U)
    freedom = most if total <= 0 or spread <= 0 else float(min(max(2 * total**2 / spread, 1.0), most))
    return total * max(freedom, 2.0) / (max(freedom, 2.0) - 1), freedom
