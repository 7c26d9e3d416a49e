"""Base class of all tables: a name, columns, and rows as a stream of columns."""

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
"""The number of rows that are read at a time."""
SLICE_BYTES = 2**26
"""The approximate maximum number of bytes of a slice: fewer rows are read at a time if they are large."""
LARGEST_ROW = 2**26
"""The maximum number of bytes of a row of CSV, or of characters of a line of JSON."""

Slice = dict[str, list[Cell]]


class Source(ABC):
    """A table."""

    name: str
    """The name of the table, for messages."""
    folder: Path | str | None = None
    """The folder that file cells are relative to, or its URL in an object store; None = the table is not a file."""
    columns: list[str]
    """The names of the columns."""
    rows: int
    """The number of rows."""
    index: tuple[str, ...] = ()
    """The columns that are a dataframe's index. They can be read, but are not features."""
    typed: bool = True
    """Whether cells have types: text, number, Boolean. In text formats every cell is text."""

    @abstractmethod
    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """Yield the rows in order, some at a time, as cells by column."""

    def at(self, columns: Sequence[str], rows: np.ndarray) -> Iterator[Slice]:
        """Yield some rows (0-based, ascending) in order, some at a time, as cells by column."""
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
        """Raise ``DataError`` if a column is absent. The message names the most similar column."""
        for column in columns:
            if column not in self.columns:
                parts = [part.strip() for part in re.split("[,;]", str(column))]
                several = len(parts) > 1 and set(parts) <= set(self.columns)
                fix = f"; name each by itself: {', '.join(map(repr, parts))}" if several else nearest(column, self.columns)
                raise DataError(f"{self.name}: no column {column!r}; the columns are {', '.join(map(repr, self.columns[:30]))}{fix}")

    def check_rows(self, purpose: str = "") -> None:
        """Raise ``DataError`` if the table has no rows or no columns. ``purpose`` is appended to the expectation in the message."""
        if self.rows == 0 or not self.columns:
            raise DataError(f"{self.name}: no {'rows' if self.rows == 0 else 'columns'}; expected a table with rows{purpose}")

    def digest(self, columns: Sequence[str]) -> str:
        """Return a digest of the cells of some columns. It differs if any cell differs; the content of files is not included."""
        digest = blake2b(digest_size=16)
        for part in self.slices(list(columns)) if columns else ():
            for name in columns:
                digest.update(name.encode("utf-8", "surrogatepass"))
                for cell in part[name]:
                    body = bytes(cell) if isinstance(cell, (bytes, bytearray)) else body_of(cell)
                    digest.update(len(body).to_bytes(8, "little") + body)
        return digest.hexdigest()

    def cells(self, columns: Sequence[str]) -> Iterator[Cell]:
        """Yield the cells of a field row by row: values of one column, or tuples of several."""
        for part in self.slices(list(dict.fromkeys(columns))):
            yield from cells_of(part, columns)


def cells_of(part: Slice, columns: Sequence[str]) -> Iterable[Cell]:
    """Return the cells of a field in one slice: values of one column, or tuples of several."""
    return part[columns[0]] if len(columns) == 1 else zip(*(part[column] for column in columns), strict=True)


def body_of(cell: Cell) -> bytes:
    """Return bytes that identify the content of a cell that is neither text nor bytes. The ``repr`` of an array would omit its middle."""
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
    """Return the ``repr`` of a cell, or of its parts; integers with more digits than Python writes are in hexadecimal."""
    try:
        return repr(cell).encode("utf-8", "surrogatepass")
    except ValueError:
        return b"[" + b",".join(map(_written, cell)) + b"]" if isinstance(cell, list) else hex(cell).encode()


def unique(names: list[str], place: str) -> list[str]:
    """Return the names unchanged.

    :raises DataError: two names are equal, or differ only in surrounding white space (which CSV does not keep), or a name is not valid text
    """
    by_plain: dict[str, str] = {}
    for name in names:
        plain = name.strip()
        if plain in by_plain and by_plain[plain] == name:
            raise DataError(f"{place}: two columns are named {name!r}; expected every name once; rename one")
        if plain in by_plain:
            raise DataError(
                f"{place}: columns {by_plain[plain]!r} and {name!r} differ only in surrounding white space; "
                f"expected other names; rename one"
            )
        by_plain[plain] = name
        if "\0" in name or not is_writable(name):
            raise DataError(
                f"{place}: column {name!r}: a name that is not valid text; expected no NUL and no half of a surrogate pair; rename it"
            )
    return names


def short(error: Exception) -> str:
    """Return the message of a library in one line of at most 200 characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else text[:197] + "..."
