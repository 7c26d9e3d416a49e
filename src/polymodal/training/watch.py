"""What each field does while a model trains: the loss of its own vote, its share of the gradient, how far it is held back.

Nothing here changes a bit of the model. Sums are kept in ``Progress.fields``, by voter, the fused one under "".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import torch
from torch import nn

from ..flow import FUSED
from ..model import MultiModalModel
from .objective import Own

Sums = dict[str, dict[str, float]]


@dataclass
class Seen:
    """One step, after backward."""

    loss: float = 0.0
    own: dict[str, list[float]] = field(default_factory=dict)
    """By voter: the sums over rows of loss and of exp(-loss), and the rows, by weight."""
    norms: dict[str, float] = field(default_factory=dict)
    """By field, of its encoder's gradient."""

    def add(self, loss: float, own: Own) -> None:
        """Of a part of the batch."""
        self.loss += loss
        for voter, sums in own.items():
            self.own[voter] = [before + more for before, more in zip(self.own.get(voter, [0.0, 0.0, 0.0]), sums, strict=True)]

    def confidence(self, fields: Iterable[str]) -> dict[str, float]:
        """The mean of exp(-loss), of each field that a row of the batch has."""
        return {name: self.own[name][1] / self.own[name][2] for name in fields if name in self.own and self.own[name][2] > 0}


def encoders_of(model: MultiModalModel) -> dict[str, list[nn.Parameter]]:
    """The parameters of each field's encoder that learn."""
    return {
        name: [parameter for parameter in encoder.parameters() if parameter.requires_grad]
        for name, encoder in zip(model.names, model.encoders, strict=True)
    }


def clip(model: nn.Module, encoders: Mapping[str, Sequence[nn.Parameter]], most: float) -> tuple[float, dict[str, float]]:
    """Clip the gradient to the norm ``most``, as ``torch.nn.utils.clip_grad_norm_`` does; its norm before, and that of each encoder's."""
    learning = [parameter for parameter in model.parameters() if parameter.grad is not None]
    norms_P = torch.stack([torch.linalg.vector_norm(parameter.grad) for parameter in learning])  # type: ignore[arg-type]
    total = torch.linalg.vector_norm(norms_P)
    torch.nn.utils.clip_grads_with_norm_(learning, most, total)
    every = [*norms_P.tolist(), float(total)] if norms_P.device.type == "cpu" else torch.cat([norms_P, total.view(1)]).tolist()
    place = {parameter: at for at, parameter in enumerate(learning)}
    by_field = {name: sum(every[place[one]] ** 2 for one in members if one in place) ** 0.5 for name, members in encoders.items()}
    return every[-1], by_field


def count(sums: Sums, seen: Seen, held: Mapping[str, float]) -> None:
    """Add a step that was taken to the sums of its epoch; ``held`` is by field the multiple of its step."""
    total = sum(seen.norms.values())
    for voter, (loss, _, rows) in seen.own.items():
        before = sums.setdefault(voter, {"loss": 0.0, "rows": 0.0, "gradient": 0.0, "step": 0.0, "steps": 0.0})
        before["loss"] += loss
        before["rows"] += rows
        if voter != FUSED and isfinite(total) and total > 0:
            before["gradient"] += seen.norms[voter] / total
            before["step"] += held.get(voter, 1.0)
            before["steps"] += 1


_NOTHING, _FITS, _EPOCHS = 0.95, 0.5, 3


def silent(history: Sequence[Mapping[str, Any]], constant: float) -> dict[str, str]:
    """Fields that, as of the last epoch and not before it, have learned nothing that holds for other rows, and the field that fits the
    training rows meanwhile: in ``_EPOCHS`` epochs running its own loss was at most half of theirs, and theirs on held-out rows was never
    better than a constant's by 5 %.

    Whether such a field holds nothing, or stopped learning, curves cannot tell: both look like this.
    """
    found = _silent(history, constant)
    return {
        name: other for name, other in found.items() if not any(name in _silent(history[:end], constant) for end in range(len(history)))
    }


def _silent(history: Sequence[Mapping[str, Any]], constant: float) -> dict[str, str]:
    found: dict[str, str] = {}
    if len(history) < _EPOCHS:
        return found
    for name, now in history[-1]["fields"].items():
        held_out = [one["fields"][name]["held_out"] for one in history if name in one["fields"]]
        if now["loss"] is None or None in held_out or min(held_out) < _NOTHING * constant:
            continue
        for other in history[-1]["fields"]:
            last = [(one["fields"].get(other, {}).get("loss"), one["fields"].get(name, {}).get("loss")) for one in history[-_EPOCHS:]]
            if other != name and all(theirs is not None and own is not None and theirs < _FITS * own for theirs, own in last):
                found[name] = other
    return found


def losses(sums: Sums) -> dict[str, float]:
    """The mean loss of each voter's own answer in an epoch."""
    return {voter: found["loss"] / found["rows"] for voter, found in sums.items() if found["rows"] > 0}


def report(sums: Sums, held_out: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """An epoch's facts by field: ``loss`` of its own vote in training and ``held_out``, its share of the ``gradient``, the mean multiple of
    its ``step``; None where there is none."""
    own = losses(sums)
    return {
        name: {
            "loss": own.get(name),
            "held_out": held_out.get(name),
            "gradient": found["gradient"] / found["steps"] if found["steps"] else None,
            "step": found["step"] / found["steps"] if found["steps"] else None,
        }
        for name, found in sums.items()
        if name != FUSED
    }
