"""The training objective: the losses of a batch, computed in one or more parts, and modality dropout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..flow import FUSED, Batch, Output
from ..tasks import Rule, Task

Counts = Mapping[tuple[str, str], float]
"""The total weight of the rows of a batch, by task and voter."""
Own = Mapping[str, Sequence[float]]
"""By voter: the weighted sums over rows of the loss of its own vote and of exp(-loss), and the total weight of the rows."""
PROBE = 0.1
"""The weight of the losses of heads that pass no gradient to their encoders. AdamW's steps do not depend on it; clipping hardly does."""


@dataclass(frozen=True)
class Objective:
    """The sum of the fused loss of each task and of the losses of the single-field votes, weighted by ``auxiliary``.

    Without a fused vote, each single-field loss has weight 1.
    """

    tasks: Mapping[str, Task]
    fields: Sequence[str]
    auxiliary: float
    rules: Mapping[str, Rule]

    def counts(self, parts: Sequence[Batch]) -> Counts:
        """Return the total weight of the rows of a whole batch, by task and voter, by which summed losses are divided."""
        totals: dict[tuple[str, str], float] = {}
        for part in parts:
            for name in self.tasks:
                known_B = _known(part, name)
                voters = {FUSED: known_B, **{field: known_B * part.fields[field].present_B for field in self.fields}}
                for voter, weights_B in voters.items():
                    totals[name, voter] = totals.get((name, voter), 0.0) + float(weights_B.sum())
        return totals

    def loss(self, output: Output, part: Batch, counts: Counts, done: float = 0.0, shares: Mapping[str, float] | None = None) -> Tensor:
        """Return the contribution of a part to the loss of its batch, a scalar tensor.

        :param counts: the result of ``counts`` for the whole batch
        :param done: the fraction of training that is complete, from 0 to 1
        :param shares: the weights of the losses by voter; None for the default weights
        """
        total = torch.zeros((), device=output.fused_BD.device)
        for name, task in self.tasks.items():
            known_B = _known(part, name)
            for voter, losses_B in self._losses(output, part, name, done).items():
                if counts[name, voter] <= 0:
                    continue
                weights_B = known_B if voter == FUSED else known_B * part.fields[voter].present_B
                mean = (losses_B * weights_B).sum() / counts[name, voter]
                share = shares[voter] if shares is not None else self._share(name, voter)
                total = total + task.config.weight * share * mean
        return total

    def _share(self, task: str, voter: str) -> float:
        return (self.auxiliary or PROBE) if voter != FUSED and self.rules[task].fused else 1.0

    @torch.no_grad()
    def own(self, output: Output, part: Batch) -> Own:
        """Return the sums of the losses of each voter alone over all tasks, each task with its weight."""
        sums: dict[str, list[float]] = {}
        for name, task in self.tasks.items():
            votes = output.votes.get(name) or {FUSED: output.logits[name]}
            known_B = _known(part, name)
            weights_VB = torch.stack([known_B if voter == FUSED else known_B * part.fields[voter].present_B for voter in votes])
            present = {field: part.fields[field].present_B for field in self.fields}
            losses_VB = self.rules[name].own_losses(task, votes, present, part.targets[name])
            sums_3V = torch.stack([(weights_VB * losses_VB).sum(1), (weights_VB * torch.exp(-losses_VB)).sum(1), weights_VB.sum(1)])
            for voter, values in zip(votes, (task.config.weight * sums_3V).T.tolist(), strict=True):
                sums[voter] = [before + more for before, more in zip(sums.get(voter, [0.0, 0.0, 0.0]), values, strict=True)]
        return sums if len(self.fields) > 1 or FUSED not in sums else {**sums, self.fields[0]: sums[FUSED]}

    @torch.no_grad()
    def rows_not_finite(self, output: Output, part: Batch) -> list[int]:
        """Return the rows (1 = first) whose own loss is not finite, or all rows of the part if there is no such row."""
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
    """Return the weight of each row (B,) in the loss of a task; 0 for a row without a target."""
    known_B = (~part.targets[task].isnan().any(1)).float()
    return known_B if part.weights_B is None else known_B * part.weights_B


def share_hidden(most: float | Mapping[str, float], schedule: str, done: float) -> float | dict[str, float]:
    """Return the probability of hiding a field (or the probabilities by field) when the fraction ``done`` of all steps is complete."""
    now = {"constant": 1.0, "rise": done, "fall": 1.0 - done}[schedule]
    return {name: now * share for name, share in most.items()} if isinstance(most, Mapping) else now * most


def hide_some(parts: Sequence[Batch], share: float | Mapping[str, float], rng: np.random.Generator) -> list[Batch]:
    """Modality dropout (Neverova et al. 2015, arXiv:1501.00102): hide each field of each row with probability ``share``, one value or
    one by field.

    A row that would lose all its present fields keeps all of them. The values are sampled for the whole batch, so that the number of parts
    does not change the result.
    """
    if not share or len(parts[0].fields) < 2:
        return list(parts)
    names = list(parts[0].fields)
    present_FB = torch.stack([torch.cat([part.fields[name].present_B for part in parts]) for name in names])
    share_F1 = np.array([[share.get(name, 0.0) if isinstance(share, Mapping) else share] for name in names])
    hidden_FB = torch.from_numpy(rng.random(tuple(present_FB.shape)) < share_F1)
    nothing_B = ~(present_FB & ~hidden_FB).any(0)
    hidden_FB = hidden_FB & ~nothing_B
    out, start = [], 0
    for part in parts:
        end = start + len(part.rows)
        hidden = zip(names, hidden_FB[:, start:end], strict=True)
        out.append(replace(part, fields={name: part.fields[name].hide(hidden_B) for name, hidden_B in hidden}))
        start = end
    return out
