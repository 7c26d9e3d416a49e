"""Join rows that share content to units, such that enough units remain to split.

Shapes: ``N`` rows of the table, ``C`` contents that several rows share, ``M`` pairs of a row and such a content.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Links:
    """The contents that rows share.

    :param row_M: the row of each pair
    :param content_M: the number of the shared content of each pair, 0 to C - 1
    :param rank_C: the rank of each content. Links of the highest rank are the first to be removed; -1 = never removed
    """

    row_M: np.ndarray
    content_M: np.ndarray
    rank_C: np.ndarray

    @classmethod
    def of(cls, key_N: np.ndarray, linked_N: np.ndarray, rank: int | None) -> Links:
        """Link rows that have the same key.

        The more rows share a key, the higher is its rank within ``rank``, in four steps for each doubling. All links of one step are
        removed together.

        :param key_N: the key of each row
        :param linked_N: which rows are linked
        :param rank: the rank of these links relative to others; None = they are never removed
        """
        rows = np.flatnonzero(linked_N)
        _, content_M, size_C = np.unique(key_N[rows], return_inverse=True, return_counts=True)
        several_C = size_C > 1
        number_C = np.cumsum(several_C) - 1
        kept = several_C[content_M]
        rank_C = np.full(int(several_C.sum()), -1, np.int64) if rank is None else (rank << 32) + np.floor(4 * np.log2(size_C[several_C]))
        return cls(rows[kept], number_C[content_M[kept]], rank_C.astype(np.int64))

    @classmethod
    def together(cls, parts: list[Links]) -> Links:
        """Return the links of several columns as one object."""
        offsets = np.cumsum([0, *(len(part.rank_C) for part in parts)])
        return cls(
            np.concatenate([part.row_M for part in parts]),
            np.concatenate([part.content_M + offset for part, offset in zip(parts, offsets[:-1], strict=True)]),
            np.concatenate([part.rank_C for part in parts]),
        )


def units(links: Links, rows: int, used_N: np.ndarray, most: int, least: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each row's unit (N,), and which contents (C,) still join rows.

    Rows that are joined, directly or through other rows, form one unit. If chains of links make a unit of more than ``most`` rows, its
    links of the highest rank are removed until no unit is larger, apart from units of links with rank -1. If fewer than ``least`` units
    remain, links of the highest rank in the table are removed.

    :param links: the links
    :param rows: N, the number of rows of the table
    :param used_N: which rows are split; only these are counted
    :param most: the maximum number of rows of a unit
    :param least: the least number of units
    """
    fixed_C = links.rank_C < 0
    kept_C = np.ones(len(links.rank_C), bool)
    most = max(most, int(np.bincount(_joined(links, fixed_C, rows)[used_N]).max(initial=0)))
    while True:
        label_N = _joined(links, kept_C, rows)
        too_large_N = np.bincount(label_N[used_N], minlength=rows) > most
        open_M = (kept_C & ~fixed_C)[links.content_M] & too_large_N[label_N[links.row_M]]
        if not open_M.any():
            break
        highest_N = np.full(rows, -1, np.int64)
        unit_M, rank_M = label_N[links.row_M[open_M]], links.rank_C[links.content_M[open_M]]
        np.maximum.at(highest_N, unit_M, rank_M)
        kept_C[links.content_M[open_M][rank_M >= highest_N[unit_M]]] = False
    if len(np.unique(label_N[used_N])) >= least:
        return label_N, kept_C
    ranks = np.unique(links.rank_C[kept_C & ~fixed_C])
    low, high = 0, len(ranks)  # binary search for the number of lowest ranks whose links leave enough units
    while low < high:
        middle = (low + high + 1) // 2
        tried_C = kept_C & (fixed_C | (links.rank_C <= ranks[middle - 1]))
        if len(np.unique(_joined(links, tried_C, rows)[used_N])) >= least:
            low = middle
        else:
            high = middle - 1
    kept_C &= fixed_C | (links.rank_C <= (ranks[low - 1] if low else -1))
    return _joined(links, kept_C, rows), kept_C


def _joined(links: Links, kept_C: np.ndarray, rows: int) -> np.ndarray:
    """Return the smallest row number (N,) that each row is joined to."""
    kept = kept_C[links.content_M]
    order = np.argsort(links.content_M[kept], kind="stable")
    row_M, content_M = links.row_M[kept][order], links.content_M[kept][order]
    label_N = np.arange(rows)
    if not len(row_M):
        return label_N
    starts = np.flatnonzero(np.diff(content_M, prepend=-1))
    lengths = np.diff(np.append(starts, len(content_M)))
    while True:
        least_M = np.repeat(np.minimum.reduceat(label_N[row_M], starts), lengths)
        if (label_N[row_M] == least_M).all():
            return label_N
        np.minimum.at(label_N, label_N[row_M], least_M)  # the row to which a row was joined is joined as well
        np.minimum.at(label_N, row_M, least_M)
        while (label_N[label_N] != label_N).any():
            label_N = label_N[label_N]
