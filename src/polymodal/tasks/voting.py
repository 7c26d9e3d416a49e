"""The rules by which the votes of the fused representation and of single fields become one prediction, and the losses that training
minimises.

By default the prediction is a weighted sum of the voters' logits: a log-linear pool (Hinton 2002) whose weights are fitted on validation
rows. So a field that only adds noise, or a fusion that learned less than one field alone, gets a small weight. The sum of the weights is
free for classes, and calibrates them like temperature scaling (Guo et al. 2017, arXiv:1706.04599); for a number it is 1. A late fusion also
pools votes, without a fused vote and with weights of another kind; an evidential fusion combines evidence (``evidence.py``). Each of them
is a ``Rule``, and the fusion names it.

Shapes: ``B`` rows, ``C`` outputs of a task, ``V`` voters, ``N`` rows, ``T`` numbers of a target.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ..flow import FUSED
from .pooling import PRIOR_ROWS, equal_weights, least_weights, pooled
from .task import Task

_PRIOR_ERRORS = 5.0
_PRIOR_SCALE, _FAR = 80.0, 0.15  # the prior on the log of the scale: its precision, and where it stops to be quadratic (design 014)
_START = 0.1  # the weight of a single field, beside 1 of the fused vote, at which fitting begins
_CONSTANT_ON, _CONSTANT_SIZE = 4_000, 4_000_000
_PARTS = 5
_CERTAIN_ROWS = 2_000
"""From this number of validation rows, weights are fitted without a comparison with equal ones."""
FEWEST = 16
"""Below this number of validation rows, the weights keep their initial values."""

Votes = Mapping[str, Tensor]
"""The vote of each voter on one task, (B, width of a vote); ``FUSED`` is first if it votes."""


class Rule(ABC):
    """A rule that combines the votes on one task.

    :param outputs: C, the number of outputs of the task
    """

    fused: ClassVar[bool] = False
    """Whether the fused representation has a vote; otherwise only single fields vote."""
    linear: ClassVar[bool] = True
    """Whether multiplying the weights by a number multiplies the logits of the prediction by it."""
    takes_others: ClassVar[bool] = False
    """Whether boosted trees and further networks may vote beside the network."""

    def __init__(self, outputs: int) -> None:
        self.outputs = outputs

    @classmethod
    def refusal(cls, task: type[Task]) -> str:
        """Return the reason why this rule does not support a task, "" if it does."""
        return ""

    @property
    def width(self) -> int:
        """The width of one vote."""
        return self.outputs

    @abstractmethod
    def start(self, voters: int) -> list[float]:
        """Return the initial weights for a number of single fields."""

    @abstractmethod
    def fit(
        self, task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray], select: bool = False
    ) -> list[float]:
        """Fit the weights of the voters on validation rows.

        :param votes: the votes (N, width of a vote) of each voter
        :param present: which rows have each single field, bool (N,)
        :param select: whether equal weights replace the fitted ones where the rows show no signal; takes about twelve times as long.
            Rules without fitted shares ignore it
        """

    def pool(self, votes: Votes, present: Mapping[str, Tensor], weights_V: Tensor) -> Tensor:
        """Return the logits of the prediction (B, C).

        :param present: by field, which rows have it, bool (B,)
        """
        return pool(votes, present, weights_V)

    def alone(self, votes: Votes, present: Mapping[str, Tensor]) -> Tensor:
        """Return the prediction of each vote by itself, as logits (V, B, C)."""
        return torch.stack(list(votes.values()))

    def own_losses(self, task: Task, votes: Votes, present: Mapping[str, Tensor], target_BT: Tensor) -> Tensor:
        """Return the loss of each vote by itself (V, B), without what only regularises training. It is valid for rows that have the voter's
        field and a known target."""
        logits_VBC = self.alone(votes, present).float()
        repeated = task.filled(target_BT).repeat(len(logits_VBC), 1)
        return task.plain_losses(logits_VBC.flatten(0, 1), repeated).view(logits_VBC.shape[:2])

    def losses(self, task: Task, votes: Votes, present: Mapping[str, Tensor], target_BT: Tensor, done: float) -> dict[str, Tensor]:
        """Return the losses that training minimises, (B,) by voter; they are counted in rows that have the voter's field, and those of
        ``FUSED`` in every row.

        :param done: the fraction of training that is complete, from 0 to 1
        """
        return {voter: task.losses(vote, target_BT) for voter, vote in votes.items()}


class Weighed(Rule):
    """The fused vote, those of single fields, of trees and of further networks, with weights that minimise the validation loss."""

    fused = True
    takes_others = True

    def start(self, voters: int) -> list[float]:
        """Return a weight of 1 for the fused vote, and 0 for the others."""
        return [1.0] + [0.0] * voters

    def fit(
        self, task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray], select: bool = False
    ) -> list[float]:
        """Fit the weights by ``fit_weights``."""
        return fit_weights(task, votes, target_NT, present, select)


class Mean(Rule):
    """The mean of the votes of the fields that a row has; for classes multiplied by one number, a temperature."""

    def start(self, voters: int) -> list[float]:
        """Return equal weights that sum to 1."""
        return [1.0 / voters] * voters

    def fit(
        self, task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray], select: bool = False
    ) -> list[float]:
        """Return equal weights whose sum is the fitted scale."""
        return scaled(np.ones(len(votes)), FittingRows(self, task, votes, target_NT, present))


class Learned(Rule):
    """A weight for each field, fitted together on validation rows: a field that is redundant beside others gets a small weight."""

    def start(self, voters: int) -> list[float]:
        """Return equal weights that sum to 1."""
        return [1.0 / voters] * voters

    def fit(
        self, task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray], select: bool = False
    ) -> list[float]:
        """Return the weights that minimise the loss of the pooled prediction, over all rows that have any field."""
        rows = FittingRows(self, task, votes, target_NT, present)
        if rows.count < FEWEST:
            return self.start(len(votes))
        return _listed(task, _fitted(task, *_stacked(rows.votes, rows.present), rows.target, self.start(len(votes)), select))


class Uncertainty(Rule):
    """Each field weighted by its precision: 1 / its squared error for numbers, 1 / its temperature for classes (the task-wise uncertainty
    of
    Kendall et al. 2018, arXiv:1705.07115, here of a field, and fitted on validation rows after training)."""

    def start(self, voters: int) -> list[float]:
        """Return equal weights that sum to 1."""
        return [1.0 / voters] * voters

    def fit(
        self, task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray], select: bool = False
    ) -> list[float]:
        """Return weights in proportion to the precision of each field on the rows that have it; for classes the sum is fitted too."""
        rows = FittingRows(self, task, votes, target_NT, present)
        return scaled(np.array([rows.precision(at) for at in range(len(votes))]), rows)


def pool(votes: Votes, present: Mapping[str, Tensor], weights_V: Tensor) -> Tensor:
    """Return one prediction (B, C) from the votes (B, C) of each voter; ``FUSED`` is first if it votes.

    If a row lacks a field, the weight of that field is divided among the other voters of the row. If all of these have weight 0, the fused
    vote gets it, or all voters of the row get equal parts if there is no fused vote.
    """
    return pooled(*_stacked(votes, present), weights_V, FUSED in votes)


def _stacked(votes: Votes, present: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the votes (V, B, C), and which voters a row has (V, B)."""
    present_voters = [torch.ones_like(next(iter(present.values()))) if voter == FUSED else present[voter] for voter in votes]
    return torch.stack(list(votes.values())), torch.stack(present_voters)


