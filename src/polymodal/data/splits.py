"""Which rows train, which validate, which test: a function of the seed and the rows' own values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field as Setting
from pydantic import model_validator

from ..cells import date, is_empty, number
from ..config import Config
from ..errors import DataError
from .rare_classes import Keeping

TRAIN, VALID, TEST, OUT, SELECT, CALIBRATE = 0, 1, 2, 3, 4, 5
FEW_ROWS = 3_000
"""Under this many rows the default is folds whose models are averaged: nearly every row trains some of them, and validates once."""
_CALIBRATE_FROM, _CALIBRATE_TWICE, _CALIBRATE_SHARE, _STEP = 100, 200, 0.055, 20
"""Under folds some rows (or groups) calibrate the mean of all members, from so many on: 19, from the second on 39, then about this share.
One less than a multiple of 20, so that sets of 80, 90 and 95 % have exactly that coverage."""
_RARE = 16
"""Classes of fewer rows are dealt evenly over the parts, the others at random. Were frequent classes dealt evenly too, the most frequent
one of the rows that train would be that of the rows that validate, by chance of the table: on 200 coin labels a constant answer would be
reported 2.8 points better than it is on new rows (stratification bias: Parker et al. 2007, BMC Bioinformatics 8:326)."""
_SELECT_OF_VALID, _SELECT_FROM, _SELECT_AT_LEAST = 3, 8, 4
"""Without folds one in so many of the rows that are held out selects the epoch, 8 at least if that is no more than half of them; none where
that would be fewer than the third."""
_WORDS = {"train": TRAIN, "training": TRAIN, "valid": VALID, "val": VALID, "validation": VALID, "dev": VALID, "test": TEST,
          "训练": TRAIN, "验证": VALID, "测试": TEST}  # fmt: skip


class SplitConfig(Config):
    """How rows are split."""

    kind: Literal["auto", "random", "group", "time", "column", "folds"] = "auto"
    """auto = folds under 3,000 rows, else random; group = random by ``group``; time = the latest rows validate and test;
    column = a column says train, valid or test; folds = as many models as folds, averaged."""
    valid: float = Setting(0.15, gt=0, lt=0.9)
    """Share of rows held out of training (random, group, time). A third of them selects the epoch (the selection rows); the other rows
    are what figures are reported on (the validation rows)."""
    test: float = Setting(0.0, ge=0, lt=0.9)
    """Share of rows held out to the end and only then measured."""
    folds: int = Setting(5, ge=2, le=20)
    """How many folds, and so models. Cost grows with it."""
    group: str | None = None
    """Rows with the same value in this column stay on one side."""
    column: str | None = None
    """The column to split by (kinds time and column)."""
    copies: Literal["together", "ignore"] = "together"
    """together = copies of a row, and rows that share a long text or a file, stay on one side (random, group, folds); ignore = they are
    split like any other rows."""

    @model_validator(mode="after")
    def _complete(self) -> SplitConfig:
        if self.kind in ("time", "column") and self.column is None:
            raise ValueError(f"kind: {self.kind} needs 'column'")
        if self.kind == "group" and self.group is None:
            raise ValueError("kind: group needs 'group'")
        if self.valid + self.test >= 0.95:
            raise ValueError("valid + test leave too few rows to train on")
        return self

    @property
    def columns(self) -> list[str]:
        """The columns that the split reads."""
        return [name for name in (self.group, self.column) if name is not None]


@dataclass(frozen=True)
class Split:
    """Which part each row is in, and which fold it validates in.

    Without folds, VALID rows validate the one member, and SELECT rows select its epoch. Under folds, the rows of a fold validate its member
    and select its epoch (``ensemble.validation`` says how both are kept apart), and no member sees the CALIBRATE rows.

    :param part_N: uint8 (N,): TRAIN, SELECT, VALID, CALIBRATE, TEST or OUT. Under folds, rows that have a fold are TRAIN
    :param fold_N: int8 (N,): the fold that a row validates in, -1 = none
    :param folds: the number of folds, 0 = one model
    :param half_N: uint8 (N,): which half of the validation rows of its fold a row is in, 0 or 1
    """

    part_N: np.ndarray
    fold_N: np.ndarray
    folds: int
    half_N: np.ndarray

    @classmethod
    def single(cls, part_N: np.ndarray) -> Split:
        """Of one model, from the part of each row."""
        return cls(part_N.astype(np.uint8), np.full(len(part_N), -1, np.int8), 0, np.zeros(len(part_N), np.uint8))

    def member(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """The rows (0-based) that the member of one fold trains on, and those that it is validated on."""
        inside, own = self.part_N == TRAIN, self.fold_N == fold
        if not self.folds:
            return np.flatnonzero(inside), np.flatnonzero(self.part_N == VALID)
        return np.flatnonzero(inside & ~own), np.flatnonzero(inside & own)

    def halves(self, fold: int) -> tuple[np.ndarray, ...]:
        """The two halves (0-based) of the rows that validate the member of one fold; () without folds."""
        if not self.folds:
            return ()
        own = self.member(fold)[1]
        return own[self.half_N[own] == 0], own[self.half_N[own] == 1]

    @property
    def selecting(self) -> np.ndarray:
        """The rows (0-based) that select the epoch of the one member; none under folds."""
        return np.flatnonzero(self.part_N == SELECT)

    @property
    def calibrating(self) -> np.ndarray:
        """The rows (0-based) that calibrate the mean of all members, and that nothing else is done with."""
        return np.flatnonzero(self.part_N == CALIBRATE)

    @property
    def members(self) -> int:
        """How many models the split asks for."""
        return self.folds or 1

    @property
    def fitting(self) -> np.ndarray:
        """The rows that states are fitted on."""
        return np.flatnonzero(self.part_N == TRAIN)

    @property
    def fitting_N(self) -> np.ndarray:
        """Whether each row (N,) is one that states are fitted on."""
        return self.part_N == TRAIN


def split(
    config: SplitConfig,
    usable_N: np.ndarray,
    strata_N: np.ndarray,
    seed: int,
    group_N: np.ndarray | None = None,
    column_N: list[object] | None = None,
    classes: tuple[np.ndarray, np.ndarray] | None = None,
) -> Split:
    """Split the rows where ``usable_N``. Of ``strata_N`` (class or rank of the first target) those of fewer than 16 rows are spread evenly
    over the parts; ``group_N`` are group numbers; ``column_N`` the cells of ``config.column``; ``classes`` pairs (M,) of a row and the
    number of a class that it has. Of a rare class some rows are kept for training, as far as that leaves rows to validate on (see
    ``keeping``)."""
    rows = len(usable_N)
    part_N = np.full(rows, OUT, np.uint8)
    fold_N = np.full(rows, -1, np.int8)
    half_N = np.zeros(rows, np.uint8)
    usable = np.flatnonzero(usable_N)
    if config.kind == "column":
        part_N[usable] = _by_column(config, usable, column_N or [])
        part_N[selection(np.flatnonzero(part_N == VALID), strata_N, group_N, seed)] = SELECT
        return Split.single(part_N)
    if config.kind == "time":
        order = _by_time(config, usable, column_N or [])
        latest = len(order) - round(config.test * len(order))
        border = latest - max(1, round(config.valid * len(order)))
        part_N[order[:border]], part_N[order[border:latest]], part_N[order[latest:]] = TRAIN, VALID, TEST
        part_N[order[border : border + _selecting(latest - border)]] = SELECT  # the earliest: the report is of the latest
        return Split.single(part_N)
    rng = np.random.default_rng([seed, 7])
    folds = config.folds if config.kind == "folds" or (config.kind == "auto" and len(usable) < FEW_ROWS) else 0
    order, unit = _even_order(usable, strata_N, group_N, rng)
    units = int(unit.max()) + 1 if len(unit) else 0
    needed = max(folds, 2) + bool(config.test)
    if units < needed:
        what = "groups" if group_N is not None else "rows with a target"
        raise DataError(f"{units} {what} to split; expected at least {needed}; bring more rows")
    test_unit = _every(np.arange(units), config.test, rng.random())
    rest = np.cumsum(~test_unit) - 1
    unit_N = np.full(rows, -1, np.int64)
    unit_N[order] = unit
    rare = None if classes is None else Keeping(unit_N, *classes)
    if folds:
        count = units - int(test_unit.sum())
        apart = np.isin(np.arange(units), rng.permutation(np.flatnonzero(~test_unit))[: _calibrating(count)])
        part_N[order] = np.where(test_unit[unit], TEST, np.where(apart[unit], CALIBRATE, TRAIN))
        dealt = np.cumsum(~(test_unit | apart)) - 1
        fold_N[order] = np.where((test_unit | apart)[unit], -1, dealt[unit] % folds)
        half_N[order] = dealt[unit] // folds % 2
        if rare is not None:
            rare.out_of(part_N, CALIBRATE, 2, 1)
            rare.out_of(part_N, TEST, 1, 1)
            moved_N = (part_N == TRAIN) & (fold_N < 0)
            fold_N[moved_N] = unit_N[moved_N] % folds
            rare.over_folds(part_N == TRAIN, fold_N, folds)
        return Split(part_N, fold_N, folds, half_N)
    share = config.valid / (1 - config.test)
    valid_unit = _every(rest, share, rng.random()) & ~test_unit
    if not valid_unit.any():
        valid_unit[np.flatnonzero(~test_unit)[0]] = True
    part_N[order] = np.where(test_unit[unit], TEST, np.where(valid_unit[unit], VALID, TRAIN))
    if rare is not None:
        for part, count in ((VALID, int(valid_unit.sum())), (TEST, int(test_unit.sum()))):
            rare.out_of(part_N, part, 1, 1)
            if config.group is None:
                rare.out_of(part_N, part, 2, -(-count // 2))
    part_N[selection(np.flatnonzero(part_N == VALID), strata_N, group_N, seed)] = SELECT
    return Split.single(part_N)


def selection(rows: np.ndarray, strata_N: np.ndarray, group_N: np.ndarray | None, seed: int) -> np.ndarray:
    """Which of these ``rows`` (0-based), which were held out of training, select the epoch; the others validate.

    :param strata_N: the class, or the rank, of every row of the table; those of few rows are spread evenly over both
    :param group_N: the group of every row of the table; rows of one group are on one side. None = each row by itself
    :returns: some of ``rows``, ascending; none where they are too few for both
    """
    if not len(rows):
        return rows
    rng = np.random.default_rng([seed, 31])
    order, unit = _even_order(rows, strata_N, group_N, rng)
    units = int(unit.max()) + 1
    chosen = _every(np.arange(units), _selecting(units) / units, rng.random())
    return np.sort(order[chosen[unit]])


def _selecting(units: int) -> int:
    """How many of so many rows (or groups) that are held out select the epoch."""
    count = max(units // _SELECT_OF_VALID, min(_SELECT_FROM, units // 2))
    return count if count >= _SELECT_AT_LEAST else 0


def _calibrating(units: int) -> int:
    """How many of so many rows (or groups) calibrate the mean of all members under folds."""
    if units < _CALIBRATE_FROM:
        return 0
    return _STEP * max(1 + (units >= _CALIBRATE_TWICE), round(_CALIBRATE_SHARE * units / _STEP)) - 1


def _even_order(
    usable: np.ndarray, strata_N: np.ndarray, group_N: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows in an order in which every k-th is an even draw of rare strata, and the number of each row's unit (itself, or its group)."""
    _, strata, counts = np.unique(strata_N[usable], return_inverse=True, return_counts=True)
    even = np.where(counts[strata] < _RARE, strata, len(counts))
    if group_N is None:
        order = usable[np.lexsort((rng.random(len(usable)), even))]
        return order, np.arange(len(order))
    groups, first, inverse = np.unique(group_N[usable], return_index=True, return_inverse=True)
    ranked = np.lexsort((rng.random(len(groups)), even[first]))
    place = np.empty(len(groups), np.int64)
    place[ranked] = np.arange(len(groups))
    return usable, place[inverse]


