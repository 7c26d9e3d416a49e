"""The order of rows in an epoch: a function of seed, epoch and position, and of nothing else.

Rows that share a costly cell (seven questions about one picture) travel together, so that a batch holds few distinct
pictures and each is encoded once.
"""

from __future__ import annotations

import numpy as np

TOGETHER = 8
"""At most this many rows of one cell travel together: a batch stays a mixture."""


def epoch_order(rows: np.ndarray, shared: np.ndarray | None, seed: int, epoch: int) -> np.ndarray:
    """``rows`` in the order of one epoch; ``shared`` (of the same length) is the cell that each row holds, or None."""
    rng = np.random.default_rng([seed, 11, epoch])
    shuffled = rng.permutation(len(rows))
    if shared is None:
        return rows[shuffled]
    by_cell = shuffled[np.argsort(shared[shuffled], kind="stable")]
    cells = shared[by_cell]
    starts = np.flatnonzero(np.append(True, cells[1:] != cells[:-1]))
    within = np.arange(len(by_cell)) - np.repeat(starts, np.diff(np.append(starts, len(by_cell))))
    chunk = np.cumsum((within % TOGETHER == 0) | (cells < 0)) - 1
    place = rng.permutation(int(chunk[-1]) + 1) if len(chunk) else chunk
    return rows[by_cell[np.argsort(place[chunk], kind="stable")]]
