"""What the members of a run say of rows that they did not see: validated while they train, then weighed, then measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..evaluation.agreement import Agreement, agreement
from ..evaluation.calibration import Calibration, calibrate
from ..evaluation.contribution import shared_out
from ..evaluation.measure import measure, score
from ..flow import FUSED
from ..inference import Answer, Collected, collect, windows
from ..model import MultiModalModel
from ..preparation import Prepared
from ..tasks import Task, known
from ..tasks.metrics import Metrics
from ..training.observers import Observer
from ..training.progress import Fitted, NotFinite, Validated

_WEIGHED_ON = 5_000
"""Held-out rows that vote weights are fitted on, at most."""


@dataclass
class Member:
    """One trained model: the fold that it did not see, and what training left."""

    fold: int
    model: MultiModalModel
    fitted: Fitted


@dataclass(frozen=True)
class Measured:
    """``metrics`` as they are written down; ``rows`` (N,) from 0 on; by task ``scores`` (N, C) and ``targets`` (N, T), by voter ``votes``
    (N, width of a vote), and by field ``own``, the scores that its vote would have by itself (N, C)."""

    metrics: dict[str, Any]
    rows: np.ndarray
    scores: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray]
    votes: Mapping[str, Mapping[str, np.ndarray]]
    own: Mapping[str, Mapping[str, np.ndarray]]

    def first(self, rows: int, tasks: Mapping[str, Task]) -> dict[str, Metrics]:
        """The metrics over the first of the rows alone: those of the first members."""
        return measure(tasks, *({name: values[:rows] for name, values in side.items()} for side in (self.scores, self.targets)))[0]


class HeldOut:
    """The rows that each fold holds out, and what is done with them."""

    def __init__(self, prepared: Prepared, device: torch.device, observer: Observer) -> None:
        self.prepared, self.device, self.observer = prepared, device, observer

    def collect(
        self, model: MultiModalModel, rows: np.ndarray, names: Sequence[str], hidden: Sequence[frozenset[str]] = (frozenset(),)
    ) -> Collected:
        store = self.prepared.valid.store
        return collect(model, store.modalities, windows(store, rows, names), hidden, self.device)

    def _asked(
        self, member: Member, rows: np.ndarray, names: Sequence[str], hidden: Sequence[frozenset[str]] = (frozenset(),)
    ) -> Collected:
        """What a trained member says; it stays on the CPU."""
        found = self.collect(member.model.to(self.device), rows, names, hidden)
        member.model.to("cpu")
        return found

    def validate(self, model: MultiModalModel, rows: np.ndarray, names: Sequence[str]) -> Validated:
        """Metrics of the answer on rows that training does not see, votes weighed as they are after training; and each vote's own loss."""
        found = self.collect(model, rows, names)
        if not all(np.isfinite(logits).all() for logits in found.answers[0].logits.values()):
            raise NotFinite("its answers to held-out rows are not finite")
        if model.has_votes:
            self._set_weights(model, self._weights(model, [found]))
        scores = {name: score(task, [_pooled(model, at, found, name, self._present(found, names))])
                  for at, (name, task) in enumerate(self.prepared.tasks.items())}  # fmt: skip
        return Validated(measure(self.prepared.tasks, scores, self._targets(found.rows))[0], self._own(model, found, names))

    def _own(self, model: MultiModalModel, found: Collected, names: Sequence[str]) -> dict[str, float]:
        """The mean loss of each vote by itself, of all tasks together, each at its weight, as in training."""
        present, targets = self._present(found, names), self._targets(found.rows)
        sums: dict[str, Any] = {}
        for rule, (name, task) in zip(model.rules, self.prepared.tasks.items(), strict=True):
            told = {voter: torch.from_numpy(logits) for voter, logits in found.answers[0].votes.get(name, {}).items()}
            votes = told or {FUSED: torch.from_numpy(found.answers[0].logits[name])}
            losses_VN = rule.own_losses(task, votes, present, torch.from_numpy(targets[name])).numpy()
            for voter, losses_N in zip(votes, losses_VN, strict=True):
                counts_N = known(task, targets[name]) & (present[voter].numpy() if voter != FUSED else True)
                pair = task.config.weight * np.array([losses_N[counts_N].sum(), counts_N.sum()], np.float64)
                sums[voter] = sums.get(voter, 0.0) + pair
        if len(names) == 1:
            sums.setdefault(names[0], sums.get(FUSED))
        return {voter: float(loss / rows) for voter, (loss, rows) in sums.items() if rows > 0}

    def weigh(self, members: Sequence[Member], names: Sequence[str] | None = None) -> None:
        """Fit one set of vote weights for all members, on every held-out row, each answered by the member that did not see it."""
        if not members[0].model.has_votes:
            return
        found = []
        for member in members:
            rows = self.prepared.member(member.fold)[1]
            some = rows[:: max(1, -(-len(rows) * len(members) // _WEIGHED_ON))]
            found.append(self._asked(member, some, names or list(self.prepared.modalities)))
        weights = self._weights(members[0].model, found)
        for member in members:
            self._set_weights(member.model, weights)
        voters = ["fused"] * members[0].model.rules[0].fused + members[0].model.voters
        for task, said in weights.items():
            named = dict(zip(voters, said, strict=True))
            self.observer.observe("votes", {"task": task, "fields": list(names or self.prepared.modalities), "weights": named})
            if len(named) > 1:
                text = ", ".join(f"{voter} {weight:.2f}" for voter, weight in named.items())
                self.observer.observe("note", {"text": f"target {task!r}: votes weigh {text}"})

    def _weights(self, model: MultiModalModel, found: Sequence[Collected]) -> dict[str, list[float]]:
        every = max(1, -(-sum(len(one.rows) for one in found) // _WEIGHED_ON))
        weights = {}
        for rule, (name, task) in zip(model.rules, self.prepared.tasks.items(), strict=True):
            voters = list(found[0].answers[0].votes[name])
            votes = [np.concatenate([one.answers[0].votes[name][voter][::every] for one in found]) for voter in voters]
            target = np.concatenate([self.prepared.valid.targets[name][one.rows[::every]] for one in found])
            index = self.prepared.valid.store.index
            present = [np.concatenate([index[field][one.rows[::every]] >= 0 for one in found]) for field in voters if field != FUSED]
            weights[name] = rule.fit(task, votes, target, present)
        return weights

    def _set_weights(self, model: MultiModalModel, weights: Mapping[str, Sequence[float]]) -> None:
        rows = torch.tensor([weights[name] for name in model.tasks], dtype=model.vote_weights_TV.dtype)
        model.vote_weights_TV.copy_(rows)

    def _present(self, found: Collected, names: Sequence[str]) -> dict[str, torch.Tensor]:
        index = self.prepared.valid.store.index
        return {name: torch.from_numpy(index[name][found.rows] >= 0) for name in names}

    def _targets(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        return {name: target[rows] for name, target in self.prepared.valid.targets.items()}

    def measure(self, members: Sequence[Member], hidden: Sequence[frozenset[str]], fields: Sequence[str]) -> Measured:
        """Metrics over all held-out rows, each answered by the member that did not see it: whole, and without fields."""
        tasks = self.prepared.tasks
        parts: list[list[Answer]] = []
        rows: list[np.ndarray] = []
        for member in members:
            found = self._asked(member, self.prepared.member(member.fold)[1], fields, hidden)
            parts.append(list(found.answers))
            rows.append(found.rows)
        targets = self._targets(np.concatenate(rows))
        measured, every = [], []
        for at in range(len(hidden)):
            scores = {name: np.concatenate([score(task, [part[at].logits[name]]) for part in parts]) for name, task in tasks.items()}
            every.append(scores)
            measured.append(measure(tasks, scores, targets))
        result: dict[str, Any] = {"rows": sum(map(len, rows)), "tasks": measured[0][0]}
        if len(hidden) > 1:
            by_set = dict(zip(hidden, (metrics for metrics, _ in measured), strict=True))
            result["hidden"] = {next(iter(names)): metrics for names, metrics in by_set.items() if len(names) == 1}
            if frozenset(fields) in by_set:
                result["present"] = [{"fields": [name for name in fields if name not in names], "tasks": by_set[names]} for names in by_set]
                shown = {frozenset(fields) - names: metrics for names, metrics in by_set.items()}
                result["shapley"] = shared_out(tasks, shown, fields)
        for metric, reason in measured[0][1].items():
            self.observer.observe("undefined", {"metric": metric, "reason": reason})
        votes = {}
        if members[0].model.has_votes:
            votes = {name: {voter: np.concatenate([part[0].votes[name][voter] for part in parts]) for voter in parts[0][0].votes[name]}
                     for name in tasks}  # fmt: skip
        own = {
            name: self._own_scores(name, [(member.model, part[0]) for member, part in zip(members, parts, strict=True)]) for name in tasks
        }
        return Measured(result, np.concatenate(rows), every[0], targets, votes, own)

    def sharpen(self, members: Sequence[Member], fields: Sequence[str]) -> dict[str, Agreement]:
        """By task, how far two members agree where neither saw a row; the votes of all become as sure as their mean is right. To be
        done when single members have been measured. Nothing changes where nothing is known, or where weights do not scale logits."""
        by_fold = {member.fold: member for member in members}
        rows, pairs = [np.zeros(0, np.int64)], []
        for fold, member in by_fold.items():
            both = self.prepared.split.twice(fold)
            if len(both) and (other := by_fold.get((fold + 1) % self.prepared.split.folds)) is not None:
                pairs.append([self._asked(one, both, fields).answers[0].logits for one in (member, other)])
                rows.append(both)
        targets = self._targets(np.concatenate(rows))
        found = {}
        for at, (name, task) in enumerate(self.prepared.tasks.items()):
            first, second = ([pair[one][name] for pair in pairs] for one in (0, 1))
            told = agreement(task, first, second, targets[name], len(members))
            model = members[0].model
            if task.classes is not None and not (model.has_votes and model.rules[at].linear):
                told = replace(told, used=False)
            found[name] = told
            if told.share >= 1:
                continue
            text = f"two models correlate by {told.correlation:.2f} on {told.rows:,} rows that neither saw"
            if task.classes is not None:
                text += f"; what all say together is multiplied by {1 / told.share:.2f}"
                for member in members:
                    member.model.vote_weights_TV[at] /= told.share
            self.observer.observe("note", {"text": f"target {name!r}: {text}"})
        return found

    def calibrate(self, model: MultiModalModel, measured: Measured, seed: int) -> dict[str, Calibration]:
        """By task, how far answers can be believed before and after scaling; nothing where nothing was scaled."""
        index = self.prepared.valid.store.index
        found = {}
        for at, (name, votes) in enumerate(measured.votes.items()):
            present = {field: index[field][measured.rows] >= 0 for field in model.names}
            task, weights = self.prepared.tasks[name], model.vote_weights_TV[at].cpu().numpy()
            told = calibrate(model.rules[at], task, votes, present, measured.targets[name], weights, seed)
            if told is not None:
                found[name] = told
        return found

    def _own_scores(self, task: str, found: Sequence[tuple[MultiModalModel, Answer]]) -> dict[str, np.ndarray]:
        """The scores of each field's own vote, over the members."""
        by_field: dict[str, list[np.ndarray]] = {}
        for model, answer in found:
            rule = model.rules[model.tasks.index(task)]
            for field, vote in answer.votes.get(task, {}).items():
                if field != FUSED:
                    there = torch.ones(len(vote), dtype=torch.bool)
                    logits = rule.alone({field: torch.from_numpy(vote)}, {field: there})[0].numpy()
                    by_field.setdefault(field, []).append(score(self.prepared.tasks[task], [logits]))
        return {field: np.concatenate(scores) for field, scores in by_field.items()}


def _pooled(model: MultiModalModel, at: int, found: Collected, task: str, present: Mapping[str, torch.Tensor]) -> np.ndarray:
    """The answer from the votes at hand, under the model's present weights."""
    if not model.has_votes:
        return found.answers[0].logits[task]
    votes = {voter: torch.from_numpy(logits) for voter, logits in found.answers[0].votes[task].items()}
    return model.rules[at].pool(votes, present, model.vote_weights_TV[at].cpu()).numpy()
