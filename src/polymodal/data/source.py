"""Tables as streams of columns: CSV, TSV, Parquet, JSONL, Feather, and whatever holds Arrow data in memory.

A source is read in order, a slice of rows at a time, as often as needed; nothing here grows with the rows. Text formats
are read as text: what a cell means is for a modality to say.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..errors import DataError, nearest
from ..flow import Cell, Row

SLICE = 1024
"""Rows read at a time."""
_KINDS = {".csv": "csv", ".tsv": "tsv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl",
          ".ndjson": "jsonl", ".feather": "feather", ".arrow": "feather", ".ipc": "feather"}  # fmt: skip

_LARGEST_ROW = 2**26
"""Bytes of a CSV's row, at most."""

Slice = dict[str, list[Cell]]


class _RowTooLarge(DataError):
    """A CSV's row is larger than the block that is parsed at a time."""


class Source(ABC):
    """A table: its name, its columns, how many rows, the folder that its file cells are relative to."""

    name: str
    folder: Path | None = None
    columns: list[str]
    rows: int

    @abstractmethod
    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """The rows in order, some at a time: cells by column."""

    def check(self, columns: Iterable[str]) -> None:
        """``DataError`` naming the nearest column when one is not there."""
        for column in columns:
            if column not in self.columns:
                raise DataError(
                    f"{self.name}: no column {column!r}; the columns are {', '.join(map(repr, self.columns[:30]))}"
                    f"{nearest(column, self.columns)}"
                )

    def cells(self, columns: Sequence[str]) -> Iterator[Cell]:
        """The cells of a field, row by row: values of one column, or tuples of several."""
        for part in self.slices(list(dict.fromkeys(columns))):
            yield from cells_of(part, columns)


def cells_of(part: Slice, columns: Sequence[str]) -> Iterable[Cell]:
    """The cells of a field in one slice."""
    return part[columns[0]] if len(columns) == 1 else zip(*(part[column] for column in columns), strict=True)


def open_source(table: Any, *, encoding: str | None = None, name: str | None = None) -> Source:
    """A source over a path, a dataframe or Arrow table (anything with ``__arrow_c_stream__``), rows as dicts, or columns
    as a dict of lists."""
    if isinstance(table, Source):
        return table
    if isinstance(table, (str, Path)):
        return _open_path(Path(table), encoding)
    if isinstance(table, dict):
        return ArrowSource(name or "table", _to_arrow(lambda: pa.table(table), name or "table"))
    if isinstance(table, (list, tuple)):
        if not all(isinstance(row, dict) for row in table):
            raise DataError(f"table: found a {type(table).__name__}; expected rows as dicts")
        return RowsSource(name or "rows", list(table))
    pandas = type(table).__module__.partition(".")[0] == "pandas" and hasattr(table, "to_dict")
    if getattr(table, "__arrow_c_stream__", None) is not None:
        try:
            return ArrowSource(name or "dataframe", pa.table(table))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError) as error:
            if not pandas:
                raise DataError(f"dataframe: cannot be read as a table ({error})") from None
    if pandas and table.ndim == 2:  # of cells that no Arrow column can hold; its NA and NaT are None
        return RowsSource(name or "dataframe", table.astype(object).where(table.notna(), None).to_dict("records"))
    raise DataError(f"table: found {type(table).__name__}; expected a path, a dataframe, an Arrow table or rows as dicts")


def _to_arrow(make: Callable[[], pa.Table], name: str) -> pa.Table:
    try:
        return make()
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, ValueError) as error:
        raise DataError(f"{name}: cannot be read as a table ({error})") from None


def _open_path(path: Path, encoding: str | None) -> Source:
    if path.is_dir():
        raise DataError(f"{path}: a folder; expected a table ({', '.join(sorted(set(_KINDS)))})")
    if not path.exists():
        near = nearest(path.name, [p.name for p in path.parent.glob("*")]) if path.parent.is_dir() else ""
        raise DataError(f"{path}: no such file; expected a table{near}")
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kind = _KINDS.get((suffixes[-2:-1] or [""])[0] if suffixes[-1:] == [".gz"] else (suffixes[-1:] or [""])[0])
    if kind is None:
        raise DataError(f"{path}: an ending that is not known; expected one of {', '.join(_KINDS)}")
    if not path.is_file():
        raise DataError(f"{path}: not a regular file; expected a table")
    source: Source
    try:
        if kind in ("csv", "tsv"):
            source = CsvSource(path, "\t" if kind == "tsv" else None, encoding)
        elif kind == "jsonl":
            source = JsonLinesSource(path)
        else:
            source = ParquetSource(path) if kind == "parquet" else FeatherSource(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); expected a table") from None
    source.name, source.folder = str(path), path.resolve().parent
    return source


