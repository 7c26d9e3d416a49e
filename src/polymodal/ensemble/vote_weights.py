"""Vote weights: fitting, cross-fitting and use, for predictions of validation rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from ..evaluation.calibration import crossing
from ..flow import FUSED
from ..inference import Answer
from ..model import MultiModalModel
from ..preparation import Prepared

_MAX_ROWS = 5_000
"""The maximum number of rows on which vote weights are fitted."""
_MAX_NUMBERS = 2**24
"""The number of values (rows times voters times outputs) above which vote weights are cross-fitted on two parts of the rows, not five."""


class VoteWeights:
    """Fits the weights of votes on validation rows, and pools votes by them."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared

    def fit(
        self, model: MultiModalModel, name: str, votes: Mapping[str, np.ndarray], rows: np.ndarray, places: np.ndarray | None = None,
        select: bool = False,
    ) -> list[float]:  # fmt: skip
        """Return the vote weights of one task, fitted on these rows.

        :param name: the task
        :param votes: by voter (N, C)
        :param rows: (N,) the 0-based row numbers of the votes
        :param places: the positions in ``rows`` to fit on; None = all
        :param select: whether equal weights are considered too
        """
        places = np.arange(len(rows)) if places is None else places
        places = places[:: max(1, -(-len(places) // _MAX_ROWS))]
        task, rule = self.prepared.tasks[name], model.rules[model.tasks.index(name)]
        target_NT = self.prepared.valid.targets[name][rows[places]]
        by_voter = model.present(self.present(rows[places], model.names))
        present = [by_voter[voter].numpy() for voter in votes if voter != FUSED]
        return rule.fit(task, [vote[places] for vote in votes.values()], target_NT, present, select)

    def assign(self, model: MultiModalModel, weights: Sequence[Sequence[float]]) -> None:
        """Set the vote weights of a model, for each task in the order of the model."""
        model.vote_weights_TV.copy_(torch.tensor(weights, dtype=model.vote_weights_TV.dtype))

    def parts(self, votes: Mapping[str, Mapping[str, np.ndarray]], rows: int) -> np.ndarray:
        """Return the part (N,) of each row for cross-fitting; few parts if the votes are very large."""
        numbers = max(sum(vote.size for vote in votes_of_task.values()) for votes_of_task in votes.values())
        return crossing(rows, self.prepared.experiment.seed, *([2] if numbers > _MAX_NUMBERS else []))

    def cross_fit(
        self, model: MultiModalModel, name: str, votes: Mapping[str, np.ndarray], rows: np.ndarray, part_N: np.ndarray
    ) -> np.ndarray:
        """Return the vote weights (P, V) for each part, fitted on the rows of the other parts; the initial weights if there is one part."""
        parts = int(part_N.max()) + 1
        if parts == 1:
            rule = model.rules[model.tasks.index(name)]
            return np.array([rule.start(len(votes) - rule.fused)])
        return np.array([self.fit(model, name, votes, rows, np.flatnonzero(part_N != part), select=True) for part in range(parts)])

    def pool(
        self, model: MultiModalModel, name: str, answer: Answer, rows: np.ndarray, part_N: np.ndarray, weights: Mapping[str, np.ndarray],
        hidden: frozenset[str],
    ) -> np.ndarray:  # fmt: skip
        """Return the logits (N, C) of the prediction of one task, with votes pooled by the weights of each row's part.

        :param weights: by task (P, V); the logits of a task without weights are those of ``answer``
        :param hidden: the fields that were hidden in ``answer``
        """
        if name not in weights:
            return answer.logits[name]
        rule, logits = model.rules[model.tasks.index(name)], np.empty((len(rows), self.prepared.tasks[name].outputs), np.float32)
        for part, weights_V in enumerate(weights[name]):
            inside = np.flatnonzero(part_N == part)
            votes = {voter: torch.from_numpy(vote[inside]) for voter, vote in answer.votes[name].items()}
            present = self.present(rows[inside], model.names)
            present |= {field: torch.zeros(len(inside), dtype=torch.bool) for field in hidden}
            present = model.present(present)
            logits[inside] = rule.pool(votes, present, torch.from_numpy(weights_V).to(next(iter(votes.values())).dtype)).numpy()
        return logits

    def present(self, rows: np.ndarray, names: Sequence[str]) -> dict[str, torch.Tensor]:
        """Return by field which of the rows (N,) have it."""
        index = self.prepared.valid.store.index
        return {name: torch.from_numpy(index[name][rows] >= 0) for name in names}
