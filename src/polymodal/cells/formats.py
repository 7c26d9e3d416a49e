"""What a column's cells are, and how they are written: decided by all of them together, for one cell often shows too little."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ..flow import Cell
from .dates import COMPACT, ORDERS, date, order_of
from .numbers import PLAIN, Decimal, Numbers, is_dressed, number, numbers_of
from .words import is_missing_word, plain_text

ColumnType = Literal["number", "category", "date"]

ENOUGH = 0.9
"""Share of a column's cells that are numbers, or dates, for it to be a column of them whatever the others are."""
_HALF, _FEW_WORDS, _MANY_VALUES = 0.5, 5, 20
_MOST_WORDS, _LONGEST_WORD = 100, 60
_LOOKED_AT, _EVIDENCE = 1_000, 5_000  # cells of a long column that show that it holds categories, and how its cells are written
_CODE_LENGTH = 6  # digits and letters, at least, of codes that all have one length
_YEARS = (1_800, 2_200)
_LIMIT = re.compile(r"[<>≤≥]=?")
_SEASON = re.compile(r"\d\d(\d\d)[-/](\d\d)")


@dataclass(frozen=True)
class Writing:
    """The type of a column and how its cells are written.

    ``share`` of the cells (missing ones aside) are of the type. ``words`` (in lower case) are texts among numbers or dates that stand for a
    missing value, as they come back. ``told`` says what a person should know of how the cells are read, a line each.
    """

    type: ColumnType
    numbers: Numbers = PLAIN
    order: str = "ymd"
    words: frozenset[str] = frozenset()
    share: float = 1.0
    notes: Sequence[str] = field(default=(), compare=False)

    def value(self, cell: Cell) -> float | None:
        """A number, or a date as days since 1970-01-01; None for a cell that is neither."""
        return self.numbers.read(cell) if self.type == "number" else date(cell, self.order)

    def is_word(self, cell: Cell) -> bool:
        """Whether a text among numbers or dates stands for a missing value."""
        return bool(self.words) and isinstance(cell, str) and len(cell) <= _LONGEST_WORD and cell.strip().casefold() in self.words

    def facts(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {"decimal": self.numbers.decimal, "unit": self.numbers.unit, "clock": self.numbers.clock, "order": self.order,
                "words": sorted(self.words)}  # fmt: skip

    @classmethod
    def of_facts(cls, type: ColumnType, facts: Mapping[str, Any] | None) -> Writing:
        """The writing that ``facts`` came from; None = numbers with a decimal point, dates that begin with their year."""
        if facts is None:
            return cls(type)
        numbers = Numbers(facts["decimal"], facts["unit"], facts["clock"])
        return cls(type, numbers, facts["order"], frozenset(facts["words"]))


def check_facts(facts: Mapping[str, Any]) -> None:
    """``ValueError`` for facts that no ``Writing`` gives."""
    right = facts["decimal"] in (".", ",") and facts["clock"] in ("h:m", "m:s") and type(facts["unit"]) is str and len(facts["unit"]) <= 40
    words = facts["words"]
    if not right or type(words) is not list or len(words) > _MOST_WORDS or not all(type(word) is str for word in words):
        raise ValueError("facts of how a column is written that are none")
    check_order(facts["order"])


def check_order(order: str) -> None:
    """``ValueError`` unless ``order`` is one of the orders of a date's parts, or a format of ``datetime.strptime``."""
    import datetime

    if order in ORDERS:
        return
    try:
        if "%" not in order or len(order) > _LONGEST_WORD:
            raise ValueError
        moment = datetime.datetime(2024, 5, 31, 10, 20, 30)
        datetime.datetime.strptime(moment.strftime(order), order)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{order!r} is no format of dates; expected dmy, mdy, ymd, or such as %d/%m/%Y") from None


def writing_of(cells: Sequence[Cell], type: ColumnType | None = None, decimal: Decimal | None = None, order: str | None = None) -> Writing:
    """The type of a column and how its cells are written, by what they show together.

    Numbers and dates need nine cells in ten. With five in ten they are enough where the others are a few words that come back, such as
    "unknown", among many different values. ``type``, ``decimal`` and ``order`` are given where they are known.
    """
    cells = [cell for cell in cells if not is_missing_word(cell)]
    if type == "category" or not cells:
        return Writing(type or "category")
    tried = _tried(cells, decimal, order) if type is None else (type,)
    if "number" in tried:
        found = _numbers(cells, decimal)
        if type == "number" or (found.share >= _HALF and _is_enough(found, cells) and not _are_codes(cells) and not are_limits(cells)):
            compact = _compact_format(cells, found) if type is None and order is None else None
            if compact is not None:
                return Writing("date", order=compact, notes=(f"digits such as {cells[0]} are read as dates",))
            return _with_missing_words(found, cells)
    if "date" in tried:
        found = _dates(cells, order)
        if type == "date" or (found.share >= _HALF and _is_enough(found, cells)):
            return _with_missing_words(found, cells)
    return Writing("category")


def _some(cells: Sequence[Cell], most: int) -> Sequence[Cell]:
    """At most about ``most`` of the cells, evenly from the first to the last."""
    return cells[:: max(1, -(-len(cells) // most))]


def _tried(cells: Sequence[Cell], decimal: Decimal | None, order: str | None) -> tuple[ColumnType, ...]:
    """The types that a column may be of: of a long one, some cells show that it is neither of numbers nor of dates."""
    if len(cells) <= 2 * _LOOKED_AT:
        return ("number", "date")
    some = _some(cells, _LOOKED_AT)
    shares: dict[ColumnType, float] = {"number": _numbers(some, decimal).share, "date": _dates(some, order).share}
    return tuple(type for type, share in shares.items() if share >= 0.5 * _HALF)


def _numbers(cells: Sequence[Cell], decimal: Decimal | None) -> Writing:
    plain = [number(cell) for cell in cells]
    if decimal is None and None not in plain and not any(isinstance(cell, str) and is_dressed(cell) for cell in cells):
        return Writing("number")
    numbers, currencies, bound = numbers_of(_some(cells, _EVIDENCE), decimal)
    if numbers != PLAIN:
        plain = [numbers.read(cell) for cell in cells]
    notes = []
    if numbers.decimal == "," and decimal is None:
        shown = next((cell for cell in cells if isinstance(cell, str) and ("," in cell or cell.count(".") > 1)), "")
        notes.append(f"the comma is read as the decimal sign, as in {shown.strip()[:30]!r}; say otherwise with fields.NAME.decimal='.'")
    if len(currencies) > 1:
        notes.append(f"amounts in several currencies ({', '.join(currencies[:4])}) are read as they are, without conversion")
    if bound is not None:
        notes.append(f"bounds and rough figures, such as {bound[:30]!r}, are read as the number that they name")
    return Writing("number", numbers, share=sum(value is not None for value in plain) / len(cells), notes=tuple(notes))


def _dates(cells: Sequence[Cell], order: str | None) -> Writing:
    if order is None and _are_seasons(cells):
        return Writing("date", share=0.0)
    found, shown = (order, True) if order is not None else order_of(_some(cells, _EVIDENCE))
    share = sum(date(cell, found) is not None for cell in cells) / len(cells)
    notes = []
    if not shown and share >= _HALF:
        first, other = {"mdy": ("month", "dmy"), "dmy": ("day", "mdy"), "yymd": ("year", "dmy")}[found]
        notes.append(
            f"no cell shows whether the day or the month comes first, as in {_example(cells, '/', '.', '-')}; the {first} is taken as the "
            f"first; say otherwise with fields.NAME.date_format={other}"
        )
    return Writing("date", order=found, share=share, notes=tuple(notes))


def _is_enough(found: Writing, cells: Sequence[Cell]) -> bool:
    """Whether a column is of a type whose share is at least a half."""
    if found.share >= ENOUGH:
        return True
    others: set[str] = set()
    values: set[float] = set()
    for cell in cells:
        value = found.value(cell)
        if value is not None:
            values.add(value)
        elif isinstance(cell, str) and len(cell) <= _LONGEST_WORD:
            others.add(cell.strip().casefold())
        else:
            return False
    return are_words_among(len(values), others)


def are_words_among(values: int, others: Collection[str]) -> bool:
    """Whether texts among so many different numbers (or dates) say that there is none: a few words without digits among many values."""
    few = len(others) <= _FEW_WORDS and values > _MANY_VALUES
    return few and not any(len(word) > _LONGEST_WORD or any(map(str.isdigit, word)) for word in others)


def are_limits(cells: Iterable[Cell]) -> bool:
    """Whether signs beside a few numbers name classes, for they tell cells of one number apart: ``<=50K`` and ``>50K``; ``1+``, ``1`` and
    ``1-``. Of many numbers, some are bounds."""
    signs: dict[float, set[str]] = {}
    behind: set[str] = set()
    seen: set[str] = set()
    for cell in cells:
        if not isinstance(cell, str) or cell in seen or len(cell) > _LONGEST_WORD:
            continue
        seen.add(cell)
        text = cell.strip()
        sign = text[-1] if len(text) > 1 and text[-1] in "+-" and not text[-2].isspace() else ""
        value = number(text.removesuffix(sign))
        if value is None:
            continue
        behind.add(sign)
        limit = _LIMIT.match(text)
        signs.setdefault(value, set()).add(sign if limit is None else limit[0])
        if len(signs) > _MANY_VALUES:
            return False
    return {"+", "-"} <= behind or any(len(found) > 1 for found in signs.values())


def _are_seasons(cells: Sequence[Cell]) -> bool:
    """Whether all of a column is a year and the next one, as in ``2010/11``, and not a month."""
    for cell in cells:
        match = _SEASON.fullmatch(cell.strip()) if isinstance(cell, str) else None
        if match is None or (int(match[1]) + 1) % 100 != int(match[2]):
            return False
    return len(set(cells)) > 1


def _are_codes(cells: Sequence[Cell]) -> bool:
    """Whether digits are names rather than numbers: of one length with zeros in front, or with letters among some of them."""
    lengths = {len(cell.strip()) if isinstance(cell, str) else 0 for cell in cells}
    if len(lengths) != 1 or (length := next(iter(lengths))) < 2:
        return False
    texts = [plain_text(cell) for cell in cells]
    digits = sum(text.isdecimal() for text in texts)
    if digits == len(texts):
        zeros = sum(text[0] == "0" for text in texts)
        return length >= 4 and zeros >= max(2, 0.01 * len(texts))
    return length >= _CODE_LENGTH and digits > 0 and all(text.isalnum() for text in texts)


def _compact_format(cells: Sequence[Cell], found: Writing) -> str | None:
    """The format of numbers that are dates without separators: so many digits each, of a year, a month and a day that there are."""
    if found.share < 1.0 or any(isinstance(cell, str) and not cell.strip().isdecimal() for cell in cells):
        return None
    values = np.array([number(cell) for cell in cells], np.float64)
    form = COMPACT.get(len(f"{values.max():.0f}"))
    if form is None or len(np.unique(values)) < 3:
        return None
    years = values / 10.0 ** (len(f"{values.max():.0f}") - 4)
    if years.min() < _YEARS[0] or years.max() > _YEARS[1] or any(date(cell, form) is None for cell in cells):
        return None
    return form


def _with_missing_words(found: Writing, cells: Sequence[Cell]) -> Writing:
    """With the words that stand for a missing value: texts that cannot be read, and come back."""
    if found.share == 1.0:
        return found
    counts = Counter(
        cell.strip().casefold() for cell in cells if isinstance(cell, str) and len(cell) <= _LONGEST_WORD and found.value(cell) is None
    )
    words = [word for word, count in counts.most_common(_MOST_WORDS) if count >= 2]
    notes = list(found.notes)
    left = sum(counts.values())
    if left:
        shown = ", ".join(repr(word) for word, _ in counts.most_common(3)) + (", ..." if len(counts) > 3 else "")
        notes.append(f"{left:,} of {len(cells):,} cells are no {found.type}s ({shown}); they count as missing")
    return Writing(found.type, found.numbers, found.order, frozenset(words), found.share, tuple(notes))


def _example(cells: Sequence[Cell], *signs: str) -> str:
    return repr(next((cell.strip()[:30] for cell in cells if isinstance(cell, str) and any(sign in cell for sign in signs)), ""))