def fit_weights(
    task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray], select: bool = False
) -> list[float]:
    """Return weights of the voters (the fused one first), each 0 or more, that minimise the loss on validation rows.

    A row that lacks fields is predicted by ``pool``. The initial weights are those of the fused vote alone: with few rows or one voter the
    prediction is that of the fused vote, scaled. A field that few rows have gets a weight of 0.

    :param votes: the logits (N, C) of each voter
    :param present: which rows have each single field, bool (N,)
    :param select: see ``Rule.fit``
    """
    known_N = task.known(target_NT)
    weights = [1.0] + [0.0] * (len(votes) - 1)
    if known_N.sum() < FEWEST:
        return weights
    voters = [at for at in range(len(votes)) if not at or present[at - 1][known_N].sum() >= FEWEST]
    logits = {str(at) if at else FUSED: torch.from_numpy(np.asarray(votes[at], np.float64)[known_N]) for at in voters}
    there = {str(at): torch.from_numpy(present[at - 1][known_N]) for at in voters if at} or {
        "": torch.ones(int(known_N.sum()), dtype=torch.bool)
    }
    target = torch.from_numpy(np.asarray(target_NT, np.float64)[known_N])
    stacked_VNC, present_VN = _stacked(logits, there)
    fitted = _listed(task, _fitted(task, stacked_VNC, present_VN, target, [1.0] + [_START] * (len(voters) - 1), select))
    for at, weight in zip(voters, fitted, strict=True):
        weights[at] = weight
    return weights


