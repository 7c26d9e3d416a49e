"""The cells of a comparison: one training each. Results are kept in a journal, so that an interrupted comparison can be resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..ensemble.decisions import DecisionsInMemory
from ..ensemble.plan import Plan
from ..ensemble.trainer import EnsembleTrainer
from ..errors import TrainingError
from ..evaluation.measure import measure, score
from ..experiment import Experiment
from ..journal import LineJournal, ignore
from ..preparation import Prepared
from ..random_streams import Stream, seed_of
from ..tasks import Task, constant
from ..training.checkpoint import Checkpoints
from ..training.clock import Clock
from ..training.events import CellEvent, Event, WarningEvent
from ..training.observers import Observer
from .contenders import Contender
from .process_pool import ProcessPool, Stopped, Warn
from .resampling import Rounds, choosing_for

LOG = "cells.jsonl"
_KEYS = {"goodness": "worth", "row_values": "credits"}
"""The names in the journal of those attributes of a cell that have another name there."""


@dataclass(frozen=True)
class Cell:
    """The results of one training."""

    contender: str
    stage: str
    """``search`` or ``round``; a later stage of a search under a time limit has another name."""
    trial: int
    """The index of the settings in ``contenders.MULTIPLES``."""
    round: int
    rows: int = 0
    """The number of training rows."""
    epochs: int = 0
    """The maximum number of epochs."""
    ran: int = 0
    """The number of epochs that were trained."""
    seconds: float = 0.0
    parameters: int = 0
    """The number of parameters of the model."""
    goodness: float = float("-inf")
    """The mean over the targets of the ``Task.goodness`` of the metric by which each is judged (``Task.judged_by``), on the rows that
    choose; larger is better."""
    scores: Mapping[str, float | None] = field(default_factory=dict)
    """By target, that metric on the rows that choose, in its own unit."""
    monitor: float = float("inf")
    """The smallest value of the quantity by which training stops."""
    metrics: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    """The metrics on the measured rows, by target; empty in a search."""
    row_values: Mapping[str, Mapping[str, list[float]]] = field(default_factory=dict)
    """By target and metric, the ``Task.row_values`` of the measured rows that have the target; empty if the metric is undefined on them."""
    failed: str = ""
    """The reason why training failed; "" = it did not fail."""

    @property
    def key(self) -> str:
        """The key of the cell: its stage, contender, trial and round."""
        return f"{self.stage}/{self.contender}/{self.trial}/{self.round}"

    def facts(self) -> dict[str, Any]:
        """Return the cell as plain data, as it is written in the journal."""
        return {_KEYS.get(name, name): value for name, value in asdict(self).items()}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Cell:
        """Return the cell of plain data, in which infinite numbers are null."""
        names = {key: name for name, key in _KEYS.items()}
        return cls(**{names.get(key, key): value for key, value in facts.items() if value is not None})


class Log(LineJournal):
    """``cells.jsonl``: the journal of a comparison, with the cells that were trained."""

    def __init__(self, path: Path | None, about: Mapping[str, Any], force: bool = False, warn: Warn = ignore) -> None:
        self.cells: dict[str, Cell] = {}
        super().__init__(path, about, force, warn)

    def take(self, entry: Mapping[str, Any]) -> None:
        """Add the cell of a line of the journal."""
        cell = Cell.of(entry["cell"])
        self.cells[cell.key] = cell


@dataclass(frozen=True)
class _Job:
    """A cell to be trained. ``measured`` states whether the model is also measured on the rows of its round."""

    cell: Cell
    contender: Contender
    rows: int
    measured: bool

    def __str__(self) -> str:
        return f"{self.cell.contender}, {self.cell.stage}"


class Grid:
    """Trains the cells of one comparison, at most ``jobs`` at a time. It must be closed after use.

    :param experiment: the experiment that is compared
    :param prepared: its prepared data
    :param rounds: the rows of each round
    :param log: the journal of the comparison; its cells are not trained again
    :param clock: the time limit
    :param observer: called with the events of the comparison
    :param interrupted: returns whether a signal was received
    :param jobs: the maximum number of trainings at a time
    """

    def __init__(
        self, experiment: Experiment, prepared: Prepared, rounds: Rounds, log: Log, clock: Clock, observer: Observer,
        interrupted: Callable[[], bool], jobs: int,
    ) -> None:  # fmt: skip
        self.experiment, self.prepared, self.rounds, self.log, self.clock = experiment, prepared, rounds, log, clock
        self.observer, self.jobs = observer, jobs
        self.done, self.total = 0, 0
        """The number of cells that were trained, and the number expected in the end, as far as it is known."""
        self._pool = ProcessPool(jobs, self._train, self._keep, self._warn, interrupted)

    @property
    def threads(self) -> int:
        """The number of threads with which each cell is trained."""
        return int(self.log.decisions["threads"])

    def close(self) -> None:
        """Kill the processes of trainings that are still running."""
        self._pool.close()

    def decide(self, name: str, value: Callable[[], Any]) -> Any:
        """Return the decision of this name. If the journal lacks it, it is made now and written to the journal.

        :param name: the name of the decision
        :param value: returns the decision
        """
        if name not in self.log.decisions:
            self.log.decide(name, value(), self.clock.spent)
        return self.log.decisions[name]

    def trainer(
        self, contender: Contender, trial: int, at: int, rows: int, warn: Warn | None = None, stop: Callable[[], bool] = lambda: False
    ) -> EnsembleTrainer:
        """Return the trainer of one cell.

        :param trial: the index of the settings that are tried
        :param at: the index of the round
        :param rows: the approximate number of training rows
        """
        seed = seed_of(Stream.ROUND, self.experiment.seed, at, bits=62)
        experiment = contender.experiment(self.experiment, trial, seed)
        split = self.rounds.split(at, rows, self.experiment.seed)
        prepared = replace(self.prepared, experiment=experiment, split=split, selecting=split.member(0)[1])
        observer = Observer() if warn is None else _Warnings(warn)
        return EnsembleTrainer(experiment, prepared, Clock(None), observer, stop, Checkpoints(None), DecisionsInMemory())

    def epochs(self, rows: int) -> int:
        """Return the maximum number of epochs of a training on about ``rows`` rows."""
        return self.trainer(Contender(""), 0, 0, rows).usual_epochs()

    def choosing(self, rows: int) -> int:
        """Return the maximum number of rows that choose in a training on about ``rows`` rows."""
        return min(choosing_for(rows), len(self.rounds.choose))

    def put(self, stage: str, contender: Contender, trial: int, at: int, rows: int, measured: bool = False) -> None:
        """Train a contender as soon as fewer than ``jobs`` trainings are running. A cell that the journal contains is not trained again.

        :param stage: the name of the stage
        :param trial: the index of the settings that are tried
        :param at: the index of the round
        :param rows: the approximate number of training rows
        :param measured: whether the model is also measured on the rows of the round
        """
        cell = Cell(contender.name, stage, trial, at)
        known = self.log.cells.get(cell.key)
        if known is None:
            self._pool.put(_Job(cell, contender, rows, measured))
        else:
            self._report(known)

    def wait(self) -> None:
        """Wait until every cell that was ``put`` is trained."""
        self._pool.wait()

    def cell(self, stage: str, contender: Contender, trial: int, at: int) -> Cell:
        """Return the result of a cell that was completed."""
        return self.log.cells[Cell(contender.name, stage, trial, at).key]

    @property
    def running(self) -> list[tuple[str, float]]:
        """The contenders that are being trained, each with the seconds since its training began."""
        return [(job.contender.name, seconds) for job, seconds in self._pool.running]

    def _keep(self, job: _Job, facts: Mapping[str, Any]) -> None:
        """Add a trained cell to the journal and report it."""
        cell = Cell.of(facts)
        self.log.cells[cell.key] = cell
        self.log.append({"cell": facts}, self.clock.spent)
        self._report(cell)

    def _report(self, cell: Cell) -> None:
        """Count a trained cell, and send it to the observer."""
        self.done += 1
        self.observer.observe(CellEvent(
            stage=cell.stage, name=cell.contender, trial=cell.trial, round=cell.round, worth=cell.goodness, scores=dict(cell.scores),
            done=self.done, total=max(self.total, self.done), seconds=cell.seconds, failed=cell.failed,
        ))  # fmt: skip

    def _warn(self, text: str) -> None:
        """Send a warning to the observer."""
        self.observer.observe(WarningEvent(text))

    def _train(self, job: _Job, warn: Warn, stop: Callable[[], bool]) -> Mapping[str, Any]:
        """Return the cell of a job as plain data; a ``TrainingError`` is its ``failed``."""
        begin = time.monotonic()
        try:
            cell = self._trained(job.cell, job.contender, job.rows, job.measured, warn, stop)
        except TrainingError as error:
            cell = replace(job.cell, failed=str(error))
        return replace(cell, seconds=round(time.monotonic() - begin, 3)).facts()

    def _trained(self, cell: Cell, contender: Contender, rows: int, measured: bool, warn: Warn, stop: Callable[[], bool]) -> Cell:
        """Train a contender and return its cell with the results.

        :raises Stopped: a signal was received
        :raises TrainingError: the contender cannot be trained
        """
        trainer = self.trainer(contender, cell.trial, cell.round, rows, warn, stop)
        names = trainer.fields if contender.field is None else [contender.field]
        epochs = trainer.usual_epochs()
        plan = Plan(1, 1, epochs, {})
        members = trainer.train(plan) if contender.field is None else trainer.train_alone(plan, contender.field)
        if stop():
            raise Stopped
        model, tasks = members[0].model, self.prepared.tasks
        chosen = trainer.validation.measure(members, [frozenset()], names).metrics.tasks
        values = {name: chosen[name][task.judged_by] for name, task in tasks.items()}
        goodness = [tasks[name].goodness(tasks[name].judged_by, value) for name, value in values.items() if value is not None]
        cell = replace(
            cell, rows=len(trainer.prepared.member(0)[0]), epochs=epochs, ran=len(members[0].fitted.history),
            parameters=sum(parameter.numel() for parameter in model.parameters()), monitor=members[0].fitted.monitor,
            goodness=float(np.mean(goodness or [float("-inf")])), scores=values,
        )  # fmt: skip
        if not measured:
            return cell
        at = self.rounds.measure[cell.round]
        collected = trainer.validation.collect(model.to(trainer.device), at, names)
        targets = {name: target[at] for name, target in self.prepared.train.targets.items()}
        scores = {name: score(task, [collected.answers[0].logits[name]]) for name, task in tasks.items()}
        row_values = {name: _row_values(task, targets[name], scores[name]) for name, task in tasks.items()}
        return replace(cell, metrics=measure(tasks, scores, targets)[0], row_values=row_values)

    def constant(self, at: int) -> dict[str, dict[str, list[float]]]:
        """Return the ``row_values`` of a round for the constant prediction that fits its training rows best."""
        row_values = {}
        for name, task in self.prepared.tasks.items():
            target = self.prepared.train.targets[name]
            logits, _ = constant(task, target[self.rounds.train[at]])
            here = target[self.rounds.measure[at]]
            row_values[name] = _row_values(task, here, score(task, [np.repeat(logits[None], len(here), 0)]))
        return row_values

    def clusters(self, at: int, name: str) -> np.ndarray:
        """Return the cluster of each measured row of round ``at`` that has the target ``name``."""
        rows = self.rounds.measure[at]
        known = ~np.isnan(self.prepared.train.targets[name][rows]).any(1)
        result: np.ndarray = self.rounds.cluster_N[rows[known]]
        return result


def judging(task: Task) -> list[str]:
    """Return the metrics by which differences are measured: the judging metric, and the usual one if it differs."""
    return list(dict.fromkeys([task.judged_by, task.usual_metric]))


def _row_values(task: Task, target_NT: np.ndarray, scores_NC: np.ndarray) -> dict[str, list[float]]:
    """Return, for each judging metric, its value for each row that has the target; empty if the metric is undefined."""
    known = ~np.isnan(target_NT).any(1)
    by_metric = {metric: task.row_values(target_NT[known], scores_NC[known], metric) for metric in judging(task)}
    return {metric: [] if values is None else values.tolist() for metric, values in by_metric.items()}


class _Warnings(Observer):
    """An observer of a single training that passes on its warnings and nothing else."""

    def __init__(self, warn: Warn) -> None:
        self.warn = warn

    def observe(self, event: Event) -> None:
        """Pass the text of a warning on; ignore other events."""
        if isinstance(event, WarningEvent):
            self.warn(event.text)
