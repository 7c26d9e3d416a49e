"""Near duplicates across a split: images with nearly equal thumbnails, and texts of the same words in any order."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..flow import Cell
from ..language import Sentence
from .sampling import sampled_evenly
from .sources import Source
from .splits import OUT, Split
from .store import Store

MOST_COMPARED = 5_000
"""The maximum number of images or texts that are compared; their rows are sampled evenly."""
THUMB = 8
"""The height and width of a thumbnail in pixels."""
_NEAR = 2.0  # the mean absolute difference of near duplicate thumbnails in gray levels
_MOST_NEAR, _MOST_PAIRS = 20, 10_000
_RECURRING_AT_LEAST, _BEYOND_CHANCE = 10, 10
_FEWEST_WORDS, _FEWEST_SIGNS = 3, 12


def sides(split: Split) -> np.ndarray:
    """Return a number for the part of the split that each row (N,) is in, with folds for its part and fold; -1 = none."""
    return np.where(split.part_N == OUT, -1, split.part_N.astype(np.int64) * 100 + split.fold_N + 1)


@dataclass(frozen=True)
class NearDuplicates:
    """Near duplicates in one column.

    :param column: the column
    :param what: "pictures" or "texts"
    :param pairs: pairs of rows (0-based) in different parts of the split whose cells are nearly equal
    :param compared: the number of rows that were compared
    """

    column: str
    what: str
    pairs: list[tuple[int, int]]
    compared: int

    def line(self) -> str:
        """Return a warning in one line, or an empty string if there are no near duplicates."""
        if not self.pairs:
            return ""
        first: list[str] = [Sentence("near.rows", left=left + 1, right=right + 1) for left, right in self.pairs[:3]]
        rows = Sentence.joined([*first, *(["..."] if len(self.pairs) > 3 else [])], "enumeration")
        values = {"pairs": len(self.pairs), "compared": self.compared, "rows": rows}
        return Sentence("near", column=self.column, what=Sentence(f"near.{self.what}"), **values)


def picture_duplicates(rows: np.ndarray, thumbs: np.ndarray, side_N: np.ndarray) -> list[tuple[int, int]]:
    """Return pairs of rows in different parts of the split whose thumbnails are nearly equal.

    Thumbnails that occur in many rows, such as one image for each class, are left out.

    :param rows: the row numbers (K,), 0-based
    :param thumbs: their thumbnails (K, C x 64) in gray levels
    :param side_N: the part of each row, see ``sides``
    """
    used = side_N[rows] >= 0
    rows, thumbs = rows[used], thumbs[used].astype(np.float32)
    _, inverse, counts = np.unique(thumbs, axis=0, return_inverse=True, return_counts=True)
    rare = counts[inverse] <= _recurring(len(rows))
    mean = thumbs.mean(1)
    order = np.argsort(mean, kind="stable")
    order = order[rare[order]]
    rows, thumbs, mean = rows[order], thumbs[order], mean[order]
    if len(rows) < 2:
        return []
    # The mean absolute difference is at least the difference of means, of the whole and of segments, which excludes most pairs.
    segments = thumbs.reshape(len(thumbs), -1, 16 if thumbs.shape[1] % 16 == 0 else 1).mean(2)
    ends = np.searchsorted(mean, mean + _NEAR, side="right")
    pairs = []
    for at, end in enumerate(ends):
        others = at + 1 + np.flatnonzero(np.abs(segments[at + 1 : end] - segments[at]).mean(1) < _NEAR)
        others = others[side_N[rows[others]] != side_N[rows[at]]]
        others = others[np.abs(thumbs[others] - thumbs[at]).mean(1) < _NEAR]
        pairs += [(int(min(rows[at], rows[other])), int(max(rows[at], rows[other]))) for other in others[:_MOST_NEAR]]
        if len(pairs) > _MOST_PAIRS:
            break
    return sorted(pairs)


def _recurring(rows: int) -> int:
    """Return the number of rows above which repeated content is considered intended."""
    return max(_RECURRING_AT_LEAST, rows // 100)


def text_duplicates(cells: Iterable[tuple[int, Cell]], side_N: np.ndarray) -> list[tuple[int, int]]:
    """Return pairs of rows in different parts of the split whose texts have the same words, regardless of order and case.

    Texts that follow a pattern, such as questions of one kind, may be equal by chance. They are left out if a tenth or more of their number
    is explained by independent words, or by one word that is independent of the rest: the number of texts that differ in that word alone,
    times the fraction of texts with that word. The frequency of a word is that in other texts.

    :param cells: rows (0-based) and their cells
    :param side_N: the part of each row, see ``sides``
    """
    by_words: dict[frozenset[str], list[int]] = {}
    compared = 0
    for at, cell in cells:
        if side_N[at] >= 0 and isinstance(cell, str):
            compared += 1
            by_words.setdefault(frozenset(re.findall(r"\w+", cell.casefold())), []).append(at)
    same = {
        words: rows
        for words, rows in by_words.items()
        if 1 < len(rows) <= _recurring(compared) and (len(words) >= _FEWEST_WORDS or sum(map(len, words)) >= _FEWEST_SIGNS)
    }  # short texts such as "red circle" often recur by chance
    if not same:
        return []
    texts, but_one = Counter[str](), Counter[int]()
    for words, rows in by_words.items():
        whole = sum(map(hash, words))
        for word in words:
            texts[word] += len(rows)
            but_one[whole - hash(word)] += len(rows)
    pairs = []
    for words, rows in same.items():
        whole, times = sum(map(hash, words)), len(rows)
        share = {word: (texts[word] - times) / compared for word in words}
        by_chance = max(compared * math.prod(share.values()), *((but_one[whole - hash(word)] - times) * share[word] for word in words))
        if times - 1 > _BEYOND_CHANCE * by_chance:
            pairs += [(rows[0], other) for other in rows[1:] if side_N[other] != side_N[rows[0]]]
    return sorted(pairs)


def cells_in(source: Source, column: str, rows: np.ndarray) -> Iterator[tuple[int, Cell]]:
    """Yield some rows (0-based, ascending) with their cells of a column."""
    cells = (cell for part in source.at([column], rows) for cell in part[column])
    return zip((int(row) for row in rows), cells, strict=True)


def near_duplicates_in(source: Source, store: Store, split: Split, seed: int) -> list[NearDuplicates]:
    """Return the near duplicates among images and texts that are in different parts of the split.

    :param source: the table
    :param store: its samples
    :param split: the split
    :param seed: the seed by which rows are sampled
    """
    side_N = sides(split)
    if len(np.unique(side_N[side_N >= 0])) < 2:
        return []
    rows = sampled_evenly(np.flatnonzero(side_N >= 0), MOST_COMPARED, seed)
    results = []
    readers = Counter(column for modality in store.modalities.values() for column in modality.config.sources)
    for name, modality in store.modalities.items():
        column = modality.config.sources[0]
        if modality.near_duplicates == "pixels":
            present = rows[store.is_present(name, rows)]
            thumbs = _thumbs(store, name, store.index[name][present])
            results.append(NearDuplicates(column, "pictures", picture_duplicates(present, thumbs, side_N), len(present)))
        elif modality.near_duplicates == "words" and len(modality.config.sources) == 1 and readers[column] == 1:  # not also categories
            results.append(NearDuplicates(column, "texts", text_duplicates(cells_in(source, column, rows), side_N), len(rows)))
    return [one for one in results if one.pairs]


def _thumbs(store: Store, field: str, index: np.ndarray) -> np.ndarray:
    """Return thumbnails (K, C x 64) of the stored images with the given numbers (K,)."""
    numbers, inverse = np.unique(index, return_inverse=True)
    small = []
    for number in numbers:
        pixels = store.sample(field, int(number))["pixels"]
        rows, columns = (np.linspace(0, side, min(side, THUMB) + 1).astype(np.int64) for side in pixels.shape[-2:])
        sums = np.add.reduceat(np.add.reduceat(pixels.astype(np.float32), rows[:-1], axis=1), columns[:-1], axis=2)
        small.append((sums / (np.diff(rows)[:, None] * np.diff(columns))).ravel())
    return np.stack(small)[inverse] if small else np.zeros((0, THUMB**2), np.float32)
