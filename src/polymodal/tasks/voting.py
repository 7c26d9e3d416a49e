"""How the votes of the fused representation and of single fields become one answer, and what training makes small for it.

By default the answer is a weighted sum of the voters' logits: a log-linear pool (Hinton 2002) whose weights are fitted on rows that
training did not see, so a field that only adds noise, or a fusion that learned less than one field alone, loses its say.
The sum of the weights is free for classes, and so calibrates as temperature scaling does (Guo et al. 2017,
arXiv:1706.04599); for a number it is one. A late fusion pools alike, without a fused vote, by weights of another kind; an evidential one
combines evidence (``evidence.py``). Each is a ``Rule``; the fusion names it.

Shapes: ``B`` rows, ``C`` outputs of a task, ``V`` voters, ``N`` rows, ``T`` numbers of a target.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ..flow import FUSED
from .pooling import PRIOR_ROWS, least_weights, pooled
from .task import Task

_PRIOR_ERRORS = 5.0
_PRIOR_SCALE = 5.0
_START = 0.1  # the weight of a single field, beside 1 of the fused vote, at which fitting begins
_CONSTANT_ON, _CONSTANT_SIZE = 4_000, 4_000_000
FEWEST = 16
"""Held-out rows under which the weights stay what they were at first."""

Votes = Mapping[str, Tensor]
"""What each voter says of one task, (B, width of a vote), ``FUSED`` first where it votes."""


class Rule(ABC):
    """From the votes on one task, whose answer has ``outputs`` numbers, to that answer."""

    fused: ClassVar[bool] = False
    """Whether the fused representation has a vote; else the answer is made of single-field votes alone."""
    linear: ClassVar[bool] = True
    """Whether weights multiplied by a number multiply the answer's logits by it."""

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
        """The weights before any are fitted, for so many single fields."""

    @abstractmethod
    def fit(self, task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray]) -> list[float]:
        """The weights of the voters, from rows that training did not see: votes (N, width of a vote) by voter, and where each field
        was there."""

    def pool(self, votes: Votes, present: Mapping[str, Tensor], weights_V: Tensor) -> Tensor:
        """The answer's logits (B, C); ``present`` (B,) says which fields a row has."""
        return pool(votes, present, weights_V)

    def alone(self, votes: Votes, present: Mapping[str, Tensor]) -> Tensor:
        """Each vote as the answer that it would be by itself: logits (V, B, C)."""
        return torch.stack(list(votes.values()))

    def own_losses(self, task: Task, votes: Votes, present: Mapping[str, Tensor], target_BT: Tensor) -> Tensor:
        """The loss of each vote by itself (V, B), without what only regularises training. Counts where the voter is there, and the target
        is known."""
        logits_VBC = self.alone(votes, present).float()
        repeated = task.filled(target_BT).repeat(len(logits_VBC), 1)
        return task.plain_losses(logits_VBC.flatten(0, 1), repeated).view(logits_VBC.shape[:2])

    def losses(self, task: Task, votes: Votes, present: Mapping[str, Tensor], target_BT: Tensor, done: float) -> dict[str, Tensor]:
        """What training makes small: losses (B,) by voter, counted where that voter's field is there; ``FUSED`` counts in every row.
        ``done`` is the share of training that is over."""
        return {voter: task.losses(vote, target_BT) for voter, vote in votes.items()}


class Weighed(Rule):
    """The fused vote and those of single fields, by weights that make the held-out loss least."""

    fused = True

    def start(self, voters: int) -> list[float]:
        """The fused vote alone."""
        return [1.0] + [0.0] * voters

    def fit(self, task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray]) -> list[float]:
        """Fit the weights by ``fit_weights``."""
        return fit_weights(task, votes, target_NT, present)


class Mean(Rule):
    """The mean of the votes of the fields that a row has; for classes scaled by one number, a temperature."""

    def start(self, voters: int) -> list[float]:
        """Return equal weights that sum to 1."""
        return [1.0 / voters] * voters

    def fit(self, task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray]) -> list[float]:
        """Equal weights, whose sum is the scale."""
        return scaled(np.ones(len(votes)), FittingRows(self, task, votes, target_NT, present))


