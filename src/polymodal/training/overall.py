"""The progress of a whole run or comparison: how much of it is done, and an estimate of the time left, from the events so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..flow import FUSED
from .events import CellEvent, EndEvent, Event, ModelEvent, PlanEvent, SearchEvent, StartEvent, StepEvent, TrialEvent

_MOST_SECONDS_OF_A_CELL = 1.5
"""The factor on the time since the first event up to which a training of a comparison can have run in this process."""


@dataclass
class _Kind:
    """The models of all fields, or those of one single field.

    :param count: the number of models that are planned
    :param work: the cost of one epoch of one model
    """

    count: int
    work: float
    done: int = 0
    """The number of models that are trained, in this process or before it."""
    seconds: list[float] = field(default_factory=list)
    """The seconds of each model that was trained in this process."""


class RunProgress:
    """The progress of the models of a run.

    The time left is the number of models that are left times the mean seconds of those of the same fields; if there are none yet, the
    planned costs relate them to the others. Training that stops before its last epoch therefore shortens the estimate.

    :param now: returns the time in seconds
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kinds: dict[str, _Kind] = {}
        self._epochs = 1
        self._current: ModelEvent | None = None
        self._begin = self._start = now()
        self._limit: float | None = None
        self._part = 0.0
        self._shown = 0.0

    @property
    def is_planned(self) -> bool:
        """Whether it is known how many models there are."""
        return bool(self._kinds)

    @property
    def total(self) -> int:
        """The number of models, as far as it is known."""
        return sum(kind.count for kind in self._kinds.values())

    @property
    def done(self) -> int:
        """The number of models that are trained."""
        return sum(kind.done for kind in self._kinds.values())

    def observe(self, event: Event) -> None:
        """Take an event into account."""
        if isinstance(event, StartEvent):
            self._start, self._limit = self._now(), event.time_limit
        elif isinstance(event, PlanEvent):
            counts = {name: event.members * event.networks if name == FUSED else event.baseline_members for name in event.work}
            self._kinds = {name: _Kind(count, event.work[name]) for name, count in counts.items() if count}
            self._epochs = event.epochs
        elif isinstance(event, ModelEvent):
            self._end_model()
            self._begin_model(event)
        elif isinstance(event, StepEvent):
            self._part = (event.epoch - 1 + event.step / max(event.steps, 1)) / max(event.epochs, 1)
        elif isinstance(event, EndEvent):
            self._end_model()
            self._shown = 1.0

    def _begin_model(self, event: ModelEvent) -> None:
        """Count a model that begins, or that an earlier process trained."""
        kind = self._kinds.setdefault(event.field, _Kind(0, next(iter(self._kinds.values())).work if self._kinds else 1.0))
        for name, earlier in self._kinds.items():
            if name == event.field:
                break
            earlier.count = earlier.done  # the models of later fields begin when there are no more of these
        kind.count = max(kind.count, kind.done + 1)
        if event.trained:
            kind.done += 1
        else:
            self._current, self._begin, self._part = event, self._now(), 0.0

    def _end_model(self) -> None:
        """Count the current model as trained."""
        if self._current is not None:
            kind = self._kinds[self._current.field]
            kind.done += 1
            kind.seconds.append(self._now() - self._begin)
        self._current = None

    def _pace(self) -> float | None:
        """Return the seconds for one unit of work over all epochs; None before the end of the first epoch, whose first steps are slow."""
        seconds = sum(sum(kind.seconds) for kind in self._kinds.values())
        work = sum(len(kind.seconds) * kind.work for kind in self._kinds.values())
        if work > 0:
            return seconds / work
        if self._current is None or self._part * self._current.epochs < 1 - 1e-9:
            return None
        return (self._now() - self._begin) / (self._part * self._kinds[self._current.field].work)

    def _seconds_of(self, kind: _Kind, pace: float) -> float:
        """Return the estimated seconds of a model."""
        return sum(kind.seconds) / len(kind.seconds) if kind.seconds else pace * kind.work

    @property
    def left(self) -> float | None:
        """The estimated seconds until the last model is trained; None = unknown."""
        pace = self._pace()
        within = None if self._limit is None else max(0.0, self._limit - (self._now() - self._start))
        if pace is None:
            return within
        seconds = 0.0
        for name, kind in self._kinds.items():
            each = self._seconds_of(kind, pace)
            seconds += each * (kind.count - kind.done)
            if self._current is not None and self._current.field == name:
                seconds -= min(self._now() - self._begin, each)
        return seconds if within is None else min(seconds, within)

    @property
    def share(self) -> float:
        """The share of the work that is done, between 0 and 1. It never decreases."""
        total = sum(kind.count * kind.work for kind in self._kinds.values())
        done = sum(kind.done * kind.work for kind in self._kinds.values())
        if self._current is not None:
            done += self._part * self._kinds[self._current.field].work
        self._shown = max(self._shown, min(done / total, 1.0) if total > 0 else 0.0)
        return self._shown


class GridProgress:
    """The progress of the trainings of a comparison, of which several may run at a time, or of the trials of a search.

    :param now: returns the time in seconds
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._start = now()
        self._seconds: list[float] = []
        self.done, self.total = 0, 0

    def observe(self, event: Event) -> None:
        """Take an event into account."""
        if isinstance(event, SearchEvent):
            self.total = event.trials
        elif isinstance(event, (CellEvent, TrialEvent)):
            self.done = event.done if isinstance(event, CellEvent) else event.number + 1
            self.total = event.total
            if event.seconds <= _MOST_SECONDS_OF_A_CELL * (self._now() - self._start):  # not one that an earlier process trained
                self._seconds.append(event.seconds)

    @property
    def share(self) -> float:
        """The share of the trainings that have ended, between 0 and 1."""
        return self.done / self.total if self.total else 0.0

    @property
    def left(self) -> float | None:
        """The estimated seconds until the last training has ended; None = unknown."""
        if not self._seconds:
            return None
        return (self.total - self.done) * (self._now() - self._start) / len(self._seconds)
