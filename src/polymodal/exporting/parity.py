"""Whether an exported model gives the answers of its predictor, and how good its answers are.

Shapes: ``N`` rows, ``C`` scores of a task.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ConfigError, Fault, counted, without_warnings
from ..evaluation.measure import measure
from ..predictor import Predictor
from ..tasks import Task
from ..tasks.metrics import Metrics
from .rows import Rows
from .runtime import Model

TOLERANCE = 1e-4
"""The largest accepted difference of a probability, and of a number relative to its size."""


def answers_of(predictor: Predictor, rows: Rows) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the scores of the predictor by task (N, C), and the text of the faults of each row."""
    with without_warnings(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parts = list(predictor.predictions(list(rows.cells), root=rows.folders))
    scores = {name: np.concatenate([part.scores[name] for part in parts]) for name in predictor.bundle.tasks}
    return scores, [fault for part in parts for fault in part.faults]


def exported_answers(model: Model, rows: Rows) -> dict[str, np.ndarray]:
    """Return the scores of the exported model by task (N, C)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.predict_proba(rows.cells, rows.folders)


def differences(tasks: Mapping[str, Task], expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the largest difference of each row by task (N,): of its probabilities, or of its number relative to its size.

    The size of a number is its absolute value, at least the mean absolute value of all rows. A row that only one of them skips differs
    infinitely.
    """
    result = {}
    for name, task in tasks.items():
        skipped_N = np.isnan(expected[name]).all(1)
        away_NC = np.abs(np.asarray(found[name], np.float64) - expected[name])
        if not task.has_classes:
            size_NC = np.abs(expected[name])
            away_NC = away_NC / np.maximum(np.maximum(size_NC, np.nanmean(size_NC) if len(size_NC) else 1.0), 1e-30)
        away_NC[skipped_N] = np.where(np.isnan(found[name][skipped_N]), 0.0, np.inf)
        result[name] = np.nan_to_num(away_NC, nan=np.inf, posinf=np.inf).max(1)
    return result


def check(tasks: Mapping[str, Task], away: Mapping[str, np.ndarray], faults: list[str]) -> None:
    """Raise ``ConfigError`` if a difference exceeds ``TOLERANCE``.

    :param away: a result of ``differences``
    :param faults: the text of the faults of each row
    """
    for name, away_N in away.items():
        if len(away_N) and away_N.max() > TOLERANCE:
            at = int(away_N.argmax())
            fault = f" ({faults[at]})" if faults[at] else ""
            count = int((away_N > TOLERANCE).sum())
            raise ConfigError(
                f"target {name!r}: the exported model differs from the model by {away_N[at]:.2g} in row {at + 1}{fault}, and by more than "
                f"{TOLERANCE:g} in {count:,} of {counted(len(away_N), 'row')}; expected the same answers; nothing is written"
            )


def metrics_of(tasks: Mapping[str, Task], rows: Rows, scores: Mapping[str, np.ndarray]) -> dict[str, Metrics]:
    """Return the metrics of scores on the rows that have targets, by task."""
    targets = {
        name: np.stack([_target(task, row.get(task.config.column)) for row in rows.cells[: rows.given]]) for name, task in tasks.items()
    }
    return measure(tasks, {name: np.asarray(scores[name][: rows.given], np.float64) for name in tasks}, targets)[0]


def _target(task: Task, cell: Any) -> np.ndarray:
    """Return the encoded target of a cell (T,); NaN if it has none."""
    try:
        if not task.reading.is_missing(cell):
            return task.encode(cell)
    except Fault:
        pass
    return np.full(task.target_width, np.nan, np.float32)
