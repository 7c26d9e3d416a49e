"""Repeated prediction of the rows of a table: explanations of predictions by fields and by parts of cells, and robustness to corrupted
cells."""

from __future__ import annotations

from .cell_robustness import robustness
from .explanation import explain

__all__ = ["explain", "robustness"]
