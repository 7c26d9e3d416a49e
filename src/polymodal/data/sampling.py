"""Sample the cells that the facts of a field are learned from: seeded, and spread evenly over the training rows.

A table is often sorted by time or by class; its first rows then differ from the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..cells import is_empty
from ..flow import Cell
from ..random_streams import Stream, generator
from .reading import numbered_slices
from .sources import Source, cells_of


def sampled_evenly(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Return ``most`` of the rows, or all of them if there are no more.

    The rows are cut into ``most`` stretches of equal length, and one row is sampled from each (stratified sampling).

    :param rows: row numbers in ascending order
    """
    if len(rows) <= most:
        return rows
    edges = np.linspace(0, len(rows), most + 1).round().astype(np.int64)
    shares = generator(Stream.FITTED_CELLS, seed).random(most)
    return rows[edges[:-1] + (shares * np.diff(edges)).astype(np.int64)]


def rows_to_fit_on(
    source: Source, columns: Mapping[str, Sequence[str]], most: Mapping[str, int], fitting_N: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Return the rows of each field from which its facts are learned. The table is read once, and only if a field needs it.

    :param columns: the columns of each field
    :param most: the maximum number of rows of each field. Of a field for which there are more, only rows whose cell is not empty are
        sampled
    :param fitting_N: whether facts may be learned from each row (N,)
    :returns: row numbers by field, 0-based, ascending
    """
    fitting = np.flatnonzero(fitting_N)
    several = [name for name in columns if len(fitting) > most[name]]
    filled = {name: np.zeros(len(fitting_N), bool) for name in several}
    for start, part in numbered_slices(source, list(dict.fromkeys(column for name in several for column in columns[name]))):
        for name in several:
            cells = list(cells_of(part, columns[name]))
            filled[name][start : start + len(cells)] = [not is_empty(cell) for cell in cells]
    return {
        name: sampled_evenly(np.flatnonzero(fitting_N & filled[name]) if name in filled else fitting, most[name], seed) for name in columns
    }


def cells_at(source: Source, columns: Sequence[str], rows: np.ndarray) -> Iterator[Cell]:
    """Yield the cells of a field in some rows that are not empty, in their order.

    :param columns: the columns of the field
    :param rows: row numbers, 0-based, ascending
    """
    for part in source.at(list(dict.fromkeys(columns)), rows):
        yield from (cell for cell in cells_of(part, columns) if not is_empty(cell))
