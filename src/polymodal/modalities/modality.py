"""The interface of all modalities: one kind of cell, from a row of a table to tensors.

The data flow is: row -> ``read`` -> sample -> ``collate`` -> batch. ``fit`` runs once, on training rows only, and returns facts as plain
JSON data; all other methods are pure functions of the content of a cell and these facts.
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
    """The settings that fields of all kinds have."""

    on_error: OnError | None = None
    """What happens when a cell of this field cannot be read: error stops, skip leaves out the row, blank treats the field as missing in
    that row; null = data.on_error."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the columns that the field reads, in order."""
        raise NotImplementedError

    def is_guess(self, column: str) -> bool:
        """Return whether the expected content of a column was inferred from its cells instead of being set in the configuration."""
        return False

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class that reads the cells of this field."""
        raise NotImplementedError


class OneColumn(FieldConfig):
    """A field that reads a single column."""

    column: str
    """Name of the column of the table that the field reads."""

    @model_validator(mode="before")
    @classmethod
    def _one_of_a_list(cls, data: Any) -> Any:
        """Accept ``columns`` with a single name in place of ``column``: a field whose kind was changed may still have it."""
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
        """The name of the column, in a tuple of one."""
        return (self.column,)


def percent(share: float) -> str:
    """Return a share from 0 to 1 in whole per cent; only a share of 1 is "100%", and only a share of 0 is "0%"."""
    return f"{share:.0%}" if share in (0, 1) else f"{min(max(round(100 * share), 1), 99)}%"


@dataclass(frozen=True)
class Recognition:
    """The result of ``Modality.recognise`` for the cells of one column."""

    confidence: float
    """The confidence that the cells are of the modality's kind, 0 to 1."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The settings of a field that suit the cells."""
    why: str = ""
    """The reason, as a phrase for reports."""


class PartFault(Fault):
    """A part of a cell cannot be read: some of the columns of a field, or some of the pictures of a set.

    :param columns: the reason for each column with an unreadable part, by column name
    :param rest: the sample of the other parts; None = the other parts are missing
    """

    def __init__(self, columns: Mapping[str, str], rest: Sample | None) -> None:
        super().__init__("; ".join(f"{column}: {message}" for column, message in columns.items()))
        self.columns = dict(columns)
        self.rest = rest


@dataclass(frozen=True)
class Parts:
    """The parts of one cell that can be removed, to measure how much each contributes to a prediction."""

    names: Sequence[str]
    """The name of each part."""
    without: Sequence[Sample | None]
    """For each part the sample without it; None = nothing remains, and the field is missing."""
    between: Sequence[str] = ()
    """Of a text: the characters before, between and after the names, one item more than there are names."""
    grid: tuple[int, int] | None = None
    """Of a picture: the rows and columns of the grid whose places are the parts, row by row."""
    pixels: np.ndarray | None = None
    """Of a picture: the pixels that the model receives, uint8 (H, W, C)."""


class Drift(ABC):
    """Counts how the rows of a table to predict differ from the training rows."""

    @abstractmethod
    def see(self, cells: Sequence[Cell], samples: Sequence[Sample], place: np.ndarray) -> None:
        """Add some rows to the counts.

        :param cells: the cell of each row
        :param samples: the distinct samples of these cells
        :param place: the position in ``samples`` for each row; -1 = the row has no sample
        """

    @abstractmethod
    def lines(self) -> list[str]:
        """Return one line for each difference that a user should check; an empty list if there is none."""


