"""Grapheme clusters: what a reader perceives as one letter, similar to Unicode Annex 29.

A cluster is a character and the marks that follow it, for example vowel signs of Devanagari, tones of Thai, points of Arabic and Hebrew,
variation selectors, and skin tones of emoji. Signs that are connected by a zero-width joiner (families of emoji) are one cluster, and so
are the two halves of a flag.

The classes below are parts of a ``[...]`` in a regular expression. They are built from ``unicodedata`` when this module is imported.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

UNSPACED = r"\u3040-\u3098\u309b-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese characters, hiragana and katakana: written without spaces. Most characters have a meaning of their own."""


def _class(codes: Iterable[int]) -> str:
    """Return ascending code points as ranges of a ``[...]``."""
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


_WITH_MARKS = ((0x300, 0x3100), (0xA600, 0xAC00), (0xF900, 0x1F000), (0xE0100, 0xE01F0))  # there are no marks between these ranges
_BLOCKS = ((0x0E00, 0x0F00), (0x1000, 0x10A0), (0x1780, 0x1800), (0x1950, 0x19E0), (0x1A20, 0x1AB0), (0x1B00, 0x1B80),
           (0xA980, 0xAA00), (0xAA60, 0xAAE0))  # fmt: skip
MARKS = (
    _class(code for first, end in _WITH_MARKS for code in range(first, end) if unicodedata.category(chr(code)) in ("Mn", "Mc", "Me"))
    + r"\u200c\u200d\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"
)
"""Characters that belong to the character before them: combining marks, joiners, skin tones, and the tags of regional flags."""
SYLLABIC = _class(code for first, end in _BLOCKS for code in range(first, end) if unicodedata.category(chr(code))[0] == "L")
"""Letters of Thai, Lao, Burmese, Khmer, Tai, Balinese and Javanese: words of several letters, written without spaces between them."""
MARK = rf"(?:(?=[\u0300-\U0010ffff])[{MARKS}])"  # the lookahead excludes most characters at the first range
SIGN = rf"(?:[\U0001f1e6-\U0001f1ff]{{2}}|[^\w\s{MARKS}])(?:{MARK}|(?<=\u200d)[^\w\s])*"
"""A sign and its marks: punctuation, a symbol, or an emoji."""
_CLUSTER = re.compile(rf"{SIGN}|[\s\S]{MARK}*")
_MARK, _SIGN = re.compile(MARK), re.compile(r"[^\w\s]")


def clusters(text: str) -> list[str]:
    """Return the clusters of a text in order. Joined, they are the text. Marks at its start are a cluster."""
    return _CLUSTER.findall(text)


def cut(text: str, most: int) -> str:
    """Return at most the first ``most`` characters of a text, without a cluster that would be cut in two."""
    if len(text) <= most:
        return text
    end = most
    while end and (_MARK.match(text, end) or (text[end - 1] == "\u200d" and end > 1 and _SIGN.match(text, end))):
        end -= 1
    return text[: end or most]


def runs_of(letters: Sequence[str], lengths: Iterable[int]) -> list[str]:
    """Return all runs of neighbouring letters of each of the lengths."""
    if isinstance(letters, str):
        return [letters[start : start + length] for length in lengths for start in range(len(letters) - length + 1)]
    return ["".join(letters[start : start + length]) for length in lengths for start in range(len(letters) - length + 1)]
