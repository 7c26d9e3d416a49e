"""What all trackers share: the settings, the curves, the final figures, resumption, and the treatment of errors."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

from ..config import quote
from ..errors import requires, warn
from ..journal import JOURNAL_FILE, Journal
from ..language import Sentence
from ..storage import write_whole
from ..training.events import EndEvent, EpochEvent, Event, StartEvent
from ..training.observers import Observer, logged_epochs

TRACKING = "tracking.json"
"""The file in the folder of a run that contains what its trackers need to continue it, by tracker."""
FILES = ("run.yaml", "metrics.json", "report.html")
"""The files of a run that trackers of files receive, besides the bundle."""


class Tracker(Observer):
    """Base class of trackers. A tracker changes nothing in the training: after an error there is one warning, and nothing more is tracked.

    :param run: the folder of the run; None = only what the events contain is tracked
    :param settings: the settings of the run by path
    :param note: called with a line that states where the run is tracked
    """

    name: ClassVar[str]
    """The name in ``training.track``."""
    package: ClassVar[str]
    """The Python package that the tracker needs."""
    environment: ClassVar[Mapping[str, str]] = {}
    """Variables of the environment that are set before the package is imported, unless the user has set them."""
    in_run: ClassVar[bool] = False
    """Whether the tracker writes to the folder of the run, which must then be kept."""

    def __init__(
        self, run: Path | None = None, settings: Mapping[str, Any] | None = None, note: Callable[[str], None] | None = None
    ) -> None:
        self.check_installed()
        self.run, self.settings, self.note = run, dict(settings or {}), note or (lambda text: None)
        self.state: dict[str, Any] = {}
        """What a resumed run needs: ``seen``, the last epoch of each model that was tracked, and facts of the tracker."""
        self._failed = self._ended = False

    @classmethod
    def of_run(cls, folder: Path, settings: Mapping[str, Any], note: Callable[[str], None]) -> Self:
        """Return the tracker of a run. The parameters are those of the class."""
        return cls(folder, settings, note)

    @classmethod
    def check_installed(cls) -> None:
        """Raise ``MissingDependency`` if the package is not installed."""
        for name, value in cls.environment.items():
            os.environ.setdefault(name, value)
        requires(cls.package, cls.name)

    def observe(self, event: Event) -> None:
        """Track an event. After an error, there is one warning, and further events are ignored."""
        if isinstance(event, StartEvent):
            self._guarded(Sentence("track.run"), self._start)
        elif isinstance(event, EpochEvent):
            self._guarded(Sentence("warning.at_epoch", model=event.name, epoch=event.epoch), lambda: self._epoch(event))
        elif isinstance(event, EndEvent):
            self._guarded(Sentence("track.results"), lambda: self._end(event))

    def close(self) -> None:
        """Finish the tracked run."""
        self._guarded(Sentence("track.end"), lambda: self.finish(self._ended))

    # -- what a tracker does ---------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin to track the run, or continue with what ``state`` states."""

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        """Track figures of one epoch of one model."""
        raise NotImplementedError

    def conclude(self, figures: Mapping[str, float]) -> None:
        """Track the final figures of the run, and its files."""

    def finish(self, ended: bool) -> None:
        """Release resources.

        :param ended: whether the run has ended; otherwise it was interrupted
        """

    # -- events ----------------------------------------------------------------------------------------------------

    def _guarded(self, what: str, act: Callable[[], None]) -> None:
        """Do something unless the tracker has failed. An error is reported once as a warning."""
        if self._failed:
            return
        try:
            act()
        except Exception as error:  # whatever a tracker raises, training goes on
            self._failed = True
            text = " ".join(str(error).split())[:300] or type(error).__name__
            warn(Sentence("track.failed", tracker=self.name, what=what, error=text))

    def _start(self) -> None:
        """Read the state of an earlier process, and begin. Epochs that are only in the log of the run are tracked now."""
        self.state = dict(self._states().get(self.name, {}))
        self.state.setdefault("seen", {})
        self.begin()
        if self.run is not None:
            for event in logged_epochs(self.run / "log.jsonl"):
                self._track(event)
        self.save()

    def _epoch(self, event: EpochEvent) -> None:
        """Track an epoch."""
        if self._track(event):
            self.save()

    def _track(self, event: EpochEvent) -> bool:
        """Track an epoch, unless it was tracked before a process was killed. Return whether it was tracked now."""
        seen = self.state.setdefault("seen", {})
        if event.epoch <= seen.get(event.name, 0):
            return False
        self.log(figures_of_epoch(event), event.epoch)
        seen[event.name] = event.epoch
        return True

    def _end(self, event: EndEvent) -> None:
        """Track the results if the run has ended."""
        journal = Journal.read(self.run / JOURNAL_FILE) if self.run is not None else None
        if journal is not None and not journal.ended:
            return
        self._ended = True
        self.conclude(figures_of_run(self._metrics() or {"validation": event.validation, "seconds": event.seconds}))

    def _metrics(self) -> dict[str, Any] | None:
        """Return the content of ``metrics.json``, or None if there is no folder."""
        if self.run is None:
            return None
        metrics: dict[str, Any] = json.loads((self.run / "metrics.json").read_bytes())
        return metrics

    def _states(self) -> dict[str, dict[str, Any]]:
        """Return the states of all trackers of the run. A file that cannot be read counts as no file."""
        try:
            states = json.loads((self.run / TRACKING).read_bytes()) if self.run is not None else {}
        except (OSError, ValueError):
            return {}
        return states if isinstance(states, dict) and all(isinstance(one, dict) for one in states.values()) else {}

    def save(self) -> None:
        """Write the state to the folder of the run."""
        if self.run is not None:
            body = json.dumps({**self._states(), self.name: self.state}, ensure_ascii=False, indent=1)
            write_whole(self.run / TRACKING, body.encode("utf-8", "surrogatepass"))


