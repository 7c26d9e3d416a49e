"""Read the cells of a field: each cell becomes a sample, a sample of some of its columns, or faults.

Training, prediction, ``check``, the search for leaks and the robustness measurement use the functions of this module, so that all of them
state the same fault of a cell: the same row, the same column and the same message.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from enum import IntEnum
from typing import Generic, NamedTuple, ParamSpec, TypeVar

from ...errors import Fault
from ...flow import Cell, Sample
from ...modalities import Modality, PartFault
from ..sources import Slice, Source

P = ParamSpec("P")
Kept = TypeVar("Kept")


class CellState(IntEnum):
    """The state of a field's cell in one row."""

    MISSING = 0
    """The cell is empty, or its row is not used: there is no sample and no fault."""
    UNREADABLE = 1
    """Nothing of the cell can be read: there is no sample."""
    PARTIAL = 2
    """Some columns or parts of the cell cannot be read; the sample contains the others."""
    READABLE = 3
    """The whole cell can be read."""


class CellFault(NamedTuple):
    """A cell that cannot be read.

    ``row`` 1 is the first data row. ``column`` is the column of the cell, or the names of all columns of the field, joined by ``" + "``, if
    the fault does not belong to one of them. ``message`` states what was found and what was expected. ``field`` is the field that reads the
    column; None = the column is a target.
    """

    row: int
    column: str
    message: str
    field: str | None = None

    @property
    def text(self) -> str:
        """The column and the message."""
        return f"{self.column}: {self.message}"


OnFault = Callable[[CellFault], None]
"""A function that is called with each cell that cannot be read."""


def joined(columns: Sequence[str]) -> str:
    """Return the name under which a fault of all columns of a field is recorded."""
    return " + ".join(columns)


def columns_of_faults(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the names under which faults of a field are recorded: each of its columns, and the name of all columns together."""
    return tuple(dict.fromkeys((*columns, joined(columns))))


def is_inferred_column(column: str, sources: Sequence[str], inferred: Collection[str]) -> bool:
    """Return whether the content of a column was inferred from its cells.

    :param column: a column of a field, or the name under which faults of all its columns are recorded
    :param sources: the columns of the field
    :param inferred: the columns whose content was inferred
    """
    return column in inferred or (column == joined(sources) and all(one in inferred for one in sources))


def messages_of(fault: Fault, columns: Sequence[str]) -> dict[str, str]:
    """Return the message of a fault for each column that it concerns.

    :param columns: the columns of the field
    """
    return dict(fault.columns) if isinstance(fault, PartFault) else {joined(columns): str(fault)}


def faults_of(fault: Fault, row: int, columns: Sequence[str], field: str) -> list[CellFault]:
    """Return a fault as one ``CellFault`` for each column that it concerns.

    :param row: the row of the cell; 1 is the first data row
    :param columns: the columns of the field
    """
    return [CellFault(row, column, message, field) for column, message in messages_of(fault, columns).items()]


def sample_or_fault(read: Callable[P, Sample | None], *args: P.args, **kwargs: P.kwargs) -> tuple[Sample | None, Fault | None]:
    """Call a function that reads a cell, and return its sample and its fault.

    :returns: a sample and None; None and a fault if nothing could be read; or both if a part could be read
    """
    try:
        return read(*args, **kwargs), None
    except PartFault as fault:
        return fault.rest, fault
    except Fault as fault:
        return None, fault


def read_cell(modality: Modality, cell: Cell) -> tuple[Sample | None, Fault | None]:
    """Read a cell that is not missing. The result is that of ``sample_or_fault``."""
    return sample_or_fault(modality.read, cell)


def are_shared(modality: Modality) -> bool:
    """Return whether equal cells of a modality are read only once. Cells that are as cheap to read as to compare are not."""
    return modality.cost() > 1


def shared_key(cell: Cell) -> str | bytes | None:
    """Return the key of cells that are read only once: equal texts, and equal bytes; None = each such cell is read."""
    return cell if isinstance(cell, (str, bytes)) else None


class CellReader(Generic[Kept]):
    """Reads cells of one field. Equal texts and equal bytes are read only once, unless the modality reads cells cheaply.

    :param modality: the modality of the field
    :param keep: a function that is called with the sample of each cell that is read; its result is returned for every equal cell
    """

    def __init__(self, modality: Modality, keep: Callable[[Sample], Kept]) -> None:
        self.modality, self.keep = modality, keep
        self.reads = 0
        """The number of cells that were read; equal cells count once."""
        self._is_sharing = are_shared(modality)
        self._results: dict[str | bytes, tuple[Kept | None, Fault | None]] = {}

    def read(self, cell: Cell) -> tuple[Kept | None, Fault | None]:
        """Read a cell that is not missing.

        :returns: the result of ``keep``, None if the cell has no sample; and the fault, None if the whole cell can be read
        """
        key = shared_key(cell) if self._is_sharing else None
        if key is not None and key in self._results:
            return self._results[key]
        sample, fault = read_cell(self.modality, cell)
        result = (None if sample is None else self.keep(sample)), fault
        self.reads += 1
        if key is not None:
            self._results[key] = result
        return result


def numbered_slices(source: Source, columns: Sequence[str]) -> Iterator[tuple[int, Slice]]:
    """Yield the rows of a table, some at a time, each time with the position (0-based) of the first of them.

    :param columns: the columns to read; there is nothing to yield without any
    """
    start = 0
    for part in source.slices(columns) if columns else ():
        yield start, part
        start += len(part[columns[0]])
