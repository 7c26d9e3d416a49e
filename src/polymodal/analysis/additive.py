"""The empirical multimodally additive projection (EMAP, Hessel and Lee 2020, arXiv:2010.06572): the sum over fields that is nearest to a
model's logits. The difference between its metric and that of the model is the gain from interactions between fields.

The projection of row i is the sum over fields of the mean logits with that field's cell of row i and the other fields' cells each from a
row of its own, independently of each other, minus (M - 1) times the mean logits of all cells independent. Cells that occur together in the
data are thereby separated: if the other fields were kept together as in their rows, the product a*b*c, where c is a copy of b, would be
taken for a sum.

For two fields the means are exact, over all N^2 pairs of cells. For more, N^M predictions would be needed; the means are estimated from N
samples for each row and field, M N^2 predictions in all. In the N samples of a row, each other field runs through a random permutation of
all rows (Latin hypercube sampling, McKay, Beckman and Conover 1979): every sample consists of independent cells, so the means are unbiased,
and every cell occurs once, so that a sum over fields cancels exactly. A model whose logits are such a sum is its own projection, to
rounding. What remains is the error of interactions. The samples are divided into groups, and leaving out one group at a time gives a
standard error (delete-a-group jackknife). It is an upper estimate: the interaction of the row's own cell with one other cell cancels over
all samples, but not over those of a group.

Shapes: ``N`` rows, ``C`` outputs, ``M`` fields, ``G`` groups of samples, ``I`` rows of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..inference import Encoded
from ..random_streams import Stream, generator

MOST_ROWS = 200
"""The maximum number of rows that are projected. For more than two fields there are fewer, so that no more predictions are needed."""
GROUPS = 8
"""The number of groups of samples from which the standard error is estimated."""
_AT_ONCE, _CROSSED = 2**22, 32  # logits, and rows combined with all others, in memory at a time


def affordable(rows: int, fields: int) -> int:
    """Return how many of ``rows`` are projected."""
    return min(rows, MOST_ROWS if fields <= 2 else int((2 * MOST_ROWS**2 / fields) ** 0.5))


@dataclass(frozen=True)
class Projection:
    """The projection of the logits of one model.

    ``logits`` by task, float64 (N, C). ``without`` contains the projection without each group of samples; it is empty if the projection is
    exact.
    """

    logits: dict[str, np.ndarray]
    without: list[dict[str, np.ndarray]] = field(default_factory=list)


def project(encoded: Encoded, index: Mapping[str, np.ndarray], fields: Sequence[str], seed: Sequence[int] = (0,)) -> Projection:
    """Compute the projection of a model's logits.

    :param index: the rows, as positions of cells by field (N,); their cells represent the distribution of each field
    :param fields: the fields over which the sum runs
    :param seed: the seed of the samples
    """
    rows = len(next(iter(index.values())))
    if len(fields) == 2:
        return Projection(_exact(encoded, index, fields[0], rows))
    groups = max(1, min(GROUPS, rows))
    sums: dict[str, np.ndarray] = {}
    hidden = {name: np.tile(of, (rows, 1)) for name, of in index.items() if name not in fields}
    for at in range(len(fields)):
        permuted_MNN = _samples(len(fields), at, rows, seed)
        crossed = {name: index[name][permuted_NN] for name, permuted_NN in zip(fields, permuted_MNN, strict=True)} | hidden
        for start, logits in _answers(encoded, crossed, rows):
            for task, logits_INC in logits.items():
                into_MNGC = sums.setdefault(task, np.zeros((len(fields), rows, groups, logits_INC.shape[2])))
                for group in range(groups):
                    into_MNGC[at, start : start + len(logits_INC), group] = logits_INC[:, group::groups].sum(1)
    means = {task: sums_MNGC.sum(2) / rows for task, sums_MNGC in sums.items()}
    projected = {task: _combined(mean_MNC) for task, mean_MNC in means.items()}
    without: list[dict[str, np.ndarray]] = [{} for _ in range(groups if groups > 1 else 0)]
    for task, mean_MNC in means.items():
        for into, shift_MNC in zip(without, _shifts(sums[task], mean_MNC, seed), strict=False):
            into[task] = projected[task] + _combined(shift_MNC)
    return Projection(projected, without)


def _combined(mean_MNC: np.ndarray) -> np.ndarray:
    """Return the sum of the fields' means minus M - 1 times the mean of all, (N, C)."""
    return np.asarray(mean_MNC.sum(0) - (len(mean_MNC) - 1) * mean_MNC.mean((0, 1)))