class Learned(Rule):
    """A weight for each field, fitted together on held-out rows: a field that others make needless loses its say."""

    def start(self, voters: int) -> list[float]:
        """Return equal weights that sum to 1."""
        return [1.0 / voters] * voters

    def fit(self, task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray]) -> list[float]:
        """Those that make the loss of the pooled answer least, over all rows that have any field."""
        rows = FittingRows(self, task, votes, target_NT, present)
        if rows.count < FEWEST:
            return self.start(len(votes))
        return _listed(task, _fitted(task, *_stacked(rows.votes, rows.present), rows.target, self.start(len(votes))))


class Uncertainty(Rule):
    """Each field weighed by how far it can be trusted by itself: 1 / its squared error for numbers, 1 / its temperature for classes (the
    task-wise uncertainty of Kendall et al. 2018, arXiv:1705.07115, here of a field, and fitted after training on held-out rows)."""

    def start(self, voters: int) -> list[float]:
        """Return equal weights that sum to 1."""
        return [1.0 / voters] * voters

    def fit(self, task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray]) -> list[float]:
        """Each field's precision on the rows that have it; for classes their sum is scaled together."""
        rows = FittingRows(self, task, votes, target_NT, present)
        return scaled(np.array([rows.precision(at) for at in range(len(votes))]), rows)


def pool(votes: Votes, present: Mapping[str, Tensor], weights_V: Tensor) -> Tensor:
    """One answer (B, C) from votes (B, C) by voter, ``FUSED`` first where it votes. A field that a row lacks has no say there: its weight
    goes to the other voters of the row; where none of them had any, to the fused vote, or to all of them alike where there is none."""
    return pooled(*_stacked(votes, present), weights_V, FUSED in votes)


