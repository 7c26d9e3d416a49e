"""Predictions of the members of a run for rows that they were not trained on.

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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..evaluation.calibration import Calibration, PooledScale, calibrate, crossing, pooled_scale, scale_of
from ..evaluation.conformal import kept_errors
from ..evaluation.measure import measure, score
from ..evaluation.shapley import shares_of_metrics
from ..evaluation.spread import Spread, features_of, pooled
from ..flow import FUSED
from ..inference import Answer, Collected, collect, windows
from ..model import MultiModalModel
from ..preparation import Prepared
from ..tasks import Task, known
from ..tasks.metrics import Metrics
from ..training.observers import Observer
from ..training.progress import Fitted, NotFinite, Validated

_WEIGHED_ON = 5_000
"""The maximum number of rows on which vote weights are fitted."""
_CROSSED_NUMBERS = 2**24
"""The number of values (rows times voters times outputs) above which vote weights are cross-fitted on two parts of the rows, not five."""


@dataclass
class Member:
    """One trained model, with its fold, the result of training, and its predictions (``answers``) for the fold's validation rows, one for
    each set of hidden fields."""

    fold: int
    model: MultiModalModel
    fitted: Fitted
    answers: Collected


@dataclass(frozen=True)
class Measured:
    """Predictions for the validation rows, each from a member that was not trained on the row and vote weights not fitted on it.

    :param metrics: the metrics, as written to ``metrics.json``
    :param rows: (N,) the 0-based row numbers
    :param part_N: (N,) the part of each row; its vote weights were fitted on the rows of the other parts
    :param member_N: (N,) the index of the member that predicts each row
    :param scores: by task (N, C)
    :param unscaled: by task (N, C), the scores with vote weights that are rescaled to the sum that they have before fitting
    :param targets: the targets, by task (N, T)
    :param own: by task and field, the scores (N, C) of the field's own vote alone
    """

    metrics: dict[str, Any]
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


class HeldOut:
    """Computes and measures the predictions of members for rows that they were not trained on."""

    def __init__(self, prepared: Prepared, device: torch.device, observer: Observer) -> None:
        self.prepared, self.device, self.observer = prepared, device, observer

    def collect(
        self, model: MultiModalModel, rows: np.ndarray, names: Sequence[str], hidden: Sequence[frozenset[str]] = (frozenset(),),
        represent: bool = False,
    ) -> Collected:  # fmt: skip
        """Return a model's predictions for rows (0-based), one for each set of hidden fields.

        :param represent: whether to include the representation h
        """
        store = self.prepared.valid.store
        return collect(model, store.modalities, windows(store, rows, names), hidden, self.device, represent)

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
                model.load_state_dict(best.weights)
                parts.append(self.collect(model, rows, names, hidden))
        model.load_state_dict(fitted.weights)
        answers = [_joined([part.answers[at] for part in parts]) for at in range(len(hidden))]
        return Collected(np.concatenate([part.rows for part in parts]), answers)

    def selecting(self, fold: int) -> np.ndarray:
        """Return the rows (0-based) on which the member of a fold is measured after each epoch.

        They are the selection rows if there are any, else the fold's validation rows, which select the epoch only with folds.
        """
        return self.prepared.selecting if len(self.prepared.selecting) else self.prepared.member(fold)[1]

    def _halves(self, fold: int) -> tuple[np.ndarray, ...]:
        """Return the halves of the rows that both select and validate; () if other rows select, or none do."""
        return self.prepared.split.halves(fold) if self.prepared.valid is self.prepared.train else ()

    def validate(self, model: MultiModalModel, fold: int, names: Sequence[str]) -> Validated:
        """Return the metrics on the rows that select the epoch and on each half of them, and the loss of each vote alone.

        The vote weights are fitted on the same rows. The model keeps those fitted on all of these rows.

        :raises NotFinite: a prediction is not finite
        """
        found = self.collect(model, self.selecting(fold), names)
        if not all(np.isfinite(logits).all() for logits in found.answers[0].logits.values()):
            raise NotFinite("its answers to held-out rows are not finite")
        halves: list[Mapping[str, Metrics] | None] = []
        for rows in self._halves(fold):
            at = np.flatnonzero(np.isin(found.rows, rows))
            with_target = any(known(task, self.prepared.valid.targets[name][rows]).any() for name, task in self.prepared.tasks.items())
            halves.append(self._refitted(model, found, at) if with_target else None)
        metrics = self._refitted(model, found, np.arange(len(found.rows)))
        return Validated(metrics, self._own(model, found, names), halves)

    def _refitted(self, model: MultiModalModel, found: Collected, places: np.ndarray) -> dict[str, Metrics]:
        """Fit the vote weights on the rows at these positions, set them in the model, and return the metrics of these rows."""
        rows, whole = found.rows[places], np.zeros(len(places), np.int64)
        answer, weights = _taken(found.answers[0], places), {}
        if model.has_votes:
            fitted = [self._fit(model, name, answer.votes[name], rows) for name in model.tasks]
            self._set_weights(model, fitted)
            weights = {name: np.array([of_task]) for name, of_task in zip(model.tasks, fitted, strict=True)}
        scores = {name: score(task, [self._pooled(model, name, answer, rows, whole, weights, frozenset())])
                  for name, task in self.prepared.tasks.items()}  # fmt: skip
        return measure(self.prepared.tasks, scores, self._targets(rows))[0]

    def _own(self, model: MultiModalModel, found: Collected, names: Sequence[str]) -> dict[str, float]:
        """Return the mean loss of each vote alone over all tasks, each task with its weight, as in training."""
        present, targets = self._present(found.rows, names), self._targets(found.rows)
        sums: dict[str, Any] = {}
        for rule, (name, task) in zip(model.rules, self.prepared.tasks.items(), strict=True):
            votes_by_voter = {voter: torch.from_numpy(logits) for voter, logits in found.answers[0].votes.get(name, {}).items()}
            votes = votes_by_voter or {FUSED: torch.from_numpy(found.answers[0].logits[name])}
            losses_VN = rule.own_losses(task, votes, present, torch.from_numpy(targets[name])).numpy()
            for voter, losses_N in zip(votes, losses_VN, strict=True):
                counts_N = known(task, targets[name]) & (present[voter].numpy() if voter != FUSED else True)
                pair = task.config.weight * np.array([losses_N[counts_N].sum(), counts_N.sum()], np.float64)
                sums[voter] = sums.get(voter, 0.0) + pair
        if len(names) == 1:
            sums.setdefault(names[0], sums.get(FUSED))
        return {voter: float(loss / rows) for voter, (loss, rows) in sums.items() if rows > 0}

    def _fit(
        self, model: MultiModalModel, name: str, votes: Mapping[str, np.ndarray], rows: np.ndarray, of: np.ndarray | None = None
    ) -> list[float]:
        """Fit the vote weights of one task on these rows, or on the positions ``of`` among them."""
        places = np.arange(len(rows)) if of is None else of
        places = places[:: max(1, -(-len(places) // _WEIGHED_ON))]
        index = self.prepared.valid.store.index
        task, rule = self.prepared.tasks[name], model.rules[model.tasks.index(name)]
        target_NT = self.prepared.valid.targets[name][rows[places]]
        present = [index[field][rows[places]] >= 0 for field in votes if field != FUSED]
        return rule.fit(task, [vote[places] for vote in votes.values()], target_NT, present)

    def _set_weights(self, model: MultiModalModel, weights: Sequence[Sequence[float]]) -> None:
        model.vote_weights_TV.copy_(torch.tensor(weights, dtype=model.vote_weights_TV.dtype))

    def _present(self, rows: np.ndarray, names: Sequence[str]) -> dict[str, torch.Tensor]:
        index = self.prepared.valid.store.index
        return {name: torch.from_numpy(index[name][rows] >= 0) for name in names}

    def _targets(self, rows: np.ndarray) -> dict[str, np.ndarray]:
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
            wide = max(sum(vote.size for vote in votes.values()) for votes in answers[0].votes.values()) > _CROSSED_NUMBERS
            part_N = crossing(len(rows), self.prepared.experiment.seed, *([2] if wide else []))
            weights = {name: self._crossed(model, name, answers[0].votes[name], rows, part_N) for name in tasks}
            fitted = [self._fit(model, name, answers[0].votes[name], rows) for name in tasks]
            for member in members:
                self._set_weights(member.model, fitted)
            self._report_weights(model, fitted, fields)
        measured, every = [], []
        for names, found in zip(hidden, answers, strict=True):
            scores = {name: score(task, [self._pooled(model, name, found, rows, part_N, weights, names)]) for name, task in tasks.items()}
            every.append(scores)
            measured.append(measure(tasks, scores, targets))
        unscaled = {}
        for name in weights:
            rule = model.rules[model.tasks.index(name)]
            start = rule.start(len(answers[0].votes[name]) - rule.fused)
            without = {name: np.stack([of_part / scale_of(of_part, start) for of_part in weights[name]])}
            unscaled[name] = score(tasks[name], [self._pooled(model, name, answers[0], rows, part_N, without, frozenset())])
        result: dict[str, Any] = {"rows": len(rows), "tasks": measured[0][0]}
        if len(hidden) > 1:
            by_set = dict(zip(hidden, (metrics for metrics, _ in measured), strict=True))
            result["hidden"] = {next(iter(names)): metrics for names, metrics in by_set.items() if len(names) == 1}
            if frozenset(fields) in by_set:
                result["present"] = [{"fields": [name for name in fields if name not in names], "tasks": by_set[names]} for names in by_set]
                shown = {frozenset(fields) - names: metrics for names, metrics in by_set.items()}
                result["shapley"] = shares_of_metrics(tasks, shown, fields)
        for metric, reason in measured[0][1].items():
            self.observer.observe("undefined", {"metric": metric, "reason": reason})
        own = {
            name: self._own_scores(name, [(member.model, part.answers[0]) for member, part in zip(members, parts, strict=True)])
            for name in tasks
        }
        return Measured(result, rows, part_N, member_N, every[0], unscaled, targets, own)

    def _crossed(
        self, model: MultiModalModel, name: str, votes: Mapping[str, np.ndarray], rows: np.ndarray, part_N: np.ndarray
    ) -> np.ndarray:
        """Return the vote weights (P, V) for each part, fitted on the rows of the other parts; the initial weights if there is one part."""
        parts = int(part_N.max()) + 1
        if parts == 1:
            rule = model.rules[model.tasks.index(name)]
            return np.array([rule.start(len(votes) - rule.fused)])
        return np.array([self._fit(model, name, votes, rows, np.flatnonzero(part_N != part)) for part in range(parts)])

    def _pooled(
        self, model: MultiModalModel, name: str, found: Answer, rows: np.ndarray, part_N: np.ndarray, weights: Mapping[str, np.ndarray],
        hidden: frozenset[str],
    ) -> np.ndarray:  # fmt: skip
        """Return the logits (N, C) of the prediction, with votes pooled by the weights of each row's part."""
        if name not in weights:
            return found.logits[name]
        rule, logits = model.rules[model.tasks.index(name)], np.empty((len(rows), self.prepared.tasks[name].outputs), np.float32)
        for part, weights_V in enumerate(weights[name]):
            inside = np.flatnonzero(part_N == part)
            votes = {voter: torch.from_numpy(vote[inside]) for voter, vote in found.votes[name].items()}
            present = self._present(rows[inside], model.names)
            present |= {field: torch.zeros(len(inside), dtype=torch.bool) for field in hidden}
            logits[inside] = rule.pool(votes, present, torch.from_numpy(weights_V).to(next(iter(votes.values())).dtype)).numpy()
        return logits

    def _report_weights(self, model: MultiModalModel, weights: Sequence[Sequence[float]], names: Sequence[str]) -> None:
        voters = ["fused"] * model.rules[0].fused + model.voters
        for name, of_task in zip(model.tasks, weights, strict=True):
            by_voter = dict(zip(voters, of_task, strict=True))
            self.observer.observe("votes", {"task": name, "fields": list(names), "weights": by_voter})
            if len(by_voter) > 1:
                text = ", ".join(f"{voter} {weight:.2f}" for voter, weight in by_voter.items())
                self.observer.observe("note", {"text": f"target {name!r}: weights of the votes: {text}"})

    def calibrate(self, model: MultiModalModel, measured: Measured) -> dict[str, Calibration]:
        """Return the calibration on the validation rows, without and with the scale of the vote weights, by task.

        Tasks whose vote weights have no scale are left out.
        """
        found = {}
        for name, unscaled in measured.unscaled.items():
            at = model.tasks.index(name)
            weights_V = model.vote_weights_TV[at].tolist()
            scale = scale_of(weights_V, model.rules[at].start(len(weights_V) - model.rules[at].fused))
            one = calibrate(self.prepared.tasks[name], measured.targets[name], unscaled, measured.scores[name], scale)
            if one is not None:
                found[name] = one
        return found

    def calibrating(self, members: Sequence[Member], fields: Sequence[str]) -> list[Answer]:
        """Return the predictions of each member for the calibration rows, before the scale of their mean is fitted.

        The list is empty if there is one member or there are no calibration rows.
        """
        rows = self.prepared.split.calibrating
        return [self._of_shipped(member, rows, fields) for member in members] if len(rows) and len(members) > 1 else []

    def errors(self, members: Sequence[Member], fields: Sequence[str], measured: Measured, answers: Sequence[Answer]) -> dict[str, Any]:
        """Return the errors from which prediction sets are made, by task, as stored in a bundle (``conformal.kept_errors``).

        A task whose predictions have no sets is left out.

        :param answers: the predictions from ``calibrating``, whose mean gives the errors; if empty, the errors are those of the validation
            rows
        """
        spreads = self._spreads(members, fields) if answers or len(members) == 1 else {}
        expected = answers or ([self._of_shipped(member, measured.rows, fields) for member in members] if spreads else [])
        rows, found = self.prepared.split.calibrating, {}
        for name, task in self.prepared.tasks.items():
            if not task.has_sets:
                continue
            spread_N = pooled(spreads[name], expected, name) if name in spreads else None
            if answers:
                scores_NC, target_NT = score(task, [one.logits[name] for one in answers]), self.prepared.valid.targets[name][rows]
                found[name] = kept_errors(task, target_NT, scores_NC, np.zeros(len(rows), np.int64), 1, spread_N)
            else:
                target_NT, scores_NC = measured.targets[name], measured.scores[name]
                found[name] = kept_errors(task, target_NT, scores_NC, measured.member_N, len(members), spread_N)
            if name in spreads:
                found[name]["spreads"] = [one.facts() for one in spreads[name]]
        return found

    def scale(self, members: Sequence[Member], fields: Sequence[str], answers: Sequence[Answer]) -> dict[str, PooledScale]:
        """Fit the scale of the mean of several members on the calibration rows, and multiply the members' vote weights by it.

        :param answers: the predictions from ``calibrating``
        :returns: the scale and the metrics of the mean, by task; empty if ``answers`` is empty
        """
        rows, model, found = self.prepared.split.calibrating, members[0].model, {}
        for at, (name, task) in enumerate(self.prepared.tasks.items() if answers else ()):
            scales = task.classes is not None and model.has_votes and model.rules[at].linear
            logits, target_NT = [one.logits[name] for one in answers], self.prepared.valid.targets[name][rows]
            found[name] = pooled_scale(task, logits, target_NT, self.prepared.experiment.seed if scales else None)
            for member in members:
                member.model.vote_weights_TV[at] *= found[name].scale
            if scales and len(fields) == len(self.prepared.modalities):
                text = f"the mean of {len(members)} models is multiplied by {found[name].scale:.2f}, fitted on {found[name].rows:,} rows"
                self.observer.observe("note", {"text": f"target {name!r}: {text} that none of them was trained on"})
        return found

    def _spreads(self, members: Sequence[Member], fields: Sequence[str]) -> dict[str, list[Spread]]:
        """Fit the expected errors of each member, by numeric task, on rows that are not used for prediction sets.

        These are each member's validation rows with folds, and the selection rows for one member. Tasks whose expected error is the same
        for every row are left out.
        """
        found: dict[str, list[Spread]] = {}
        numbers = [name for name, task in self.prepared.tasks.items() if task.classes is None]
        rows = [self.prepared.member(member.fold)[1] if len(members) > 1 else self.prepared.selecting for member in members]
        if not numbers or not all(map(len, rows)):
            return found
        answers = [self._of_shipped(member, of, fields) for member, of in zip(members, rows, strict=True)]
        for name in numbers:
            task, fitted = self.prepared.tasks[name], []
            for answer, of in zip(answers, rows, strict=True):
                target_NT = self.prepared.valid.targets[name][of]
                there = known(task, target_NT)
                errors_N = task.errors(target_NT[there], score(task, [answer.logits[name][there]]))
                fitted.append(Spread.fit(features_of(answer, name)[there], errors_N))
            if not all(one.is_constant for one in fitted):
                found[name] = fitted
        return found

    def _of_shipped(self, member: Member, rows: np.ndarray, fields: Sequence[str]) -> Answer:
        """Return a member's predictions, including h, with the saved weights; the member is moved back to the CPU."""
        found = self.collect(member.model.to(self.device), rows, fields, represent=True).answers[0]
        member.model.to("cpu")
        return found

    def _own_scores(self, task: str, found: Sequence[tuple[MultiModalModel, Answer]]) -> dict[str, np.ndarray]:
        """Return the scores of each field's own vote, concatenated over the members."""
        by_field: dict[str, list[np.ndarray]] = {}
        for model, answer in found:
            rule = model.rules[model.tasks.index(task)]
            for field, vote in answer.votes.get(task, {}).items():
                if field != FUSED:
                    there = torch.ones(len(vote), dtype=torch.bool)
                    logits = rule.alone({field: torch.from_numpy(vote)}, {field: there})[0].numpy()
                    by_field.setdefault(field, []).append(score(self.prepared.tasks[task], [logits]))
        return {field: np.concatenate(scores) for field, scores in by_field.items()}


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
