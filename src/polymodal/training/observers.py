"""Observers of training: a log of JSON Lines, and Python's ``logging``. Observers do not change training; ``tracking`` has more of them."""

from __future__ import annotations

import json
import logging
import math
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..language import Sentence
from .events import CellEvent, EndEvent, EpochEvent, Event, MemberEvent, NoteEvent, StepEvent, TrialEvent, WarningEvent

LOGGER = logging.getLogger("polymodal")
"""The logger of the library."""
LOGGER.addHandler(logging.NullHandler())


class Observer:
    """Base class of observers, which receive every event. This one does nothing."""

    def observe(self, event: Event) -> None:
        """Receive an event. An exception that is raised here ends the run.

        :param event: the event, an object of one of the classes of ``training.events``, such as ``StepEvent`` or ``EpochEvent``
        """

    def close(self) -> None:
        """Release resources after the run has ended."""


class Observers(Observer):
    """An observer that passes events to several observers."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self.observers = list(observers)

    def observe(self, event: Event) -> None:
        """Pass the event to each observer."""
        for observer in self.observers:
            observer.observe(event)

    def close(self) -> None:
        """Close all observers in turn."""
        for observer in self.observers:
            observer.close()


class JsonLines(Observer):
    """Write a log with one JSON object per event, without ``step`` events. NaN and infinite values are null.

    The texts of notes and warnings are English. ``sentence`` has the facts from which they are made in another language.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a+b", buffering=0)
        self._reported_once = False
        body = path.read_bytes()[-(2**20) :]
        incomplete = len(body) - 1 - body.rfind(b"\n")  # a process that was killed may have left an incomplete line
        if incomplete:
            self._file.truncate(path.stat().st_size - incomplete)

    def observe(self, event: Event) -> None:
        """Write a line. A write error is reported once as a warning, and training continues."""
        if isinstance(event, StepEvent):
            return
        facts = {"event": event.kind, "time": round(time.time(), 3), **event.facts()}
        if isinstance(event, (NoteEvent, WarningEvent)) and isinstance(event.text, Sentence):
            facts["sentence"] = event.text.facts()
        line = json.dumps(plain(facts), ensure_ascii=False) + "\n"
        end = self._file.seek(0, 2)
        try:
            body = line.encode("utf-8", "replace")
            if self._file.write(body) < len(body):
                self._file.truncate(end)
        except OSError as error:
            if not self._reported_once:
                text = Sentence("warning.log", path=str(self._path), why=str(error.strerror or error))
                warnings.warn(text, UserWarning, stacklevel=2)
            self._reported_once = True

    def close(self) -> None:
        """Close the log file."""
        self._file.close()


def logged_epochs(path: Path) -> Iterator[EpochEvent]:
    """Yield the epochs in a log that ``JsonLines`` wrote, such as those that earlier processes trained. No file = no epochs."""
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        facts = json.loads(line)
        if facts.pop("event") == EpochEvent.kind:
            del facts["time"]
            yield EpochEvent.of(facts)


class Logs(Observer):
    """Send messages to ``logging.getLogger("polymodal")``, in English.

    Warnings have the level WARNING; notes, trained models and the end INFO; epochs and further notes DEBUG. The only handler that is added
    does nothing, so that the application decides what is shown.
    """

    def observe(self, event: Event) -> None:
        """Send the message of an event."""
        if isinstance(event, WarningEvent):
            LOGGER.warning("%s", event.text)
        elif isinstance(event, NoteEvent):
            LOGGER.log(logging.DEBUG if event.detail else logging.INFO, "%s", event.text)
        elif isinstance(event, MemberEvent):
            LOGGER.info("%s: trained, epoch %d is kept (%s)", event.name, event.epoch, event.stopped)
        elif isinstance(event, CellEvent):
            result = f"failed: {event.failed}" if event.failed else f"{event.worth:.4f}"
            LOGGER.info("%d/%d  %s, %s: %s", event.done, event.total, event.stage, event.name, result)
        elif isinstance(event, TrialEvent):
            result = event.state if event.value is None else f"{event.metric or 'mean'} {event.value:.4f}"
            LOGGER.info("%d/%d  trial %d: %s", event.number + 1, event.total, event.number, result)
        elif isinstance(event, EndEvent):
            LOGGER.info("the run has ended after %.1f s", event.seconds.get("total") or 0.0)
        elif isinstance(event, EpochEvent) and LOGGER.isEnabledFor(logging.DEBUG):
            shown = "".join(f", {name} {value:.4f}" for name, value in event.shown.items() if value is not None)
            LOGGER.debug("%s, epoch %d of %d: loss %.4f%s", event.name, event.epoch, event.epochs, event.loss, shown)


def plain(value: Any) -> Any:
    """Return a value as strict JSON data: without NaN, infinite values and numpy types."""
    if isinstance(value, Mapping):
        return {str(key): plain(below) for key, below in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(below) for below in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (str, int, bool)) or value is None:
        return value
    item = getattr(value, "item", None)
    return plain(item()) if item is not None else str(value)
