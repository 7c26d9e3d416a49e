"""What a target column holds, gathered cell by cell over a whole table: from it follow the kind of task and how cells are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from ..cells import MISSING_WORDS, PLAIN, Decimal, Numbers, is_empty, numbers_of
from ..errors import Fault
from ..flow import Cell, Unreadable
from .lists import LeftOut, listed
from .names import name_of
from .numbers import number_in
from .reading import Reading, empty_target, word_of
from .task import Task, TaskConfig

MOST_NAMES = 10_000
"""Different values that are counted, at most."""
MOSTLY = 0.9
"""A column is of numbers, of lists, or of places where so many of its cells are."""
_HELD, _SHORT, _LOOKED_AT = 10_000, 200, 100
_CIPHERS = frozenset("0123456789")
_DIGITS = _CIPHERS | frozenset("+-.")
_WORDS = frozenset(word for word in MISSING_WORDS if not empty_target(word))


class TargetFacts:
    """Of the cells of one target column: how many are numbers, lists and words that often stand for nothing, and how often each value
    occurs. Memory is bounded.

    :param missing: the words that stand for no target, where that was said (``TaskConfig.missing``)
    :param decimal: the decimal sign of numbers, where that was said
    """

    def __init__(self, separator: str = ";", missing: Iterable[Any] | None = None, decimal: Decimal | None = None) -> None:
        self.separator = separator
        self.decimal = decimal
        self.how = PLAIN if decimal is None else Numbers(decimal)
        """How numbers are written, by what the first texts show together: so many different ones that they show it."""
        self.given = None if missing is None else frozenset(word for one in missing if (word := word_of(one)) is not None)
        self.words: Counter[str] = Counter()
        """Rows by word (``word_of``) that may stand for no target; they are not among the values."""
        self.written: dict[str, str] = {}
        """How each such word is written first."""
        self.values = self.texts = 0
        """Cells that are neither empty nor such a word; those among them that are text."""
        self.names: Counter[str] = Counter()
        """Rows by class, of values that are no lists in memory."""
        self.capped = False
        """Whether more values differ than are counted."""
        self.others: Counter[str] = Counter()
        """Rows by text that is no number, of the first such texts."""
        self.numbers = self.fractions = 0
        self.number_names: set[str] = set()
        self.codes = 0
        """Values that are numbers or truth values, or lists of nothing else."""
        self.foreign: Counter[str] = Counter()
        """Values that can be no target, by what they are: bytes, a mapping, a name that is no text."""
        self.lists = self.listed = self.left_out = self.garbled = self.separated = 0
        """Lists in memory; texts that write a list, that leave out a part of it, that are in brackets but no list, that hold the
        separator."""
        self.labels: Counter[str] = Counter()
        """Rows by label, of texts that have the separator."""
        self.fault = ""
        """What is wrong with the first value that cannot be read."""
        self._held: Counter[str | int] = Counter()
        self._widths: Counter[tuple[str, ...] | int] = Counter()
        self._twice = self._text_codes = self._is_known = False

    def add(self, cell: Cell) -> str | None:
        """One row's cell. The word (``word_of``) that it holds if that may stand for no target, "" for an empty cell, None for a value."""
        if empty_target(cell):
            return ""
        if self.given is not None or (isinstance(cell, str) and len(cell) <= _SHORT and cell[:1] not in _CIPHERS):
            word = word_of(cell) if self.given is not None else cell.strip().casefold()
            if word is not None and word in (_WORDS if self.given is None else self.given):
                self.words[word] += 1
                self.written.setdefault(word, str(cell).strip())
                return word
        if self.capped and (value := number_in(cell, self.how)) is not None:  # there are too many for classes
            self._count_number(value)
            self.texts += isinstance(cell, str)
        elif type(cell) is int or (type(cell) is str and len(cell) <= _SHORT):  # it comes back, and is looked at once
            self._held[cell] += 1
            if len(self._held) >= _HELD:
                self.close()
        else:
            self._see(cell, 1)
        return None

    def close(self) -> TargetFacts:
        """Count the texts that were held back; the facts are complete then."""
        held, self._held = self._held, Counter()
        texts = [] if self._is_known else [cell for cell in held if isinstance(cell, str)]
        if texts:
            self._is_known, (self.how, *_) = True, numbers_of(texts, self.decimal)
        for cell, rows in held.items():
            self._see(cell, rows)
        return self

    @property
    def places(self) -> tuple[int | str, ...] | None:
        """The names of the labels where cells hold a 0 or a 1 for each label by its place: lists of one length, at least two, of nothing
        but 0 and 1. Of text (``["0", "1"]``), and where some lists are of another length, only if some hold a value twice: a list of
        labels does not."""
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
        named = "" if isinstance(places[0], int) else ", by name"
        return f"{len(places)} labels by place: its cells are lists of 0 and 1{named}"

    @property
    def classes(self) -> Counter[str]:
        """Rows by class, where the target is one of several classes: the values, and words that are no missing values."""
        names = Counter(self.names)
        for word, rows in self.words.items():
            if word not in self._missing(has_classes=True):
                names[self.written[word]] += rows
        return names

    @property
    def recurs(self) -> bool:
        """Whether values recur as the names of classes do: at most 10,000 differ, and at most 20 or half as many as there are rows."""
        names = self.classes
        return not self.capped and (len(names) <= 20 or len(names) <= 0.5 * sum(names.values()))

    @property
    def classes_note(self) -> str:
        """A note on how many classes there are, and how many rows each has on average."""
        names = self.classes
        return f"{len(names)} values, {sum(names.values()) / max(len(names), 1):.0f} rows each on average"

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
        self.values += rows
        if isinstance(cell, str):
            self.texts += rows
            self._see_text(cell, rows)
        elif isinstance(cell, (list, tuple, set, frozenset, dict)) or (isinstance(cell, np.ndarray) and cell.ndim):
            if isinstance(cell, dict) and not (len(cell) > 1 and all(code_of(part) is not None for part in cell.values())):
                self._tell_foreign(f"found {type(cell).__name__}", rows)
                return
            self.lists += rows
            self._see_parts(cell, rows)
        elif isinstance(cell, Unreadable):
            self._tell_foreign(f"found {cell}", rows)
        elif isinstance(cell, (bytes, bytearray)):
            self._tell_foreign(f"found {type(cell).__name__}", rows)
        else:
            self._see_value(cell, rows)

    def _see_text(self, cell: str, rows: int) -> None:
        if cell[0] in _DIGITS and self.separator not in cell:  # no list begins so
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
        elif self.separator in cell:
            self.separated += rows
            parts = cell.split(self.separator)
            if len(self.labels) <= MOST_NAMES:
                self.labels.update(dict.fromkeys((part.strip()[:_SHORT] for part in parts if part.strip()), rows))
        if parts is not None:
            self._see_parts(parts, rows)
        self._see_value(cell, rows, alone=parts is None)

    def _see_value(self, cell: Cell, rows: int, alone: bool = True) -> None:
        """A value as the name of a class and as a number; not ``alone``: it also is a list, so its codes are counted there."""
        value = number_in(cell, self.how)
        if value is not None:
            self.numbers += rows
            self.fractions += rows * (not value.is_integer())
        try:
            name = name_of(cell)
        except Fault as fault:
            self._tell_foreign(str(fault).partition(";")[0], rows)
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
        self.values += 1
        self.numbers += 1
        self.codes += 1
        self.fractions += not value.is_integer()

    def _see_parts(self, parts: Any, rows: int) -> None:
        """A list: whether it holds nothing but 0 and 1, or nothing but numbers."""
        width = tuple(map(str, parts)) if isinstance(parts, dict) else len(parts)
        found: Sequence[Any] = list(islice(parts.values() if isinstance(parts, dict) else parts, MOST_NAMES + 1))
        codes = []
        for part in found:
            code = code_of(part)
            if code is None:
                break
            codes.append(code)
        if codes and len(codes) == len(found):
            self.codes += rows
            self._widths[width] += rows
            self._twice |= isinstance(parts, dict) or len(set(codes)) < len(codes)
            self._text_codes |= isinstance(found[0], str)
        elif all(
            isinstance(part, (bool, np.bool_)) or number_in(part, PLAIN) is not None for part in found[:_LOOKED_AT] if not is_empty(part)
        ):
            self.codes += rows

    def _tell_foreign(self, what: str, rows: int) -> None:
        if what in self.foreign or len(self.foreign) < _LOOKED_AT:
            self.foreign[what] += rows
        self.fault = self.fault or what


