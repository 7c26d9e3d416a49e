"""Which cells a field's facts are learned from: a seeded sample, spread evenly over the training rows.

A table is often sorted, by time or by class. Its first rows then say little about the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..cells import is_empty
from ..flow import Cell
from .sources import Source, cells_of


def sampled_evenly(rows: np.ndarray, most: int, seed: int) -> np.ndarray:
    """``most`` of the ``rows`` (ascending row numbers), or all of them where there are no more.

    The rows are cut into ``most`` stretches of equal length, and one row is drawn from each (stratified sampling).
    """
    if len(rows) <= most:
        return rows
    edges = np.linspace(0, len(rows), most + 1).round().astype(np.int64)
    shares = np.random.default_rng([seed, 29]).random(most)
    return rows[edges[:-1] + (shares * np.diff(edges)).astype(np.int64)]


def rows_to_fit_on(
    source: Source, columns: Mapping[str, Sequence[str]], most: Mapping[str, int], fitting_N: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """By field, the rows (0-based, ascending) whose cells its facts are learned from: rows where ``fitting_N`` whose cell is not empty,
    at most ``most`` of them. ``columns`` names the columns of each field. The table is read once, and only if a field needs it."""
    fitting = np.flatnonzero(fitting_N)
    several = [name for name in columns if len(fitting) > most[name]]
    held = {name: np.zeros(len(fitting_N), bool) for name in several}
    start = 0
    for part in source.slices(list(dict.fromkeys(column for name in several for column in columns[name]))) if several else ():
        for name in several:
            cells = list(cells_of(part, columns[name]))
            held[name][start : start + len(cells)] = [not is_empty(cell) for cell in cells]
        start += len(next(iter(part.values())))
    return {name: sampled_evenly(np.flatnonzero(fitting_N & held[name]) if name in held else fitting, most[name], seed) for name in columns}


def cells_at(source: Source, columns: Sequence[str], rows: np.ndarray) -> Iterator[Cell]:
    """The cells of a field in some rows (0-based, ascending), in their order, empty ones left out."""
    for part in source.at(list(dict.fromkeys(columns)), rows):
        yield from (cell for cell in cells_of(part, columns) if not is_empty(cell))
