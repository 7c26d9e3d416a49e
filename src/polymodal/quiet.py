"""Ignores harmless warnings of the libraries that decode cells: problems with a cell are reported as a ``Fault``."""

from __future__ import annotations

import re
import threading
import warnings
from itertools import takewhile

_LOCK = threading.Lock()
_FILTERS: list[tuple[str, None, type[Warning], re.Pattern[str], int]] = []
"""The filters requested so far, in the form of the entries of ``warnings.filters``."""


def ignore_warnings_of(*packages: str) -> None:
    """Ignore every ``UserWarning`` from the modules of the given packages, such as ``"PIL"``, and no other warning.

    This is safe when several threads read, unlike ``warnings.catch_warnings``, which changes the filters of the whole process and restores
    them later. The filters precede all others; each call restores them after ``warnings.resetwarnings`` or ``simplefilter("error")``.
    """
    wanted = [("ignore", None, UserWarning, re.compile(_module(package)), 0) for package in packages]
    first = list(takewhile(_FILTERS.__contains__, warnings.filters))
    if all(entry in first for entry in wanted):
        return
    with _LOCK:
        _FILTERS.extend(entry for entry in wanted if entry not in _FILTERS)
        for package in packages:
            warnings.filterwarnings("ignore", category=UserWarning, module=_module(package))


def _module(package: str) -> str:
    return rf"{re.escape(package)}(\.|$)"
