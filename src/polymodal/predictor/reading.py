"""Read rows of a table into a window for the members, apply the policies for faults, and detect drift from the training rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..data.sources import cells_of
from ..errors import DataError, Fault
from ..flow import Cell, Sample
from ..inference import Window
from ..modalities import Modality, NoFolder, OnError, PartFault, is_empty


@dataclass(frozen=True)
class Chosen:
    """Some rows of a table after reading.

    ``window`` contains their samples, before frozen backbones. ``cells`` and ``modalities`` by field. ``faults`` are pairs of a position
    among the rows and a text. ``skipped`` (N,) is True for rows that were skipped.
    """

    window: Window
    cells: Mapping[str, Sequence[Cell]]
    modalities: Mapping[str, Modality]
    faults: Sequence[tuple[int, str]]
    skipped: np.ndarray


class RowFault(NamedTuple):
    """A cell that cannot be read: its ``row`` (0-based, in the table), the reason, and whether the row is skipped because of it."""

    row: int
    text: str
    is_skipped: bool


@dataclass(frozen=True)
class Policy:
    """The policy of a field for cells that cannot be read.

    ``on_error`` is the action. ``needs_folder`` is whether it is an error if most cells are paths and there is no folder to find them in.
    """

    on_error: OnError
    needs_folder: bool


class Lookout:
    """Collects differences between a table and the training rows: drift by field, and cells that cannot be read by column."""

    def __init__(self, modalities: Mapping[str, Modality]) -> None:
        self.drifts = {name: modality.drift() for name, modality in modalities.items()}
        self.held: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.first: dict[str, tuple[int, str]] = {}

    def see(self, name: str, sources: Sequence[str], cells: Sequence[Cell], samples: Sequence[Sample], place: np.ndarray) -> None:
        """Add the rows of one field in one window.

        :param sources: the columns of the field
        :param cells: the cells of the rows (N,)
        :param samples: the distinct samples
        :param place: the position of each row's sample (N,); -1 = none
        """
        drift = self.drifts[name]
        if drift is not None and len(samples):
            drift.see(cells, samples, place)
        for at, column in enumerate(sources):
            self.held[column] += sum(not is_empty(cell[at] if len(sources) > 1 else cell) for cell in cells)

    def fault(self, row: int, sources: Sequence[str], fault: Fault) -> None:
        """Add a cell that cannot be read. ``row`` 1 is the first data row."""
        texts = fault.columns if isinstance(fault, PartFault) else dict.fromkeys(sources[:1], str(fault))
        for column, text in texts.items():
            self.faults[column] += 1
            self.first.setdefault(column, (row, text))

    def lines(self, share: float) -> list[str]:
        """Return the warnings about the table.

        :param share: the largest share of a column's cells, between 0 and 1, that may be unreadable without a warning
        """
        lines = []
        for column, count in self.faults.items():
            row, text = self.first[column]
            if count > share * self.held[column]:
                lines.append(f"column {column!r}: {count:,} of {self.held[column]:,} cells cannot be read (first in row {row}: {text})")
        return [*lines, *(line for drift in self.drifts.values() if drift is not None for line in drift.lines())]


def read_window(
    part: Mapping[str, list[Cell]],
    rows_N: np.ndarray,
    modalities: Mapping[str, Modality],
    policies: Mapping[str, Policy],
    table: str,
    lookout: Lookout,
) -> tuple[Window, list[RowFault]]:
    """Read rows of a table into a window.

    :param part: the cells of the rows by column
    :param rows_N: the positions of the rows in the table, 0-based
    :param table: the name of the table, for messages
    :param lookout: the collector to which cells and faults are added
    :returns: the window and the cells that cannot be read
    :raises DataError: a cell cannot be read and the policy is ``error``, or most cells of a field are paths and there is no folder
    """
    samples: dict[str, list[Sample]] = {}
    index: dict[str, np.ndarray] = {}
    faults: list[RowFault] = []
    rows = len(rows_N)
    skipped = np.zeros(rows, bool)
    for name, modality in modalities.items():
        sources = modality.config.sources
        kept: list[Sample] = []
        place = np.full(rows, -1, np.int64)
        known: dict[Any, tuple[int, Fault | None]] = {}
        cells = list(cells_of(dict(part), sources))
        held = homeless = 0
        for at, cell in enumerate(cells):
            if modality.is_missing(cell):
                continue
            held += 1
            key = cell if isinstance(cell, (str, bytes)) else None
            if key is None or key not in known:
                sample, fault = _read(modality, cell)
                if sample is not None:
                    kept.append(sample)
                found = (len(kept) - 1 if sample is not None else -1, fault)
                if key is not None:
                    known[key] = found
            else:
                found = known[key]
            place[at], fault = found
            if fault is not None:
                column, row = sources[0] if len(sources) == 1 else name, int(rows_N[at])
                homeless += isinstance(fault, NoFolder)
                if policies[name].on_error == "error":
                    raise DataError(
                        f"{table} row {row + 1}, column {column!r}: {fault}; use on_error=blank (--on-error blank) to answer without it"
                    )
                is_skipped = policies[name].on_error == "skip"
                faults.append(RowFault(row, f"{column}: {fault}", is_skipped))
                skipped[at] |= is_skipped
                lookout.fault(row + 1, sources, fault)
        if homeless * 2 > held and policies[name].needs_folder and policies[name].on_error == "blank":
            raise DataError(
                f"{table}, field {name!r}, column {sources[0]!r}: {homeless:,} of {held:,} cells are paths, and this table has no folder; "
                f"expected root=... (--root), the folder that its files are in; or answer without them: on_error='blank'"
            )
        lookout.see(name, sources, cells, kept, place)
        samples[name], index[name] = kept, place
    if skipped.any():
        index = {name: np.where(skipped, -1, place) for name, place in index.items()}
    return Window(rows_N, samples, index), faults


def _read(modality: Modality, cell: Cell) -> tuple[Sample | None, Fault | None]:
    try:
        return modality.read(cell), None
    except PartFault as fault:
        return fault.rest, fault
    except Fault as fault:
        return None, fault
