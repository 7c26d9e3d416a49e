"""Vectors: lists of numbers of one length whose places each have a meaning of their own, such as embeddings and bags of counts.

A cell is a list or an array of numbers, or the same as JSON text. Each place is standardised by its own mean and spread over the training
rows; a missing number is NaN, and stays a fact of its own. Unlike in a series, neighbouring places have nothing to do with each other.

Shapes: ``N`` cells, ``K`` places.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from ..cells import is_empty
from ..errors import Fault
from ..flow import Cell, Form, Sample, State
from .arrays import list_of_numbers
from .files import Roots
from .modality import Modality, OneColumn, Parts, Recognition, evenly
from .objects import FixedList, called, is_empty_list, plain
from .signal_corruption import Corruption, of_vectors

_LONGEST = 65_536
"""Places of a vector, at most."""
_LONGEST_UNTOLD = 4_096
"""Places of what is taken for a vector without being told, at most."""
_SHORT = 8
"""Shorter lists of one length are vectors whatever they hold: they are too short to be series."""
_SAME_LENGTH = 0.95
"""Share of the cells that have the commonest length, at least."""
_CORRELATED = 0.2
"""A mean lag-1 autocorrelation beyond this makes a series."""
_MOST_PARTS = 64
_COMPARED = 256  # cells whose neighbouring places are compared
_HUGE = 1e150


class VectorConfig(OneColumn):
    """A column of vectors."""

    kind: Literal["vector"] = "vector"

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class of this modality, ``Vector``."""
        return Vector


