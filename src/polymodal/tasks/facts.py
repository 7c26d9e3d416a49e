"""Statistics of a target column, collected cell by cell over a whole table. They determine the kind of the task and how cells are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from ..cells import MISSING_WORDS, PLAIN, Decimal, Numbers, is_empty, numbers_of
from ..errors import Fault
from ..flow import Cell, Unreadable
from ..language import Sentence
from .lists import LeftOut, listed
from .names import name_of
from .numbers import number_in
from .reading import Reading, empty_target, word_of
from .task import Task, TaskConfig

MOST_NAMES = 10_000
"""The maximum number of different values that are counted."""
MOSTLY = 0.9
"""A column is of numbers, of lists, or of labels by position if at least this share of its cells is."""
_WAITING, _SHORT, _LOOKED_AT, _SOME = 10_000, 200, 100, 0.1
_CIPHERS = frozenset("0123456789")
_DIGITS = _CIPHERS | frozenset("+-.")
_WORDS = frozenset(word for word in MISSING_WORDS if not empty_target(word))


class TargetFacts:
    """Statistics of the cells of a target column: the numbers of numbers, lists and words for missing values, and the rows of each value.
    Memory is bounded.

    Cells are added by ``add``; after the last one, ``close`` completes the statistics.

    :param separator: the separator of labels in text
    :param missing: the configured words for missing targets (``TaskConfig.missing``); None = not configured
    :param decimal: the configured decimal sign of numbers; None = detected
    """

    def __init__(self, separator: str = ";", missing: Iterable[Any] | None = None, decimal: Decimal | None = None) -> None:
        self.separator = separator
        self.decimal = decimal
        self.how = PLAIN if decimal is None else Numbers(decimal)
        """The notation of numbers, determined from the first ``_WAITING`` different texts together."""
        self.given = None if missing is None else frozenset(word for one in missing if (word := word_of(one)) is not None)
        self.words: Counter[str] = Counter()
        """The rows of each word (``word_of``) that may mean a missing target; these rows are not among the values."""
        self.written: dict[str, str] = {}
        """By such word, the first cell with it."""
        self.values = self.texts = 0
        """The number of cells that are neither empty nor such a word; the number of texts among them."""
        self.names: Counter[str] = Counter()
        """The rows of each class, of values that are not lists."""
        self.capped = False
        """Whether there are more different values than are counted."""
        self.others: Counter[str] = Counter()
        """The rows of each text that is not a number, of the first such texts."""
        self.numbers = self.fractions = 0
        """The number of values that are numbers; the number of those that are not integers."""
        self.number_names: set[str] = set()
        """The names (``name_of``) of the values that are numbers."""
        self.codes = 0
        """The number of values that are numbers or truth values, or lists of nothing else."""
        self.foreign: Counter[str] = Counter()
        """The rows of values that cannot be a target, by their description: bytes, a mapping, a name that is not text."""
        self.lists = self.listed = self.left_out = self.garbled = self.separated = 0
        """The numbers of lists; of texts that contain a list; of those whose list is incomplete; of texts in brackets that are not a list;
        and of texts with the separator."""
        self.repeats = 0
        """The number of lists that contain nothing but texts, and one of them twice."""
        self.labels: Counter[str] = Counter()
        """The rows of each label, of texts with the separator."""
        self.fault = ""
        """The reason why the first unreadable value cannot be read."""
        self._waiting: Counter[str | int] = Counter()
        self._widths: Counter[tuple[str, ...] | int] = Counter()
        self._twice = self._text_codes = self._is_known = False

    def add(self, cell: Cell) -> str | None:
        """Add the cell of a row.

        :returns: "" for an empty cell, the word (``word_of``) for a word that may mean a missing target, None for a value
        """
        if empty_target(cell):
            return ""
        if self.given is not None or (isinstance(cell, str) and len(cell) <= _SHORT and cell[:1] not in _CIPHERS):
            word = word_of(cell) if self.given is not None else cell.strip().casefold()
            if word is not None and word in (_WORDS if self.given is None else self.given):
                self.words[word] += 1
                self.written.setdefault(word, str(cell).strip())
                return word
        if self.capped and (value := number_in(cell, self.how)) is not None:  # too many different values for classes
            self._count_number(value)
            self.texts += isinstance(cell, str)
        elif type(cell) is int or (type(cell) is str and len(cell) <= _SHORT):  # equal cells are examined once
            self._waiting[cell] += 1
            if len(self._waiting) >= _WAITING:
                self.close()
        else:
            self._see(cell, 1)
        return None

    def close(self) -> TargetFacts:
        """Count the cells that wait to be examined, so that the statistics are complete, and return self."""
        waiting, self._waiting = self._waiting, Counter()
        texts = [] if self._is_known else [cell for cell in waiting if isinstance(cell, str)]
        if texts:
            self._is_known, (self.how, *_) = True, numbers_of(texts, self.decimal)
        for cell, rows in waiting.items():
            self._see(cell, rows)
        return self

    @property
    def places(self) -> tuple[int | str, ...] | None:
        """The names of the labels if cells contain a 0 or a 1 for each label by its position; otherwise None.

        Such cells are lists of one length, at least two, of nothing but 0 and 1. If they are text (``["0", "1"]``), or if some lists have
        another length, some list must also contain a value twice, which a list of labels does not.
        """
        if not self._widths:
            return None
        width, rows = self._widths.most_common(1)[0]
        if rows < MOSTLY * self.values or ((rows < self.values or self._text_codes) and not self._twice):
            return None
        names = tuple(range(width)) if isinstance(width, int) else width
        return names if 2 <= len({name_of(name) for name in names}) == len(names) <= MOST_NAMES else None

    @property
    def places_note(self) -> str:
        """A note that labels are encoded by their position (lists of 0 and 1), "" if they are not."""
        places = self.places
        if places is None:
            return ""
        return Sentence("target.places" if isinstance(places[0], int) else "target.named_places", count=len(places))

    @property
    def are_lists(self) -> bool:
        """Whether the cells are lists: one in ten values of a table in memory, or most texts."""
        written = self.listed + self.left_out
        return self.lists > _SOME * self.values or (2 * written > self.values and written + self.garbled >= MOSTLY * self.values)

    @property
    def classes(self) -> Counter[str]:
        """The rows of each class if the target is one of several classes: the values, and the words that do not mean a missing target."""
        names = Counter(self.names)
        for word, rows in self.words.items():
            if word not in self._missing(has_classes=True):
                names[self.written[word]] += rows
        return names

    @property
    def recurs(self) -> bool:
        """Whether values recur as names of classes do: there are at most 10,000 different ones, and at most 20 or half as many as rows."""
        names = self.classes
        return not self.capped and (len(names) <= 20 or len(names) <= 0.5 * sum(names.values()))

    @property
    def classes_note(self) -> str:
        """A note on how many classes there are, and how many rows each has on average."""
        names = self.classes
        return Sentence("target.values", values=len(names), rows=sum(names.values()) / max(len(names), 1))

    def reading(self, task: type[Task], typed: bool = False) -> Reading:
        """Return how the cells are read in a task.

        Words such as NA, None and - are missing values if every other value is a number or a truth value, as R writes 0, 1, NA; otherwise
        they are classes. In a task without classes they always are missing values.

        :param task: the class of the task
        :param typed: whether the table states which cells are text and which are numbers
        """
        return Reading(typed, self._missing(task.has_classes), self.places if task.answers_are_lists else None, self.how)

    def _missing(self, has_classes: bool) -> frozenset[str]:
        """Return the words that stand for a missing value."""
        if self.given is not None:
            return self.given
        return _WORDS if not has_classes or (self.values and self.codes == self.values) else frozenset()

    # -- inside ----------------------------------------------------------------------------------------------------

    def _see(self, cell: Cell, rows: int) -> None:
        """Count a value that occurs in ``rows`` rows."""
        self.values += rows
        if isinstance(cell, str):
            self.texts += rows
            self._see_text(cell, rows)
        elif isinstance(cell, (list, tuple, set, frozenset, dict)) or (isinstance(cell, np.ndarray) and cell.ndim):
            if isinstance(cell, dict) and not (len(cell) > 1 and all(code_of(part) is not None for part in cell.values())):
                self._count_foreign(f"found {type(cell).__name__}", rows)
                return
            self.lists += rows
            self.repeats += rows * _repeats(cell)
            self._see_parts(cell, rows)
        elif isinstance(cell, Unreadable):
            self._count_foreign(f"found {cell}", rows)
        elif isinstance(cell, (bytes, bytearray)):
            self._count_foreign(f"found {type(cell).__name__}", rows)
        else:
            self._see_value(cell, rows)

    def _see_text(self, cell: str, rows: int) -> None:
        """Count a text, which may contain a list."""
        if cell[0] in _DIGITS and self.separator not in cell:  # the text of a list does not begin with a digit
            self._see_value(cell, rows)
            return
        parts: Any = None
        try:
            parts = listed(cell, self.separator)
        except LeftOut as fault:
            self.left_out += rows
            self.fault = self.fault or str(fault)
        except Fault as fault:
            self.garbled += rows
            self.fault = self.fault or str(fault)
        if isinstance(parts, dict) and parts and not all(code_of(part) is not None for part in parts.values()):
            parts = None
        if parts is not None:
            self.listed += rows
            self.repeats += rows * _repeats(parts)
        elif self.separator in cell:
            self.separated += rows
            parts = cell.split(self.separator)
            if len(self.labels) <= MOST_NAMES:
                self.labels.update(dict.fromkeys((part.strip()[:_SHORT] for part in parts if part.strip()), rows))
        if parts is not None:
            self._see_parts(parts, rows)
        self._see_value(cell, rows, alone=parts is None)

    def _see_value(self, cell: Cell, rows: int, alone: bool = True) -> None:
        """Count a value as the name of a class and as a number.

        :param alone: whether the value is not also a list, whose codes ``_see_parts`` counts
        """
        value = number_in(cell, self.how)
        if value is not None:
            self.numbers += rows
            self.fractions += rows * (not value.is_integer())
        try:
            name = name_of(cell)
        except Fault as fault:
            self._count_foreign(str(fault).partition(";")[0], rows)
            return
        if value is None and (name in self.others or len(self.others) < _LOOKED_AT):
            self.others[name] += rows
        self.codes += rows * (alone and (value is not None or name in ("True", "False")))
        if not self.capped:
            name = name if len(name) <= _SHORT else f"{name[:_SHORT]} {hash(name)}"
            self.names[name] += rows
            self.capped = len(self.names) > MOST_NAMES
            if value is not None:
                self.number_names.add(name)

    def _count_number(self, value: float) -> None:
        """Count a number of a column that has too many different values for classes."""
        self.values += 1
        self.numbers += 1
        self.codes += 1
        self.fractions += not value.is_integer()

    def _see_parts(self, parts: Any, rows: int) -> None:
        """Count a list of nothing but 0 and 1, or of nothing but numbers."""
        width = tuple(map(str, parts)) if isinstance(parts, dict) else len(parts)
        elements: Sequence[Any] = list(islice(parts.values() if isinstance(parts, dict) else parts, MOST_NAMES + 1))
        codes = []
        for part in elements:
            code = code_of(part)
            if code is None:
                break
            codes.append(code)
        if codes and len(codes) == len(elements):
            self.codes += rows
            self._widths[width] += rows
            self._twice |= isinstance(parts, dict) or len(set(codes)) < len(codes)
            self._text_codes |= isinstance(elements[0], str)
        elif all(
            isinstance(part, (bool, np.bool_)) or number_in(part, PLAIN) is not None for part in elements[:_LOOKED_AT] if not is_empty(part)
        ):
            self.codes += rows

    def _count_foreign(self, what: str, rows: int) -> None:
        """Count rows whose value cannot be a target; ``what`` describes the value."""
        if what in self.foreign or len(self.foreign) < _LOOKED_AT:
            self.foreign[what] += rows
        self.fault = self.fault or what


def code_of(part: Cell) -> int | None:
    """Return 0 or 1 for an element of a list that is 0, 1, False or True, as a value or as text; None for others."""
    if isinstance(part, (bool, np.bool_, int, float, np.number)):
        return int(part) if part == 0 or part == 1 else None
    if isinstance(part, str) and len(part) < _SHORT:
        return _CODES.get(name_of(part)) if part.isascii() else None
    return None


def _repeats(parts: Any) -> bool:
    """Return whether a list contains nothing but texts, and one of them twice."""
    if not isinstance(parts, (list, tuple)) or len(parts) > MOST_NAMES or not all(isinstance(part, str) for part in parts):
        return False
    return len(set(parts)) < len(parts)


_CODES = {"0": 0, "1": 1, "False": 0, "True": 1}


def parts_of(cell: Cell, separator: str) -> list[Any] | dict[str, Any]:
    """Return the elements of a cell: of a list or a mapping, of a text that contains one, or of labels with a separator between them.

    :raises Fault: the cell is not such a cell
    """
    if isinstance(cell, str):
        parts = listed(cell, separator)
        return cell.split(separator) if parts is None else parts or []
    if isinstance(cell, np.ndarray):
        return list(cell) if cell.ndim else [cell.item()]
    if isinstance(cell, (list, tuple, set, frozenset)):
        return list(cell)
    if isinstance(cell, (bytes, bytearray)):
        raise Fault(f"found {type(cell).__name__}; expected a list of labels, or a text such as 'a{separator}b'")
    return cell if isinstance(cell, dict) else [cell]


def facts_for(config: TaskConfig) -> TargetFacts:
    """Return the statistics of the column of a task, to which no cell is added yet."""
    return TargetFacts(getattr(config, "separator", ";"), config.missing, getattr(config, "decimal", None))


def reading_of(config: Any, cells: Iterable[Cell], reading: Reading | None) -> tuple[Reading, Iterable[Cell]]:
    """Return how cells are read, and the cells without those that mean a missing target.

    :param reading: how cells are read; None = it is determined from these cells
    """
    if reading is None:
        cells = list(cells)
        facts = facts_for(config)
        for cell in cells:
            facts.add(cell)
        reading = facts.close().reading(config.task())
    words = reading.missing
    return reading, (cell for cell in cells if not reading.is_missing(cell)) if words else cells
