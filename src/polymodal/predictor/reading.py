"""Read rows of a table into a window for the members, apply the policies for faults, and detect drift from the training rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from ..data.reading import CellFault, FaultBook, faults_of, joined, numbered_slices, paths_among, read_distinct
from ..data.sources import Slice, Source, cells_of
from ..errors import ConfigError, DataError, nearest, nearest_of, spelled, warn
from ..experiment import Experiment
from ..flow import Cell, Sample
from ..inference import WINDOW, Window
from ..language import Sentence
from ..modalities import Modality, NoFolder, OnError, is_empty


@dataclass(frozen=True)
class ReadWindow:
    """Some rows of a table after reading.

    ``window`` contains their samples, before frozen backbones. ``faults`` are the cells that cannot be read, field by field. ``skipped`` is
    whether each row is skipped because of a fault (N,).
    """

    window: Window
    faults: Sequence[CellFault]
    skipped: np.ndarray

    def fault_texts(self) -> list[str]:
        """Return the faults of each row as one text (N,); "" if there are none."""
        if not self.faults:
            return [""] * len(self.window.rows)
        texts: list[list[str]] = [[] for _ in self.window.rows]
        places = {int(row) + 1: at for at, row in enumerate(self.window.rows)}
        for fault in self.faults:
            texts[places[fault.row]].append(fault.text)
        return ["; ".join(of_row) for of_row in texts]


@dataclass(frozen=True)
class SelectedRows(ReadWindow):
    """Selected rows of a table after reading, with the ``cells`` (N,) and the ``modalities`` of each field."""

    cells: Mapping[str, Sequence[Cell]]
    modalities: Mapping[str, Modality]


@dataclass(frozen=True)
class Policy:
    """The policy of a field for cells that cannot be read.

    ``on_error`` is the action. ``needs_folder`` is whether it is an error if most cells are paths and there is no folder to find them in.
    """

    on_error: OnError
    needs_folder: bool


class TableReader:
    """Reads rows of one table for prediction, and collects the differences between the table and the training rows.

    The cells of a column that the table does not have are missing.

    :param modalities: the modality of each field
    :param experiment: the experiment of the model, for the policy of each field for cells that cannot be read
    :param on_error: the policy of every field; None = as configured
    :raises ConfigError: there is no such policy
    """

    def __init__(self, source: Source, modalities: Mapping[str, Modality], experiment: Experiment, on_error: OnError | None = None) -> None:
        if on_error not in (None, *get_args(OnError)):
            expected = f"expected one of {', '.join(get_args(OnError))}, or None{nearest(str(on_error), get_args(OnError))}"
            raise ConfigError(f"on_error: found {on_error!r}; {expected}")
        self.source, self.modalities = source, modalities
        self.policies = {
            name: Policy(on_error or experiment.on_error(name), source.folder is None and on_error is None and field.on_error is None)
            for name, field in experiment.fields.items()
        }
        self.columns = list(dict.fromkeys(column for modality in modalities.values() for column in modality.config.sources))
        fix = f"use {spelled('--on-error blank', 'on_error=blank')} to answer without it"
        self.book = FaultBook(source.name, lambda name: self.policies[str(name)].on_error, fix=fix)
        self._drifts = {name: modality.drift() for name, modality in modalities.items()}
        self._cells: Counter[str] = Counter()

    def windows(self) -> Iterator[ReadWindow]:
        """Yield all rows of the table, at most ``WINDOW`` at a time.

        :raises DataError: a cell cannot be read and the policy is ``error``, or most cells of a field are paths and there is no folder
        """
        for start, part in numbered_slices(self.source, self._columns_there()) if self.source.rows else ():
            for low in range(0, _length(part), WINDOW):
                piece = {name: cells[low : low + WINDOW] for name, cells in part.items()}
                yield self._read(piece, np.arange(start + low, start + low + _length(piece)))

    def select(self, rows: np.ndarray) -> SelectedRows:
        """Read some rows as one window.

        :param rows: 0-based positions in ascending order, at most ``WINDOW``
        :raises DataError: as for ``windows``
        """
        part: Slice = {column: [] for column in self._columns_there()}
        for piece in self.source.at(list(part), rows):
            for column, cells in piece.items():
                part[column] += cells
        read = self._read(part, rows)
        cells_by_field = {name: list(cells_of(part, modality.config.sources)) for name, modality in self.modalities.items()}
        return SelectedRows(read.window, read.faults, read.skipped, cells_by_field, self.modalities)

    def _columns_there(self) -> list[str]:
        """Return the columns of fields that the table has."""
        return [column for column in self.columns if column in self.source.columns]

    def _read(self, part: Slice, rows_N: np.ndarray) -> ReadWindow:
        """Read rows at some positions (0-based) as one window; the columns that the table does not have are added to ``part``."""
        for column in self.columns:
            part.setdefault(column, [None] * len(rows_N))
        samples: dict[str, list[Sample]] = {}
        index: dict[str, np.ndarray] = {}
        faults: list[CellFault] = []
        skipped = np.zeros(len(rows_N), bool)
        for name in self.modalities:
            cells = list(cells_of(part, self.modalities[name].config.sources))
            samples[name], index[name], of_field = self._read_field(name, cells, rows_N)
            faults += of_field
            if self.policies[name].on_error == "skip":
                skipped |= np.isin(rows_N + 1, [fault.row for fault in of_field])
        if skipped.any():
            index = {name: np.where(skipped, -1, place) for name, place in index.items()}
        return ReadWindow(Window(rows_N, samples, index), faults, skipped)

    def _read_field(self, name: str, cells: Sequence[Cell], rows_N: np.ndarray) -> tuple[list[Sample], np.ndarray, list[CellFault]]:
        """Return the distinct samples of a field, the position of each row's sample among them (-1 = none), and the faults."""
        modality, policy = self.modalities[name], self.policies[name]
        columns = modality.config.sources
        place = np.full(len(cells), -1, np.int64)
        faults: list[CellFault] = []
        present = [at for at, cell in enumerate(cells) if not modality.is_missing(cell)]
        results, positions = read_distinct(modality, [cells[at] for at in present])
        place_U = np.cumsum([sample is not None for sample, _ in results]) - 1
        samples = [sample for sample, _ in results if sample is not None]
        without_folder = 0
        for at, position in zip(present, positions, strict=True):
            sample, fault = results[position]
            if sample is not None:
                place[at] = place_U[position]
            if fault is not None:
                without_folder += isinstance(fault, NoFolder)
                for one in faults_of(fault, int(rows_N[at]) + 1, columns, name):
                    self.book.record(one)
                    faults.append(one)
        if without_folder * 2 > len(present) and policy.needs_folder and policy.on_error == "blank":
            found = f"{paths_among(without_folder, len(present))}, and this table has no folder"
            raise DataError(
                f"{self.source.name}, field {name!r}, column {columns[0]!r}: {found}; expected root=... (--root), the folder that they are "
                f"relative to, such as root='.'; or answer without them: on_error='blank'"
            )
        self._count(name, cells, len(present))
        drift = self._drifts[name]
        if drift is not None and samples:
            drift.see(cells, samples, place)
        return samples, place, faults

    def _count(self, name: str, cells: Sequence[Cell], present: int) -> None:
        """Count the cells that are not empty, by column; ``present`` is the number of rows that have the field."""
        columns = self.modalities[name].config.sources
        for at, column in enumerate(columns):
            of_column = cells if len(columns) == 1 else [cell[at] for cell in cells]
            self._cells[column] += len(of_column) - sum(map(is_empty, of_column))
        if len(columns) > 1:
            self._cells[joined(columns)] += present

    def lines(self, limit: float) -> list[str]:
        """Return the warnings about the rows read so far.

        :param limit: the largest share of a column's cells, between 0 and 1, that may be unreadable without a warning
        """
        counts = {column: self._cells[column] for column in self.book.counts}
        lines = [self.book.line(column, cells) for column, cells in counts.items() if self.book.exceeds(column, cells, limit)]
        return [
            *lines,
            *(
                Sentence("table.line", table=self.source.name, line=line)
                for drift in self._drifts.values()
                if drift is not None
                for line in drift.lines()
            ),
        ]


def fields_there(experiment: Experiment, source: Source, strict: bool) -> list[str]:
    """Return the fields of which a table has at least one column (see ``Predictor.fields_of``)."""
    if not source.rows:
        return list(experiment.fields)
    absent = [column for column in experiment.columns() if column not in source.columns]
    unused = [column for column in source.columns if column not in experiment.columns()]
    meant = []
    for column in absent:
        near = nearest_of(column, unused)
        if near is not None:
            meant.append(f"{column!r} by {near!r}")
            unused.remove(near)
    hint = Sentence("table.meant", names=", ".join(meant)) if meant else ""
    columns = ", ".join(map(repr, absent))
    there = [name for name, field in experiment.fields.items() if any(column in source.columns for column in field.sources)]
    if absent and (strict or not there):
        expected = ", ".join(map(repr, experiment.columns()))
        raise DataError(f"{source.name}: no column {columns}; expected {expected}; rename the columns{hint}")
    if absent:
        warn(Sentence("table.no_columns", table=source.name, columns=columns, hint=hint))
    return there


def _length(part: Slice) -> int:
    """Return the number of rows of a slice."""
    return len(next(iter(part.values())))