class CsvSource(Source):
    """CSV or TSV, every cell as text."""

    def __init__(self, path: Path, delimiter: str | None, encoding: str | None) -> None:
        self.path, self.name = path, str(path)
        with path.open("rb") as file:
            head = file.read(4)
        if head[:2] in (b"\xff\xfe", b"\xfe\xff") and encoding is None:
            encoding = "utf-16"
        self.encoding = encoding or "utf-8"
        try:
            with pa.input_stream(str(path), compression="detect") as stream:
                text = io.TextIOWrapper(stream, encoding="utf-8-sig" if self.encoding == "utf-8" else self.encoding, newline="")
                first = text.readline(2**20)
                self.delimiter = delimiter or _delimiter(first)
                rest = iter(lambda: text.readline(2**20), "")
                header = next(csv.reader(itertools.chain([first], rest), delimiter=self.delimiter, strict=True), [])
        except UnicodeError:
            raise self._bad_encoding() from None
        except LookupError:
            raise DataError(f"{path}: encoding {encoding!r} is not known; expected such as utf-8 or gb18030") from None
        except (csv.Error, OSError, pa.ArrowInvalid) as error:
            raise DataError(f"{path}: its first line cannot be read ({error}); expected column names") from None
        if not header or header == [""]:
            raise DataError(f"{path}: an empty table; expected a line of column names, then rows")
        self.columns = _unique([name.strip() or f"column {at}" for at, name in enumerate(header, 1)], str(path))
        self._block = 2**20
        while True:
            try:
                self.rows, last = 0, ""
                for part in self.slices(self.columns[-1:]):
                    self.rows, last = self.rows + len(part[self.columns[-1]]), part[self.columns[-1]][-1]
                break
            except _RowTooLarge:
                if self._block >= _LARGEST_ROW:
                    raise
                self._block *= 8
        if "\n" in last and not self._ends_quoted():
            raise DataError(f"{path} row {self.rows}: a quote that is never closed; expected another one at the end of its cell; add it")

    def _ends_quoted(self) -> bool:
        with pa.input_stream(str(self.path), compression="detect") as stream:
            tail = b""
            while piece := stream.read(2**20):
                tail = (tail + piece)[-64:]
        return tail.rstrip(b"\r\n\0 ").endswith(b'"')

    def _bad_encoding(self) -> DataError:
        return DataError(
            f"{self.path}: not {self.encoding} text; expected UTF-8; convert it, or name its encoding: "
            f"data.encoding=gb18030 (Chinese Windows), cp1252 (Western Windows), ..."
        )

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """Parse the file once, front to back."""
        from pyarrow import csv as arrow_csv

        wanted = list(dict.fromkeys(columns))
        broken: list[Any] = []

        def on_broken(row: Any) -> str:
            broken.append(row)
            return "error"

        string = pa.large_string()
        try:
            reader = arrow_csv.open_csv(
                str(self.path),
                read_options=arrow_csv.ReadOptions(
                    column_names=self.columns, skip_rows_after_names=1, encoding=self.encoding, block_size=self._block, use_threads=False
                ),
                parse_options=arrow_csv.ParseOptions(
                    delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=on_broken,
                    ignore_empty_lines=len(self.columns) > 1,
                ),
                convert_options=arrow_csv.ConvertOptions(
                    include_columns=wanted, column_types=dict.fromkeys(self.columns, string), strings_can_be_null=False
                ),
            )  # fmt: skip
            for batch in reader:
                for start in range(0, batch.num_rows, SLICE):
                    part = batch.slice(start, SLICE)
                    yield {name: part.column(name).to_pylist() for name in wanted}
        except pa.ArrowInvalid as error:
            if broken:
                at = f" row {broken[0].number - 1}" if broken[0].number else ""
                raise DataError(
                    f"{self.path}{at}: {broken[0].actual_columns} cells; expected {broken[0].expected_columns}; quote cells that "
                    f"hold {self.delimiter!r} or a line break"
                ) from None
            if "UTF8" in str(error) or "decode" in str(error).lower() or "encod" in str(error).lower():
                raise self._bad_encoding() from None
            if "Empty CSV" in str(error):
                return
            if "straddl" in str(error):
                raise _RowTooLarge(f"{self.path}: a row larger than {self._block >> 20} MiB, or a quote that is never closed") from None
            raise DataError(f"{self.path}: not a table that can be read ({error})") from None
        except UnicodeError:
            raise self._bad_encoding() from None


