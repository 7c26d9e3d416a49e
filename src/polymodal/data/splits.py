"""Divide rows into training, validation, selection, calibration and test rows. The result depends on the seed and the rows' values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field as Setting
from pydantic import model_validator

from ..cells import date, is_empty, number
from ..config import Config
from ..errors import DataError, counted
from ..random_streams import Stream, generator
from .rare_classes import RareClasses

TRAIN, VALID, TEST, OUT, SELECT, CALIBRATE = 0, 1, 2, 3, 4, 5
FEW_ROWS = 3_000
"""Below this number of rows the default is cross-validation, whose models are averaged."""
_CALIBRATE_FROM, _CALIBRATE_TWICE, _CALIBRATE_SHARE, _STEP = 100, 200, 0.055, 20
"""The number of calibration rows (or groups) with folds: none below ``_CALIBRATE_FROM`` rows, then 19, from ``_CALIBRATE_TWICE`` rows 39,
and then about ``_CALIBRATE_SHARE`` of the rows. It is one less than a multiple of 20, so that sets of 80, 90 and 95 % have exactly that
coverage.
"""
_RARE = 16
"""Classes with fewer rows are distributed evenly over the parts, the others at random. If frequent classes were distributed evenly as well,
the most frequent class of the training rows would also be that of the validation rows: on 200 random binary labels, the reported accuracy
of a constant prediction would be 2.8 points higher than on new rows (stratification bias: Parker et al. 2007, BMC Bioinformatics 8:326)."""
_SELECT_OF_VALID, _SELECT_FROM, _SELECT_AT_LEAST = 3, 8, 4
"""The number of selection rows without folds: a third of the rows that are not trained on, but at least 8 if these are at most half of
them; none if that would be fewer than 4."""
_WORDS = {"train": TRAIN, "training": TRAIN, "valid": VALID, "val": VALID, "validation": VALID, "dev": VALID, "test": TEST,
          "训练": TRAIN, "验证": VALID, "测试": TEST}  # fmt: skip


class SplitConfig(Config):
    """How rows are divided into training, validation and test rows."""

    kind: Literal["auto", "random", "group", "time", "column", "folds"] = "auto"
    """auto = folds under 3,000 rows, else random; group = random by groups of rows; time = the latest rows are validation and test rows;
    column = by a column of the words train, valid and test; folds = cross-validation, one model per fold."""
    valid: float = Setting(0.15, gt=0, lt=0.9)
    """The fraction of rows that are not trained on (kinds random, group and time). A third of them are selection rows, which select the
    epoch; the others are validation rows, on which results are reported."""
    test: float = Setting(0.0, ge=0, lt=0.9)
    """The fraction of test rows, on which the model is measured once at the end."""
    folds: int = Setting(5, ge=2, le=20)
    """The number of folds (2 to 20), and thus of models. The training time increases with it."""
    group: str | None = None
    """The column of groups: rows with the same value in it stay in one part of the split. null = no groups."""
    column: str | None = None
    """The column to split by, for the kinds time and column; null = none."""
    copies: Literal["together", "ignore"] = "together"
    """together = copies of a row, and rows that share a long text or a file, stay in one part of the split (kinds random, group and folds);
    ignore = they are split like all other rows."""

    @model_validator(mode="after")
    def _complete(self) -> SplitConfig:
        """Raise ``ValueError`` if a setting that the kind of the split needs is missing, or too few rows are left for training."""
        if self.kind in ("time", "column") and self.column is None:
            raise ValueError(f"kind: {self.kind} needs 'column'")
        if self.kind == "group" and self.group is None:
            raise ValueError("kind: group needs 'group'")
        if self.valid + self.test >= 0.95:
            raise ValueError("valid + test leave too few rows to train on")
        return self

    @property
    def has_test_rows(self) -> bool:
        """Whether there may be test rows; a column of a table may name none."""
        return self.test > 0 or self.kind == "column"

    @property
    def columns(self) -> list[str]:
        """The columns that the split reads."""
        return [name for name in (self.group, self.column) if name is not None]


class TooFewRows(DataError):
    """A table has fewer rows than parts."""


@dataclass(frozen=True)
class Split:
    """The part and the fold of each row.

    Without folds, the single member is validated on the VALID rows, and its epoch is selected on the SELECT rows. With folds, a member is
    validated on the rows of its fold, and its epoch is selected on them as well (``ensemble.validation`` keeps the two apart); no member
    uses the CALIBRATE rows.

    :param part_N: uint8 (N,): TRAIN, SELECT, VALID, CALIBRATE, TEST or OUT. With folds, the rows of all folds are TRAIN
    :param fold_N: int8 (N,): the fold in which a row is a validation row, -1 = none
    :param folds: the number of folds, 0 = a single model
    :param half_N: uint8 (N,): the half of the validation rows of its fold that a row is in, 0 or 1
    """

    part_N: np.ndarray
    fold_N: np.ndarray
    folds: int
    half_N: np.ndarray

    @classmethod
    def single(cls, part_N: np.ndarray) -> Split:
        """Return the split of a single model.

        :param part_N: the part of each row
        """
        return cls(part_N.astype(np.uint8), np.full(len(part_N), -1, np.int8), 0, np.zeros(len(part_N), np.uint8))

    def member(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the training rows and the validation rows (0-based) of the member of a fold."""
        inside, own = self.part_N == TRAIN, self.fold_N == fold
        if not self.folds:
            return np.flatnonzero(inside), np.flatnonzero(self.part_N == VALID)
        return np.flatnonzero(inside & ~own), np.flatnonzero(inside & own)

    def halves(self, fold: int) -> tuple[np.ndarray, ...]:
        """Return the two halves of the validation rows (0-based) of the member of a fold; () without folds."""
        if not self.folds:
            return ()
        own = self.member(fold)[1]
        return own[self.half_N[own] == 0], own[self.half_N[own] == 1]

    @property
    def selecting(self) -> np.ndarray:
        """The selection rows (0-based); none with folds."""
        return np.flatnonzero(self.part_N == SELECT)

    @property
    def calibrating(self) -> np.ndarray:
        """The calibration rows (0-based), which are used only to calibrate the mean of all members."""
        return np.flatnonzero(self.part_N == CALIBRATE)

    @property
    def members(self) -> int:
        """The number of models that are trained."""
        return self.folds or 1

    @property
    def fitting(self) -> np.ndarray:
        """The rows (0-based) on which the states of modalities are fitted."""
        return np.flatnonzero(self.part_N == TRAIN)

    @property
    def fitting_N(self) -> np.ndarray:
        """Whether each row (N,) is one that states are fitted on."""
        result: np.ndarray = self.part_N == TRAIN
        return result


