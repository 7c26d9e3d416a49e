"""Votes as evidence (TMC, Han et al. 2021, arXiv:2102.02051; Sensoy et al. 2018, arXiv:1806.01768): the head of each field returns evidence
e >= 0 for each of K classes. alpha = e + 1 are the parameters of a Dirichlet distribution, whose uncertainty is K / sum(alpha). Dempster's
reduced rule combines the fields.

The rule has a closed form: with belief b = e / sum(alpha) and uncertainty u = K / sum(alpha), a voter contributes the factor 1 + b / u = 1
+ e / K to each class, and the combination is the product of the factors. So it does not depend on the order of the fields, a missing field,
e = 0, is a factor of 1, and the prediction for a row without fields is uniform. The prediction is the mean of the Dirichlet distribution,
alpha / sum(alpha).

Differences from TMC: evidence is a softplus, for its gradient; the weight of the KL term rises to 1 over the whole of training, in the
paper over 50 epochs; one exponent on all votes is fitted on validation rows, because the KL term makes predictions far less confident than
they are accurate; class weights of the task are applied, label smoothing is not. The two classes of a binary task have two outputs here.

Shapes: ``B`` rows, ``K`` classes, ``V`` voters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..flow import FUSED
from .task import Task
from .voting import FittingRows, Rule, Votes, scaled

_SUREST = 9.0
"""The logarithm of the largest alpha that a loss distinguishes; beyond it, float32 cannot represent the differences in the KL term."""


class Evidential(Rule):
    """Dempster's rule of combination over the fields that a row has."""

    linear = False

    @classmethod
    def refusal(cls, task: type[Task]) -> str:
        """Return why evidence cannot be collected for a task: its head has no output for each of several mutually exclusive classes."""
        if task.one_output_a_class:
            return ""
        reason = "this kind of target has no output for each class"
        if not task.has_classes or task.answers_are_lists:
            reason = "labels do not" if task.answers_are_lists else "here are none"
        return f"evidence is counted for classes that exclude one another, and {reason}"

    @property
    def width(self) -> int:
        """The width of one vote: K, one output for each class."""
        return max(self.outputs, 2)

    def start(self, voters: int) -> list[float]:
        """Return a weight of 1 for each vote."""
        return [1.0] * voters

    def fit(
        self, task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray], select: bool = False
    ) -> list[float]:
        """Fit one weight for all votes: the evidence of each field contains its uncertainty, and the weight calibrates it on validation
        rows."""
        return scaled(np.ones(len(votes)), FittingRows(self, task, votes, target_NT, present), whole=len(votes))

    def pool(self, votes: Votes, present: Mapping[str, Tensor], weights_V: Tensor) -> Tensor:
        """Return log alpha, whose softmax is alpha / sum(alpha); for a binary task the difference, whose sigmoid is the probability."""
        logs_VBK = torch.stack([_logs(vote_BK) * present[voter].unsqueeze(1) for voter, vote_BK in votes.items()])
        log_alpha_BK = _log_alpha((weights_V.view(-1, 1, 1) * logs_VBK).sum(0))
        return log_alpha_BK if self.outputs > 1 else log_alpha_BK[:, 1:] - log_alpha_BK[:, :1]

    def alone(self, votes: Votes, present: Mapping[str, Tensor]) -> Tensor:
        """Return the prediction of each vote by itself: the mean of its Dirichlet distribution, as logits."""
        return torch.stack([self.pool({voter: vote}, present, vote.new_ones(1)) for voter, vote in votes.items()])

    def losses(self, task: Task, votes: Votes, present: Mapping[str, Tensor], target_BT: Tensor, done: float) -> dict[str, Tensor]:
        """Return the losses of the evidence of each field, and of all evidence combined."""
        logs = {voter: _logs(vote_BK) for voter, vote_BK in votes.items()}
        combined_BK = torch.stack([logs_BK * present[voter].unsqueeze(1) for voter, logs_BK in logs.items()]).sum(0)
        truth_B = target_BT[:, 0].nan_to_num(0.0).clamp(min=0).long()
        weights = task.state.get("class_weights")
        weight_B = torch.tensor(weights, device=truth_B.device)[truth_B] if weights else 1.0
        return {voter: weight_B * _loss(_log_alpha(logs_BK), truth_B, done) for voter, logs_BK in {FUSED: combined_BK, **logs}.items()}


def _logs(vote_BK: Tensor) -> Tensor:
    """Return log(1 + e / K) of the evidence of a vote; these logarithms add up where evidence is combined."""
    return torch.log1p(functional.softplus(vote_BK) / vote_BK.shape[1])


def _log_alpha(logs_BK: Tensor) -> Tensor:
    """Return log(e + 1) for e = K * (exp(logs_BK) - 1), also where exp(logs_BK) would overflow."""
    K = logs_BK.shape[1]
    return logs_BK + torch.log(K - (K - 1) * torch.exp(-logs_BK))


def _loss(log_alpha_BK: Tensor, truth_B: Tensor, annealed: float) -> Tensor:
    """Return the expected cross-entropy under the Dirichlet distribution, plus the KL divergence of the evidence for wrong classes from
    none."""
    alpha_BK = log_alpha_BK.clamp(max=_SUREST).exp()
    truth_BK = functional.one_hot(truth_B, alpha_BK.shape[1]).to(alpha_BK.dtype)
    entropy_B = torch.digamma(alpha_BK.sum(1)) - (truth_BK * torch.digamma(alpha_BK)).sum(1)
    wrong_BK = truth_BK + (1 - truth_BK) * alpha_BK
    total_B1 = wrong_BK.sum(1, keepdim=True)
    classes = torch.full_like(total_B1, float(alpha_BK.shape[1]))
    spread_BK = (wrong_BK - 1) * (torch.digamma(wrong_BK) - torch.digamma(total_B1))
    kl_B = (torch.lgamma(total_B1) - torch.lgamma(classes)).squeeze(1) + (spread_BK - torch.lgamma(wrong_BK)).sum(1)
    return entropy_B + annealed * kl_B
