"""The number in a cell of a target column: the one place where targets are read as numbers."""

from __future__ import annotations

import numpy as np

from ..cells import number
from ..flow import Cell


def number_in(cell: Cell) -> float | None:
    """A finite number, or None for a cell that holds none."""
    return None if isinstance(cell, (list, tuple, dict, set, np.ndarray)) else number(cell)
