"""Detect garbled text, which was decoded in a wrong encoding before it was written.

UTF-8 that is read in another encoding gives sequences that occur in no language: ``Ã©`` for é (as cp1252), ``鐨勬槸`` for 的是 (as GBK). A
cell counts only if reversing the decoding gives valid UTF-8. U+FFFD replaces bytes that could not be decoded, and ``锟斤拷`` is the result
of encoding U+FFFD again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from ...cells import is_empty
from ...errors import warn
from ...flow import Cell
from ...language import Sentence

Kind = Literal["lost", "control", "wrong"]
_DESCRIPTIONS = {
    "lost": "garbled.lost",
    "control": "garbled.control",
    "wrong": "garbled.wrong",
}
_FEW = 0.01
"""The fraction of cells that may seem garbled by chance, in a column of Chinese text or with four accented letters in a row."""


def _characters(encoding: str, codes: Iterable[bytes]) -> str:
    """Return the characters of some codes, escaped for a character class of a regular expression."""
    return re.escape("".join(code.decode(encoding, "ignore") for code in codes))


_CONTROL = "\0\x80-\x84\x86-\x9f"
_TAILS = (bytes([tail]) for tail in range(0x80, 0xC0))
_WEST = _characters("cp1252", (bytes([tail]) for tail in range(0x80, 0xC0))) + "\x80-\x9f"
_EAST = _characters("cp1251", _TAILS)
_FIRST = _characters("gb18030", (bytes([lead, tail]) for lead in range(0xE4, 0xEA) for tail in (*range(0x80, 0xC0),)))
_SECOND = _characters("gb18030", (bytes([lead, tail]) for lead in range(0x81, 0xC0) for tail in range(0xE3, 0xEA)))
_GBK = re.compile(f"[{_FIRST}][{_SECOND}][\u2000-\uffff]")
_WESTERN = re.compile("[\xa1-\xff]{4,}")
"""Four such characters in a row do not occur in Western languages; they are bytes of another encoding."""
_SUSPECT = re.compile(
    f"[\ufffd{_CONTROL}]|{_WESTERN.pattern}|锟斤拷|[ÃÂ][{_WEST}]|[ÐÑ][{_WEST}][ÐÑ][{_WEST}]|[â-éïð][{_WEST}]{{2}}|[РС][{_EAST}][РС][{_EAST}]|{_GBK.pattern}"
)
_LOST = re.compile("\ufffd|锟斤拷")
_CONTROLS = re.compile(f"[{_CONTROL}]")
_RUN = re.compile(r"[^\x00-\x7f]+")
# The same for bytes of UTF-8. Each pattern begins with a byte that most text does not contain.
_BYTES = re.compile(rb"\xc3(?:[\x82\x83]|[\xa2-\xa9\xaf\xb0](?:\xc2|\xc5|\xc6|\xcb|\xe2))")
_C1 = re.compile(rb"\xc2[\x80-\x84\x86-\x9f]")


def is_suspect(text: str) -> bool:
    """Return whether some of a text may be garbled."""
    return _SUSPECT.search(text) is not None


def are_suspect(body: bytes) -> bool:
    """Return whether bytes of UTF-8 may be garbled. It is faster than ``is_suspect``, and does not detect GBK and Cyrillic."""
    if b"\0" in body or (b"\xef" in body and b"\xef\xbf\xbd" in body):
        return True
    return b"\xc2" in body and (_C1.search(body) is not None or (b"\xc3" in body and _BYTES.search(body) is not None))


def undone(text: str) -> str | None:
    """Return the original of a garbled text, or None if no part of it is UTF-8 that was decoded in another encoding."""

    def fix(match: re.Match[str]) -> str:
        before = _undone_run(match[0])
        after_letter = match.start() > 0 and text[match.start() - 1].isalpha()
        return match[0] if after_letter and len(before) == 1 and before > "\u2e80" else before  # French: é, a no-break space and »

    original = _RUN.sub(fix, text)
    return original if original != text else None


def _undone_run(run: str) -> str:
    """Return a run of characters as it was before it was decoded in a wrong encoding; unchanged if it was not."""
    for encoding in ("cp1252", "latin-1", "cp1251"):
        try:
            before = run.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        if before.isprintable():
            return before
    if _GBK.search(run):
        before = run.encode("gb18030", "replace").decode("utf-8", "ignore")
        if len(before) >= 2 and all("\u3000" <= sign <= "\u9fff" for sign in before) and 3 * len(before) > 1.5 * len(run):
            return before
    return run


def kind_of(text: str) -> Kind | None:
    """Return how a text is garbled, or None if it is not."""
    if _SUSPECT.search(text) is None:
        return None
    if _LOST.search(text):
        return "lost"
    if undone(text) is not None or any(len(set(run)) > 2 for run in _WESTERN.findall(text)):
        return "wrong"
    return "control" if _CONTROLS.search(text) else None


class Tally:
    """Counts garbled cells by column and warns of them."""

    def __init__(self) -> None:
        self.present: Counter[str] = Counter()
        self.garbled: dict[str, Counter[Kind]] = {}
        self.first: dict[tuple[str, Kind], str] = {}

    def see(self, column: str, cells: Iterable[Cell]) -> None:
        """Count some cells of a column."""
        for cell in cells:
            if is_empty(cell):
                continue
            self.present[column] += 1
            if isinstance(cell, str) and not (cell.isascii() and "\0" not in cell) and (kind := kind_of(cell)) is not None:
                self.garbled.setdefault(column, Counter())[kind] += 1
                self.first.setdefault((column, kind), cell)

    def warn(self, place: str, fix: str) -> None:
        """Issue a warning for each column with garbled cells.

        :param place: the name of the file
        :param fix: advice for the message
        """
        for column, kinds in self.garbled.items():
            for kind, count in kinds.items():
                cell = self.first[column, kind]
                before = undone(cell) if kind == "wrong" else None
                by_chance = kind == "wrong" and (before is None or _GBK.search(cell) is not None)
                if by_chance and count < _FEW * self.present[column]:
                    continue
                meant = Sentence("garbled.meant", text=_cut(before)) if before is not None else ""
                values = {"count": count, "cells": self.present[column], "example": _cut(cell), "meant": meant, "fix": fix}
                warn(Sentence("garbled", place=place, column=column, what=Sentence(_DESCRIPTIONS[kind], lost="锟斤拷"), **values))


def _cut(text: str) -> str:
    text = " ".join(text.split(" "))
    return text if len(text) <= 40 else text[:37] + "..."
