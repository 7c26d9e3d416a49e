"""Is there interaction at all: the nearest sum of what each field says alone, beside the model.

The empirical multimodally additive projection (EMAP, Hessel and Lee 2020, arXiv:2010.06572) of a model's logits: for each row, the sum over
fields of the mean answer when that field stays and the others are another row's, minus (M - 1) times the mean answer of all. A model whose
logits are a sum over fields is its own projection. For two fields this is theirs; for more, the other fields stay together as they are
in their row, which keeps that property and costs M N^2 answers.

Shapes: ``N`` rows, ``C`` outputs, ``M`` fields.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ..inference import Encoded

MOST_ROWS = 200
"""Rows projected, at most: of M fields so many that it takes no more answers than of two."""
_AT_ONCE, _CROSSED = 2**22, 32  # logits, and rows crossed with all others, held at a time


def affordable(rows: int, fields: int) -> int:
    """How many of ``rows`` are projected."""
    return min(rows, MOST_ROWS if fields <= 2 else int((2 * MOST_ROWS**2 / fields) ** 0.5))


def project(encoded: Encoded, index: Mapping[str, np.ndarray], fields: Sequence[str]) -> dict[str, np.ndarray]:
    """The projection of one model's logits by task, float64 (N, C), over the rows of ``index``, taken for the whole of the world."""
    rows = len(next(iter(index.values())))
    kept = fields[:1] if len(fields) == 2 else fields  # of two fields, one that stays is the other that comes from elsewhere
    total: dict[str, np.ndarray] = {}
    grand: dict[str, np.ndarray] = {}
    for field in kept:
        for start, logits in _crossed(encoded, index, field, rows):
            for task, found_INC in logits.items():
                into = total.setdefault(task, np.zeros((rows, found_INC.shape[2])))
                into[start : start + len(found_INC)] += found_INC.mean(1)
                if len(fields) == 2:
                    into += found_INC.sum(0) / rows
                grand[task] = grand.get(task, 0.0) + found_INC.sum((0, 1)) / (rows**2 * len(kept))
    return {task: total[task] - (len(fields) - 1) * grand[task] for task in total}


def _crossed(encoded: Encoded, index: Mapping[str, np.ndarray], field: str, rows: int) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Some rows ``I`` at a time: logits (I, N, C) by task of ``field`` from row i and all other fields from row n."""
    most = 1
    start = 0
    while start < rows:
        part = np.arange(start, min(start + most, rows))
        mixed = {name: np.repeat(of[part], rows) if name == field else np.tile(of, len(part)) for name, of in index.items()}
        logits = {task: found.astype(np.float64).reshape(len(part), rows, -1) for task, found in encoded.answer(mixed).logits.items()}
        yield start, logits
        start += len(part)
        most = max(1, min(_CROSSED, _AT_ONCE // (rows * sum(found.shape[2] for found in logits.values()))))
