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
    gains = {name: [one - other for one, other in zip(of, second, strict=True)] for name, of in many.items()}
    means, rounds = {name: float(np.concatenate(gain_R).mean()) for name, gain_R in gains.items()}, len(second)
    if retrained and rounds < 2:
        return {name: Difference(mean, float("-inf"), float("inf")) for name, mean in means.items()}
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
        error = float(np.std([gain.mean() for gain in gain_R], ddof=1)) / rounds**0.5 if retrained else 0.0
        low, high = np.quantile(replicates + error * chance, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
        found[name] = Difference(means[name], float(low), float(high))
    return found
