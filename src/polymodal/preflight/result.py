"""The result of ``check``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..language import Words
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
        """Return the result as English text for a terminal.

        :param width: the number of cells of a line
        """
        return "\n".join(self.lines(width, Words("en")))

    def lines(self, width: int, words: Words) -> list[str]:
        """Return the result as lines for a terminal.

        :param width: the number of cells of a line
        :param words: the texts in the language of the lines
        """
        lines = paragraphs([words("check.ok" if self.ok else "check.stops", name=self.name)], width, "", "  ")
        lines += paragraphs(map(words.read, self.stops), width, "  - ", "    ")
        if self.counts:
            lines += ["", words("inspect.unreadable")]
            for column, count in self.counts.items():
                mine = [(row, text) for row, name, text in self.faults if name == column]
                cells = [words("inspect.cell", row=row, column=column, fault=words.read(text)) for row, text in mine[:10]]
                cells += [words("check.more", count=count, column=column)] if count > len(mine[:10]) else []
                lines += paragraphs(cells, width, "  ", "    ")
        if self.notes:
            lines += ["", *paragraphs(map(words.read, self.notes), width, "", "  ")]
        if self.facts:
            facts = [(words(f"check.{name}"), words.read(fact)) for name, fact in self.facts.items()]
            lines += ["", *Table(["", ""], facts, rest=True).lines(width)]
        return lines
