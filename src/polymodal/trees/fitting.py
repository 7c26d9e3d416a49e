"""Training of boosted trees by LightGBM (Ke et al. 2017, "LightGBM: A highly efficient gradient boosting decision tree").

The training rows of a model are divided into folds. Boosters are trained without each fold, and the rows of that fold decide which number
of rounds is best, whether boosting starts from a linear model, and whether the thresholds of splits are the best ones, random ones, or both
in different boosters. Then boosters are trained on all training rows for the mean number of rounds, and their mean votes. One more is
trained on these rows and on copies of them that lack cells, and votes on rows that lack what every training row has. The same folds give
the out-of-fold numbers of the summaries. No other row is used, so that the vote on validation rows is one of trees that have not met them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..flow import Form, Sample, State
from ..random_streams import Stream, generator, seed_of
from .boosted import BoostedTrees
from .config import TreesConfig
from .ensemble import Trees, tables_of
from .hiding import with_hidden
from .jobs import Budget, Chosen, Job, Labels, Trial, Way
from .start import LinearFit, linear_fit, start_of
from .summaries import SUMMARIES, Cells, Summary

MOST_OUTPUTS = 32
"""The maximum number of outputs of a task that trees learn: a round adds a tree for each output."""
FEWEST_ROWS = 200
"""The minimum number of training rows for trees. Fewer rows determine neither the number of rounds nor the weight of one more vote."""
_LARGE = 2**18
"""Below this number of numbers, boosters are trained one at a time: rounds are then so short that threads wait for the interpreter."""


_TRIALS = 0.65
"""The part of the time under a deadline that trials may take; the rest is for the boosters that are trained on all rows."""


@dataclass(frozen=True)
class FieldCells:
    """The cells of one field: its form and state, the distinct samples (U), and the position of each row's sample (N,), -1 = missing."""

    form: Form
    state: State
    samples: Sequence[Sample]
    index_N: np.ndarray


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
    chosen: Sequence[Chosen] | None = None,
    deadline: float = float("inf"),
    repeats: bool = False,
) -> tuple[BoostedTrees, list[Chosen]]:
    """Train the trees of all tasks. Return the voter and what was chosen for its boosters, by task and column of labels.

    :param fields: the cells of each field in the training rows, each of which has a target of some task
    :param places: the position of each of these fields among the model's fields
    :param tasks: what the trees learn, by task
    :param unit_N: rows with the same number stay in one fold; None = each row by itself
    :param workers: the number of boosters that are trained at a time; it changes no bit
    :param chosen: what an earlier run that is repeated has chosen; None = losses out of fold decide
    :param deadline: the time (``time.monotonic``) at which all boosters have stopped, approximately
    :param repeats: whether texts that recur have the mean targets of their rows
    """
    fold_N = folds_of(tasks[0], unit_N, config.bags, generator(Stream.TREES, seed, 0))
    row_fold_N = folds_of(tasks[0], None, config.bags, generator(Stream.TREES, seed, 4)) if repeats else None
    summaries, numbers_NK = _summarise(fields, tasks, fold_N, row_fold_N, seed)
    jobs = [
        Job(task, column, numbers_NK, labels, _linear(labels, column, numbers_NK, fold_N), fold_N)
        for task, labels in enumerate(tasks) for column in range(labels.boosters)
    ]  # fmt: skip
    hidden_NK = with_hidden(numbers_NK, _positions(summaries.values()), generator(Stream.TREES, seed, 5))
    both_MK = None if hidden_NK is None else np.concatenate([numbers_NK, hidden_NK])
    workers = workers if numbers_NK.size >= _LARGE else 1

    def trained(final: _Final) -> Sequence[Mapping[str, Any]]:
        job = final.job
        return job.trees(config, seed_of(Stream.TREES, seed, 3, job.task, job.column, final.number, bits=31), final.rounds, final.way)

    with ThreadPoolExecutor(workers) as pool:
        decided = list(chosen) if chosen is not None else _choose(jobs, config, seed, deadline, both_MK is not None, pool, workers)
        finals: list[_Final] = []
        for job, one in zip(jobs, decided, strict=True):
            of_job = one.boosters(config.boosters)
            finals += [_Final(job, way, rounds, number, 1 / len(of_job)) for way, rounds, number in of_job]
        robust: list[_Final] = []
        if both_MK is not None:
            robust += [_Final(job.with_copies(both_MK), *one.robust, config.boosters, 1.0) for job, one in zip(jobs, decided, strict=True)]
        boosters = list(pool.map(trained, robust + finals))  # the longest ones first

    def trees_of(some: Sequence[_Final], trees: Sequence[Sequence[Mapping[str, Any]]]) -> list[Trees]:
        made = []
        for task, labels in enumerate(tasks):
            own = [(of, final.job.outputs, final.share) for final, of in zip(some, trees, strict=True) if final.job.task == task]
            made.append(Trees(tables_of(own), numbers_NK.shape[1], labels.outputs))
        return made

    others = None
    if robust:
        complete_TK = torch.from_numpy(_complete(jobs, len(tasks), summaries.values()))
        others = trees_of(robust, boosters[: len(robust)]), complete_TK
    starts = {}
    for task, labels in enumerate(tasks):
        linear = [job for job, one in zip(jobs, decided, strict=True) if job.task == task and one.linear]
        if fits := [(job.outputs, job.linear) for job in linear if job.linear is not None]:
            starts[task] = start_of(fits, labels.outputs)
    return BoostedTrees(summaries, trees_of(finals, boosters[len(robust) :]), places, others, starts), decided


