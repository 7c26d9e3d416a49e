"""Detects unreadable pictures, and columns and file paths that leak the target."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from ..cells import Writing
from ..data.near_duplicates import THUMB, cells_in
from ..data.reading import CellFault, CellReader, faults_of
from ..data.sampling import cells_at
from ..data.sources import Source
from ..flow import Cell
from ..language import Sentence
from ..modalities import Image, ImageConfig, Roots, evenly, is_missing_word

_FITTED = 16  # the number of pictures from which the channels, and the range of arrays, are determined
_GIVES_AWAY, _GOES_ALONG = 0.98, 0.999
_FEWEST, _MOST_CLASSES = 20, 20


def thumbnails(source: Source, column: str, roots: Roots, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[CellFault]]:
    """Read the pictures of some rows.

    :param column: the name of the image column
    :param chosen: the rows to read, 0-based, ascending
    :returns: the rows (0-based, K) that could be read, their thumbnails (K, C x 64), and the pictures that could not be read
    """
    config = ImageConfig(column=column, size=THUMB)
    fitted = cells_at(source, [column], chosen[np.array(evenly(len(chosen), _FITTED), np.int64)])
    image = Image(config, Image.fit(config, fitted, "pixels", {}, roots), roots)
    reader = CellReader(image, lambda sample: sample["pixels"].ravel().astype(np.float32))
    rows: list[int] = []
    thumbs: list[np.ndarray] = []
    faults: list[CellFault] = []
    for at, cell in cells_in(source, column, chosen):
        if image.is_missing(cell):
            continue
        thumb, fault = reader.read(cell)
        if thumb is not None:
            rows.append(at)
            thumbs.append(thumb)
        if fault is not None:
            faults += faults_of(fault, at + 1, [column], column)
    stack = np.stack(thumbs) if thumbs else np.zeros((0, THUMB**2), np.float32)
    return np.array(rows, np.int64), stack, faults


def gives_away(keys: Iterable[str | None], labels: Sequence[str]) -> tuple[float, float, int]:
    """Return how well a key alone predicts the label.

    :param keys: the key of each row
    :param labels: the label of each row
    :returns: the leave-one-out accuracy of the majority label by key, the accuracy without keys, and the number of distinct keys
    """
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
    """Return a message for each part of the file paths that predicts the target: the folder, or the file name without digits.

    :param cells: the paths
    :param labels: the target of each row as text
    """
    messages: list[str] = []
    texts = [os.fspath(cell) if isinstance(cell, (str, os.PathLike)) else "" for cell in cells]
    stems = [os.path.splitext(os.path.basename(str(text)))[0] for text in texts]
    views = {
        "leak.folder": [os.path.dirname(str(text)) for text in texts],
        "leak.file_name": [re.sub(r"[\d_\W]+", "#", stem) for stem in stems],
    }
    for what, keys in views.items():
        share, base, count = gives_away(keys, labels)
        if count > 1 and count < 0.5 * len(labels) and share > base + 0.5 * (1 - base):
            messages.append(Sentence("leak.path", part=Sentence(what), share=share, base=base))
    return messages


def column_leak(
    cells: Sequence[Cell], labels: Sequence[str], numbers: Sequence[float] | None, writing: Writing | None = None
) -> str | None:
    """Return a message if one column alone nearly determines the target, otherwise None.

    Classes are predicted by the values of the column, or by thresholds on its numbers. For a numeric target, the correlation and the rank
    correlation are tested.

    :param cells: the cells of the column
    :param labels: the target of each row as text
    :param numbers: the target of each row if it is numeric, otherwise None
    :param writing: how the cells are written if they may be numbers or dates
    """
    values = None
    if writing is not None and writing.type != "category":
        values = [None if is_missing_word(cell) else writing.value(cell) for cell in cells]
    if numbers is not None:
        pairs = [(value, target) for value, target in zip(values or (), numbers, strict=False) if value is not None]
        if len(pairs) < _FEWEST:
            return None
        left, right = np.array(pairs).T
        if len(np.unique(left)) < _FEWEST or len(np.unique(right)) < _FEWEST:
            return None
        for first, second, how in ((left, right, "leak.correlation"), (_ranks(left), _ranks(right), "leak.rank_correlation")):
            if first.std() > 0 and second.std() > 0 and abs(np.corrcoef(first, second)[0, 1]) > _GOES_ALONG:
                return Sentence("leak.rises", how=Sentence(how), bound=_GOES_ALONG)
        return None
    share, base, count = gives_away([str(cell) for cell in cells], labels)
    bound = max(_GIVES_AWAY, base + 0.5 * (1 - base))
    if 1 < count < 0.5 * len(labels) and share >= bound:
        return Sentence("leak.alone", share=share)
    if values is not None and (share := _by_thresholds(values, labels)) >= bound:
        return Sentence("leak.thresholds", share=share)
    return None


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value; equal values have equal ranks."""
    return np.unique(values, return_inverse=True)[1].astype(np.float64)


def _by_thresholds(values: Sequence[float | None], labels: Sequence[str]) -> float:
    """Return the share of rows predicted correctly if each class is one interval of numbers, determined by splitting the numbers as a
    decision tree does; for rows without a number, their most frequent label is predicted."""
    with_number = np.array([at for at, value in enumerate(values) if value is not None], np.int64)
    names, codes_N = np.unique(np.array(labels), return_inverse=True)
    if len(with_number) < _FEWEST or not 2 <= len(names) <= _MOST_CLASSES:
        return 0.0
    order = with_number[np.argsort([values[at] for at in with_number], kind="stable")]
    sorted_N = np.array([values[at] for at in order], np.float64)
    counts_NC = np.zeros((len(order) + 1, len(names)))
    counts_NC[np.arange(1, len(order) + 1), codes_N[order]] = 1
    counts_NC = counts_NC.cumsum(0)
    edges = [0, len(order)]
    for _ in range(len(names) - 1):
        best: tuple[float, int] | None = None
        for low, high in itertools.pairwise(edges):
            inside = np.arange(low + 1, high)
            inside = inside[sorted_N[inside] > sorted_N[inside - 1]]
            if not len(inside):
                continue
            left_JC, right_JC = counts_NC[inside] - counts_NC[low], counts_NC[high] - counts_NC[inside]
            pure_J = (left_JC**2).sum(1) / left_JC.sum(1) + (right_JC**2).sum(1) / right_JC.sum(1)
            whole_C = counts_NC[high] - counts_NC[low]
            gain = float(pure_J.max() - (whole_C**2).sum() / whole_C.sum())
            if best is None or gain > best[0]:
                best = gain, int(inside[pure_J.argmax()])
        if best is None:
            break
        edges = sorted([*edges, best[1]])
    right = sum(float((counts_NC[high] - counts_NC[low]).max()) for low, high in itertools.pairwise(edges))
    without = np.setdiff1d(np.arange(len(labels)), with_number)
    right += float(np.bincount(codes_N[without]).max()) if len(without) else 0.0
    return right / len(labels)
