"""Validation of the members of an ensemble: predictions for rows that they were not trained on, and the metrics of these predictions.

Rows on which a metric is reported are not used to select what is measured (Varma and Simon 2006; Cawley and Talbot 2010):

* *The epoch.* Without folds, the selection rows select the epoch, and the validation rows are used to measure. With folds, the validation
  rows of a fold select the epoch of the member that is saved; each half of these rows is measured with the weights of the epoch that the
  other half selects, from the same training.
* *The vote weights.* The saved weights are fitted on all validation rows. Each fifth of these rows is measured with weights that are
  fitted on the other four fifths (each half with weights fitted on the other half if the votes are very large).
* *The scale* of the mean of several members is one number. It is fitted on the calibration rows, which no member was trained on and which
  select nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..collection import Collected, collect, collect_blocks
from ..evaluation.calibration import scale_of
from ..evaluation.measure import measure, score
from ..evaluation.shapley import shares_of_metrics
from ..flow import FUSED, voter_label
from ..inference import Answer, Blocks, windows
from ..language import Sentence
from ..model import MultiModalModel
from ..preparation import Prepared
from ..tasks import Task
from ..tasks.metrics import Metrics
from ..training.events import NoteEvent, UndefinedEvent, VotesEvent
from ..training.observers import Observer
from ..training.progress import Fitted, NotFinite, Validated
from .metrics import PresentMetrics, ValidationMetrics
from .vote_weights import VoteWeights

_KEPT_ROWS = 4_096
"""The largest number of rows that are measured after each epoch whose blocks are kept from one epoch to the next."""


@dataclass(frozen=True)
class _LastRows:
    """The blocks of some rows: the fields, the rows (0-based positions in the table), and by window its rows and its blocks."""

    names: tuple[str, ...]
    rows: np.ndarray
    blocks: Sequence[tuple[np.ndarray, Blocks]]


@dataclass
class Member:
    """One trained model, with its fold, the result of training, and its predictions (``answers``) for the fold's validation rows, one for
    each set of hidden fields."""

    fold: int
    model: MultiModalModel
    fitted: Fitted
    answers: Collected

    def add(self, voter: str, other: Member) -> None:
        """Add the network of another member of the same fold as a further voter, with its predictions for the same rows."""
        self.model.attach_network(other.model)
        answers = [
            replace(answer, votes={task: {**votes, voter: of_other.votes[task][FUSED]} for task, votes in answer.votes.items()})
            for answer, of_other in zip(self.answers.answers, other.answers.answers, strict=True)
        ]
        self.answers = replace(self.answers, answers=answers)


@dataclass(frozen=True)
class Measured:
    """Predictions for the validation rows, each from a member that was not trained on the row and vote weights not fitted on it.

    :param metrics: the metrics
    :param rows: (N,) the 0-based row numbers
    :param part_N: (N,) the part of each row; its vote weights were fitted on the rows of the other parts
    :param member_N: (N,) the index of the member that predicts each row
    :param scores: by task (N, C)
    :param unscaled: by task (N, C), the scores with vote weights that are rescaled to the sum that they have before fitting
    :param targets: the targets, by task (N, T)
    :param own: by task and voter, the scores (N, C) of the vote by itself
    """

    metrics: ValidationMetrics
    rows: np.ndarray
    part_N: np.ndarray
    member_N: np.ndarray
    scores: Mapping[str, np.ndarray]
    unscaled: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray]
    own: Mapping[str, Mapping[str, np.ndarray]]

    def first(self, rows: int, tasks: Mapping[str, Task]) -> dict[str, Metrics]:
        """Return the metrics over the first ``rows`` rows only, which are the rows of the first members."""
        return measure(tasks, *({name: values[:rows] for name, values in side.items()} for side in (self.scores, self.targets)))[0]


class Validation:
    """Computes and measures the predictions of members for rows that they were not trained on.

    :param device: where models compute
    :param observer: receives the vote weights, and the metrics that are undefined
    """

    def __init__(self, prepared: Prepared, device: torch.device, observer: Observer) -> None:
        self.prepared, self.device, self.observer = prepared, device, observer
        self.votes = VoteWeights(prepared)
        self._last: _LastRows | None = None

    def collect(
        self, model: MultiModalModel, rows: np.ndarray, names: Sequence[str], hidden: Sequence[frozenset[str]] = (frozenset(),),
        represent: bool = False,
    ) -> Collected:  # fmt: skip
        """Return a model's predictions for rows (0-based), one for each set of hidden fields.

        :param represent: whether to include the representation h
        """
        store = self.prepared.valid.store
        return collect(model, store.modalities, windows(store, rows, names), hidden, represent)

    def answers(
        self, model: MultiModalModel, fitted: Fitted, fold: int, names: Sequence[str], hidden: Sequence[frozenset[str]]
    ) -> Collected:
        """Return a trained member's predictions for its validation rows.

        If these rows select the epoch, each half is predicted with the weights that the other half selected.
        """
        halves = self._halves(fold)
        if not fitted.halves:
            return self.collect(model, self.prepared.member(fold)[1], names, hidden)
        parts = []
        for rows, best in zip(halves, reversed(fitted.halves), strict=True):
            if len(rows):
                _load(model, best.weights)
                parts.append(self.collect(model, rows, names, hidden))
        _load(model, fitted.weights)
        answers = [_joined([part.answers[at] for part in parts]) for at in range(len(hidden))]
        return Collected(np.concatenate([part.rows for part in parts]), answers)

    def selecting(self, fold: int) -> np.ndarray:
        """Return the rows (0-based) on which the member of a fold is measured after each epoch.

        They are the selection rows if there are any, else the fold's validation rows, which select the epoch only with folds.
        """
        return self.prepared.selecting if len(self.prepared.selecting) else self.prepared.member(fold)[1]

    def _blocks(self, rows: np.ndarray, names: Sequence[str]) -> Iterable[tuple[np.ndarray, Blocks]]:
        """Return rows in blocks. Those of the last call are kept if they are few, since each epoch of a training has the same."""
        if self._last is not None and self._last.names == tuple(names) and np.array_equal(self._last.rows, rows):
            return self._last.blocks
        store = self.prepared.valid.store
        made = ((window.rows, Blocks.of(store.modalities, window, names, self.device)) for window in windows(store, rows, names))
        self._last = None
        if len(rows) > _KEPT_ROWS:
            return made
        blocks = list(made)
        if all(part.is_kept for _, part in blocks):
            self._last = _LastRows(tuple(names), rows, blocks)
        return blocks

    def _halves(self, fold: int) -> tuple[np.ndarray, ...]:
        """Return the halves of the rows that both select and validate; () if other rows select, or none do."""
        return self.prepared.split.halves(fold) if self.prepared.valid is self.prepared.train else ()

    def validate(self, model: MultiModalModel, fold: int, names: Sequence[str]) -> Validated:
        """Return the metrics on the rows that select the epoch and on each half of them, and the loss of each vote alone.

        The vote weights are fitted on the same rows. The model keeps those fitted on all of these rows.

        :raises NotFinite: a prediction is not finite
        """
        collected = collect_blocks(model, self._blocks(self.selecting(fold), names))
        if not all(np.isfinite(logits).all() for logits in collected.answers[0].logits.values()):
            raise NotFinite(Sentence("warning.predictions"))
        halves: list[Mapping[str, Metrics] | None] = []
        for rows in self._halves(fold):
            at = np.flatnonzero(np.isin(collected.rows, rows))
            with_target = any(task.known(self.prepared.valid.targets[name][rows]).any() for name, task in self.prepared.tasks.items())
            halves.append(self._refitted(model, collected, at) if with_target else None)
        metrics = self._refitted(model, collected, np.arange(len(collected.rows)))
        return Validated(metrics, self._own(model, collected, names), halves)

    def _refitted(self, model: MultiModalModel, collected: Collected, places: np.ndarray) -> dict[str, Metrics]:
        """Fit the vote weights on the rows at these positions, set them in the model, and return the metrics of these rows."""
        rows, part_N = collected.rows[places], np.zeros(len(places), np.int64)
        answer, weights = _taken(collected.answers[0], places), {}
        if model.has_votes:
            fitted = [self.votes.fit(model, name, answer.votes[name], rows) for name in model.tasks]
            self.votes.assign(model, fitted)
            weights = {name: np.array([of_task]) for name, of_task in zip(model.tasks, fitted, strict=True)}
        scores = {name: score(task, [self.votes.pool(model, name, answer, rows, part_N, weights, frozenset())])
                  for name, task in self.prepared.tasks.items()}  # fmt: skip
        return measure(self.prepared.tasks, scores, self._targets(rows))[0]

    def _own(self, model: MultiModalModel, collected: Collected, names: Sequence[str]) -> dict[str, float]:
        """Return the mean loss of each vote alone over all tasks, each task with its weight, as in training."""
        present, targets = self.votes.present(collected.rows, names), self._targets(collected.rows)
        sums: dict[str, Any] = {}
        for rule, (name, task) in zip(model.rules, self.prepared.tasks.items(), strict=True):
            votes_by_voter = {voter: torch.from_numpy(logits) for voter, logits in collected.answers[0].votes.get(name, {}).items()}
            votes = votes_by_voter or {FUSED: torch.from_numpy(collected.answers[0].logits[name])}
            losses_VN = rule.own_losses(task, votes, present, torch.from_numpy(targets[name])).numpy()
            for voter, losses_N in zip(votes, losses_VN, strict=True):
                counts_N = task.known(targets[name]) & (present[voter].numpy() if voter != FUSED else True)
                pair = task.config.weight * np.array([losses_N[counts_N].sum(), counts_N.sum()], np.float64)
                sums[voter] = sums.get(voter, 0.0) + pair
        if len(names) == 1:
            sums.setdefault(names[0], sums.get(FUSED))
        return {voter: float(loss / rows) for voter, (loss, rows) in sums.items() if rows > 0}

    def _targets(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return the targets (N, T) of rows, by task."""
        return {name: target[rows] for name, target in self.prepared.valid.targets.items()}

    def measure(self, members: Sequence[Member], hidden: Sequence[frozenset[str]], fields: Sequence[str]) -> Measured:
        """Fit the vote weights of all members on the validation rows, and measure the predictions for these rows by cross-fitting.

        Each row is measured with vote weights that were not fitted on it.

        :param hidden: the sets of hidden fields, in the order of the members' ``answers``; the first is reported as the main result
        :param fields: the fields that the members use
        """
        parts = [member.answers for member in members]
        rows = np.concatenate([part.rows for part in parts])
        answers = [_joined([part.answers[at] for part in parts]) for at in range(len(hidden))]
        member_N = np.repeat(np.arange(len(parts)), [len(part.rows) for part in parts])
        part_N = np.zeros(len(rows), np.int64)
        model, tasks, targets = members[0].model, self.prepared.tasks, self._targets(rows)
        weights: dict[str, np.ndarray] = {}
        if model.has_votes:
            part_N = self.votes.parts(answers[0].votes, len(rows))
            weights = {name: self.votes.cross_fit(model, name, answers[0].votes[name], rows, part_N) for name in tasks}
            fitted = [self.votes.fit(model, name, answers[0].votes[name], rows, select=True) for name in tasks]
            for member in members:
                self.votes.assign(member.model, fitted)
            voters = [voter_label(voter) for voter in answers[0].votes[model.tasks[0]]]
            self._report_weights(model, voters, fitted, fields)
        measured, scores_by_set = [], []
        for names, answer in zip(hidden, answers, strict=True):
            scores = {
                name: score(task, [self.votes.pool(model, name, answer, rows, part_N, weights, names)]) for name, task in tasks.items()
            }
            scores_by_set.append(scores)
            measured.append(measure(tasks, scores, targets))
        unscaled = {}
        for name in weights:
            rule = model.rules[model.tasks.index(name)]
            start = rule.start(len(answers[0].votes[name]) - rule.fused)
            without = {name: np.stack([of_part / scale_of(of_part, start) for of_part in weights[name]])}
            unscaled[name] = score(tasks[name], [self.votes.pool(model, name, answers[0], rows, part_N, without, frozenset())])
        metrics = ValidationMetrics(len(rows), measured[0][0])
        if len(hidden) > 1:
            by_set = dict(zip(hidden, (of_set for of_set, _ in measured), strict=True))
            metrics = replace(metrics, hidden={next(iter(names)): of_set for names, of_set in by_set.items() if len(names) == 1})
            if frozenset(fields) in by_set:
                present = [PresentMetrics([name for name in fields if name not in names], of_set) for names, of_set in by_set.items()]
                by_shown = {frozenset(fields) - names: of_set for names, of_set in by_set.items()}
                metrics = replace(metrics, present=present, shapley=shares_of_metrics(tasks, by_shown, fields))
        for metric, reason in measured[0][1].items():
            self.observer.observe(UndefinedEvent(metric, reason))
        own = {
            name: self._own_scores(name, [(member.model, part.answers[0]) for member, part in zip(members, parts, strict=True)])
            for name in tasks
        }
        return Measured(metrics, rows, part_N, member_N, scores_by_set[0], unscaled, targets, own)

    def _report_weights(
        self, model: MultiModalModel, voters: Sequence[str], weights: Sequence[Sequence[float]], names: Sequence[str]
    ) -> None:
        """Report the vote weights of each task to the observer."""
        for name, of_task in zip(model.tasks, weights, strict=True):
            by_voter = dict(zip(voters, of_task, strict=True))
            self.observer.observe(VotesEvent(name, list(names), by_voter))
            if len(by_voter) > 1:
                votes = [
                    Sentence("note.vote", voter=Sentence("run.fused") if voter == "fused" else voter, weight=weight)
                    for voter, weight in by_voter.items()
                ]
                self.observer.observe(NoteEvent(Sentence("note.votes", target=name, weights=Sentence.joined(votes, "enumeration"))))

    def _own_scores(self, task: str, answers: Sequence[tuple[MultiModalModel, Answer]]) -> dict[str, np.ndarray]:
        """Return the scores of each vote by itself, concatenated over the members."""
        by_field: dict[str, list[np.ndarray]] = {}
        for model, answer in answers:
            rule = model.rules[model.tasks.index(task)]
            for field, vote in answer.votes.get(task, {}).items():
                there = torch.ones(len(vote), dtype=torch.bool)
                logits = rule.alone({field: torch.from_numpy(vote)}, {field: there})[0].numpy()
                by_field.setdefault(field, []).append(score(self.prepared.tasks[task], [logits]))
        return {field: np.concatenate(scores) for field, scores in by_field.items()}


def _load(model: MultiModalModel, weights: Mapping[str, torch.Tensor]) -> None:
    """Load the weights of the network. Its vote weights are fitted afterwards, and trees that were attached keep their own."""
    model.load_state_dict({name: value for name, value in weights.items() if name != "vote_weights_TV"}, strict=False)


def _joined(answers: Sequence[Answer]) -> Answer:
    """Concatenate the predictions of several members, each for its own rows."""
    first = answers[0]
    return Answer(
        {task: np.concatenate([one.logits[task] for one in answers]) for task in first.logits},
        {
            task: {voter: np.concatenate([one.votes[task][voter] for one in answers]) for voter in votes}
            for task, votes in first.votes.items()
        },
        None,
    )


def _taken(answer: Answer, places: np.ndarray) -> Answer:
    """Return the predictions at some positions."""
    return Answer(
        {task: logits[places] for task, logits in answer.logits.items()},
        {task: {voter: vote[places] for voter, vote in votes.items()} for task, votes in answer.votes.items()},
        None,
    )
