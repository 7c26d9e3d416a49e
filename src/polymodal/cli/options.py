"""The arguments and options of the commands, and the parsing of their values.

Every argument or option that several commands have is declared here, and only here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import click

from ..request import Setting, TrainingSettings, declared
from .mistakes import Menu, check_overrides

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from ..training.observers import Observer

_SETTINGS = declared(TrainingSettings)
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


def complete_path(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete the path of a file or a folder."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


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
        click.argument("table", required=required, metavar=metavar, shell_complete=complete_path),
        click.argument("overrides", nargs=-1, metavar="[PATH=VALUE]..."),
    )


def _with_overrides(command: Command) -> Command:
    """Pass repeated settings as lists, turn ``--pretrained`` into its override, and report words that are not overrides."""

    @functools.wraps(command)
    def run(*args: Any, overrides: tuple[str, ...], pretrained: bool, **settings: Any) -> Any:
        if pretrained and str(settings.get("preset")).startswith("mmf/"):
            raise click.UsageError(f"--pretrained beside --preset {settings['preset']}; name its weights: model.pretrained.joint=FOLDER")
        if settings.get("resume") is None:
            check_overrides(list(overrides), settings["table"], settings["target"], settings["time_limit"])
        settings |= {
            name: list(settings[name]) for name, setting in _SETTINGS.items() if setting.repeated and isinstance(settings.get(name), tuple)
        }
        return command(*args, overrides=(*overrides, "model.preset=pretrained") if pretrained else overrides, **settings)

    return run


def _option_of(name: str, setting: Setting, required: bool = False) -> Option:
    """Return the option of a setting that a request may contain."""
    kind: Any = Menu(setting.choices) if setting.choices else click.IntRange(min=setting.least) if setting.least is not None else None
    metavar = setting.metavar
    if setting.others is not None:  # a help text has no room for all of them
        prefix = setting.others[0]
        metavar = f"[{'|'.join(choice for choice in setting.choices if not choice.startswith(prefix))}|{prefix}NAME]"
    callback = _parse_columns if setting.metavar == "NAME=MODALITY" else None
    return click.option(
        setting.flag, name, type=kind, multiple=setting.repeated, required=required, metavar=metavar, callback=callback,
        help=setting.help,
    )  # fmt: skip


def settings_options(kind: type, *, target_required: bool = False) -> Option:
    """Return the options of the settings that a command accepts, and ``--pretrained``.

    :param kind: the settings, such as ``TrainingSettings``; they are passed to the command by name
    :param target_required: whether ``--target`` must be given
    """
    options = [_option_of(name, setting, target_required and name == "target") for name, setting in declared(kind).items()]
    pretrained = click.option(
        "--pretrained",
        is_flag=True,
        help="Use pretrained encoders, which are downloaded unless they are already here (model.preset=pretrained).",
    )
    return _all(*options, pretrained, _with_overrides)


def check_resume(allowed: Collection[str], advice: str) -> None:
    """Check that no option is given together with ``--resume`` that would change what is resumed.

    :param allowed: the names of the parameters that may be given
    :param advice: the end of the message
    :raises click.UsageError: another parameter is given
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        name = str(parameter.name)
        if name not in allowed and parameter.expose_value and context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT:
            raise click.UsageError(f"{parameter.opts[-1]} beside --resume: {advice}")


# -- trained models -------------------------------------------------------------------------------------------------------

run_argument = click.argument("run", metavar="RUN", shell_complete=complete_path)
device_option = click.option(
    "--device",
    type=Menu(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    help="Where to compute; auto = the first of CUDA, MPS and CPU that is available.",
)
model_options = _all(
    *(_option_of(name, _SETTINGS[name]) for name in ("on_error", "root", "encoding")),
    device_option,
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
    return click.option(
        "-o", "--out", metavar=metavar, default=default, show_default=default is not None, help=help_text, shell_complete=complete_path
    )


def overwrite_option(help_text: str) -> Option:
    """Return the flag ``--overwrite``."""
    return click.option("--overwrite", is_flag=True, help=help_text)


def progress_options(quiet_help: str) -> Option:
    """Return the options that set how much is printed while models are trained.

    :param quiet_help: what is printed with ``--quiet``
    """
    return _all(
        click.option("-v", "--verbose", count=True, help="Print every epoch and further notes as well."),
        click.option("-q", "--quiet", is_flag=True, help=quiet_help),
    )


def consoles(verbose: int, quiet: bool) -> list[Observer]:
    """Return the console that shows the progress of a command, or nothing if it is to be quiet."""
    from ..training.console import Console

    if verbose and quiet:
        raise click.UsageError("--verbose beside --quiet: expected one of them; leave out the other")
    return [] if quiet else [Console(verbosity=1 + verbose)]


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, and nothing else.")
