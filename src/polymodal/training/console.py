"""The progress of a run, a comparison or a search: one bar over all of it on a terminal or in a notebook, elsewhere plain lines."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from ..errors import ConfigError
from ..language import Words
from ..terminal import cells, has_colors, is_live, joined, message_lines, padded, painted, printable, shortened, width_of, wrapped
from .events import (
    CellEvent,
    EndEvent,
    EpochEvent,
    Event,
    MemberEvent,
    ModelEvent,
    NoteEvent,
    SearchEvent,
    StartEvent,
    StepEvent,
    TrialEvent,
    VotesEvent,
    WarningEvent,
)
from .observers import LOGGER, Logs, Observer
from .overall import GridProgress, RunProgress
from .progress import INTERRUPTED, TIME_LIMIT

_BAR = 16
"""The width of the bar in cells."""
_CUT_SHORT = {INTERRUPTED: "progress.interrupted", TIME_LIMIT: "progress.time_limit"}
"""The texts about models whose training was cut short, by the reason."""
_MUCH_WAITING = 0.1
"""The share of the time spent waiting for batches from which it is shown."""


class Console(Observer):
    """Show the progress of a run, a comparison or a search.

    On a terminal and in a notebook there is one bar over all models, with the time left; elsewhere there are plain lines. Each model has
    one line when it is trained.

    :param stream: where to write; None = standard error
    :param verbosity: 0 = warnings only, 1 = notes and one line for each model, 2 = every epoch and further notes as well
    :param lines: whether notes, warnings and models are shown; if not, there is only the bar
    :param language: ``"en"``, ``"zh"`` or ``"auto"`` (the locale's)
    """

    def __init__(self, stream: TextIO | None = None, verbosity: int = 1, *, lines: bool = True, language: str = "auto") -> None:
        self.stream = stream or sys.stderr
        self.verbosity, self.lines = int(verbosity), lines
        self.in_notebook = stream is None and is_notebook()
        has_widgets = self.in_notebook and importlib.util.find_spec("ipywidgets") is not None
        self.live = self.verbosity > 0 and (has_widgets or is_live(self.stream))
        self._words = Words.of(language)
        self._run, self._grid = RunProgress(), GridProgress()
        self._overall: RunProgress | GridProgress = self._run
        self._has_begun = False
        self._bar: Any = None
        self._task: Any = None
        self._status = ""
        self._model: ModelEvent | None = None
        self._best: dict[str, EpochEvent] = {}
        self._explained: set[str] = set()
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
        """Show what an event states, by its class."""
        if isinstance(event, (StartEvent, CellEvent, SearchEvent, TrialEvent)):
            self._has_begun = True
            self._overall = self._run if isinstance(event, StartEvent) else self._grid
        self._overall.observe(event)
        if isinstance(event, (StartEvent, SearchEvent)):
            self._status = self._words("progress.reading")
        elif isinstance(event, ModelEvent):
            self._show_model(event)
        elif isinstance(event, StepEvent):
            self._status = self._words("progress.epoch", model=self.label(event.name), epoch=event.epoch, epochs=event.epochs)
        elif isinstance(event, EpochEvent):
            self._show_epoch(event)
        elif isinstance(event, MemberEvent):
            self._show_trained(event)
        elif isinstance(event, (VotesEvent, EndEvent)):
            self._status = self._words("progress.measuring")
        elif isinstance(event, CellEvent):
            self._show_cell(event)
        elif isinstance(event, TrialEvent):
            self._show_trial(event)
        elif isinstance(event, NoteEvent):
            if self.verbosity > (1 if event.detail else 0):
                self.print_line(self._words.read(event.text))
        elif isinstance(event, WarningEvent):
            self.print_line(self._words("warning", text=self._words.read(event.text)), "warning")
        if self.live and self._has_begun and not isinstance(event, EndEvent):
            self._update_bar()

    def label(self, name: str) -> str:
        """Return the name of a model in the language of the console."""
        from ..pages import model_label

        return printable(model_label(self._words, name)[0])

    def _explain(self, key: str, **values: Any) -> None:
        """Print an explanation the first time that it is needed."""
        if key not in self._explained:
            self._explained.add(key)
            lines = wrapped(self._words(key, **values), width_of(self.stream), "", "  ")
            self._print([painted(line, "dim", self.stream) for line in lines])

    # -- a run -----------------------------------------------------------------------------------------------------

    def _show_model(self, event: ModelEvent) -> None:
        """Show that a model begins, or that an earlier process trained it."""
        self._model = event
        if self.verbosity:
            self._explain("progress.models")
        if event.trained and self.verbosity:
            self._print_model(event.name, [(0, self._words("progress.trained_before"))])
        elif self.verbosity > 1:
            self._explain("progress.symbols")
            self.print_line(self._words("progress.begins", model=self.label(event.name)), "bold")

    def _show_epoch(self, event: EpochEvent) -> None:
        """Keep the epoch if its weights are kept so far, and show it if every epoch is shown."""
        if event.best:
            self._best = {event.name: event}
        if self.verbosity > 1:
            if self._model is None:  # a trial of a search, of which models are not reported
                self._explain("progress.trials")
            self._explain("progress.symbols")
            usual = _usual(event)
            place = self._words("progress.kept", epoch=event.epoch, epochs=event.epochs) + (" *" if event.best else "  ")
            parts = [(0, place), (2, f"loss {event.loss:.4f}")]
            parts += [(0 if name in usual else 3, f"{name} {value:.4f}") for name, value in event.shown.items() if value is not None]
            if event.waiting >= _MUCH_WAITING:
                parts.append((1, self._words("progress.waiting", waiting=event.waiting)))
            self._print_parts([*parts, (4, self._words("progress.speed", speed=event.rows_per_second))], "    ")

    def _show_trained(self, event: MemberEvent) -> None:
        """Show the line of a model that is trained."""
        if not self.verbosity:
            return
        self._explain("progress.models")
        best = self._best.get(event.name)
        usual = [] if best is None else [f"{name} {value:.4f}" for name, value in _usual(best).items()]
        parts = [(0, padded(one, 15)) for one in usual]
        epochs = best.epochs if best is not None else self._model.epochs if self._model is not None else None
        if epochs is not None:  # the best epoch may be one of an earlier process, whose metric is not known here
            parts.append((0, padded(self._words("progress.kept", epoch=event.epoch, epochs=epochs), 11)))
        parts.append((0, self._took(event.seconds)))
        if event.stopped in _CUT_SHORT:
            parts.append((0, self._words(_CUT_SHORT[event.stopped])))
        self._print_model(event.name, parts)

    def _print_model(self, name: str, parts: Sequence[tuple[int, str]]) -> None:
        """Print the line of a model: its number among all models, its name, and what is known about it."""
        overall = self._overall
        trained = self._model is not None and self._model.trained
        done = overall.done + (0 if trained else 1)  # the model counts as done when the next one begins
        total = str(max(overall.total, done))
        label = padded(shortened(self.label(name), max(20, width_of(self.stream) - 60)), 20)
        left = self._left() if done < int(total) else []
        self._print_parts([(0, f"{done:>{len(total)}}/{total}"), (0, label), *parts, *left], "  ")

    def _took(self, seconds: float) -> str:
        """Return the seconds of a training, as wide as those of the others."""
        return padded(self._words("progress.seconds" if seconds < 100 else "progress.many_seconds", seconds=seconds), 6, right=True)

    def _left(self) -> list[tuple[int, str]]:
        """Return the time left for the end of a plain line; nothing if it is unknown, or if there is a bar, which shows it."""
        left = None if self.live else self._overall.left
        return [(1, self._words("progress.left", time=self._time(left)))] if left else []

    # -- a comparison ----------------------------------------------------------------------------------------------

    def _show_cell(self, event: CellEvent) -> None:
        """Show that one training of a comparison has ended."""
        scores = [value for value in event.scores.values() if value is not None]
        value = scores[0] if len(scores) == 1 else event.worth
        result = self._words("progress.failed") if event.failed else f"{value:z.4f}"
        if event.stage == "round":
            where = self._words("progress.round", round=event.round + 1)
        else:
            stage = self._words.value("stage", event.stage.partition(",")[0])
            where = self._words("progress.search", stage=stage, trial=event.trial + 1)
        name = self.label(event.name)
        self._status = f"{where}  {name}"
        if self.verbosity:
            self._explain("progress.trainings")
            total = str(max(event.total, event.done))
            took, number = self._took(event.seconds), f"{event.done:>{len(total)}}/{total}"
            parts = [number, padded(where, 15), padded(result, 7), took, padded(name, 24)]
            self._print_parts([*((0, part) for part in parts), *self._left()], "  ")

    def _show_trial(self, event: TrialEvent) -> None:
        """Show that one trial of a search has ended."""
        if not self.verbosity:
            return
        self._explain("progress.trials")
        if event.value is None:
            result = self._words.value("state", event.state)
        else:
            result = f"{event.metric or self._words('progress.mean')} {event.value:z.4f}"
        took = self._words("progress.repeated") if event.state == "repeated" else self._took(event.seconds)
        trial = self._words("progress.trial", number=event.number)
        best = self._words("progress.best_so_far") if event.best else ""
        number = f"{event.number + 1:>{len(str(event.total))}}/{event.total}"
        settings = [settings_text({path: value}) for path, value in event.settings.items()]
        reason = printable(self._words.read(event.reason))
        is_short = cells(reason) <= width_of(self.stream) - 6
        parts = [number, trial, result, *map(printable, settings), took, best, reason if is_short else ""]
        self._print_parts([*((0, part) for part in parts), *self._left()], "  ")
        if not is_short:
            self.print_line(reason, rest=8, indent=6)

    # -- lines and the bar -----------------------------------------------------------------------------------------

    def _print_parts(self, parts: Sequence[tuple[int, str]], indent: str) -> None:
        """Print the parts of a line, see ``terminal.joined``."""
        self._print(joined(parts, width_of(self.stream), indent))

    def print_line(self, text: str, style: str = "", rest: int = 2, indent: int = 0) -> None:
        """Print a message on as many lines as it needs, see ``terminal.message_lines``.

        :param style: see ``terminal.painted``
        :param rest: the number of spaces before the lines after the first
        :param indent: the number of spaces before the first line
        """
        self._print([painted(line, style, self.stream) for line in message_lines(text, self.stream, " " * indent, " " * rest)])

    def _print(self, lines: Sequence[str]) -> None:
        """Print lines above the bar if there is one."""
        if not self.lines:
            return
        if self.in_notebook:
            print("\n".join(lines), flush=True)
        elif self._bar is None:
            print("\n".join(lines), file=self.stream, flush=True)
        else:
            from rich.text import Text

            self._bar.console.print(Text.from_ansi("\n".join(lines)), soft_wrap=True)

    def _time(self, seconds: float) -> str:
        """Return a number of seconds as a person would say it."""
        if seconds < 90:
            return self._words("time.seconds", number=max(1, round(seconds)))
        if seconds < 90 * 60:
            return self._words("time.minutes", number=round(seconds / 60))
        return self._words("time.hours", hours=int(seconds // 3600), minutes=int(seconds % 3600 // 60))

    def _update_bar(self) -> None:
        """Show the share of the work that is done, what is being done, and the time left."""
        if self._bar is None:
            self._begin_bar()
        overall = self._overall
        total = max(overall.total, overall.done)
        left = overall.left
        known = self._words("progress.left", time=self._time(left)) if left is not None else ""
        number = min(overall.done + (1 if isinstance(overall, RunProgress) else 0), total)
        count = f"{number}/{total}" if total else ""
        room = max(12, width_of(self.stream) - _BAR - len(count) - 26)
        status = padded(shortened(printable(self._status), room), min(room, 34))
        self._bar.update(
            self._task, total=1.0 if total else None, completed=overall.share, count=count, status=status, left=known,
            percent=f"{overall.share:.0%}" if total else "",
        )  # fmt: skip

    def _begin_bar(self) -> None:
        """Create the bar and start to show it."""
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, Progress, TextColumn

        texts = [TextColumn(f"{{task.fields[{name}]}}", markup=False) for name in ("count", "status", "percent", "left")]
        console = RichConsole() if self.in_notebook else RichConsole(file=self.stream, no_color=not has_colors(self.stream))
        redirected = not self.in_notebook  # a notebook places what is printed by itself
        self._bar = Progress(
            texts[0], texts[1], BarColumn(_BAR), texts[2], texts[3], console=console, transient=True, refresh_per_second=4,
            redirect_stdout=redirected, redirect_stderr=redirected,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=None, count="", status="", percent="", left="")
        self._bar.start()

    def close(self) -> None:
        """Remove the bar from the terminal."""
        if self._bar is not None:
            with contextlib.suppress(OSError, ValueError):
                self._bar.stop()
            self._bar = None


def _usual(event: EpochEvent) -> dict[str, float]:
    """Return the usual metric of each target of an epoch by its name, of those that are shown the last one."""
    usual: dict[str, float] = {}
    for target in event.metrics:
        prefix = f"{target}." if len(event.metrics) > 1 else ""
        known = [(name, value) for name, value in event.shown.items() if name.startswith(prefix) and value is not None]
        usual |= dict(known[-1:])
    return usual


def settings_text(settings: Mapping[str, Any]) -> str:
    """Return settings as overrides."""
    return " ".join(f"{path}={value if isinstance(value, str) else json.dumps(value)}" for path, value in settings.items())


def is_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def observers_of(verbose: bool | int | None, observers: Sequence[Observer]) -> list[Observer]:
    """Return the observers of a call from Python: a log to ``logging.getLogger("polymodal")``, a console if there is to be one, and those
    that the caller gives.

    :param verbose: the verbosity of the console, see ``Console``; None = 1 on a terminal and in a notebook, otherwise 0
    """
    if verbose is None:
        verbose = is_live(sys.stderr) or is_notebook()
    if not isinstance(verbose, int) or not 0 <= verbose <= 2:
        raise ConfigError(f"verbose: found {verbose!r}; expected True, False, 0, 1 or 2")
    own = [Console(verbosity=int(verbose), lines=not _is_handled())] if verbose and not _has_console(observers) else []
    return [Logs(), *own, *observers]


def _has_console(observers: Sequence[Observer]) -> bool:
    """Return whether the caller shows the progress already."""
    return any(isinstance(one, Console) for one in observers)


def _is_handled() -> bool:
    """Return whether the application shows the messages of the logger itself, so that the console would show them twice."""
    if not LOGGER.isEnabledFor(logging.INFO):
        return False
    logger: logging.Logger | None = LOGGER
    while logger is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False
