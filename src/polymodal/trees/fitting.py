"""Training of boosted trees by LightGBM (Ke et al. 2017, "LightGBM: A highly efficient gradient boosting decision tree").

The training rows of a model are divided into folds. A booster is trained without each fold, and the rows of that fold decide which number
of rounds is best for it. Then boosters are trained on all training rows for the mean number of rounds, and their mean votes. One more is
trained on these rows and on copies of them that lack cells, and votes on rows that lack what every training row has. The same folds give
the out-of-fold numbers of the summaries. No other row is used, so that the vote on validation rows is one of trees that have not met them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np
import torch

from ..flow import Form, Sample, State
from ..random_streams import Stream, generator, seed_of
from .boosted import BoostedTrees
from .config import TreesConfig
from .ensemble import Trees, tables_of
from .hiding import with_hidden
from .start import LinearFit, Objective, linear_fit, start_of
from .summaries import SUMMARIES, Cells, Summary

_LIGHTGBM: Mapping[Objective, str] = {"squared": "regression", "logistic": "binary", "softmax": "multiclass"}
"""The names of the objectives in LightGBM."""
MOST_OUTPUTS = 32
"""The maximum number of outputs of a task that trees learn: a round adds a tree for each output."""
FEWEST_ROWS = 200
"""The minimum number of training rows for trees. Fewer rows determine neither the number of rounds nor the weight of one more vote."""
_LARGE = 2**18
"""Below this number of numbers, boosters are trained one at a time: rounds are then so short that threads wait for the interpreter."""
_PATIENCE = 60
"""The number of rounds without an improvement after which a booster stops."""
_LEAST_GAIN = 2e-3
"""The least share by which the loss must decrease within that number of rounds."""
_MORE_ROUNDS = 1.2
"""The factor on the mean number of rounds for boosters that are trained on all rows, which are more rows."""
_FEWEST_ROUNDS = 10
_SMALL_LOSS = 1e-3
"""A booster stops when its loss is below this share of the loss of its first round."""


@dataclass(frozen=True)
class FieldCells:
    """The cells of one field: its form and state, the distinct samples (U), and the position of each row's sample (N,), -1 = missing."""

    form: Form
    state: State
    samples: Sequence[Sample]
    index_N: np.ndarray


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


def is_available() -> bool:
    """Return whether LightGBM can be imported."""
    try:
        import lightgbm  # noqa: F401
    except (ImportError, OSError):  # OSError: a library of the system that it needs is absent
        return False
    return True


def summarised(forms: Mapping[str, Form]) -> list[str]:
    """Return the fields whose cells have a summary, in order.

    :param forms: the form of each field's samples
    """
    return [name for name, form in forms.items() if form in SUMMARIES]


