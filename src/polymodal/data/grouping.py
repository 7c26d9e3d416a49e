"""Rows that share something joined to units, in such a way that enough units are left to split.

Shapes: ``N`` rows of the table, ``C`` things that several rows share, ``M`` pairs of a row and such a thing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Links:
    """``row_M`` shares ``thing_M`` (0 to C - 1); ``rank_C``: links of the highest rank are the first to be given up, -1 = never."""

    row_M: np.ndarray
    thing_M: np.ndarray
    rank_C: np.ndarray

    @classmethod
    def of(cls, key_N: np.ndarray, linked_N: np.ndarray, rank: int | None) -> Links:
        """Rows where ``linked_N`` that have the same key; the more rows share a key, the higher its rank within ``rank`` (None = never
        given up), in steps of a fifth or so: each step is given up at once."""
        rows = np.flatnonzero(linked_N)
        _, thing_M, size_C = np.unique(key_N[rows], return_inverse=True, return_counts=True)
        several_C = size_C > 1
        number_C = np.cumsum(several_C) - 1
        kept = several_C[thing_M]
        rank_C = np.full(int(several_C.sum()), -1, np.int64) if rank is None else (rank << 32) + np.floor(4 * np.log2(size_C[several_C]))
        return cls(rows[kept], number_C[thing_M[kept]], rank_C.astype(np.int64))

    @classmethod
    def together(cls, parts: list[Links]) -> Links:
        """All links of several columns."""
        offsets = np.cumsum([0, *(len(part.rank_C) for part in parts)])
        return cls(
            np.concatenate([part.row_M for part in parts]),
            np.concatenate([part.thing_M + offset for part, offset in zip(parts, offsets[:-1], strict=True)]),
            np.concatenate([part.rank_C for part in parts]),
        )


def units(links: Links, rows: int, used_N: np.ndarray, most: int, least: int) -> tuple[np.ndarray, np.ndarray]:
    """The number of each row's unit (N,), and which things (C,) still join rows.

    Rows that are joined, directly or over others, are one unit. Where chains of links make a unit of more than ``most`` rows, its links of
    the highest rank are given up until no unit is larger (but for those that ``rank`` -1 makes); where fewer than ``least`` units of rows
    ``used_N`` are left, those of the highest rank of all.
    """
    fixed_C = links.rank_C < 0
    kept_C = np.ones(len(links.rank_C), bool)
    most = max(most, int(np.bincount(_joined(links, fixed_C, rows)[used_N]).max(initial=0)))
    while True:
        label_N = _joined(links, kept_C, rows)
        too_large_N = np.bincount(label_N[used_N], minlength=rows) > most
        open_M = (kept_C & ~fixed_C)[links.thing_M] & too_large_N[label_N[links.row_M]]
        if not open_M.any():
            break
        highest_N = np.full(rows, -1, np.int64)
        unit_M, rank_M = label_N[links.row_M[open_M]], links.rank_C[links.thing_M[open_M]]
        np.maximum.at(highest_N, unit_M, rank_M)
        kept_C[links.thing_M[open_M][rank_M >= highest_N[unit_M]]] = False
    if len(np.unique(label_N[used_N])) >= least:
        return label_N, kept_C
    ranks = np.unique(links.rank_C[kept_C & ~fixed_C])
    low, high = 0, len(ranks)  # of the ranks in order, the first ``low`` leave enough units, if none leaves too few
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
    """The smallest row (N,) that each row is joined to."""
    kept = kept_C[links.thing_M]
    order = np.argsort(links.thing_M[kept], kind="stable")
    row_M, thing_M = links.row_M[kept][order], links.thing_M[kept][order]
    label_N = np.arange(rows)
    if not len(row_M):
        return label_N
    starts = np.flatnonzero(np.diff(thing_M, prepend=-1))
    lengths = np.diff(np.append(starts, len(thing_M)))
    while True:
        least_M = np.repeat(np.minimum.reduceat(label_N[row_M], starts), lengths)
        if (label_N[row_M] == least_M).all():
            return label_N
        np.minimum.at(label_N, label_N[row_M], least_M)  # what a row was joined to is joined as well
        np.minimum.at(label_N, row_M, least_M)
        while (label_N[label_N] != label_N).any():
            label_N = label_N[label_N]
