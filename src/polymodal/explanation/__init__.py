"""What a trained model's answers owe to each field, and to the parts of a row's cells."""

from __future__ import annotations

from .verb import explain

__all__ = ["explain"]
