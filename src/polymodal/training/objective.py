"""What training makes small: the losses of a batch, however many parts it is computed in; and what it hides from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..flow import FUSED, Batch, Output
from ..tasks import Rule, Task

Counts = Mapping[tuple[str, str], float]
"""By task and voter: the weight of all rows of a batch."""


@dataclass(frozen=True)
class Objective:
    """The fused loss of every task, and, at the weight ``auxiliary``, the losses of single-field votes; where those are all
    there is, each has its whole weight."""

    tasks: Mapping[str, Task]
    fields: Sequence[str]
    auxiliary: float
    rules: Mapping[str, Rule]

    def counts(self, parts: Sequence[Batch]) -> Counts:
        """What the weighted losses of a whole batch are divided by, for each task and voter."""
        totals: dict[tuple[str, str], float] = {}
        for part in parts:
            for name in self.tasks:
                known_B = _known(part, name)
                voters = {FUSED: known_B, **{field: known_B * part.fields[field].present_B for field in self.fields}}
                for voter, weights_B in voters.items():
                    totals[name, voter] = totals.get((name, voter), 0.0) + float(weights_B.sum())
        return totals

    def loss(self, output: Output, part: Batch, counts: Counts, done: float = 0.0) -> Tensor:
        """A part's share of the loss of its batch; ``done`` is the share of training that is over."""
        total = torch.zeros((), device=output.fused_BD.device)
        for name, task in self.tasks.items():
            known_B = _known(part, name)
            for voter, losses_B in self._losses(output, part, name, done).items():
                if counts[name, voter] <= 0:
                    continue
                weights_B = known_B if voter == FUSED else known_B * part.fields[voter].present_B
                mean = (losses_B * weights_B).sum() / counts[name, voter]
                share = self.auxiliary if voter != FUSED and self.rules[name].fused else 1.0
                total = total + task.config.weight * share * mean
        return total

    @torch.no_grad()
    def culprits(self, output: Output, part: Batch) -> list[int]:
        """The rows (1 = first) whose own loss is not finite; all of the part where none is to blame alone."""
        bad_B = torch.zeros(len(part.rows), dtype=torch.bool)
        for name in self.tasks:
            known_B = _known(part, name)
            for losses_B in self._losses(output, part, name, 0.0).values():
                bad_B |= (~torch.isfinite(losses_B * known_B) & (known_B > 0)).cpu()
        return [row for row, bad in zip(part.rows, bad_B.tolist(), strict=True) if bad] or list(part.rows)

    def _losses(self, output: Output, part: Batch, name: str, done: float) -> Mapping[str, Tensor]:
        votes = output.votes.get(name) or {FUSED: output.logits[name]}
        votes = {voter: logits.float() for voter, logits in votes.items()}
        present = {field: part.fields[field].present_B for field in self.fields}
        return self.rules[name].losses(self.tasks[name], votes, present, part.targets[name], done)


def _known(part: Batch, task: str) -> Tensor:
    """The weight of each row (B,) in a task's loss: 0 where it has no target."""
    known_B = (~part.targets[task].isnan().any(1)).float()
    return known_B if part.weights_B is None else known_B * part.weights_B


def hide_some(parts: Sequence[Batch], share: float, rng: np.random.Generator) -> list[Batch]:
    """Modality dropout (Neverova et al. 2015, arXiv:1501.00102): hide each field of each row with probability ``share``; a
    row that would lose all it has keeps all. Drawn for the whole batch, so that its parts change nothing."""
    if not share or len(parts[0].fields) < 2:
        return list(parts)
    names = list(parts[0].fields)
    present_FB = torch.stack([torch.cat([part.fields[name].present_B for part in parts]) for name in names])
    hidden_FB = torch.from_numpy(rng.random(tuple(present_FB.shape)) < share)
    nothing_B = ~(present_FB & ~hidden_FB).any(0)
    hidden_FB = hidden_FB & ~nothing_B
    out, start = [], 0
    for part in parts:
        end = start + len(part.rows)
        hidden = zip(names, hidden_FB[:, start:end], strict=True)
        out.append(replace(part, fields={name: part.fields[name].hide(hidden_B) for name, hidden_B in hidden}))
        start = end
    return out
