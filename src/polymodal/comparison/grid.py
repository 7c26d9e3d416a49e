"""The cells of a comparison: one training each. What a cell found is kept: a comparison that was broken off goes on where it was."""

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
from ..tasks import Task, constant
from ..training.checkpoint import Checkpoints
from ..training.clock import Clock
from ..training.events import CellEvent, Event, WarningEvent
from ..training.observers import Observer
from .contenders import Contender
from .process_pool import ProcessPool, Stopped, Warn
from .resampling import Rounds, choosing_for

LOG = "cells.jsonl"


@dataclass(frozen=True)
class Cell:
    """What one training found."""

    contender: str
    stage: str
    trial: int
    round: int
    rows: int = 0
    """It was trained on."""
    epochs: int = 0
    """At most."""
    ran: int = 0
    seconds: float = 0.0
    parameters: int = 0
    worth: float = float("-inf")
    """Mean over the targets of the metric that each is judged by (``Task.judged_by``) on the rows that choose, larger for better."""
    scores: Mapping[str, float | None] = field(default_factory=dict)
    """By target, that metric on the rows that choose, in its own unit."""
    monitor: float = float("inf")
    metrics: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    """On the rows that measure, by target; empty in a search."""
    credits: Mapping[str, Mapping[str, list[float]]] = field(default_factory=dict)
    """By target and metric, the contribution of each of those rows that has the target (``Task.credits``); nothing where a metric is
    undefined on them."""
    failed: str = ""

    @property
    def key(self) -> str:
        """Its place in the grid."""
        return f"{self.stage}/{self.contender}/{self.trial}/{self.round}"

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Cell:
        """From plain data, in which what is infinite is null."""
        return cls(**{name: value for name, value in facts.items() if value is not None})


class Log(LineJournal):
    """``cells.jsonl``: the journal of a comparison, with the cells that were trained."""

    def __init__(self, path: Path | None, about: Mapping[str, Any], force: bool = False, warn: Warn = ignore) -> None:
        self.cells: dict[str, Cell] = {}
        super().__init__(path, about, force, warn)

    def take(self, entry: Mapping[str, Any]) -> None:
        """Take over a cell."""
        cell = Cell.of(entry["cell"])
        self.cells[cell.key] = cell


@dataclass(frozen=True)
class _Job:
    """A cell to be played; ``measured``: on the rows of its round as well."""

    cell: Cell
    contender: Contender
    rows: int
    measured: bool

    def __str__(self) -> str:
        return f"{self.cell.contender}, {self.cell.stage}"


