"""Handling of Ctrl-C and SIGTERM: the first signal stops training at the next step, the second one at once."""

from __future__ import annotations

import signal
import threading
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StoppedAtOnce(BaseException):
    """Raised by a signal when there is nothing to save yet."""


class Stop:
    """A context that handles Ctrl-C and SIGTERM.

    The first signal sets ``requested``, and raises ``StoppedAtOnce`` unless ``gently`` is set. A second signal raises
    ``KeyboardInterrupt``, or ``SystemExit`` with 143 for SIGTERM. Outside the main thread signals are not handled.
    """

    def __init__(self) -> None:
        self.gently = False
        """Whether there is something to save, so that the first signal waits for it."""
        self.signal = 0
        """The number of the signal that came; 0 = none."""
        self._before: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether a signal has come."""
        return self.signal != 0

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._ask) for number in _SIGNALS}
        return self

    def _ask(self, number: int, _: object) -> None:
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
