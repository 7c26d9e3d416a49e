"""The difference between two models, measured on the same rows, and how far chance could have moved it.

A paired bootstrap (Efron and Tibshirani 1993, chapter 16) over what rows belong to (a row itself, or all rows of one group or picture), to
which each replicate adds what training left to chance: Student's t with R - 1 degrees of freedom, times the standard error over the R
rounds, each a training of its own. Rounds whose training rows overlap are no independent draws, so the noise of their test rows, which is
part of both, is left in both: the interval is rather too wide than too narrow (Nadeau and Bengio 2003 widen theirs for the same reason).

Shapes: ``N`` rows of a round, ``R`` rounds, ``U`` clusters, ``M`` models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 2_000
COVERAGE = 0.95
_AT_ONCE = 2**22  # draws times clusters held at a time


@dataclass(frozen=True)
class Difference:
    """``mean`` of first minus second over all rows of all rounds, and the ends of its 95 % interval; infinite after a single round, which
    cannot tell what training leaves to chance."""

    mean: float
    low: float
    high: float

    def facts(self) -> dict[str, float]:
        """As plain data."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


def paired(first: Sequence[np.ndarray], second: Sequence[np.ndarray], clusters: Sequence[np.ndarray], seed: int = 0) -> Difference:
    """What ``first`` is better by: see ``against``."""
    return against({"": first}, second, clusters, seed)[""]


def against(
    many: Mapping[str, Sequence[np.ndarray]], second: Sequence[np.ndarray], clusters: Sequence[np.ndarray], seed: int = 0, *,
    retrained: bool = True,
) -> dict[str, Difference]:  # fmt: skip
    """What each of ``many`` is better by than ``second``, the same draws for all.

    :param many: by name and round, what each row's answer is worth (N,), larger for better (``Task.credits``); ``second`` likewise
    :param clusters: by round, the number of what each row belongs to (N,); one number may occur in several rounds
    :param retrained: whether it is asked of models trained anew; else of these ones, on other rows, for which one round is enough
    """
    means, replicates = _replicates(many, second, clusters, seed, retrained)
    return {name: Difference(mean, *_ends(replicates[name])) for name, mean in means.items()}


def chosen(
    first: Mapping[str, Sequence[np.ndarray]], second: Mapping[str, Sequence[np.ndarray]], worth: Mapping[str, Sequence[float]],
    clusters: Sequence[np.ndarray], seed: int = 0,
) -> Difference:  # fmt: skip
    """What the one of ``first`` is better by than the one of ``second`` that each are the best by the mean of ``worth`` over the rounds (of
    rows that do not measure). Where others are nearly as good, another set of rounds would have chosen another: so each replicate chooses
    among rounds drawn with replacement, and the interval is as wide as what may be chosen."""
    rounds = len(clusters)
    drawn_DR = np.random.default_rng([seed, 41]).integers(0, rounds, (DRAWS, rounds))

    def best(names: list[str]) -> tuple[str, np.ndarray]:
        worth_NR = np.array([worth[name] for name in names], np.float64)
        return names[int(worth_NR.mean(1).argmax())], worth_NR[:, drawn_DR].mean(2).argmax(0)

    (one, at_D), (other, against_D) = best(list(first)), best(list(second))
    found = {name: _replicates(first, of, clusters, seed) for name, of in second.items()}
    mean = found[other][0][one]
    every_SFD = np.stack([np.stack(list(replicates.values())) for _, replicates in found.values()])
    low, high = _ends(every_SFD[against_D, at_D, np.arange(DRAWS)])
    return Difference(mean, min(low, mean), max(high, mean))


def _ends(replicates: np.ndarray) -> tuple[float, float]:
    if not np.isfinite(replicates).all():
        return float("-inf"), float("inf")
    low, high = np.quantile(replicates, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)


def _replicates(
    many: Mapping[str, Sequence[np.ndarray]],
    second: Sequence[np.ndarray],
    clusters: Sequence[np.ndarray],
    seed: int,
    retrained: bool = True,
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """By name the mean difference, and what it would be in other draws (``DRAWS``,); infinite where one round cannot tell."""
    gains = {name: [one - other for one, other in zip(of, second, strict=True)] for name, of in many.items()}
    means, rounds = {name: float(np.concatenate(gain_R).mean()) for name, gain_R in gains.items()}, sum(map(bool, map(len, second)))
    if retrained and rounds < 2:
        return means, {name: np.full(DRAWS, np.inf) for name in means}
    _, unit = np.unique(np.concatenate(clusters), return_inverse=True)
    units = int(unit.max()) + 1
    sum_UM = np.stack([np.bincount(unit, np.concatenate(gain_R), units) for gain_R in gains.values()], 1)
    count_U1 = np.bincount(unit, minlength=units).astype(np.float64)[:, None]
    rng = np.random.default_rng([seed, 19])
    drawn: list[np.ndarray] = []
    while (left := DRAWS - sum(map(len, drawn))) > 0:
        # As often as a draw with replacement takes each cluster, but for its fixed total.
        times = rng.poisson(1.0, (min(left, max(1, _AT_ONCE // units)), units)).astype(np.float64)
        total = times @ count_U1
        drawn.append(np.where(total > 0, times @ sum_UM / np.maximum(total, 1e-12), np.array(list(means.values()))))
    chance = rng.standard_t(max(rounds - 1, 1), DRAWS)
    found = {}
    for (name, gain_R), replicates in zip(gains.items(), np.concatenate(drawn).T, strict=True):
        error = float(np.std([gain.mean() for gain in gain_R if len(gain)], ddof=1)) / rounds**0.5 if retrained else 0.0
        found[name] = replicates + error * chance
    return means, found