def _exact(encoded: Encoded, index: Mapping[str, np.ndarray], first: str, rows: int) -> dict[str, np.ndarray]:
    """Return the projection for two fields: a pair of cells of rows i and n counts in the mean of row i and in that of row n."""
    crossed = {name: np.repeat(of[:, None], rows, 1) if name == first else np.tile(of, (rows, 1)) for name, of in index.items()}
    mean_MNC: dict[str, np.ndarray] = {}
    for start, logits in _answers(encoded, crossed, rows):
        for task, logits_INC in logits.items():
            into = mean_MNC.setdefault(task, np.zeros((2, rows, logits_INC.shape[2])))
            into[0, start : start + len(logits_INC)] = logits_INC.mean(1)
            into[1] += logits_INC.sum(0) / rows
    return {task: _combined(mean) for task, mean in mean_MNC.items()}


def _samples(fields: int, kept: int, rows: int, seed: Sequence[int]) -> np.ndarray:
    """Return the row that each field's cell is taken from in the N samples of each row, (M, N, N): the row itself for the field ``kept``, a
    random permutation of all rows for each other field."""
    every_MNN = np.broadcast_to(np.arange(rows), (fields, rows, rows))
    permuted_MNN = generator(Stream.PROJECTED_CELLS, seed, kept).permuted(every_MNN, axis=2)
    permuted_MNN[kept] = np.arange(rows)[:, None]
    return permuted_MNN


def _shifts(sums_MNGC: np.ndarray, mean_MNC: np.ndarray, seed: Sequence[int]) -> np.ndarray:
    """Return what leaving out a group of samples adds to the means, (G, M, N, C). The main effects of a group's cells are subtracted from
    its logits first: they cancel over all samples, but not over those of one group."""
    fields, rows, groups, outputs = sums_MNGC.shape
    effect_MNC = mean_MNC - mean_MNC.mean(1, keepdims=True)
    shift_GMNC = np.zeros((groups, fields, rows, outputs))
    for kept in range(fields):
        permuted_MNN = _samples(fields, kept, rows, seed)
        for group in range(groups if groups > 1 else 0):
            chosen_MNK = permuted_MNN[:, :, group::groups]
            count = chosen_MNK.shape[2]
            among_MNN = np.zeros((fields, rows, rows))
            np.put_along_axis(among_MNN, chosen_MNK, 1.0, 2)
            among_MNN[kept] = 0.0
            off_NC = sums_MNGC[kept, :, group] - count * mean_MNC[kept] - (among_MNN @ effect_MNC).sum(0)
            shift_GMNC[group, kept] = -off_NC / (rows - count)
    return shift_GMNC


def _answers(encoded: Encoded, crossed: Mapping[str, np.ndarray], rows: int) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yield ``I`` rows at a time: the position of the first, and the logits (I, N, C) by task of the cells (N, N) of each field."""
    most = 1
    start = 0
    while start < rows:
        mixed = {name: of_NN[start : start + most].ravel() for name, of_NN in crossed.items()}
        count = len(next(iter(mixed.values()))) // rows
        answer = encoded.answer(encoded.blocks_of(mixed))
        logits = {task: one.astype(np.float64).reshape(count, rows, -1) for task, one in answer.logits.items()}
        yield start, logits
        start += count
        most = max(1, min(_CROSSED, _AT_ONCE // (rows * sum(one.shape[2] for one in logits.values()))))
