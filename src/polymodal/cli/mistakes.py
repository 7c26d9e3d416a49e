"""Suggestions for unknown options, commands and words on the command line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from ..errors import nearest, nearest_of

_ADVICE = {
    **dict.fromkeys(("features", "feature", "inputs", "x"), "every column but the target is a feature; leave one out: --ignore COL"),
    **dict.fromkeys(("verbose", "v", "debug", "progress"), "train and compare report their progress, with -v every epoch too"),
    **{name: f"write --track {name}" for name in ("mlflow", "wandb", "tensorboard")},
    **dict.fromkeys(("n", "rows", "nrows", "limit", "max_rows", "sample"), "all rows are read; use a table with fewer rows"),
}
"""Advice by words that are not settings."""
_TABLES = re.compile(r".*\.(csv|tsv|txt|parquet|pq|jsonl|ndjson|feather|arrow|ipc|xlsx|xlsm)(\.gz)?", re.IGNORECASE)


def is_table_name(name: str) -> bool:
    """Return whether a file has the name of a table."""
    return _TABLES.fullmatch(name) is not None


class Menu(click.Choice):  # type: ignore[type-arg]  # it has no parameter in older versions of click
    """The values of an option that is one of a few words. An unknown word is answered with the one that is probably meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value if it is one of the words."""
        if value in self.choices:
            return value
        self.fail(f"{value!r} is not one of {', '.join(map(repr, self.choices))}{nearest(str(value), self.choices)}", param, ctx)


class Commands(click.Group):
    """A group of commands that answers unknown names with suggestions, and lists its commands under headings.

    :param groups: the names of the commands by heading
    """

    def __init__(self, *args: Any, groups: Mapping[str, Sequence[str]] | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.groups = dict(groups or {})

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings, each with its whole first sentence."""
        listed = [name for names in self.groups.values() for name in names]
        others = [name for name in self.list_commands(ctx) if name not in listed]
        for heading, names in {**self.groups, "Commands": others}.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            rows = [(name, command.get_short_help_str(200)) for name, command in commands if command is not None and not command.hidden]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments and keep the words of the command line, since an error about an unknown option lacks its value."""
        ctx.meta["polymodal.words"] = list(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, with suggestions if a name is unknown."""
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            command = error.ctx.command if error.ctx is not None else self
            message = unknown_option(command, error.option_name, ctx.meta.get("polymodal.words", []), self.commands)
            raise click.UsageError(message, ctx=error.ctx) from None
        except click.UsageError as error:
            if error.ctx is None or not error.message.startswith("Got unexpected extra"):
                raise
            arguments = " ".join(str(one.make_metavar(error.ctx)) for one in error.ctx.command.params if isinstance(one, click.Argument))
            fix = "; settings, path=value, are those of polymodal train" if "=" in error.message else ""
            raise click.UsageError(f"{error.message}; expected {error.ctx.command.name} {arguments}{fix}", ctx=error.ctx) from None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command that the first word names."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            fix = nearest(args[0], self.commands)
            if not fix and (is_table_name(args[0]) or args[0].endswith((".yaml", ".yml"))):
                fix = f"; write polymodal train {args[0]}{'' if args[0].endswith(('.yaml', '.yml')) else ' --target COL'}"
            raise click.UsageError(f"no command {args[0]!r}; the commands are {', '.join(self.commands)}{fix}", ctx=ctx) from None


def refuse_empty_words(command: click.Command) -> None:
    """Let the options and arguments of a command, and of the commands below it, refuse empty values, such as ``-o ""``."""
    for parameter in command.params:
        if isinstance(parameter.type, click.types.StringParamType) and parameter.name != "overrides":
            parameter.callback = _not_empty(parameter.callback)
    for below in getattr(command, "commands", {}).values():
        refuse_empty_words(below)


