"""Cells that recur: a text that occurs in several rows, such as the title of a book with several editions.

A row whose cell occurred in training rows has the mean target of these rows, as a category would, however rare the cell is. Cells are
known by a hash of their n-grams.

Shapes: ``U`` distinct cells, ``N`` rows, ``L`` n-grams of a cell, ``M`` known cells, ``C`` targets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_LEAST_SHARE = 0.01
"""The minimum share of the rows whose cell other rows have too, for means to be kept."""
_PRIOR_ROWS = 1.0
"""The number of rows with the mean of all rows that are added to the rows of a cell."""


class Repeats(nn.Module):
    """The mean of each target over the training rows that have the same text; NaN = there is no such row.

    :param hashes_M: the hashes of the known texts, in ascending order (int64)
    :param means_MC: the means of the rows of each of them
    :param buckets: the number of buckets of the n-grams
    :raises ValueError: the tensors do not fit together
    """

    hashes_M: Tensor
    means_MC: Tensor
    codes_D: Tensor

    def __init__(self, hashes_M: Tensor, means_MC: Tensor, buckets: int) -> None:
        super().__init__()
        if hashes_M.dim() != 1 or hashes_M.dtype != torch.int64 or not len(hashes_M) or not bool((hashes_M[1:] > hashes_M[:-1]).all()):
            raise ValueError("hashes of recurring texts that are not ascending whole numbers")
        if means_MC.dim() != 2 or len(means_MC) != len(hashes_M):
            raise ValueError(f"means of recurring texts of shape {tuple(means_MC.shape)}; expected {len(hashes_M):,} rows")
        if means_MC.dtype != torch.float32 or bool(means_MC.isinf().any()):
            raise ValueError("means of recurring texts that are infinite or not of type float32")
        self.register_buffer("hashes_M", hashes_M)
        self.register_buffer("means_MC", means_MC)
        self.register_buffer("codes_D", torch.from_numpy(_codes(buckets)), persistent=False)
        self.width = means_MC.shape[1]

    @classmethod
    def fit(
        cls, texts: Sequence[np.ndarray], index_N: np.ndarray, target_NC: np.ndarray, known_NC: np.ndarray, fold_N: np.ndarray, buckets: int
    ) -> tuple[Repeats, np.ndarray] | None:
        """Return the means of recurring texts, and those of the training rows (N, C) out of fold; None if few rows share a text.

        :param texts: the numbers of the n-grams of each distinct cell (U), 0 = none
        :param index_N: the position of each row's cell; -1 = missing
        :param target_NC: the targets, centred
        :param known_NC: whether each row has each target
        :param fold_N: the fold of each row
        """
        code_D = _codes(buckets)
        hash_U = np.array([code_D[ids].sum() for ids in texts], np.int64)
        there_N = index_N >= 0
        hashes_M, at_N = np.unique(hash_U[index_N[there_N]], return_inverse=True)
        at_N = at_N.reshape(-1)
        if (np.bincount(at_N)[at_N] > 1).sum() < _LEAST_SHARE * len(index_N):
            return None
        target_NC, known_NC, fold_N = target_NC[there_N], known_NC[there_N], fold_N[there_N]
        numbers_NC = np.full((len(index_N), target_NC.shape[1]), np.nan, np.float32)
        inside_NC = np.empty(target_NC.shape, np.float32)
        for fold in range(int(fold_N.max()) + 1):
            inside_N = fold_N == fold
            inside_NC[inside_N] = _means(at_N[~inside_N], target_NC[~inside_N], known_NC[~inside_N], len(hashes_M))[at_N[inside_N]]
        numbers_NC[there_N] = inside_NC
        return cls(torch.from_numpy(hashes_M), torch.from_numpy(_means(at_N, target_NC, known_NC, len(hashes_M))), buckets), numbers_NC

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], buckets: int) -> Repeats | None:
        """Return the means with these buffers, None if there are none.

        :raises ValueError: they are not the buffers of means
        """
        if not tensors:
            return None
        if set(tensors) != {"hashes_M", "means_MC"}:
            raise ValueError(f"means of recurring texts with the buffers {', '.join(sorted(tensors))}")
        return cls(tensors["hashes_M"], tensors["means_MC"], buckets)

    def forward(self, ids_UL: Tensor) -> Tensor:
        """Return the means of each cell (U, C); NaN = unknown.

        :param ids_UL: the numbers of the n-grams of each cell, 0 = none
        """
        hash_U = self.codes_D[ids_UL.long()].sum(1)
        at_U = torch.searchsorted(self.hashes_M, hash_U).clamp(max=len(self.hashes_M) - 1)
        return torch.where((self.hashes_M[at_U] == hash_U).unsqueeze(1), self.means_MC[at_U], torch.nan)


def _codes(buckets: int) -> Any:
    """Return a number of 64 bits for each bucket (int64), 0 for none, whose sum is the hash of a text (SplitMix64: Steele et al. 2014)."""
    code_D = np.arange(buckets + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    code_D = (code_D ^ (code_D >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    code_D = (code_D ^ (code_D >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (code_D ^ (code_D >> np.uint64(31))).view(np.int64)


def _means(at_N: np.ndarray, target_NC: np.ndarray, known_NC: np.ndarray, size: int) -> np.ndarray:
    """Return the mean of each target by text (M, C), which shrinks towards the mean of all rows; NaN if no row of the text has the target.

    :param at_N: the number of each row's text
    :param size: M
    """
    count_MC = np.stack([np.bincount(at_N, known_N, minlength=size) for known_N in known_NC.T], 1)
    sums_MC = np.stack([np.bincount(at_N, target_N, minlength=size) for target_N in np.where(known_NC, target_NC, 0.0).T], 1)
    return np.where(count_MC > 0, sums_MC / (count_MC + _PRIOR_ROWS), np.nan).astype(np.float32)