def fit(
    config: TreesConfig,
    fields: Mapping[str, FieldCells],
    places: Sequence[int],
    tasks: Sequence[Labels],
    unit_N: np.ndarray | None,
    seed: int,
    workers: int,
    rounds: Sequence[int] | None = None,
    deadline: float = float("inf"),
    repeats: bool = False,
) -> tuple[BoostedTrees, list[int]]:
    """Train the trees of all tasks. Return the voter and the best number of rounds without each fold, by task, column of labels and fold.

    :param fields: the cells of each field in the training rows, each of which has a target of some task
    :param places: the position of each of these fields among the model's fields
    :param tasks: what the trees learn, by task
    :param unit_N: rows with the same number stay in one fold; None = each row by itself
    :param workers: the number of boosters that are trained at a time; it changes no bit
    :param rounds: these numbers of an earlier run that is repeated; None = they are determined
    :param deadline: the time (``time.monotonic``) at which all boosters have stopped, approximately
    :param repeats: whether texts that recur have the mean targets of their rows
    """
    fold_N = _folds(tasks[0], unit_N, config.bags, generator(Stream.TREES, seed, 0))
    row_fold_N = _folds(tasks[0], None, config.bags, generator(Stream.TREES, seed, 4)) if repeats else None
    summaries, numbers_NK = _summarise(fields, tasks, fold_N, row_fold_N, seed)
    jobs = [
        _Job(task, column, numbers_NK, labels, _linear(labels, column, numbers_NK, fold_N), fold_N)
        for task, labels in enumerate(tasks) for column in range(labels.boosters)
    ]  # fmt: skip
    hidden_NK = with_hidden(numbers_NK, _positions(summaries.values()), generator(Stream.TREES, seed, 5))
    both_MK = None if hidden_NK is None else np.concatenate([numbers_NK, hidden_NK])
    robust = [] if both_MK is None else [job.with_copies(both_MK) for job in jobs]
    workers = workers if numbers_NK.size >= _LARGE else 1
    trials = [(job, bag, starts) for job in jobs for starts in job.ways for bag in range(config.bags)]
    budget = _Budget(deadline, len(trials) + 2 * config.boosters * len(jobs) + 2 * len(robust), workers)

    def tried(trial: tuple[_Job, int, bool]) -> tuple[int, float]:
        job, bag, starts = trial
        return job.best_round(config, seed_of(Stream.TREES, seed, 2, job.task, job.column, bag, bits=31), fold_N == bag, budget, starts)

    def trained(final: tuple[_Job, int, int]) -> Sequence[Mapping[str, Any]]:
        job, count, number = final
        return job.trees(config, seed_of(Stream.TREES, seed, 3, job.task, job.column, number, bits=31), count)

    with ThreadPoolExecutor(workers) as pool:
        done = list(rounds) if rounds is not None else _chosen(jobs, config.bags, list(pool.map(tried, trials)))
        means = np.reshape(done, (len(jobs), config.bags)).mean(1).tolist()
        counts = [int(np.sign(mean)) * max(1, round(_MORE_ROUNDS * abs(mean))) for mean in means]
        finals = [(job, count, number) for job, count in zip(jobs, counts, strict=True) for number in range(config.boosters)]
        finals += [(job, count, config.boosters) for job, count in zip(robust, counts, strict=False)]
        boosters = list(pool.map(trained, finals))

    def trees_of(some: Sequence[_Job], share: float) -> list[Trees]:
        made = []
        for task, labels in enumerate(tasks):
            own = [(trees, job.outputs) for (job, _, _), trees in zip(finals, boosters, strict=True) if job in some and job.task == task]
            made.append(Trees(tables_of(own, share), numbers_NK.shape[1], labels.outputs))
        return made

    others = (trees_of(robust, 1.0), torch.from_numpy(_complete(jobs, len(tasks), summaries.values()))) if robust else None
    starts = {}
    for task, labels in enumerate(tasks):
        chosen = [job for job, count in zip(jobs, counts, strict=True) if job.task == task and count < 0]
        if fits := [(job.outputs, job.linear) for job in chosen if job.linear is not None]:
            starts[task] = start_of(fits, labels.outputs)
    return BoostedTrees(summaries, trees_of(jobs, 1 / config.boosters), places, others, starts), done


def _complete(jobs: Sequence[_Job], tasks: int, summaries: Iterable[Summary]) -> np.ndarray:
    """Return whether every training row with a label of a task has a number (tasks, K), for numbers that a cell which is there has."""
    may_lack_K = np.concatenate([np.arange(summary.width) >= summary.width - summary.optional for summary in summaries])
    complete_TK = np.zeros((tasks, len(may_lack_K)), bool)
    for job in jobs:
        complete_TK[job.task] |= ~np.isnan(job.numbers_NK[job.known_N]).any(0)
    return np.asarray(complete_TK & ~may_lack_K)


def _chosen(jobs: Sequence[_Job], bags: int, results: Sequence[tuple[int, float]]) -> list[int]:
    """Return the best rounds of each job and fold: below 0 if boosting from the linear model has the smaller loss.

    :param results: the best round and its loss, by job, by way (see ``_Job.ways``) and by fold
    """
    chosen, left = [], iter(results)
    for job in jobs:
        ways = [[next(left) for _ in range(bags)] for _ in job.ways]
        starts = len(ways) > 1 and sum(loss for _, loss in ways[1]) < sum(loss for _, loss in ways[0])
        chosen += [-best for best, _ in ways[1]] if starts else [best for best, _ in ways[0]]
    return chosen


