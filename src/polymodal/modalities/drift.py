"""Differences between the columns of a table to predict and the training rows: numbers in another range or unit, and new categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..cells import Writing, category
from ..flow import Cell, Sample, State
from ..language import Sentence
from .arrays import HUGE
from .column_values import DATE_PARTS
from .modality import Drift

_CLIPPED = 10.0
"""The distance from the mean, in standard deviations, at which the values of samples are clipped."""
_SHARE, _FEW = 0.2, 5
"""The share and the number of values outside the range of the training rows from which they are reported."""
_SCALE = 8.0
"""The factor by which both the mean magnitude and the standard deviation of numbers must change to indicate another unit, even if all
numbers are within the range of the training rows."""
_EXPECTED = 2.0
"""The factor by which the share of new categories must exceed that of rare ones among the training rows to be reported."""
_NAMES = 1_000
"""The largest number of new categories of a column whose names are counted."""


@dataclass
class _Numbers:
    """The counts of one column of numbers."""

    at: int
    """The position of the column in the field."""
    state: State
    """The facts of the column, learned from the training rows."""
    seen: int = 0
    """How many numbers were added."""
    outside: int = 0
    """How many are outside the range of the training rows."""
    far: int = 0
    """How many are outside this range by more than half of its width."""
    low: float = float("inf")
    high: float = float("-inf")
    sum: float = 0.0
    magnitudes: float = 0.0
    """The sum of the absolute values."""
    squares: float = 0.0
    """The sum of the squares."""

    def line(self) -> str | None:
        """Return a warning if the numbers differ from those of the training rows; None otherwise."""
        if not self.seen:
            return None
        are_few = self.outside < max(_FEW, _SHARE * self.seen)
        if are_few and self.far < (1 if self.seen < _FEW else max(3, 0.01 * self.seen)) and not self._is_scaled():
            return None
        mean, training_mean = self.sum / self.seen, self.state["mean"]
        factor = mean / training_mean if training_mean else 0.0
        values = {"column": self.state["name"], "low": self.low, "high": self.high, "mean": mean}
        values |= {"training_low": self.state["low"], "training_high": self.state["high"]}
        if self.outside == 0:
            return Sentence("drift.scale", training_mean=training_mean, **values)
        ratio = Sentence("drift.ratio", factor=factor) if factor > 2 or 0 < factor < 0.5 else ""
        return Sentence("drift.outside", outside=self.outside, seen=self.seen, ratio=ratio, **values)

    def _is_scaled(self) -> bool:
        """Return whether the mean magnitude and the standard deviation both changed by about the same large factor."""
        mean, magnitude = self.sum / self.seen, self.magnitudes / self.seen
        std: float = max(self.squares / self.seen - mean**2, 0.0) ** 0.5
        if self.seen < _FEW or not magnitude or not std or not self.state["scale"]:
            return False
        training_magnitude, training_std = float(self.state["scale"]), float(self.state["std"])
        by_magnitude, by_std = magnitude / training_magnitude, std / training_std
        return (min(by_magnitude, by_std) > _SCALE or max(by_magnitude, by_std) < 1 / _SCALE) and 1 / 4 < by_magnitude / by_std < 4


@dataclass
class _Categories:
    """The counts of one column of categories."""

    at: int
    """The position of the column in the field."""
    state: State
    """The facts of the column, learned from the training rows."""
    seen: int = 0
    """How many cells were added."""
    new: int = 0
    """How many have a category that the model does not know."""
    names: Counter[str] = field(default_factory=Counter)
    """These categories and how often each occurs."""

    def line(self) -> str | None:
        """Return a warning if there are more new categories than the rare ones among the training rows let expect; None otherwise."""
        if self.new <= _EXPECTED * self.state.get("rare", 0.0) * self.seen:
            return None
        common = ", ".join(f"{name!r}" for name, _ in self.names.most_common(3))
        more = ", ..." if len(self.names) > 3 else ""
        return Sentence("drift.categories", column=self.state["name"], new=self.new, seen=self.seen, names=f"{common}{more}")


class ColumnDrift(Drift):
    """The drift of a field over columns.

    :param columns: the facts of the columns, learned from the training rows
    """

    def __init__(self, columns: Sequence[State]) -> None:
        self._writings = [Writing.of_facts(column["type"], column.get("writing")) for column in columns]
        self._numbers: list[_Numbers] = []
        self._places: list[int] = []  # the position of each of these columns among the numbers of a sample
        self._categories: list[_Categories] = []
        self._are_tuples = len(columns) > 1
        offset = 0
        for at, column in enumerate(columns):
            if column["type"] == "category":
                self._categories.append(_Categories(at, column))
                continue
            if column["type"] == "number":
                self._numbers.append(_Numbers(at, column))
                self._places.append(offset)
            offset += 1 if column["type"] == "number" else DATE_PARTS
        facts_4K = np.array([[numbers.state[name] for numbers in self._numbers] for name in ("mean", "std", "low", "high")])
        self._mean_K, self._std_K, self._low_K, self._high_K = facts_4K
        self._width_K = self._high_K - self._low_K
        self._tolerance_K = 1e-5 * np.maximum(self._width_K, abs(self._low_K) + abs(self._high_K))  # samples are float32

    def see(self, cells: Sequence[Cell], samples: Sequence[Sample], place: np.ndarray) -> None:
        """Add some rows to the counts. Samples are counted; only cells with clipped numbers or new categories are read again.

        :param cells: the cell of each row
        :param samples: the distinct samples of these cells
        :param place: the position in ``samples`` for each row; -1 = the row has no sample
        """
        rows = np.flatnonzero(place >= 0)
        if not len(rows):
            return
        positions_R = place[rows]
        numbers_SK = np.stack([sample["numbers"] for sample in samples]).astype(np.float64)
        categories_SM = np.stack([sample["categories"] for sample in samples])
        if self._numbers:
            self._see_numbers(numbers_SK[positions_R][:, self._places], cells, rows)
        for column, categories in enumerate(self._categories):
            codes = categories_SM[positions_R, column]
            categories.seen += int((codes > 0).sum())
            for row in rows[codes == 1]:
                categories.new += 1
                name = category(self._part(cells[row], categories.at))[:40]
                if len(categories.names) < _NAMES or name in categories.names:
                    categories.names[name] += 1

    def _see_numbers(self, centred_RK: np.ndarray, cells: Sequence[Cell], rows: np.ndarray) -> None:
        """Add the numbers of some rows: ``centred_RK`` is their distance from the training mean in standard deviations, NaN = missing."""
        values_RK = centred_RK * self._std_K + self._mean_K
        for row, column in np.argwhere(np.abs(centred_RK) >= _CLIPPED):
            at = self._numbers[column].at
            value = self._writings[at].value(self._part(cells[rows[row]], at))
            values_RK[row, column] = values_RK[row, column] if value is None else value
        values_RK = values_RK.clip(-HUGE, HUGE)
        known_RK = ~np.isnan(values_RK)
        low_K, high_K = self._low_K - self._tolerance_K, self._high_K + self._tolerance_K
        seen_K = known_RK.sum(0)
        outside_K = ((values_RK < low_K) | (values_RK > high_K)).sum(0)
        far_K = ((values_RK < low_K - self._width_K / 2) | (values_RK > high_K + self._width_K / 2)).sum(0)
        lowest_K, highest_K = np.where(known_RK, values_RK, np.inf).min(0), np.where(known_RK, values_RK, -np.inf).max(0)
        filled_RK = np.where(known_RK, values_RK, 0.0)
        sum_K, magnitudes_K, squares_K = filled_RK.sum(0), abs(filled_RK).sum(0), (filled_RK**2).sum(0)
        for at, numbers in enumerate(self._numbers):
            numbers.seen += int(seen_K[at])
            numbers.outside += int(outside_K[at])
            numbers.far += int(far_K[at])
            numbers.low, numbers.high = min(numbers.low, float(lowest_K[at])), max(numbers.high, float(highest_K[at]))
            numbers.sum += float(sum_K[at])
            numbers.magnitudes += float(magnitudes_K[at])
            numbers.squares += float(squares_K[at])

    def lines(self) -> list[str]:
        """Return one warning for each column whose cells differ from those of the training rows."""
        lines = [*(numbers.line() for numbers in self._numbers), *(categories.line() for categories in self._categories)]
        return [line for line in lines if line is not None]

    def _part(self, cell: Cell, at: int) -> Cell:
        """Return the cell of one column of the field."""
        return cell[at] if self._are_tuples else cell
