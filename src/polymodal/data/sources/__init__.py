"""Tables as streams of columns: CSV, TSV, JSON, JSON Lines, Parquet, Feather, Excel, and columns or rows in memory.

A source is read in order, one slice of rows at a time, as often as needed. Memory use does not grow with the number of rows, except for
Excel workbooks and JSON documents. Text formats are read as text; modalities interpret the cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from ...errors import DataError
from ...flow import Cell, Unreadable
from ...modalities.objects import plain
from .arrow import ArrowSource
from .files import folder_of, is_table_folder, path_source
from .frames import BROKEN, columns_source, frame_source, row_of
from .memory import RowsSource
from .source import Slice, Source, cells_of, short, unique

_EXPECTED = "a path, a dataframe, an Arrow table, rows as dicts, or columns as a dict of lists"


def open_source(
    table: Any, *, encoding: str | None = None, fallback: str | None = None, name: str | None = None, columns: Sequence[str] = ()
) -> Source:
    """Return the source of a table.

    :param table: a path, or the URL of a table in an object store; a dataframe or an Arrow table (anything with ``__arrow_c_stream__``);
        rows as dicts; one row, as a dict of single values or a Series of pandas; columns, as a dict of lists
    :param encoding: the character encoding of a CSV or JSON file; None = detected
    :param fallback: the encoding to try first for a CSV file that is not UTF-8 and has no byte order mark; None = detected
    :param name: the name of a table in memory, for messages
    :param columns: the expected columns, for messages
    :raises DataError: the object is not a table, or cannot be read
    """
    if isinstance(table, Source):
        return table
    if isinstance(table, (str, Path)):
        return path_source(table, encoding, fallback)
    if isinstance(table, Mapping):
        return _of_mapping(table, name)
    library, kind = type(table).__module__.partition(".")[0], type(table).__name__
    if (library, kind) == ("pandas", "DataFrame"):
        return frame_source(table, name or "dataframe")
    if (library, kind) == ("pandas", "Series"):
        return RowsSource(name or "row", row_of(table, columns))
    if isinstance(table, (list, tuple)):
        return _of_list(table, name, columns)
    if isinstance(table, np.ndarray):
        raise _array_error(table)
    if (library, kind) == ("polars", "DataFrame") and "Object" in map(str, table.dtypes):  # Arrow would receive addresses of the objects
        return RowsSource(name or "dataframe", table.to_dicts())
    if getattr(table, "__arrow_c_stream__", None) is not None:
        try:
            return ArrowSource(name or "dataframe", pa.table(table))
        except BROKEN as error:
            raise DataError(f"dataframe: cannot be read as a table ({short(error)}); expected {_EXPECTED}") from None
    raise DataError(f"table: found {kind}; expected {_EXPECTED}")


def _of_list(table: Sequence[Any], name: str | None, columns: Sequence[str]) -> Source:
    """Return the source of a list of rows."""
    wrong = next((row for row in table if not isinstance(row, Mapping)), None)
    if wrong is not None or any(row is None for row in table):
        column = columns[0] if columns else "column"
        raise DataError(
            f"table: found a {type(table).__name__} of {type(wrong).__name__}; expected rows as dicts; name their column: "
            f"{{{column!r}: [...]}}"
        )
    return RowsSource(name or "rows", list(table))


def _of_mapping(table: Mapping[Any, Any], name: str | None) -> Source:
    """Return the source of one row of single values, or of columns of lists. A mixture of both is an error."""
    place = name or "table"
    names = unique([str(key) for key in table], place)
    values = list(table.values())
    for column, value in zip(names, values, strict=True):
        is_object = isinstance(value, (Mapping, set, frozenset)) and isinstance(plain(value), (Mapping, set, frozenset, Unreadable))
        if is_object or getattr(type(value), "__next__", None) is not None:  # an iterator can be read only once
            raise DataError(f"{place}, column {column!r}: found {type(value).__name__}; expected a list of cells, or a single value")
    listed = [_is_column(value) for value in values]
    if not any(listed):
        row = {column: value.item() if isinstance(value, np.ndarray) else value for column, value in zip(names, values, strict=True)}
        return RowsSource(name or "row", [row] if row else [])
    if not all(listed):
        single, several = names[listed.index(False)], names[listed.index(True)]
        raise DataError(
            f"{place}: {several!r} is a list and {single!r} a single value; expected lists of one length (columns), or single values (one "
            f"row); write a row that contains a list as [{{...}}], and columns as {{{single!r}: [...], ...}}"
        )
    cells = {column: _cells(value) for column, value in zip(names, values, strict=True)}
    lengths = {column: len(values) for column, values in cells.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{column!r} {length:,}" for column, length in list(lengths.items())[:4])
        raise DataError(f"{place}: columns of different lengths ({shown}); expected equally many cells in each")
    return columns_source(cells, place, lambda: pa.table(dict(zip(names, map(_for_arrow, values), strict=True))))


def _is_column(value: Any) -> bool:
    """Return whether a value contains the cells of a column."""
    if isinstance(value, (list, tuple, pa.Array, pa.ChunkedArray)):
        return True
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return value.ndim > 0
    return type(value).__module__.partition(".")[0] in ("pandas", "polars") and getattr(value, "__len__", None) is not None


def _cells(value: Any) -> list[Cell]:
    """Return the cells of a column as a list."""
    if isinstance(value, (pa.Array, pa.ChunkedArray)):
        return value.to_pylist()  # type: ignore[no-any-return]
    if isinstance(value, np.ndarray):
        return list(value) if value.ndim > 1 else value.tolist()
    return list(value)


def _for_arrow(value: Any) -> Any:
    return list(value) if isinstance(value, (tuple, np.ndarray)) and getattr(value, "ndim", 1) > 1 else value


def _array_error(array: np.ndarray) -> DataError:
    """Return the error for an array whose columns have no names."""
    if array.dtype.names:
        fix = "give its columns: {name: array[name] for name in array.dtype.names}"
    else:
        fix = "name its columns: pandas.DataFrame(array, columns=[...])"
    return DataError(f"table: found an array of shape {array.shape}; expected {_EXPECTED}; {fix}")


__all__ = ["Slice", "Source", "cells_of", "folder_of", "is_table_folder", "open_source"]
