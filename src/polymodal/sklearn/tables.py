"""The table of an estimator: ``X`` of scikit-learn as a source, checked as scikit-learn checks it, with further columns beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.utils.validation import validate_data

from ..data.sources import Slice, Source, open_source
from ..data.sources.source import SLICE
from ..flow import Cell


class FeatureTable(Source):
    """The features of some rows under the names of an estimator, and columns of cells beside them.

    :param source: the features, in the order of the estimator
    :param names: the name of each column of ``source``
    :param are_numbers: whether the features were an array of numbers, so that every column is one of numbers
    :param beside: further columns by name, each with a cell for every row
    """

    name = "X"

    def __init__(
        self, source: Source, names: Sequence[str], are_numbers: bool = False, beside: Mapping[str, Sequence[Cell]] | None = None
    ) -> None:  # fmt: skip
        self.rows, self.typed, self.are_numbers = source.rows, source.typed, are_numbers
        self._source, self._beside = source, dict(beside or {})
        self._inner = dict(zip(names, source.columns, strict=True))
        self.columns = [*names, *self._beside]
        self.index = tuple(name for name, inner in self._inner.items() if inner in source.index)

    def beside(self, columns: Mapping[str, Sequence[Cell]]) -> FeatureTable:
        """Return the table with further columns."""
        return FeatureTable(self._source, list(self._inner), self.are_numbers, {**self._beside, **columns})

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """Yield the rows in order, some at a time."""
        features = [name for name in columns if name in self._inner]
        start = 0
        for part in self._source.slices([self._inner[name] for name in features]) if features else self._empty_slices():
            rows = len(next(iter(part.values()))) if features else min(SLICE, self.rows - start)
            cells: Slice = {name: part[self._inner[name]] for name in features}
            cells |= {name: list(self._beside[name][start : start + rows]) for name in columns if name in self._beside}
            yield {name: cells[name] for name in columns}
            start += rows

    def _empty_slices(self) -> Iterator[Slice]:
        """Yield one slice without columns for every ``SLICE`` rows."""
        for _ in range(0, self.rows, SLICE):
            yield {}


def features_of(estimator: Any, X: Any, *, fitting: bool) -> FeatureTable:
    """Return ``X`` as a table.

    The columns of an array, and those of a dataframe whose names are not text, are named ``x0``, ``x1`` and so on. When an estimator
    predicts, columns have the names that they had when it was fitted.

    :param X: a dataframe, an Arrow table, columns as a dict of lists, rows as dicts, or an array of two dimensions
    :param fitting: whether the estimator is being fitted, so that its ``n_features_in_`` and ``feature_names_in_`` are set; otherwise they
        are compared with ``X``
    :raises ValueError: ``X`` has another shape, or other columns than when the estimator was fitted
    :raises DataError: ``X`` is not a table
    """
    source, are_numbers = _source_of(estimator, X, fitting)
    source.check_rows()
    if not fitting:
        return FeatureTable(source, estimator.columns_, are_numbers)
    named = getattr(estimator, "feature_names_in_", None)
    names = [f"x{at}" for at in range(len(source.columns))] if named is None else [str(name) for name in named]
    return FeatureTable(source, names, are_numbers)


def _source_of(estimator: Any, X: Any, fitting: bool) -> tuple[Source, bool]:
    """Return the source of ``X``, after scikit-learn's checks of the number of its columns and their names, and whether it is an array of
    numbers."""
    library, kind = type(X).__module__.partition(".")[0], type(X).__name__
    if (library, kind) == ("pandas", "DataFrame"):
        validate_data(estimator, X, reset=fitting, skip_check_array=True)
        X = X.reset_index(drop=True)  # the index is no feature, and the rows of y are counted
        return open_source(X.set_axis([str(name) for name in X.columns], axis=1), name="X"), False
    are_rows = isinstance(X, (list, tuple)) and len(X) > 0 and all(isinstance(row, Mapping) for row in X)
    if isinstance(X, (Mapping, pa.Table)) or are_rows or (library, kind) == ("polars", "DataFrame"):
        source = open_source(X, name="X")
        names = pa.table({name: pa.nulls(source.rows) for name in source.columns})  # every version of scikit-learn reads its names
        validate_data(estimator, names, reset=fitting, skip_check_array=True)
        return source, False
    array = validate_data(estimator, X, reset=fitting, dtype=None, ensure_all_finite=False)
    columns = {f"x{at}": _cells(array[:, at]) for at in range(array.shape[1])}
    return open_source(columns, name="X"), array.dtype.kind in "iuf"


def _cells(column: np.ndarray) -> Any:
    """Return a column of an array as an array that Arrow reads, or as a list of cells."""
    return np.ascontiguousarray(column) if column.dtype.kind in "iub" or column.dtype in (np.float32, np.float64) else column.tolist()