class Modality(ABC):
    """The base class of modalities. An instance holds its config, its fitted state and the roots of its files, and nothing else."""

    kind: ClassVar[str]
    """The name of the modality in configurations."""
    forms: ClassVar[tuple[Form, ...]]
    """The input formats that the modality can make for an encoder; the first one is the usual one."""
    fit_cells: ClassVar[int] = 50_000
    """The largest number of cells that ``fit`` receives, spread evenly over the training rows: as many as stable facts need."""
    of_files: ClassVar[bool] = False
    """Whether the cells name files. The name of a file or a folder may contain the target."""
    may_be_id: ClassVar[bool] = False
    """Whether a column of increasing numbers, or of a different code in each row, is taken for an id although it could be read."""

    near_duplicates: ClassVar[Literal["", "pixels", "words"]] = ""
    """How near duplicates among the cells are found: by the ``pixels`` of a cell that is one picture, by the ``words`` of a cell that is
    text (rows that share a long text also stay in one part of a split), or "" = not at all."""
    sent_as: ClassVar[Literal["content", "numbers", "text", "columns"]]
    """How a client sends a cell: as the content of a file, as a list of numbers, as text, or as the value of a column of some type."""
    media: ClassVar[str] = ""
    """The media type of the files that cells contain, such as "image/*", where browsers can show them; "" = another one, or no files."""
    several: ClassVar[bool] = False
    """Whether a cell may contain several files."""
    reads_strings: ClassVar[bool] = False
    """Whether this modality reads columns of many different short strings, besides the one that reads them as categories."""
    joins_columns: ClassVar[bool] = False
    """Whether all columns of this kind are read together as one field, whose config has ``columns`` and ``types``."""
    pads_with_zeros: ClassVar[bool] = False
    """Whether every value of ``collate`` is padded with zeros to the geometry along axis 1, so that ``narrowed`` can remove padding."""
    column_types: ClassVar[tuple[str, ...]] = ()
    """The types of a single column of such a field. A column may be given one of them in place of the kind."""

    def __init__(self, config: Any, state: State, roots: Roots) -> None:
        self.config = config
        self.state = state
        self.roots = roots

    # -- before training -----------------------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Return the confidence that ``cells``, the cells of one column without missing ones, are of this modality."""

    @classmethod
    @abstractmethod
    def fit(cls, config: Any, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """Learn facts from training cells.

        :param config: the config of the field
        :param cells: at most ``fit_cells`` cells, none of them empty, spread evenly over the training rows
        :param form: the input format of the encoder
        :param needs: facts that the encoder prescribes, by name; they are not learned
        :param roots: the folders of the files that cells name
        :returns: the state of the field, plain JSON data
        :raises ConfigError: if the modality cannot make the form
        """

    @classmethod
    def check_form(cls, form: Form) -> None:
        """Raise ``ConfigError`` if an encoder requests a form that this modality cannot make."""
        if form not in cls.forms:
            raise ConfigError(f"an encoder of {form!r} cannot read a field of kind {cls.kind!r}; it makes {', '.join(cls.forms)}")

    @abstractmethod
    def check(self) -> None:
        """Raise ``ValueError`` for a state that ``fit`` cannot have returned: a bundle may come from an untrusted source."""

    # -- one cell --------------------------------------------------------------------------------------------------

    def is_missing(self, cell: Cell) -> bool:
        """Return whether the cell is empty. An empty cell is missing, which is not a fault."""
        return is_empty(cell)

    @abstractmethod
    def read(self, cell: Cell) -> Sample:
        """Return the sample of a cell: its arrays by name. The result depends on the content and the state alone, so it can be cached.

        :raises Fault: if the cell cannot be read
        """

    @property
    def augments(self) -> bool:
        """Whether ``augment`` changes samples."""
        return type(self).augment is not Modality.augment

    def augment(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return a random variation of a training sample; by default the sample itself."""
        return sample

    @abstractmethod
    def blank(self) -> Sample:
        """Return a valid sample of the smallest size, for rows and positions of a block without content."""

    def geometry(self, sample: Sample) -> Geometry:
        """Return the padded shape of a sample, which depends on the sample alone; () where all samples have the same shape."""
        return ()

    def parts(self, cell: Cell, sample: Sample) -> Parts | None:
        """Return the parts that can be removed from a cell that was read as ``sample``; None if only the whole cell can be removed."""
        return None

    def drift(self) -> Drift | None:
        """Return a counter of the differences between cells to predict and training cells; None where there is nothing to compare."""
        return None

    # -- corruptions -----------------------------------------------------------------------------------------------

    def corruptions(self) -> Mapping[str, Corruption]:
        """Return the corruptions of such cells by name. Each changes a result of ``parsed``; by default there are none."""
        return {}

    def parsed(self, cell: Cell) -> Any:
        """Return the decoded content of a cell, before it becomes a sample; by default the cell. Corruptions change this content.

        :raises Fault: if the cell cannot be read
        """
        return cell

    def sample_of(self, content: Any) -> Sample:
        """Return the sample of a decoded content, corrupted or not: ``read(cell)`` is ``sample_of(parsed(cell))``."""
        return self.read(content)

    def corrupt(self, content: Any, name: str, severity: int, seed: int = 0, field: str = "") -> Sample | None:
        """Return the sample of a decoded content after a corruption; None if nothing remains, in which case the field is missing.

        :param content: a result of ``parsed``
        :param name: the corruption, one of ``corruptions``
        :param severity: 1 to 5; 0 = not corrupted
        :param seed: the random numbers depend on the seed, the field, the corruption and the content
        :param field: the name of the field
        :raises Fault: if the content cannot be read
        """
        if not severity:
            return self.sample_of(content)
        corrupted = self.corruptions()[name](content, severity, generator(seed, field, name, content))
        return None if corrupted is None else self.sample_of(corrupted)

    # -- many cells --------------------------------------------------------------------------------------------------

    def collate(self, samples: Sequence[Sample], geometry: Geometry) -> dict[str, Tensor]:
        """Return the values of samples by name, as tensors whose first axis is the samples, padded to ``geometry`` where shapes differ."""
        return {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}

    def narrowed(self, values: Mapping[str, Tensor], geometry: Geometry) -> Mapping[str, Tensor]:
        """Return the result of ``collate`` for a geometry, given that for a larger one of samples that fit into both."""
        return {name: value[:, : geometry[0]] for name, value in values.items()} if geometry else values

    def recipe(self) -> dict[str, Any]:
        """Return how a cell becomes a sample as plain JSON data, by which exported models read cells.

        ``operation`` names the function of ``exporting/operations.py`` that reads a cell that is not missing; it takes the other facts.
        ``padded`` are the names of the values that ``collate`` pads along axis 1, with ``pad`` (0, or None = NaN), to the smallest of
        ``lengths``, doubled until it suffices, at most the largest.

        :raises ConfigError: only polymodal can read such cells
        """
        raise ConfigError(f"found a field of kind {self.kind!r}, whose cells only polymodal reads; expected a model without it")

    def cost(self) -> float:
        """Return the approximate number of multiply-adds to encode one cell. It decides which cells are encoded once for several rows."""
        return 1.0

    def cost_of_training(self) -> float:
        """Return the approximate number of multiply-adds to train on one cell: that of the encoder's backbone if it is trained as well."""
        return float(self.state["backbone"]["cost"]) if "backbone" in self.state else self.cost()

    def show(self, cell: Cell) -> str:
        """Return the cell as one line of text for reports."""
        if isinstance(cell, np.ndarray) and cell.ndim > 1:
            return f"<array of {' x '.join(map(str, cell.shape))}>"
        text = " ".join(str(cell).split())
        return text if len(text) <= 80 else text[:77] + "..."

    def preview(self, cell: Cell) -> np.ndarray | None:
        """Return the cell as a small picture, uint8 (H, W, 1 or more); None if reports show the text of ``show`` instead.

        :raises Fault: if the cell cannot be read
        """
        return None

    def is_private(self, cells: Sequence[Cell]) -> bool:
        """Return whether some of these cells, such as pictures of patients, should not appear in reports."""
        return False

    def describe(self) -> str:
        """Return a summary of the fitted facts in one line."""
        return ""


def padded(samples: Sequence[Sample], name: str, length: int) -> np.ndarray:
    """Return the value ``name`` of all samples as one array (U, length), truncated or padded with zeros on the right."""
    rows = np.zeros((len(samples), length), dtype=samples[0][name].dtype)
    for row, sample in zip(rows, samples, strict=True):
        part = sample[name][:length]
        row[: len(part)] = part
    return rows
