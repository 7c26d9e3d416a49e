"""Read the cells of a table to determine whether they can be read: all cells if that takes some seconds, otherwise a sample."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

import numpy as np

from ..data.reading import CellFault, CellReader, FaultBook, columns_of_faults, faults_of, is_inferred_column, numbered_slices
from ..data.sources import Source, cells_of
from ..data.store import pack
from ..errors import counted, spelled
from ..experiment import Experiment
from ..flow import Cell, Sample
from ..language import Sentence
from ..modalities import Modality
from .estimate import Reading
from .result import Check

_SECONDS = 4.0
"""The time in seconds that reading the cells of one field may take."""
_LISTED = 200
_CONSEQUENCES = {"error": "check.stops_run", "skip": "check.row_left_out", "blank": "check.cell_missing"}
"""The keys of the texts about the consequences of a fault, by the policy of its field."""


class FaultReport:
    """Adds the unreadable cells of one table, and their consequences for a run, to a check.

    :param experiment: the experiment that is checked
    :param check: the check to which faults, stops and notes are added
    :param table: the name of the table, if it is not the training table
    :param binding: whether faults can stop the run
    :param inferred: by field, the columns whose kind or type was inferred
    """

    def __init__(
        self,
        experiment: Experiment,
        check: Check,
        table: str | None = None,
        binding: bool = True,
        inferred: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.experiment, self.check, self.table, self.binding, self.inferred = experiment, check, table, binding, inferred or {}
        self.book = FaultBook(check.name if table is None else table, lambda _: "blank")
        self.stopped: set[str] = set()
        """The columns for which a stop was added already."""

    def add(self, fault: CellFault) -> None:
        """Add one cell. A column whose policy is ``error`` stops the run."""
        self.book.record(fault)
        policy = self.experiment.data.on_error if fault.field is None else self.experiment.on_error(fault.field)
        name = self._name(fault.column)
        self.check.counts[name] = self.check.counts.get(name, 0) + 1
        if self.check.counts[name] <= _LISTED:
            consequence = _CONSEQUENCES[policy] if policy == "error" or fault.field is not None else "check.row_without_target"
            consequence = consequence if self.binding or policy != "error" else "check.table_unmeasured"
            text = Sentence("check.fault", message=str(fault.message), consequence=Sentence(consequence))
            self.check.faults.append((fault.row, name, text))
        if policy == "error" and self.binding and fault.column not in self.stopped:
            self.stopped.add(fault.column)
            self.check.stops.append(f"row {fault.row}, column {name!r}: {fault.message}; set data.on_error: blank to treat it as missing")

    def judge_target(self, column: str, present: int, limit: float) -> None:
        """Add a stop if too many cells of a target column, which was read completely, are unreadable.

        :param present: the number of cells that can be read
        :param limit: the largest share of unreadable cells, between 0 and 1
        """
        cells = present + self.book.counts[column]
        if self.binding and column not in self.stopped and self.book.exceeds(column, cells, limit):
            fix = "fix them, choose another target, or raise data.max_faults"
            self.check.stops.append(f"{self._count(column, cells)} cannot be read; expected at most {limit:.0%}; {fix}")

    def judge_field(self, tally: Tally, rows: int) -> None:
        """Add a stop or a note for each column of a field of which too many cells are unreadable.

        :param rows: the number of rows of the table that a run would read
        """
        limit = self.experiment.data.max_faults
        if not self.binding:
            return
        for column in columns_of_faults(tally.modality.config.sources):
            if column in self.stopped or not self.book.exceeds(column, tally.cells, limit):
                continue
            count = self._count(column, tally.cells)
            counts = {"column": self._name(column), "count": self.book.counts[column], "cells": tally.cells}
            config = tally.modality.config
            if config.is_guess(column) or is_inferred_column(column, config.sources, self.inferred.get(tally.name, ())):
                self.check.notes.append(
                    Sentence("check.guessed", fix=spelled(f"--column {column}=category", f"columns={{{column!r}: 'category'}}"), **counts)
                )
            elif tally.rows == rows or self.book.exceeds(column, rows, limit):
                fix = f"fix them, leave the column out ({spelled('--ignore', 'ignore=...')}), or raise data.max_faults"
                self.check.stops.append(f"{count} cannot be read; expected at most {limit:.0%}; {fix}")
            else:
                self.check.notes.append(Sentence("check.some", limit=limit, **counts))

    def _name(self, column: str) -> str:
        """Return the name of a column, with its table if that is not the training table."""
        return column if self.table is None else f"{column} of {self.table}"

    def _count(self, column: str, cells: int) -> str:
        """Return the number of unreadable cells of a column, as text."""
        return f"column {self._name(column)!r}: {self.book.counts[column]:,} of {counted(cells, 'cell')}"


class Tally:
    """Reads the cells of one field, and measures the time and the bytes that their samples take.

    :param name: the name of the field
    """

    def __init__(self, name: str, modality: Modality) -> None:
        self.name, self.modality = name, modality
        self.faults: list[CellFault] = []
        self.size = 0
        """The bytes of all samples."""
        self.rows = self.cells = 0
        """The number of rows that were read, and of those whose cell is not missing."""
        self.seconds = 0.0
        self._reader = CellReader(modality, self._measure)

    @property
    def distinct(self) -> int:
        """The number of cells that were read; equal cells count once."""
        return self._reader.reads

    def see(self, at: int, cell: Cell) -> None:
        """Read the cell of one row (0-based), unless the time has run out."""
        if self.seconds > 2 * _SECONDS:
            return
        begin = time.monotonic()
        self.rows += 1
        if not self.modality.is_missing(cell):
            self.cells += 1
            _, fault = self._reader.read(cell)
            if fault is not None:
                self.faults += faults_of(fault, at + 1, self.modality.config.sources, self.name)
        self.seconds += time.monotonic() - begin

    def _measure(self, sample: Sample) -> None:
        """Add the size of a sample."""
        self.size += len(pack(sample))


def read_cells(
    source: Source, modalities: Mapping[str, Modality], sample: Mapping[int, Mapping[str, Cell]], known_N: np.ndarray, report: FaultReport
) -> Reading:
    """Read the cells of a sample of rows, and all cells of the fields for which that takes no longer than some seconds.

    :param sample: by row (0-based), the cells by column
    :param known_N: whether each row has a target (N,); other rows are not read
    :param report: the report to which unreadable cells are added
    """
    tallies = {name: Tally(name, modality) for name, modality in modalities.items()}
    for tally in tallies.values():
        sources = tally.modality.config.sources
        for at, cells in sample.items():
            tally.see(at, next(iter(cells_of({column: [cells[column]] for column in sources}, sources))))
    rows = int(known_N.sum())
    if rows > len(sample):
        quick = {name: Tally(name, tally.modality) for name, tally in tallies.items()
                 if tally.seconds / max(tally.rows, 1) * rows <= _SECONDS}  # fmt: skip
        _read_all(source, quick, known_N)
        tallies |= quick
    reading = Reading()
    for name, tally in tallies.items():
        for fault in tally.faults:
            report.add(fault)
        report.judge_field(tally, rows)
        count = max(tally.distinct, 1)
        reading.seconds[name], reading.size[name] = tally.seconds / count, tally.size / count
        reading.distinct[name] = tally.distinct / max(tally.rows, 1)
    return reading


def _read_all(source: Source, tallies: Mapping[str, Tally], known_N: np.ndarray) -> None:
    """Read the cells of all rows that have a target."""
    columns = list(dict.fromkeys(column for tally in tallies.values() for column in tally.modality.config.sources))
    for start, part in numbered_slices(source, columns):
        for tally in tallies.values():
            for at, cell in enumerate(cells_of(part, tally.modality.config.sources), start):
                if known_N[at]:
                    tally.see(at, cell)
