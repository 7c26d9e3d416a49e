"""How the columns of a table to predict differ from what training saw: numbers in another range (another unit?), new categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..cells import Writing, category
from ..flow import Cell, Sample, State
from .modality import Drift

DATE_PARTS = 6
"""Numbers that stand for a date."""
_CLIPPED = 10.0
"""Spreads from the centre at which samples are cut off."""
HUGE = 1e150
"""Larger numbers count as this one: their spread is no number."""
_SHARE, _FEW = 0.2, 5
_SCALE = 8.0
"""Times that the size and the spread of numbers must both be larger, or smaller, for another unit to be likely within the old range."""
_NAMES = 1_000


@dataclass
class _Numbers:
    at: int
    """Which column of the field."""
    state: State
    seen: int = 0
    outside: int = 0
    """Beyond what training saw."""
    far: int = 0
    """Beyond it by more than half of its span."""
    low: float = float("inf")
    high: float = float("-inf")
    sum: float = 0.0
    sizes: float = 0.0
    squares: float = 0.0

    def line(self) -> str | None:
        if not self.seen:
            return None
        few = self.outside < max(_FEW, _SHARE * self.seen)
        if few and self.far < (1 if self.seen < _FEW else max(3, 0.01 * self.seen)) and not self._is_scaled():
            return None
        mean, before = self.sum / self.seen, self.state["mean"]
        times = mean / before if before else 0.0
        ratio = f", {times:,.3g} times that of training" if times > 2 or 0 < times < 0.5 else ""
        if self.outside == 0:
            return (
                f"column {self.state['name']!r}: numbers of another size than training saw: here {self.low:,.6g} to {self.high:,.6g}, mean "
                f"{mean:,.4g}, there {self.state['low']:,.6g} to {self.state['high']:,.6g}, mean {before:,.4g}; is it another unit?"
            )
        return (
            f"column {self.state['name']!r}: {self.outside:,} of {self.seen:,} numbers are outside what training saw "
            f"({self.state['low']:,.6g} to {self.state['high']:,.6g}); here {self.low:,.6g} to {self.high:,.6g}, mean {mean:,.4g}{ratio}; "
            f"is it another unit?"
        )

    def _is_scaled(self) -> bool:
        """Whether size and spread both changed by about the same large factor."""
        mean, size = self.sum / self.seen, self.sizes / self.seen
        spread = max(self.squares / self.seen - mean**2, 0.0) ** 0.5
        if self.seen < _FEW or not size or not spread or not self.state["scale"]:
            return False
        sizes, spreads = size / self.state["scale"], spread / self.state["std"]
        return (min(sizes, spreads) > _SCALE or max(sizes, spreads) < 1 / _SCALE) and 1 / 4 < sizes / spreads < 4


@dataclass
class _Categories:
    at: int
    state: State
    seen: int = 0
    new: int = 0
    names: Counter[str] = field(default_factory=Counter)

    def line(self) -> str | None:
        if not self.new:
            return None
        common = ", ".join(f"{name!r}" for name, _ in self.names.most_common(3))
        more = ", ..." if len(self.names) > 3 else ""
        return (
            f"column {self.state['name']!r}: {self.new:,} of {self.seen:,} cells hold a category that training did not see twice "
            f"({common}{more}); each counts as 'other'"
        )


class ColumnDrift(Drift):
    """The drift of a field over columns."""

    def __init__(self, columns: Sequence[State]) -> None:
        self._writings = [Writing.of_facts(column["type"], column.get("writing")) for column in columns]
        self._numbers: list[tuple[int, _Numbers]] = []
        self._categories: list[_Categories] = []
        self._several = len(columns) > 1
        place = 0
        for at, column in enumerate(columns):
            if column["type"] == "category":
                self._categories.append(_Categories(at, column))
                continue
            if column["type"] == "number":
                self._numbers.append((place, _Numbers(at, column)))
            place += 1 if column["type"] == "number" else DATE_PARTS

    def see(self, cells: Sequence[Cell], samples: Sequence[Sample], place: np.ndarray) -> None:
        """Only cells that were cut off, or are new, are read again."""
        rows = np.flatnonzero(place >= 0)
        if not len(rows):
            return
        held = place[rows]
        numbers_SK = np.stack([sample["numbers"] for sample in samples]).astype(np.float64)
        categories_SM = np.stack([sample["categories"] for sample in samples])
        for column, numbers in self._numbers:
            self._see_numbers(numbers, numbers_SK[held, column], cells, rows)
        for column, categories in enumerate(self._categories):
            codes = categories_SM[held, column]
            categories.seen += int((codes > 0).sum())
            for row in rows[codes == 1]:
                categories.new += 1
                name = category(self._part(cells[row], categories.at))[:40]
                if len(categories.names) < _NAMES or name in categories.names:
                    categories.names[name] += 1

    def _see_numbers(self, numbers: _Numbers, centred_R: np.ndarray, cells: Sequence[Cell], rows: np.ndarray) -> None:
        state = numbers.state
        known = ~np.isnan(centred_R)
        values = centred_R[known] * state["std"] + state["mean"]
        for at in np.flatnonzero(np.abs(centred_R[known]) >= _CLIPPED):
            said = self._writings[numbers.at].value(self._part(cells[rows[known][at]], numbers.at))
            values[at] = values[at] if said is None else said
        values = values.clip(-HUGE, HUGE)
        if not len(values):
            return
        low, high = state["low"], state["high"]
        span = high - low
        hair = 1e-5 * max(span, abs(low) + abs(high))  # samples are float32
        numbers.seen += len(values)
        numbers.outside += int(((values < low - hair) | (values > high + hair)).sum())
        numbers.far += int(((values < low - span / 2 - hair) | (values > high + span / 2 + hair)).sum())
        numbers.low, numbers.high = min(numbers.low, float(values.min())), max(numbers.high, float(values.max()))
        numbers.sum, numbers.sizes = numbers.sum + float(values.sum()), numbers.sizes + float(abs(values).sum())
        numbers.squares += float((values**2).sum())

    def lines(self) -> list[str]:
        """A line for each column that is not as it was."""
        found = [*(numbers.line() for _, numbers in self._numbers), *(categories.line() for categories in self._categories)]
        return [line for line in found if line is not None]

    def _part(self, cell: Cell, at: int) -> Cell:
        return cell[at] if self._several else cell
