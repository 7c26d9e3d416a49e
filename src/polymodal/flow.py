"""The nouns of the straight line: row -> sample -> batch -> features -> fused -> output -> prediction.

Shape legend, used as a suffix on tensors everywhere: ``B`` rows of a batch, ``U`` distinct cells of a batch,
``L`` tokens, ``D`` model width, ``C`` outputs of a task, ``N`` rows of a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

Cell = Any
"""What one field takes from one row: a value, or a tuple of values for a field over several columns."""


@dataclass(frozen=True)
class Unreadable:
    """A cell that stands for an object in memory that nothing reads; ``found`` says what it was."""

    found: str

    def __str__(self) -> str:
        return self.found


Row = Mapping[str, Any]
"""One row of a table: column name -> value."""
Sample = Mapping[str, np.ndarray]
"""What a modality reads from one cell: named arrays of ONE example."""
State = dict[str, Any]
"""Facts fitted on training rows, as plain JSON data."""
Geometry = tuple[int, ...]
"""The padded shape of a sample: a function of the sample alone."""

Form = str
"""The name of what an encoder eats: pixels, ngrams, tokens, columns, ... A modality says which ``forms`` it makes, an encoder's config
which ``form`` it eats; a name is theirs alone. ``features`` is what a frozen backbone said of a cell, ``tensor`` whatever a hand-built
model is called with."""

Names = str | Sequence[str]
"""Names of columns, or one of them: ``listed``."""
Folders = str | Path | Sequence[str | Path]
"""Folders, or one of them: ``listed``."""

FUSED = ""
"""The voter that speaks for the fused representation, among votes named by field (a field's name is not empty)."""


def listed(given: str | Path | Iterable[str | Path]) -> list[str]:
    """Several names or paths as a list of texts. A single one is one of them, and not a sequence of characters."""
    return [str(given)] if isinstance(given, (str, Path)) else [str(one) for one in given]


@dataclass(frozen=True)
class Field:
    """One modality of a batch.

    ``values`` are named tensors whose first axis is U, the distinct cells of the batch; ``index_B`` says which of them
    each row holds (``None``: row b holds cell b, and U = B). ``present_B`` is False where a row lacks the field; what
    its values hold there is never used.
    """

    values: Mapping[str, Tensor]
    present_B: Tensor
    index_B: Tensor | None = None

    def to(self, device: torch.device) -> Field:
        """The same field on another device."""
        index = None if self.index_B is None else self.index_B.to(device)
        return Field({name: value.to(device) for name, value in self.values.items()}, self.present_B.to(device), index)

    def hide(self, hidden_B: Tensor) -> Field:
        """The same field, absent from the rows where ``hidden_B`` (B,) is True."""
        return replace(self, present_B=self.present_B & ~hidden_B)


@dataclass(frozen=True)
class Batch:
    """Rows on their way through the model: fields by name, targets by task (B, width of the target; NaN = no target)."""

    fields: Mapping[str, Field]
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    weights_B: Tensor | None = None
    rows: Sequence[int] = ()

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(
            {name: value.to(device) for name, value in self.fields.items()},
            {name: value.to(device) for name, value in self.targets.items()},
            None if self.weights_B is None else self.weights_B.to(device),
            self.rows,
        )


@dataclass(frozen=True)
class Features:
    """What every encoder and every fusion returns: ``tokens_BLD`` and ``mask_BL`` (True = a real token), L >= 1."""

    tokens_BLD: Tensor
    mask_BL: Tensor

    @classmethod
    def vector(cls, vector_BD: Tensor, present_B: Tensor | None = None) -> Features:
        """One token a row, from a vector a row."""
        if present_B is None:
            present_B = torch.ones(vector_BD.shape[0], dtype=torch.bool, device=vector_BD.device)
        return cls(vector_BD.unsqueeze(1), present_B.unsqueeze(1))

    def spread(self, field: Field) -> Features:
        """From distinct cells (U) to rows (B), masked where the row lacks the field."""
        tokens, mask = self.tokens_BLD, self.mask_BL
        if field.index_B is not None:
            tokens, mask = tokens[field.index_B], mask[field.index_B]
        return Features(tokens, mask & field.present_B.unsqueeze(1))


@dataclass(frozen=True)
class Output:
    """What a model with named heads answers.

    ``logits`` by task (B, C): the answer. ``votes`` by task, then by voter (``FUSED`` or a field's name): the logits
    (B, C) that the answer was combined from, empty when the model has no votes. ``present`` by field (B,).
    ``fused_BD`` is the shared representation h.
    """

    logits: Mapping[str, Tensor]
    fused_BD: Tensor
    present: Mapping[str, Tensor]
    votes: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)


@dataclass(frozen=True)
class Prediction:
    """The answers for some rows of a table.

    ``rows`` are row numbers, the first data row being 1. ``values`` by task: decoded answers (N,), ``None`` for a row
    that was skipped. ``scores`` by task: probabilities (N, C), or (N, 1) in the target's unit for regression; NaN where
    skipped. ``present`` and ``faults`` hold, for each row, the fields that it had and what could not be read. ``sets`` by task, where a
    coverage was given: lists of classes (N,), or the ends of intervals (N, 2); an empty list, or NaN, where skipped.
    """

    rows: np.ndarray
    values: Mapping[str, np.ndarray]
    scores: Mapping[str, np.ndarray]
    present: Sequence[Sequence[str]]
    faults: Sequence[str]
    embedding: np.ndarray | None = None
    sets: Mapping[str, np.ndarray] = field(default_factory=dict)
