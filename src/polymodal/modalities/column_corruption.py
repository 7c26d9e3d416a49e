"""Corruptions of cells of columns: missing values, values of other rows, and noise.

Values of other rows are sampled from the quantiles and the categories in the field's state.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..cells import Writing, category, is_missing_word
from ..flow import Cell
from .signal_corruption import Corruption

_DAYS = 719_162  # the number of days from the first date of ``datetime`` to 1970-01-01
_LAST = 2_932_896.0  # the number of days from 1970-01-01 to the last date of ``datetime``


def of_columns(columns: Sequence[Mapping[str, Any]], writings: Sequence[Writing]) -> dict[str, Corruption]:
    """Return the corruptions of cells of one or several columns. Empty values, and values of another type, are not changed.

    :param columns: the fitted facts of each column
    :param writings: how the cells of each column are written
    """

    def dropped(cell: Cell, severity: int, rng: np.random.Generator) -> Cell:
        """Remove 10 to 50 % of the values."""
        parts = _parts(cell, columns)
        lost = rng.random(len(parts)) < 0.1 * severity
        kept = [None if drop and _is_read(part, writing) else part for part, writing, drop in zip(parts, writings, lost, strict=True)]
        return None if all(map(is_missing_word, kept)) else _cell(kept)

    def swapped(cell: Cell, severity: int, rng: np.random.Generator) -> Cell:
        """Replace 10 to 50 % of the values: a number or a date by a quantile of the training rows, a category by any other one."""
        parts, (chances, which) = _parts(cell, columns), rng.random((2, len(columns)))
        return _cell([
            _other(part, column, writing, float(share)) if replaced else part
            for part, column, writing, replaced, share in zip(parts, columns, writings, chances < 0.1 * severity, which, strict=True)
        ])  # fmt: skip

    def noise(cell: Cell, severity: int, rng: np.random.Generator) -> Cell:
        """Add Gaussian noise of 0.2 to 1 standard deviations to numbers and dates."""
        shifts = rng.normal(0, 1, len(columns)) * 0.2 * severity
        parts = zip(_parts(cell, columns), columns, writings, shifts, strict=True)
        return _cell([_shifted(part, column, writing, float(shift)) for part, column, writing, shift in parts])

    has_numbers = any(column["type"] != "category" for column in columns)
    corruptions: dict[str, Corruption] = {"dropped": dropped, "swapped": swapped}
    return corruptions | {"noise": noise} if has_numbers else corruptions


def _parts(cell: Cell, columns: Sequence[Any]) -> list[Cell]:
    """Return the values of a cell, one for each column."""
    return list(cell) if len(columns) > 1 else [cell]


def _cell(parts: Sequence[Cell]) -> Cell:
    """Return the cell with these values."""
    return tuple(parts) if len(parts) > 1 else parts[0]


def _other(part: Cell, column: Mapping[str, Any], writing: Writing, share: float) -> Cell:
    """Return the value of another row, selected by a number from 0 to 1."""
    if is_missing_word(part):
        return part
    if column["type"] == "category":
        others = [value for value in column["values"] if value != category(part)]
        return others[int(share * len(others))] if others else part
    if writing.value(part) is None or not column["edges"]:
        return part
    quantile = float(np.interp(share, np.linspace(0, 1, len(column["edges"])), column["edges"]))
    return _written(column["mean"] + column["std"] * quantile, column)


def _shifted(part: Cell, column: Mapping[str, Any], writing: Writing, shift: float) -> Cell:
    """Return a number or a date shifted by a number of standard deviations; other values unchanged."""
    value = None if column["type"] == "category" or is_missing_word(part) else writing.value(part)
    return part if value is None else _written(value + shift * column["std"], column)


def _is_read(part: Cell, writing: Writing) -> bool:
    """Whether a value is of its column's type."""
    return writing.type == "category" or writing.value(part) is not None


def _written(value: float, column: Mapping[str, Any]) -> Cell:
    """Return a number unchanged, or days since 1970-01-01 as a ``datetime``, clipped to the dates that it can represent."""
    if column["type"] == "number":
        return value
    return datetime.datetime(1970, 1, 1) + datetime.timedelta(days=min(max(value, float(-_DAYS)), _LAST))
