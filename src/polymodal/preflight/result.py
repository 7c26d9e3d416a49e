"""The result of ``check``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..terminal import USUAL_WIDTH, Table, paragraphs


@dataclass
class Check:
    """The result of ``check``. ``text()`` is for people; ``ok`` states whether training, or resuming, would complete."""

    name: str
    """The name of the table, or the folder of the run."""
    stops: list[str] = field(default_factory=list)
    """The reasons why the run would stop before anything is trained."""
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    """Unreadable cells: the row (1 = first), the column, and the fault with its consequence; at most 200 of each column."""
    counts: dict[str, int] = field(default_factory=dict)
    """By column, the number of unreadable cells among those that were read."""
    notes: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    """The rows, models, time, memory, disk, device and precision of the run, in one line each."""
    resumes: Path | None = None
    """The folder of the run that was checked; None = a table was checked."""
    seconds: float | None = None
    """The estimated seconds of the whole run if no model stops early; None = not estimated."""
    memory_mb: float | None = None
    """The estimated memory in MiB; None = not estimated."""
    disk_mb: float | None = None
    """The estimated disk space in MiB during the run; None = not estimated."""

    @property
    def ok(self) -> bool:
        """Whether nothing would stop the run."""
        return not self.stops

    def text(self, width: int = USUAL_WIDTH) -> str:
        """Return the result as text for a terminal.

        :param width: the number of cells of a line
        """
        state = "nothing found that would stop the run" if self.ok else "this would stop the run"
        lines = paragraphs([f"{self.name}: {state}"], width, "", "  ")
        lines += paragraphs(self.stops, width, "  - ", "    ")
        if self.counts:
            lines += ["", "cells that cannot be read:"]
            for column, count in self.counts.items():
                mine = [(row, text) for row, name, text in self.faults if name == column]
                cells = [f"row {row}, column {column!r}: {text}" for row, text in mine[:10]]
                cells += [f"... {count:,} in column {column!r}"] if count > len(mine[:10]) else []
                lines += paragraphs(cells, width, "  ", "    ")
        if self.notes:
            lines += ["", *paragraphs(self.notes, width, "", "  ")]
        if self.facts:
            lines += ["", *Table(["", ""], list(self.facts.items()), rest=True).lines(width)]
        return "\n".join(lines)
