"""What a cell of a table says: a number, a date or the name of a category, however it is written."""

from __future__ import annotations

import datetime
import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

import numpy as np

from .flow import Cell

MISSING_WORDS = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", "?", "无", "空", "缺失"})
"""What stands for an empty cell among numbers, dates and categories. In a text column these are words."""

ColumnType = Literal["number", "category", "date"]
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?)?\s*(?:Z|[+-]\d{2}:?\d{2})?")
_LONGEST = 400
"""Characters of a number or a date, at most: float64 ends at 309 digits."""


def type_of(cells: Sequence[Cell]) -> tuple[ColumnType, float]:
    """The type of a column's cells, and the share of them that are of it. Numbers and dates need nine cells in ten."""
    cells = [cell for cell in cells if not is_missing_word(cell)]
    if cells:
        numbers = sum(number(cell) is not None for cell in cells) / len(cells)
        if numbers >= 0.9:
            return "number", numbers
        dates = sum(date(cell) is not None for cell in cells) / len(cells)
        if dates >= 0.9:
            return "date", dates
    return "category", 1.0


def number(cell: Cell) -> float | None:
    """A finite number, or None. Text may hold thousands separators, a percent sign or full-width digits."""
    if isinstance(cell, (bool, np.bool_, bytes, bytearray)):
        return None
    if isinstance(cell, str):
        text = cell.strip()
        if len(text) > _LONGEST:
            return None
        if not text.isascii():
            text = unicodedata.normalize("NFKC", text)
        text = text.replace("\u2212", "-")
        scale = 1.0
        if text.endswith("%"):
            text, scale = text[:-1].rstrip(), 0.01
        if _THOUSANDS.fullmatch(text):
            text = text.replace(",", "")
        elif not _NUMBER.fullmatch(text):
            return None
        value = float(text) * scale
        return value if math.isfinite(value) else None
    try:
        value = float(cell)
    except (TypeError, ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def date(cell: Cell) -> float | None:
    """Days since 1970-01-01 (time zones are ignored), or None."""
    if isinstance(cell, str):
        match = _DATE.fullmatch(unicodedata.normalize("NFKC", cell.strip()[:_LONGEST]))
        if not match:
            return None
        parts = [int(part or 0) for part in match.groups()]
        try:
            cell = datetime.datetime(*parts)  # type: ignore[arg-type]
        except ValueError:
            return None
    if isinstance(cell, np.datetime64):
        moment = cell.astype("datetime64[us]")
        if moment.astype(cell.dtype) != cell:  # out of its range, it would be another date
            return None
        cell = moment.item()
    if isinstance(cell, datetime.datetime) and not is_empty(cell):
        return (cell.replace(tzinfo=None) - datetime.datetime(1970, 1, 1)).total_seconds() / 86_400
    if type(cell) is datetime.date:
        return float((cell - datetime.date(1970, 1, 1)).days)
    return None


def category(cell: Cell) -> str:
    """The name of a category: 1, 1.0 and "1" are one."""
    if isinstance(cell, (bool, np.bool_)):
        return "True" if cell else "False"
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        cell = int(cell)
    return unicodedata.normalize("NFKC", text_of(cell)[:2_000]).strip()[:200]


def is_empty(cell: Cell) -> bool:
    """None, NaN, NaT or blank text (or all of a tuple's parts so)."""
    if cell is None or type(cell).__name__ in ("NaTType", "NAType"):  # pandas' own nothings
        return True
    if isinstance(cell, str):
        return not cell or cell.isspace()
    if isinstance(cell, float):
        return math.isnan(cell)
    if isinstance(cell, tuple):
        return all(is_empty(part) for part in cell)
    if isinstance(cell, (bytes, bytearray)):
        return not cell
    return isinstance(cell, (np.floating, np.datetime64)) and bool(cell != cell)


def is_missing_word(cell: Cell) -> bool:
    """Whether a cell of a column of numbers, dates or categories stands for nothing."""
    return is_empty(cell) or (isinstance(cell, str) and cell.strip().casefold() in MISSING_WORDS)


def text_of(cell: Cell) -> str:
    """A cell as text; an integer of more digits than Python writes says how many those are."""
    try:
        return str(cell)
    except ValueError:
        return f"a number of about {int(cell.bit_length() * 0.30103):,} digits"


def is_writable(text: str) -> bool:
    """Whether text can be written as UTF-8: half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
