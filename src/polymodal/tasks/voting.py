"""How the votes of the fused representation and of single fields become one answer.

The answer is a weighted sum of the voters' logits: a log-linear pool (Hinton 2002) whose weights are fitted on rows that
training did not see, so a field that only adds noise, or a fusion that learned less than one field alone, loses its say.
The sum of the weights is free for classes, and so calibrates as temperature scaling does (Guo et al. 2017,
arXiv:1706.04599); for a number it is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..flow import FUSED
from .regression import Regression
from .task import Task

_PRIOR_ROWS = 5.0
_FEWEST = 16
"""Held-out rows under which the fused vote stands alone."""


def pool(votes: Mapping[str, Tensor], present: Mapping[str, Tensor], weights_V: Tensor) -> Tensor:
    """One answer (B, C) from votes (B, C) by voter, ``FUSED`` first. A field that a row lacks has no say there: its weight
    goes to the other voters of the row, and to the fused vote where none of them had any."""
    stacked_VBC = torch.stack(list(votes.values()))
    said_VB = torch.stack([torch.ones_like(next(iter(present.values()))) if voter == FUSED else present[voter] for voter in votes])
    share_VB = weights_V.unsqueeze(1) * said_VB
    total_B = share_VB.sum(0)
    only_fused_VB = torch.zeros_like(share_VB)
    only_fused_VB[0] = 1.0
    share_VB = torch.where(total_B > 0, share_VB / total_B.clamp(min=1e-12), only_fused_VB) * weights_V.sum()
    # An absent field's vote is finite but means nothing: multiplied by an exact zero it leaves no trace.
    return (share_VB.unsqueeze(-1) * stacked_VBC).sum(0)


def fit_weights(task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray]) -> list[float]:
    """Weights of the voters (the fused one first), each 0 or more, that make the loss on held-out rows least.

    ``votes`` are logits (N, C) by voter; ``present`` (N,) says where each voter has a say. Starts from the fused vote
    alone and leaves it only for a gain: with few rows or one voter the answer is the fused vote's, scaled.
    """
    known = ~np.isnan(target_NT).any(1) & (target_NT > -1 if not isinstance(task, Regression) else np.isfinite(target_NT)).all(1)
    everyone = np.logical_and.reduce([known, *present])
    if everyone.sum() < _FEWEST:
        return [1.0] + [0.0] * (len(votes) - 1)
    logits_VNC = torch.stack([torch.from_numpy(np.asarray(vote, np.float64)[everyone]) for vote in votes])
    target = torch.from_numpy(np.asarray(target_NT, np.float64)[everyone])
    free = torch.full((len(votes),), -2.0, dtype=torch.float64)
    free[0] = 0.5413  # softplus of it is 1
    free.requires_grad_(True)
    optimiser = torch.optim.LBFGS([free], max_iter=200, line_search_fn="strong_wolfe")

    def weights() -> Tensor:
        if isinstance(task, Regression):
            return free.softmax(0)
        return torch.nn.functional.softplus(free)

    def closure() -> Tensor:
        optimiser.zero_grad()
        pooled = (weights().view(-1, 1, 1) * logits_VNC).sum(0)
        # A prior worth a few rows: where every row is answered rightly, a larger sum would gain for ever.
        loss = _plain_losses(task, pooled, target).mean() + _PRIOR_ROWS / len(target) * (weights().sum() - 1) ** 2
        loss.backward()
        return loss

    optimiser.step(closure)
    fitted = weights().detach()
    fitted = torch.where(fitted < 0.02 * fitted.sum(), torch.zeros_like(fitted), fitted)
    if isinstance(task, Regression):
        fitted = fitted / fitted.sum()
    return [round(float(weight), 6) for weight in fitted]


def _plain_losses(task: Task, logits: Tensor, target: Tensor) -> Tensor:
    """The task's loss without what only regularises training (label smoothing, class weights)."""
    if task.config.kind == "multiclass":
        return torch.nn.functional.cross_entropy(logits, target[:, 0].long(), reduction="none")
    if task.config.kind == "binary":
        return torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], target[:, 0], reduction="none")
    return task.losses(logits, target)
