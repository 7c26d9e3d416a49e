"""Figures of each field during training: the loss of its own vote, its share of the gradient, and the factor of its step.

They do not change the model. Sums are stored in ``Progress.fields`` by voter, those of the fused vote under ``""``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

import torch
from torch import nn

from ..flow import FUSED
from ..model import MultiModalModel
from .events import EpochEvent, FieldFigures
from .objective import Own

Sums = dict[str, dict[str, float]]


@dataclass
class StepFigures:
    """The figures of one step after the backward pass."""

    loss: float = 0.0
    """The loss of the batch."""
    own: dict[str, list[float]] = field(default_factory=dict)
    """By voter, the weighted sums over rows of the loss and of exp(-loss), and the total weight of the rows."""
    norms: dict[str, float] = field(default_factory=dict)
    """By field, the norm of the gradient of its encoder."""

    def add(self, loss: float, own: Own) -> None:
        """Add the figures of a part of the batch."""
        self.loss += loss
        for voter, sums in own.items():
            self.own[voter] = [before + more for before, more in zip(self.own.get(voter, [0.0, 0.0, 0.0]), sums, strict=True)]

    def confidence(self, fields: Iterable[str]) -> dict[str, float]:
        """Return the mean of exp(-loss) of each field's vote. Fields that are missing in all rows of the batch are absent."""
        return {name: self.own[name][1] / self.own[name][2] for name in fields if name in self.own and self.own[name][2] > 0}


def encoders_of(model: MultiModalModel) -> dict[str, list[nn.Parameter]]:
    """Return the trainable parameters of each field's encoder."""
    return {
        name: [parameter for parameter in encoder.parameters() if parameter.requires_grad]
        for name, encoder in zip(model.names, model.encoders, strict=True)
    }


def clip(model: nn.Module, encoders: Mapping[str, Sequence[nn.Parameter]], most: float) -> tuple[float, dict[str, float]]:
    """Clip the gradient of a model to the norm ``most``, as ``torch.nn.utils.clip_grad_norm_`` does.

    :returns: the norm of the gradient before clipping, and that of the gradient of each field's encoder
    """
    learning = [parameter for parameter in model.parameters() if parameter.grad is not None]
    norms_P = torch.stack([torch.linalg.vector_norm(parameter.grad) for parameter in learning])
    total = torch.linalg.vector_norm(norms_P)
    torch.nn.utils.clip_grads_with_norm_(learning, most, total)
    every = [*norms_P.tolist(), float(total)] if norms_P.device.type == "cpu" else torch.cat([norms_P, total.view(1)]).tolist()
    place = {parameter: at for at, parameter in enumerate(learning)}
    by_field = {name: sum(every[place[one]] ** 2 for one in members if one in place) ** 0.5 for name, members in encoders.items()}
    return every[-1], by_field


def count(sums: Sums, figures: StepFigures, factors: Mapping[str, float]) -> None:
    """Add a step to the sums of its epoch.

    :param sums: the sums, which are changed
    :param figures: the figures of the step
    :param factors: the factors of the learning rate by field; absent = 1
    """
    total = sum(figures.norms.values())
    for voter, (loss, _, rows) in figures.own.items():
        before = sums.setdefault(voter, {"loss": 0.0, "rows": 0.0, "gradient": 0.0, "step": 0.0, "steps": 0.0})
        before["loss"] += loss
        before["rows"] += rows
        if voter != FUSED and isfinite(total) and total > 0:
            before["gradient"] += figures.norms[voter] / total
            before["step"] += factors.get(voter, 1.0)
            before["steps"] += 1


_NOTHING, _FITS, _EPOCHS = 0.95, 0.5, 3


def silent(history: Sequence[EpochEvent], constant: float) -> dict[str, str]:
    """Return fields that have learned nothing that generalizes, each with the field that fits the training rows instead.

    A field is returned if its validation loss was never 5 % better than that of a constant, and if the training loss of the other field was
    less than half of its own in the last three epochs. Each field is returned only once, in the first epoch in which this holds. The curves
    do not show whether such a field is uninformative or has stopped learning.

    :param history: the events of every epoch so far
    :param constant: the loss of a constant prediction
    """
    pairs = _silent(history, constant)
    return {
        name: other for name, other in pairs.items() if not any(name in _silent(history[:end], constant) for end in range(len(history)))
    }


def _silent(history: Sequence[EpochEvent], constant: float) -> dict[str, str]:
    pairs: dict[str, str] = {}
    if len(history) < _EPOCHS:
        return pairs
    for name, now in history[-1].fields.items():
        validation = [one.fields[name].held_out for one in history if name in one.fields]
        if now.loss is None or any(loss is None or loss < _NOTHING * constant for loss in validation):
            continue
        for other in history[-1].fields:
            last = [(_loss(one, other), _loss(one, name)) for one in history[-_EPOCHS:]]
            if other != name and all(theirs is not None and own is not None and theirs < _FITS * own for theirs, own in last):
                pairs[name] = other
    return pairs


def _loss(epoch: EpochEvent, field: str) -> float | None:
    """Return the training loss of a field's own vote in an epoch; None if it has none."""
    return epoch.fields[field].loss if field in epoch.fields else None


def losses(sums: Sums) -> dict[str, float]:
    """Return the mean training loss of each voter in an epoch."""
    return {voter: totals["loss"] / totals["rows"] for voter, totals in sums.items() if totals["rows"] > 0}


def report(sums: Sums, validation: Mapping[str, float]) -> dict[str, FieldFigures]:
    """Return the figures of an epoch by field.

    :param sums: the sums of the epoch
    :param validation: the mean validation loss of each voter
    """
    own = losses(sums)
    return {
        name: FieldFigures(
            loss=own.get(name),
            held_out=validation.get(name),
            gradient=totals["gradient"] / totals["steps"] if totals["steps"] else None,
            step=totals["step"] / totals["steps"] if totals["steps"] else None,
        )
        for name, totals in sums.items()
        if name != FUSED
    }
