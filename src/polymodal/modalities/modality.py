"""What all modalities answer: one kind of cell, from a row of a table to tensors.

Its place on the line: row -> ``read`` -> sample -> ``collate`` -> batch. ``fit`` stands beside the line, on training rows
only, and returns plain facts; everything else is a pure function of a cell's content and those facts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import model_validator
from torch import Tensor

from ..cells import is_empty
from ..config import Config
from ..errors import ConfigError, Fault
from ..flow import Cell, Form, Geometry, Sample, State
from ..request import OnError
from .files import Roots
from .signal_corruption import Corruption, generator


class FieldConfig(Config):
    """What every field says, whatever its kind."""

    on_error: OnError | None = None
    """What an unreadable cell of this field does: error, skip (the row) or blank (the field); null = data.on_error."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns that the field reads, in order."""
        raise NotImplementedError

    def is_guess(self, column: str) -> bool:
        """Whether what is expected of a column's cells was found by looking at them, and not asked for."""
        return False

    @classmethod
    def modality(cls) -> type[Modality]:
        """The class that reads this field's cells."""
        raise NotImplementedError


class OneColumn(FieldConfig):
    """A field that reads a single column."""

    column: str
    """The column of the table that holds the cells."""

    @model_validator(mode="before")
    @classmethod
    def _one_of_a_list(cls, data: Any) -> Any:
        """A field that was of a kind with ``columns`` may hold a list of one."""
        if (
            isinstance(data, Mapping)
            and "column" not in data
            and isinstance(data.get("columns"), (list, tuple))
            and len(data["columns"]) == 1
        ):
            return {**{key: value for key, value in data.items() if key != "columns"}, "column": data["columns"][0]}
        return data

    @property
    def sources(self) -> tuple[str, ...]:
        """The column of the field, in a list."""
        return (self.column,)


@dataclass(frozen=True)
class Recognition:
    """How sure a modality is (0 to 1) that some cells are its kind, the settings that suit them, and why."""

    confidence: float
    options: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""


class PartFault(Fault):
    """Some columns of a cell over several cannot be read; ``rest`` is the sample without them."""

    def __init__(self, columns: Mapping[str, str], rest: Sample | None) -> None:
        super().__init__("; ".join(f"{column}: {message}" for column, message in columns.items()))
        self.columns = dict(columns)
        self.rest = rest


@dataclass(frozen=True)
class Parts:
    """What can be taken away from one cell, to see what an answer owes it: ``names`` says what each part is, ``without`` holds the sample
    that is left without it (None = nothing is left: the field is missing).

    Text: ``between`` is what stands before, between and after the names, one more than they are. Pictures: the parts are the places of
    ``grid`` (rows, columns), row by row, and ``pixels`` uint8 (H, W, C) is what the model is shown.
    """

    names: Sequence[str]
    without: Sequence[Sample | None]
    between: Sequence[str] = ()
    grid: tuple[int, int] | None = None
    pixels: np.ndarray | None = None


class Drift(ABC):
    """Counts, as rows go by, how they differ from what training saw."""

    @abstractmethod
    def see(self, cells: Sequence[Cell], samples: Sequence[Sample], place: np.ndarray) -> None:
        """Some rows: their cells, the distinct samples, and which of them each row holds (-1 = none)."""

    @abstractmethod
    def lines(self) -> list[str]:
        """What should make a person look twice, a line each."""


