"""Rows of results as a list of dicts that prints as a table: in 80 columns of a terminal, and as HTML in a notebook."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len, set_cell_size

from ..language import Words
from ..terminal import Table, paragraphs
from .document import number, text
from .markdown import one_line

WIDTH = 80
"""The number of columns of a terminal that printed tables fit."""
Shown = Callable[[Mapping[str, Any]], str]
"""A function of a module from a row to the text of a cell."""


class Records(list[dict[str, Any]]):
    """A list of dicts that prints as a table. ``pandas.DataFrame(records)`` has all keys; the printed table has the main ones.

    :param rows: the dicts
    :param title: the line above the table
    :param shown: by heading, the text of each cell; the first column is aligned to the left and shortened where it is too wide
    :param note: the lines below the table, which explain its symbols
    """

    def __init__(
        self, rows: Iterable[Mapping[str, Any]] = (), title: str = "", shown: Mapping[str, Shown] | None = None, note: str = ""
    ) -> None:
        super().__init__(dict(row) for row in rows)
        self.title, self.note = title, note
        self.shown = dict(shown or {})

    def text(self) -> str:
        """Return the table as text of at most 80 columns."""
        head = [plain(name) for name in self.shown]
        body = [[plain(show(row)) for show in self.shown.values()] for row in self]
        lines = aligned([head, *body])
        if any(cell_len(line) > WIDTH for line in lines):  # too many columns for one table
            lines = Table(head, body).lines(WIDTH, "")
        title = [_fitted(plain(self.title), WIDTH).rstrip()] if self.title else []
        note = textwrap.wrap(plain(self.note), WIDTH) if self else []
        return "\n".join([*title, *lines, *note])

    def __repr__(self) -> str:
        return self.text() if self.shown else super().__repr__()

    def _repr_html_(self) -> str:
        """Return the table as HTML, for notebooks. All text is escaped."""
        table = html_table(list(self.shown), [[show(row) for show in self.shown.values()] for row in self], self.title)
        return f"{table}<small>{text(plain(self.note))}</small>" if self and self.note else table


@dataclass(frozen=True)
class Section:
    """A part of a printed result: a title, a table, and lines below the table. Each of them may be absent.

    :param title: the line above the table
    :param table: the table, as text
    :param notes: what explains the table, each a paragraph
    """

    title: str = ""
    table: Table | None = None
    notes: Sequence[str] = ()


class Result(dict[str, Any]):
    """A dict of results, every key of which is an attribute as well. A subclass with ``sections`` prints as their tables."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}; it has {', '.join(self)}") from None

    def __dir__(self) -> list[str]:
        """Return the names of the attributes, keys among them."""
        return sorted({*super().__dir__(), *self})

    def sections(self, words: Words) -> Iterator[Section]:
        """Yield what is printed of the result, in the language of ``words``."""
        yield from ()

    def __repr__(self) -> str:
        """Return the sections as text of at most 80 columns; those of a result without any as a dict."""
        parts = []
        for section in self.sections(Words("en")):
            lines = paragraphs([section.title] if section.title else [], WIDTH)
            lines += section.table.lines(WIDTH) if section.table is not None else []
            parts.append("\n".join([*lines, *paragraphs(section.notes, WIDTH, "  ", "  ")]))
        return "\n\n".join(parts) or super().__repr__()

    def _repr_html_(self) -> str | None:
        """Return the sections as HTML, for notebooks; None if there are none. All text is escaped."""
        parts = []
        for section in self.sections(Words("en")):
            if section.table is not None:
                parts.append(html_table(section.table.heads, section.table.rows, section.title))
            elif section.title:
                parts.append(f"<p>{text(plain(section.title))}</p>")
            parts += [f"<p><small>{text(plain(note))}</small></p>" for note in section.notes]
        return "".join(parts) or None


class ByTarget(Result):
    """A dict of tables by target, which print below one another."""

    def __repr__(self) -> str:
        return "\n\n".join(map(repr, self.values()))

    def _repr_html_(self) -> str:
        """Return the tables as HTML, for notebooks. All text is escaped."""
        return "".join(table._repr_html_() for table in self.values())


