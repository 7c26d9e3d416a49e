"""Options shared by several commands, and the parsing of their values."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from .mistakes import stray


def pairs(_: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return ``NAME=MODALITY`` words as a mapping."""
    found = {}
    for value in values:
        name, sign, modality = value.rpartition("=")
        if not sign or not name:
            raise click.BadParameter(f"{value!r}; expected NAME=MODALITY, such as {value or 'code'}=text")
        found[name] = modality
    return found


def _with_preset(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn ``--pretrained`` into its override, and report words that are not overrides."""

    @functools.wraps(command)
    def run(*args: Any, overrides: tuple[str, ...], pretrained: bool, **settings: Any) -> Any:
        if settings.get("resume") is None:
            stray(list(overrides), settings["table"], settings["targets"], settings["time_limit"])
        return command(*args, overrides=(*overrides, "model.preset=pretrained") if pretrained else overrides, **settings)

    return run


def root_option(said: str) -> Callable[..., Any]:
    """Return the option ``--root``, which may be given several times."""
    return click.option("--root", multiple=True, metavar="DIR", help=said)


encoding_option = click.option("--encoding", metavar="NAME", help="Encoding of TABLE, such as gb18030; default: found out (data.encoding).")


def reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command that reads a training table."""
    options = [
        click.option("--column", "columns", multiple=True, metavar="NAME=MODALITY", callback=pairs,
                     help="Take a column as image, pictures, video, text, audio, series, vector, points, tabular, number, category, date."),
        click.option("--ignore", multiple=True, metavar="COL", help="Leave a column out: it is not a feature (fields)."),
        click.option("--group", metavar="COL", help="Keep rows with one value of this column on one side of a split (data.split.group)."),
        click.option("--split", metavar="COL", help="A column that says train, valid or test (data.split.column)."),
        root_option("Another folder that file cells may name (data.root)."),
        click.option("--seed", type=click.IntRange(min=0), help="Same seed, same bits (seed)."),
        click.option("--time-limit", metavar="TIME", help="Bound on the whole command, such as 5m (training.time_limit)."),
        encoding_option,
        click.option("--pretrained", is_flag=True, help="Pretrained encoders, fetched unless they are here (model.preset=pretrained)."),
    ]  # fmt: skip
    command = _with_preset(command)
    for option in reversed(options):
        command = option(command)
    return command


on_error_option = click.option(
    "--on-error", type=click.Choice(["error", "skip", "blank"]), help="What a cell that cannot be read does (data.on_error)."
)


def training(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of the commands that train, or check a training."""
    options: list[Callable[..., Any]] = [
        click.option(
            "--target", "targets", multiple=True, metavar="COL", help="The column to predict; may be given several times (tasks)."
        ),
        reading,
        on_error_option,
        click.option(
            "--valid",
            metavar="TABLE",
            help="A table of its own to validate on (data.valid): a third of its rows selects the epoch, the others are reported on.",
        ),
        click.option("--test", metavar="TABLE", help="A table that is measured once, at the end (data.test)."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def numbers(_: click.Context, parameter: click.Parameter, value: str | None) -> list[int] | None:
    """Return the row numbers in a comma-separated list."""
    try:
        return None if value is None else [int(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r}; expected numbers of rows, such as 3,17 (the first data row is 1)") from None
