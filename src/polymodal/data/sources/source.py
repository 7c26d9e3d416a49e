"""What every table answers: its name, its columns, and its rows as a stream of columns."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from ...cells import is_writable
from ...errors import DataError, nearest
from ...flow import Cell

SLICE = 1024
"""Rows read at a time."""
SLICE_BYTES = 2**26
"""Bytes of a slice, about: of large rows fewer are read at a time."""
LARGEST_ROW = 2**26
"""Bytes of a CSV's row, or characters of a JSON line, at most."""

Slice = dict[str, list[Cell]]


class Source(ABC):
    """A table: its name, its columns, how many rows, the folder that its file cells are relative to."""

    name: str
    folder: Path | None = None
    columns: list[str]
    rows: int
    index: tuple[str, ...] = ()
    """Columns that are a dataframe's index: they can be read, and are no features."""
    typed: bool = True
    """Whether the table says which cells are text and which are numbers or truth values."""

    @abstractmethod
    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """The rows in order, some at a time: cells by column."""

    def at(self, columns: Sequence[str], rows: np.ndarray) -> Iterator[Slice]:
        """Some rows (0-based, ascending), in their order, some at a time: cells by column."""
        start, upto = 0, 0
        for part in self.slices(columns):
            if upto == len(rows):
                return
            end = start + len(part[columns[0]])
            here = rows[upto : upto + int(np.searchsorted(rows[upto:], end))] - start
            if len(here):
                yield {name: [cells[at] for at in here] for name, cells in part.items()}
            start, upto = end, upto + len(here)

    def check(self, columns: Iterable[str]) -> None:
        """``DataError`` naming the nearest column when one is not there."""
        for column in columns:
            if column not in self.columns:
                parts = [part.strip() for part in re.split("[,;]", str(column))]
                several = len(parts) > 1 and set(parts) <= set(self.columns)
                fix = f"; name each by itself: {', '.join(map(repr, parts))}" if several else nearest(column, self.columns)
                raise DataError(f"{self.name}: no column {column!r}; the columns are {', '.join(map(repr, self.columns[:30]))}{fix}")

    def check_rows(self, purpose: str = "") -> None:
        """``DataError`` for a table without rows, or without columns."""
        if self.rows == 0 or not self.columns:
            raise DataError(f"{self.name}: no {'rows' if self.rows == 0 else 'columns'}; expected a table with rows{purpose}")

    def digest(self, columns: Sequence[str]) -> str:
        """Of the cells as they are written: other cells, another digest. What files they name is not looked into."""
        digest = blake2b(digest_size=16)
        for part in self.slices(list(columns)) if columns else ():
            for name in columns:
                digest.update(name.encode("utf-8", "surrogatepass"))
                for cell in part[name]:
                    body = bytes(cell) if isinstance(cell, (bytes, bytearray)) else body_of(cell)
                    digest.update(len(body).to_bytes(8, "little") + body)
        return digest.hexdigest()

    def cells(self, columns: Sequence[str]) -> Iterator[Cell]:
        """The cells of a field, row by row: values of one column, or tuples of several."""
        for part in self.slices(list(dict.fromkeys(columns))):
            yield from cells_of(part, columns)


def cells_of(part: Slice, columns: Sequence[str]) -> Iterable[Cell]:
    """The cells of a field in one slice."""
    return part[columns[0]] if len(columns) == 1 else zip(*(part[column] for column in columns), strict=True)


def body_of(cell: Cell) -> bytes:
    """A cell that is neither text nor bytes as bytes: other content, other bytes. (An array's own text leaves out its middle.)"""
    if isinstance(cell, np.ndarray) and not cell.dtype.hasobject:
        return f"{cell.dtype.str}{cell.shape}".encode() + np.ascontiguousarray(cell).tobytes()
    if isinstance(cell, dict):
        cell = list(cell.items())
    if isinstance(cell, (list, tuple, np.ndarray)):
        nested = any(isinstance(part, (list, tuple, dict, np.ndarray)) for part in cell)
        parts = [body_of(part) for part in cell] if nested else [_written(list(cell))]
        name = "list" if isinstance(cell, list) else type(cell).__name__
        return name.encode() + b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    return _written(cell)


def _written(cell: Cell) -> bytes:
    """A cell's own text, or that of its parts; an integer of more digits than Python writes in hexadecimal."""
    try:
        return repr(cell).encode("utf-8", "surrogatepass")
    except ValueError:
        return b"[" + b",".join(map(_written, cell)) + b"]" if isinstance(cell, list) else hex(cell).encode()


def unique(names: list[str], place: str) -> list[str]:
    """The names, or ``DataError`` when two are the same, or would be as a CSV, whose names lose the space around them."""
    seen: dict[str, str] = {}
    for name in names:
        plain = name.strip()
        if plain in seen and seen[plain] == name:
            raise DataError(f"{place}: two columns are called {name!r}; expected every name once; rename one")
        if plain in seen:
            raise DataError(
                f"{place}: columns {seen[plain]!r} and {name!r} differ only in the space around them; expected other names; rename one"
            )
        seen[plain] = name
        if "\0" in name or not is_writable(name):
            raise DataError(f"{place}: column {name!r}: a name that is no text; expected no NUL and no half of a character; rename it")
    return names


def short(error: Exception) -> str:
    """A library's message in one line."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else text[:197] + "..."