def _summarise(
    fields: Mapping[str, FieldCells], tasks: Sequence[Labels], fold_N: np.ndarray, row_fold_N: np.ndarray | None, seed: int
) -> tuple[dict[str, Summary], np.ndarray]:
    """Return the fitted summary of each field, and the numbers of all training rows (N, K)."""
    encoded_NC = np.concatenate([labels.encoded_NC for labels in tasks], 1)
    known_NC = np.isfinite(encoded_NC)
    encoded_NC = np.nan_to_num(encoded_NC - np.nanmean(encoded_NC, 0))
    summaries: dict[str, Summary] = {}
    numbers: list[np.ndarray] = []
    for at, (name, field) in enumerate(fields.items()):
        cells = Cells(field.state, field.samples, field.index_N, encoded_NC, fold_N, row_fold_N, known_NC)
        summaries[name], numbers_NK = SUMMARIES[field.form].fit(cells, generator(Stream.TREES, seed, 1, at))
        numbers.append(numbers_NK)
    return summaries, np.concatenate(numbers, 1)


def _positions(summaries: Iterable[Summary]) -> list[list[list[int]]]:
    """Return the positions of the numbers of each field and of each of its columns among the numbers of all fields."""
    result, start = [], 0
    for summary in summaries:
        result.append([[start + at for at in column] for column in summary.columns])
        start += summary.width
    return result


class _Budget:
    """Divides the time until a deadline among boosters, some of which are trained at the same time."""

    def __init__(self, deadline: float, boosters: int, workers: int) -> None:
        self._deadline, self._left, self._workers, self._lock = deadline, boosters, workers, Lock()

    def next(self) -> float:
        """Return the time (``time.monotonic``) at which the next booster stops."""
        with self._lock:
            self._left -= 1
            now = time.monotonic()
            return now + max(0.0, self._deadline - now) * min(1.0, self._workers / (self._left + 1))


def _linear(labels: Labels, column: int, numbers_NK: np.ndarray, fold_N: np.ndarray) -> LinearFit | None:
    """Return the linear model of a column of labels; None if there is none."""
    outputs = labels.outputs if labels.objective == "softmax" else 1
    return linear_fit(numbers_NK, labels.target_NT[:, column], labels.weights_N, labels.objective, outputs, fold_N)


