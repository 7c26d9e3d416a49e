"""Decisions that depend on the time left or on the memory of the machine. Resumed training must take the same ones again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


class Decisions(Protocol):
    """A record of decisions, by key. ``DecisionsInMemory`` lasts as long as the process; the journal of a run also writes a file."""

    decisions: dict[str, Any]
    """The values that were decided, as plain data. Change it through ``decide``."""
    limit_changed: bool
    """Whether training was resumed under another time limit, so that deadlines of before do not count."""

    def decide(self, key: str, value: Any) -> Any:
        """Record a value under a key, before the decision takes effect, and return the value."""
        ...


@dataclass
class DecisionsInMemory:
    """Decisions of training that is never resumed: a trial, or one cell of a comparison."""

    decisions: dict[str, Any] = field(default_factory=dict)
    limit_changed: bool = False

    def decide(self, key: str, value: Any) -> Any:
        """Record a value under a key and return the value."""
        self.decisions[key] = value
        return value
