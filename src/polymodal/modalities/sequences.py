"""Lists of files in cells, and the lengths to which samples are padded. The file needs no torch, so that exported models read cells by
it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from ..cells import is_empty

if TYPE_CHECKING:
    from ..flow import Cell


def listed(cell: Cell) -> list[Cell] | None:
    """Return the items of a list, of JSON text or of ``a;b`` without empty ones; None if the cell is not a list."""
    if isinstance(cell, str):
        text = cell.strip()
        if text.startswith("[") and text.endswith("]"):
            try:
                cell = json.loads(text)
            except (ValueError, RecursionError):
                return None
        elif ";" in text and not text.startswith("data:"):
            cell = text.split(";")
    if isinstance(cell, np.ndarray) and cell.dtype.kind in "OUS" and cell.ndim == 1:
        cell = cell.tolist()
    if not isinstance(cell, (list, tuple)):
        return None
    return [item for item in cell if not is_empty(item)]


def evenly(count: int, most: int) -> list[int]:
    """Return at most ``most`` of the positions 0 to ``count - 1``, spread evenly from the first to the last, each once."""
    if count <= most:
        return list(range(count))
    return sorted({round(at) for at in np.linspace(0, count - 1, most)})


def bucket(length: int, smallest: int, largest: int) -> int:
    """Return the padded length for ``length``: ``smallest`` doubled until it is long enough, at most ``largest``."""
    size = smallest
    while size < min(length, largest):
        size *= 2
    return min(size, largest)