@dataclass(frozen=True, eq=False)
class _Final:
    """A booster that is trained on all rows of its job.

    :param number: the number of the booster among those of its way, for its random numbers
    :param share: the weight of its vote
    """

    job: Job
    way: Way
    rounds: int
    number: int
    share: float


def _choose(
    jobs: Sequence[Job], config: TreesConfig, seed: int, deadline: float, has_copies: bool, pool: ThreadPoolExecutor, workers: int
) -> list[Chosen]:
    """Return what has the smallest loss out of fold for each job: the start, then the thresholds of splits, or both kinds of them.
    Rounds for which the time is too short are left out.

    :param deadline: the time (``time.monotonic``) at which the boosters on all rows have stopped
    :param has_copies: whether one more booster of each job learns all rows and a copy of each
    """

    def tried(ways: Sequence[tuple[Job, Way]], until: float) -> list[list[Trial]]:
        budget = Budget(until, config.bags * len(ways), workers)

        def one(trial: tuple[int, tuple[Job, Way]]) -> Trial:
            fold, (job, way) = trial
            return job.trial(config, seed_of(Stream.TREES, seed, 2, job.task, job.column, fold, bits=31), fold, budget.next(), way)

        done = list(pool.map(one, [(fold, way) for fold in range(config.bags) for way in ways]))  # so that ways lose time alike
        return [done[at :: len(ways)] for at in range(len(ways))]

    now = time.monotonic()
    first = [(job, Way(linear)) for job in jobs for linear in ((False,) if job.linear is None else (False, True))]
    ends = [now + (deadline - now) * _TRIALS * part for part in (len(first) / (len(first) + len(jobs)), 1.0)]
    best: dict[Job, tuple[float, bool, list[Trial]]] = {}
    for (job, way), trials in zip(first, tried(first, ends[0]), strict=True):
        loss = job.loss([trials])
        if job not in best or loss < best[job][0]:
            best[job] = loss, way.linear, trials
    chosen: list[Chosen] = []
    seconds: list[float] = []
    second = [(job, Way(best[job][1], random=True)) for job in jobs]
    for (job, way), random in zip(second, tried(second, ends[1]), strict=True):
        loss, _, exact = best[job]
        taken = int(np.argmin([loss, job.loss([random]), job.loss([exact, random])]))
        rounds = [[trial.rounds for trial in trials if trial.scores is not None] or [1] for trials in (exact, random)]
        chosen.append(Chosen(way.linear, rounds[0] if taken != 1 else [], rounds[1] if taken != 0 else []))
        seconds += _seconds(chosen[-1], config, {False: exact, True: random}, has_copies)
    left, needed = max(0.0, deadline - time.monotonic()), max([sum(seconds) / workers, *seconds])
    share = left / needed if needed > left else 1.0
    return [one.scaled(share) for one in chosen]


def _seconds(chosen: Chosen, config: TreesConfig, trials: Mapping[bool, Sequence[Trial]], has_copies: bool) -> list[float]:
    """Return the estimated seconds of each booster of a job that is trained on all rows.

    :param trials: the trials with random thresholds (True) and without; each leaves out one of ``config.bags`` folds
    :param has_copies: see ``_choose``
    """
    of_round = {random: sum(trial.seconds for trial in made) / (config.bags - 1) for random, made in trials.items()}
    way, rounds = chosen.robust
    robust = [2 * rounds * of_round[way.random]] if has_copies else []
    return robust + [rounds * of_round[way.random] for way, rounds, _ in chosen.boosters(config.boosters)]


def _complete(jobs: Sequence[Job], tasks: int, summaries: Iterable[Summary]) -> np.ndarray:
    """Return whether every training row with a label of a task has a number (tasks, K), for numbers that a cell which is there has."""
    may_lack_K = np.concatenate([np.arange(summary.width) >= summary.width - summary.optional for summary in summaries])
    complete_TK = np.zeros((tasks, len(may_lack_K)), bool)
    for job in jobs:
        complete_TK[job.task] |= ~np.isnan(job.numbers_NK[job.known_N]).any(0)
    return np.asarray(complete_TK & ~may_lack_K)


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


def _linear(labels: Labels, column: int, numbers_NK: np.ndarray, fold_N: np.ndarray) -> LinearFit | None:
    """Return the linear model of a column of labels; None if there is none."""
    outputs = labels.outputs if labels.objective == "softmax" else 1
    return linear_fit(numbers_NK, labels.target_NT[:, column], labels.weights_N, labels.objective, outputs, fold_N)


def folds_of(labels: Labels, unit_N: np.ndarray | None, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the fold of each row (N,): folds of nearly equal size, with similar labels; the rows of a unit share a fold."""
    label_N = np.nan_to_num(labels.target_NT[:, 0])
    units, first, unit_of_N = np.unique(np.arange(len(label_N)) if unit_N is None else unit_N, return_index=True, return_inverse=True)
    fold_U = np.empty(len(units), np.int64)
    fold_U[np.lexsort((rng.random(len(units)), label_N[first]))] = np.arange(len(units)) % count
    return fold_U[unit_of_N.reshape(-1)]
