"""How the cells of a target column are read: empty cells, words that stand for a missing value, and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ..cells import MISSING_WORDS, PLAIN, Numbers, is_empty
from ..errors import Fault
from ..flow import Cell
from .names import name_of
from .numbers import number_in

_LONGEST_WORD = 100
_EMPTY = ("", "nan", "null")
_DIGITS = frozenset(("", *"0123456789"))


def empty_target(cell: Cell) -> bool:
    """Return whether a cell of a target column is empty: nothing, NaN, NaT, blank, or the text "nan" or "null". An empty list is
    no empty cell: it states that the row has no label."""
    if type(cell) is str and cell[:1] in _DIGITS:  # most of a column of numbers
        return not cell
    return is_empty(cell) or (isinstance(cell, str) and len(cell) <= _LONGEST_WORD and cell.strip().casefold() in _EMPTY)


def word_of(cell: Cell) -> str | None:
    """Return a cell in the form in which it is compared with words for missing values: "NA", "na" and " NA " are equal, as are -999 and
    "-999.0". None for a cell that cannot be such a word."""
    if isinstance(cell, str):
        if len(cell) > _LONGEST_WORD:
            return None
        text = cell.strip()
        if text.isascii() and not (text.endswith(("0", ".")) and "." in text):  # what ``name_of`` leaves as it is
            return text.casefold()
    try:
        return name_of(cell).casefold()
    except Fault:
        return None


@dataclass(frozen=True)
class Reading:
    """How the cells of a target column are read, determined on all rows of the training table. The state of the task stores what prediction
    needs of it.

    :param typed: whether the table states which cells are text and which are numbers (a CSV does not)
    :param missing: words (``word_of``) that stand for a missing target, besides empty cells
    :param places: the names of the labels if a cell holds a 0 or a 1 for each label, by position; None if a cell lists its labels
    :param numbers: how numbers are written
    """

    typed: bool = False
    missing: frozenset[str] = frozenset()
    places: tuple[int | str, ...] | None = None
    numbers: Numbers = PLAIN

    def number(self, cell: Cell) -> float | None:
        """Return the number in a cell, None if it contains no number."""
        return number_in(cell, self.numbers)

    def is_missing(self, cell: Cell) -> bool:
        """Return whether a row with this cell has no target."""
        if not isinstance(cell, str):
            return is_empty(cell) or (self._has_codes and word_of(cell) in self.missing)
        if len(cell) > _LONGEST_WORD:
            return cell.isspace()
        word = cell.strip().casefold()
        return word in _EMPTY or word in self.missing or (self._has_codes and word_of(cell) in self.missing)

    @cached_property
    def _has_codes(self) -> bool:
        """Whether some of the words are not among the usual words for missing values: numbers, for example."""
        return not self.missing <= MISSING_WORDS
