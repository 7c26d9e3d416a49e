"""Compute metrics from predictions and targets. Rows without a target are left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch

from ..tasks import Task
from ..tasks.metrics import Metrics


def score(task: Task, members: Sequence[np.ndarray]) -> np.ndarray:
    """Return the predictions of the mean of the members' logits: probabilities (N, C), or numbers in the unit of the target (N, 1)."""
    return task.scores(torch.from_numpy(pool(members))).numpy()


def pool(members: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean of the members' logits (N, C). It is a logarithmic pool of their probabilities."""
    return members[0] if len(members) == 1 else np.mean(np.stack(members), axis=0, dtype=members[0].dtype)


def measure(
    tasks: Mapping[str, Task], scores: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]
) -> tuple[dict[str, Metrics], dict[str, str]]:
    """Return the metrics by task, and the reason for each metric that is None, by ``task.metric``.

    :param tasks: the tasks
    :param scores: the predictions of each task, as returned by ``score``; rows with NaN are left out
    :param targets: the targets (N, T) of each task; rows with NaN are left out
    """
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
    """Return the mean of the values that are not None; None if there are none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def hidden_sets(fields: Sequence[str]) -> list[frozenset[str]]:
    """Return the sets of fields to hide: the empty set, then each single field if there are several."""
    return [frozenset(), *(frozenset([name]) for name in fields if len(fields) > 1)]


def every_set(fields: Sequence[str], most: int = 4) -> list[frozenset[str]]:
    """Return ``hidden_sets``, and for at most ``most`` fields every other set as well; the last one contains all fields."""
    sets = hidden_sets(fields)
    if 2 <= len(fields) <= most:
        sets += [frozenset(some) for count in range(2, len(fields) + 1) for some in combinations(fields, count)]
    return sets


def table_of(metrics: Mapping[str, Mapping[str, Metrics]], tasks: Mapping[str, Task]) -> list[list[str]]:
    """Return the rows of a table as text, one for each name and task, with the metrics in the order of the task."""
    rows: list[list[str]] = []
    for name, by_task in metrics.items():
        for task_name, task in tasks.items():
            values: list[Any] = [by_task[task_name].get(metric) for metric in task.metric_names]
            rows.append([name, task_name, *("-" if value is None else f"{value:z.4f}" for value in values)])
    return rows