def split(
    config: SplitConfig,
    usable_N: np.ndarray,
    strata_N: np.ndarray,
    seed: int,
    group_N: np.ndarray | None = None,
    column_N: list[object] | None = None,
    classes: tuple[np.ndarray, np.ndarray] | None = None,
) -> Split:
    """Split rows into parts.

    Some rows of each rare class are kept for training, provided that validation rows remain (see ``rare_classes``).

    :param config: how to split
    :param usable_N: which rows are split; the others are OUT
    :param strata_N: the class or the rank of each row in the first target. Strata of fewer than 16 rows are distributed evenly over the
        parts
    :param seed: the random seed
    :param group_N: the number of each row's group; None = no groups
    :param column_N: the cells of ``config.column``, for the kinds time and column
    :param classes: pairs of a row (M,) and the number of one of its classes (M,); None = no rare classes are kept
    :raises TooFewRows: there are too few rows
    :raises DataError: a cell of ``config.column`` is invalid
    """
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
        # The earliest of the validation rows select the epoch, so that results are reported on the latest rows.
        part_N[order[border : border + _selecting(latest - border)]] = SELECT
        return Split.single(part_N)
    rng = generator(Stream.SPLIT, seed)
    folds = config.folds if config.kind == "folds" or (config.kind == "auto" and len(usable) < FEW_ROWS) else 0
    order, unit = _even_order(usable, strata_N, group_N, rng)
    units = int(unit.max()) + 1 if len(unit) else 0
    needed = max(folds, 2) + bool(config.test)
    if units < needed:
        what = "groups" if group_N is not None else "rows with a target"
        raise TooFewRows(f"{units} {what} to split; expected at least {needed}; provide more rows")
    test_unit = _every(np.arange(units), config.test, rng.random())
    rest = np.cumsum(~test_unit) - 1
    unit_N = np.full(rows, -1, np.int64)
    unit_N[order] = unit
    rare = None if classes is None else RareClasses(unit_N, *classes)
    if folds:
        count = units - int(test_unit.sum())
        apart = np.isin(np.arange(units), rng.permutation(np.flatnonzero(~test_unit))[: _calibrating(count)])
        part_N[order] = np.where(test_unit[unit], TEST, np.where(apart[unit], CALIBRATE, TRAIN))
        dealt = np.cumsum(~(test_unit | apart)) - 1
        fold_N[order] = np.where((test_unit | apart)[unit], -1, dealt[unit] % folds)
        half_N[order] = dealt[unit] // folds % 2
        if rare is not None:
            rare.move_to_training(part_N, CALIBRATE, 2, 1)
            rare.move_to_training(part_N, TEST, 1, 1)
            moved_N = (part_N == TRAIN) & (fold_N < 0)
            fold_N[moved_N] = unit_N[moved_N] % folds
            rare.spread_over_folds(part_N == TRAIN, fold_N, folds)
        return Split(part_N, fold_N, folds, half_N)
    share = config.valid / (1 - config.test)
    valid_unit = _every(rest, share, rng.random()) & ~test_unit
    if not valid_unit.any():
        valid_unit[np.flatnonzero(~test_unit)[0]] = True
    part_N[order] = np.where(test_unit[unit], TEST, np.where(valid_unit[unit], VALID, TRAIN))
    if rare is not None:
        for part, count in ((VALID, int(valid_unit.sum())), (TEST, int(test_unit.sum()))):
            rare.move_to_training(part_N, part, 1, 1)
            if config.group is None:
                rare.move_to_training(part_N, part, 2, -(-count // 2))
    part_N[selection(np.flatnonzero(part_N == VALID), strata_N, group_N, seed)] = SELECT
    return Split.single(part_N)


def selection(rows: np.ndarray, strata_N: np.ndarray, group_N: np.ndarray | None, seed: int) -> np.ndarray:
    """Return the selection rows among rows that are not trained on. The others are validation rows.

    :param rows: the rows (0-based) that are not trained on
    :param strata_N: the class, or the rank, of every row of the table; rare strata are distributed evenly over both
    :param group_N: the group of every row of the table; rows of one group stay together. None = no groups
    :param seed: the random seed
    :returns: some of ``rows``, ascending; none if they are too few for both
    """
    if not len(rows):
        return rows
    rng = generator(Stream.CALIBRATION_ROWS, seed)
    order, unit = _even_order(rows, strata_N, group_N, rng)
    units = int(unit.max()) + 1
    chosen = _every(np.arange(units), _selecting(units) / units, rng.random())
    return np.sort(order[chosen[unit]])


def _selecting(units: int) -> int:
    """Return the number of selection rows (or groups) among ``units`` that are not trained on."""
    count = max(units // _SELECT_OF_VALID, min(_SELECT_FROM, units // 2))
    return count if count >= _SELECT_AT_LEAST else 0


def _calibrating(units: int) -> int:
    """Return the number of calibration rows (or groups) among ``units`` with folds."""
    if units < _CALIBRATE_FROM:
        return 0
    return _STEP * max(1 + (units >= _CALIBRATE_TWICE), round(_CALIBRATE_SHARE * units / _STEP)) - 1


def _even_order(
    usable: np.ndarray, strata_N: np.ndarray, group_N: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows in an order in which every k-th row samples rare strata evenly, and the number of each row's unit (itself, or its
    group)."""
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
    """Return which positions are selected: an evenly spaced ``share`` of them."""
    return np.floor((at + 1) * share + offset) > np.floor(at * share + offset)


def _by_column(config: SplitConfig, usable: np.ndarray, cells: list[object]) -> np.ndarray:
    """Return the part of each usable row by the cells of a column.

    :raises DataError: a cell is not train, valid or test, or no row has the value train or valid
    """
    parts = np.empty(len(usable), np.uint8)
    for at, row in enumerate(usable):
        word = str(cells[row]).strip().casefold()
        if word not in _WORDS:
            value, fix = _described(cells[row])
            raise DataError(
                f"row {row + 1}, column {config.column!r}: {value}; expected train, valid or test; {fix}, or "
                f"use the column as groups with data.split.kind=group data.split.group={config.column}"
            )
        parts[at] = _WORDS[word]
    for part, name in ((TRAIN, "train"), (VALID, "valid")):
        if not (parts == part).any():
            raise DataError(f"column {config.column!r}: no row has the value {name}; expected at least one; set it in some rows")
    return parts


def _described(cell: object) -> tuple[str, str]:
    """Return a description of an invalid cell, and how to fix it."""
    if is_empty(cell):
        return "an empty cell", "fill it, or remove that row from the table"
    return f"found {str(cell)[:40]!r}", "correct the cell"


def _by_time(config: SplitConfig, usable: np.ndarray, cells: list[object]) -> np.ndarray:
    """Return the usable rows in the order of the dates or numbers in a column.

    :raises DataError: a cell is neither a date nor a number, or there are fewer than three rows
    """
    times = np.empty(len(usable))
    for at, row in enumerate(usable):
        cell = cells[row]
        moment = date(cell)
        if moment is None:
            moment = number(cell)
        if moment is None:
            value, fix = _described(cell)
            raise DataError(
                f"row {row + 1}, column {config.column!r}: {value}; expected a date or a number; {fix}, or split otherwise: "
                f"data.split.kind=random"
            )
        times[at] = moment
    if len(usable) < 3:
        raise DataError(f"{counted(len(usable), 'row')} to split by time; expected at least 3")
    return usable[np.argsort(times, kind="stable")]
