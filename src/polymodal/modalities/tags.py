"""Lists of texts in a cell, such as tags: a list, or the same written out, as JSON or as Python and numpy write it.

The texts of a list are joined into one with a mark behind each, so that what reads the text can tell where one ends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from ..cells import text_of
from ..flow import Cell

BREAK = "\n\x1f\n"
"""Stands behind every text of a list; between control characters, since no text that a person wrote holds it."""
_QUOTED = r"'(?:[^'\\]|\\.)*+'|\"(?:[^\"\\]|\\.)*+\""
_WRITTEN = re.compile(rf"\[\s*+(?:(?:{_QUOTED})\s*+,?\s*+)*+\]", re.DOTALL)
_ITEM = re.compile(_QUOTED, re.DOTALL)
_LONGEST = 1_000_000
"""Characters of a list that is written out, at most."""


def tags_of(cell: Cell) -> list[str] | None:
    """The texts of a list, missing ones left out; None for what is no list, or a list of something else than texts and numbers."""
    if not isinstance(cell, (list, tuple)):
        return None
    if not all(item is None or isinstance(item, (str, int, float)) for item in cell):
        return None
    return [text for item in cell if item is not None and (text := text_of(item).strip())]


def written_tags(cell: Cell) -> list[str] | None:
    """The texts of a list that is written out: ``["a", "b"]``, ``['a', 'b']`` or ``['a' 'b']``; None for any other text."""
    if not isinstance(cell, str) or len(cell) > _LONGEST:
        return None
    text = cell.strip()
    if not text.startswith("[") or not _WRITTEN.fullmatch(text):
        return None
    try:
        return tags_of(json.loads(text))
    except (ValueError, RecursionError):
        return tags_of([re.sub(r"\\(.)", r"\1", item[1:-1], flags=re.DOTALL) for item in _ITEM.findall(text)])


def are_texts(cell: Cell) -> bool:
    """Whether a cell is a list, or a list written out, of which every item is a text or missing, and some are texts."""
    items = cell if isinstance(cell, (list, tuple)) else written_tags(cell)
    return items is not None and all(item is None or isinstance(item, str) for item in items) and any(items)


def as_list(cell: Cell) -> Cell:
    """A list that is written out, made a list; any other cell as it is. Of several columns, each by itself."""
    if isinstance(cell, tuple):
        return tuple(map(as_list, cell))
    return cell if (tags := written_tags(cell)) is None else tags


def tagged_text(cell: Cell) -> str:
    """A cell as text; a list as one text that tells its items apart."""
    tags = tags_of(cell) if isinstance(cell, list) else None
    return text_of(cell) if tags is None else joined(tags)


def joined(tags: Sequence[str]) -> str:
    """The texts as one, each with ``BREAK`` behind it."""
    return "".join(tag.replace(BREAK, " ") + BREAK for tag in tags)


def spans_of(text: str) -> list[tuple[int, int]]:
    """Where each text of a joined list stands."""
    spans, start = [], 0
    while (end := text.find(BREAK, start)) >= 0:
        if text[start:end].strip():
            spans.append((start, end))
        start = end + len(BREAK)
    if text[start:].strip():
        spans.append((start, len(text)))
    return spans
