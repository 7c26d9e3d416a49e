"""Handling of Ctrl-C and SIGTERM: after the first signal, training saves at the next step; the second one ends the process at once."""

from __future__ import annotations

import signal
import threading
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StoppedAtOnce(BaseException):
    """A signal was received before there was anything to save."""


class Stop:
    """A context in which a signal requests a stop.

    The first signal sets ``requested`` if ``gently`` is set, and otherwise raises ``StoppedAtOnce``. A second one raises
    ``KeyboardInterrupt``, or ``SystemExit`` with code 143 for SIGTERM. Outside the main thread, signals are not handled.
    """

    def __init__(self) -> None:
        self.gently = False
        """Whether there is something to save, so that the first signal only requests a stop."""
        self.signal = 0
        """The number of the signal that was received; 0 = none."""
        self._before: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether a signal was received."""
        return self.signal != 0

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def _handle(self, number: int, _: object) -> None:
        """Handle a signal: request a stop at the first one, end the process at the second one."""
        if self.requested:
            if number == signal.SIGTERM:
                raise SystemExit(128 + number)
            raise KeyboardInterrupt
        self.signal = number
        if not self.gently:
            raise StoppedAtOnce

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
