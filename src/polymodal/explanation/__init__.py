"""Explains the predictions of a trained model by fields and by parts of cells, and measures their robustness to corrupted cells."""

from __future__ import annotations

from .api import explain
from .cell_robustness import robustness

__all__ = ["explain", "robustness"]