def flat(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested settings by path. Lists remain lists; empty mappings are left out."""
    settings: dict[str, Any] = {}
    for name, value in tree.items():
        path = f"{above}.{quote(name)}" if above else quote(name)
        settings |= flat(value, path) if isinstance(value, Mapping) else {path: value}
    return settings


def part(name: str) -> str:
    """Return a name as a part of the name of a figure: trackers allow letters, digits, ``_``, ``-``, ``.``, ``:`` and spaces."""
    text = re.sub(r"[^\w.\-: ]", "_", name.replace(",", ""))
    return text if text.strip(". ") else "_" * max(1, len(text))


def figures_of_epoch(event: EpochEvent) -> dict[str, float]:
    """Return the figures of an epoch by name, ``MODEL/FIGURE``: the loss, the metrics, and the figures of each field. Figures that do not
    exist are left out."""
    by_field = {f"{name} {figure}": value for name, of_field in event.fields.items() for figure, value in asdict(of_field).items()}
    figures = {"loss": event.loss, **event.shown, **by_field}
    return {f"{part(event.name)}/{part(name)}": float(value) for name, value in figures.items() if value is not None}


def figures_of_run(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the final figures of a run by name, such as ``validation/label/accuracy``. Figures that do not exist are left out.

    The standard error of the metric by which a target is judged follows under ``validation/label/accuracy standard error``.

    :param metrics: the content of ``metrics.json``
    """
    parts = {"validation": metrics.get("validation", {}), "test": metrics.get("test") or {}}
    parts |= {f"only {name}": one for name, one in metrics.get("baselines", {}).items()}
    figures = {
        f"{part(name)}/{part(task)}/{part(metric)}": value
        for name, measured in parts.items()
        for task, by_metric in measured.get("tasks", {}).items()
        for metric, value in by_metric.items()
    }
    for task, entries in metrics.get("leaderboard", {}).items():
        for entry in entries:
            place = {"model": "validation", "single field": entry["name"]}.get(entry["kind"])
            if place is not None:
                figures[f"{part(place)}/{part(task)}/{part(entry['metric'])} standard error"] = entry["error"]
    figures |= {f"seconds/{name}": value for name, value in metrics.get("seconds", {}).items()}
    return {name: float(value) for name, value in figures.items() if value is not None}
