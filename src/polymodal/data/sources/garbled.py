"""Text that was decoded in a wrong encoding before it was written: found by what it decodes to when that is undone.

UTF-8 that is read as another encoding leaves sequences that no language writes: ``Ã©`` for é (as cp1252), ``鐨勬槸`` for 的是 (as GBK). A
cell counts only where undoing it gives valid UTF-8. U+FFFD stands for what could not be decoded at all, ``锟斤拷`` for U+FFFD that was
encoded again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from ...cells import is_empty
from ...errors import warn
from ...flow import Cell

Kind = Literal["lost", "control", "wrong"]
_SAID = {
    "lost": "hold U+FFFD or 锟斤拷: characters that were lost before the file was written",
    "control": "hold control characters, as text does that is decoded in a wrong encoding",
    "wrong": "look as if they were decoded in a wrong encoding",
}
_FEW = 0.01
"""This share of the cells may look decoded wrongly by chance: in a column of Chinese, or for four accented letters in a row."""


def _characters(encoding: str, codes: Iterable[bytes]) -> str:
    """The characters of some codes as a class of a regular expression."""
    return re.escape("".join(code.decode(encoding, "ignore") for code in codes))


_CONTROL = "\0\x80-\x84\x86-\x9f"
_TAILS = (bytes([tail]) for tail in range(0x80, 0xC0))
_WEST = _characters("cp1252", (bytes([tail]) for tail in range(0x80, 0xC0))) + "\x80-\x9f"
_EAST = _characters("cp1251", _TAILS)
_FIRST = _characters("gb18030", (bytes([lead, tail]) for lead in range(0xE4, 0xEA) for tail in (*range(0x80, 0xC0),)))
_SECOND = _characters("gb18030", (bytes([lead, tail]) for lead in range(0x81, 0xC0) for tail in range(0xE3, 0xEA)))
_GBK = re.compile(f"[{_FIRST}][{_SECOND}][\u2000-\uffff]")
_WESTERN = re.compile("[\xa1-\xff]{4,}")
"""Four in a row are no word of a Western language, but bytes of another encoding that were read as one."""
_SUSPECT = re.compile(
    f"[\ufffd{_CONTROL}]|{_WESTERN.pattern}|锟斤拷|[ÃÂ][{_WEST}]|[ÐÑ][{_WEST}][ÐÑ][{_WEST}]|[â-éïð][{_WEST}]{{2}}|[РС][{_EAST}][РС][{_EAST}]|{_GBK.pattern}"
)
_LOST = re.compile("\ufffd|锟斤拷")
_CONTROLS = re.compile(f"[{_CONTROL}]")
_RUN = re.compile(r"[^\x00-\x7f]+")
# The same on bytes of UTF-8, each told from a first byte that most text lacks.
_BYTES = re.compile(rb"\xc3(?:[\x82\x83]|[\xa2-\xa9\xaf\xb0](?:\xc2|\xc5|\xc6|\xcb|\xe2))")
_C1 = re.compile(rb"\xc2[\x80-\x84\x86-\x9f]")


def is_suspect(text: str) -> bool:
    """Whether some of a text may be garbled."""
    return _SUSPECT.search(text) is not None


def are_suspect(body: bytes) -> bool:
    """The same of UTF-8, fast, and of GBK and Cyrillic not at all."""
    if b"\0" in body or (b"\xef" in body and b"\xef\xbf\xbd" in body):
        return True
    return b"\xc2" in body and (_C1.search(body) is not None or (b"\xc3" in body and _BYTES.search(body) is not None))


def undone(text: str) -> str | None:
    """What a garbled text was before, None where nothing of it is UTF-8 that was decoded as another encoding."""

    def fix(found: re.Match[str]) -> str:
        before = _undone_run(found[0])
        after_letter = found.start() > 0 and text[found.start() - 1].isalpha()
        return found[0] if after_letter and len(before) == 1 and before > "\u2e80" else before  # French: é, a no-break space and »

    found = _RUN.sub(fix, text)
    return found if found != text else None


def _undone_run(run: str) -> str:
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
    """How a text is garbled; None where it is not."""
    if _SUSPECT.search(text) is None:
        return None
    if _LOST.search(text):
        return "lost"
    if undone(text) is not None or any(len(set(run)) > 2 for run in _WESTERN.findall(text)):
        return "wrong"
    return "control" if _CONTROLS.search(text) else None


class Tally:
    """Counts garbled cells by column, and tells of them."""

    def __init__(self) -> None:
        self.held: Counter[str] = Counter()
        self.found: dict[str, Counter[Kind]] = {}
        self.first: dict[tuple[str, Kind], str] = {}

    def see(self, column: str, cells: Iterable[Cell]) -> None:
        """Some cells of a column."""
        for cell in cells:
            if is_empty(cell):
                continue
            self.held[column] += 1
            if isinstance(cell, str) and not (cell.isascii() and "\0" not in cell) and (kind := kind_of(cell)) is not None:
                self.found.setdefault(column, Counter())[kind] += 1
                self.first.setdefault((column, kind), cell)

    def warn(self, place: str, fix: str) -> None:
        """A warning for each column that holds garbled cells. ``mend``: what to try."""
        for column, kinds in self.found.items():
            for kind, count in kinds.items():
                cell = self.first[column, kind]
                before = undone(cell) if kind == "wrong" else None
                by_chance = kind == "wrong" and (before is None or _GBK.search(cell) is not None)
                if by_chance and count < _FEW * self.held[column]:
                    continue
                meant = f" (which may have been {_cut(before)!r})" if before is not None else ""
                share = f"{count:,} of {self.held[column]:,} cells"
                warn(f"{place}, column {column!r}: {share} {_SAID[kind]}, such as {_cut(cell)!r}{meant}; {fix}")


def _cut(text: str) -> str:
    text = " ".join(text.split(" "))
    return text if len(text) <= 40 else text[:37] + "..."
