"""Sources of Arrow tables in memory, Parquet files and Feather files."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ...errors import DataError
from ...flow import Cell
from ...remote import Remote
from .arrow_cells import cells_of_column, class_names, named
from .source import SLICE, SLICE_BYTES, Slice, Source, short, unique

_END = b"\xff\xff\xff\xff\0\0\0\0"
"""The mark at the end of an Arrow stream."""
_BROKEN = (pa.ArrowException, OSError, UnicodeDecodeError)


class ArrowSource(Source):
    """The source of an Arrow table in memory."""

    def __init__(self, name: str, table: pa.Table) -> None:
        self.name = name
        keep = [column for column in table.column_names if not column.startswith("__index_level_")]
        self.table = table.select(keep) if len(set(table.column_names)) == len(table.column_names) else table
        self.columns = unique([str(column) for column in keep], name)
        self.index = _index_of(table.schema, self.columns)
        self._classes = class_names(table.schema)
        self.rows = self.table.num_rows

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """Yield the rows in order, some at a time."""
        table = self.table.select(list(columns))
        for batch in table.to_batches(max_chunksize=_rows(table.nbytes, table.num_rows)):
            yield named(_to_python(batch), self._classes)

    def at(self, columns: Sequence[str], rows: np.ndarray) -> Iterator[Slice]:
        """Yield some rows. Only the requested cells are converted to Python objects."""
        table = self.table.select(list(columns))
        size = _rows(table.nbytes, table.num_rows)
        for start in range(0, len(rows), size):
            here = rows[start : start + size]
            part = {name: _cells_at(column, here) for name, column in zip(table.column_names, table.columns, strict=True)}
            yield named(part, self._classes)


class ParquetSource(Source):
    """The source of a Parquet file, which is read in parts of row groups.

    :param path: the file, or the archive that contains it; a file in an object store, of which only the requested columns are fetched
    :param buffer: the bytes of a file in an archive; None = they are read from ``path``
    """

    def __init__(self, path: Path | Remote, buffer: pa.Buffer | None = None) -> None:
        from pyarrow import parquet

        self.path, self._buffer = path.url if isinstance(path, Remote) else path, buffer
        self._remote = path if isinstance(path, Remote) else None
        self.name = str(self.path)
        try:
            with parquet.ParquetFile(self._where()) as file:
                self.columns = unique([str(name) for name in file.schema_arrow.names], self.name)
                self.columns = [name for name in self.columns if not name.startswith("__index_level_")]
                self.types = {name: file.schema_arrow.field(name).type for name in self.columns}
                """The Arrow type of each column, by name."""
                self.index = _index_of(file.schema_arrow, self.columns)
                self._classes = class_names(file.schema_arrow)
                self.rows = file.metadata.num_rows
        except _BROKEN as error:
            raise DataError(f"{self.path}: not a Parquet file that can be read ({short(error)})") from None

    def _where(self) -> Any:
        """Return the path of the file, or an open file if it is in an archive or in an object store."""
        if self._remote is not None:
            return pa.PythonFile(self._remote.open(), mode="r")
        return self.path if self._buffer is None else pa.BufferReader(self._buffer)

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """Yield the rows in order, some at a time. Only the requested columns are read."""
        from pyarrow import parquet

        at = 0
        try:
            with parquet.ParquetFile(self._where(), pre_buffer=False) as file:
                groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
                size = min((_rows(group.total_byte_size, group.num_rows) for group in groups), default=SLICE)
                for batch in file.iter_batches(batch_size=size, columns=list(columns), use_threads=False):
                    part = named(_to_python(batch), self._classes)
                    at += batch.num_rows
                    yield part
        except _BROKEN as error:
            raise DataError(f"{self.path}: broken after row {at:,} ({short(error)}); expected a Parquet file; write it again") from None


class FeatherSource(Source):
    """The source of a Feather file or an Arrow stream (Arrow IPC), memory-mapped. The parameters are those of ``ParquetSource``."""

    def __init__(self, path: Path, buffer: pa.Buffer | None = None) -> None:
        self.path, self._buffer = path, buffer
        self.rows = 0
        with self._open() as (schema, batches):
            self.columns = unique([str(name) for name in schema.names if not name.startswith("__index_level_")], str(path))
            self.index = _index_of(schema, self.columns)
            self._classes = class_names(schema)
            for batch in batches:
                self.rows += batch.num_rows

    @contextmanager
    def _open(self) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
        """Open the file, and return its schema and its record batches."""
        try:
            source = pa.memory_map(str(self.path)) if self._buffer is None else pa.BufferReader(self._buffer)
            is_file = source.read(6) == b"ARROW1"
            source.seek(max(0, source.size() - len(_END)))
            if not is_file and source.read() != _END:  # whole batches would be missing without another error
                raise pa.ArrowInvalid("its end is missing, or it is no Arrow stream")
            source.seek(0)
            reader = pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)
        except _BROKEN as error:
            raise DataError(f"{self.path}: not a Feather file that can be read ({short(error)})") from None
        with reader:
            yield reader.schema, self._batches(reader, is_file)

    def _batches(self, reader: Any, is_file: bool) -> Iterator[pa.RecordBatch]:
        """Yield the record batches after checking every offset in them; Arrow does not check them, and might read beyond the file."""
        for at in itertools.count():
            try:
                if is_file and at == reader.num_record_batches:
                    return
                batch = reader.get_batch(at) if is_file else reader.read_next_batch()
                batch.validate(full=True)
            except StopIteration:
                return
            except _BROKEN as error:
                raise DataError(
                    f"{self.path}: batch {at + 1} is broken ({short(error)}); expected a Feather file; write it again"
                ) from None
            yield batch

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """Yield the rows in order, some of a record batch at a time."""
        with self._open() as (_, batches):
            for whole in batches:
                batch = whole.select(list(columns))
                size = _rows(batch.nbytes, batch.num_rows)
                for start in range(0, batch.num_rows, size):
                    yield named(_to_python(batch.slice(start, size)), self._classes)


def _index_of(schema: pa.Schema, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that were a dataframe's index by the metadata of pandas; none if the metadata are invalid."""
    try:
        metadata = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        names = metadata["index_columns"] if isinstance(metadata, dict) and "index_columns" in metadata else []
    except (ValueError, RecursionError):
        return ()
    known = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return tuple(dict.fromkeys(name for name in known if name in columns))


def _rows(size: int, rows: int) -> int:
    """Return the number of rows of a slice that has at most ``SLICE_BYTES`` on average."""
    return max(1, min(SLICE, SLICE_BYTES * rows // max(size, 1)))


def _cells_at(column: pa.ChunkedArray, rows: np.ndarray) -> list[Cell]:
    """Return the cells of some rows, which are in ascending order."""
    try:
        chunks = column.take(rows).chunks
    except pa.ArrowNotImplementedError:  # Arrow cannot take rows of string views, in which polars stores texts and bytes
        ends = np.cumsum([len(chunk) for chunk in column.chunks])
        inside = np.searchsorted(ends, rows, side="right")
        chunks = [column.chunk(part).slice(row - ends[part] + len(column.chunk(part)), 1) for part, row in zip(inside, rows, strict=True)]
    return [cell for chunk in chunks for cell in cells_of_column(chunk)]


def _to_python(batch: pa.RecordBatch) -> Slice:
    return {name: cells_of_column(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
