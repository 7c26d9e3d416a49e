"""Determines which columns of strings are read twice: as categories, which identify the values of training rows, and as text, whose words
and runs of letters new values share with them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from ..language import Sentence
from ..modalities import MODALITIES
from .columns import Column, Facts

_CATEGORY = "category"
TEXT = next(modality.kind for modality in MODALITIES if modality.reads_strings)
"""The kind of the fields that read strings as text."""
_FEWEST_VALUES, _UNSEEN = 30, 0.02
_FEWEST_RELATED, _ROWS_OF_A_VALUE = 50, 20
_HALF = 0.5
_RECURS, _FEWEST_ROWS, _LONGEST_NAME = 3, 100, 100
_CONTENT = re.compile(r"[^\W\d_]|\d{4}")
_BEGINNING = 4
_SHORT, _FEW = 40, 3


def read_twice(columns: Sequence[Column], facts: Facts) -> None:
    """Set ``second`` of the columns that are read as categories and as text, and ``second_why``. Columns whose modality was requested
    are left as they are. Texts become categories only if there is a field of categories and numbers, so that this needs no further field.
    """
    has_categories = any(column.role == "feature" and "type" in column.options for column in columns)
    for column in columns:
        if column.role != "feature" or column.requested:
            continue
        if column.options.get("type") == _CATEGORY:
            why = _why_text(facts.names(column.name), column)
            second = TEXT
        elif has_categories and _is_plain_text(column):
            why = "" if column.capped else _why_category(facts.counts[column.name])
            second = _CATEGORY
        else:
            continue
        if why:
            column.second, column.second_why = second, why


def names_of_a_few_words(columns: Sequence[Column]) -> list[Column]:
    """Return the columns of short texts, such as names, that become one field together with the categories that are also read as text.

    There are none unless that field then has three columns or more: each field has an encoder and a baseline of its own, which costs time.

    :param columns: the columns of features
    """
    short = [
        column for column in columns
        if _is_plain_text(column) and not column.requested and column.cells
        and sum(map(len, column.cells)) <= _SHORT * len(column.cells)
    ]  # fmt: skip
    others = sum(column.second == TEXT for column in columns)
    return short if len(short) > 1 and len(short) + others >= _FEW else []


def _is_plain_text(column: Column) -> bool:
    """Return whether a column is read as text, and its cells are strings rather than lists."""
    return column.modality == TEXT and not column.options and all(isinstance(cell, str) for cell in column.cells)


def _why_text(names: Counter[str], column: Column) -> str:
    """Return why a column of categories is also read as text; "" if it is not.

    The share of the rows whose value occurs once estimates the share of new rows whose value no row of the table has (Good 1953).

    :param names: the frequencies of its categories
    """
    different, rows = len(names), names.total()
    with_content = sum(_CONTENT.search(name) is not None for name in names)
    if different < _FEWEST_VALUES or (with_content < _HALF * different and not column.contradicted):
        return ""
    if column.capped:
        return Sentence("why.over", values=different - 1)
    once = sum(count == 1 for count in names.values())
    if once >= _UNSEEN * rows:
        return Sentence("why.rare", values=different, once=once)
    if different >= _FEWEST_RELATED and rows <= _ROWS_OF_A_VALUE * different and _related(names) >= _HALF * different:
        return Sentence("why.related", values=different)
    return ""


def _related(names: Iterable[str]) -> int:
    """Return how many names share a word, or the beginning of the name, with another name."""
    parts = [{*re.findall(r"\w+", name.casefold()), name[:_BEGINNING].casefold()} for name in names]
    counts = Counter(part for of_name in parts for part in of_name)
    return sum(any(counts[part] > 1 for part in of_name) for of_name in parts)


def _why_category(counts: Counter[str]) -> str:
    """Return why a column of text is also read as categories, if most rows have a short text that recurs; "" if it is not.

    :param counts: the frequencies of its texts
    """
    rows = counts.total()
    recurring = sum(count for text, count in counts.items() if count >= _RECURS and len(text) <= _LONGEST_NAME)
    if rows < _FEWEST_ROWS or len(counts) < 2 or recurring < _HALF * rows:
        return ""
    return Sentence("why.recur", share=recurring / rows, times=_RECURS)
