"""From the cells of columns to standardised numbers and codes of categories. The file needs no torch, so that exported models read columns
by it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cells import Writing, category, is_missing_word

if TYPE_CHECKING:
    from ..cells import ColumnType
    from ..flow import Cell

DATE_PARTS = 6
"""The number of numbers in a sample of a date: itself, and its position in the year, the week and the day."""
NO_VALUE = (bytes, list, dict, tuple, np.ndarray)
"""Types of cells that are neither a number, nor a date, nor the name of a category."""
_MAX_KNOWN = 4_096
"""The maximum number of texts of a column whose category is remembered."""


class Column:
    """A column of the field, prepared for reading.

    :param facts: what ``fit`` learned of it
    :param writing: the format of its cells
    """

    def __init__(self, facts: Mapping[str, Any], writing: Writing) -> None:
        self.name: str = facts["name"]
        self.type: ColumnType = facts["type"]
        self.writing = writing
        self.mean: float = facts.get("mean", 0.0)
        self.std: float = facts.get("std", 1.0)
        self.missing = [math.nan] * (DATE_PARTS if self.type == "date" else 1)
        self._codes: dict[str, int] = {}
        for code, value in enumerate(facts.get("values", ()), start=2):
            self._codes.setdefault(category(value), code)  # bundles of earlier versions contain "true", which is now "True"
            self._codes.setdefault(value, code)
        self._known: dict[str, int] = {}  # the codes of texts that were read
        self._value = writing.numbers.read if self.type == "number" else writing.value  # of a number without a further call

    def code(self, cell: Cell) -> int | None:
        """Return the code of the category in a cell, from 2 up; 0 = missing, 1 = other; None if the cell cannot be a category."""
        if type(cell) is str and (known := self._known.get(cell)) is not None:
            return known
        if isinstance(cell, NO_VALUE):
            return None
        code = 0 if is_missing_word(cell) else self._codes.get(category(cell), 1)
        if type(cell) is str and len(self._known) < _MAX_KNOWN:
            self._known[cell] = code
        return code

    def is_missing(self, cell: Cell) -> bool:
        """Return whether a cell is empty, or a word for a missing value."""
        return is_missing_word(cell) or self.writing.is_word(cell)

    def values(self, cell: Cell) -> list[float] | None:
        """Return the values of a number or a date in a cell, standardised; NaN if it is missing; None if the cell cannot be read."""
        value = self._value(cell)
        if value is None:
            return self.missing if self.is_missing(cell) else None
        standardised = (value - self.mean) / self.std
        values = [standardised if -10.0 <= standardised <= 10.0 else math.copysign(10.0, standardised)]
        return values + _calendar(value) if self.type == "date" else values


def _calendar(days: float) -> list[float]:
    """Return the position of a date in the year and the week as sine and cosine, and in the day as sine."""
    year, week, day = 2 * math.pi * days / 365.2425, 2 * math.pi * days / 7, 2 * math.pi * (days % 1)
    return [math.sin(year), math.cos(year), math.sin(week), math.cos(week), math.sin(day)]
