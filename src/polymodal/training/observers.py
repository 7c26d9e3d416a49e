"""Observers of training: a log of JSON Lines, and the console. Observers do not change training; ``tracking`` has more of them."""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from .events import EpochEvent, Event, NoteEvent, StepEvent, WarningEvent


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
    """Write a log with one JSON object per event, without ``step`` events. NaN and infinite values are null."""

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
        line = json.dumps(plain({"event": event.kind, "time": round(time.time(), 3), **event.facts()}), ensure_ascii=False) + "\n"
        end = self._file.seek(0, 2)
        try:
            body = line.encode("utf-8", "replace")
            if self._file.write(body) < len(body):
                self._file.truncate(end)
        except OSError as error:
            if not self._reported_once:
                warnings.warn(
                    f"{self._path}: cannot be written ({error.strerror or error}); events are not logged", UserWarning, stacklevel=2
                )
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


class Console(Observer):
    """Show the loss, the validation result, the rows per second and the fraction of time spent waiting for batches.

    On a terminal there is a progress bar, elsewhere plain lines.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self._progress: Any = None
        self._task: Any = None
        self._is_closed = False

    def observe(self, event: Event) -> None:
        """Show an event. After the stream was closed by its reader (``| head``), nothing is shown."""
        if self._is_closed:
            return
        try:
            self._show(event)
        except (OSError, ValueError):  # ValueError: the stream is closed
            self._is_closed = True

    def _show(self, event: Event) -> None:
        if isinstance(event, StepEvent) and self.live:
            self._bar(event)
        elif isinstance(event, EpochEvent):
            self.print_line(
                f"  {event.name}  epoch {event.epoch}/{event.epochs}  loss {event.loss:.4f}  "
                + "  ".join(f"{name} {value:.4f}" for name, value in event.shown.items() if value is not None)
                + f"  {event.rows_per_second:.0f} rows/s  waiting {event.waiting:.0%}"
                + ("  *" if event.best else "")
            )
        elif isinstance(event, NoteEvent):
            self.print_line(event.text)
        elif isinstance(event, WarningEvent):
            self.print_line(f"warning: {event.text}")

    def _bar(self, event: StepEvent) -> None:
        if self._progress is None:
            from rich.console import Console as RichConsole
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("{task.description}"), BarColumn(), TextColumn("loss {task.fields[loss]:.4f}"),
                TextColumn("{task.fields[speed]:.0f} rows/s"), TextColumn("waiting {task.fields[waiting]:.0%}"), TimeRemainingColumn(),
                console=RichConsole(file=self.stream), transient=True,
            )  # fmt: skip
            self._progress.start()
            self._task = self._progress.add_task("", loss=math.nan, speed=0.0, waiting=0.0)
        self._progress.update(
            self._task, description=f"{event.name} {event.epoch}/{event.epochs}", completed=event.step, total=event.steps,
            loss=event.loss, speed=event.rows_per_second, waiting=event.waiting,
        )  # fmt: skip

    def print_line(self, text: str) -> None:
        """Print one line, above the progress bar if there is one."""
        if self._progress is not None:
            self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            print(text, file=self.stream, flush=True)

    def close(self) -> None:
        """Remove the progress bar."""
        if self._progress is not None:
            with contextlib.suppress(OSError, ValueError):
                self._progress.stop()
            self._progress = None


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
