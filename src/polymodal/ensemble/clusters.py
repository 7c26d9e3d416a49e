"""Clusters of rows: rows that are not independent of each other, so that a sample of rows is a sample of whole clusters."""

from __future__ import annotations

import numpy as np

from ..data.reading import groups_of
from ..preparation import Prepared, Table

_SHARED_BY = 1.5
"""The number of rows per distinct cell from which rows with the same cell form a cluster."""


def clusters_of(prepared: Prepared, table: Table) -> np.ndarray:
    """Return the number of the cluster of each row (N,) of the training table or of the validation table.

    The first of these rules that applies determines the clusters:

    1. rows that the split keeps in one part (training table only)
    2. rows of one group, if the table has the column of groups (``data.split.group``)
    3. rows with the same cell of the field whose cells cost most, if many rows share such cells
    4. each row by itself
    """
    if table is prepared.train and prepared.unit_N is not None:
        return prepared.unit_N
    group, store = prepared.experiment.data.split.group, table.store
    if group is not None and group in table.source.columns:
        return groups_of(table.source, group)
    own_N = np.arange(len(table.usable_N))
    name = max(store.modalities, key=lambda name: store.modalities[name].cost())
    if store.sharing(name) < _SHARED_BY:
        return own_N
    index_N = store.index[name].astype(np.int64)
    return np.where(index_N >= 0, index_N + len(own_N), own_N)