class FittingRows:
    """The validation rows that have a target and any field, on which a rule without a fused vote fits its weights."""

    def __init__(self, rule: Rule, task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray]) -> None:
        some = task.known(target_NT) & np.logical_or.reduce(list(present))
        self.rule, self.task, self.count = rule, task, int(some.sum())
        self.votes = {str(at): torch.from_numpy(np.asarray(vote, np.float64)[some]) for at, vote in enumerate(votes)}
        self.present = {str(at): torch.from_numpy(there[some]) for at, there in enumerate(present)}
        self.target = torch.from_numpy(np.asarray(target_NT, np.float64)[some])

    def answer(self, weights_V: Tensor) -> Tensor:
        """Return the pooled prediction as logits (N, C)."""
        return self.rule.pool(self.votes, self.present, weights_V)

    def precision(self, at: int) -> float:
        """Return the precision of one voter: for a number 1 / its mean loss, for classes the scale that suits its logits best."""
        there = self.present[str(at)]
        vote, target = self.votes[str(at)][there], self.target[there]
        if not self.task.has_classes:  # a few rows whose loss is 1 (a squared error of the mean prediction) act as a prior
            return float((len(target) + _PRIOR_ERRORS) / (self.task.losses(vote, target).sum().clamp(min=0) + _PRIOR_ERRORS))
        if len(target) < FEWEST:
            return 1.0
        return float(_least_scale(self.task, lambda scale: scale * vote, target))


def scaled(relative: np.ndarray, rows: FittingRows, whole: float = 1.0) -> list[float]:
    """Return weights in given proportions, with the sum ``whole``; for classes the sum is fitted on validation rows, with a prior at
    ``whole``."""
    shares_V, task = torch.from_numpy(relative / max(relative.sum(), 1e-12)).double(), rows.task
    if not task.has_classes or rows.count < FEWEST:
        return _listed(task, whole * shares_V)
    scale = _least_scale(task, lambda scale: rows.answer(whole * (scale * shares_V)), rows.target)
    return _listed(task, whole * (scale * shares_V))


