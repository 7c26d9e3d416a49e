"""Arrow tables in memory, Parquet and Feather."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ...errors import DataError
from ...flow import Cell
from .arrow_cells import cells_of_column
from .source import SLICE, SLICE_BYTES, Slice, Source, short, unique

_BROKEN = (pa.ArrowException, OSError, UnicodeDecodeError)


class ArrowSource(Source):
    """An Arrow table in memory."""

    def __init__(self, name: str, table: pa.Table) -> None:
        self.name = name
        keep = [column for column in table.column_names if not column.startswith("__index_level_")]
        self.table = table.select(keep) if len(set(table.column_names)) == len(table.column_names) else table
        self.columns = unique([str(column) for column in keep], name)
        self.index = _index_of(table.schema, self.columns)
        self.rows = self.table.num_rows

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """Views of the table."""
        wanted = self.table.select(list(columns))
        for batch in wanted.to_batches(max_chunksize=_rows(wanted.nbytes, wanted.num_rows)):
            yield _to_python(batch)

    def at(self, columns: Sequence[str], rows: np.ndarray) -> Iterator[Slice]:
        """Only the cells asked for are made Python objects."""
        wanted = self.table.select(list(columns))
        size = _rows(wanted.nbytes, wanted.num_rows)
        for start in range(0, len(rows), size):
            here = rows[start : start + size]
            yield {name: _cells_at(column, here) for name, column in zip(wanted.column_names, wanted.columns, strict=True)}


class ParquetSource(Source):
    """Parquet, a row group's piece at a time."""

    def __init__(self, path: Path, held: pa.Buffer | None = None) -> None:
        from pyarrow import parquet

        self.path, self._held = path, held
        try:
            with parquet.ParquetFile(self._where()) as file:
                self.columns = unique([str(name) for name in file.schema_arrow.names], str(path))
                self.columns = [name for name in self.columns if not name.startswith("__index_level_")]
                self.index = _index_of(file.schema_arrow, self.columns)
                self.rows = file.metadata.num_rows
        except _BROKEN as error:
            raise DataError(f"{path}: not a Parquet file that can be read ({short(error)})") from None

    def _where(self) -> Any:
        """The file, or its bytes where it was in an archive."""
        return self.path if self._held is None else pa.BufferReader(self._held)

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """Read only the columns asked for."""
        from pyarrow import parquet

        at = 0
        try:
            with parquet.ParquetFile(self._where(), pre_buffer=False) as file:
                groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
                size = min((_rows(group.total_byte_size, group.num_rows) for group in groups), default=SLICE)
                for batch in file.iter_batches(batch_size=size, columns=list(columns), use_threads=False):
                    part = _to_python(batch)
                    at += batch.num_rows
                    yield part
        except _BROKEN as error:
            raise DataError(f"{self.path}: broken after row {at:,} ({short(error)}); expected a Parquet file; write it again") from None


class FeatherSource(Source):
    """Feather (Arrow IPC), memory-mapped."""

    def __init__(self, path: Path, held: pa.Buffer | None = None) -> None:
        self.path, self._held = path, held
        with self._open() as file:
            self.columns = unique([str(name) for name in file.schema.names if not name.startswith("__index_level_")], str(path))
            self.index = _index_of(file.schema, self.columns)
            self.rows = sum(self._batch(file, at).num_rows for at in range(file.num_record_batches))

    def _open(self) -> Any:
        try:
            return pa.ipc.open_file(pa.memory_map(str(self.path)) if self._held is None else pa.BufferReader(self._held))
        except _BROKEN as error:
            raise DataError(f"{self.path}: not a Feather file that can be read ({short(error)})") from None

    def _batch(self, file: Any, at: int) -> pa.RecordBatch:
        """One record batch, every offset in it checked: Arrow believes a file's, and would read past its end."""
        try:
            batch = file.get_batch(at)
            batch.validate(full=True)
            return batch
        except _BROKEN as error:
            raise DataError(f"{self.path}: batch {at + 1} is broken ({short(error)}); expected a Feather file; write it again") from None

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """A record batch at a time."""
        with self._open() as file:
            for at in range(file.num_record_batches):
                batch = self._batch(file, at).select(list(columns))
                size = _rows(batch.nbytes, batch.num_rows)
                for start in range(0, batch.num_rows, size):
                    yield _to_python(batch.slice(start, size))


def _index_of(schema: pa.Schema, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that pandas says were a dataframe's index; none where its note is not as pandas writes it."""
    try:
        said = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        names = said["index_columns"] if isinstance(said, dict) and "index_columns" in said else []
    except (ValueError, RecursionError):
        return ()
    known = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return tuple(dict.fromkeys(name for name in known if name in columns))


def _rows(size: int, rows: int) -> int:
    """How many rows make a slice of no more than ``SLICE_BYTES``, on average."""
    return max(1, min(SLICE, SLICE_BYTES * rows // max(size, 1)))


def _cells_at(column: pa.ChunkedArray, rows: np.ndarray) -> list[Cell]:
    """The cells of some rows, ascending."""
    try:
        chunks = column.take(rows).chunks
    except pa.ArrowNotImplementedError:  # Arrow takes no rows of views, as polars holds texts and bytes
        ends = np.cumsum([len(chunk) for chunk in column.chunks])
        inside = np.searchsorted(ends, rows, side="right")
        chunks = [column.chunk(part).slice(row - ends[part] + len(column.chunk(part)), 1) for part, row in zip(inside, rows, strict=True)]
    return [cell for chunk in chunks for cell in cells_of_column(chunk)]


def _to_python(batch: pa.RecordBatch) -> Slice:
    return {name: cells_of_column(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
