"""Sources of pandas dataframes: columns of all types, and the levels of the index that have names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from ...errors import DataError
from ...flow import Cell
from .arrow import ArrowSource
from .memory import ColumnsSource
from .source import Source, unique

BROKEN = (pa.ArrowException, TypeError, ValueError, OverflowError, AttributeError, NotImplementedError)


def frame_source(frame: Any, name: str) -> Source:
    """Return the source of a pandas dataframe. The levels of its index that have names are the last columns.

    :raises DataError: two columns have the same name
    """
    columns = unique([str(column) for column in frame.columns], name)
    frame = frame.set_axis(columns, axis=1)
    levels = [] if type(frame.index).__name__ == "RangeIndex" else frame.index.names
    named = [(at, str(level)) for at, level in enumerate(levels) if level is not None and str(level) not in columns]
    index = {level: frame.index.get_level_values(at) for at, level in named}
    frame = frame.assign(**{level: values.to_series(index=frame.index) for level, values in index.items()}).reset_index(drop=True)
    unique(list(frame.columns), name)
    kinds = {column: str(kind) for column, kind in frame.dtypes.items()}
    others = {column: kind for column, kind in kinds.items() if kind.startswith(("Sparse", "period", "interval", "category"))}
    frame = frame.assign(**{column: _plain(kind, frame[column]) for column, kind in others.items()})
    source: Source
    try:
        source = ArrowSource(name, pa.Table.from_pandas(frame, preserve_index=False))
    except BROKEN:  # a column contains cells that Arrow cannot represent
        source = ColumnsSource(name, {column: _cells(frame[column]) for column in frame.columns})
    source.index = tuple(index)
    return source


def _plain(kind: str, column: Any) -> Any:
    """Return a column of a type that Arrow knows."""
    if kind.startswith("Sparse"):
        return column.sparse.to_dense()
    if kind.startswith("period"):
        try:
            return column.dt.to_timestamp()
        except (ValueError, OverflowError):  # years outside the range of timestamps
            return _texts(column)
    if kind.startswith("interval"):
        return _texts(column)
    if kind == "category" and str(column.cat.categories.dtype).startswith(("interval", "period")):
        return _texts(column)
    return column


def _texts(column: Any) -> Any:
    return column.astype(object).map(str, na_action="ignore").where(column.notna(), None)


def _cells(column: Any) -> list[Cell]:
    """Return the cells of a column, by Arrow if it can represent them, else as objects with None for NA and NaT."""
    try:
        return pa.Array.from_pandas(column).to_pylist()  # type: ignore[no-any-return]
    except BROKEN:
        return column.astype(object).where(column.notna(), None).tolist()  # type: ignore[no-any-return]


def row_of(series: Any, columns: Sequence[str]) -> list[dict[str, Cell]]:
    """Return a pandas series whose index contains column names as one row.

    :param series: the series
    :param columns: the expected columns, for messages
    :raises DataError: the series is a column
    """
    labels = list(series.index)
    if not labels or not all(isinstance(label, str) for label in labels):
        name = series.name if isinstance(series.name, str) else columns[0] if columns else "column"
        raise DataError(f"table: found a pandas Series, which is one column; expected a table; pass series.to_frame({name!r})")
    unique(labels, "table")
    return [dict(zip(labels, series.astype(object).where(series.notna(), None).tolist(), strict=True))]


def columns_source(columns: dict[str, list[Cell]], name: str, to_arrow: Callable[[], pa.Table]) -> Source:
    """Return the source of columns of one length, by Arrow if it can represent them.

    :param columns: the cells by column
    :param name: the name of the table, for messages
    :param to_arrow: a function that returns the Arrow table
    """
    try:
        return ArrowSource(name, to_arrow())
    except BROKEN:
        return ColumnsSource(name, columns)
