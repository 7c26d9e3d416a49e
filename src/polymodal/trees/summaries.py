"""Summaries of cells: a row of numbers for each cell of a field, from which trees learn.

There is one kind of summary for each form of samples. A summary may use the targets: a linear prediction from the n-grams of a text, or the
mean target of a category. On training rows such numbers are computed out of fold: each row by a fit to the rows of the other folds, because
trees would otherwise trust numbers that contain the row's own target (stacked generalisation, Wolpert 1992).

Shapes: ``U`` distinct cells, ``N`` rows, ``K`` numbers of a summary, ``C`` targets, ``R`` components.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..flow import Field, Form, Sample, State
from ..weights import below, halved
from .linear import components, ridge
from .repeats import Repeats

_WIDEST = 1_024
_COMPONENTS = 48
_PENALTIES = (0.5, 2.0, 8.0)
_TRIED_ON = 10_000
_PRIOR_ROWS = 8.0
_NUMBERS = {"number": 1, "date": 6}
"""The count of numbers in a sample of a column, by its type; a category has none."""


@dataclass(frozen=True)
class Cells:
    """The cells of one field in the training rows.

    :param state: the fitted state of the field
    :param samples: the distinct samples (U)
    :param index_N: the position of each row's sample; -1 = the row lacks the field
    :param target_NC: what the trees learn, centred
    :param fold_N: the fold of each row; rows that the split keeps together share one
    :param row_fold_N: the fold of each row by itself, by which the mean targets of recurring cells are computed: copies may be in different
        folds; None = there are no such means
    :param known_NC: whether each row has each target; those that it lacks are 0 in ``target_NC``; None = every row has all
    """

    state: State
    samples: Sequence[Sample]
    index_N: np.ndarray
    target_NC: np.ndarray
    fold_N: np.ndarray
    row_fold_N: np.ndarray | None = None
    known_NC: np.ndarray | None = None

    @property
    def has_target_NC(self) -> np.ndarray:
        """Whether each row has each target."""
        return np.ones(self.target_NC.shape, bool) if self.known_NC is None else self.known_NC

    @property
    def folds(self) -> int:
        """The number of folds that ``fold_N`` divides the rows into."""
        return int(self.fold_N.max()) + 1


class Summary(nn.Module):
    """A fitted summary of the cells of one field. Its buffers are part of a model's weights."""

    width: int

    @classmethod
    def expected(cls, state: State) -> int:
        """Return the approximate number of numbers of a field, before the summary is fitted."""
        return _COMPONENTS + 3

    @classmethod
    def compact(cls, sample: Sample) -> Sample:
        """Return what ``fit`` needs of a sample, so that the samples of all training rows are in memory at a time."""
        return sample

    @classmethod
    @abstractmethod
    def fit(cls, cells: Cells, rng: np.random.Generator) -> tuple[Summary, np.ndarray]:
        """Return a summary, and the numbers of the training rows (N, K) out of fold; NaN = missing."""

    @classmethod
    @abstractmethod
    def restore(cls, state: State, tensors: Mapping[str, Tensor]) -> Summary:
        """Return the summary with these buffers.

        :raises ValueError: the buffers are not those of a summary of this field
        """

    @abstractmethod
    def forward(self, field: Field) -> Tensor:
        """Return the numbers of distinct cells (U, K), float32, NaN = missing."""

    @property
    def columns(self) -> list[list[int]]:
        """The positions of the numbers of each column of the field, which are missing together; one list if it has no columns."""
        return [list(range(self.width))]

    @property
    def optional(self) -> int:
        """The number of last numbers that a cell may lack though it is there."""
        return 0


