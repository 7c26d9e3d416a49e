"""What a run keeps for its report: curves of its answers, its worst errors, and where its rows came from."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from .. import pages
from ..data.sources import Source, cells_of
from ..experiment import Experiment
from ..flow import Cell
from ..modalities import evenly
from ..preparation import Prepared
from .validation import Measured

_PROBE = 16
"""Rows, spread evenly over the table, whose cells are looked at beside those that are shown, to find out whether any should be shown."""


def kept_for_report(experiment: Experiment, prepared: Prepared, measured: Measured, source: Source) -> dict[str, Any]:
    """Plain data: ``curves`` and ``worst`` by task, ``command``, ``data`` (digests of what training saw)."""
    kept: dict[str, Any] = {
        "command": " ".join(["polymodal", *sys.argv[1:]]) if sys.argv[0].endswith("polymodal") else "",
        "curves": {},
        "worst": {},
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
    peeked = set(evenly(source.rows, _PROBE))
    cells, truths = _cells(experiment, source, worst | peeked)
    if shown is None and pages.is_private(prepared.modalities, cells.values()):
        return kept
    for name, rows in wanted.items():
        some = {row: cells[row] for row in rows}
        truth_by_row = {row: truths[row][name] for row in rows}
        kept["worst"][name] = pages.examples_of(
            prepared.tasks[name], prepared.modalities, measured.rows, measured.scores[name], some, truth_by_row
        )
    return kept


def _cells(experiment: Experiment, source: Source, wanted: set[int]) -> tuple[dict[int, dict[str, Cell]], dict[int, dict[str, Cell]]]:
    """The cells by field, and the targets by task, of the wanted rows (0-based)."""
    fields = {name: config.sources for name, config in experiment.fields.items()}
    targets = {name: task.column for name, task in experiment.tasks.items()}
    columns = list(dict.fromkeys([*experiment.columns(), *targets.values()]))
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
