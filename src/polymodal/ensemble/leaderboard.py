"""The leaderboard of a run: the model, its votes by themselves and the models of single fields, by one metric on the same rows.

The entry of a vote is a part of the model: the network (its fused vote), the boosted trees, further networks, and the votes of single
fields. The difference to the model is tested on the rows that both predicted (``evaluation.advantage``), since two errors of the same rows
are not independent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from ..evaluation.advantage import advantage, verdict
from ..flow import FUSED, TREES, is_field, voter_label
from ..preparation import Prepared
from ..tasks import Task
from .clusters import clusters_of
from .finding import same_rows
from .validation import Measured

Kind = Literal["model", "network", "trees", "vote", "single field", "member"]


@dataclass(frozen=True)
class Entry:
    """One line of the leaderboard.

    :param name: what is measured
    :param kind: ``model`` = all votes together; ``network``, ``trees`` and ``vote`` (of a field) = one of its votes by itself;
        ``single field`` = a model of one field only; ``member`` = one model of the ensemble, on its own validation rows
    :param metric: the name of the metric
    :param value: its value on validation rows
    :param error: the standard error of the value
    :param difference: the value of the model minus this value, on the rows that both predicted; None for the model itself
    :param difference_error: the standard error of the difference; None for the model itself
    :param verdict: whether the model is ``better than``, ``worse than`` or ``within noise of`` this entry; empty for the model itself
    :param rows: the number of rows
    :param seconds: the seconds of training and validating its models; None = not measured by itself
    """

    name: str
    kind: Kind
    metric: str
    value: float
    error: float
    difference: float | None
    difference_error: float | None
    verdict: str
    rows: int
    seconds: float | None

    def facts(self) -> dict[str, Any]:
        """Return the fields as plain data for ``metrics.json``."""
        return asdict(self)


def leaderboard(prepared: Prepared, whole: Measured, alone: Mapping[str, Measured], seconds: Mapping[str, float]) -> dict[str, list[Entry]]:
    """Return the leaderboard of each task, in the order of the differences to the model, the best entry first. Entries whose metric is
    undefined are left out. The values of entries on other rows than the model's cannot be compared with its value.

    :param whole: the results of the model of all fields
    :param alone: by field, the results of the model of that field alone
    :param seconds: the seconds of the models of all fields, under "", and of those of each single field
    """
    cluster_N = clusters_of(prepared, prepared.valid)
    boards = {}
    for name, task in prepared.tasks.items():
        entries = [_entry(task, cluster_N, whole, name, *about) for about in _candidates(name, whole, alone, seconds)]
        kept = [entry for entry in entries if entry is not None]
        boards[name] = sorted(kept, key=lambda entry: (task.sign(entry.metric) * (entry.difference or 0.0), entry.kind != "model"))
    return boards


def members_of(prepared: Prepared, whole: Measured) -> dict[str, list[Entry]]:
    """Return an entry for each member of an ensemble of several, by task: its metric on the validation rows that it predicts. Members are
    measured on different rows, so that their values differ by chance too."""
    clusters = clusters_of(prepared, prepared.valid)[whole.rows]
    entries: dict[str, list[Entry]] = {name: [] for name in prepared.tasks}
    numbers = np.unique(whole.member_N).tolist()
    for name, task in prepared.tasks.items():
        metric, target_NT = task.judged_by, whole.targets[name]
        known_N = ~np.isnan(target_NT).any(1)
        for number in numbers if len(numbers) > 1 else ():
            at = np.flatnonzero(known_N & (whole.member_N == number))
            values = task.row_values(target_NT[at], whole.scores[name][at], metric)
            if values is not None:
                error = advantage(values, np.zeros(len(at)), clusters[at], task.bounds(metric) == (0.0, 1.0)).error
                label = f"model {number + 1}"
                entries[name].append(Entry(label, "member", metric, float(values.mean()), error, None, None, "", len(at), None))
    return entries


def _candidates(
    task: str, whole: Measured, alone: Mapping[str, Measured], seconds: Mapping[str, float]
) -> Iterator[tuple[str, Kind, Measured, float | None]]:
    """Yield what is measured for one task: a name, a kind, the results, and the seconds."""
    yield "all fields", "model", whole, seconds.get(FUSED)
    own = whole.own.get(task, {})
    for voter, scores_NC in own.items() if len(own) > 1 else ():
        vote = replace(whole, scores={task: scores_NC})
        if voter == FUSED:
            yield "network", "network", vote, None
        elif voter == TREES:
            yield "boosted trees", "trees", vote, None
        elif is_field(voter):
            yield f"vote of {voter}", "vote", vote, None
        else:
            yield voter_label(voter), "network", vote, None
    for field, single in alone.items():
        yield f"only {field}", "single field", single, seconds.get(field)


def _entry(
    task: Task, cluster_N: np.ndarray, whole: Measured, target: str, name: str, kind: Kind, of: Measured, seconds: float | None
) -> Entry | None:
    """Return one entry; None if the metric is undefined on its rows."""
    metric = task.judged_by
    sign, unit = task.sign(metric), task.bounds(metric) == (0.0, 1.0)
    at, place = same_rows(target, whole, of)
    if not len(at):
        return None
    target_NT, clusters = whole.targets[target][at], cluster_N[whole.rows[at]]
    values = [task.row_values(target_NT, scores, metric) for scores in (whole.scores[target][at], of.scores[target][place])]
    if values[0] is None or values[1] is None:
        return None
    error = advantage(values[1], np.zeros(len(at)), clusters, unit).error
    value = float(values[1].mean())
    if kind == "model":
        return Entry(name, kind, metric, value, error, None, None, "", len(at), seconds)
    test = advantage(sign * values[0], sign * values[1], clusters, unit)
    return Entry(name, kind, metric, value, error, sign * test.mean, test.error, verdict(test.better, test.worse), len(at), seconds)
