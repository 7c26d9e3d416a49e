"""Keeps the warnings of file readers, which users cannot act on, from being shown."""

from __future__ import annotations

import re
import threading
import warnings

_LOCK = threading.Lock()


def quiet(*packages: str) -> None:
    """Keep the warnings of some packages from being shown, for the rest of the process. Safe in many threads.

    ``packages`` are names of top-level packages. Only ``UserWarning`` that their own modules raise is ignored. The filters persist:
    ``warnings.catch_warnings`` replaces the filters of the whole process and restores them later, which is wrong when threads overlap.
    A filter that something else has removed, such as ``warnings.resetwarnings``, is inserted again.
    """
    for package in packages:
        pattern = package + r"(\.|$)"
        item = ("ignore", None, UserWarning, re.compile(pattern), 0)
        if item in warnings.filters:
            continue
        with _LOCK:
            if item not in warnings.filters:
                warnings.filterwarnings("ignore", category=UserWarning, module=pattern)
