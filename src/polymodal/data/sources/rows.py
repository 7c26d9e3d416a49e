"""Rows as dicts in memory, and JSON lines."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ...errors import DataError
from ...flow import Row
from .source import LARGEST_ROW, SLICE, SLICE_BYTES, Slice, Source, short, unique


class RowsSource(Source):
    """Rows in memory, as dicts."""

    def __init__(self, name: str, rows: Sequence[Row]) -> None:
        self.name = name
        self.table = rows
        self._keys = {str(key): key for row in rows for key in row}
        self.columns = unique(list(self._keys), name)
        self.rows = len(rows)

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """A key that a row lacks is missing there."""
        for start in range(0, self.rows, SLICE):
            part = self.table[start : start + SLICE]
            yield {name: [row.get(self._keys[name]) for row in part] for name in columns}


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


def _integer(digits: str) -> int | float:
    """A number of more digits than any column holds is infinite: a cell that cannot be read, and no broken line."""
    return int(digits) if len(digits) < 1_000 else float(digits)
