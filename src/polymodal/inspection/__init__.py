"""Inspection of a table before training: the content of each column, faults, and columns that leak the target."""

from .api import init, inspect
from .profile import Profile

__all__ = ["Profile", "init", "inspect"]
