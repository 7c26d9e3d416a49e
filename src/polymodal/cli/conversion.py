"""What the commands below ``polymodal table`` share: the group, which recognises folders and formats, and what is printed at the end."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ..errors import UserError, nearest, nearest_folder
from .mistakes import Commands, is_table_name

if TYPE_CHECKING:
    from ..layouts.usage import Usage, Written

_OWN = frozenset({"out", "overwrite", "only"})
"""The parameters that name the output and its rows."""


class TableCommands(Commands):
    """The group ``polymodal table``. Its first word is a format, or a folder or file whose format is recognised.

    A word that is the name of a format is always the format; a folder of the same name is written ``./NAME``.
    """

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command that the first word names, or that reads the folder or file of this name."""
        if args[0] in self.commands:
            return args[0], self.commands[args[0]], args[1:]
        path = Path(args[0])
        if not path.exists():
            raise UserError(_neither(args, self.commands))
        from ..layouts.kinds import recognised
        from .output import say, words

        found = recognised(path)
        if found is None:
            raise UserError(_not_recognised(path, self.commands))
        texts = words()
        say(texts("table.read_as", path=args[0], format=found[0], why=texts.read(found[1])))
        return found[0], self.commands[found[0]], args

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. A format without a folder is answered with the folder of this name, if there is one."""
        try:
            return super().invoke(ctx)
        except click.MissingParameter as error:
            if error.ctx is None or not isinstance(error.param, click.Argument):
                raise
            name = str(error.ctx.command.name)
            given = f"polymodal table {name}"
            beside = f"; the folder {name!r} here is {given} ./{name}, or polymodal table ./{name}" if Path(name).is_dir() else ""
            message = f"{given}: a format without a folder; expected {given} {error.param.make_metavar(error.ctx)}{beside}"
            raise UserError(message) from None


def _neither(args: Sequence[str], formats: Mapping[str, click.Command]) -> str:
    """Return the message about a first word that is neither a format nor the path of anything."""
    word = args[0]
    if len(args) > 1 and Path(args[1]).exists():
        return f"polymodal table {word}: no such format; expected one of {', '.join(formats)}{nearest(word, formats)}"
    if is_table_name(word):
        return f"{word}: no such file; expected the folder of a data set; a table needs no conversion: polymodal train {word} --target COL"
    near = nearest(word, formats) or nearest_folder(Path(word))
    if Path(word).name != word:
        return f"{word}: no such folder or file; expected the folder of a data set{nearest_folder(Path(word))}"
    return (
        f"{word}: no such folder or file, and no format; expected polymodal table FOLDER, or polymodal table FORMAT FOLDER with one of "
        f"{', '.join(formats)}{near}"
    )


def _not_recognised(path: Path, formats: Mapping[str, click.Command]) -> str:
    """Return the message about a folder or file whose format is not obvious."""
    name = f"name its format: polymodal table FORMAT {path}, one of {', '.join(formats)}"
    if path.is_dir():
        names = sorted(entry.name for entry in path.iterdir())[:5]
        return (
            f"{path}: a folder whose format is not recognised (it contains {', '.join(map(repr, names)) or 'nothing'}); expected a data "
            f"set; {name}"
        )
    if is_table_name(path.name):
        return f"{path}: a table; expected the folder of a data set; a table needs no conversion: polymodal train {path} --target COL"
    return f"{path}: a file whose format is not recognised; expected the folder of a data set; {name}"


def given_words() -> list[str]:
    """Return the words of the command that runs, without those that name the output and its rows, or that the command does not receive."""
    context = click.get_current_context()
    words = ["polymodal", "table", str(context.command.name)]
    for parameter in context.command.params:
        if not parameter.expose_value:  # such as --lang
            continue
        value = context.params.get(str(parameter.name))
        if parameter.name in _OWN or context.get_parameter_source(str(parameter.name)) is not ParameterSource.COMMANDLINE:
            continue
        values = value if isinstance(value, tuple) else (value,)
        if isinstance(parameter, click.Option) and parameter.is_flag:
            words.append(parameter.opts[0])
        else:
            words += [word for one in values for word in ([] if isinstance(parameter, click.Argument) else parameter.opts[:1]) + [str(one)]]
    return words


def convert(write: Callable[[], Written], usage: Callable[[Written], Usage], out: str) -> None:
    """Write a table, with warnings as lines, and print what was written and the commands that train on it.

    :param write: writes the table, and returns what is in it
    :param usage: returns how the table is used
    :param out: the path of the table
    """
    from ..layouts.usage import NO_FEATURES, TARGET, training_commands
    from .output import show, show_next, words
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        written = write()
    texts = words()
    each = [texts("wrote.part", rows=count, name=name or texts("wrote.no_split")) for name, count in written.parts.items()]
    parts = texts("wrote.parts", parts=", ".join(each)) if any(written.parts) else ""
    files = texts("wrote.files", folder=written.folder) if written.folder is not None else ""
    show([(texts("wrote.rows", path=out, rows=written.rows, parts=parts, files=files), "")])
    used = usage(written)
    show_next(map(shlex.join, training_commands(out, given_words(), written, used)))
    if used.target == TARGET:
        names = ", ".join(name for name in written.columns if name not in NO_FEATURES)
        show([(texts("table.target", target=TARGET, names=names), "")])
