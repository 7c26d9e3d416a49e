"""The trials of a search: their journal, and their training. A trial is an ordinary run in a folder of its own."""

from __future__ import annotations

import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..errors import TrainingError, UserError, spelled
from ..experiment import Experiment
from ..journal import Journal, LineJournal
from ..journal.differences import Kind
from ..language import Sentence
from ..predictor import Predictor, load
from ..request import Request
from ..runs.api import resume_run, train_resolved
from ..runs.resolution import Resolved, resolve
from ..runs.resuming import journal_of
from ..training.clock import Clock
from ..training.events import EpochEvent, Event, StepEvent, WarningEvent
from ..training.observers import Observer, logged_epochs
from .space import setting

COMPLETE, PRUNED, FAILED = "complete", "pruned", "failed"
OF_TRIALS = ("training.baselines=false", "training.time_limit=null")
"""Settings of every trial: models of single fields do not change the figure that is searched, and the clock must not change a trial."""


@dataclass(frozen=True)
class Trial:
    """The result of one trial."""

    number: int
    """From 0."""
    settings: Mapping[str, Any]
    """The settings by path."""
    suggested: Mapping[str, Any]
    """What Optuna suggested: numbers with all their digits, choices as JSON text."""
    state: str
    """``complete``, ``pruned`` or ``failed``."""
    goodness: float | None = None
    """The mean over the targets of ``Task.goodness`` of ``Task.judged_by``, on the validation rows; larger is better."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """That metric by target, in its own unit."""
    errors: Mapping[str, float] = field(default_factory=dict)
    """Its standard error by target, where it is known."""
    metrics: Mapping[str, str] = field(default_factory=dict)
    """The name of that metric by target."""
    curve: Mapping[int, float] = field(default_factory=dict)
    """The monitored value of each epoch of the first model, smaller is better."""
    reason: str = ""
    """Why it was pruned or failed."""
    seconds: float = 0.0
    repeats: int | None = None
    """The number of the earlier trial with the same settings, whose result this is; None = it was trained."""

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Trial:
        """Return the trial of plain data, in which infinite numbers are null."""
        curve = {int(epoch): float("inf") if value is None else value for epoch, value in facts["curve"].items()}
        return cls(**{**facts, "curve": curve})

    def facts(self) -> dict[str, Any]:
        """Return the trial as plain data."""
        return asdict(self)


class Trials(LineJournal):
    """``trials.jsonl``: the journal of a search, with the trials that ended."""

    kind: ClassVar[Kind] = "search"

    def __init__(self, path: Path | None, about: Mapping[str, Any], force: bool, warn: Callable[[str], None]) -> None:
        self.ended: list[Trial] = []
        super().__init__(path, about, force, warn)

    def take(self, entry: Mapping[str, Any]) -> None:
        """Add the trial of a line of the journal."""
        trial = Trial.of(entry["trial"])
        if trial.number != len(self.ended):
            raise ValueError(f"trial {trial.number} after {len(self.ended)} others")
        self.ended.append(trial)

    def add(self, trial: Trial, spent: float) -> None:
        """Add a trial, and write its line."""
        self.ended.append(trial)
        self.append({"trial": trial.facts()}, spent)

    @property
    def best(self) -> Trial | None:
        """The best complete trial, the first one of equals; None if no trial is complete."""
        complete = [one for one in self.ended if one.state == COMPLETE and one.repeats is None]
        return max(complete, key=lambda one: (one.goodness, -one.number)) if complete else None

    def same(self, settings: Mapping[str, Any]) -> Trial | None:
        """Return the trial that was trained with these settings, or None."""
        return next((one for one in self.ended if one.settings == settings and one.repeats is None), None)


class Pruned(Exception):
    """Ends the run of a trial that is worse than others."""


class TimeIsOver(Exception):
    """Ends the run of a trial at the time limit of the search. The trial can be resumed."""


@contextmanager
def caught_warnings() -> Iterator[list[str]]:
    """Give a list that has the texts of the warnings of a block after it, each once."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield texts
    own = [one for one in caught if issubclass(one.category, UserWarning)]
    texts += dict.fromkeys(one.message.args[0] if isinstance(one.message, Warning) else one.message for one in own)
    for one in caught:
        if not issubclass(one.category, UserWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


class WarnOnce(Observer):
    """Passes on events, each warning only once.

    :param observer: the observer that receives them
    :param known: the warnings that were shown before
    """

    def __init__(self, observer: Observer, known: Iterable[str] = ()) -> None:
        self.observer, self.known = observer, set(known)

    def observe(self, event: Event) -> None:
        """Pass on an event, unless it is a warning that was passed on before."""
        if isinstance(event, WarningEvent):
            if event.text in self.known:
                return
            self.known.add(event.text)
        self.observer.observe(event)


class TrialObserver(Observer):
    """Reads the curve of a trial, ends its run where it is pruned or the time is over, and passes on steps, epochs and warnings.

    :param observer: the observer of the search
    :param is_pruned: a function of an epoch and its monitored value that returns whether the trial is to be pruned
    :param is_over: a function that returns whether the time limit of the search is reached
    """

    def __init__(self, observer: Observer, is_pruned: Callable[[int, float], bool], is_over: Callable[[], bool]) -> None:
        self.observer, self.is_pruned, self.is_over = observer, is_pruned, is_over
        self.curve: dict[int, float] = {}
        self._first: str | None = None

    def observe(self, event: Event) -> None:
        """Receive an event of the run of the trial."""
        if isinstance(event, (StepEvent, EpochEvent, WarningEvent)):
            self.observer.observe(event)
        if isinstance(event, EpochEvent):
            self.take(event)
        elif isinstance(event, StepEvent) and self.is_over():
            raise TimeIsOver

    def take(self, event: EpochEvent) -> None:
        """Add an epoch to the curve, if it is one of the first model."""
        self._first = self._first or event.name
        if event.name == self._first and event.epoch not in self.curve:
            self.curve[event.epoch] = event.monitor
            if self.is_pruned(event.epoch, event.monitor):
                raise Pruned


@dataclass
class Trainer:
    """Trains the trials of a search.

    :param table: the table of the search
    :param overrides: its overrides
    :param settings: its settings, as those of ``train``
    :param folder: the folder of the trials
    :param force: whether an interrupted trial is resumed although the code has changed
    :param observer: the observer of the search
    """

    table: Any
    overrides: Sequence[str]
    settings: Mapping[str, Any]
    folder: Path
    force: bool
    observer: Observer

    def place(self, number: int) -> Path:
        """Return the folder of a trial."""
        return self.folder / f"{number:04d}"

    def resolved(self, settings: Mapping[str, Any]) -> Resolved:
        """Return the experiment of a trial and its tables. Warnings about them are events."""
        given = {name: value for name, value in self.settings.items() if name != "time_limit"}
        chosen = [setting(path, value) for path, value in settings.items()]
        with caught_warnings() as texts:
            resolved = resolve(Request.of(self.table, (*self.overrides, *chosen, *OF_TRIALS), given))
        for text in texts:
            self.observer.observe(WarningEvent(text))
        return resolved

    def train(
        self, number: int, settings: Mapping[str, Any], suggested: Mapping[str, Any], is_pruned: Callable[[int, float], bool],
        is_over: Callable[[], bool],
    ) -> Trial:  # fmt: skip
        """Train a trial, or go on with it, and return its result. A ``UserError`` or a ``TrainingError`` is its result as well.

        :raises TimeIsOver: the time limit of the search was reached
        :raises Interrupted: the process received a signal
        """
        begin = time.monotonic()
        watch = TrialObserver(self.observer, is_pruned, is_over)
        state, reason, result = COMPLETE, "", {}
        try:
            result = _result(self._run(number, settings, watch))
        except Pruned:
            state, reason = PRUNED, Sentence("tune.why_pruned", epoch=max(watch.curve))
        except (UserError, TrainingError) as error:
            state, reason = FAILED, str(error)
        seconds = round(time.monotonic() - begin, 3)
        return Trial(number, dict(settings), dict(suggested), state, curve=dict(watch.curve), reason=reason, seconds=seconds, **result)

    def _run(self, number: int, settings: Mapping[str, Any], watch: TrialObserver) -> Predictor:
        """Train the model of a trial, from its last checkpoint if an earlier process began with it."""
        folder = self.place(number)
        resolved = self.resolved(settings)
        journal = journal_of(folder)
        if journal is not None:
            for event in logged_epochs(folder / "log.jsonl"):
                watch.take(event)
            if journal.ended:
                return load(folder)
            given = {"table": self.table, **{name: self.settings[name] for name in ("valid", "test") if name in self.settings}}
            memory = {name: value for name, value in given.items() if not isinstance(value, (str, Path))}
            return resume_run(folder, (), memory, self.force, [watch], tests=False)
        shutil.rmtree(folder, ignore_errors=True)
        return train_resolved(resolved, folder, False, Clock(None), [watch], tests=False)

    def clear(self, trial: Trial, keep: bool) -> None:
        """Delete the checkpoints of a trial that has ended, and its model unless it is the best one."""
        folder = self.place(trial.number)
        if not keep:
            shutil.rmtree(folder / "bundle", ignore_errors=True)
            shutil.rmtree(folder / "checkpoints", ignore_errors=True)

    def experiment(self, number: int, base: Experiment) -> tuple[Experiment, Journal]:
        """Return the experiment of a trial with the baselines and without the time limit of ``base``, and the journal of its run."""
        folder = self.place(number)
        journal = journal_of(folder)
        if journal is None:
            fix = f"search anew ({spelled('--overwrite', 'overwrite=True')})"
            raise UserError(f"{folder}: without the journal of its run; expected the best trial; {fix}")
        experiment = Experiment.read(folder / "run.yaml")
        training = experiment.training.model_copy(update={"baselines": base.training.baselines})
        return experiment.model_copy(update={"training": training}), journal


def _result(predictor: Predictor) -> dict[str, Any]:
    """Return the results of the model of a trial: its goodness, scores, standard errors and metrics.

    :raises TrainingError: a metric is undefined on the validation rows
    """
    tasks, metrics = predictor.bundle.tasks, predictor.metrics
    names = {name: task.judged_by for name, task in tasks.items()}
    scores = {name: metrics["validation"]["tasks"][name].get(metric) for name, metric in names.items()}
    for name, value in scores.items():
        if value is None:
            raise TrainingError(f"target {name!r}: {names[name]} is undefined on the validation rows; expected rows of every class")
    boards = metrics.get("leaderboard", {})
    errors = {name: entry["error"] for name in names for entry in boards.get(name, ()) if entry["kind"] == "model"}
    goodness = float(np.mean([tasks[name].goodness(names[name], value) for name, value in scores.items()]))
    return {"goodness": goodness, "scores": scores, "errors": errors, "metrics": names}