class Grid:
    """Plays the cells of one comparison, ``jobs`` at a time. Close it."""

    def __init__(
        self, experiment: Experiment, prepared: Prepared, rounds: Rounds, log: Log, clock: Clock, observer: Observer,
        interrupted: Callable[[], bool], jobs: int,
    ) -> None:  # fmt: skip
        self.experiment, self.prepared, self.rounds, self.log, self.clock = experiment, prepared, rounds, log, clock
        self.observer, self.jobs = observer, jobs
        self.done, self.total = 0, 0
        """Cells played, and to be played as far as is known."""
        self._pool = ProcessPool(jobs, self._train, self._keep, self._warn, interrupted)

    @property
    def threads(self) -> int:
        """On which a cell computes."""
        return int(self.log.decisions["threads"])

    def close(self) -> None:
        """End what is still being trained."""
        self._pool.close()

    def decide(self, name: str, value: Callable[[], Any]) -> Any:
        """What was decided under this name; decided now, and written down, where it was not."""
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
        seed = int(np.random.SeedSequence([self.experiment.seed, 29, at]).generate_state(1, np.uint64)[0] >> 2)
        experiment = contender.experiment(self.experiment, trial, seed)
        split = self.rounds.split(at, rows, self.experiment.seed)
        prepared = replace(self.prepared, experiment=experiment, split=split, selecting=split.member(0)[1])
        observer = Observer() if warn is None else _Warnings(warn)
        return EnsembleTrainer(experiment, prepared, Clock(None), observer, stop, Checkpoints(None), DecisionsInMemory())

    def epochs(self, rows: int) -> int:
        """Epochs that a training on about so many rows takes, at most."""
        return self.trainer(Contender(""), 0, 0, rows).usual_epochs()

    def choosing(self, rows: int) -> int:
        """Rows that choose beside about so many that train, at most."""
        return min(choosing_for(rows), len(self.rounds.choose))

    def put(self, stage: str, contender: Contender, trial: int, at: int, rows: int, measured: bool = False) -> None:
        """Train one contender in round ``at`` on about ``rows`` rows, as soon as there is a place for it; ``measured``: on the rows of the
        round as well."""
        cell = Cell(contender.name, stage, trial, at)
        known = self.log.cells.get(cell.key)
        if known is None:
            self._pool.put(_Job(cell, contender, rows, measured))
        else:
            self._tell(known)

    def wait(self) -> None:
        """Until every cell that was put is there."""
        self._pool.wait()

    def cell(self, stage: str, contender: Contender, trial: int, at: int) -> Cell:
        """Return the result of a cell that was completed."""
        return self.log.cells[Cell(contender.name, stage, trial, at).key]

    @property
    def running(self) -> list[tuple[str, float]]:
        """The contenders that are being trained, and since how many seconds."""
        return [(job.contender.name, seconds) for job, seconds in self._pool.running]

    def _keep(self, job: _Job, facts: Mapping[str, Any]) -> None:
        found = Cell.of(facts)
        self.log.cells[found.key] = found
        self.log.append({"cell": facts}, self.clock.spent)
        self._tell(found)

    def _tell(self, found: Cell) -> None:
        self.done += 1
        self.observer.observe(CellEvent(
            stage=found.stage, name=found.contender, trial=found.trial, round=found.round, worth=found.worth, scores=dict(found.scores),
            done=self.done, total=max(self.total, self.done), seconds=found.seconds, failed=found.failed,
        ))  # fmt: skip

    def _warn(self, text: str) -> None:
        self.observer.observe(WarningEvent(text))

    def _train(self, job: _Job, warn: Warn, stop: Callable[[], bool]) -> Mapping[str, Any]:
        begin = time.monotonic()
        try:
            found = self._found(job.cell, job.contender, job.rows, job.measured, warn, stop)
        except TrainingError as error:
            found = replace(job.cell, failed=str(error))
        return asdict(replace(found, seconds=round(time.monotonic() - begin, 3)))

    def _found(self, cell: Cell, contender: Contender, rows: int, measured: bool, warn: Warn, stop: Callable[[], bool]) -> Cell:
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
        worths = [tasks[name].goodness(tasks[name].judged_by, value) for name, value in values.items() if value is not None]
        cell = replace(
            cell, rows=len(trainer.prepared.member(0)[0]), epochs=epochs, ran=len(members[0].fitted.history),
            parameters=sum(parameter.numel() for parameter in model.parameters()), monitor=members[0].fitted.monitor,
            worth=float(np.mean(worths or [float("-inf")])), scores=values,
        )  # fmt: skip
        if not measured:
            return cell
        at = self.rounds.measure[cell.round]
        found = trainer.validation.collect(model.to(trainer.device), at, names)
        targets = {name: target[at] for name, target in self.prepared.train.targets.items()}
        scores = {name: score(task, [found.answers[0].logits[name]]) for name, task in tasks.items()}
        credits = {name: _credits(task, targets[name], scores[name]) for name, task in tasks.items()}
        return replace(cell, metrics=measure(tasks, scores, targets)[0], credits=credits)

    def constant(self, at: int) -> dict[str, dict[str, list[float]]]:
        """The ``credits`` of a round for the constant answer that fits its training rows best."""
        found = {}
        for name, task in self.prepared.tasks.items():
            target = self.prepared.train.targets[name]
            logits, _ = constant(task, target[self.rounds.train[at]])
            here = target[self.rounds.measure[at]]
            found[name] = _credits(task, here, score(task, [np.repeat(logits[None], len(here), 0)]))
        return found

    def clusters(self, at: int, name: str) -> np.ndarray:
        """The cluster of each measured row of a round that has the target."""
        rows = self.rounds.measure[at]
        known = ~np.isnan(self.prepared.train.targets[name][rows]).any(1)
        result: np.ndarray = self.rounds.cluster_N[rows[known]]
        return result


def judging(task: Task) -> list[str]:
    """The metrics that differences are measured by: the one that judges, then the usual one where another judges."""
    return list(dict.fromkeys([task.judged_by, task.usual_metric]))


def _credits(task: Task, target_NT: np.ndarray, scores_NC: np.ndarray) -> dict[str, list[float]]:
    known = ~np.isnan(target_NT).any(1)
    found = {metric: task.credits(target_NT[known], scores_NC[known], metric) for metric in judging(task)}
    return {metric: [] if one is None else one.tolist() for metric, one in found.items()}


class _Warnings(Observer):
    """Lets nothing of a single training through but its warnings."""

    def __init__(self, warn: Warn) -> None:
        self.warn = warn

    def observe(self, event: Event) -> None:
        """Record warnings only."""
        if isinstance(event, WarningEvent):
            self.warn(event.text)