def plain(value: object) -> str:
    """Return a value as one line of text without characters that a terminal obeys."""
    return "".join(char if char.isprintable() else "�" for char in one_line(value))


def aligned(rows: Sequence[Sequence[str]], width: int = WIDTH) -> list[str]:
    """Return rows of text as aligned lines: columns of numbers to the right, others to the left.

    :param rows: the cells of each row; the first row has the headings
    :param width: the greatest width of a line, to which the first column is shortened
    """
    sides = [_is_numeric(column) for column in zip(*rows[1:], strict=True)] or [False] * len(rows[0])
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    widths[0] = max(8, min(widths[0], width - sum(2 + other for other in widths[1:])))
    lines = []
    for row in rows:
        cells = [_fitted(row[0], widths[0])]
        for cell, right, space in zip(row[1:], sides[1:], widths[1:], strict=True):
            filling = " " * (space - cell_len(cell))
            cells.append(filling + cell if right else cell + filling)
        lines.append("  ".join(cells).rstrip())
    return lines


def _is_numeric(column: Sequence[str]) -> bool:
    """Return whether every cell of a column that is not empty begins like a number."""
    return all(cell[:1] in "0123456789+-–" for cell in column)


def _fitted(cell: str, width: int) -> str:
    """Return text of exactly a width, with an ellipsis where it is cut."""
    return set_cell_size(cell, width) if cell_len(cell) <= width else set_cell_size(cell, width - 1) + "…"


def html_table(head: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> str:
    """Return a table as HTML without scripts and requests. All text is escaped."""
    sides = ["right" if at and _is_numeric([str(row[at]) for row in rows]) else "left" for at in range(len(head))]
    caption = f'<caption style="text-align:left">{text(plain(title))}</caption>' if title else ""
    heads = "".join(_cell("th", side, cell) for side, cell in zip(sides, head, strict=True))
    body = "".join("<tr>" + "".join(_cell("td", side, cell) for side, cell in zip(sides, row, strict=True)) + "</tr>" for row in rows)
    return f"<table>{caption}" + (f"<thead><tr>{heads}</tr></thead>" if any(head) else "") + f"<tbody>{body}</tbody></table>"


def _cell(tag: str, side: str, content: object) -> str:
    """Return a cell of a table as HTML."""
    return f'<{tag} style="text-align:{side}">{text(plain(content))}</{tag}>'


def decimals(value: float | None, signed: bool = False) -> str:
    """Return a number as in ``document.number``, but ``-`` for None: text that is printed has a key for it ("legend.undefined")."""
    return "-" if value is None else number(value, signed)


def metric_sections(
    words: Words, groups: Sequence[tuple[str, Sequence[tuple[str, Mapping[str, Any]]]]], metrics: Sequence[str], smaller: Sequence[str]
) -> Iterator[Section]:
    """Yield a table of metrics for each group of models: a row for each metric, and a column for each model.

    :param groups: a title, and the models that are shown beside one another, each a label and its metrics by name; one that is absent or
        None is undefined
    :param metrics: the names of the metrics, one row each
    :param smaller: the metrics of which smaller values are better
    """
    shown = [values.get(metric) for _, group in groups for _, values in group for metric in metrics]
    names = words("enumeration").join(name for name in metrics if name in smaller)
    notes = [words("legend.smaller", names=names)] if names else []
    notes += [words("legend.undefined")] if None in shown else []
    for at, (title, group) in enumerate(groups):
        rows = [[metric, *(decimals(values.get(metric)) for _, values in group)] for metric in metrics]
        last = at == len(groups) - 1
        yield Section(title, Table(["", *(label for label, _ in group)], rows), notes if last else [])


def with_error(value: float | None, error: float | None) -> str:
    """Return a value and its standard error, if it is known. An error above 0 is not rounded to 0."""
    if value is None or error is None:
        return number(value)
    shown = number(error)
    return f"{number(value)} ± {'<0.0001' if error > 0 and shown == number(0.0) else shown}"
