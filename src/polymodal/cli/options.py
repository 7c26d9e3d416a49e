"""The arguments and options of the commands, and the parsing of their values.

Every argument or option that several commands have is declared here, and only here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any

import click

from .mistakes import check_overrides

Command = Callable[..., Any]
"""A function that becomes a command, or a command."""
Option = Callable[[Command], Command]
"""A decorator that adds an argument or an option to a command, or several of them."""


def _parse_columns(_: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return words of the form ``NAME=MODALITY`` as a mapping."""
    columns = {}
    for value in values:
        name, sign, modality = value.rpartition("=")
        if not sign or not name:
            raise click.BadParameter(f"{value!r}; expected NAME=MODALITY, such as {value or 'code'}=text")
        columns[name] = modality
    return columns


def _parse_rows(_: click.Context, parameter: click.Parameter, value: str | None) -> list[int] | None:
    """Return the row numbers in a comma-separated list."""
    try:
        return None if value is None else [int(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r}; expected numbers of rows, such as 3,17 (the first data row is 1)") from None


def _all(*options: Option) -> Option:
    """Return one decorator that adds several options, in the order in which ``--help`` shows them."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


# -- training -------------------------------------------------------------------------------------------------------------


def table_argument(*, required: bool, metavar: str | None = None) -> Option:
    """Return the arguments of the commands that read a training table: the table, and overrides of settings."""
    return _all(
        click.argument("table", required=required, metavar=metavar),
        click.argument("overrides", nargs=-1, metavar="[PATH=VALUE]..."),
    )


def _with_overrides(command: Command) -> Command:
    """Turn ``--pretrained`` into the override that it stands for, and report words that are not overrides."""

    @functools.wraps(command)
    def run(*args: Any, overrides: tuple[str, ...], pretrained: bool, **settings: Any) -> Any:
        if settings.get("resume") is None:
            check_overrides(list(overrides), settings["table"], settings["targets"], settings["time_limit"])
        return command(*args, overrides=(*overrides, "model.preset=pretrained") if pretrained else overrides, **settings)

    return run


def target_option(*, required: bool = False) -> Option:
    """Return the option ``--target``, which is passed as ``targets``."""
    help_text = "The column to predict; may be given several times (tasks)."
    return click.option("--target", "targets", multiple=True, required=required, metavar="COL", help=help_text)


def root_option(help_text: str) -> Option:
    """Return the option ``--root``, which may be given several times."""
    return click.option("--root", multiple=True, metavar="DIR", help=help_text)


encoding_option = click.option("--encoding", metavar="NAME", help="Encoding of TABLE, such as gb18030; default: detected (data.encoding).")
on_error_option = click.option(
    "--on-error", type=click.Choice(["error", "skip", "blank"]), help="What to do with a cell that cannot be read (data.on_error)."
)

data_options = _all(
    click.option("--column", "columns", multiple=True, metavar="NAME=MODALITY", callback=_parse_columns,
                 help="Treat a column as image, pictures, video, text, audio, series, vector, points, tabular, number, category or date."),
    click.option("--ignore", multiple=True, metavar="COL", help="A column that is not a feature; may be given several times (fields)."),
    click.option("--group", metavar="COL",
                 help="Keep rows with the same value in this column in the same part of a split (data.split.group)."),
    click.option("--split", metavar="COL", help="A column whose cells are train, valid or test (data.split.column)."),
    root_option("A further folder in which to look for the files of cells (data.root)."),
    click.option("--seed", type=click.IntRange(min=0), help="The seed: the same seed gives the same bits (seed)."),
    click.option("--time-limit", metavar="TIME", help="Time limit of the whole command, such as 5m (training.time_limit)."),
    encoding_option,
    click.option("--pretrained", is_flag=True,
                 help="Use pretrained encoders, which are downloaded unless they are already here (model.preset=pretrained)."),
    _with_overrides,
)  # fmt: skip
"""The options of every command that reads a training table, besides ``--target``."""

training_options = _all(
    target_option(),
    data_options,
    on_error_option,
    click.option("--valid", metavar="TABLE",
                 help="A separate table for validation (data.valid): a third of its rows selects the epoch, the others are reported on."),
    click.option("--test", metavar="TABLE", help="A table on which the model is measured once, at the end (data.test)."),
)  # fmt: skip
"""The options of the commands that train, or check a training."""


def check_resume(allowed: Collection[str], advice: str) -> None:
    """Check that no option is given together with ``--resume`` that would change what is resumed.

    :param allowed: the names of the parameters that may be given
    :param advice: the end of the message
    :raises click.UsageError: another parameter is given
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        name = str(parameter.name)
        if name not in allowed and context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            raise click.UsageError(f"{parameter.opts[-1]} beside --resume: {advice}")


# -- trained models -------------------------------------------------------------------------------------------------------

run_argument = click.argument("run", metavar="RUN")
model_options = _all(
    on_error_option,
    root_option("A further folder in which to look for the files of cells."),
    encoding_option,
    click.option("--strict", is_flag=True, help="Stop if a column is absent, instead of treating it as missing."),
    click.option("--trust", is_flag=True, help="Run code that the bundle names (module:Class)."),
)
"""The options of the commands that read a table for a trained model."""
rows_option = click.option(
    "--rows", metavar="N,N", callback=_parse_rows, help="Explain these rows (1 = the first) instead of the whole table."
)


# -- output ---------------------------------------------------------------------------------------------------------------


def out_option(help_text: str, *, metavar: str | None = None, default: str | None = None) -> Option:
    """Return the option ``--out``, with its short form ``-o``."""
    return click.option("-o", "--out", metavar=metavar, default=default, show_default=default is not None, help=help_text)


def overwrite_option(help_text: str) -> Option:
    """Return the flag ``--overwrite``."""
    return click.option("--overwrite", is_flag=True, help=help_text)


def quiet_option(help_text: str) -> Option:
    """Return the flag ``--quiet``."""
    return click.option("--quiet", is_flag=True, help=help_text)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, and nothing else.")
