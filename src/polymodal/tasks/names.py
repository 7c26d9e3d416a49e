"""The names of classes: cells with the same name are of one class, whatever their types and spellings are."""

from __future__ import annotations

import re
import unicodedata

import numpy as np

from ..cells import is_writable, text_of
from ..errors import Fault
from ..flow import Cell, Unreadable

_LONGEST = 5_000
"""The maximum number of characters of a class's name."""
_WIDE = 10**18
RECURRING = (str, int)
"""Types of cells whose equal values have equal names and often recur, so that results for them are cached."""


def name_of(cell: Cell) -> str:
    """Return the name under which a class is counted: 1, 1.0 and "1" are one class; True, "True", "true" and "TRUE" are one.

    :raises Fault: the cell cannot be the name of a class
    """
    if type(cell) is int and -_WIDE < cell < _WIDE:
        return str(cell)
    if isinstance(cell, (bool, np.bool_)):
        return "True" if cell else "False"
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        return str(int(cell))
    if isinstance(cell, (bytes, bytearray, list, tuple, dict, set, frozenset, np.ndarray, Unreadable)):
        content = cell.found if isinstance(cell, Unreadable) else type(cell).__name__
        raise Fault(f"found {content}; expected the name of a class")
    text = text_of(cell)
    if len(text) > _LONGEST:
        raise Fault(f"a name of {len(text):,} characters; expected the name of a class, of at most {_LONGEST:,}")
    text = unicodedata.normalize("NFC", text).strip()
    if not is_writable(text):
        raise Fault("a name that is no Unicode text (half of a character); expected the name of a class")
    if text in ("true", "TRUE", "false", "FALSE"):
        return text.capitalize()
    head, dot, tail = text.partition(".")
    if dot and tail.strip("0") == "" and re.fullmatch(r"-?[0-9]+", head):
        return head
    return text
