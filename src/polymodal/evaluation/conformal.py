"""Answers with a stated coverage: split conformal prediction (Vovk et al. 2005; Lei et al. 2018, arXiv:1604.04173; Sadinle et al. 2019,
arXiv:1609.00451).

From rows that a model was not trained on: how wrong it was on each (``Task.errors``: 1 - the probability of the truth, or the distance to
it). A set for a new row holds every answer that is no more wrong than a share ``coverage`` of them. It holds the truth with that
probability, over rows like the held-out ones. Departs from it under folds: the errors are each fold's own and the answer is the mean of
all, so they are carried over to it (``agreement.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..tasks import Task
from .agreement import ALONE, Agreement, carried

KEPT = 500
"""Errors of a task that a bundle keeps, at most: of more, evenly spaced ones."""
FEWEST = 20
"""Held-out rows that a coverage can be stated from, at least."""

Kept = Mapping[str, Any]
"""``rows``, how many there were, and ``errors``, ascending."""


def kept_errors(task: Task, target_NT: np.ndarray, scores_NC: np.ndarray, members: Agreement = ALONE) -> dict[str, Any]:
    """What a bundle keeps of the held-out rows of a task. ``members``: how far those agree whose mean is the answer."""
    known = ~np.isnan(target_NT).any(1) & ~np.isnan(scores_NC).any(1)
    errors = task.errors(target_NT[known], scores_NC[known]).astype(np.float64)
    errors = np.sort(carried(task, errors, members))
    count = len(errors)
    if count > KEPT:
        errors = errors[_ranks(count, KEPT) - 1]
    return {"rows": count, "errors": [round(float(error), 9) for error in errors]}


def _ranks(count: int, kept: int) -> np.ndarray:
    """The ranks, from 1 on, of the errors that are kept, the largest among them."""
    return np.ceil(np.arange(1, kept + 1) * count / kept).astype(np.int64)


def bound(kept: Kept | None, coverage: float, place: str) -> float:
    """How wrong an answer in the set may be; infinite where the held-out rows are too few for the coverage."""
    if not 0 < coverage < 1:
        raise ConfigError(f"coverage {coverage:g}: expected a share between 0 and 1, such as 0.9")
    try:
        rows, errors = int(kept["rows"]), np.asarray(kept["errors"], np.float64)  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        rows, errors = 0, np.zeros(0)
    if rows < FEWEST or len(errors) != min(rows, KEPT) or not np.isfinite(errors).all():
        raise ConfigError(f"{place}: {rows:,} held-out rows to state a coverage from; expected {FEWEST} or more; train on more rows")
    rank = math.ceil((rows + 1) * coverage)
    if rank > rows:
        return math.inf
    ranks = np.arange(1, rows + 1) if rows <= KEPT else _ranks(rows, KEPT)
    return float(errors[np.searchsorted(ranks, rank)])
