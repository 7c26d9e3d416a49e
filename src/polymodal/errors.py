"""What can go wrong, as a tree.

::

    PolymodalError
    ├── UserError              the caller can mend it: exit code 2, HTTP 4xx, never a traceback
    │   ├── ConfigError        a setting is wrong
    │   ├── DataError          a table, a column or a cell is wrong
    │   ├── BundleError        a saved model cannot be used
    │   └── MissingDependency  an optional package is absent or broken
    ├── TrainingError          it happened during the run
    └── Fault                  one cell cannot be read; becomes a DataError, or a line in faults.csv

A message reads ``<place>: <what was found>; <what was expected>; <the mend>``.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import warnings
from collections.abc import Iterable
from types import FrameType, ModuleType

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep


class PolymodalError(Exception):
    """Any error that polymodal raises on purpose."""


class UserError(PolymodalError):
    """An error that the caller can mend."""


class ConfigError(UserError):
    """A setting is unknown, of the wrong type, or does not go with another."""


class DataError(UserError):
    """A table, a column, a row or a cell is not what was expected."""


class BundleError(UserError):
    """A saved model is absent, altered, or of a newer format."""


class MissingDependency(UserError):
    """An optional package is absent, or installed but broken."""


class TrainingError(PolymodalError):
    """Training could not go on."""


class Fault(PolymodalError):
    """One cell cannot be read. The message says what was found and what was expected, never where."""


def nearest(word: str, words: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the word of ``words`` nearest to ``word``, or an empty string."""
    words = [str(candidate) for candidate in words]
    folded = {candidate.casefold(): candidate for candidate in words}
    close = difflib.get_close_matches(str(word).casefold(), list(folded), n=1, cutoff=0.6)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""


def requires(package: str, extra: str) -> ModuleType:
    """Import an optional package, or raise ``MissingDependency`` naming the extra that brings it."""
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package.partition(".")[0]:
            raise MissingDependency(
                f"package {package!r}: installed but broken ({error}); reinstall it: pip install 'polymodal[{extra}]'"
            ) from error
        raise MissingDependency(f"package {package!r}: not installed; this feature needs it; pip install 'polymodal[{extra}]'") from error
    except (ImportError, RuntimeError) as error:
        raise MissingDependency(
            f"package {package!r}: installed but broken ({error}); reinstall it: pip install 'polymodal[{extra}]'"
        ) from error


def warn(text: str) -> None:
    """Issue a ``UserWarning`` that points at the line, outside this package, from which it was entered."""
    level, frame = 1, sys._getframe()
    outer: FrameType | None = frame
    while outer is not None and outer.f_code.co_filename.startswith(_PACKAGE):
        level, outer = level + 1, outer.f_back
    warnings.warn(text, UserWarning, stacklevel=level)
