"""The number in a cell of a target column: the one place where targets are read as numbers."""

from __future__ import annotations

import math

import numpy as np

from ..cells import Numbers
from ..flow import Cell


def number_in(cell: Cell, how: Numbers) -> float | None:
    """Return the finite number in a cell, or None if it contains none.

    :param how: the notation of the numbers of its column
    """
    if type(cell) is float:
        return cell if math.isfinite(cell) else None
    return None if isinstance(cell, (list, tuple, dict, set, np.ndarray)) else how.read(cell)
