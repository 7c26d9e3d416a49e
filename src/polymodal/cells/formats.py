"""Determine the type and the notation of a column from all of its cells, since a single cell is often ambiguous."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .dates import COMPACT, ORDERS, date, order_of
from .numbers import PLAIN, Decimal, Numbers, is_dressed, number, numbers_of
from .words import is_missing_word, plain_text

if TYPE_CHECKING:
    from ..flow import Cell

ColumnType = Literal["number", "category", "date"]

ENOUGH = 0.9
"""The fraction of cells that are numbers (or dates) from which a column is of that type regardless of the other cells."""
UNKNOWN_PLACE = "fields.NAME."
"""The beginning of the path of a setting in a note, until the field of the column is known."""
_HALF, _FEW_WORDS, _MANY_VALUES = 0.5, 5, 20
_MOST_WORDS, _LONGEST_WORD = 100, 60
_INSPECTED, _EVIDENCE = 1_000, 5_000  # the numbers of cells of a long column that determine its type, and its notation
_SHORTEST_CODE, _CODE_LENGTH, _LONG_CODE = 4, 6, 10
"""The least number of digits of codes with leading zeros, of codes with letters, and of codes that have neither."""
_LENGTHS_OF_TIMES = (10, 13, 16, 19)  # the numbers of digits of the seconds, milliseconds, microseconds and nanoseconds since 1970
_YEARS = (1_800, 2_200)
_LIMIT = re.compile(r"[<>≤≥]=?")
_SEASON = re.compile(r"\d\d(\d\d)[-/](\d\d)")


@dataclass(frozen=True)
class Writing:
    """The type of a column and the notation of its cells.

    :param type: number, category or date
    :param numbers: the notation of numbers
    :param order: the order of the parts of dates, see ``date``
    :param words: recurring texts among numbers or dates, in lower case, which are missing values
    :param share: the fraction of cells, without missing ones, that are of the type
    :param notes: messages for the user on how the cells are read
    """

    type: ColumnType
    numbers: Numbers = PLAIN
    order: str = "ymd"
    words: frozenset[str] = frozenset()
    share: float = 1.0
    notes: Sequence[str] = field(default=(), compare=False)

    def value(self, cell: Cell) -> float | None:
        """Return a number, or a date as days since 1970-01-01; None for a cell that is neither."""
        return self.numbers.read(cell) if self.type == "number" else date(cell, self.order)

    def is_word(self, cell: Cell) -> bool:
        """Return whether a text among numbers or dates is a word for a missing value."""
        return bool(self.words) and isinstance(cell, str) and len(cell) <= _LONGEST_WORD and cell.strip().casefold() in self.words

    def facts(self) -> dict[str, Any]:
        """Return the notation as plain JSON data."""
        return {"decimal": self.numbers.decimal, "unit": self.numbers.unit, "clock": self.numbers.clock, "order": self.order,
                "words": sorted(self.words)}  # fmt: skip

    @classmethod
    def of_facts(cls, type: ColumnType, facts: Mapping[str, Any] | None) -> Writing:
        """Return the instance of ``facts``; None = numbers with a decimal point, dates that begin with their year."""
        if facts is None:
            return cls(type)
        numbers = Numbers(facts["decimal"], facts["unit"], facts["clock"])
        return cls(type, numbers, facts["order"], frozenset(facts["words"]))


def check_facts(facts: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` if ``facts`` are not those of a ``Writing``."""
    valid = facts["decimal"] in (".", ",") and facts["clock"] in ("h:m", "m:s") and type(facts["unit"]) is str and len(facts["unit"]) <= 40
    words = facts["words"]
    if not valid or type(words) is not list or len(words) > _MOST_WORDS or not all(type(word) is str for word in words):
        raise ValueError("invalid facts on the notation of a column")
    check_order(facts["order"])


def check_order(order: str) -> None:
    """Raise ``ValueError`` unless ``order`` is an order of the parts of a date, or a format of ``datetime.strptime``."""
    import datetime

    if order in ORDERS:
        return
    try:
        if "%" not in order or len(order) > _LONGEST_WORD:
            raise ValueError
        moment = datetime.datetime(2024, 5, 31, 10, 20, 30)
        datetime.datetime.strptime(moment.strftime(order), order)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{order!r} is not a format of dates; expected dmy, mdy, ymd, or a format such as %d/%m/%Y") from None


