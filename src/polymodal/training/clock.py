"""The clock of a command, which measures its time against a time limit."""

from __future__ import annotations

import time


class Clock:
    """Measures the time of a command against its time limit.

    :param limit: the time limit in seconds; None = no limit
    :param start: the start of the command, as ``time.monotonic()`` returns it; None = now
    """

    def __init__(self, limit: float | None, start: float | None = None) -> None:
        self.limit = limit
        self.start = time.monotonic() if start is None else start

    @property
    def left(self) -> float:
        """Seconds left; infinite without a limit."""
        return float("inf") if self.limit is None else self.limit - (time.monotonic() - self.start)

    @property
    def spent(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.start
