"""Printing of the library's warnings on standard error."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any


class warnings_as_lines(warnings.catch_warnings):
    """A context in which each ``UserWarning`` is printed as a line ``warning: ...`` on standard error."""

    def __enter__(self) -> Any:
        """Enter the context."""
        entered = super().__enter__()
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = self._print
        return entered

    @staticmethod
    def _print(message: object, *_: object, **__: object) -> None:
        """Print a warning as a line."""
        from .output import say, words

        text = message.args[0] if isinstance(message, Warning) and message.args else message
        with contextlib.suppress(OSError, ValueError):  # standard error may be closed
            say(words()("warning", text=words().read(text)), "warning")
