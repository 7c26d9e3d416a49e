"""Near copies across a split: pictures that look the same when they are small, texts of the same words in another order."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..flow import Cell
from .sampling import sampled_evenly
from .sources import Source
from .splits import OUT, Split
from .store import Store

LOOKED_AT = 5_000
"""Pictures and texts that are compared, at most; their rows are drawn evenly."""
THUMB = 8
"""Height and width of a thumbnail."""
_NEAR = 2.0  # mean difference of two thumbnails, in grey levels
_MOST_NEAR, _MOST_PAIRS = 20, 10_000
_RECURRING_AT_LEAST, _BEYOND_CHANCE = 10, 10
_FEWEST_WORDS, _FEWEST_SIGNS = 3, 12


def sides(split: Split) -> np.ndarray:
    """A number for the side of the split that each row (N,) is on, -1 = none: its part, under folds its fold."""
    return np.where(split.part_N == OUT, -1, split.part_N.astype(np.int64) * 100 + split.fold_N + 1)


@dataclass(frozen=True)
class Twins:
    """Pairs of rows (0-based) on different sides of a split whose cells in a column are nearly the same, among ``compared`` rows; ``what``:
    pictures or texts."""

    column: str
    what: str
    pairs: list[tuple[int, int]]
    compared: int

    def line(self) -> str:
        """In one line, what it means and what to do; "" where there are none."""
        if not self.pairs:
            return ""
        first = ", ".join(f"{left + 1} and {right + 1}" for left, right in self.pairs[:3])
        return (
            f"column {self.column!r}: {len(self.pairs):,} pairs of {self.what} that are (nearly) the same stand on different sides of the "
            f"split (rows {first}{', ...' if len(self.pairs) > 3 else ''}; {self.compared:,} rows compared): figures may not hold for new "
            f"rows; name a column that ties such rows (--group, data.split.group)"
        )


def picture_twins(rows: np.ndarray, thumbs: np.ndarray, side_N: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of rows on different sides of the split whose thumbnails (K, C x 64) are nearly the same: rows (K,), 0-based.

    A thumbnail that recurs in many rows, as the picture of a class does, is left out.
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
    # The mean difference is at least the difference of means, of the whole and of its stretches: few pairs are left to compare.
    stretches = thumbs.reshape(len(thumbs), -1, 16 if thumbs.shape[1] % 16 == 0 else 1).mean(2)
    ends = np.searchsorted(mean, mean + _NEAR, side="right")
    pairs = []
    for at, end in enumerate(ends):
        others = at + 1 + np.flatnonzero(np.abs(stretches[at + 1 : end] - stretches[at]).mean(1) < _NEAR)
        others = others[side_N[rows[others]] != side_N[rows[at]]]
        others = others[np.abs(thumbs[others] - thumbs[at]).mean(1) < _NEAR]
        pairs += [(int(min(rows[at], rows[other])), int(max(rows[at], rows[other]))) for other in others[:_MOST_NEAR]]
        if len(pairs) > _MOST_PAIRS:
            break
    return sorted(pairs)


def _recurring(rows: int) -> int:
    """What recurs in more of the rows than this does so by design."""
    return max(_RECURRING_AT_LEAST, rows // 100)


def text_twins(cells: Iterable[tuple[int, Cell]], side_N: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of rows on different sides of the split whose texts have the same words, whatever their order and case. ``cells``: rows
    (0-based) and their cells.

    Texts that are made after a pattern, as questions of a kind are, are the same by chance. Those are left out of which a tenth or more is
    explained by words that are independent, or by one word that is independent of the rest: as many texts as differ in that word alone,
    times the share of texts with that word. A word counts as often as other texts hold it.
    """
    found: dict[frozenset[str], list[int]] = {}
    looked_at = 0
    for at, cell in cells:
        if side_N[at] >= 0 and isinstance(cell, str):
            looked_at += 1
            found.setdefault(frozenset(re.findall(r"\w+", cell.casefold())), []).append(at)
    same = {
        words: rows
        for words, rows in found.items()
        if 1 < len(rows) <= _recurring(looked_at) and (len(words) >= _FEWEST_WORDS or sum(map(len, words)) >= _FEWEST_SIGNS)
    }  # "red circle" twice is no accident
    if not same:
        return []
    texts, but_one = Counter[str](), Counter[int]()
    for words, rows in found.items():
        whole = sum(map(hash, words))
        for word in words:
            texts[word] += len(rows)
            but_one[whole - hash(word)] += len(rows)
    pairs = []
    for words, rows in same.items():
        whole, times = sum(map(hash, words)), len(rows)
        share = {word: (texts[word] - times) / looked_at for word in words}
        by_chance = max(looked_at * math.prod(share.values()), *((but_one[whole - hash(word)] - times) * share[word] for word in words))
        if times - 1 > _BEYOND_CHANCE * by_chance:
            pairs += [(rows[0], other) for other in rows[1:] if side_N[other] != side_N[rows[0]]]
    return sorted(pairs)


def cells_in(source: Source, column: str, rows: np.ndarray) -> Iterator[tuple[int, Cell]]:
    """Some rows (0-based, ascending) with their cells of a column."""
    cells = (cell for part in source.at([column], rows) for cell in part[column])
    return zip((int(row) for row in rows), cells, strict=True)


def twins_in(source: Source, store: Store, split: Split, seed: int) -> list[Twins]:
    """Near copies among the pictures and texts of a table that was read, where rows are on different sides of the split."""
    side_N = sides(split)
    if len(np.unique(side_N[side_N >= 0])) < 2:
        return []
    rows = sampled_evenly(np.flatnonzero(side_N >= 0), LOOKED_AT, seed)
    found = []
    for name, modality in store.modalities.items():
        column = modality.config.sources[0]
        if modality.kind == "image":
            held = rows[store.is_present(name, rows)]
            thumbs = _thumbs(store, name, store.index[name][held])
            found.append(Twins(column, "pictures", picture_twins(held, thumbs, side_N), len(held)))
        elif modality.kind == "text" and len(modality.config.sources) == 1:
            found.append(Twins(column, "texts", text_twins(cells_in(source, column, rows), side_N), len(rows)))
    return [one for one in found if one.pairs]


def _thumbs(store: Store, field: str, index: np.ndarray) -> np.ndarray:
    """Thumbnails (K, C x 64) of the pictures as they were read."""
    numbers, inverse = np.unique(index, return_inverse=True)
    small = []
    for number in numbers:
        pixels = store.sample(field, int(number))["pixels"]
        edges = np.linspace(0, pixels.shape[-1], min(pixels.shape[-1], THUMB) + 1).astype(np.int64)
        sums = np.add.reduceat(np.add.reduceat(pixels.astype(np.float32), edges[:-1], axis=1), edges[:-1], axis=2)
        areas = np.diff(edges)
        small.append((sums / (areas[:, None] * areas)).ravel())
    return np.stack(small)[inverse] if small else np.zeros((0, THUMB**2), np.float32)
