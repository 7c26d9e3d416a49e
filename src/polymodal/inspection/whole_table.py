"""Checks the types of columns, which a sample of the cells suggested, against the cells of the whole table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..cells import Writing
from ..data.sources import Source
from ..flow import Cell
from ..language import Sentence
from ..modalities import is_missing_word
from .columns import Column, Facts

_SUSPECTED = 0.2
"""The whole table is read if the sample has more than this fraction of the unreadable cells that the whole table may have."""
_FEWEST = 5
_MOST_TEXTS = 10_000
_LONGEST_WORD = 60


def fall_back(source: Source, columns: Sequence[Column], facts: Facts, limit: float) -> None:
    """Read columns as categories whose cells are not of the type, number or date, that a sample of them suggested.

    The table is read again only if the sample contains cells of another type. A few cells of another type are faults, and words without
    digits that recur are missing values; both leave the type as it is. So do objects and bytes, which a category cannot be either.

    :param limit: the largest share of a column's cells, between 0 and 1, that may be unreadable
    """
    unread: dict[str, _Unread] = {}
    for column in columns:
        writing: Writing | None = column.options.get("writing")
        if column.role != "feature" or column.requested or writing is None or writing.type == "category":
            continue
        sample = _Unread(writing)
        for cell in facts.sample[column.name]:
            sample.add(cell)
        if sample.others.total() > _SUSPECTED * limit * max(sample.present, 1):
            unread[column.name] = _Unread(writing)
    for part in source.slices(list(unread)) if unread else ():
        for name, cells in part.items():
            for cell in cells:
                unread[name].add(cell)
    for column in columns:
        if column.name in unread:
            counts = unread[column.name]
            if counts.count >= _FEWEST and counts.count > limit * counts.present:
                _to_category(column, counts)


@dataclass
class _Unread:
    """Counts the cells of a column that are not of its type."""

    writing: Writing
    present: int = 0
    """The number of cells that are not missing."""
    others: Counter[str] = field(default_factory=Counter)
    """The frequencies of the texts that are not of the type. Of more than 10,000 different ones, the rest counts as ""."""

    def add(self, cell: Cell) -> None:
        """Add one cell of the column."""
        if is_missing_word(cell):
            return
        self.present += 1
        if isinstance(cell, str) and self.writing.value(cell) is None and not self.writing.is_word(cell):
            text = cell.strip()[: _LONGEST_WORD + 1]
            self.others["" if len(self.others) >= _MOST_TEXTS and text not in self.others else text] += 1

    @property
    def count(self) -> int:
        """The number of cells that are not of the type, without words without digits that recur."""
        return sum(count for text, count in self.others.items() if not self._is_word(text))

    @property
    def example(self) -> str:
        """A cell that is not of the type."""
        return next(text for text in self.others if not self._is_word(text))

    def _is_word(self, text: str) -> bool:
        """Return whether a text stands for a missing value."""
        return self.others[text] > 1 and 0 < len(text) <= _LONGEST_WORD and not any(map(str.isdigit, text))


def _to_category(column: Column, unread: _Unread) -> None:
    """Make a column one of categories, with a note that states why and how to prevent it."""
    kind, share, example = unread.writing.type, unread.count / unread.present, repr(unread.example[:30])
    column.why = Sentence(f"why.not_{kind}s", share=share, example=example)
    fix = f"--column {column.name}={kind} data.max_faults={math.ceil(share * 100) / 100:g}"
    line = Sentence(f"cells.as_categories_{kind}s", count=unread.count, cells=unread.present, example=example, fix=fix)
    column.options = {"type": "category", "writing": Writing("category", notes=(line,))}
    column.contradicted = True