class Vector(Modality):
    """Read vectors from cells, files and arrays."""

    kind = "vector"
    forms = ("vector",)
    fit_cells = 10_000

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Lists of numbers of one length: where the column's type declares it, where they are short, where neighbours do not correlate."""
        vectors = [vector for cell in cells if (vector := _numbers(cell)) is not None]
        if not vectors or len(vectors) < 0.9 * len(cells):
            return Recognition(0.0)
        length, count = Counter(map(len, vectors)).most_common(1)[0]
        if count < _SAME_LENGTH * len(vectors) or length > _LONGEST:
            return Recognition(0.0)
        what = f"lists of {length:,} numbers"
        if all(isinstance(cell, FixedList) for cell in cells):
            return Recognition(0.97, {}, f"{what}, a length that the column's type declares")
        if length < _SHORT:
            return Recognition(0.93, {}, f"{what} each")
        if length > _LONGEST_UNTOLD:
            return Recognition(0.0)
        same = [vector for vector in vectors if len(vector) == length]
        correlation = _neighbours(np.stack([same[at] for at in evenly(len(same), _COMPARED)]))
        if abs(correlation) > _CORRELATED:
            return Recognition(0.0)
        why = f"{what} whose neighbours do not go together (lag-1 autocorrelation {correlation:.2f}): vectors (--column NAME=series)"
        return Recognition(0.93, {}, why)

    @classmethod
    def fit(cls, config: VectorConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """State: ``length``, ``mean`` and ``std`` of each place."""
        cls.check_form(form)
        found: dict[int, _Moments] = {}
        for cell in cells:
            try:
                vector_K = _vector(cell)
            except Fault:
                continue
            found.setdefault(len(vector_K), _Moments(vector_K)).add(vector_K)
        if not found:
            return {"form": form, "length": 1, "mean": [0.0], "std": [1.0]}
        length = max(found, key=lambda size: (found[size].cells, -size))
        mean_K, std_K = found[length].facts()
        return {"form": form, "length": length, "mean": mean_K.tolist(), "std": std_K.tolist()}

    def check(self) -> None:
        """A length within bounds, and a finite mean and spread for each place."""
        self.check_form(self.state["form"])
        length, mean, std = (self.state[name] for name in ("length", "mean", "std"))
        if type(length) is not int or not 1 <= length <= _LONGEST:
            raise ValueError(f"vectors of {length} numbers")
        right = len(mean) == len(std) == length and all(type(fact) in (int, float) and math.isfinite(fact) for fact in (*mean, *std))
        if not right or min(std) <= 0:
            raise ValueError("means and spreads that are none of these places")

    def is_missing(self, cell: Cell) -> bool:
        """An empty cell, or a list of nothing."""
        return is_empty(cell) or is_empty_list(cell)

    def read(self, cell: Cell) -> Sample:
        """``values`` float32 (K,), standardised, at most 20 spreads from the mean; NaN = missing."""
        return self.sample_of(self.held(cell))

    def held(self, cell: Cell) -> np.ndarray:
        """The numbers, float64 (K,)."""
        return _vector(cell)

    def sample_of(self, held: np.ndarray) -> Sample:
        """Standardised place by place."""
        if len(held) != self.state["length"]:
            raise Fault(f"a vector of {len(held):,} numbers; expected {self.state['length']:,}, as in training")
        centred_K = (held.clip(-_HUGE, _HUGE) - np.array(self.state["mean"])) / np.array(self.state["std"])
        return {"values": centred_K.clip(-20, 20).astype(np.float32)}

    def blank(self) -> Sample:
        """Return a vector in which every number is missing."""
        return {"values": np.full(self.state["length"], np.nan, np.float32)}

    def parts(self, cell: Cell, sample: Sample) -> Parts:
        """Its places; of more than 64, as many runs of neighbours. Places that are missing already are left out."""
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
        """Of the numbers as they stand in the cell."""
        return of_vectors(self.state["mean"], self.state["std"])

    def cost(self) -> float:
        """Grows with the length."""
        return 128.0 * self.state["length"]

    def describe(self) -> str:
        """Return the length of the vectors, in words."""
        return f"vectors of {self.state['length']:,} numbers"


class _Moments:
    """The mean and the spread of each place, added up cell by cell; NaN is left out. Sums are of differences from the first cell, which
    keeps them exact where the mean is far from 0."""

    def __init__(self, first_K: np.ndarray) -> None:
        self.cells = 0
        self.shift_K = np.nan_to_num(first_K, nan=0.0).clip(-_HUGE, _HUGE)
        self.count_K, self.sum_K, self.square_K = (np.zeros(len(first_K)) for _ in range(3))

    def add(self, vector_K: np.ndarray) -> None:
        """Add the vector of one cell."""
        known_K = ~np.isnan(vector_K)
        away_K = np.where(known_K, vector_K.clip(-_HUGE, _HUGE) - self.shift_K, 0.0)
        self.cells += 1
        self.count_K += known_K
        self.sum_K += away_K
        self.square_K += away_K**2

    def facts(self) -> tuple[np.ndarray, np.ndarray]:
        """The means, and the spreads; 1 where a place never varies."""
        count_K = np.maximum(self.count_K, 1)
        away_K = self.sum_K / count_K
        std_K = np.sqrt(np.maximum(self.square_K / count_K - away_K**2, 0.0))
        mean_K = np.where(self.count_K > 0, self.shift_K + away_K, 0.0)
        return mean_K, np.where(std_K > 1e-9 * np.maximum(abs(mean_K), abs(away_K)), std_K, 1.0)


def _numbers(cell: Cell) -> np.ndarray | None:
    """A list, an array or JSON text as float64 (K,); None for what is none."""
    array = list_of_numbers(cell, truths=True)
    return array if array is not None and array.ndim == 1 else None


def _vector(cell: Cell) -> np.ndarray:
    """A cell as float64 (K,), NaN = missing; ``Fault`` for what is no vector."""
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
    """The lag-1 autocorrelation inside the vectors, on average, once each place is standardised over them; 0 for independent places."""
    values_NK = np.where(np.isfinite(vectors_NK), vectors_NK, np.nan).clip(-_HUGE, _HUGE)
    count, length = values_NK.shape
    if count > 1:
        known_NK = ~np.isnan(values_NK)
        held_K = np.maximum(known_NK.sum(0), 1)
        away_NK = np.where(known_NK, values_NK - np.where(known_NK, values_NK, 0.0).sum(0) / held_K, 0.0)
        spread_K = np.sqrt((away_NK**2).sum(0) / held_K)
        values_NK = away_NK / np.where(spread_K > 0, spread_K, 1.0)
    else:
        values_NK = np.nan_to_num(values_NK)
    values_NK = values_NK - values_NK.mean(1, keepdims=True)
    power_N = (values_NK**2).sum(1)
    together_N = (values_NK[:, 1:] * values_NK[:, :-1]).sum(1)
    held_N = power_N > 0
    if not held_N.any():
        return 0.0
    # Values that are centred on their own mean correlate by -1 / K where they are independent.
    return float((together_N[held_N] / power_N[held_N]).mean()) + 1 / length
