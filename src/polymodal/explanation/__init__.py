"""What a trained model's answers owe to each field, and to the parts of a row's cells; and what is left of them when cells go bad."""

from __future__ import annotations

from .api import explain
from .cell_robustness import robustness

__all__ = ["explain", "robustness"]