def _stacked(votes: Votes, present: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The votes (V, B, C), and which voters a row has (V, B)."""
    said = [torch.ones_like(next(iter(present.values()))) if voter == FUSED else present[voter] for voter in votes]
    return torch.stack(list(votes.values())), torch.stack(said)


def fit_weights(task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray]) -> list[float]:
    """Weights of the voters (the fused one first), each 0 or more, that make the loss on held-out rows least.

    ``votes`` are logits (N, C) by voter; ``present`` (N,) says by single field which rows have it. A row that lacks fields takes part as it
    is answered, by ``pool``. Starts from the fused vote alone and leaves it only for a gain: with few rows or one voter the answer is the
    fused vote's, scaled; a field that few rows have gets no say.
    """
    known_N = task.known(target_NT)
    weights = [1.0] + [0.0] * (len(votes) - 1)
    if known_N.sum() < FEWEST:
        return weights
    heard = [at for at in range(len(votes)) if not at or present[at - 1][known_N].sum() >= FEWEST]
    said = {str(at) if at else FUSED: torch.from_numpy(np.asarray(votes[at], np.float64)[known_N]) for at in heard}
    there = {str(at): torch.from_numpy(present[at - 1][known_N]) for at in heard if at} or {
        "": torch.ones(int(known_N.sum()), dtype=torch.bool)
    }
    target = torch.from_numpy(np.asarray(target_NT, np.float64)[known_N])
    stacked_VNC, said_VN = _stacked(said, there)
    fitted = _listed(task, _fitted(task, stacked_VNC, said_VN, target, [1.0] + [_START] * (len(heard) - 1)))
    for at, weight in zip(heard, fitted, strict=True):
        weights[at] = weight
    return weights


class FittingRows:
    """The validation rows that have a target and any field: those on which a rule without a fused vote fits its weights."""

    def __init__(self, rule: Rule, task: Task, votes: Sequence[np.ndarray], target_NT: np.ndarray, present: Sequence[np.ndarray]) -> None:
        some = task.known(target_NT) & np.logical_or.reduce(list(present))
        self.rule, self.task, self.count = rule, task, int(some.sum())
        self.votes = {str(at): torch.from_numpy(np.asarray(vote, np.float64)[some]) for at, vote in enumerate(votes)}
        self.present = {str(at): torch.from_numpy(there[some]) for at, there in enumerate(present)}
        self.target = torch.from_numpy(np.asarray(target_NT, np.float64)[some])

    def answer(self, weights_V: Tensor) -> Tensor:
        """The pooled answer (N, C)."""
        return self.rule.pool(self.votes, self.present, weights_V)

    def precision(self, at: int) -> float:
        """How far one voter can be trusted: of a number 1 / its squared error, of classes the scale that suits its logits best."""
        there = self.present[str(at)]
        vote, target = self.votes[str(at)][there], self.target[there]
        if not self.task.has_classes:  # a few rows whose loss is 1 (a squared error of the mean prediction) act as a prior
            return float((len(target) + _PRIOR_ERRORS) / (self.task.losses(vote, target).sum().clamp(min=0) + _PRIOR_ERRORS))
        if len(target) < FEWEST:
            return 1.0
        return float(_least_scale(self.task, lambda scale: scale * vote, target))


def scaled(relative: np.ndarray, rows: FittingRows, whole: float = 1.0) -> list[float]:
    """Weights in these proportions: of the sum ``whole``, or for classes of one near it that suits the held-out rows best."""
    shares_V, task = torch.from_numpy(relative / max(relative.sum(), 1e-12)).double(), rows.task
    if not task.has_classes or rows.count < FEWEST:
        return _listed(task, whole * shares_V)
    scale = _least_scale(task, lambda scale: rows.answer(whole * (scale * shares_V)), rows.target)
    return _listed(task, whole * (scale * shares_V))


def scale_of_logits(task: Task, logits_NC: np.ndarray, target_NT: np.ndarray) -> float:
    """The number by which logits are multiplied so that their log loss is least, with a prior at 1 that counts as much as some rows."""
    logits, target = torch.from_numpy(np.asarray(logits_NC, np.float64)), torch.from_numpy(np.asarray(target_NT, np.float64))
    free = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([free], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = task.plain_losses(free.exp() * logits, target).mean() + _PRIOR_SCALE / len(target) * free.square().sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    return round(float(free.detach().exp()), 6)


def _least_scale(task: Task, answer: Callable[[Tensor], Tensor], target_NT: Tensor) -> Tensor:
    """The positive number (1,) that makes the loss of ``answer(number)`` least, with the prior of ``least_weights`` at 1."""
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


def _fitted(task: Task, votes_VNC: Tensor, present_VN: Tensor, target_NT: Tensor, start: Sequence[float]) -> Tensor:
    """``least_weights``; for classes the sum of the weights is free, and scales the answer."""
    start_V = torch.tensor(start, dtype=torch.float64)
    return least_weights(task, votes_VNC, present_VN, target_NT, start_V, scaled=task.has_classes)


def _listed(task: Task, fitted: Tensor) -> list[float]:
    """Weights under 2 % of their sum are none; of a number they sum to one."""
    fitted = torch.where(fitted < 0.02 * fitted.sum(), torch.zeros_like(fitted), fitted)
    if not task.has_classes:
        fitted = fitted / fitted.sum()
    return [round(float(weight), 6) for weight in fitted]


def constant(task: Task, target_NT: np.ndarray) -> tuple[np.ndarray, float]:
    """The logits (C,) of the best answer that is the same for every row, and its loss, on some thousand of these rows."""
    rows = np.flatnonzero(task.known(target_NT))
    rows = rows[:: max(1, -(-len(rows) // max(64, min(_CONSTANT_ON, _CONSTANT_SIZE // task.outputs))))]
    if not len(rows):
        return np.zeros(task.outputs, np.float32), 0.0
    target = torch.from_numpy(np.asarray(target_NT, np.float32)[rows])
    best = task.constant_logits(target)
    return best.numpy(), float(task.plain_losses(best.expand(len(rows), -1), target).mean())
