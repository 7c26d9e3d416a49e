"""Whether each field learned beside the others what it learns alone: its vote inside the fused model against its own model, on the same
held-out rows.

A field without information is told from one that stopped learning by its own model, which learns nothing either; training curves
of the fused model alone look the same for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..preparation import Prepared
from ..tasks import Task, constant
from .validation import Measured, Member

_KEPT = 2 / 3
"""A field has stopped learning if its vote is less than this share of the way from a constant's answer to what it reaches alone."""
_SURE = 3.0
"""And its own model answers better, row by row, than the vote and than a constant, by this many standard errors."""
_FITS = 0.5
"""A field fits the training rows if its own loss there is at most this share of the loss of the one that stopped."""

Balance = dict[str, dict[str, dict[str, Any]]]
"""By field and task: the ``metric``; what the field reaches ``alone`` (None: not tried), its ``vote`` and a ``constant``; ``stopped``."""


def compare(prepared: Prepared, whole: Measured, alone: Mapping[str, Measured]) -> Balance:
    """Every field that has a vote of its own; the rows of ``alone`` are the first of ``whole``."""
    found: Balance = {}
    rows, _ = prepared.member(0)
    for name, task in prepared.tasks.items():
        logits_C, _ = constant(task, prepared.train.targets[name][rows])
        same_1C = task.scores(torch.from_numpy(logits_C).unsqueeze(0)).numpy()
        for field, scores_NC in whole.own.get(name, {}).items():
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
            worth = {key: None if scores is None else task.measure(target[there], scores)[0][metric] for key, scores in of.items()}
            stopped = has_stopped(task, target[there], worth, of)
            found.setdefault(field, {})[name] = {"metric": task.usual_metric, **worth, "rows": int(there.sum()), "stopped": stopped}
    return found


def has_stopped(
    task: Task, target_NT: np.ndarray, worth: Mapping[str, float | None], scores: Mapping[str, np.ndarray | None]
) -> bool | None:
    """Whether the ``vote`` of a field has not learned what it learns ``alone``; None where there is nothing to compare with."""
    vote, nothing, own = worth["vote"], worth["constant"], worth["alone"]
    if vote is None or nothing is None or own is None:
        return None
    errors = {name: task.errors(target_NT, found) for name, found in scores.items() if found is not None}
    better = min(_deviations(errors[name] - errors["alone"]) for name in ("vote", "constant"))
    return bool(vote - nothing < _KEPT * (own - nothing) and better > _SURE)


def _deviations(values_N: np.ndarray) -> float:
    """The mean in standard errors of it."""
    error = float(values_N.std()) / max(len(values_N) - 1, 1) ** 0.5
    return float(values_N.mean()) / max(error, 1e-12)


def warnings(found: Balance, members: Sequence[Member], kind: str) -> list[str]:
    """A line for each field that stopped learning, with what it came to and what may mend it."""
    lines = []
    history = members[0].fitted.history
    fix = "a larger training.auxiliary, or training.balance.kind=" + ("ogm_ge with training.balance.alpha=2" if kind == "none" else "none")
    for field, by_task in found.items():
        for task, facts in by_task.items():
            if facts["stopped"]:
                because = f"; {why}" if (why := _because(field, history)) else ""
                lines.append(
                    f"field {field!r} stopped learning beside the others: alone it reaches {facts['metric']} {facts['alone']:.4f} of "
                    f"{task}, its vote inside the fused model {facts['vote']:.4f} (a constant {facts['constant']:.4f}), on the same "
                    f"{facts['rows']:,} held-out rows{because}; try {fix}"
                )
    return lines


def _because(field: str, history: Sequence[Mapping[str, Any]]) -> str:
    """Which other field fits the training rows, and since when."""
    for epoch in history:
        losses = {name: facts["loss"] for name, facts in epoch["fields"].items() if facts["loss"] is not None}
        if field not in losses:
            continue
        best = min(losses, key=lambda name: losses[name])
        if best != field and losses[best] < _FITS * losses[field]:
            return (
                f"{best!r} fits the training rows since epoch {epoch['epoch']} (its own loss {losses[best]:.3f}, here {losses[field]:.3f})"
            )
    return ""
