"""Vectors: lists of numbers of one length, such as embeddings and bags of counts. Each position has its own meaning.

A cell is a list or an array of numbers, or the same as JSON text. Each position is standardised by its mean and standard deviation over the
training rows. A missing number is NaN; it is not filled in. Unlike in a series, neighbouring positions are not related.

Shapes: ``N`` cells, ``K`` positions.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ..cells import is_empty
from ..errors import Fault, counted
from ..flow import Cell, Form, Sample, State
from ..language import Sentence
from .arrays import HUGE, list_of_numbers, standardised
from .files import Roots
from .modality import Modality, OneColumn, Parts, Recognition
from .objects import FixedList, called, is_empty_list, plain
from .sequences import evenly
from .signal_corruption import Corruption, of_vectors

_LONGEST = 65_536
"""The maximum length of a vector."""
_LONGEST_RECOGNISED = 4_096
"""The maximum length of lists that are recognised as vectors. Longer ones are read only if the kind is given."""
_SHORT = 8
"""Shorter lists of one length are recognised as vectors whatever they contain: they are too short to be series."""
_SAME_LENGTH = 0.95
"""The minimum share of the cells that have the most common length."""
_CORRELATED = 0.2
"""Lists whose mean lag-1 autocorrelation is larger than this, in absolute value, are series."""
_MOST_PARTS = 64
_COMPARED = 256  # the maximum number of cells from which the autocorrelation is computed


class VectorConfig(OneColumn):
    """A column of vectors."""

    kind: Literal["vector"] = "vector"

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class of this modality, ``Vector``."""
        return Vector


class Vector(Modality):
    """Read vectors from lists, arrays and JSON text."""

    kind = "vector"
    sent_as = "numbers"
    forms = ("vector",)
    fit_cells = 10_000

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Recognise lists of numbers of one length: if the column's type declares the length, if they are short, or if neighbouring numbers
        do not correlate."""
        vectors = [vector for cell in cells if (vector := _numbers(cell)) is not None]
        if not vectors or len(vectors) < 0.9 * len(cells):
            return Recognition(0.0)
        length, count = Counter(map(len, vectors)).most_common(1)[0]
        if count < _SAME_LENGTH * len(vectors) or length > _LONGEST:
            return Recognition(0.0)
        if all(isinstance(cell, FixedList) for cell in cells):
            return Recognition(0.97, {}, Sentence("why.declared_vectors", length=length))
        if length < _SHORT:
            return Recognition(0.93, {}, Sentence("why.vectors", length=length))
        if length > _LONGEST_RECOGNISED:
            return Recognition(0.0)
        same = [vector for vector in vectors if len(vector) == length]
        correlation = _neighbours(np.stack([same[at] for at in evenly(len(same), _COMPARED)]))
        if abs(correlation) > _CORRELATED:
            return Recognition(0.0)
        why = Sentence("why.uncorrelated_vectors", length=length, correlation=correlation)
        return Recognition(0.93, {}, why)

    @classmethod
    def fit(cls, config: VectorConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """Learn the state: ``length``, and ``mean`` and ``std`` of each position."""
        cls.check_form(form)
        moments: dict[int, _Moments] = {}
        for cell in cells:
            try:
                vector_K = _vector(cell)
            except Fault:
                continue
            moments.setdefault(len(vector_K), _Moments(vector_K)).add(vector_K)
        if not moments:
            return {"form": form, "length": 1, "mean": [0.0], "std": [1.0]}
        length = max(moments, key=lambda size: (moments[size].cells, -size))
        mean_K, std_K = moments[length].facts()
        return {"form": form, "length": length, "mean": mean_K.tolist(), "std": std_K.tolist()}

    def check(self) -> None:
        """Check that the length is within bounds, and that each position has a finite mean and a positive standard deviation."""
        self.check_form(self.state["form"])
        length, mean, std = (self.state[name] for name in ("length", "mean", "std"))
        if type(length) is not int or not 1 <= length <= _LONGEST:
            raise ValueError(f"vectors of {length} numbers")
        right = len(mean) == len(std) == length and all(type(fact) in (int, float) and math.isfinite(fact) for fact in (*mean, *std))
        if not right or min(std) <= 0:
            raise ValueError("means and standard deviations that do not fit the positions")

    def is_missing(self, cell: Cell) -> bool:
        """Whether the cell is empty, or an empty list."""
        return is_empty(cell) or is_empty_list(cell)

    def read(self, cell: Cell) -> Sample:
        """Return ``values`` float32 (K,), standardised and clipped to -20 to 20; NaN = missing."""
        return self.sample_of(self.parsed(cell))

    def parsed(self, cell: Cell) -> np.ndarray:
        """Return the numbers of the cell, float64 (K,); NaN = missing."""
        return _vector(cell)

    def sample_of(self, vector_K: np.ndarray) -> Sample:
        """Standardise each position of a vector (K,)."""
        if len(vector_K) != self.state["length"]:
            raise Fault(f"a vector of {counted(len(vector_K), 'number')}; expected {self.state['length']:,}, as in training")
        return standardised(vector_K.clip(-HUGE, HUGE), self.state)

    def blank(self) -> Sample:
        """Return a vector in which every number is missing."""
        return {"values": np.full(self.state["length"], np.nan, np.float32)}

    def parts(self, cell: Cell, sample: Sample) -> Parts:
        """Return the positions of the vector as parts; for more than 64 positions, 64 runs of neighbouring ones. Missing ones are left
        out."""
        names: list[str] = []
        without: list[Sample | None] = []
        for run in np.array_split(np.arange(len(sample["values"])), min(len(sample["values"]), _MOST_PARTS)):
            first, last = int(run[0]), int(run[-1])
            if np.isnan(sample["values"][run]).all():
                continue
            rest_K = sample["values"].copy()
            rest_K[run] = np.nan
            names.append(f"place {first + 1}" if first == last else f"places {first + 1} to {last + 1}")
            without.append(None if np.isnan(rest_K).all() else {"values": rest_K})
        return Parts(names, without)

    def corruptions(self) -> Mapping[str, Corruption]:
        """Return the corruptions of the numbers as they are in the cell, before they are standardised."""
        return of_vectors(self.state["mean"], self.state["std"])

    def recipe(self) -> dict[str, Any]:
        """Return the operation "vector"."""
        return {"operation": "vector", "padded": [], "mean": self.state["mean"], "std": self.state["std"]}

    def cost(self) -> float:
        """Return the approximate cost, which grows with the length."""
        return 128.0 * int(self.state["length"])

    def describe(self) -> str:
        """Return the length of the vectors, in words."""
        return Sentence("describe.vector", length=self.state["length"])


class _Moments:
    """The mean and the standard deviation of each position, accumulated cell by cell; NaN is left out. The differences from the first cell
    are summed, which is more exact if the mean is far from 0."""

    def __init__(self, first_K: np.ndarray) -> None:
        self.cells = 0
        self.shift_K = np.nan_to_num(first_K, nan=0.0).clip(-HUGE, HUGE)
        self.count_K, self.sum_K, self.square_K = (np.zeros(len(first_K)) for _ in range(3))

    def add(self, vector_K: np.ndarray) -> None:
        """Add the vector of one cell."""
        known_K = ~np.isnan(vector_K)
        away_K = np.where(known_K, vector_K.clip(-HUGE, HUGE) - self.shift_K, 0.0)
        self.cells += 1
        self.count_K += known_K
        self.sum_K += away_K
        self.square_K += away_K**2

    def facts(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and the standard deviation of each position; the latter is 1 for a constant position."""
        count_K = np.maximum(self.count_K, 1)
        away_K = self.sum_K / count_K
        std_K = np.sqrt(np.maximum(self.square_K / count_K - away_K**2, 0.0))
        mean_K = np.where(self.count_K > 0, self.shift_K + away_K, 0.0)
        return mean_K, np.where(std_K > 1e-9 * np.maximum(abs(mean_K), abs(away_K)), std_K, 1.0)


