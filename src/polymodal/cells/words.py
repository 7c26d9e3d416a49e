"""Cells as words: empty cells, words for missing values, and the names of categories."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..flow import Cell


MISSING_WORDS = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "nil", "-", "--", "—", "?", "无", "空", "缺失"})
"""Words for a missing value in columns of numbers, dates and categories. In a text column they are ordinary words."""

LONGEST_MISSING_WORD = max(map(len, MISSING_WORDS))
LONGEST = 400
"""The maximum number of characters of a number or a date; float64 has at most 309 digits."""
_ZEROS = re.compile(r"([+-]?[0-9]+)\.0+")


def category(cell: Cell) -> str:
    """Return the name of the category in a cell. 1, 1.0, "1" and "1.0" are one category, and so are True, "true" and "TRUE"."""
    if isinstance(cell, (bool, np.bool_)):
        return "True" if cell else "False"
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        cell = int(cell)
    text = text_of(cell)[:2_000]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return canonical(text.strip()[:200])


def canonical(text: str) -> str:
    """Return a uniform notation of Boolean values and whole numbers: "True" for "true" and "TRUE", "1" for "1.0"."""
    if len(text) <= 5 and text in ("true", "TRUE", "false", "FALSE"):
        return text.capitalize()
    if "." in text and (match := _ZEROS.fullmatch(text)):
        return match[1]
    return text


def is_empty(cell: Cell) -> bool:
    """Return whether a cell is None, NaN, NaT, blank text, no bytes, or a tuple of such values."""
    if isinstance(cell, str):
        return not cell or cell.isspace()
    if cell is None or type(cell).__name__ in ("NaTType", "NAType"):  # pandas' own missing values
        return True
    if isinstance(cell, float):
        return math.isnan(cell)
    if isinstance(cell, tuple):
        return all(is_empty(part) for part in cell)
    if isinstance(cell, (bytes, bytearray)):
        return not cell
    return isinstance(cell, (np.floating, np.datetime64, np.timedelta64)) and bool(cell != cell)


def is_missing_word(cell: Cell) -> bool:
    """Return whether a cell is a missing value in a column of numbers, dates or categories."""
    if isinstance(cell, str):
        word = cell.strip()
        return len(word) <= LONGEST_MISSING_WORD and word.casefold() in MISSING_WORDS
    return is_empty(cell)


def plain_text(cell: str) -> str:
    """Return a text without surrounding white space and with full-width characters normalized (NFKC), for parsing numbers and dates."""
    text = cell.strip()
    return text if text.isascii() else unicodedata.normalize("NFKC", text).strip()


def text_of(cell: Cell) -> str:
    """Return a cell as text. For an integer with more digits than Python writes, the text states the number of digits."""
    try:
        return str(cell)
    except ValueError:
        return f"a number of about {int(cell.bit_length() * 0.30103):,} digits"


def is_writable(text: str) -> bool:
    """Return whether text can be encoded as UTF-8. Text with half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
