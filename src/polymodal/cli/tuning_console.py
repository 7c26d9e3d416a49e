"""The progress of a search on the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..training.events import EpochEvent, Event, TrialEvent
from ..training.observers import Console


class TuningConsole(Console):
    """Prints one line for each trial of a search; on a terminal, a progress bar shows the model that is being trained."""

    def _show(self, event: Event) -> None:
        """Show a trial, a note, a warning or a step."""
        if isinstance(event, TrialEvent):
            self.print_line(trial_line(event))
        elif not isinstance(event, EpochEvent):
            super()._show(event)


def trial_line(event: TrialEvent) -> str:
    """Return a trial as one line."""
    result = f"{event.metric or 'mean'} {value_text(event.value)}" if event.value is not None else event.state
    reason = f"  {event.reason}" if event.reason else ""
    repeated = "  settings that were tried before" if event.state == "repeated" else f"  {event.seconds:.1f} s"
    best = "  best so far" if event.best else ""
    return f"  {event.number + 1}/{event.total}  {result}  {settings_text(event.settings)}{repeated}{reason}{best}"


def settings_text(settings: Mapping[str, Any]) -> str:
    """Return settings as overrides."""
    return " ".join(f"{path}={value if isinstance(value, str) else json.dumps(value)}" for path, value in settings.items())


def value_text(value: float | None) -> str:
    """Return a value of a metric with four decimals."""
    return "-" if value is None else f"{value:z.4f}"
