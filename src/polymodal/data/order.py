"""The order of rows in an epoch. It depends on the seed and the epoch alone.

Rows that share a costly cell, such as several questions about one image, are adjacent. A batch then contains few distinct images, and each
is encoded once.
"""

from __future__ import annotations

import numpy as np

from ..random_streams import Stream, generator


def epoch_order(rows: np.ndarray, shared: np.ndarray | None, seed: int, epoch: int, together: int = 1) -> np.ndarray:
    """Return ``rows`` in the order of one epoch.

    :param rows: row numbers
    :param shared: the number of the costly cell of each row, of the same length; None = rows share no cell
    :param seed: the random seed
    :param epoch: the number of the epoch
    :param together: the maximum number of adjacent rows that share a cell
    """
    rng = generator(Stream.ORDER, seed, epoch)
    shuffled = rng.permutation(len(rows))
    if shared is None:
        return rows[shuffled]
    by_cell = shuffled[np.argsort(shared[shuffled], kind="stable")]
    cells = shared[by_cell]
    starts = np.flatnonzero(np.append(True, cells[1:] != cells[:-1]))
    within = np.arange(len(by_cell)) - np.repeat(starts, np.diff(np.append(starts, len(by_cell))))
    chunk = np.cumsum((within % together == 0) | (cells < 0)) - 1
    place = rng.permutation(int(chunk[-1]) + 1) if len(chunk) else chunk
    return rows[by_cell[np.argsort(place[chunk], kind="stable")]]
