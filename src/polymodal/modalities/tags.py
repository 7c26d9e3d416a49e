"""Lists of texts in a cell, such as tags: a list, or a list written as text in the notation of JSON, Python or numpy.

The texts of a list are joined into one text with a separator after each, so that readers of the text know where each one ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..cells import text_of

if TYPE_CHECKING:
    from ..flow import Cell

BREAK = "\n\x1f\n"
"""The separator after every text of a list. It consists of control characters, which do not occur in this order in natural text."""
_QUOTED = r"'(?:[^'\\]|\\.)*+'|\"(?:[^\"\\]|\\.)*+\""
_WRITTEN = re.compile(rf"\[\s*+(?:(?:{_QUOTED})\s*+,?\s*+)*+\]", re.DOTALL)
_ITEM = re.compile(_QUOTED, re.DOTALL)
_MAX_CHARACTERS = 1_000_000
"""The largest number of characters of a list that is written as text."""


def tags_of(cell: Cell) -> list[str] | None:
    """Return the texts of a list without missing ones; None if the cell is not a list, or has items other than texts and numbers."""
    if not isinstance(cell, (list, tuple)):
        return None
    if not all(item is None or isinstance(item, (str, int, float)) for item in cell):
        return None
    return [text for item in cell if item is not None and (text := text_of(item).strip())]


def written_tags(cell: Cell) -> list[str] | None:
    """Return the texts of a list that is written as text: ``["a", "b"]``, ``['a', 'b']`` or ``['a' 'b']``; None for other cells."""
    if not isinstance(cell, str) or len(cell) > _MAX_CHARACTERS:
        return None
    text = cell.strip()
    if not text.startswith("[") or not _WRITTEN.fullmatch(text):
        return None
    try:
        return tags_of(json.loads(text))
    except (ValueError, RecursionError):
        return tags_of([re.sub(r"\\(.)", r"\1", item[1:-1], flags=re.DOTALL) for item in _ITEM.findall(text)])


def are_texts(cell: Cell) -> bool:
    """Return whether a cell is a list, or one written as text, of texts and missing items, with at least one text that is not empty."""
    items = cell if isinstance(cell, (list, tuple)) else written_tags(cell)
    return items is not None and all(item is None or isinstance(item, str) for item in items) and any(items)


def as_list(cell: Cell) -> Cell:
    """Return a list for a list that is written as text, and any other cell unchanged. A tuple over several columns is converted by item."""
    if isinstance(cell, tuple):
        return tuple(map(as_list, cell))
    return cell if (tags := written_tags(cell)) is None else tags


def tagged_text(cell: Cell) -> str:
    """Return a cell as text; a list becomes one text with ``BREAK`` after each item."""
    tags = tags_of(cell) if isinstance(cell, list) else None
    return text_of(cell) if tags is None else joined(tags)


def joined(tags: Sequence[str]) -> str:
    """Return the texts joined into one, with ``BREAK`` after each."""
    return "".join(tag.replace(BREAK, " ") + BREAK for tag in tags)


def spans_of(text: str) -> list[tuple[int, int]]:
    """Return the start and the end of each text in a joined text; blank texts are left out."""
    spans, start = [], 0
    while (end := text.find(BREAK, start)) >= 0:
        if text[start:end].strip():
            spans.append((start, end))
        start = end + len(BREAK)
    if text[start:].strip():
        spans.append((start, len(text)))
    return spans
