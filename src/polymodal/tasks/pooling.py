"""The pool of votes, and the weights that minimise its loss.

Shapes: ``N`` rows, ``C`` outputs of a task, ``V`` voters, ``T`` numbers of a target.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .task import Task

PRIOR_ROWS = 2.0
"""The number of rows that the prior of the sum of the weights counts as."""
_LEAST_WEIGHT = 1e-3
"""The lower bound of each weight while weights are fitted, so that the shares of the voters are defined in rows that lack others."""
_STEPS, _HALVINGS = 60, 20
_TOLERANCE = 1e-9  # relative to the loss: a step with a smaller improvement is the last


def pooled(votes_VNC: Tensor, present_VN: Tensor, weights_V: Tensor, fused: bool) -> Tensor:
    """Return the weighted sum (N, C) of the votes of the voters that a row has. The weight of an absent voter is divided among the others.

    :param votes_VNC: the votes
    :param present_VN: which voters each row has
    :param weights_V: the weights
    :param fused: whether the first vote is that of the fused representation. If no voter of a row has a positive weight, the fused vote
        gets the whole weight; without a fused vote, all voters of the row (or all voters, if the row has none) get equal weights
    """
    share_VN = weights_V.unsqueeze(1) * present_VN
    total_N = share_VN.sum(0)
    if fused:
        otherwise_VN = torch.zeros_like(share_VN)
        otherwise_VN[0] = 1.0
    else:
        some_VN = torch.where(present_VN.any(0), present_VN, torch.ones_like(present_VN)).to(share_VN.dtype)
        otherwise_VN = some_VN / some_VN.sum(0)
    share_VN = torch.where(total_N > 0, share_VN / total_N.clamp(min=1e-12), otherwise_VN) * weights_V.sum()
    # The vote of an absent field is finite but has no meaning; it is multiplied by exactly 0.
    return (share_VN.unsqueeze(-1) * votes_VNC).sum(0)


@torch.no_grad()
def least_weights(task: Task, votes_VNC: Tensor, present_VN: Tensor, target_NT: Tensor, start_V: Tensor, scaled: bool) -> Tensor:
    """Return the weights that minimise the mean loss of the pool of votes.

    The method is the projected Newton method of Bertsekas (1982, SIAM Journal on Control and Optimization 20) with the Gauss-Newton
    matrix, which is exact if no row lacks a voter: the loss is then convex in the weights. A prior that counts as ``PRIOR_ROWS`` rows
    shrinks the sum of the weights towards 1: if every row is predicted correctly, a larger sum would always decrease the loss.

    :param votes_VNC: the logits of each voter, float64 (V, N, C), finite also where the voter is absent
    :param present_VN: bool (V, N), which voters each row has; at least one
    :param target_NT: the targets, float64 (N, T), none of them missing
    :param start_V: the weights to begin at, float64 (V,)
    :param scaled: whether the sum of the weights multiplies the prediction; otherwise the prediction is the weighted mean of the votes
    :returns: float64 (V,), each at least ``_LEAST_WEIGHT``
    """
    rows, prior = len(target_NT), PRIOR_ROWS / len(target_NT)
    whole = bool(present_VN.all())
    there_VN1 = present_VN.to(votes_VNC.dtype).unsqueeze(-1)

    def at(weights_V: Tensor) -> tuple[float, Tensor, Tensor, Tensor | float]:
        """Return the loss, the logits of the prediction, the weighted mean of the votes, and the sum of the weights of a row's voters."""
        if whole:  # one product of matrices, and one sum for all rows
            total: Tensor | float = float(weights_V.sum())
            mean_NC = (weights_V @ votes_VNC.flatten(1)).view(votes_VNC.shape[1:]) / total
        else:
            share_VN1 = weights_V.view(-1, 1, 1) * there_VN1
            total = share_VN1.sum(0)
            mean_NC = (share_VN1 * votes_VNC).sum(0) / total
        logits_NC = mean_NC * weights_V.sum() if scaled else mean_NC
        loss = task.plain_losses(logits_NC, target_NT).mean() + prior * (weights_V.sum() - 1) ** 2
        return float(loss), logits_NC, mean_NC, total

    weights_V = start_V.clamp(min=_LEAST_WEIGHT)
    loss, logits_NC, mean_NC, total = at(weights_V)
    for _ in range(_STEPS):
        if scaled and whole:
            slope_VNC = votes_VNC
        else:
            slope_VNC = there_VN1 * (votes_VNC - mean_NC) / total
            if scaled:
                slope_VNC = mean_NC + weights_V.sum() * slope_VNC
        gradient_V = (slope_VNC * task.plain_gradient(logits_NC, target_NT)).sum((1, 2)) / rows + 2 * prior * (weights_V.sum() - 1)
        hessian_VV = task.plain_curvature(logits_NC, target_NT, slope_VNC) / rows + 2 * prior
        step_V = _newton_step(weights_V, gradient_V, hessian_VV)
        before_V, before = weights_V, loss
        for halved in range(_HALVINGS):
            weights_V = (before_V + step_V / 2**halved).clamp(min=_LEAST_WEIGHT)
            loss, logits_NC, mean_NC, total = at(weights_V)
            if loss <= before + 1e-4 * float(gradient_V @ (weights_V - before_V)):
                break
        else:
            return before_V
        if before - loss <= _TOLERANCE * max(1.0, abs(before)):
            break
    return weights_V


def equal_weights(task: Task, votes_VNC: Tensor, present_VN: Tensor, target_NT: Tensor) -> Tensor:
    """Return equal weights (V,); for classes, their sum minimises the loss, with the prior of ``least_weights``.

    The parameters are those of ``least_weights``.
    """
    equal_V = torch.full((len(votes_VNC),), 1 / len(votes_VNC), dtype=torch.float64)
    if not task.has_classes:
        return equal_V
    mean_1NC = pooled(votes_VNC, present_VN, equal_V, fused=False).unsqueeze(0)
    one_V = torch.ones(1, dtype=torch.float64)
    return equal_V * least_weights(task, mean_1NC, torch.ones_like(present_VN[:1]), target_NT, one_V, scaled=True)


def _newton_step(weights_V: Tensor, gradient_V: Tensor, hessian_VV: Tensor) -> Tensor:
    """Return the Newton step (V,) of the free weights; weights at their bound whose gradient points beyond it are fixed."""
    free_V = (weights_V > _LEAST_WEIGHT) | (gradient_V < 0)
    inner = hessian_VV[free_V][:, free_V]
    inner = inner + (1e-10 + 1e-8 * inner.diagonal().mean()) * torch.eye(len(inner), dtype=inner.dtype)
    step_V = torch.zeros_like(weights_V)
    step_V[free_V] = -torch.linalg.solve(inner, gradient_V[free_V])
    return step_V
