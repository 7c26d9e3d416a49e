"""The command line ``polymodal``: the group of commands, and the conversion of errors to exit codes.

The file of a command is imported only when the command runs or its help is shown. It imports the library inside the function of the
command, so that ``polymodal --help`` imports neither torch nor numpy, pyarrow or pydantic.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from io import StringIO
from typing import IO, Any, NoReturn

import click

from .. import __version__
from .language_option import add_language, language_option
from .mistakes import Commands, refuse_empty_words

COMMANDS = (
    "inspect", "init", "check", "train", "compare", "tune", "evaluate", "explain", "predict", "report", "card", "demo", "table", "schema",
    "serve", "export", "completion",
)  # fmt: skip
"""The commands in the order in which messages name them. The command ``x`` is the object ``x`` of the module ``cli/x.py``."""
GROUPS = {
    "Before training": ("inspect", "check", "init", "table"),
    "Training": ("train", "compare", "tune", "demo"),
    "Trained models": ("evaluate", "explain", "predict", "serve", "export"),
    "Pages and files": ("report", "card", "schema", "completion"),
}
"""The commands by the heading under which ``--help`` lists them; commands of no group follow under ``Commands``."""


class _LazyCommands(MutableMapping[str, click.Command]):
    """The commands by name, each imported when it is requested."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._commands: dict[str, click.Command | None] = dict.fromkeys(names)

    def __getitem__(self, name: str) -> click.Command:
        command = self._commands[name]
        if command is None:
            command = self._commands[name] = getattr(import_module(f".{name}", __package__), name)
            add_language(command)
            refuse_empty_words(command)
        return command

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._commands[name] = command

    def __delitem__(self, name: str) -> None:
        del self._commands[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)


class _Usage(click.UsageError):
    """An error in the words of a command line, shown on lines of the width of the terminal."""

    def __init__(self, error: click.UsageError) -> None:
        super().__init__(error.format_message(), error.ctx)

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the usage of the command and the error."""
        from ..terminal import has_colors, message_lines

        shown = StringIO()
        super().show(shown)
        lines = message_lines(shown.getvalue().rstrip("\n"), sys.stderr, several=True)
        click.echo("\n".join(lines), file=file, err=file is None, color=True if has_colors(sys.stderr) else None)


def _on_lines(error: click.UsageError) -> click.UsageError:
    """Return an error that is shown on lines of the width of the terminal; the help, which stands for missing words, is as it is."""
    return error if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())) else _Usage(error)


class _Group(Commands):
    """A group of commands that converts the library's errors into one message and an exit code."""

    def make_context(self, *args: Any, **settings: Any) -> click.Context:
        """Parse the words before the name of the command."""
        try:
            return super().make_context(*args, **settings)
        except click.UsageError as error:
            raise _on_lines(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. The exit code is 2 for an error that the user can fix, and 1 for another error of the library."""
        from ..errors import PolymodalError, UserError, on_command_line

        try:
            with on_command_line():
                return super().invoke(ctx)
        except click.UsageError as error:
            raise _on_lines(error) from None
        except UserError as error:
            _fail(error, 2)
        except PolymodalError as error:
            _fail(error, 1)
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(0)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EIO, errno.ENAMETOOLONG):
                raise
            where = error.filename or "the output"
            _fail(UserError(f"{where}: cannot be written or opened ({error.strerror}); choose another place"), 2)
        except KeyboardInterrupt:
            from .output import say, words

            say(words()("interrupted_at_once"))
            sys.exit(130)


def _fail(error: Exception, code: int) -> NoReturn:
    """Print the message of an error and exit."""
    with contextlib.suppress(OSError, ValueError):
        from ..terminal import has_colors, message_lines, painted

        first, *rest = message_lines(str(error), sys.stderr, "error: ", several=True)
        begin = painted("error:", "error", sys.stderr)
        click.echo("\n".join([begin + first.removeprefix("error:"), *rest]), err=True, color=True if has_colors(sys.stderr) else None)
    sys.exit(code)


@click.group(
    cls=_Group,
    commands=_LazyCommands(COMMANDS),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    groups=GROUPS,
)
@click.version_option(__version__, prog_name="polymodal")
@language_option()
@click.pass_context
def main(context: click.Context) -> None:
    """Train and measure one model on a table whose rows contain pictures, videos, text, sounds, series, points and numbers."""
    context.obj = time.monotonic()  # the start of --time-limit


def entry() -> NoReturn:
    """Run the command as a process: run it, flush the streams, and exit.

    The process exits without tearing down the interpreter: threads of native libraries that are still running then abort the process now
    and then, which turns an exit code into a signal.
    """
    code: object = 0
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # exit normally, so that temporary folders are removed
    try:
        main()
    except SystemExit as stopped:
        code = stopped.code
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    entry()