def writing_of(cells: Sequence[Cell], type: ColumnType | None = None, decimal: Decimal | None = None, order: str | None = None) -> Writing:
    """Determine the type of a column and the notation of its cells.

    A column is of numbers or dates if nine in ten cells are. Five in ten are enough if the others are a few recurring words, such as
    "unknown", among many different values.

    :param cells: the cells of the column
    :param type: the type, if it is known
    :param decimal: the decimal sign, if it is known
    :param order: the order of the parts of dates, if it is known
    """
    from ..language import Sentence  # not for exported models, which read cells without the texts of the library

    cells = [cell for cell in cells if not is_missing_word(cell)]
    if type == "category" or not cells:
        return Writing(type or "category")
    types = _possible_types(cells, decimal, order) if type is None else (type,)
    if "number" in types:
        writing = _numbers(cells, decimal)
        if type == "number":
            return _with_missing_words(writing, cells)
        if writing.share >= _HALF and _is_enough(writing, cells):
            compact = _compact_format(cells, writing) if order is None else None
            if compact is not None:
                return Writing("date", order=compact, notes=(Sentence("cells.compact_dates", example=str(cells[0])),))
            if not _are_codes(cells) and not are_limits(cells):
                return _with_missing_words(writing, cells)
    if "date" in types:
        writing = _dates(cells, order)
        if type == "date" or (writing.share >= _HALF and _is_enough(writing, cells)):
            return _with_missing_words(writing, cells)
    return Writing("category")


