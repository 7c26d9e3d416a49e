"""Diagnosis of fields that stopped learning: each field's vote inside the model of all fields against the field's own model.

Both are measured on the same validation rows. A field without information and a field that stopped learning have the same training curves
in the model of all fields. They differ in the field's own model, which learns nothing in the first case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..flow import is_field
from ..language import Sentence
from ..preparation import Prepared
from ..tasks import Task, constant
from ..training.events import EpochEvent
from .validation import Measured, Member

_LEAST_SHARE = 2 / 3
"""A field has stopped learning only if its vote reaches less than this share of the way from a constant's metric to the metric alone."""
_LEAST_DEVIATIONS = 3.0
"""And only if its own model is better than the vote and than a constant, by row, by more than this number of standard errors."""
_FITS = 0.5
"""A field fits the training rows if its own loss there is at most this share of the loss of the field that stopped."""


@dataclass(frozen=True)
class FieldDiagnosis:
    """The diagnosis of one field for one task.

    :param metric: the name of the metric
    :param vote: its value for the field's vote inside the model of all fields; None = undefined
    :param constant: its value for a constant prediction; None = undefined
    :param alone: its value for the model of this field alone; None = undefined, or there is no such model
    :param rows: the number of rows
    :param stopped: whether the field has stopped learning; None = unknown
    """

    metric: str
    vote: float | None
    constant: float | None
    alone: float | None
    rows: int
    stopped: bool | None


Diagnosis = dict[str, dict[str, FieldDiagnosis]]
"""The diagnosis by field and task."""


def diagnose(prepared: Prepared, whole: Measured, alone: Mapping[str, Measured]) -> Diagnosis:
    """Return the diagnosis of every field that has a vote of its own.

    :param whole: the results of the model of all fields
    :param alone: by field, the results of the model of that field alone; their rows are the first rows of ``whole``
    """
    diagnosis: Diagnosis = {}
    rows, _ = prepared.member(0)
    for name, task in prepared.tasks.items():
        logits_C, _ = constant(task, prepared.train.targets[name][rows])
        same_1C = task.scores(torch.from_numpy(logits_C).unsqueeze(0)).numpy()
        for field, scores_NC in whole.own.get(name, {}).items():
            if not is_field(field):
                continue
            own = alone.get(field)
            count = len(scores_NC) if own is None else len(own.rows)
            there = prepared.valid.store.index[field][whole.rows[:count]] >= 0
            target = whole.targets[name][:count]
            there &= ~np.isnan(target).any(1)
            if not there.any():
                continue
            vote = scores_NC[:count][there]
            of = {"vote": vote, "constant": np.repeat(same_1C, len(vote), 0), "alone": None if own is None else own.scores[name][there]}
            metric = task.usual_metric
            values = {key: None if scores is None else task.measure(target[there], scores)[0][metric] for key, scores in of.items()}
            stopped = has_stopped(task, target[there], values, of)
            diagnosis.setdefault(field, {})[name] = FieldDiagnosis(metric, **values, rows=int(there.sum()), stopped=stopped)
    return diagnosis


def has_stopped(
    task: Task, target_NT: np.ndarray, values: Mapping[str, float | None], scores: Mapping[str, np.ndarray | None]
) -> bool | None:
    """Return whether the vote of a field has not learned what the field learns alone; None if a value is missing.

    :param values: the metric ``task.usual_metric`` under ``vote``, ``constant`` and ``alone``
    :param scores: the scores (N, C) under the same keys
    """
    vote, nothing, own = values["vote"], values["constant"], values["alone"]
    if vote is None or nothing is None or own is None:
        return None
    errors = {name: task.errors(target_NT, scores_NC) for name, scores_NC in scores.items() if scores_NC is not None}
    better = min(_deviations(errors[name] - errors["alone"]) for name in ("vote", "constant"))
    return bool(vote - nothing < _LEAST_SHARE * (own - nothing) and better > _LEAST_DEVIATIONS)


def _deviations(values_N: np.ndarray) -> float:
    """Return the mean of the values, in standard errors of the mean."""
    error = float(values_N.std()) / max(len(values_N) - 1, 1) ** 0.5
    result: float = float(values_N.mean()) / max(error, 1e-12)
    return result


def warnings(diagnosis: Diagnosis, members: Sequence[Member], kind: str) -> list[str]:
    """Return a warning for each field that stopped learning, with its metrics and settings that may help.

    :param members: the members of all fields
    :param kind: the balancer that they were trained with (``training.balance.kind``)
    """
    lines: list[str] = []
    history = members[0].fitted.history
    fix = "ogm_ge with training.balance.alpha=2" if kind == "none" else "none"
    for field, by_task in diagnosis.items():
        for task, one in by_task.items():
            if one.stopped:
                lines.append(Sentence(
                    "note.stopped", field=field, task=task, metric=one.metric, alone=one.alone, vote=one.vote, constant=one.constant,
                    rows=one.rows, because=_because(field, history), fix=fix,
                ))  # fmt: skip
    return lines


def _because(field: str, history: Sequence[EpochEvent]) -> str:
    """Return which other field fits the training rows, and since which epoch; "" if none does."""
    for epoch in history:
        losses = {name: figures.loss for name, figures in epoch.fields.items() if figures.loss is not None}
        if field not in losses:
            continue
        best = min(losses, key=lambda name: losses[name])
        if best != field and losses[best] < _FITS * losses[field]:
            return Sentence("note.fits", field=best, epoch=epoch.epoch, loss=losses[best], here=losses[field])
    return ""
