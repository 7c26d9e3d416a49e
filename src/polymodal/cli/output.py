"""Printing of results: in the language of the command, within the width of the terminal, with colours where they are shown."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from ..language import Words
from ..pages import Section
from ..terminal import Table, has_colors, message_lines, padded, painted, paragraphs, width_of

Line = tuple[str, str]
"""A line of output, and its style (``terminal.painted``)."""


def words() -> Words:
    """Return the texts in the language of the command: that of ``--lang``, otherwise that of the locale."""
    return Words.of("auto")


def text_lines(text: str, style: str = "", first: str = "", rest: str = "") -> list[Line]:
    """Return a text as lines that fit the terminal.

    :param first: the beginning of the first line
    :param rest: the beginning of the other lines
    """
    return [(line, style) for line in paragraphs([text], width_of(), first, rest)]


def table_lines(table: Table, indent: str = "  ") -> list[Line]:
    """Return a table as lines that fit the terminal."""
    return [(line, "") for line in table.lines(width_of(), indent)]


def named_lines(pairs: Iterable[tuple[str, str]]) -> list[Line]:
    """Return lines of a name and a path or a command, which are not broken, so that they can be copied."""
    return [(f"{name}{value}", "") for name, value in pairs]


def legend_lines(*texts: str) -> list[Line]:
    """Return the explanation of symbols as lines; empty texts are left out."""
    explained = words()("list_separator").join(text for text in texts if text)
    return text_lines(explained, "dim", "  ", "  ") if explained else []


def section_lines(sections: Iterable[Section]) -> list[Line]:
    """Return the sections of a result as lines: their titles, their tables, and what explains them."""
    lines: list[Line] = []
    for section in sections:
        lines += [("", "")] if lines and (section.title or section.table is not None) else []
        lines += text_lines(section.title, "bold") if section.title else []
        lines += table_lines(section.table) if section.table is not None else []
        for note in section.notes:
            lines += text_lines(note, "dim", "  ", "  ")
    return lines


def show(lines: Iterable[Line], *, error: bool = False) -> None:
    """Print lines on standard output, or on standard error."""
    stream = sys.stderr if error else sys.stdout
    for line, style in lines:
        click.echo(painted(line, style, stream), err=error, color=has_colors(stream) or None)


def say(text: str, style: str = "", *, error: bool = True) -> None:
    """Print a message, on standard error unless ``error`` is False; see ``terminal.message_lines``."""
    show([(line, style) for line in message_lines(text, sys.stderr if error else sys.stdout)], error=error)


def show_wrote(path: str | Path) -> None:
    """Print the path of a file that was written, on one line, so that it can be copied."""
    show([(words()("wrote", path=path), "")])


def show_next(commands: Iterable[str]) -> None:
    """Print the commands that can follow, on one line each."""
    show([(words()("train.next", command=command), "") for command in commands])


def plain_text(lines: Iterable[Line]) -> str:
    """Return lines as one text without styles."""
    return "\n".join(line for line, _ in lines)


def opening_lines(path: str | Path) -> list[Line]:
    """Return how the page of a result is opened: the command of this system, or the advice to use a browser."""
    import shlex
    import shutil

    command = {"darwin": "open", "win32": "start"}.get(sys.platform) or ("xdg-open" if shutil.which("xdg-open") else None)
    text = words()
    line = text("train.open_anywhere") if command is None else text("train.open", command=f"{command} {shlex.quote(str(path))}")
    return [(f"  {line}", "")]


__all__ = [
    "Line", "Table", "legend_lines", "named_lines", "opening_lines", "padded", "plain_text", "say", "section_lines", "show", "show_next",
    "show_wrote", "table_lines", "text_lines", "words",
]  # fmt: skip