class OfColumns(Summary):
    """Numbers and dates as they are; for a category, the mean of each target over the training rows that have it, and its frequency."""

    table: Tensor
    offsets: Tensor

    def __init__(self, state: State, table: Tensor) -> None:
        super().__init__()
        sizes = _sizes(state)
        self._numbers = [_NUMBERS[column["type"]] for column in state["columns"] if column["type"] in _NUMBERS]
        if table.dim() != 2 or len(table) != sum(sizes):
            raise ValueError(f"a table of categories of shape {tuple(table.shape)}; expected {sum(sizes)} rows")
        self.register_buffer("table", table)
        self.register_buffer("offsets", torch.tensor([0, *sizes]).cumsum(0)[:-1], persistent=False)
        self.width = sum(self._numbers) + len(sizes) * table.shape[1]

    @property
    def columns(self) -> list[list[int]]:
        """The positions of the numbers of each column."""
        counts = [*self._numbers, *[self.table.shape[1]] * len(self.offsets)]
        ends = np.cumsum(counts).tolist()
        return [list(range(end - count, end)) for count, end in zip(counts, ends, strict=True)]

    @classmethod
    def expected(cls, state: State) -> int:
        """Return the number of numbers if there is one target."""
        return sum(_NUMBERS.get(column["type"], 2) for column in state["columns"])

    @classmethod
    def fit(cls, cells: Cells, rng: np.random.Generator) -> tuple[Summary, np.ndarray]:
        """Fit the mean targets of categories, which shrink towards the mean of all rows as if ``_PRIOR_ROWS`` more rows had it."""
        sizes, there_N = _sizes(cells.state), cells.index_N >= 0
        numbers_UK = np.stack([sample["numbers"] for sample in cells.samples])
        codes_UM = np.stack([sample["categories"] for sample in cells.samples]).astype(np.int64)
        codes_UM = codes_UM + np.cumsum([0, *sizes])[:-1]
        made = cls(cells.state, torch.from_numpy(_means(codes_UM, cells, there_N, sizes)))
        numbers_NK = np.full((len(there_N), made.width), np.nan, np.float32)
        places_N = cells.index_N.clip(0)
        numbers_NK[:, : numbers_UK.shape[1]] = np.where(there_N[:, None], numbers_UK[places_N], np.nan)
        for fold in range(cells.folds if sizes else 0):
            inside_N = (cells.fold_N == fold) & there_N
            table = _means(codes_UM, cells, there_N & (cells.fold_N != fold), sizes)
            numbers_NK[inside_N, numbers_UK.shape[1] :] = table[codes_UM[places_N[inside_N]]].reshape(int(inside_N.sum()), -1)
        return made, numbers_NK

    @classmethod
    def restore(cls, state: State, tensors: Mapping[str, Tensor]) -> Summary:
        """Return the summary with this table of categories."""
        return cls(state, _only(tensors, "table"))

    def forward(self, field: Field) -> Tensor:
        """Return the numbers (U, K)."""
        codes_UM = field.values["categories"].long() + self.offsets
        return torch.cat([field.values["numbers"], self.table[codes_UM].flatten(1)], 1)


class OfNgrams(Summary):
    """Components of the n-grams of a text, a linear prediction of each target from all of them, the number of different n-grams, and the
    mean targets of texts that recur."""

    matrix: Tensor

    def __init__(self, state: State, matrix: Tensor, repeats: Repeats | None = None) -> None:
        super().__init__()
        if matrix.dim() != 2 or len(matrix) != state["buckets"] + 1:
            raise ValueError(f"weights of n-grams of shape {tuple(matrix.shape)}; expected {state['buckets'] + 1:,} rows")
        self.register_buffer("matrix", matrix)
        self.repeats = repeats
        self.width = matrix.shape[1] + 1 + (0 if repeats is None else repeats.width)

    @classmethod
    def fit(cls, cells: Cells, rng: np.random.Generator) -> tuple[Summary, np.ndarray]:
        """Fit the components and the linear predictions; the penalty of the latter is chosen out of fold."""
        from scipy.sparse import csr_matrix

        ends = np.cumsum([0, *(len(sample["ids"]) for sample in cells.samples)])
        ids = np.concatenate([sample["ids"] for sample in cells.samples]).astype(np.int64)
        weights = np.concatenate([sample["weights"] for sample in cells.samples])
        rows_UD = csr_matrix((weights, ids, ends), (len(cells.samples), cells.state["buckets"] + 1))
        count_U = np.diff(csr_matrix((ids > 0, ids, ends), rows_UD.shape).indptr).astype(np.float32)
        matrix_DR, numbers_NK = _linear_features(rows_UD, cells, rng, halve=True)
        parts = [numbers_NK, np.where(cells.index_N >= 0, count_U[cells.index_N], np.nan)[:, None]]
        repeats = None
        if cells.row_fold_N is not None:
            texts, targets = [sample["ids"] for sample in cells.samples], (cells.target_NC, cells.has_target_NC)
            fitted = Repeats.fit(texts, cells.index_N, *targets, cells.row_fold_N, cells.state["buckets"])
            if fitted is not None:
                repeats, means_NC = fitted
                parts.append(means_NC)
        return cls(cells.state, torch.from_numpy(matrix_DR), repeats), np.concatenate(parts, 1)

    @property
    def optional(self) -> int:
        """The number of mean targets, which a new text lacks."""
        return 0 if self.repeats is None else self.repeats.width

    @classmethod
    def restore(cls, state: State, tensors: Mapping[str, Tensor]) -> Summary:
        """Return the summary with these weights of n-grams, and the mean targets of texts that recur."""
        repeats = Repeats.restore(below(tensors, "repeats."), state["buckets"])
        own = {name: value for name, value in tensors.items() if not name.startswith("repeats.")}
        return cls(state, _only(own, "matrix"), repeats)

    def forward(self, field: Field) -> Tensor:
        """Return the numbers (U, K)."""
        ids = field.values["ids"]
        numbers = functional.embedding_bag(ids, self.matrix, per_sample_weights=field.values["weights"], mode="sum", padding_idx=0)
        parts = [numbers, (ids > 0).sum(1, keepdim=True).to(numbers.dtype)]
        return torch.cat(parts if self.repeats is None else [*parts, self.repeats(ids)], 1)


