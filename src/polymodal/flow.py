"""The data types of the pipeline: row -> sample -> batch -> features -> fused -> output -> prediction.

Shape letters, used as suffixes of tensor names in all modules: ``B`` rows of a batch, ``U`` distinct cells of a batch,
``L`` tokens, ``D`` model width, ``C`` outputs of a task, ``N`` rows of a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

Cell = Any
"""The input of one field in one row: a value, or a tuple of values for a field over several columns."""


@dataclass(frozen=True)
class Unreadable:
    """A cell that replaces an object in memory that no modality can read; ``found`` describes the object."""

    found: str

    def __str__(self) -> str:
        return self.found


Row = Mapping[str, Any]
"""One row of a table: column name -> value."""
Sample = Mapping[str, np.ndarray]
"""The named arrays that a modality reads from one cell, without a batch axis."""
State = dict[str, Any]
"""The facts that a modality or a task learns from the training rows, as plain JSON data."""
Geometry = tuple[int, ...]
"""The padded shape of a sample; it depends on the sample alone."""

Form = str
"""The name of an encoder's input format: pixels, ngrams, tokens, columns, ... A modality declares the ``forms`` that it makes, and an
encoder's config the ``form`` that it reads; only they define the name. ``features`` is the output of a frozen backbone, and ``tensor``
any input of a model that is built by hand."""


def height_and_width(state: State) -> tuple[int, int]:
    """Return the height and the width in pixels at which a field reads pictures: its fact ``size`` is both of them, or a square's side."""
    size = state["size"]
    height, width = (size, size) if isinstance(size, int) else size
    return height, width


FUSED = ""
"""The name of the voter that uses the fused representation. The other voters have the names of fields, which are never empty."""

TREES = "\0trees"
"""The name of the voter of boosted trees; no field has it."""


def network(number: int) -> str:
    """Return the name of the voter of a further network, which no field has.

    :param number: 2 for the first further network
    """
    return f"\0network {number}"


def is_field(voter: str) -> bool:
    """Return whether a voter is a single field."""
    return bool(voter) and not voter.startswith("\0")


def voter_label(voter: str) -> str:
    """Return the name of a voter as it is shown: that of its field, "fused", "trees", or "network 2" and so on."""
    return voter.removeprefix("\0") or "fused"


@dataclass(frozen=True)
class Field:
    """One field of a batch.

    ``values`` are named tensors whose first axis is U, the distinct cells of the batch. ``index_B`` is the position of each row's
    cell (``None``: row b has cell b, and U = B). ``present_B`` is False where a row lacks the field; the values at these positions
    are never used.
    """

    values: Mapping[str, Tensor]
    present_B: Tensor
    index_B: Tensor | None = None

    def to(self, device: torch.device) -> Field:
        """Return the field on another device."""
        index = None if self.index_B is None else self.index_B.to(device)
        return Field({name: value.to(device) for name, value in self.values.items()}, self.present_B.to(device), index)

    def hide(self, hidden_B: Tensor) -> Field:
        """Return the field with the rows where ``hidden_B`` (B,) is True marked as missing."""
        return replace(self, present_B=self.present_B & ~hidden_B)


@dataclass(frozen=True)
class Batch:
    """A batch of rows.

    ``fields`` by name. ``targets`` by task (B, width of the target); NaN = no target. ``weights_B`` are the weights of the rows, or None.
    ``rows`` are the positions of the rows in the table.
    """

    fields: Mapping[str, Field]
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    weights_B: Tensor | None = None
    rows: Sequence[int] = ()

    def to(self, device: torch.device) -> Batch:
        """Return the batch on another device."""
        return Batch(
            {name: value.to(device) for name, value in self.fields.items()},
            {name: value.to(device) for name, value in self.targets.items()},
            None if self.weights_B is None else self.weights_B.to(device),
            self.rows,
        )


@dataclass(frozen=True)
class Features:
    """The output of every encoder and every fusion: ``tokens_BLD`` and ``mask_BL`` (True = a real token), L >= 1.

    ``numbers_BK`` summarises each cell for boosted trees, NaN = missing; None = the field has no such numbers, or the model has no trees.
    ``further`` are the features by the further networks of a model.
    """

    tokens_BLD: Tensor
    mask_BL: Tensor
    numbers_BK: Tensor | None = None
    further: tuple[Features, ...] = ()

    @classmethod
    def vector(cls, vector_BD: Tensor, present_B: Tensor | None = None) -> Features:
        """Return features with one token for each row from vectors (B, D).

        :param present_B: which rows are real tokens (B,); None = all
        """
        if present_B is None:
            present_B = torch.ones(vector_BD.shape[0], dtype=torch.bool, device=vector_BD.device)
        return cls(vector_BD.unsqueeze(1), present_B.unsqueeze(1))

    def spread(self, field: Field) -> Features:
        """Expand features of distinct cells (U) to rows (B). The tokens of rows that lack the field are masked."""
        tokens, mask, numbers = self.tokens_BLD, self.mask_BL, self.numbers_BK
        if field.index_B is not None:
            tokens, mask = tokens[field.index_B], mask[field.index_B]
            numbers = numbers[field.index_B] if numbers is not None else None
        further = tuple(features.spread(field) for features in self.further)
        return Features(tokens, mask & field.present_B.unsqueeze(1), numbers, further)


@dataclass(frozen=True)
class Output:
    """The output of a model with named heads.

    ``logits`` by task (B, C): the output. ``votes`` by task, then by voter (``FUSED``, a field's name, ``TREES`` or
    ``network(...)``): the logits
    (B, C) that the output is combined from; empty if the model has no votes. ``present`` by field (B,): which rows have the field.
    ``fused_BD`` is the shared representation h.
    """

    logits: Mapping[str, Tensor]
    fused_BD: Tensor
    present: Mapping[str, Tensor]
    votes: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)


@dataclass(frozen=True)
class Prediction:
    """The predictions for some rows of a table.

    ``rows`` are row numbers; the first data row is 1. ``values`` by task: decoded predictions (N,); ``None`` for a skipped row.
    ``scores`` by task: probabilities (N, C), or (N, 1) in the target's unit for regression; NaN for a skipped row. ``present`` is the list
    of fields that each row has. ``faults`` is a text for each row that describes the cells that cannot be read; it may be empty.
    ``embedding`` is the shared representation, or None if it was not requested. ``sets`` by task, if a coverage was given: lists of
    classes (N,), or the ends of intervals (N, 2); an empty list or NaN for a skipped row.
    """

    rows: np.ndarray
    values: Mapping[str, np.ndarray]
    scores: Mapping[str, np.ndarray]
    present: Sequence[Sequence[str]]
    faults: Sequence[str]
    embedding: np.ndarray | None = None
    sets: Mapping[str, np.ndarray] = field(default_factory=dict)
