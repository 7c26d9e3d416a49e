"""From a cell to normalised text, and from text to weighted n-grams. The file needs no torch, so that exported models read text by it.

Shapes: ``L`` n-grams of a text.
"""

from __future__ import annotations

import base64
import math
import unicodedata
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..cells import is_empty
from .graphemes import cut
from .ngrams import hashes_of
from .tags import as_list, tagged_text

if TYPE_CHECKING:
    from ..flow import Cell

IDF_STEP = 1 / 16
"""The unit in which the IDF is stored as bytes: 0 to 16."""


def normalise(cell: Cell, max_chars: int = 20_000, form: Literal["NFKC"] | None = "NFKC") -> str:
    """Return a cell, or its joined parts, as text: normalised by ``form`` (None = not), without NUL, and of at most ``max_chars``
    characters, none of which is cut from its marks."""
    if isinstance(cell, tuple):
        cell = "\n".join(tagged_text(part)[:max_chars] for part in cell if not is_empty(part))
    text = cut(tagged_text(cell), max_chars)
    text = unicodedata.normalize(form, text) if form else text
    if not text.isascii():
        text = text.encode("utf-8", "ignore").decode("utf-8")  # without lone surrogates
    return text.replace("\0", " ")


def text_in(cell: Cell, max_chars: int, lists: bool, by_clusters: bool, form: Literal["NFKC"] | None) -> str:
    """Return the normalised text of a cell.

    :param lists: whether a list that is written as text is read as a list
    :param by_clusters: whether the last letter is not cut from its marks
    :param form: the Unicode normalisation; None = none
    """
    if not by_clusters:
        cell = _cut_anywhere(cell, max_chars)
    return normalise(as_list(cell) if lists else cell, max_chars, form)


def _cut_anywhere(cell: Cell, max_chars: int) -> Cell:
    """Cut a text after ``max_chars`` code points, even before a mark."""
    if isinstance(cell, tuple):
        cell = "\n".join(tagged_text(part)[:max_chars] for part in cell if not is_empty(part))
    return cell[:max_chars] if isinstance(cell, str) else cell


def idf_of(encoded: str) -> np.ndarray:
    """Return the IDF of each bucket, float64, from base64."""
    return np.frombuffer(base64.b64decode(encoded), np.uint8).astype(np.float64) * IDF_STEP


def weighted(text: str, buckets: int, idf: np.ndarray, most: int, by_clusters: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return the n-grams of a text: their numbers from 1 up, int32 (L,), and their weights, float32 (L,), of Euclidean length 1.

    A text without n-grams has one of number 0 and weight 0.

    :param buckets: the number of buckets that n-grams are hashed into
    :param idf: the IDF of each bucket
    :param most: the maximum number of n-grams: those with the largest weights
    :param by_clusters: whether a letter is a character with its marks, and not a single code point
    """
    every = hashes_of(text, buckets, by_clusters)
    if not len(every):
        return np.zeros(1, np.int32), np.zeros(1, np.float32)
    every.sort()
    differs = np.ones(len(every) + 1, bool)  # ``np.unique`` takes three times as long for a short text
    np.not_equal(every[1:], every[:-1], out=differs[1:-1])
    bounds = differs.nonzero()[0]
    hashes, counts = every[bounds[:-1]], bounds[1:] - bounds[:-1]
    weights = (1 + np.log(counts)) * idf[hashes]
    if len(hashes) > most:
        keep = np.sort(np.argsort(-weights, kind="stable")[:most])
        hashes, weights = hashes[keep], weights[keep]
    weights = weights / math.sqrt(float((weights**2).sum()))
    return (hashes + 1).astype(np.int32), weights.astype(np.float32)
