"""What a trained model's answers owe to each field, and to the parts of a row's cells; and what is left of them when cells go bad."""

from __future__ import annotations

from .bad_cells import robustness
from .verb import explain

__all__ = ["explain", "robustness"]
