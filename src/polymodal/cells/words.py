"""Cells as words: which of them are empty, which words stand for a missing value, what a category is called."""

from __future__ import annotations

import math
import re
import unicodedata

import numpy as np

from ..flow import Cell

MISSING_WORDS = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "nil", "-", "--", "—", "?", "无", "空", "缺失"})
"""Words that stand for a missing value among numbers, dates and categories. In a text column they are words like any other."""

LONGEST_MISSING_WORD = max(map(len, MISSING_WORDS))
LONGEST = 400
"""Characters of a number or a date, at most: float64 ends at 309 digits."""
_ZEROS = re.compile(r"([+-]?[0-9]+)\.0+")


def category(cell: Cell) -> str:
    """The name of a category: 1, 1.0, "1" and "1.0" are one, and so are True, "true" and "TRUE"."""
    if isinstance(cell, (bool, np.bool_)):
        return "True" if cell else "False"
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        cell = int(cell)
    text = text_of(cell)[:2_000]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return canonical(text.strip()[:200])


def canonical(text: str) -> str:
    """One writing of a truth value or a whole number, whatever tool wrote it: "true" is "True", "1.0" is "1"."""
    if len(text) <= 5 and text in ("true", "TRUE", "false", "FALSE"):
        return text.capitalize()
    if "." in text and (match := _ZEROS.fullmatch(text)):
        return match[1]
    return text


def is_empty(cell: Cell) -> bool:
    """None, NaN, NaT or blank text (or all of a tuple's parts so)."""
    if cell is None or type(cell).__name__ in ("NaTType", "NAType"):  # pandas' own missing values
        return True
    if isinstance(cell, str):
        return not cell or cell.isspace()
    if isinstance(cell, float):
        return math.isnan(cell)
    if isinstance(cell, tuple):
        return all(is_empty(part) for part in cell)
    if isinstance(cell, (bytes, bytearray)):
        return not cell
    return isinstance(cell, (np.floating, np.datetime64, np.timedelta64)) and bool(cell != cell)


def is_missing_word(cell: Cell) -> bool:
    """Whether a cell of a column of numbers, dates or categories stands for a missing value."""
    return is_empty(cell) or (isinstance(cell, str) and cell.strip().casefold() in MISSING_WORDS)


def plain_text(cell: str) -> str:
    """A text as numbers and dates are read: without space around it, its compatibility characters (full width) as plain ones."""
    text = cell.strip()
    return text if text.isascii() else unicodedata.normalize("NFKC", text).strip()


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