def scale_of_logits(task: Task, logits_NC: np.ndarray, target_NT: np.ndarray) -> float:
    """Return the factor on logits that minimises their loss, with a prior at 1: on its logarithm normal near 0, and exponential beyond
    ``_FAR``, so that many rows can determine a factor that is far from 1 (Huber 1964)."""
    logits, target = torch.from_numpy(np.asarray(logits_NC, np.float64)), torch.from_numpy(np.asarray(target_NT, np.float64))
    free = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([free], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        prior = torch.nn.functional.huber_loss(free, torch.zeros_like(free), delta=_FAR)
        loss = task.plain_losses(free.exp() * logits, target).mean() + _PRIOR_SCALE / len(target) * prior
        loss.backward()
        return loss

    optimiser.step(closure)
    return round(float(free.detach().exp()), 6)


def _least_scale(task: Task, answer: Callable[[Tensor], Tensor], target_NT: Tensor) -> Tensor:
    """Return the positive number (1,) that minimises the loss of ``answer(number)``, with the prior of ``least_weights`` at 1."""
    free = torch.full((1,), float(np.log(np.expm1(1.0))), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([free], max_iter=200, tolerance_grad=1e-6, tolerance_change=1e-7, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        scale = torch.nn.functional.softplus(free)
        prior = PRIOR_ROWS / len(target_NT) * (scale.sum() - 1) ** 2
        loss = task.plain_losses(answer(scale), target_NT).mean() + prior
        loss.backward()
        return loss

    optimiser.step(closure)
    return torch.nn.functional.softplus(free).detach()


def _fitted(
    task: Task, votes_VNC: Tensor, present_VN: Tensor, target_NT: Tensor, start: Sequence[float], select: bool
) -> Tensor:  # fmt: skip
    """Return the weights of ``least_weights``; or equal weights, if these are to be considered and the rows show no signal.

    Fitted weights follow chance in the targets of the rows, on most of which the voters were trained: where there is no signal, the
    prediction seems better than it is. With few rows they are also often worse than a mean (the "forecast combination puzzle": Smith and
    Wallis 2009, Oxford Bulletin of Economics and Statistics 71). So equal weights are selected if, in cross-validation, their loss is not
    larger than that of fitted ones, and that of fitted ones is not smaller than that of the best constant prediction by a standard
    error. With ``_CERTAIN_ROWS`` rows or more, the weights are always fitted. For classes, the sum of the weights is free in both.
    """
    start_V = torch.tensor(start, dtype=torch.float64)
    fit = partial(least_weights, task, start_V=start_V, scaled=task.has_classes)
    voters, rows = present_VN.shape
    if not select or voters == 1 or rows >= _CERTAIN_ROWS:
        return fit(votes_VNC, present_VN, target_NT)
    losses = torch.zeros(2, rows, dtype=torch.float64)
    for part in range(_PARTS):
        out_N = torch.arange(rows) % _PARTS == part
        for at, weights_of in enumerate((fit, partial(equal_weights, task))):
            weights_V = weights_of(votes_VNC[:, ~out_N], present_VN[:, ~out_N], target_NT[~out_N])
            logits = pooled(votes_VNC[:, out_N], present_VN[:, out_N], weights_V, fused=False)
            losses[at, out_N] = task.plain_losses(logits, target_NT[out_N])
    fitted_N, equal_N = losses
    gain_N = task.plain_losses(task.constant_logits(target_NT).expand(rows, -1), target_NT) - fitted_N
    if equal_N.mean() <= fitted_N.mean() and gain_N.mean() < gain_N.std() / rows**0.5:
        return equal_weights(task, votes_VNC, present_VN, target_NT)
    return fit(votes_VNC, present_VN, target_NT)


def _listed(task: Task, fitted: Tensor) -> list[float]:
    """Return weights as a list. Those below 2 % of the sum become 0; weights for a number are divided by their sum."""
    fitted = torch.where(fitted < 0.02 * fitted.sum(), torch.zeros_like(fitted), fitted)
    if not task.has_classes:
        fitted = fitted / fitted.sum()
    return [round(float(weight), 6) for weight in fitted]


def constant(task: Task, target_NT: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the logits (C,) of the constant prediction that fits best, and its mean loss, on at most some thousand of the rows."""
    rows = np.flatnonzero(task.known(target_NT))
    rows = rows[:: max(1, -(-len(rows) // max(64, min(_CONSTANT_ON, _CONSTANT_SIZE // task.outputs))))]
    if not len(rows):
        return np.zeros(task.outputs, np.float32), 0.0
    target = torch.from_numpy(np.asarray(target_NT, np.float32)[rows])
    best = task.constant_logits(target)
    return best.numpy(), float(task.plain_losses(best.expand(len(rows), -1), target).mean())
