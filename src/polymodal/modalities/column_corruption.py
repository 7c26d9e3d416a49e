"""Cells of columns as they go wrong: values that are missing, of another row, or a little off.

What stands in no column of training cannot be drawn from a cell alone; quantiles and categories that the field's state holds can.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..cells import Writing, category, is_missing_word
from ..flow import Cell
from .signal_corruption import Corruption

_DAYS = 719_162  # from the first day that Python knows to 1970-01-01
_LAST = 2_932_896.0  # and from there to the last one


def of_columns(columns: Sequence[Mapping[str, Any]], writings: Sequence[Writing]) -> dict[str, Corruption]:
    """Of a cell of one or several columns; ``columns`` are the facts of each, ``writings`` how its cells are written.

    An empty value, and one of another type, stays as it is.
    """

    def dropped(cell: Cell, severity: int, rng: np.random.Generator) -> Cell:
        """10 to 50 % of the values are gone."""
        parts = _parts(cell, columns)
        lost = rng.random(len(parts)) < 0.1 * severity
        kept = [None if gone and _is_read(part, writing) else part for part, writing, gone in zip(parts, writings, lost, strict=True)]
        return None if all(map(is_missing_word, kept)) else _cell(kept)

    def swapped(cell: Cell, severity: int, rng: np.random.Generator) -> Cell:
        """10 to 50 % of the values are another row's: a number or a date by training's quantiles, a category any other one."""
        parts, (hit, which) = _parts(cell, columns), rng.random((2, len(columns)))
        return _cell([
            _other(part, column, writing, float(share)) if hurt else part
            for part, column, writing, hurt, share in zip(parts, columns, writings, hit < 0.1 * severity, which, strict=True)
        ])  # fmt: skip

    def noise(cell: Cell, severity: int, rng: np.random.Generator) -> Cell:
        """Numbers and dates are off by 0.2 to 1 spreads."""
        off = rng.normal(0, 1, len(columns)) * 0.2 * severity
        moved = zip(_parts(cell, columns), columns, writings, off, strict=True)
        return _cell([_moved(part, column, writing, float(by)) for part, column, writing, by in moved])

    numbers = any(column["type"] != "category" for column in columns)
    found: dict[str, Corruption] = {"dropped": dropped, "swapped": swapped}
    return found | {"noise": noise} if numbers else found


def _parts(cell: Cell, columns: Sequence[Any]) -> list[Cell]:
    return list(cell) if len(columns) > 1 else [cell]


def _cell(parts: Sequence[Cell]) -> Cell:
    return tuple(parts) if len(parts) > 1 else parts[0]


def _other(part: Cell, column: Mapping[str, Any], writing: Writing, share: float) -> Cell:
    if is_missing_word(part):
        return part
    if column["type"] == "category":
        others = [value for value in column["values"] if value != category(part)]
        return others[int(share * len(others))] if others else part
    if writing.value(part) is None or not column["edges"]:
        return part
    quantile = float(np.interp(share, np.linspace(0, 1, len(column["edges"])), column["edges"]))
    return _written(column["mean"] + column["std"] * quantile, column)


def _moved(part: Cell, column: Mapping[str, Any], writing: Writing, by: float) -> Cell:
    value = None if column["type"] == "category" or is_missing_word(part) else writing.value(part)
    return part if value is None else _written(value + by * column["std"], column)


def _is_read(part: Cell, writing: Writing) -> bool:
    return writing.type == "category" or writing.value(part) is not None


def _written(value: float, column: Mapping[str, Any]) -> Cell:
    """A number as it is, days since 1970 as a date, within what dates there are."""
    if column["type"] == "number":
        return value
    return datetime.datetime(1970, 1, 1) + datetime.timedelta(days=min(max(value, float(-_DAYS)), _LAST))
