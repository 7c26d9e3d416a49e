"""Reading tables: the cells of fields become samples or faults (``cells``), faults are recorded (``faults``), and target, weight and group
columns become arrays (``targets``)."""

from __future__ import annotations

from .cells import (
    CellFault,
    CellReader,
    CellState,
    OnFault,
    are_shared,
    columns_of_faults,
    faults_of,
    is_inferred_column,
    joined,
    messages_of,
    numbered_slices,
    read_cell,
    sample_or_fault,
)
from .faults import FaultBook, paths_among
from .pool import read_distinct, read_in_order
from .targets import Targets, classes_of, examine_targets, fit_tasks, groups_of, read_targets, read_weights, strata_of

__all__ = [
    "CellFault",
    "CellReader",
    "CellState",
    "FaultBook",
    "OnFault",
    "Targets",
    "are_shared",
    "classes_of",
    "columns_of_faults",
    "examine_targets",
    "faults_of",
    "fit_tasks",
    "groups_of",
    "is_inferred_column",
    "joined",
    "messages_of",
    "numbered_slices",
    "paths_among",
    "read_cell",
    "read_distinct",
    "read_in_order",
    "read_targets",
    "read_weights",
    "sample_or_fault",
    "strata_of",
]
