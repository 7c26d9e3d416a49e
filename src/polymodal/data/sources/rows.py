"""Rows as dicts in memory, and JSON lines."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from ...errors import DataError
from ...flow import Cell, Row
from ...modalities.objects import PLAIN, plain
from .source import LARGEST_ROW, SLICE, SLICE_BYTES, Slice, Source, short, unique


class RowsSource(Source):
    """Rows in memory, as dicts. Objects in them become cells (``plain``) whenever they are read; the rows stay as they are."""

    def __init__(self, name: str, rows: Sequence[Row]) -> None:
        self.name = name
        self.table = rows
        self._keys = {str(key): key for row in rows for key in row}
        self.columns = unique(list(self._keys), name)
        self.rows = len(rows)
        self._plain: set[str] = set()  # columns that were read once, and held no object

    @classmethod
    def of_columns(cls, name: str, columns: Mapping[Any, Any]) -> RowsSource:
        """Columns of one length as rows: lists, tuples, and arrays and tensors whose first axis is that of the rows."""
        lists = {key: list(column) for key, column in columns.items() if isinstance(column, (list, tuple, np.ndarray, torch.Tensor))}
        if len(lists) < len(columns) or len(set(map(len, lists.values()))) > 1:
            raise DataError(f"{name}: found columns of different lengths, or of no length; expected lists of one length")
        return cls(name, [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)])

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """A key that a row lacks is missing there."""
        seen = set(columns) - self._plain
        for start in range(0, self.rows, SLICE):
            yield from self._parts(self.table[start : start + SLICE], columns, seen)
        self._plain |= seen

    def at(self, columns: Sequence[str], rows: np.ndarray) -> Iterator[Slice]:
        """Only the cells asked for are looked at."""
        for start in range(0, len(rows), SLICE):
            yield from self._parts([self.table[at] for at in rows[start : start + SLICE]], columns, set(columns) - self._plain)

    def _parts(self, rows: Sequence[Row], columns: Sequence[str], seen: set[str]) -> Iterator[Slice]:
        """The cells of some rows; where objects become cells, no more at a time than ``SLICE_BYTES`` of them. A column that holds an object
        is taken out of ``seen``."""
        part: Slice = {name: [row.get(self._keys[name]) for row in rows] for name in columns}
        objects = [name for name in columns if name not in self._plain and not PLAIN.issuperset(map(type, part[name]))]
        seen.difference_update(objects)
        if not objects:
            yield part
            return
        start, size = 0, 0
        for at in range(len(rows)):
            for name in objects:
                cell = part[name][at]
                part[name][at] = made = plain(cell)
                size += 0 if made is cell else _size(made)
            if size > SLICE_BYTES or at == len(rows) - 1:
                yield {name: cells[start : at + 1] for name, cells in part.items()}
                for name in objects:  # what was made of them is let go
                    part[name][start : at + 1] = [None] * (at + 1 - start)
                start, size = at + 1, 0


class JsonLinesSource(Source):
    """One JSON object a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        columns: dict[str, None] = {}
        self.rows = 0
        for row, _ in self._objects():
            columns.update(dict.fromkeys(row))
            self.rows += 1
        self.columns = unique(list(columns), str(path))

    def _objects(self) -> Iterator[tuple[dict[str, Any], int]]:
        """Each row, and the length of its line."""
        with pa.input_stream(str(self.path), compression="detect") as stream:
            at = 0
            for line in self._lines(stream):
                if not line.strip():
                    continue
                at += 1
                if len(line) > LARGEST_ROW:
                    raise DataError(
                        f"{self.path} row {at}: a line of more than {LARGEST_ROW >> 20} million characters; expected one object"
                    )
                try:
                    row = json.loads(line, parse_int=_integer)
                except (ValueError, RecursionError) as error:
                    raise DataError(f"{self.path} row {at}: not valid JSON ({error})") from None
                if not isinstance(row, dict):
                    raise DataError(f"{self.path} row {at}: found {type(row).__name__}; expected an object, {{...}}")
                if line.count("{") > 1:  # a value that is an object itself
                    row = {name: plain(value) for name, value in row.items()}
                yield row, len(line)

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """A key that a row lacks is missing there."""
        part: list[dict[str, Any]] = []
        size = 0
        for row, length in self._objects():
            part.append(row)
            size += length
            if len(part) == SLICE or size > SLICE_BYTES:
                yield {name: [row.get(name) for row in part] for name in columns}
                part, size = [], 0
        if part:
            yield {name: [row.get(name) for row in part] for name in columns}

    def _lines(self, stream: Any) -> Iterator[str]:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig")
        try:
            while line := text.readline(LARGEST_ROW + 1):
                yield line
        except UnicodeDecodeError:
            raise DataError(f"{self.path}: not UTF-8 text; expected UTF-8; convert it") from None
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{self.path}: cannot be read ({short(error)}); expected JSON lines") from None


def _size(cell: Cell) -> int:
    """Bytes that a cell takes, about."""
    if isinstance(cell, (list, tuple)):
        return sum(map(_size, cell))
    return int(cell.nbytes) if isinstance(cell, np.ndarray) else len(cell) if isinstance(cell, bytes) else 0


def _integer(digits: str) -> int | float:
    """A number of more digits than any column holds is infinite: a cell that cannot be read, and no broken line."""
    return int(digits) if len(digits) < 1_000 else float(digits)
