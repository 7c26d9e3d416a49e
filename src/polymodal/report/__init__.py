"""The HTML report of a run: one self-contained file, made from the contents of the run's folder."""

from .gather import NAME, examples_of, gather, is_private, worst
from .page import page, write

__all__ = ["NAME", "examples_of", "gather", "is_private", "page", "worst", "write"]
