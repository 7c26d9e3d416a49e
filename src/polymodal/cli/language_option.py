"""The option ``--lang`` of every command: the language of what it prints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from .mistakes import Menu

LANGUAGES = ("en", "zh")
"""The values of the option. They are those of ``language.LANGUAGES``, which is imported only when a command runs."""


def _choose(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Let everything until the end of the command be in a language."""
    if value is not None:
        from ..language import spoken_in

        context.find_root().with_resource(spoken_in(value))


def language_option() -> Callable[[Any], Any]:
    """Return the option as a decorator of a command."""
    return click.option(
        "--lang", type=Menu(LANGUAGES), callback=_choose, expose_value=False, is_eager=True,
        help="Language of what is printed; default: that of the locale.",
    )  # fmt: skip


def add_language(command: click.Command) -> None:
    """Add the option to a command and to the commands of a group."""
    language_option()(command)
    help_at = next((at for at, parameter in enumerate(command.params) if parameter.name == "help"), None)
    if help_at is not None:
        command.params.append(command.params.pop(help_at))
    for below in getattr(command, "commands", {}).values():
        add_language(below)
