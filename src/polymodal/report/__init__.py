"""The report of a run: one HTML file that needs nothing else, made from what the run's folder holds."""

from .gather import NAME, examples_of, gather, is_private, worst
from .page import page, write

__all__ = ["NAME", "examples_of", "gather", "is_private", "page", "worst", "write"]
