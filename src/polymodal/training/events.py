"""Events of runs and comparisons. Each is a frozen dataclass; an observer receives it and decides by its class what to do with it.

The fields of an event, in their order, are the keys of its line in ``log.jsonl``, after ``event`` (its ``kind``) and ``time``. Values are
plain data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Event:
    """Base class of events."""

    kind: ClassVar[str]
    """The name of the event in ``log.jsonl``."""

    def facts(self) -> dict[str, Any]:
        """Return the fields of the event by name, as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class StartEvent(Event):
    """A run has started, and its settings are complete.

    :param polymodal: the version of polymodal
    :param torch: the version of torch
    :param python: the version of Python
    :param threads: the number of threads that torch computes with
    :param table: the name of the training table, its path if it is a file
    :param rows: the number of rows of the training table
    :param seed: the random seed
    :param time_limit: the time limit in seconds; None = there is none
    """

    kind: ClassVar[str] = "start"
    polymodal: str
    torch: str
    python: str
    threads: int
    table: str
    rows: int
    seed: int
    time_limit: float | None


@dataclass(frozen=True)
class ResumeEvent(StartEvent):
    """A run has been resumed. The fields are those of ``StartEvent``, in the process that resumes."""

    kind: ClassVar[str] = "resume"


@dataclass(frozen=True)
class NoteEvent(Event):
    """A note about the data, the settings or the progress of a run or comparison.

    :param text: the note, one line
    :param detail: whether it is of interest only to those who follow single models and epochs
    """

    kind: ClassVar[str] = "note"
    text: str
    detail: bool = False


@dataclass(frozen=True)
class WarningEvent(Event):
    """A warning about the data, the training or the files of a run or comparison. The run continues.

    :param text: the warning, one line
    """

    kind: ClassVar[str] = "warning"
    text: str


@dataclass(frozen=True)
class DeviceEvent(Event):
    """The device of a run has been chosen.

    :param device: the type of the device: ``cpu``, ``cuda`` or ``mps``
    :param precision: the dtype of forward passes, such as ``float32`` or ``bfloat16``
    """

    kind: ClassVar[str] = "device"
    device: str
    precision: str


@dataclass(frozen=True)
class PlanEvent(Event):
    """A run has planned how many models it trains, and for how many epochs.

    :param members: the number of models of all fields
    :param baseline_members: the number of models of each single field
    :param epochs: the maximum number of epochs of each model
    :param share: the estimated seconds of one epoch of one model, by single field, and under ``""`` for all fields; {} = not estimated
    :param trees: the estimated seconds of the boosted trees of one model
    :param networks: the number of networks of each model of all fields, without those that a time limit adds
    :param work: the cost of training one model for one epoch, in any unit, under ``""`` for all fields, and by each single field that is
        trained alone, in the order of training
    """

    kind: ClassVar[str] = "plan"
    members: int
    baseline_members: int
    epochs: int
    share: Mapping[str, float]
    trees: float = 0.0
    networks: int = 1
    work: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelEvent(Event):
    """Training of one model begins or continues, or the model was trained by an earlier process.

    :param name: the name of the model, such as ``fused, fold 1`` or ``only title``
    :param field: the single field that it is a model of; ``""`` = all fields
    :param epochs: the maximum number of epochs
    :param trained: whether an earlier process trained it, so that no other event about it follows
    """

    kind: ClassVar[str] = "model"
    name: str
    field: str
    epochs: int
    trained: bool


@dataclass(frozen=True)
class StepEvent(Event):
    """A model was trained on one batch. These events are not written to ``log.jsonl``.

    :param name: the name of the model, such as ``fused, fold 1`` or ``only title``
    :param epoch: the number of the epoch, from 1
    :param epochs: the maximum number of epochs
    :param step: the number of completed steps of this epoch
    :param steps: the number of steps of an epoch
    :param loss: the loss of the batch; NaN if the step was undone
    :param rows_per_second: the training rows per second of this epoch so far
    :param waiting: the fraction of this epoch's time that was spent waiting for batches
    """

    kind: ClassVar[str] = "step"
    name: str
    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    rows_per_second: float
    waiting: float


@dataclass(frozen=True)
class FieldFigures:
    """Figures of one field in one epoch. A figure that does not exist is None.

    :param loss: the mean loss of the field's own vote on training rows
    :param held_out: the mean loss of the field's own vote on validation rows
    :param gradient: the field's share of the norms of the encoders' gradients, as a mean over steps
    :param step: the factor of the learning rate of the field's encoder, as a mean over steps
    """

    loss: float | None
    held_out: float | None
    gradient: float | None
    step: float | None