def _not_empty(callback: Callable[..., Any] | None) -> Callable[..., Any]:
    """Return a callback that refuses an empty value, and otherwise does what ``callback`` does."""

    def check(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if any(isinstance(one, str) and not one.strip() for one in (value if isinstance(value, tuple) else [value])):
            expected = parameter.make_metavar(context).strip("[].")
            name = parameter.opts[-1] if isinstance(parameter, click.Option) else expected
            fix = "; leave the option out for its default" if isinstance(parameter, click.Option) and not parameter.required else ""
            raise click.UsageError(f"{name}: an empty value; expected {'text' if name == expected else expected}{fix}", ctx=context)
        return value if callback is None else callback(context, parameter, value)

    return check


def unknown_option(command: click.Command, option: str, words: Sequence[str], commands: Mapping[str, click.Command]) -> str:
    """Return the message about an unknown option: it names the option or the setting that is probably meant, as it has to be written.

    :param option: the unknown option, such as ``--lr``
    :param words: the words of the command line
    :param commands: all commands by name
    """
    word, value = option.lstrip("-").replace("-", "_").casefold(), _value_of(option, words)
    reported = f"{option}: no such option of {command.name}"
    options = {name.lstrip("-"): name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    if len(option.lstrip("-")) == 1:
        same = [name for name in options.values() if name.startswith(f"--{word}")]
        return f"{reported}; {f'did you mean {chr(39)}{same[0]}{chr(39)}?' if same else _help(command)}"
    if word in _ADVICE:
        return f"{reported}; {_ADVICE[word]}"
    from ..config import PATHS

    near = nearest_of(word, options, cutoff=0.8) if word not in PATHS else None
    if near is not None:
        return f"{reported}; did you mean {options[near]!r}?"
    arguments = [str(parameter.name) for parameter in command.params if isinstance(parameter, click.Argument)]
    if nearest_of(word, [name for name in arguments if name == "table"], cutoff=0.9) is not None:
        return f"{reported}; the table is written without an option: polymodal {command.name} {value or 'TABLE'}"
    modality = _modality(word)
    if modality is not None and value is not None and not value.isdigit() and "column" in options:
        return f"{reported}; a column is taken as {modality} by --column {value}={modality}"
    owners = [name for name, other in commands.items() if any(option in parameter.opts for parameter in other.params)]
    if owners and "overrides" not in arguments:
        return f"{reported}; it is one of {', '.join(owners)}; {_help(command)}"
    overrides = override_for(word, value)
    if overrides:
        where = "" if "overrides" in arguments else " of training, beside polymodal train TABLE"
        return f"{reported}; it is a setting{where}, which is written without dashes: {overrides}"
    near = nearest_of(word, options, cutoff=0.7)
    return f"{reported}; {f'did you mean {options[near]!r}?' if near is not None else _help(command)}"


def override_for(word: str, value: str | None) -> str:
    """Return the override that ``--word value`` stands for, with other settings of that name; empty if no setting has that name or a
    similar one."""
    from ..config import meant_by
    from ..experiment import Experiment

    meant = meant_by(Experiment, word, value)
    if meant is None:
        return ""
    first, *others = meant.written
    choices = f", one of {', '.join(meant.choices)}" if meant.choices else ""
    also = f" (or {', or '.join(others)})" if others else ""
    return f"{first}{choices}{also}{meant.placeholders}"


def check_overrides(words: Sequence[str], table: str | None, targets: Sequence[str], time_limit: str | None) -> None:
    """Check that the words in the place of overrides are overrides, and not words split by the shell, a second table, or a target without
    its option.

    :raises click.UsageError: a word is not an override; the message states what to write instead
    """
    from ..training.config import UNITS

    unit = next((word for word in (*words, table) if word is not None and word.casefold().strip(".,") in UNITS), None)
    if time_limit is not None and re.fullmatch(r"\d+(\.\d+)?", time_limit) and unit is not None:
        raise click.UsageError(
            f"--time-limit {time_limit} {unit}: the shell makes two words of it; quote it, --time-limit '{time_limit} {unit}', or write "
            f"{time_limit}{unit[0]}"
        )
    for at, word in enumerate(words):
        if "=" in word.strip("= "):
            continue
        reported = f"{word!r}: not an override; expected path=value, such as training.lr=1e-4"
        following = next((other for other in words[at + 1 :] if other.strip("= ")), None)
        apart = word == "=" or (word.endswith("=") and following is not None) or words[at + 1 : at + 2] == ["="]
        if apart and following is not None:
            before = word.strip("= ") or words[at - 1]
            raise click.UsageError(f"{reported}; write it without spaces around '=': {before}={following.strip('= ')}")
        if word.endswith("="):
            continue  # an empty value means null
        if is_table_name(word):
            raise click.UsageError(
                f"{reported}; one table is read; another one to validate on is --valid {word}, one to measure on --test {word}"
            )
        if not targets and table is not None and not table.endswith((".yaml", ".yml")):
            raise click.UsageError(f"{reported}; the column to predict is named by --target {word}")
        if word in targets:
            raise click.UsageError(f"{reported}; {word!r} is the target already; leave it out")
        meant = override_for(word.casefold(), following)
        path = re.fullmatch(r"([\w-]+(?:\.[\w-]+)+)(?::(\S+))?", word)
        if path is not None:
            raise click.UsageError(f"{reported}; write {path[1]}={path[2] or 'VALUE'}")
        if meant:
            raise click.UsageError(f"{reported}; write {meant}")
        raise click.UsageError(f"{reported}; an option with several values is given several times, as --ignore A --ignore B")


def _value_of(option: str, words: Sequence[str]) -> str | None:
    """Return the value after an option on the command line; None if another option or nothing follows."""
    for at, word in enumerate(words):
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
        if word == option:
            after = words[at + 1] if at + 1 < len(words) else "-"
            return None if re.match(r"-\D|-$", after) or "=" in after else after
    return None


def _modality(word: str) -> str | None:
    """Return the modality or type that a word names for ``--column``, or None."""
    from ..modalities import COLUMN_TYPES, KINDS

    kinds = [*KINDS, *COLUMN_TYPES]
    return nearest_of(word.removesuffix("s") if word not in kinds else word, kinds, cutoff=0.9)


def _help(command: click.Command) -> str:
    return f"its options: polymodal {command.name} --help; settings are written path=value, all of them: polymodal schema"
