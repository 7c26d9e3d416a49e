"""Tables as streams of columns: CSV, TSV, Parquet, JSONL, Feather, and whatever holds Arrow data in memory.

A source is read in order, a slice of rows at a time, as often as needed; nothing here grows with the rows. Text formats
are read as text: what a cell means is for a modality to say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from ...errors import DataError, nearest
from .arrow import ArrowSource, FeatherSource, ParquetSource
from .csv import CsvSource
from .rows import JsonLinesSource, RowsSource
from .source import Slice, Source, cells_of

_KINDS = {".csv": "csv", ".tsv": "tsv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl",
          ".ndjson": "jsonl", ".feather": "feather", ".arrow": "feather", ".ipc": "feather"}  # fmt: skip


def open_source(table: Any, *, encoding: str | None = None, name: str | None = None) -> Source:
    """A source over a path, a dataframe or Arrow table (anything with ``__arrow_c_stream__``), rows as dicts, or columns
    as a dict of lists."""
    if isinstance(table, Source):
        return table
    if isinstance(table, (str, Path)):
        return _open_path(Path(table), encoding)
    if isinstance(table, dict):
        try:
            return ArrowSource(name or "table", pa.table(table))
        except (pa.ArrowException, TypeError, ValueError, OverflowError):  # of cells that no Arrow column can hold
            return RowsSource.of_columns(name or "table", table)
    if isinstance(table, (list, tuple)):
        if not all(isinstance(row, dict) for row in table):
            raise DataError(f"table: found a {type(table).__name__}; expected rows as dicts")
        return RowsSource(name or "rows", list(table))
    kind = (type(table).__module__.partition(".")[0], type(table).__name__)
    pandas = kind == ("pandas", "DataFrame")
    if kind == ("polars", "DataFrame") and "Object" in map(str, table.dtypes):  # Arrow would be given the addresses of the objects
        return RowsSource(name or "dataframe", table.to_dicts())
    if getattr(table, "__arrow_c_stream__", None) is not None:
        try:
            return ArrowSource(name or "dataframe", pa.table(table))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            if not pandas:
                raise DataError(f"dataframe: cannot be read as a table ({error})") from None
    if pandas:  # of cells that no Arrow column can hold; its NA and NaT are None
        return RowsSource(name or "dataframe", table.astype(object).where(table.notna(), None).to_dict("records"))
    raise DataError(f"table: found {type(table).__name__}; expected a path, a dataframe, an Arrow table or rows as dicts")


def _open_path(path: Path, encoding: str | None) -> Source:
    try:
        return _open_file(path, encoding)
    except ValueError as error:  # a path with a NUL
        raise DataError(f"{str(path)!r}: no path ({error}); expected a table") from None


def _open_file(path: Path, encoding: str | None) -> Source:
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


__all__ = ["Slice", "Source", "cells_of", "open_source"]