@dataclass(frozen=True)
class EpochEvent(Event):
    """A model was trained for one epoch and measured on rows that it is not trained on.

    :param name: the name of the model, such as ``fused, fold 1`` or ``only title``
    :param epoch: the number of the epoch, from 1
    :param epochs: the maximum number of epochs
    :param loss: the mean loss over the training rows of the epoch
    :param seconds: the seconds of training, without validation
    :param rows_per_second: the training rows per second
    :param waiting: the fraction of the seconds that was spent waiting for batches
    :param complete: whether all steps were done; False if the time limit or the user ended the epoch
    :param monitor: the monitored value, smaller is better
    :param best: whether the epoch is the best one so far, or, if no rows select the epoch, the last one so far
    :param shown: the metrics to show, by name; after the name of the target and a dot if there are several targets
    :param metrics: all metrics by target; None for a metric that is undefined
    :param fields: by field, its ``loss``, ``held_out``, ``gradient`` and ``step``
    """

    kind: ClassVar[str] = "epoch"
    name: str
    epoch: int
    epochs: int
    loss: float
    seconds: float
    rows_per_second: float
    waiting: float
    complete: bool
    monitor: float
    best: bool
    shown: Mapping[str, float | None]
    metrics: Mapping[str, Mapping[str, float | None]]
    fields: Mapping[str, FieldFigures]

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> EpochEvent:
        """Return the event of ``facts()``."""
        return cls(**{**facts, "fields": {name: FieldFigures(**figures) for name, figures in facts["fields"].items()}})


@dataclass(frozen=True)
class CheckpointEvent(Event):
    """A checkpoint of a model in training was written.

    :param name: the name of the model
    :param step: the number of completed steps of training, over all epochs
    :param seconds: the seconds that the checkpoint took
    """

    kind: ClassVar[str] = "checkpoint"
    name: str
    step: int
    seconds: float


@dataclass(frozen=True)
class MemberEvent(Event):
    """Training of one model has ended.

    :param name: the name of the model
    :param epoch: the number of the epoch whose weights are kept
    :param monitor: the monitored value of that epoch, smaller is better
    :param stopped: the reason why training ended
    :param seconds: the seconds of its training, validation and boosted trees
    """

    kind: ClassVar[str] = "member"
    name: str
    epoch: int
    monitor: float
    stopped: str
    seconds: float = 0.0


@dataclass(frozen=True)
class VotesEvent(Event):
    """The vote weights of one target were fitted.

    :param task: the name of the target
    :param fields: the fields that the model uses
    :param weights: the weight of each vote, by field, and under ``fused`` for the vote of the fused representation
    """

    kind: ClassVar[str] = "votes"
    task: str
    fields: Sequence[str]
    weights: Mapping[str, float]


@dataclass(frozen=True)
class UndefinedEvent(Event):
    """A metric is undefined on the validation rows.

    :param metric: the name of the metric
    :param reason: the reason why it is undefined
    """

    kind: ClassVar[str] = "undefined"
    metric: str
    reason: str


@dataclass(frozen=True)
class CellEvent(Event):
    """One training of a comparison has ended, or its result was read from an earlier process.

    :param stage: the stage of the comparison, such as ``search`` or ``round``
    :param name: the name of the contender
    :param trial: the index of the settings, from 0
    :param round: the index of the round, from 0
    :param worth: the mean over the targets of the metric on the selection rows, larger is better
    :param scores: that metric by target, in its own unit; None if it is undefined
    :param done: the number of trainings that have ended
    :param total: the number of trainings, as far as it is known
    :param seconds: the seconds of this training
    :param failed: the reason why this training failed; empty = it did not fail
    """

    kind: ClassVar[str] = "cell"
    stage: str
    name: str
    trial: int
    round: int
    worth: float
    scores: Mapping[str, float | None]
    done: int
    total: int
    seconds: float
    failed: str


@dataclass(frozen=True)
class SearchEvent(Event):
    """A search begins, or continues.

    :param trials: the number of trials of the search
    :param paths: the paths of the settings that are searched
    """

    kind: ClassVar[str] = "search"
    trials: int
    paths: Sequence[str]


@dataclass(frozen=True)
class TrialEvent(Event):
    """One trial of a search has ended, or its result was read from an earlier process.

    :param number: the number of the trial, from 0
    :param settings: the settings that the trial uses, by path
    :param state: ``complete``, ``pruned``, ``failed`` or ``repeated`` (its settings were tried before)
    :param metric: the name of the metric that is shown; empty if there are several targets
    :param value: the value of the metric on the validation rows, or the mean over the targets; None = it was not measured
    :param reason: the reason why the trial was pruned or failed; empty if it was neither
    :param epochs: the number of epochs of its first model
    :param seconds: the seconds of the trial
    :param best: whether it is the best one so far
    :param total: the number of trials of the search
    """

    kind: ClassVar[str] = "trial"
    number: int
    settings: Mapping[str, Any]
    state: str
    metric: str
    value: float | None
    reason: str
    epochs: int
    seconds: float
    best: bool
    total: int


@dataclass(frozen=True)
class EndEvent(Event):
    """A run has ended, or was interrupted after its model was saved.

    :param seconds: the seconds until the model of all fields was trained (``fused``), and in ``total``
    :param validation: the metrics on the validation rows, as in ``metrics.json``
    :param finding: a sentence for each target on the model of all fields and the best single field, one a line; empty if there is none
    """

    kind: ClassVar[str] = "end"
    seconds: Mapping[str, float]
    validation: Mapping[str, Any]
    finding: str
