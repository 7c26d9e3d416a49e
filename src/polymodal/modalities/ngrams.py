"""The words and the n-grams of a text: words and signs, their pairs, runs of 3 and 4 letters inside words; in scripts without spaces, runs
of letters. N-grams are only computed as hashes (CRC-32)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from functools import lru_cache
from zlib import crc32

import numpy as np

from .graphemes import MARK, MARKS, SIGN, SYLLABIC, UNSPACED, clusters, runs_of
from .tags import BREAK, spans_of

_LETTER = rf"[^\W_{UNSPACED}{SYLLABIC}]"
_PIECE = re.compile(
    rf"({_LETTER}+)((?:{MARK}{_LETTER}*)*)|([{UNSPACED}]+)((?:{MARK}[{UNSPACED}]*)*)|((?:[{SYLLABIC}]{MARK}*)+)|({SIGN}|\S{MARK}*)"
)
"""The groups: a word up to its first mark, and its rest; a run of Chinese characters or kana, likewise; a run of another script without
spaces; a sign."""
_UNSPACED_POINTS = UNSPACED.replace(r"\u3098\u309b-", "")  # including the marks of kana
_PIECE_OF_POINTS = re.compile(rf"([^\W_{_UNSPACED_POINTS}]+)()|([{_UNSPACED_POINTS}]+)()|((?!))|(\S)")
"""The same for letters that are code points, in states without ``letters``."""
_PIECE_OF_ASCII = re.compile(r"[^\W_]+|\S")
"""The words and signs of a text in ASCII, in which a sign is one character."""
_BASE = re.compile(rf"[\U0001f1e6-\U0001f1ff]{{2}}|[^{MARKS}]")
_OF_WORDS = rf"[^\W{UNSPACED}{SYLLABIC}]"  # letters, digits and underscores
_WORDS = re.compile(rf"{_OF_WORDS}+(?:{MARK}{_OF_WORDS}*)*|[{UNSPACED}]+(?:{MARK}[{UNSPACED}]*)*|(?:[{SYLLABIC}]{MARK}*)+|{SIGN}")
_IDEOGRAPH, _SYLLABIC = re.compile(f"[{UNSPACED}]"), re.compile(f"[{SYLLABIC}]")


def words_in(text: str) -> list[tuple[int, int]]:
    """Return the start and the end of each word and sign, or of each letter in scripts without spaces. None begins with a mark."""
    return [span for word in _WORDS.finditer(text) for span in _spans(word)]


def _spans(word: re.Match[str]) -> list[tuple[int, int]]:
    """Return the start and the end of a word, or of each letter of a run without spaces."""
    if not (_IDEOGRAPH.match(word[0]) or _SYLLABIC.match(word[0])):
        return [word.span()]
    ends = [word.start(), *itertools.accumulate(map(len, clusters(word[0])), initial=word.start())][1:]
    return list(itertools.pairwise(ends))


def reading_units(text: str) -> float:
    """Return the approximate number of words of a text, where two Chinese characters, or three letters of Thai, are a word."""
    return sum(_units(word) for word in _WORDS.findall(text))


def _units(word: str) -> float:
    """Return the approximate number of words of a word, or of a run of letters in a script without spaces."""
    if _IDEOGRAPH.match(word):
        return max(1.0, len(word) / 2)
    return max(1.0, len(clusters(word)) / 3) if _SYLLABIC.match(word) else 1.0


def hashes_of(text: str, buckets: int, by_clusters: bool = True) -> np.ndarray:
    """Return the buckets of the n-grams of a text; for a list, those of each of its texts, and each text of three words or more as a
    whole."""
    codes: list[int] = []
    packed: list[bytes] = []
    if BREAK not in text:
        _add_codes(text, by_clusters, codes, packed)
    else:
        for start, end in spans_of(text):
            _add_codes(text[start:end], by_clusters, codes, packed)
            if len(words_in(text[start:end])) > 2:
                codes.append(crc32(" ".join(text[start:end].casefold().split()).encode()))
    every = np.concatenate([np.frombuffer(b"".join(packed), np.uint32), np.array(codes, np.uint32)])
    return every % np.int64(buckets)


def _add_codes(text: str, by_clusters: bool, codes: list[int], packed: list[bytes]) -> None:
    """Add the CRC-32 of each n-gram of a single text: of words and signs, of pairs of neighbours, of three and four letters of a word, and
    of one to three letters of a script without spaces (Thai and similar ones: to four).

    :param codes: single codes are added here
    :param packed: the codes of whole words and signs are added here, as the bytes of uint32
    """
    before: int | None = None  # the CRC-32 of the last word, sign or letter and a space
    if text.isascii():
        for piece, own, after in map(_codes_of_ascii, _PIECE_OF_ASCII.findall(text.lower())):
            packed.append(own)
            if before is not None:
                codes.append(crc32(piece, before))
            before = after
        return
    for word, of_word, run, of_run, syllables, sign in (_PIECE if by_clusters else _PIECE_OF_POINTS).findall(text.casefold()):
        if run or syllables:
            letters = clusters(run + of_run + syllables) if of_run or syllables else run
            codes += _codes_of_runs([letter.encode() for letter in letters], 4 if syllables else 3)
            before = crc32(b" ", crc32(letters[-1].encode()))
            continue
        piece, own, after = _codes_of_piece(word, of_word, sign)
        packed.append(own)
        if before is not None:
            codes.append(crc32(piece, before))
        before = after


def _codes_of_runs(letters: Sequence[bytes], longest: int) -> list[int]:
    """Return the CRC-32 of all runs of neighbouring letters, of one letter up to ``longest``."""
    codes = list(map(crc32, letters))
    of_length = codes
    for length in range(1, longest):
        of_length = list(map(crc32, letters[length:], of_length))
        codes += of_length
    return codes


@lru_cache(2**16)
def _codes_of_piece(word: str, of_word: str, sign: str) -> tuple[bytes, bytes, int]:
    """Return a word or a sign as bytes, the CRC-32 of its n-grams as the bytes of uint32, and the CRC-32 of the whole and a space. Words
    recur, so that most are found in the cache."""
    return _encoded(grams_of_piece(word, of_word, sign))


@lru_cache(2**16)
def _codes_of_ascii(piece: str) -> tuple[bytes, bytes, int]:
    """Return the same for a word or a sign in ASCII."""
    return _encoded(grams_of_piece(piece, "", "") if piece[0].isalnum() else grams_of_piece("", "", piece))


def _encoded(grams: Sequence[str]) -> tuple[bytes, bytes, int]:
    """Return the first n-gram as bytes, the CRC-32 of all of them as the bytes of uint32, and the CRC-32 of the first and a space."""
    codes = [crc32(gram.encode()) for gram in grams]
    return grams[0].encode(), np.array(codes, np.uint32).tobytes(), crc32(b" ", codes[0])


def grams_of_piece(word: str, of_word: str, sign: str) -> list[str]:
    """Return the n-grams of a word or a sign, the first of which is the whole. The arguments are groups of ``_PIECE``."""
    piece = word + of_word or sign
    if of_word:
        return [piece, *("#" + run for run in runs_of(["<", *clusters(piece)[:64], ">"], (3, 4)))]
    if word:
        framed = f"<{word[:64]}>"
        return [piece, *("#" + framed[start : start + length] for length in (3, 4) for start in range(len(framed) - length + 1))]
    return [piece, *(base for base in _BASE.findall(sign) if base != sign)] if len(sign) > 1 else [piece]