@dataclass(frozen=True, eq=False)
class _Job:
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

    @property
    def ways(self) -> Sequence[bool]:
        """Whether boosting starts from the linear model, by way to be tried."""
        return (False,) if self.linear is None else (False, True)

    @cached_property
    def start_NC(self) -> np.ndarray:
        """The predictions of the linear model for each row out of fold; (N,) if it has one output."""
        assert self.linear is not None
        start_NC = self.linear.out_of_fold(self.numbers_NK, self.fold_N)
        return start_NC if start_NC.shape[1] > 1 else start_NC[:, 0]

    def with_copies(self, both_MK: np.ndarray) -> _Job:
        """Return the job of the rows and a copy of each.

        :param both_MK: the numbers of the rows and of the copies (2 N, K); the jobs share them
        """
        return replace(self, numbers_NK=both_MK, labels=self.labels.twice, fold_N=np.tile(self.fold_N, 2))

    @cached_property
    def known_N(self) -> np.ndarray:
        """Whether each row has the label (N,)."""
        return np.asarray(np.isfinite(self.labels.target_NT[:, self.column]))

    @property
    def outputs(self) -> Sequence[int]:
        """The outputs of the task that the trees of a round belong to, in order."""
        return [self.column] if self.labels.boosters > 1 else range(self.labels.outputs)

    def best_round(self, config: TreesConfig, seed: int, inside_N: np.ndarray, budget: _Budget, starts: bool) -> tuple[int, float]:
        """Return the number of rounds at which a booster trained on the rows outside a fold has the smallest loss inside it, at least 1,
        and that loss.

        :param starts: whether boosting starts from the linear model
        """
        known_N, stop = self.known_N, budget.next()
        if not (known_N & ~inside_N).any() or not (known_N & inside_N).any():
            return 1, 0.0
        train = self._dataset(config, seed, known_N & ~inside_N, starts)
        booster = self._booster(config, seed, train)
        booster.add_valid(self._dataset(config, seed, known_N & inside_N, starts, train), "fold")
        first, best, best_round = np.inf, np.inf, 1
        for at in range(1, max(1, config.rounds // len(self.outputs)) + 1):
            if booster.update():
                break
            loss = booster.eval_valid()[0][2]
            first = loss if at == 1 else first
            if loss < (1 - _LEAST_GAIN) * best:
                best, best_round = loss, at
            late = at >= _FEWEST_ROUNDS and time.monotonic() > stop
            if at - best_round >= _PATIENCE or loss < _SMALL_LOSS * first or late:
                break
        return best_round, float(best)

    def trees(self, config: TreesConfig, seed: int, rounds: int) -> Sequence[Mapping[str, Any]]:
        """Return the trees of a booster that is trained on all rows for a number of rounds; below 0 = from the linear model."""
        if self.known_N.sum() < config.bags:  # too few rows have this target
            return [{"tree_structure": {"leaf_value": 0.0}}] * len(self.outputs)
        booster = self._booster(config, seed, self._dataset(config, seed, self.known_N, rounds < 0))
        for _ in range(abs(rounds)):
            if booster.update():
                break
        trees: Sequence[Mapping[str, Any]] = booster.dump_model()["tree_info"]
        return trees

    def _parameters(self, config: TreesConfig, seed: int) -> dict[str, Any]:
        """Return the parameters of LightGBM."""
        # One thread: the threads of LightGBM wait for each other after every step, and their number changes the last bits.
        parameters: dict[str, Any] = {
            "objective": _LIGHTGBM[self.labels.objective], "num_leaves": config.leaves,
            "learning_rate": min(1.0, config.learning_rate * len(self.outputs) ** 0.5),
            "max_depth": 12, "feature_fraction": 0.8, "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 10.0,
            "min_data_in_leaf": int(np.clip(self.known_N.sum() // 50, 2, 20)), "seed": seed, "num_threads": 1, "deterministic": True,
            "force_row_wise": True, "verbose": -1,
        }  # fmt: skip
        return parameters | ({"num_class": self.labels.outputs} if self.labels.objective == "softmax" else {})

    def _booster(self, config: TreesConfig, seed: int, train: Any) -> Any:
        """Return a booster without trees."""
        import lightgbm

        return lightgbm.Booster(self._parameters(config, seed), train)

    def _dataset(self, config: TreesConfig, seed: int, rows_N: np.ndarray, starts: bool, reference: Any = None) -> Any:
        """Return some rows as a data set of LightGBM."""
        import lightgbm

        weights = None if self.labels.weights_N is None else self.labels.weights_N[rows_N]
        return lightgbm.Dataset(
            self.numbers_NK[rows_N], self.labels.target_NT[rows_N, self.column], weight=weights, reference=reference,
            params=self._parameters(config, seed), init_score=self.start_NC[rows_N] if starts else None,
        )  # fmt: skip


def _folds(labels: Labels, unit_N: np.ndarray | None, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the fold of each row (N,): folds of nearly equal size, with similar labels; the rows of a unit share a fold."""
    label_N = np.nan_to_num(labels.target_NT[:, 0])
    units, first, unit_of_N = np.unique(np.arange(len(label_N)) if unit_N is None else unit_N, return_index=True, return_inverse=True)
    fold_U = np.empty(len(units), np.int64)
    fold_U[np.lexsort((rng.random(len(units)), label_N[first]))] = np.arange(len(units)) % count
    return fold_U[unit_of_N.reshape(-1)]


def _normal_scores(values_N: np.ndarray) -> np.ndarray:
    """Return the quantiles of a normal distribution at the ranks of the values; equal values have one score, missing ones none."""
    from scipy.special import ndtri

    known_N = np.isfinite(values_N)
    _, rank_N, count = np.unique(values_N[known_N], return_inverse=True, return_counts=True)
    middle = np.cumsum(count) - count / 2
    scores_N = np.full(len(values_N), np.nan)
    scores_N[known_N] = ndtri(middle / max(known_N.sum(), 1))[rank_N.reshape(-1)]
    return scores_N