def _some(cells: Sequence[Cell], most: int) -> Sequence[Cell]:
    """Return at most about ``most`` cells, evenly spaced."""
    return cells[:: max(1, -(-len(cells) // most))]


def _possible_types(cells: Sequence[Cell], decimal: Decimal | None, order: str | None) -> tuple[ColumnType, ...]:
    """Return the types besides category that a column may be of. For a long column they are determined from some of its cells."""
    if len(cells) <= 2 * _INSPECTED:
        return ("number", "date")
    some = _some(cells, _INSPECTED)
    shares: dict[ColumnType, float] = {"number": _numbers(some, decimal).share, "date": _dates(some, order).share}
    return tuple(type for type, share in shares.items() if share >= 0.5 * _HALF)


def _numbers(cells: Sequence[Cell], decimal: Decimal | None) -> Writing:
    from ..language import Sentence

    plain = [number(cell) for cell in cells]
    if decimal is None and None not in plain and not any(isinstance(cell, str) and is_dressed(cell) for cell in cells):
        return Writing("number")
    numbers, currencies, bound = numbers_of(_some(cells, _EVIDENCE), decimal)
    if numbers != PLAIN:
        plain = [numbers.read(cell) for cell in cells]
    notes: list[str] = []
    if numbers.decimal == "," and decimal is None:
        shown = next((cell for cell in cells if isinstance(cell, str) and ("," in cell or cell.count(".") > 1)), "")
        notes.append(Sentence("cells.comma", example=shown.strip()[:30], place=UNKNOWN_PLACE))
    if len(currencies) > 1:
        notes.append(Sentence("cells.currencies", names=", ".join(currencies[:4])))
    if bound is not None:
        notes.append(Sentence("cells.bounds", example=bound[:30]))
    return Writing("number", numbers, share=sum(value is not None for value in plain) / len(cells), notes=tuple(notes))


def _dates(cells: Sequence[Cell], order: str | None) -> Writing:
    from ..language import Sentence

    if order is None and _are_seasons(cells):
        return Writing("date", share=0.0)
    parts, is_shown = (order, True) if order is not None else order_of(_some(cells, _EVIDENCE))
    share = sum(date(cell, parts) is not None for cell in cells) / len(cells)
    notes: list[str] = []
    if not is_shown and share >= _HALF:
        first, other = {"mdy": ("month", "dmy"), "dmy": ("day", "mdy"), "yymd": ("year", "dmy")}[parts]
        values = {"example": _example(cells, "/", ".", "-"), "first": Sentence(f"cells.{first}"), "other": other}
        notes.append(Sentence("cells.order", place=UNKNOWN_PLACE, **values))
    return Writing("date", order=parts, share=share, notes=tuple(notes))


def _is_enough(writing: Writing, cells: Sequence[Cell]) -> bool:
    """Return whether a column is of a type to which at least half of its cells belong."""
    if writing.share >= ENOUGH:
        return True
    others: set[str] = set()
    values: set[float] = set()
    for cell in cells:
        value = writing.value(cell)
        if value is not None:
            values.add(value)
        elif isinstance(cell, str) and len(cell) <= _LONGEST_WORD:
            others.add(cell.strip().casefold())
        else:
            return False
    return are_words_among(len(values), others)


def are_words_among(values: int, others: Collection[str]) -> bool:
    """Return whether the other texts in a column of numbers or dates are words for missing values: a few words without digits.

    :param values: the number of different numbers or dates
    :param others: the other texts
    """
    few = len(others) <= _FEW_WORDS and values > _MANY_VALUES
    return few and not any(len(word) > _LONGEST_WORD or any(map(str.isdigit, word)) for word in others)


def are_limits(cells: Iterable[Cell]) -> bool:
    """Return whether signs next to a few numbers name classes, since they distinguish cells of one number: ``<=50K`` and ``>50K``; ``1+``,
    ``1`` and ``1-``. In a column of many numbers they are bounds.
    """
    signs: dict[float, set[str]] = {}
    trailing: set[str] = set()
    texts: set[str] = set()
    for cell in cells:
        if not isinstance(cell, str) or cell in texts or len(cell) > _LONGEST_WORD:
            continue
        texts.add(cell)
        text = cell.strip()
        sign = text[-1] if len(text) > 1 and text[-1] in "+-" and not text[-2].isspace() else ""
        value = number(text.removesuffix(sign))
        if value is None:
            continue
        trailing.add(sign)
        limit = _LIMIT.match(text)
        signs.setdefault(value, set()).add(sign if limit is None else limit[0])
        if len(signs) > _MANY_VALUES:
            return False
    return {"+", "-"} <= trailing or any(len(of_value) > 1 for of_value in signs.values())


def _are_seasons(cells: Sequence[Cell]) -> bool:
    """Return whether all cells are a year and the next one, as in ``2010/11``, and not a year and a month."""
    for cell in cells:
        match = _SEASON.fullmatch(cell.strip()) if isinstance(cell, str) else None
        if match is None or (int(match[1]) + 1) % 100 != int(match[2]):
            return False
    return len(set(cells)) > 1


def _are_codes(cells: Sequence[Cell]) -> bool:
    """Return whether digits are codes, such as postal codes and ISBNs, rather than numbers, by how they are written.

    Nine in ten cells of a column of codes have one length. Besides, some have leading zeros, or end or begin with letters; or they have ten
    digits or more, differ mostly, and are neither rounded nor times since 1970.
    """
    texts = [_digits_of(cell) for cell in cells]
    lengths = Counter(len(text) for text in texts if text.isdecimal())
    length = lengths.most_common(1)[0][0] if lengths else 0
    usual = [text for text in texts if len(text) == length and text.isalnum()]
    if length < _SHORTEST_CODE or len(usual) < ENOUGH * len(texts):
        return False
    digits = [text for text in usual if text.isdecimal()]
    some = max(2, 0.01 * len(texts))
    if sum(text[0] == "0" for text in digits) >= some:
        return True
    with_letters = sum(any(map(str.isdecimal, text)) for text in usual) - len(digits)
    if length >= _CODE_LENGTH and with_letters >= (1 if len(usual) == len(texts) else some):
        return True
    if length < _LONG_CODE or len(digits) < max(_MANY_VALUES, ENOUGH * len(texts)) or 2 * len(set(digits)) < len(digits):
        return False
    rounded = sum(text.endswith("00") for text in digits)
    since_1970 = sum(text.startswith(("1", "20")) for text in digits) if length in _LENGTHS_OF_TIMES else 0
    return rounded < 0.1 * len(digits) and since_1970 < ENOUGH * len(digits)


def _digits_of(cell: Cell) -> str:
    """Return a text without a plus sign before it, or a whole number as text; "" for any other cell."""
    if isinstance(cell, str):
        return plain_text(cell[:_LONGEST_WORD]).removeprefix("+")
    if isinstance(cell, (bool, np.bool_)):
        return ""
    if isinstance(cell, (int, np.integer)):
        return str(cell) if -(10**_LONGEST_WORD) < cell < 10**_LONGEST_WORD else ""
    return f"{float(cell):.0f}" if isinstance(cell, (float, np.floating)) and float(cell).is_integer() else ""


def _compact_format(cells: Sequence[Cell], writing: Writing) -> str | None:
    """Return the format of numbers that are dates without separators, or None if some are not valid dates of one format."""
    if writing.share < 1.0 or any(isinstance(cell, str) and not cell.strip().isdecimal() for cell in cells):
        return None
    values = np.array([number(cell) for cell in cells], np.float64)
    form = COMPACT.get(len(f"{values.max():.0f}"))
    if form is None or len(np.unique(values)) < 3:
        return None
    years = values / 10.0 ** (len(f"{values.max():.0f}") - 4)
    if years.min() < _YEARS[0] or years.max() > _YEARS[1] or any(date(cell, form) is None for cell in cells):
        return None
    return form


def _with_missing_words(writing: Writing, cells: Sequence[Cell]) -> Writing:
    """Add the words for missing values: recurring texts that cannot be read."""
    from ..language import Sentence

    if writing.share == 1.0:
        return writing
    counts = Counter(
        cell.strip().casefold() for cell in cells if isinstance(cell, str) and len(cell) <= _LONGEST_WORD and writing.value(cell) is None
    )
    words = [word for word, count in counts.most_common(_MOST_WORDS) if count >= 2]
    notes = list(writing.notes)
    left = sum(counts.values())
    if left:
        shown = ", ".join(repr(word) for word, _ in counts.most_common(3)) + (", ..." if len(counts) > 3 else "")
        notes.append(Sentence(f"cells.other_{writing.type}s", count=left, cells=len(cells), shown=shown))
    return Writing(writing.type, writing.numbers, writing.order, frozenset(words), writing.share, tuple(notes))


def _example(cells: Sequence[Cell], *signs: str) -> str:
    return repr(next((cell.strip()[:30] for cell in cells if isinstance(cell, str) and any(sign in cell for sign in signs)), ""))
