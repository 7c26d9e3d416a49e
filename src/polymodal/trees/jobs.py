"""The boosters of one column of labels, by LightGBM: what they learn, the ways to train them, and the choice among the ways."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np

from .config import TreesConfig
from .start import LinearFit, Objective, loss_of

_LIGHTGBM: Mapping[Objective, str] = {"squared": "regression", "logistic": "binary", "softmax": "multiclass"}
"""The names of the objectives in LightGBM."""
_PATIENCE = 60
"""The number of rounds without an improvement after which a booster stops."""
_LEAST_GAIN = 2e-3
"""The least share by which the loss must decrease within that number of rounds."""
_MORE_ROUNDS = 1.2
"""The factor on the mean number of rounds for boosters that are trained on all rows, which are more rows."""
_FEWEST_ROUNDS = 10
_SMALL_LOSS = 1e-3
"""A booster stops when its loss is below this share of the loss of its first round."""
_ATTEMPTS = 10
"""The number of attempts at a round, each with other rows and thresholds, after which a booster stops for want of a split."""
_LONGEST, _LEAST = 2.0, 0.5
"""The longest and the shortest time of a trial under a deadline, as multiples of its part of the time; see ``Budget``."""
_RANDOM_RATE = 5 / 3
"""The factor on the learning rate of trees with random thresholds, which need more rounds."""


@dataclass(frozen=True)
class Labels:
    """What trees learn for one task.

    :param objective: the loss; its logits are those of the task
    :param target_NT: the label of each row, a column for each booster: one for a number, two or several classes, or one for each label
    :param outputs: C, the number of outputs of the task
    :param weights_N: the weight of each row; None = all count alike
    """

    objective: Objective
    target_NT: np.ndarray
    outputs: int
    weights_N: np.ndarray | None = None

    @property
    def boosters(self) -> int:
        """The number of boosters that learn the task together: one, or one for each label."""
        return int(self.target_NT.shape[1])

    @property
    def twice(self) -> Labels:
        """The labels of all rows, and once more those of all rows."""
        weights_N = None if self.weights_N is None else np.tile(self.weights_N, 2)
        return replace(self, target_NT=np.tile(self.target_NT, (2, 1)), weights_N=weights_N)

    @property
    def encoded_NC(self) -> np.ndarray:
        """The labels as numbers (N, C) that linear methods can predict: indicators of classes; a number also by its normal score."""
        if self.objective == "softmax":
            return np.where(np.isfinite(self.target_NT), self.target_NT == np.arange(self.outputs), np.nan).astype(np.float32)
        if self.objective == "squared":
            return np.concatenate([self.target_NT, _normal_scores(self.target_NT[:, 0])[:, None]], 1).astype(np.float32)
        return self.target_NT.astype(np.float32)


@dataclass(frozen=True)
class Way:
    """A way to train a booster.

    :param linear: whether boosting starts from the predictions of a linear model; otherwise it starts from a constant
    :param random: whether the threshold of a split is random (Geurts, Ernst and Wehenkel 2006, "Extremely randomized trees"); otherwise
        it is the best one
    """

    linear: bool = False
    random: bool = False


@dataclass(frozen=True)
class Trial:
    """A booster that was trained without one fold.

    :param rounds: the number of rounds with the smallest loss on the rows of the fold, at least 1
    :param scores: the outputs of these rows after so many rounds (n,) or (n, C); None = the fold or the rest has no rows
    :param seconds: the seconds of a round
    """

    rounds: int
    scores: np.ndarray | None
    seconds: float = 0.0


@dataclass(frozen=True)
class Chosen:
    """How the boosters of a job are trained on all rows: by one way, or by two whose boosters have the same weight.

    :param linear: whether boosting starts from the predictions of a linear model
    :param best: the best number of rounds without each fold, for trees that take the best threshold of a split; empty = no such trees
    :param random: likewise for trees with random thresholds
    """

    linear: bool
    best: Sequence[int] = ()
    random: Sequence[int] = ()

    @property
    def robust(self) -> tuple[Way, int]:
        """The way and the number of rounds of the one booster that also learns rows with missing cells: with the best thresholds if both
        kinds are chosen."""
        way, rounds, _ = self.boosters(1)[0]
        return way, rounds

    def scaled(self, share: float) -> Chosen:
        """Return the choice with a share of its rounds, at least 1."""
        best, random = ([max(1, int(share * rounds)) for rounds in part] for part in (self.best, self.random))
        return replace(self, best=best, random=random)

    def boosters(self, count: int) -> list[tuple[Way, int, int]]:
        """Return the way, the number of rounds, and the number among those of its way of each booster.

        :param count: the number of boosters of one way; two ways have half as many each, rounded up
        """
        of_way = {Way(self.linear, random): rounds for random, rounds in ((False, self.best), (True, self.random)) if len(rounds)}
        each = count if len(of_way) == 1 else -(-count // 2)
        return [(way, max(1, round(_MORE_ROUNDS * float(np.mean(rounds)))), at) for way, rounds in of_way.items() for at in range(each)]


class Budget:
    """Divides the time until a deadline among trials, some of which run at the same time.

    Trials differ in length, and one that is stopped early has a wrong number of rounds. A trial may therefore take up to ``_LONGEST``
    times its part of the time that is left, as long as each later one keeps ``_LEAST`` of an equal part.

    :param deadline: the time (``time.monotonic``) at which the trials have ended
    :param trials: the number of trials
    :param workers: the number of trials that run at the same time
    """

    def __init__(self, deadline: float, trials: int, workers: int) -> None:
        self._deadline, self._workers, self._lock, self._begun = deadline, workers, Lock(), 0
        self._waves = max(1, -(-trials // workers))  # the number of times that all workers take a trial
        self._part = (deadline - time.monotonic()) / self._waves

    def next(self) -> float:
        """Return the time (``time.monotonic``) at which the next trial stops."""
        with self._lock:
            now, waves = time.monotonic(), max(1, self._waves - self._begun // self._workers)
            self._begun += 1
            if self._deadline == float("inf"):
                return self._deadline
            left = max(0.0, self._deadline - now)
            return now + max(0.0, min(_LONGEST * left / waves, left - _LEAST * self._part * (waves - 1)))


@dataclass(frozen=True, eq=False)
class Job:
    """The boosters of one column of the labels of a task.

    :param linear: a linear model from whose predictions boosting may start; None = it starts from a constant
    :param fold_N: the fold of each row
    """

    task: int
    column: int
    numbers_NK: np.ndarray
    labels: Labels
    linear: LinearFit | None
    fold_N: np.ndarray

    @cached_property
    def start_NC(self) -> np.ndarray:
        """The predictions of the linear model for each row out of fold; (N,) if it has one output."""
        assert self.linear is not None
        start_NC = self.linear.out_of_fold(self.numbers_NK, self.fold_N)
        return start_NC if start_NC.shape[1] > 1 else start_NC[:, 0]

    def with_copies(self, both_MK: np.ndarray) -> Job:
        """Return the job of the rows and a copy of each.

        :param both_MK: the numbers of the rows and of the copies (2 N, K); the jobs share them
        """
        return replace(self, numbers_NK=both_MK, labels=self.labels.twice, fold_N=np.tile(self.fold_N, 2))

    @cached_property
    def known_N(self) -> np.ndarray:
        """Whether each row has the label, and a weight above 0 (N,)."""
        known_N = np.isfinite(self.labels.target_NT[:, self.column])
        return np.asarray(known_N if self.labels.weights_N is None else known_N & (self.labels.weights_N > 0))

    @property
    def outputs(self) -> Sequence[int]:
        """The outputs of the task that the trees of a round belong to, in order."""
        return [self.column] if self.labels.boosters > 1 else range(self.labels.outputs)

    def trial(self, config: TreesConfig, seed: int, fold: int, stop: float, way: Way) -> Trial:
        """Train a booster on the rows outside a fold, until the loss inside it does not decrease.

        :param stop: the time (``time.monotonic``) at which it stops, after a few rounds
        """
        inside_N, known_N = self.fold_N == fold, self.known_N
        if not (known_N & ~inside_N).any() or not (known_N & inside_N).any():
            return Trial(1, None)
        train = self._dataset(config, seed, known_N & ~inside_N, way)
        booster = self._begun(config, seed, train, way)
        booster.add_valid(self._dataset(config, seed, known_N & inside_N, way, train), "fold")
        first, best, best_round, begin, at = np.inf, np.inf, 1, time.monotonic(), 1
        for at in range(1, max(1, config.rounds // len(self.outputs)) + 1):
            if at > 1 and not _add_round(booster):
                break
            loss = booster.eval_valid()[0][2]
            first = loss if at == 1 else first
            if loss < (1 - _LEAST_GAIN) * best:
                best, best_round = loss, at
            late = at >= _FEWEST_ROUNDS and time.monotonic() > stop
            if at - best_round >= _PATIENCE or loss < _SMALL_LOSS * first or late:
                break
        seconds = (time.monotonic() - begin) / at
        scores = booster.predict(self.numbers_NK[known_N & inside_N], num_iteration=best_round, raw_score=True)
        return Trial(best_round, scores + self.start_NC[known_N & inside_N] if way.linear else scores, seconds)

    def loss(self, trials: Sequence[Sequence[Trial]]) -> float:
        """Return the sum of the losses of all rows out of fold, by the mean score of some ways.

        :param trials: by way, the trial of each fold
        """
        total = 0.0
        for fold, parts in enumerate(zip(*trials, strict=True)):
            scores = [part.scores for part in parts if part.scores is not None]
            if scores:
                rows_N = self.known_N & (self.fold_N == fold)
                mean_NC = np.mean(scores, 0).reshape(int(rows_N.sum()), -1)
                weight_N = np.ones(len(mean_NC)) if self.labels.weights_N is None else self.labels.weights_N[rows_N]
                total += loss_of(mean_NC, self.labels.target_NT[rows_N, self.column], weight_N, self.labels.objective)
        return total

    def trees(self, config: TreesConfig, seed: int, rounds: int, way: Way) -> Sequence[Mapping[str, Any]]:
        """Return the trees of a booster that is trained on all rows for a number of rounds."""
        if self.known_N.sum() < config.bags:  # too few rows have this target
            return [{"tree_structure": {"leaf_value": 0.0}}] * len(self.outputs)
        booster = self._begun(config, seed, self._dataset(config, seed, self.known_N, way), way)
        for _ in range(rounds - 1):
            if not _add_round(booster):
                break
        trees: Sequence[Mapping[str, Any]] = booster.dump_model()["tree_info"]
        return trees

    def _parameters(self, config: TreesConfig, seed: int, way: Way) -> dict[str, Any]:
        """Return the parameters of LightGBM."""
        rate = config.learning_rate * len(self.outputs) ** 0.5 * (_RANDOM_RATE if way.random else 1.0)
        # One thread: the threads of LightGBM wait for each other after every step, and their number changes the last bits.
        parameters: dict[str, Any] = {
            "objective": _LIGHTGBM[self.labels.objective], "num_leaves": config.leaves, "learning_rate": min(1.0, rate),
            "max_depth": 12, "feature_fraction": 0.8, "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 10.0,
            "extra_trees": way.random, "min_data_in_leaf": int(np.clip(self.known_N.sum() // 50, 2, 20)), "seed": seed,
            "num_threads": 1, "deterministic": True, "force_row_wise": True, "verbose": -1,
        }  # fmt: skip
        return parameters | ({"num_class": self.labels.outputs} if self.labels.objective == "softmax" else {})

    def _begun(self, config: TreesConfig, seed: int, train: Any, way: Way) -> Any:
        """Return a booster after its first round. A round without a split ends a booster, so that another one is begun then."""
        import lightgbm

        parameters = self._parameters(config, seed, way)
        for attempt in range(_ATTEMPTS):
            others = dict.fromkeys(("extra_seed", "bagging_seed", "feature_fraction_seed"), (seed + attempt) % 2**31) if attempt else {}
            booster = lightgbm.Booster(parameters | others, train)
            if not booster.update():
                break
        return booster

    def _dataset(self, config: TreesConfig, seed: int, rows_N: np.ndarray, way: Way, reference: Any = None) -> Any:
        """Return some rows as a data set of LightGBM."""
        import lightgbm

        weights = None if self.labels.weights_N is None else self.labels.weights_N[rows_N]
        return lightgbm.Dataset(
            self.numbers_NK[rows_N], self.labels.target_NT[rows_N, self.column], weight=weights, reference=reference,
            params=self._parameters(config, seed, way), init_score=self.start_NC[rows_N] if way.linear else None,
        )  # fmt: skip


def _add_round(booster: Any) -> bool:
    """Add a round to a booster; return whether it has a split. A round may have none by chance: of its rows, or of random thresholds."""
    return any(not booster.update() for _ in range(_ATTEMPTS))


def _normal_scores(values_N: np.ndarray) -> np.ndarray:
    """Return the quantiles of a normal distribution at the ranks of the values; equal values have one score, missing ones none."""
    from scipy.special import ndtri

    known_N = np.isfinite(values_N)
    _, rank_N, count = np.unique(values_N[known_N], return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - count / 2
    scores_N = np.full(len(values_N), np.nan)
    scores_N[known_N] = ndtri(middle / max(known_N.sum(), 1))[rank_N.reshape(-1)]
    return scores_N
