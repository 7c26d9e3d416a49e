"""Whether answers are right as often as they say, before and after their votes were scaled, on rows that the scale was not fitted on.

The sum of a rule's vote weights is a temperature (``tasks/voting.py``). *Before* are answers of the same weights, divided so that they sum
to what they sum to unfitted: who has how much say is the same, and so is nearly every answer; what differs is the scale alone. The weights
are cross-fitted: fitted on one half of the held-out rows and measured on the other, and the other way round.

Shapes: ``N`` rows, ``T`` numbers of a target, ``C`` classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..flow import FUSED
from ..tasks import Rule, Task
from ..tasks.curves import calibration
from ..tasks.metrics import ece_by_chance
from ..tasks.voting import FEWEST
from .measure import score

_FITTED_ON = 2_500
"""Rows of a half that weights are fitted on, at most."""


@dataclass(frozen=True)
class Calibration:
    """``facts``: ``rows``, the ``scale`` of the weights, ``ece`` and ``log_loss`` ``before`` and ``after``, and what ECE
    perfect calibration would show by ``chance``, with its ``spread``. ``curves``: ``before`` and ``after``, for drawing."""

    facts: dict[str, Any]
    curves: dict[str, list[list[float]]]


def calibrate(
    rule: Rule, task: Task, votes: Mapping[str, np.ndarray], present: Mapping[str, np.ndarray], target_NT: np.ndarray,
    weights: np.ndarray, seed: int,
) -> Calibration | None:  # fmt: skip
    """What scaling is worth to one task; None where its answer is a number, or its rows are too few.

    :param votes: by voter, on rows that the model did not see
    :param present: by field, whether a row has it (N,)
    :param weights: those that the model uses, fitted on all of these rows
    """
    known_N = ~np.isnan(target_NT).any(1)
    votes = {voter: vote[known_N] for voter, vote in votes.items()}
    present, target_NT = {field: there[known_N] for field, there in present.items()}, target_NT[known_N]
    if task.classes is None or len(target_NT) < 4 * FEWEST:
        return None
    before_NC, after_NC = _answers(rule, task, votes, present, target_NT, seed)
    sure = task.sureness(target_NT, after_NC)
    facts: dict[str, Any] = {"rows": len(target_NT), "scale": _scale(rule, weights)}
    for name, scores_NC in (("before", before_NC), ("after", after_NC)):
        found, _ = task.measure(target_NT, scores_NC)
        facts[name] = {metric: found[metric] for metric in ("ece", "log_loss")}
    facts["chance"], facts["spread"] = ece_by_chance(sure[1])
    return Calibration(facts, {"before": calibration(*task.sureness(target_NT, before_NC)), "after": calibration(*sure)})


def _answers(
    rule: Rule, task: Task, votes: Mapping[str, np.ndarray], present: Mapping[str, np.ndarray], target_NT: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The scores before and after, of each half by the weights of the other."""
    rows = len(target_NT)
    order = np.random.default_rng([seed, 23]).permutation(rows)
    halves = [np.sort(order[: rows // 2]), np.sort(order[rows // 2 :])]
    answered: dict[str, list[np.ndarray]] = {"before": [], "after": []}
    for fitted_on, measured_on in (halves, halves[::-1]):
        some = fitted_on[:: max(1, -(-len(fitted_on) // _FITTED_ON))]
        there = [present[voter][some] for voter in votes if voter != FUSED]
        weights = np.array(rule.fit(task, [vote[some] for vote in votes.values()], target_NT[some], there))
        said = {voter: torch.from_numpy(vote[measured_on]) for voter, vote in votes.items()}
        has = {field: torch.from_numpy(there_N[measured_on]) for field, there_N in present.items()}
        for name, scaled in (("before", weights / _scale(rule, weights)), ("after", weights)):
            pooled = rule.pool(said, has, torch.from_numpy(scaled).to(next(iter(said.values())).dtype))
            answered[name].append(score(task, [pooled.numpy()]))
    back = np.argsort(np.concatenate(halves[::-1]))
    before_NC, after_NC = (np.concatenate(parts)[back] for parts in answered.values())
    return before_NC, after_NC


def _scale(rule: Rule, weights: np.ndarray) -> float:
    """The sum of weights, against that of weights that nothing was fitted for."""
    voters = len(weights) - rule.fused
    return float(weights.sum() / sum(rule.start(voters)))
