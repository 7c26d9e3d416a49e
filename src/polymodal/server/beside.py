"""Runs what takes long in a thread beside the event loop, and everything else in the loop: a thread costs more than a small request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

LARGE = 2**16
"""The number of bytes from which a body is read in a thread."""
MANY = 16
"""The number of rows from which an answer is written in a thread."""

P = ParamSpec("P")
T = TypeVar("T")


async def beside(is_long: bool, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """Return the result of ``work``, which runs in a thread if it takes long."""
    return await asyncio.to_thread(work, *args, **named) if is_long else work(*args, **named)