class Modality(ABC):
    """All that one kind of cell knows. Built from its config and its fitted state; holds nothing else."""

    kind: ClassVar[str]
    forms: ClassVar[tuple[Form, ...]]
    """What it can make for an encoder; the first is the usual one."""
    fit_cells: ClassVar[int] = 50_000
    """Cells that ``fit`` is given, at most: a sample spread evenly over the training rows. As many as its facts need to be steady."""
    of_files: ClassVar[bool] = False
    """Whether its cells name files: what a name or folder says may give the answer away."""
    may_be_id: ClassVar[bool] = False
    """Whether a column of numbers that rise, or of another code in every row, which it would read, is rather an id."""

    near_duplicates: ClassVar[Literal["", "pixels", "words"]] = ""
    """How near duplicates among its cells are found: by the ``pixels`` of a cell that is one picture, by the ``words`` of a cell that is
    text (rows that share a long text also stay on one side of a split), or "" = not at all."""
    joins_columns: ClassVar[bool] = False
    """Whether all columns of this kind are read together as one field, whose config has ``columns`` and ``types``."""
    column_types: ClassVar[tuple[str, ...]] = ()
    """The types of a single column of such a field; a column may be given one of them in place of the kind."""

    def __init__(self, config: Any, state: State, roots: Roots) -> None:
        self.config = config
        self.state = state
        self.roots = roots

    # -- before training -----------------------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """How well ``cells`` (none of them missing, of one column) suit this modality."""

    @classmethod
    @abstractmethod
    def fit(cls, config: Any, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """Learn from training cells the facts that ``needs`` does not give; ``ConfigError`` for a form it cannot make.

        ``cells`` are at most ``fit_cells``, none of them empty, spread evenly over the training rows.
        """

    @classmethod
    def check_form(cls, form: Form) -> None:
        """Raise ``ConfigError`` when an encoder asks for a form that this modality cannot make."""
        if form not in cls.forms:
            raise ConfigError(f"an encoder of {form!r} cannot read a field of kind {cls.kind!r}; it makes {', '.join(cls.forms)}")

    @abstractmethod
    def check(self) -> None:
        """``ValueError`` for a state that ``fit`` cannot have made: a bundle may come from anyone."""

    # -- one cell --------------------------------------------------------------------------------------------------

    def is_missing(self, cell: Cell) -> bool:
        """Whether the cell is empty: missing, and no fault."""
        return is_empty(cell)

    @abstractmethod
    def read(self, cell: Cell) -> Sample:
        """One example's arrays; ``Fault`` when the cell cannot be read. Pure in content and state, so cacheable."""

    def augment(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """A variation of a training sample; the default is none."""
        return sample

    @abstractmethod
    def blank(self) -> Sample:
        """A smallest valid sample, for the rows and block places that hold nothing."""

    def geometry(self, sample: Sample) -> Geometry:
        """The padded shape of a sample, a function of it alone; () where every sample has the same shape."""
        return ()

    def parts(self, cell: Cell, sample: Sample) -> Parts | None:
        """What can be taken away from a cell that was read as ``sample``; None where it stands or falls as a whole."""
        return None

    def drift(self) -> Drift | None:
        """Watches whether cells to predict are like those of training; None where there is nothing to compare."""
        return None

    # -- a cell that is worse than it was --------------------------------------------------------------------------

    def corruptions(self) -> Mapping[str, Corruption]:
        """What may go wrong with a cell in use, by name, as changes of what is ``held``; the default is nothing."""
        return {}

    def held(self, cell: Cell) -> Any:
        """What a corruption changes: what is decoded of the cell, before it becomes a sample; the default is the cell. ``Fault`` as of
        ``read``."""
        return cell

    def sample_of(self, held: Any) -> Sample:
        """The sample of what is held, changed or not: ``read(cell)`` is ``sample_of(held(cell))``."""
        return self.read(held)

    def corrupt(self, held: Any, name: str, severity: int, seed: int = 0, field: str = "") -> Sample | None:
        """The sample of what is held, once one of ``corruptions`` has made it worse, at severity 1 to 5 (0 = as it is); None where nothing
        is left: the field is missing then. What is drawn depends on seed, field, corruption and what is held. ``Fault`` as of ``read``."""
        if not severity:
            return self.sample_of(held)
        worse = self.corruptions()[name](held, severity, generator(seed, field, name, held))
        return None if worse is None else self.sample_of(worse)

    # -- many cells --------------------------------------------------------------------------------------------------

    def collate(self, samples: Sequence[Sample], geometry: Geometry) -> dict[str, Tensor]:
        """Samples as tensors whose first axis is theirs, padded to ``geometry`` where shapes differ."""
        return {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}

    def cost(self) -> float:
        """About how many multiply-adds encoding one cell takes: what is worth sharing between rows."""
        return 1.0

    def cost_of_training(self) -> float:
        """About how many it takes to train on one, by the backbone that the encoder was asked to train on, if it was."""
        return float(self.state["backbone"]["cost"]) if "backbone" in self.state else self.cost()

    def show(self, cell: Cell) -> str:
        """The cell as a person would read it in one line."""
        if isinstance(cell, np.ndarray) and cell.ndim > 1:
            return f"<array of {' x '.join(map(str, cell.shape))}>"
        text = " ".join(str(cell).split())
        return text if len(text) <= 80 else text[:77] + "..."

    def preview(self, cell: Cell) -> np.ndarray | None:
        """The cell as a small picture, uint8 (H, W, 1 or more); None where it is better read. ``Fault`` as of ``read``."""
        return None

    def is_private(self, cells: Sequence[Cell]) -> bool:
        """Whether some of these cells should not be shown around, as a patient's pictures."""
        return False

    def describe(self) -> str:
        """What the fitted facts say, in one line."""
        return ""


def evenly(count: int, most: int) -> list[int]:
    """At most ``most`` of ``count`` places, evenly from the first to the last, each once."""
    if count <= most:
        return list(range(count))
    return sorted({round(at) for at in np.linspace(0, count - 1, most)})


def bucket(length: int, smallest: int, largest: int) -> int:
    """The padded length for ``length``: the next power of two between the bounds."""
    size = smallest
    while size < min(length, largest):
        size *= 2
    return min(size, largest)


def padded(samples: Sequence[Sample], name: str, length: int) -> np.ndarray:
    """One array (U, length) of a ragged value, cut or filled with zeros on the right."""
    rows = np.zeros((len(samples), length), dtype=samples[0][name].dtype)
    for row, sample in zip(rows, samples, strict=True):
        part = sample[name][:length]
        row[: len(part)] = part
    return rows