def _delimiter(line: str) -> str:
    counts = {sign: line.count(sign) for sign in (",", "\t", ";")}
    return max(counts, key=lambda sign: counts[sign]) if any(counts.values()) else ","


def _unique(names: list[str], place: str) -> list[str]:
    for at, name in enumerate(names):
        if name in names[:at]:
            raise DataError(f"{place}: two columns are called {name!r}; expected every name once; rename one")
    return names


class ArrowSource(Source):
    """An Arrow table in memory."""

    def __init__(self, name: str, table: pa.Table) -> None:
        self.name = name
        keep = [column for column in table.column_names if not column.startswith("__index_level_")]
        self.table = table.select(keep) if len(set(table.column_names)) == len(table.column_names) else table
        self.columns = _unique([str(column) for column in keep], name)
        self.rows = self.table.num_rows

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """Views of the table."""
        wanted = self.table.select(list(columns))
        for batch in wanted.to_batches(max_chunksize=SLICE):
            yield _to_python(batch)


class ParquetSource(Source):
    """Parquet, a row group's piece at a time."""

    def __init__(self, path: Path) -> None:
        from pyarrow import parquet

        self.path = path
        try:
            with parquet.ParquetFile(path) as file:
                self.columns = _unique([str(name) for name in file.schema_arrow.names], str(path))
                self.columns = [name for name in self.columns if not name.startswith("__index_level_")]
                self.rows = file.metadata.num_rows
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{path}: not a Parquet file that can be read ({error})") from None

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """Read only the columns asked for."""
        from pyarrow import parquet

        with parquet.ParquetFile(self.path, pre_buffer=False) as file:
            for batch in file.iter_batches(batch_size=SLICE, columns=list(columns), use_threads=False):
                yield _to_python(batch)


class FeatherSource(Source):
    """Feather (Arrow IPC), memory-mapped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as file:
            self.columns = _unique([str(name) for name in file.schema.names], str(path))
            self.rows = sum(file.get_batch(at).num_rows for at in range(file.num_record_batches))

    def _open(self) -> Any:
        try:
            return pa.ipc.open_file(pa.memory_map(str(self.path)))
        except (pa.ArrowInvalid, OSError) as error:
            raise DataError(f"{self.path}: not a Feather file that can be read ({error})") from None

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """A record batch at a time."""
        with self._open() as file:
            for at in range(file.num_record_batches):
                batch = file.get_batch(at).select(list(columns))
                for start in range(0, batch.num_rows, SLICE):
                    yield _to_python(batch.slice(start, SLICE))


class RowsSource(Source):
    """Rows in memory, as dicts."""

    def __init__(self, name: str, rows: Sequence[Row]) -> None:
        self.name = name
        self.table = rows
        self._keys = {str(key): key for row in rows for key in row}
        self.columns = list(self._keys)
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
        for row in self._objects():
            columns.update(dict.fromkeys(row))
            self.rows += 1
        self.columns = list(columns)

    def _objects(self) -> Iterator[dict[str, Any]]:
        with pa.input_stream(str(self.path), compression="detect") as stream:
            at = 0
            for line in self._lines(stream):
                if not line.strip():
                    continue
                at += 1
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise DataError(f"{self.path} row {at}: not valid JSON ({error})") from None
                if not isinstance(row, dict):
                    raise DataError(f"{self.path} row {at}: found {type(row).__name__}; expected an object, {{...}}")
                yield row

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """A key that a row lacks is missing there."""
        objects = self._objects()
        while part := list(itertools.islice(objects, SLICE)):
            yield {name: [row.get(name) for row in part] for name in columns}

    def _lines(self, stream: Any) -> Iterator[str]:
        try:
            yield from io.TextIOWrapper(stream, encoding="utf-8-sig")
        except UnicodeDecodeError:
            raise DataError(f"{self.path}: not UTF-8 text; expected UTF-8; convert it") from None


def _to_python(batch: pa.RecordBatch) -> Slice:
    return {name: column.to_pylist() for name, column in zip(batch.schema.names, batch.columns, strict=True)}
