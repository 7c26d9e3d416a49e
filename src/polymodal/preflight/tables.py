"""Reading of the tables of a run as the run would read them: all targets, and a sample of the rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from ..data.class_notes import Unknown
from ..data.reading import examine_targets, numbered_slices, read_targets, read_weights
from ..data.sources import Source
from ..data.splits import TEST, VALID
from ..experiment import Experiment
from ..flow import Cell
from ..modalities import Modality
from ..preparation import modalities_for
from ..random_streams import Stream, generator
from ..tasks import Task
from .reading import FaultReport, read_cells
from .result import Check

_MAX_ROWS = 1_024
"""The maximum number of rows in a sample."""
_BLOCK = 64
"""The number of adjacent rows that are sampled together: rows with the same picture are often adjacent."""


def read_all_targets(
    source: Source, tasks: Mapping[str, Task], faults: FaultReport, unknown: Unknown, part_N: np.ndarray, guessed: Collection[str]
) -> dict[str, np.ndarray]:
    """Return the targets (N, T) of a table by task, and record those that cannot be read.

    :param unknown: receives the classes that the training rows do not have
    :param part_N: (N,) the part of the split of each row
    :param guessed: the tasks whose kind was inferred; their unreadable targets never stop the run
    """
    targets = read_targets(source, tasks, faults.add, unknown.listener(part_N))
    for name, task in tasks.items():
        present = int((~np.isnan(targets[name]).any(1)).sum())
        faults.judge_target(task.config.column, present, 1.0 if name in guessed else faults.experiment.data.max_faults)
    return targets


def check_other_table(
    experiment: Experiment,
    other: Source,
    what: str,
    modalities: Mapping[str, Modality],
    tasks: Mapping[str, Task],
    result: Check,
    unknown: Unknown,
    guessed: Collection[str],
    guessed_columns: Mapping[str, Collection[str]],
) -> None:
    """Check the validation table or the test table. Faults of a test table do not stop the run.

    :param what: ``valid`` or ``test``
    :param guessed: the tasks whose kind was inferred
    :param guessed_columns: by field, the columns whose kind or type was inferred
    :raises DataError: a column is missing, or no row has a target
    """
    other.check(experiment.columns_and_targets())
    other.check_rows(" to validate on" if what == "valid" else " to measure on")
    if what == "valid":
        read_weights(other, experiment.data.weight)
    known_N = examine_targets(other, experiment.tasks, {name: task.reading for name, task in tasks.items()}).known_N
    faults = FaultReport(experiment, result, other.name, binding=what == "valid", inferred=guessed_columns)
    read_all_targets(other, tasks, faults, unknown, np.full(other.rows, VALID if what == "valid" else TEST, np.uint8), guessed)
    read_cells(other, modalities_for(other, experiment, modalities), sample_rows(other, known_N, experiment), known_N, faults)


def sample_rows(source: Source, known_N: np.ndarray, experiment: Experiment) -> dict[int, dict[str, Cell]]:
    """Return rows by number (0-based), with the cells of all columns that a run reads.

    Of a large table these are at most 1,024 rows, in blocks that are sampled from the whole table.

    :param known_N: (N,) which rows have a target; others are left out
    """
    columns = experiment.columns_and_targets()
    columns += [name for name in (experiment.data.weight, experiment.data.split.group) if name is not None and name not in columns]
    chosen_N = known_N.copy()
    if source.rows > _MAX_ROWS:
        blocks = -(-source.rows // _BLOCK)
        kept = generator(Stream.PREFLIGHT_ROWS, experiment.seed).permutation(blocks)[: _MAX_ROWS // _BLOCK]
        chosen_N &= np.isin(np.arange(source.rows) // _BLOCK, kept)
    rows: dict[int, dict[str, Cell]] = {}
    for start, part in numbered_slices(source, columns):
        count = len(part[columns[0]])
        for at in np.flatnonzero(chosen_N[start : start + count]):
            rows[start + int(at)] = {name: part[name][at] for name in columns}
    return rows
