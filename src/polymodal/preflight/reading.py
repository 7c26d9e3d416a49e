"""Reading the cells of a table to see whether they can be read: all of them where that takes some seconds, else some of every part."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..data.sources import Source, cells_of
from ..data.store import pack
from ..errors import Fault
from ..experiment import Experiment
from ..flow import Cell
from ..modalities import Modality, PartFault
from .estimate import Reading
from .result import Check

_SECONDS = 4.0
"""For the cells of one field."""
_LISTED = 200
_COMES = {"error": "stops the run", "skip": "the row is left out", "blank": "the row goes on without it"}


class Faults:
    """Cells of one table that cannot be read, and what comes of each. Not ``binding``: none of them ends the run."""

    def __init__(self, experiment: Experiment, found: Check, table: str | None = None, binding: bool = True) -> None:
        self.experiment, self.found, self.table, self.binding = experiment, found, table, binding
        self.stopped: set[str] = set()

    def add(self, row: int, column: str, text: str, policy: str, otherwise: str | None = None) -> None:
        """One cell; ``row`` 1 is the first data row; ``otherwise`` says what comes of a fault that does not stop the run."""
        name = column if self.table is None else f"{column} of {self.table}"
        self.found.counts[name] = self.found.counts.get(name, 0) + 1
        if self.found.counts[name] <= _LISTED:
            comes = _COMES[policy] if policy == "error" or otherwise is None else otherwise
            comes = comes if self.binding or policy != "error" else "the table is not measured"
            self.found.faults.append((row, name, f"{text} ({comes})"))
        if policy == "error" and self.binding and column not in self.stopped:
            self.stopped.add(column)
            self.found.stops.append(f"row {row}, column {name!r}: {text}; set data.on_error: blank to go on without it")

    def bound(self, column: str, count: int, held: int, limit: float) -> None:
        """What the faults of a column that was read whole come to: too many end the run."""
        if self.binding and column not in self.stopped and count > limit * max(held, 1):
            name = column if self.table is None else f"{column} of {self.table}"
            fix = "mend them, choose another target, or raise data.max_faults"
            self.found.stops.append(f"column {name!r}: {count:,} of {held:,} cells cannot be read; expected at most {limit:.0%}; {fix}")

    def conclude(self, tally: Tally, rows: int) -> None:
        """What the faults of a field come to: too many end the run."""
        limit = self.experiment.data.max_faults
        if not self.binding:
            return
        for column, count in tally.counts.items():
            if column in self.stopped or count <= limit * max(tally.held, 1):
                continue
            name = column if self.table is None else f"{column} of {self.table}"
            found = f"column {name!r}: {count:,} of {tally.held:,} cells"
            if tally.modality.config.is_guess(column):
                self.found.notes.append(f"{found} cannot be read and count as missing; say what the column is (--column {column}=category)")
                continue
            sure = tally.rows == rows or count > limit * rows
            if sure:
                fix = "mend them, leave the column out (--ignore), or raise data.max_faults"
                self.found.stops.append(f"{found} cannot be read; expected at most {limit:.0%}; {fix}")
            else:
                rest = f"a run stops where that is more than {limit:.0%} of all (data.max_faults)"
                self.found.notes.append(f"{found} looked at cannot be read; {rest}")


@dataclass
class Tally:
    """One field's cells, as they are read."""

    modality: Modality
    counts: Counter[str] = field(default_factory=Counter)
    listed: list[tuple[int, str, str]] = field(default_factory=list)
    known: dict[Any, Fault | None] = field(default_factory=dict)
    size: int = 0
    rows: int = 0
    held: int = 0
    seconds: float = 0.0

    def see(self, at: int, cell: Cell) -> None:
        """One row, unless the time is over."""
        if self.seconds > 2 * _SECONDS:
            return
        begin = time.monotonic()
        self.rows += 1
        if not self.modality.is_missing(cell):
            self.held += 1
            key = cell if isinstance(cell, (str, bytes)) and self.modality.cost() > 1 else at
            if key not in self.known:
                self.known[key] = self._read(cell)
            fault = self.known[key]
            if fault is not None:
                self._tell(at, fault)
        self.seconds += time.monotonic() - begin

    def _read(self, cell: Cell) -> Fault | None:
        try:
            self.size += len(pack(self.modality.read(cell)))
        except Fault as fault:
            return fault
        return None

    def _tell(self, at: int, fault: Fault) -> None:
        sources = self.modality.config.sources
        columns = fault.columns if isinstance(fault, PartFault) else {" + ".join(sources): str(fault)}
        for column, text in columns.items():
            self.counts[column] += 1
            self.listed.append((at + 1, column, text))


def read_cells(
    source: Source, modalities: Mapping[str, Modality], sample: Mapping[int, Mapping[str, Cell]], known_N: np.ndarray, faults: Faults
) -> Reading:
    """Read the sample's cells; and all others, of fields where that takes no longer than some seconds."""
    tallies = {name: Tally(modality) for name, modality in modalities.items()}
    for tally in tallies.values():
        sources = tally.modality.config.sources
        for at, cells in sample.items():
            tally.see(at, next(iter(cells_of({column: [cells[column]] for column in sources}, sources))))
    rows = int(known_N.sum())
    if rows > len(sample):
        quick = {name: Tally(tally.modality) for name, tally in tallies.items()
                 if tally.seconds / max(tally.rows, 1) * rows <= _SECONDS}  # fmt: skip
        _read_all(source, quick, known_N)
        tallies |= quick
    reading = Reading()
    for name, tally in tallies.items():
        for row, column, text in tally.listed:
            faults.add(row, column, text, faults.experiment.on_error(name))
        faults.conclude(tally, rows)
        count = max(len(tally.known), 1)
        reading.seconds[name], reading.size[name] = tally.seconds / count, tally.size / count
        reading.distinct[name] = len(tally.known) / max(tally.rows, 1)
    return reading


def _read_all(source: Source, tallies: Mapping[str, Tally], known_N: np.ndarray) -> None:
    columns = list(dict.fromkeys(column for tally in tallies.values() for column in tally.modality.config.sources))
    start = 0
    for part in source.slices(columns) if columns else ():
        for tally in tallies.values():
            for at, cell in enumerate(cells_of(part, tally.modality.config.sources), start):
                if known_N[at]:
                    tally.see(at, cell)
        start += len(part[columns[0]])
