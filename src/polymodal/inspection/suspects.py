"""What should make a person look twice: unreadable cells, twins across the split, columns and paths that give the answer away."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from ..cells import number
from ..data.sampling import cells_at
from ..data.sources import Source
from ..errors import Fault
from ..flow import Cell
from ..modalities import Image, ImageConfig, Roots, evenly, is_missing_word

LOOKED_AT = 5_000
"""Pictures and texts that are compared, at most; their rows are drawn evenly."""
_THUMB = 8
_FITTED = 16  # pictures that tell how many channels there are, and the range of arrays
_TWIN = 2.0  # mean difference of 8 x 8 thumbnails, in grey levels
_GIVES_AWAY = 0.98


def thumbnails(
    source: Source, column: str, roots: Roots, chosen: np.ndarray, faults: list[tuple[int, str]]
) -> tuple[np.ndarray, np.ndarray]:
    """Read the pictures of the chosen rows: the rows (0-based) that could be read, and their thumbnails (K, C x 64). What could
    not is added to ``faults``: row (1 = first) and what is wrong."""
    config = ImageConfig(column=column, size=_THUMB)
    fitted = cells_at(source, [column], chosen[np.array(evenly(len(chosen), _FITTED), np.int64)])
    reader = Image(config, Image.fit(config, fitted, "pixels", {}, roots), roots)
    rows, thumbs, wanted = [], [], set(chosen.tolist())
    seen: dict[Cell, np.ndarray | Fault] = {}
    for at, cell in enumerate(source.cells([column])):
        if at not in wanted or reader.is_missing(cell):
            continue
        key = cell if isinstance(cell, str) else None
        if key is None or key not in seen:
            try:
                found: np.ndarray | Fault = reader.read(cell)["pixels"].ravel().astype(np.float32)
            except Fault as fault:
                found = fault
            if key is not None:
                seen[key] = found
        else:
            found = seen[key]
        if isinstance(found, Fault):
            faults.append((at + 1, str(found)))
        else:
            rows.append(at)
            thumbs.append(found)
    stack = np.stack(thumbs) if thumbs else np.zeros((0, _THUMB**2), np.float32)
    return np.array(rows, np.int64), stack


def picture_twins(rows: np.ndarray, thumbs: np.ndarray, side_N: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of rows on different sides of the split whose thumbnails are nearly the same."""
    pairs = []
    for at in range(len(rows)):
        near = np.abs(thumbs[at + 1 :] - thumbs[at]).mean(1) < _TWIN
        for other in np.flatnonzero(near)[:20] + at + 1:
            if side_N[rows[at]] != side_N[rows[other]]:
                pairs.append((int(rows[at]), int(rows[other])))
        if len(pairs) > 10_000:
            break
    return pairs


def text_twins(source: Source, column: str, chosen: np.ndarray, side_N: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of rows on different sides of the split whose texts hold the same words, whatever their order and case."""
    wanted = set(chosen.tolist())
    first: dict[int, int] = {}
    pairs = []
    for at, cell in enumerate(source.cells([column])):
        if at not in wanted or not isinstance(cell, str):
            continue
        words = frozenset(re.findall(r"\w+", cell.casefold()))
        if len(words) < 3 and sum(map(len, words)) < 12:
            continue  # "red circle" twice is no accident worth telling
        other = first.setdefault(hash(words), at)
        if other != at and side_N[other] != side_N[at]:
            pairs.append((other, at))
    return pairs


def gives_away(keys: Iterable[str | None], labels: Sequence[str]) -> tuple[float, float, int]:
    """How well a key alone predicts the label: (leave-one-out accuracy of the majority by key, that of no key, keys)."""
    by_key: dict[str | None, Counter[str]] = defaultdict(Counter)
    pairs = list(zip(keys, labels, strict=True))
    for key, label in pairs:
        by_key[key][label] += 1
    overall = Counter(labels)
    base = overall.most_common(1)[0][1] / max(len(labels), 1)
    right = 0
    for key, label in pairs:
        counts = by_key[key].copy()
        counts[label] -= 1
        best, count = counts.most_common(1)[0]
        right += count > 0 and best == label
    return right / max(len(labels), 1), base, len(by_key)


def path_leaks(cells: Sequence[Cell], labels: Sequence[str]) -> list[str]:
    """What in the paths predicts the target: the folder, or the file's name without digits."""
    found = []
    texts = [os.fspath(cell) if isinstance(cell, (str, os.PathLike)) else "" for cell in cells]
    stems = [os.path.splitext(os.path.basename(str(text)))[0] for text in texts]
    views = {
        "folder": [os.path.dirname(str(text)) for text in texts],
        "file name (digits aside)": [re.sub(r"[\d_\W]+", "#", stem) for stem in stems],
    }
    for what, keys in views.items():
        share, base, count = gives_away(keys, labels)
        if count > 1 and count < 0.5 * len(labels) and share > base + 0.5 * (1 - base):
            found.append(f"its {what} predicts the target ({share:.0%} against {base:.0%} without); a path's text is never a feature")
    return found


def column_leak(cells: Sequence[Cell], labels: Sequence[str], numbers: Sequence[float] | None) -> str | None:
    """Whether one column alone all but states the target."""
    if numbers is not None:
        pairs = [
            (value, target)
            for cell, target in zip(cells, numbers, strict=True)
            if not is_missing_word(cell) and (value := number(cell)) is not None
        ]
        if len(pairs) >= 20:
            left, right = np.array(pairs).T
            if left.std() > 0 and right.std() > 0 and abs(np.corrcoef(left, right)[0, 1]) > 0.999:
                return "it rises and falls with the target (correlation above 0.999): is it known when you predict?"
        return None
    keys = [str(cell) for cell in cells]
    share, base, count = gives_away(keys, labels)
    if 1 < count < 0.5 * len(labels) and share >= max(_GIVES_AWAY, base + 0.5 * (1 - base)):
        return f"alone it tells the target in {share:.0%} of the rows: is it known when you predict?"
    return None
