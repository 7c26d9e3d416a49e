"""The rows that train, choose and measure in each round of a comparison.

Some rows choose in all rounds (when training stops, the weights of votes, the settings and the contenders that go on) and never measure.
The others are divided into as many parts as there are rounds; each part is measured once, by models trained on the other parts. If a
column or time determines the parts, all rounds measure the same rows and differ in their seeds.

Shapes: ``N`` rows of the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.reading import groups_of
from ..data.sources import Source
from ..data.splits import CALIBRATE, OUT, SELECT, TEST, TRAIN, VALID, Split, SplitConfig
from ..ensemble.clusters import clusters_of
from ..errors import DataError, counted, spelled
from ..experiment import Experiment
from ..preparation import Prepared
from ..random_streams import Stream, generator

_FOLDS, _FEWEST, _CHOOSE = 20, 7, 0.15
MOST_MEASURED = 5_000
"""The maximum number of rows measured in a round."""


def dealt(experiment: Experiment, source: Source, rounds: int) -> Experiment:
    """Return the experiment with a split from which ``Rounds`` can be made.

    :param source: its table
    :param rounds: the number of rounds
    :raises DataError: there are too few rows or groups
    """
    given = experiment.data.split
    if given.kind == "column":
        split = given
    elif given.kind == "time":
        split = given.model_copy(update={"test": given.test or 0.2})
    else:
        units = source.rows
        if given.group is not None:
            source.check([given.group])
            units = len(np.unique(groups_of(source, given.group)))
        folds = min(_FOLDS, max(_FEWEST, units // 3))
        if folds - _choosing(folds) < rounds:
            fix = f"take fewer ({spelled('--rounds 3', 'rounds=3')})"
            raise DataError(f"{source.name}: {counted(units, 'row')} or groups of rows; too few for {rounds} rounds; {fix}")
        split = SplitConfig(kind="folds", folds=folds, group=given.group, test=given.test, copies=given.copies)
    return experiment.model_copy(update={"data": experiment.data.model_copy(update={"split": split})})


def _choosing(folds: int) -> int:
    """Return the number of folds whose rows choose."""
    return max(1, round(_CHOOSE * folds))


@dataclass(frozen=True)
class Rounds:
    """The rows of each round, as 0-based row numbers.

    ``choose`` are the rows that choose; ``train`` and ``measure`` are, by round, the rows that may train and those that measure. Rows with
    the same number in ``cluster_N`` (of a group, or with the same costly cell) are sampled together.
    """

    choose: np.ndarray
    train: Sequence[np.ndarray]
    measure: Sequence[np.ndarray]
    cluster_N: np.ndarray

    @classmethod
    def of(cls, prepared: Prepared, rounds: int) -> Rounds:
        """Return the rounds of prepared data.

        :param prepared: data with a split that ``dealt`` made
        :param rounds: the number of rounds
        :raises DataError: there are no rows to measure on, or too few rows
        """
        split, cluster_N = prepared.split, clusters_of(prepared, prepared.train)
        if not split.folds:
            measured, only = (np.flatnonzero(split.part_N == part) for part in (TEST, TRAIN))
            choose = np.flatnonzero(np.isin(split.part_N, (SELECT, VALID)))
            if not len(measured):
                column = prepared.experiment.data.split.column
                raise DataError(
                    f"{prepared.train.source.name}, column {column!r}: no row has the value test; expected some to measure on, besides "
                    f"the rows with valid, which choose; write test in some rows"
                )
            return cls(choose, [only] * rounds, [_some(measured, MOST_MEASURED, cluster_N, 0)] * rounds, cluster_N)
        inside_N, first = split.part_N == TRAIN, split.folds - _choosing(split.folds)
        choose = np.flatnonzero((inside_N & (split.fold_N >= first)) | (split.part_N == CALIBRATE))
        part_N = np.where(inside_N & (split.fold_N < first), split.fold_N % rounds, -1)
        train = [np.flatnonzero((part_N >= 0) & (part_N != at)) for at in range(rounds)]
        measure = [_some(np.flatnonzero(part_N == at), MOST_MEASURED, cluster_N, at) for at in range(rounds)]
        for at in range(rounds):
            if not len(choose) or not len(train[at]) or not len(measure[at]):
                raise DataError(
                    f"{prepared.train.source.name}: too few rows for {rounds} rounds; take fewer ({spelled('--rounds 3', 'rounds=3')})"
                )
        return cls(choose, train, measure, cluster_N)

    @property
    def overlap(self) -> float:
        """The number of measured rows divided by the number of training rows: 1 / (parts - 1)."""
        return 1 / max(len(self.train) - 1, 1)

    @property
    def most(self) -> int:
        """The number of rows that every round can train on."""
        return min(map(len, self.train))

    def split(self, at: int, rows: int, seed: int) -> Split:
        """Return the split of a round.

        :param at: the round
        :param rows: the approximate number of training rows; ``choosing_for`` gives that of the rows that choose
        :param seed: the seed by which rows are sampled
        """
        part_N = np.full(len(self.cluster_N), OUT, np.uint8)
        part_N[_some(self.train[at], rows, self.cluster_N, seed, 1, at)] = TRAIN
        part_N[_some(self.choose, choosing_for(rows), self.cluster_N, seed, 2, at)] = VALID
        return Split.single(part_N)


def choosing_for(rows: int) -> int:
    """Return the maximum number of rows that choose: the number of training rows, but 200 to 400, or a third of more than 1,200."""
    return max(200, min(rows, 400), rows // 3)


def _some(rows: np.ndarray, count: int, cluster_N: np.ndarray, *seed: int) -> np.ndarray:
    """Return about ``count`` of the rows at most, ascending, sampled by the seed in whole clusters. A larger count returns the rows of a
    smaller one, and more."""
    if len(rows) <= count:
        return rows
    clusters, unit = np.unique(cluster_N[rows], return_inverse=True)
    order = generator(Stream.ROUND_ROWS, seed).permutation(len(clusters))
    size = np.bincount(unit, minlength=len(clusters))[order]
    taken = order[: max(1, int(np.searchsorted(np.cumsum(size), count, side="right")))]
    return rows[np.isin(unit, taken)]
