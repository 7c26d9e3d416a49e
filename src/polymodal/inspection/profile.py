"""The result of ``inspect``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..experiment import Experiment
from ..language import Words
from ..pages import html_table
from ..pages.document import text as escaped
from ..terminal import USUAL_WIDTH, Table, paragraphs
from .columns import Column


@dataclass(repr=False)
class Profile:
    """The result of ``inspect``: the role of each column, the experiment that would be run, and suspicious findings."""

    table: str
    rows: int
    columns: list[Column]
    targets: dict[str, str] = field(default_factory=dict)
    """By target, one line on its task."""
    together: list[str] = field(default_factory=list)
    """Notes on the rows that the split keeps in one part: copies, and rows that share a long text or a file."""
    suspicions: list[str] = field(default_factory=list)
    unreadable: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """By column, the row (1 = first) and the fault of each unreadable cell among the cells that were read."""
    looked_at: int = 0
    experiment: Experiment | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)

    def text(self, width: int = USUAL_WIDTH) -> str:
        """Return the profile as English text for a terminal.

        :param width: the number of cells of a line
        """
        return "\n".join(self.lines(width, Words("en")))

    def lines(self, width: int, words: Words) -> list[str]:
        """Return the profile as lines for a terminal.

        :param width: the number of cells of a line
        :param words: the texts in the language of the lines
        """
        lines = paragraphs([words("inspect.title", table=self.table, rows=self.rows, columns=len(self.columns))], width)
        lines += ["", *self._table(words).lines(width)]
        for fact in self._facts(words):
            lines += ["", *paragraphs([fact], width, "", "  ")]
        for heading, found in self._findings(words):
            lines += ["", *paragraphs([heading], width), *paragraphs(found, width, "  - ", "    ")]
        return lines

    def _facts(self, words: Words) -> Iterator[str]:
        """Yield a line on each target, and on the rows that stay together."""
        for name, line in self.targets.items():
            yield words("inspect.target", target=name, line=words.read(line))
        yield from map(words.read, self.together)

    def _findings(self, words: Words) -> Iterator[tuple[str, list[str]]]:
        """Yield what was found, each a heading and its lines: cells that cannot be read, and what is suspicious."""
        if self.unreadable:
            some = self.looked_at < self.rows
            cells = []
            for name, faults in self.unreadable.items():
                cells += [words("inspect.cell", row=row, column=name, fault=fault) for row, fault in faults[:10]]
                cells += [words("inspect.more", more=len(faults) - 10, column=name)] if len(faults) > 10 else []
            yield words("inspect.unreadable_of", rows=self.looked_at) if some else words("inspect.unreadable"), cells
        heading = "inspect.suspicious" if self.suspicions else "inspect.nothing_else" if self.unreadable else "inspect.nothing"
        yield words(heading), list(map(words.read, self.suspicions))

    def _table(self, words: Words) -> Table:
        """Return the table of the columns."""
        rows = []
        for column in self.columns:
            kind = column.options.get("type", column.modality) or "-"
            distinct = f"{'>' if column.capped else ''}{min(column.distinct, 10_000):,}"
            role = words.value("role", column.role)
            rows.append([column.name, role, kind, f"{column.missing:.1%}", distinct, words.read(column.reason)])
        keys = ("inspect.column", "inspect.role", "inspect.modality", "inspect.missing", "inspect.distinct", "inspect.why")
        return Table([*map(words, keys)], rows, left=3, rest=True)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        """Return the profile as HTML, for notebooks. All text is escaped."""
        words = Words("en")
        table = self._table(words)
        parts = [html_table(table.heads, table.rows, words("inspect.title", table=self.table, rows=self.rows, columns=len(self.columns)))]
        parts += [f"<p>{escaped(line)}</p>" for line in self._facts(words)]
        for heading, lines in self._findings(words):
            items = "".join(f"<li>{escaped(line)}</li>" for line in lines)
            parts.append(f"<p>{escaped(heading)}</p>" + (f"<ul>{items}</ul>" if items else ""))
        return "".join(parts)