class OfVectors(Summary):
    """The numbers of a vector as they are."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.width = self.expected(state)

    @classmethod
    def expected(cls, state: State) -> int:
        """Return the number of numbers."""
        return min(int(state["length"]), _WIDEST)

    @classmethod
    def fit(cls, cells: Cells, rng: np.random.Generator) -> tuple[Summary, np.ndarray]:
        """Take the first numbers of each vector, at most ``_WIDEST``."""
        made = cls(cells.state)
        values_UK = np.stack([sample["values"] for sample in cells.samples])[:, : made.width]
        return made, np.where((cells.index_N >= 0)[:, None], values_UK[cells.index_N], np.nan).astype(np.float32)

    @classmethod
    def restore(cls, state: State, tensors: Mapping[str, Tensor]) -> Summary:
        """Return the summary, which has no buffers."""
        if tensors:
            raise ValueError("a summary of vectors with buffers")
        return cls(state)

    def forward(self, field: Field) -> Tensor:
        """Return the numbers (U, K)."""
        return field.values["values"][:, : self.width]


class OfFeatures(Summary):
    """Components of the mean features of a frozen backbone, and a linear prediction of each target from them."""

    mean: Tensor
    matrix: Tensor

    def __init__(self, mean: Tensor, matrix: Tensor) -> None:
        super().__init__()
        if mean.dim() != 1 or matrix.dim() != 2 or len(matrix) != len(mean):
            raise ValueError(f"weights of features of shapes {tuple(mean.shape)} and {tuple(matrix.shape)}")
        self.register_buffer("mean", mean)
        self.register_buffer("matrix", matrix)
        self.width = matrix.shape[1]

    @classmethod
    def compact(cls, sample: Sample) -> Sample:
        """Return the mean of the features over their tokens."""
        return {"features": sample["features"].mean(0, keepdims=True)}

    @classmethod
    def fit(cls, cells: Cells, rng: np.random.Generator) -> tuple[Summary, np.ndarray]:
        """Fit the components and the linear predictions of the features, which are centred and divided by their mean length."""
        rows_UD = np.stack([sample["features"][0] for sample in cells.samples]).astype(np.float32)
        mean_D = rows_UD.mean(0)
        rows_UD = rows_UD - mean_D
        length = float(np.sqrt((rows_UD**2).sum(1).mean())) or 1.0
        matrix_DR, numbers_NK = _linear_features(rows_UD / length, cells, rng)
        return cls(torch.from_numpy(mean_D), torch.from_numpy(matrix_DR / length)), numbers_NK

    @classmethod
    def restore(cls, state: State, tensors: Mapping[str, Tensor]) -> Summary:
        """Return the summary with these weights of features."""
        if set(tensors) != {"mean", "matrix"}:
            raise ValueError("a summary of features without its buffers")
        return cls(tensors["mean"], tensors["matrix"])

    def forward(self, field: Field) -> Tensor:
        """Return the numbers (U, K)."""
        real = field.values["real"].unsqueeze(-1).to(self.mean.dtype)
        mean_UD = (field.values["features"] * real).sum(1) / real.sum(1).clamp(min=1)
        return (mean_UD - self.mean) @ self.matrix


SUMMARIES: Mapping[Form, type[Summary]] = {"columns": OfColumns, "ngrams": OfNgrams, "vector": OfVectors, "features": OfFeatures}
"""The kind of summary of each form; cells of other forms have none."""


def _sizes(state: State) -> list[int]:
    """Return the number of codes of each category column: its values, and those of a missing and of another value."""
    return [len(column["values"]) + 2 for column in state["columns"] if column["type"] == "category"]


def _means(codes_UM: np.ndarray, cells: Cells, rows_N: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Return for each code of each category column (sum of sizes, C + 1) the mean of each target over some rows, and its frequency.

    A missing category has no mean (NaN).
    """
    target_NC, known_NC = cells.target_NC[rows_N], cells.has_target_NC[rows_N]
    codes_NM = codes_UM[cells.index_N[rows_N]]
    table = np.zeros((sum(sizes), target_NC.shape[1] + 1), np.float32)
    start = 0
    for at, size in enumerate(sizes):
        codes_N = codes_NM[:, at] - start
        count = np.bincount(codes_N, minlength=size).astype(np.float64)
        for target in range(target_NC.shape[1]):
            sums = np.bincount(codes_N, target_NC[:, target], minlength=size)
            with_target = np.bincount(codes_N, known_NC[:, target], minlength=size)
            table[start : start + size, target] = sums / (with_target + _PRIOR_ROWS)
        table[start : start + size, -1] = count / max(len(codes_N), 1)
        table[start, :] = np.nan
        start += size
    return table


