"""Sources of tables in memory: rows as dicts, and columns as lists."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ...flow import Cell, Row
from ...modalities.objects import PLAIN, plain
from .source import SLICE, SLICE_BYTES, Slice, Source, unique


class _InMemory(Source):
    """A table of Python objects. They are converted to cells (``plain``) each time they are read; the table is not changed."""

    def __init__(self, name: str, columns: list[str], rows: int) -> None:
        self.name, self.columns, self.rows = name, unique(columns, name), rows
        self._plain: set[str] = set()  # columns that contained no object when they were read

    @abstractmethod
    def _given(self, column: str, start: int, stop: int) -> list[Cell]:
        """Return the objects of a column in a range of rows, in a new list."""

    @abstractmethod
    def _given_at(self, column: str, rows: np.ndarray) -> list[Cell]:
        """Return the objects of a column in some rows, in a new list."""

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """Yield the rows in order, some at a time. If objects are converted to cells, a slice has at most about ``SLICE_BYTES``."""
        plain_columns = set(columns) - self._plain
        for start in range(0, self.rows, SLICE):
            yield from self._parts({name: self._given(name, start, start + SLICE) for name in columns}, plain_columns)
        self._plain |= plain_columns

    def at(self, columns: Sequence[str], rows: np.ndarray) -> Iterator[Slice]:
        """Yield some rows. Only the requested cells are converted."""
        for start in range(0, len(rows), SLICE):
            part = {name: self._given_at(name, rows[start : start + SLICE]) for name in columns}
            yield from self._parts(part, set(columns) - self._plain)

    def _parts(self, part: Slice, plain_columns: set[str]) -> Iterator[Slice]:
        """Yield the cells of some rows. A column that contains an object is removed from ``plain_columns``."""
        objects = [name for name, cells in part.items() if name not in self._plain and not PLAIN.issuperset(map(type, cells))]
        plain_columns.difference_update(objects)
        if not objects:
            yield part
            return
        rows = len(part[objects[0]])
        start, size = 0, 0
        for at in range(rows):
            for name in objects:
                cell = part[name][at]
                part[name][at] = made = plain(cell)
                size += 0 if made is cell else _size(made)
            if size > SLICE_BYTES or at == rows - 1:
                yield {name: cells[start : at + 1] for name, cells in part.items()}
                for name in objects:  # release the converted cells
                    part[name][start : at + 1] = [None] * (at + 1 - start)
                start, size = at + 1, 0


class RowsSource(_InMemory):
    """The source of rows as dicts. A cell is None if its row lacks the key."""

    def __init__(self, name: str, rows: Sequence[Row]) -> None:
        self.table = rows
        keys = list(dict.fromkeys(key for row in rows for key in row))
        super().__init__(name, [str(key) for key in keys], len(rows))
        self._keys = dict(zip(self.columns, keys, strict=True))

    def _given(self, column: str, start: int, stop: int) -> list[Cell]:
        key = self._keys[column]
        return [row.get(key) for row in self.table[start:stop]]

    def _given_at(self, column: str, rows: np.ndarray) -> list[Cell]:
        key = self._keys[column]
        return [self.table[at].get(key) for at in rows]


class ColumnsSource(_InMemory):
    """The source of columns as lists of one length."""

    def __init__(self, name: str, columns: Mapping[str, list[Cell]], index: Sequence[str] = ()) -> None:
        self.table = columns
        super().__init__(name, list(columns), len(next(iter(columns.values()), [])))
        self.index = tuple(index)

    def _given(self, column: str, start: int, stop: int) -> list[Cell]:
        return self.table[column][start:stop]

    def _given_at(self, column: str, rows: np.ndarray) -> list[Cell]:
        cells = self.table[column]
        return [cells[at] for at in rows]


def _size(cell: Cell) -> int:
    """Return the approximate number of bytes of a cell."""
    if isinstance(cell, (list, tuple)):
        return sum(map(_size, cell))
    return int(cell.nbytes) if isinstance(cell, np.ndarray) else len(cell) if isinstance(cell, bytes) else 0
