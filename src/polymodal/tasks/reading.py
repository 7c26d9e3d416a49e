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
    """Whether a cell of a target column is empty: nothing, NaN, NaT, blank, or the text "nan" or "null". An empty list is not: it says
    that the row has no label."""
    if type(cell) is str and cell[:1] in _DIGITS:  # most of a column of numbers
        return not cell
    return is_empty(cell) or (isinstance(cell, str) and len(cell) <= _LONGEST_WORD and cell.strip().casefold() in _EMPTY)


def word_of(cell: Cell) -> str | None:
    """A cell as it is compared with the words that stand for no target: "NA", "na" and " NA " are one, -999 and "-999.0" are one; None for
    what is no such word."""
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
    """How the cells of a target column are read, decided on all rows of the training table. What predicting needs of it is kept in the
    task's state.

    :param typed: whether the table says which cells are text and which are numbers (a CSV does not)
    :param missing: words (``word_of``) that stand for no target, beside empty cells
    :param places: the names of the labels, where a cell is a 0 or a 1 for each label, by its place; None where a cell lists its labels
    :param numbers: how numbers are written
    """

    typed: bool = False
    missing: frozenset[str] = frozenset()
    places: tuple[int | str, ...] | None = None
    numbers: Numbers = PLAIN

    def number(self, cell: Cell) -> float | None:
        """The number in a cell, None for one that holds none."""
        return number_in(cell, self.numbers)

    def is_missing(self, cell: Cell) -> bool:
        """Whether a row with this cell has no target."""
        if not isinstance(cell, str):
            return is_empty(cell) or (self._has_codes and word_of(cell) in self.missing)
        if len(cell) > _LONGEST_WORD:
            return cell.isspace()
        word = cell.strip().casefold()
        return word in _EMPTY or word in self.missing or (self._has_codes and word_of(cell) in self.missing)

    @cached_property
    def _has_codes(self) -> bool:
        """Whether some of the words are no such words as tables are filled with by custom: numbers, for example."""
        return not self.missing <= MISSING_WORDS