def _every(at: np.ndarray, share: float, offset: float) -> np.ndarray:
    """True at an even ``share`` of positions."""
    return np.floor((at + 1) * share + offset) > np.floor(at * share + offset)


def _by_column(config: SplitConfig, usable: np.ndarray, cells: list[object]) -> np.ndarray:
    parts = np.empty(len(usable), np.uint8)
    for at, row in enumerate(usable):
        word = str(cells[row]).strip().casefold()
        if word not in _WORDS:
            found, fix = _found(cells[row])
            raise DataError(
                f"row {row + 1}, column {config.column!r}: {found}; expected train, valid or test; {fix}, or "
                f"split by it otherwise with data.split.kind=group data.split.group={config.column}"
            )
        parts[at] = _WORDS[word]
    for part, name in ((TRAIN, "train"), (VALID, "valid")):
        if not (parts == part).any():
            raise DataError(f"column {config.column!r}: no row says {name}; expected some")
    return parts


def _found(cell: object) -> tuple[str, str]:
    """What a cell holds, and how to fix it."""
    if is_empty(cell):
        return "an empty cell", "fill it, or take that row out of the table"
    return f"found {str(cell)[:40]!r}", "correct the cell"


def _by_time(config: SplitConfig, usable: np.ndarray, cells: list[object]) -> np.ndarray:
    times = np.empty(len(usable))
    for at, row in enumerate(usable):
        cell = cells[row]
        moment = date(cell)
        if moment is None:
            moment = number(cell)
        if moment is None:
            found, fix = _found(cell)
            raise DataError(
                f"row {row + 1}, column {config.column!r}: {found}; expected a date or a number; {fix}, or split otherwise: "
                f"data.split.kind=random"
            )
        times[at] = moment
    if len(usable) < 3:
        raise DataError(f"{len(usable)} rows to split by time; expected at least 3")
    return usable[np.argsort(times, kind="stable")]