def code_of(part: Cell) -> int | None:
    """0 or 1 for an element of a list that says 0 or 1, False or True, in numbers or in text; else None."""
    if isinstance(part, (bool, np.bool_, int, float, np.number)):
        return int(part) if part == 0 or part == 1 else None
    if isinstance(part, str) and len(part) < _SHORT:
        return _CODES.get(name_of(part)) if part.isascii() else None
    return None


_CODES = {"0": 0, "1": 1, "False": 0, "True": 1}


def parts_of(cell: Cell, separator: str) -> list[Any] | dict[str, Any]:
    """The elements of a cell that is a list, writes one, or names its labels with a separator between them. ``Fault`` when it is none."""
    if isinstance(cell, str):
        found = listed(cell, separator)
        return cell.split(separator) if found is None else found or []
    if isinstance(cell, np.ndarray):
        return list(cell) if cell.ndim else [cell.item()]
    if isinstance(cell, (list, tuple, set, frozenset)):
        return list(cell)
    if isinstance(cell, (bytes, bytearray)):
        raise Fault(f"found {type(cell).__name__}; expected a list of labels, or a text such as 'a{separator}b'")
    return cell if isinstance(cell, dict) else [cell]


def facts_for(config: TaskConfig) -> TargetFacts:
    """Facts of a task's column, none gathered yet."""
    return TargetFacts(getattr(config, "separator", ";"), config.missing, getattr(config, "decimal", None))


def reading_of(config: Any, cells: Iterable[Cell], reading: Reading | None) -> tuple[Reading, Iterable[Cell]]:
    """The reading, or where there is none that which the cells by themselves suggest; and the cells without missing words."""
    if reading is None:
        cells = list(cells)
        facts = facts_for(config)
        for cell in cells:
            facts.add(cell)
        reading = facts.close().reading(config.task())
    words = reading.missing
    return reading, (cell for cell in cells if not reading.is_missing(cell)) if words else cells
