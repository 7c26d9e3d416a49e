"""The data of a run's report: curves of the predictions, the rows with the largest errors, and digests of the training data."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .. import pages
from ..data.sources import Source, cells_of
from ..ensemble.validation import Measured
from ..experiment import Experiment
from ..flow import Cell
from ..modalities import evenly
from ..preparation import Prepared
from .example_rows import example_rows

_PROBE = 16
"""The number of rows, spread evenly over the table, whose cells are examined with the rows to show, to decide whether cells are private."""


def report_data(experiment: Experiment, prepared: Prepared, measured: Measured, source: Source) -> dict[str, Any]:
    """Return plain data for ``report.json``: ``curves`` and ``worst`` by task, ``command``, ``data`` (digests of the training data), and
    ``examples``, some rows as a client of a server would send them (``example_rows``).

    ``worst`` and ``examples`` are empty if the rows are private.

    :param measured: the results of the model of all fields
    :param source: the table of the validation rows
    """
    kept: dict[str, Any] = {
        "command": " ".join(["polymodal", *sys.argv[1:]]) if sys.argv[0].endswith("polymodal") else "",
        "curves": {},
        "worst": {},
        "examples": [],
    }
    kept["data"] = "; ".join(f"{name} {digest[:12]}" for name, digest in prepared.content().items())
    wanted: dict[str, list[int]] = {}
    for name, task in prepared.tasks.items():
        known = ~np.isnan(measured.targets[name]).any(1) & ~np.isnan(measured.scores[name]).any(1)
        if known.any():
            kept["curves"][name] = task.curves(measured.targets[name][known], measured.scores[name][known])
            wanted[name] = pages.worst_rows(task, measured.rows, measured.targets[name], measured.scores[name])
    shown = experiment.report.examples
    if shown is False or (shown is None and experiment.data.private):
        return kept
    worst = {row for rows in wanted.values() for row in rows}
    probed = set(evenly(source.rows, _PROBE))
    cells, truths = _cells(experiment, source, worst | probed)
    if shown is None and pages.is_private(prepared.modalities, cells.values()):
        return kept
    some_rows = {row: cells[row] for row in sorted(probed)}
    classes = {row: {name: cell for name, cell in truths[row].items() if prepared.tasks[name].has_classes} for row in some_rows}
    kept["examples"] = example_rows(experiment, prepared.modalities, some_rows, classes)
    for name, rows in wanted.items():
        some = {row: cells[row] for row in rows}
        truth_by_row = {row: truths[row][name] for row in rows}
        kept["worst"][name] = pages.examples_of(
            prepared.tasks[name], prepared.modalities, measured.rows, measured.scores[name], some, truth_by_row
        )
    return kept


def _cells(experiment: Experiment, source: Source, wanted: set[int]) -> tuple[dict[int, dict[str, Cell]], dict[int, dict[str, Cell]]]:
    """Return the cells by field, and the targets by task, of the wanted rows (0-based)."""
    fields = {name: config.sources for name, config in experiment.fields.items()}
    targets = {name: task.column for name, task in experiment.tasks.items()}
    columns = experiment.columns_and_targets()
    cells: dict[int, dict[str, Cell]] = {}
    truths: dict[int, dict[str, Cell]] = {}
    start = 0
    for part in source.slices(columns):
        count = len(part[columns[0]])
        for row in (row for row in wanted if start <= row < start + count):
            at = row - start
            cells[row] = {
                name: next(iter(cells_of({column: [part[column][at]] for column in sources}, sources))) for name, sources in fields.items()
            }
            truths[row] = {name: part[column][at] for name, column in targets.items()}
        start += count
    return cells, truths