def _numbers(cell: Cell) -> np.ndarray | None:
    """Return a list, an array or JSON text as float64 (K,); None for other cells."""
    array = list_of_numbers(cell, truths=True)
    return array if array is not None and array.ndim == 1 else None


def _vector(cell: Cell) -> np.ndarray:
    """Return a cell as float64 (K,), NaN = missing.

    :raises Fault: the cell is not a vector
    """
    vector_K = _numbers(plain(cell))
    if vector_K is None:
        raise Fault(f"found {called(cell)}; expected a list of numbers")
    if len(vector_K) > _LONGEST:
        raise Fault(f"a vector of {len(vector_K):,} numbers; expected at most {_LONGEST:,}")
    if np.isinf(vector_K).any():
        raise Fault(f"a vector with an infinite number (place {int(np.argmax(np.isinf(vector_K))) + 1:,}); expected finite numbers")
    if np.isnan(vector_K).all():
        raise Fault("a vector of which every number is missing")
    return vector_K


def _neighbours(vectors_NK: np.ndarray) -> float:
    """Return the mean lag-1 autocorrelation of the vectors after each position is standardised; 0 for independent positions."""
    values_NK = np.where(np.isfinite(vectors_NK), vectors_NK, np.nan).clip(-HUGE, HUGE)
    count, length = values_NK.shape
    if count > 1:
        known_NK = ~np.isnan(values_NK)
        count_K = np.maximum(known_NK.sum(0), 1)
        away_NK = np.where(known_NK, values_NK - np.where(known_NK, values_NK, 0.0).sum(0) / count_K, 0.0)
        std_K = np.sqrt((away_NK**2).sum(0) / count_K)
        values_NK = away_NK / np.where(std_K > 0, std_K, 1.0)
    else:
        values_NK = np.nan_to_num(values_NK)
    values_NK = values_NK - values_NK.mean(1, keepdims=True)
    power_N = (values_NK**2).sum(1)
    together_N = (values_NK[:, 1:] * values_NK[:, :-1]).sum(1)
    varies_N = power_N > 0
    if not varies_N.any():
        return 0.0
    # The expected autocorrelation of K independent values is -1 / K after their mean is subtracted.
    return float((together_N[varies_N] / power_N[varies_N]).mean()) + 1 / int(length)
