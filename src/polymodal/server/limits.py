"""The bounds of what the server accepts, and the errors of a request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The bounds of what the server accepts."""

    body_bytes: int = 32 * 2**20
    """The maximum size of the body of a request."""
    rows: int = 1_000
    """The maximum number of rows of a request."""
    waiting_rows: int = 2_000
    """The maximum number of rows that wait for a prediction; a request beyond it gets 503."""
    waiting_explanations: int = 8
    """The maximum number of explanations that wait, each of which takes as long as many predictions."""
    waiting_tables: int = 4
    """The maximum number of tables that wait; they are predicted one at a time."""
    pending_bytes: int = 256 * 2**20
    """The maximum size of the bodies of all requests that are not answered; a request beyond it gets 503."""
    elements: int = 2_000_000
    """The maximum number of elements of a JSON body."""
    depth: int = 16
    """The maximum nesting of a JSON body."""
    header_seconds: float = 10.0
    """The time within which the headers of a request must arrive."""
    body_seconds: float = 10.0
    """The time within which a body must arrive, in addition to the time at ``body_rate``."""
    body_rate: float = 50_000.0
    """The bytes per second that lengthen the time for a body."""
    write_seconds: float = 30.0
    """The time within which a client must read what was sent."""


class RequestError(Exception):
    """A request that cannot be answered.

    :param status: the HTTP status, 400 or more
    :param text: what was found and what was expected
    :param retry_after: the seconds after which the client may try again; None = not stated
    """

    def __init__(self, status: int, text: str, retry_after: int | None = None) -> None:
        super().__init__(text)
        self.status, self.text, self.retry_after = status, text, retry_after
