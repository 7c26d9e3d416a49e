"""From answers and targets to metrics. A row whose target is empty is left out, and counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch

from ..tasks import Task
from ..tasks.metrics import Metrics


def score(task: Task, members: Sequence[np.ndarray]) -> np.ndarray:
    """Probabilities (N, C), or the answer in its unit (N, 1): what the mean of the members' logits says."""
    return task.scores(torch.from_numpy(pool(members))).numpy()


def pool(members: Sequence[np.ndarray]) -> np.ndarray:
    """The members' logits (N, C) as those of one answer: their mean, a logarithmic pool of what each one says."""
    return members[0] if len(members) == 1 else np.mean(np.stack(members), axis=0, dtype=members[0].dtype)


def measure(
    tasks: Mapping[str, Task], scores: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]
) -> tuple[dict[str, Metrics], dict[str, str]]:
    """Metrics by task, and for each that is None (``task.metric``) the reason."""
    metrics: dict[str, Metrics] = {}
    reasons: dict[str, str] = {}
    for name, task in tasks.items():
        known = ~np.isnan(targets[name]).any(1) & ~np.isnan(scores[name]).any(1)
        if known.any():
            metrics[name], why = task.measure(targets[name][known], scores[name][known])
        else:
            metrics[name], why = dict.fromkeys(task.metric_names), dict.fromkeys(task.metric_names, "no row has this target")
        reasons |= {f"{name}.{metric}": reason for metric, reason in why.items()}
    return metrics, reasons


def mean_of_known(values: Sequence[float | None]) -> float | None:
    """The mean of the values that are not None, None where all are."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def hidden_sets(fields: Sequence[str]) -> list[frozenset[str]]:
    """Nothing hidden, then each field alone hidden (where another is left to answer from)."""
    return [frozenset(), *(frozenset([name]) for name in fields if len(fields) > 1)]


def every_set(fields: Sequence[str], most: int = 4) -> list[frozenset[str]]:
    """``hidden_sets``, and of up to ``most`` fields every other set of them too, all of them hidden at the end."""
    sets = hidden_sets(fields)
    if 2 <= len(fields) <= most:
        sets += [frozenset(some) for count in range(2, len(fields) + 1) for some in combinations(fields, count)]
    return sets


def table_of(metrics: Mapping[str, Mapping[str, Metrics]], tasks: Mapping[str, Task]) -> list[list[str]]:
    """Rows of text, one for each name and task: its metrics in the order of the task."""
    rows: list[list[str]] = []
    for name, by_task in metrics.items():
        for task_name, task in tasks.items():
            values: list[Any] = [by_task[task_name].get(metric) for metric in task.metric_names]
            rows.append([name, task_name, *("-" if value is None else f"{value:.4f}" for value in values)])
    return rows
