"""Copies of the training rows in which cells are missing, from which trees learn to which child of a node a missing number goes.

Trees that never met a missing number treat it as zero. As modality dropout does for a network (Neverova et al. 2015, arXiv:1501.00102),
some copies lack a whole field, and others lack some columns.

Shapes: ``N`` rows, ``K`` numbers of a row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_HIDDEN_COLUMNS = 0.3
"""The probability with which a column is missing in a copy that lacks columns."""


def with_hidden(numbers_NK: np.ndarray, fields: Sequence[Sequence[Sequence[int]]], rng: np.random.Generator) -> np.ndarray | None:
    """Return a copy of the rows in each of which a field or some columns are missing; None if there are one field and one column.

    :param numbers_NK: the numbers of the rows
    :param fields: the positions of the numbers, by field and by column of the field; other fields than tables have one column
    """
    columns = [column for field in fields for column in field if len(field) > 1]
    ways = ([1] if len(fields) > 1 else []) + ([2] if columns else [])
    if not ways:
        return None
    size, hidden_NK = len(numbers_NK), numbers_NK.copy()
    way_N, field_N = rng.choice(ways, size), rng.integers(0, len(fields), size)
    for at, field in enumerate(fields):
        positions = [position for column in field for position in column]
        hidden_NK[np.ix_((way_N == 1) & (field_N == at), positions)] = np.nan
    for column in columns:
        hidden_NK[np.ix_((way_N == 2) & (rng.random(size) < _HIDDEN_COLUMNS), column)] = np.nan
    return hidden_NK
