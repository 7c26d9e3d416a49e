"""Calibration of a trained ensemble: the scale of its predictions, and the errors from which prediction sets and intervals are made.

The scale of the mean of several members is fitted on the calibration rows, which no member was trained on and which select nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..evaluation.calibration import Calibration, PooledScale, calibrate, pooled_scale, scale_of
from ..evaluation.conformal import KeptErrors, kept_errors
from ..evaluation.measure import score
from ..evaluation.spread import Spread, features_of, pooled
from ..inference import Answer
from ..language import Sentence
from ..training.events import NoteEvent
from .validation import Measured, Member, Validation


class EnsembleCalibration:
    """Calibrates the members of an ensemble of some fields.

    :param members: the trained members, with the vote weights that ``Validation.measure`` set
    :param fields: the fields that the members use
    """

    def __init__(self, validation: Validation, members: Sequence[Member], fields: Sequence[str]) -> None:
        self.validation, self.members, self.fields = validation, members, fields
        self.prepared, self.observer = validation.prepared, validation.observer

    def vote_scales(self, measured: Measured) -> dict[str, Calibration]:
        """Return the calibration on the validation rows, without and with the scale of the vote weights, by task.

        Tasks whose vote weights have no scale are left out.
        """
        calibrations = {}
        model = self.members[0].model
        for name, unscaled in measured.unscaled.items():
            at = model.tasks.index(name)
            weights_V = model.vote_weights_TV[at].tolist()
            scale = scale_of(weights_V, model.rules[at].start(len(weights_V) - model.rules[at].fused))
            calibration = calibrate(self.prepared.tasks[name], measured.targets[name], unscaled, measured.scores[name], scale)
            if calibration is not None:
                calibrations[name] = calibration
        return calibrations

    def answers(self) -> list[Answer]:
        """Return the predictions of each member for the calibration rows, before the scale of their mean is fitted.

        The list is empty if there is one member or there are no calibration rows.
        """
        rows = self.prepared.split.calibrating
        return [self._with_saved_weights(member, rows) for member in self.members] if len(rows) and len(self.members) > 1 else []

    def errors(self, measured: Measured, answers: Sequence[Answer]) -> dict[str, KeptErrors]:
        """Return the errors from which prediction sets are made, by task, as stored in a bundle (``conformal.kept_errors``).

        A task whose predictions have no sets is left out.

        :param answers: the result of ``answers``, from whose mean the errors are computed; if empty, the errors are those of the
            validation rows
        """
        members = self.members
        spreads = self._spreads() if answers or len(members) == 1 else {}
        expected = answers or ([self._with_saved_weights(member, measured.rows) for member in members] if spreads else [])
        rows, errors = self.prepared.split.calibrating, dict[str, KeptErrors]()
        for name, task in self.prepared.tasks.items():
            if not task.has_sets:
                continue
            spread_N = pooled(spreads[name], expected, name) if name in spreads else None
            if answers:
                scores_NC, target_NT = score(task, [one.logits[name] for one in answers]), self.prepared.valid.targets[name][rows]
                errors[name] = kept_errors(task, target_NT, scores_NC, np.zeros(len(rows), np.int64), 1, spread_N)
            else:
                target_NT, scores_NC = measured.targets[name], measured.scores[name]
                errors[name] = kept_errors(task, target_NT, scores_NC, measured.member_N, len(members), spread_N)
            if name in spreads:
                errors[name]["spreads"] = [one.facts() for one in spreads[name]]
        return errors

    def scale(self, answers: Sequence[Answer]) -> dict[str, PooledScale]:
        """Fit the scale of the mean of several members on the calibration rows, and multiply the members' vote weights by it.

        :param answers: the result of ``answers``
        :returns: the scale and the metrics of the mean, by task; empty if ``answers`` is empty
        """
        members = self.members
        rows, model, scales = self.prepared.split.calibrating, members[0].model, {}
        for at, (name, task) in enumerate(self.prepared.tasks.items() if answers else ()):
            has_scale = task.has_classes and model.has_votes and model.rules[at].linear
            logits, target_NT = [one.logits[name] for one in answers], self.prepared.valid.targets[name][rows]
            scales[name] = pooled_scale(task, logits, target_NT, self.prepared.experiment.seed if has_scale else None)
            for member in members if has_scale else ():
                member.model.vote_weights_TV[at] *= scales[name].scale
            if has_scale and len(self.fields) == len(self.prepared.modalities):
                values = {"models": len(members), "scale": scales[name].scale, "rows": scales[name].rows}
                self.observer.observe(NoteEvent(Sentence("note.pooled", target=name, **values)))
        return scales

    def _spreads(self) -> dict[str, list[Spread]]:
        """Fit the expected errors of each member, by numeric task, on rows that are not used for prediction sets.

        These are each member's validation rows with folds, and the selection rows for one member. Tasks whose expected error is the same
        for every row are left out.
        """
        spreads: dict[str, list[Spread]] = {}
        members = self.members
        numbers = [name for name, task in self.prepared.tasks.items() if task.has_sets and not task.has_classes]
        rows = [self.prepared.member(member.fold)[1] if len(members) > 1 else self.prepared.selecting for member in members]
        if not numbers or not all(map(len, rows)):
            return spreads
        answers = [self._with_saved_weights(member, of) for member, of in zip(members, rows, strict=True)]
        for name in numbers:
            task, fitted = self.prepared.tasks[name], []
            for answer, of in zip(answers, rows, strict=True):
                target_NT = self.prepared.valid.targets[name][of]
                there = task.known(target_NT)
                errors_N = task.errors(target_NT[there], score(task, [answer.logits[name][there]]))
                fitted.append(Spread.fit(features_of(answer, name)[there], errors_N))
            if not all(one.is_constant for one in fitted):
                spreads[name] = fitted
        return spreads

    def _with_saved_weights(self, member: Member, rows: np.ndarray) -> Answer:
        """Return a member's predictions, including h, with the saved weights; the member is moved back to the CPU."""
        validation = self.validation
        answer = validation.collect(member.model.to(validation.device), rows, self.fields, represent=True).answers[0]
        member.model.to("cpu")
        return answer