def _linear_features(rows_UD: Any, cells: Cells, rng: np.random.Generator, halve: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (D, R + C) whose products with a row are its components and linear predictions, and these numbers of the training rows
    (N, R + C), the predictions out of fold.

    :param halve: whether weights are rounded to half precision, in which bundles then store them
    """
    there_N = np.flatnonzero(cells.index_N >= 0)
    rows_ND = rows_UD[cells.index_N[there_N]]
    right_DR = components(rows_ND, _COMPONENTS, rng)
    if halve:
        right_DR = halved(torch.from_numpy(right_DR)).numpy()
    target_NC, fold_N = cells.target_NC[there_N], cells.fold_N[there_N]
    some = np.arange(0, len(there_N), max(1, -(-len(there_N) // _TRIED_ON)))
    errors = []
    for penalty in _PENALTIES:
        predicted = _out_of_fold(rows_ND[some], target_NC[some], fold_N[some], cells.folds, penalty)
        errors.append(float(((predicted - target_NC[some]) ** 2).sum()))
    penalty = _PENALTIES[int(np.argmin(errors))]
    weights_DC = ridge(rows_ND, target_NC, penalty)
    numbers_NK = np.full((len(cells.index_N), right_DR.shape[1] + target_NC.shape[1]), np.nan, np.float32)
    numbers_NK[there_N, : right_DR.shape[1]] = rows_ND @ right_DR
    numbers_NK[there_N, right_DR.shape[1] :] = _out_of_fold(rows_ND, target_NC, fold_N, cells.folds, penalty)
    if halve:
        weights_DC = halved(torch.from_numpy(weights_DC)).numpy()
    return np.concatenate([right_DR, weights_DC], 1), numbers_NK


def _out_of_fold(rows_ND: Any, target_NC: np.ndarray, fold_N: np.ndarray, folds: int, penalty: float) -> np.ndarray:
    """Return for each row the linear prediction of its targets (N, C) by the rows of the other folds."""
    predicted_NC = np.zeros(target_NC.shape, np.float32)
    for fold in range(folds):
        inside = np.flatnonzero(fold_N == fold)
        if len(inside):
            others = np.flatnonzero(fold_N != fold)
            predicted_NC[inside] = rows_ND[inside] @ ridge(rows_ND[others], target_NC[others], penalty)
    return predicted_NC


def _only(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    """Return the tensor of this name, a table of numbers.

    :raises ValueError: there is no such tensor, or there are others
    """
    if set(tensors) != {name} or tensors[name].dtype != torch.float32:
        raise ValueError(f"a summary with the buffers {', '.join(sorted(tensors)) or 'nothing'}; expected {name}")
    return tensors[name]
