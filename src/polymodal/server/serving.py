"""Runs the application with uvicorn, whose connections get a deadline for headers."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import ConfigError
from .app import make_app
from .guard import HEADERS, error_body, error_headers
from .hosts import hosts_of
from .limits import Limits
from .models import Models

_LINGER_SECONDS = 0.5
"""The time for which connections still get answers, each its last one, before those that wait for a request are closed."""
STOP_SECONDS = 60
"""The time within which requests that were accepted are answered when the server stops."""


def connection_class(limits: Limits) -> type[asyncio.Protocol]:
    """Return the class of connections that close if the headers of a request do not arrive in time, or an answer is not read in time."""

    class Connection(H11Protocol):
        """A connection with deadlines for headers and for reading answers."""

        _deadline: asyncio.TimerHandle | None = None
        _reading: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._unwatch()
            self.resume_writing()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._reading = self._reading or self.loop.call_later(limits.write_seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._reading is not None:
                self._reading.cancel()
                self._reading = None

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._unwatch()  # uvicorn closes a connection that stays idle

        def send_400_response(self, msg: str) -> None:
            """Answer what is not HTTP in the form of all errors, unless an answer has begun. The application is not to answer any more."""
            if self.cycle is not None:
                self.cycle.disconnected = True
                self.cycle.message_event.set()
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                error = sys.exception()  # that of h11, which uvicorn handles
                body = error_body(f"the request is not valid HTTP: {error or msg}")
                response = h11.Response(status_code=getattr(error, "error_status_hint", 400), headers=[*error_headers(body), *HEADERS])
                for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                    self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

        def _waits(self) -> bool:
            """Return whether no request is being answered."""
            return self.cycle is None or self.cycle.response_complete

        def _watch(self) -> None:
            """Set the deadline where headers are expected, unless it is set."""
            if not self._waits():
                self._unwatch()
            elif self._deadline is None:
                self._deadline = self.loop.call_later(limits.header_seconds, self._late)

        def _unwatch(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _late(self) -> None:
            """Close the connection if the headers have not arrived."""
            self._deadline = None
            if self._waits() and not self.transport.is_closing():
                self.transport.close()

    return Connection


class Server(uvicorn.Server):
    """A server that closes connections with their next answer when it stops.

    :param started: called when it answers
    """

    def __init__(self, models: Models, config: uvicorn.Config, started: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._models, self._when_started = models, started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on the sockets, and call ``started`` when requests are answered."""
        await super().startup(sockets)
        if self._when_started is not None:
            self._when_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop on a signal."""
        self._models.stopping = True
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop after a while in which connections that are in use end with an answer, and not between two requests."""
        await asyncio.sleep(_LINGER_SECONDS)
        await super().shutdown(sockets)


def serve(
    models: Models, host: str = "127.0.0.1", port: int = 8000, token: str | None = None, ready: Callable[[int], None] | None = None,
    hosts: Sequence[str] = (),
) -> None:  # fmt: skip
    """Answer requests until the process gets SIGTERM or SIGINT; then answer those that were accepted, and return.

    :param host: the address to listen on
    :param port: the port to listen on; 0 = any that is free
    :param token: the token that requests must have; None = none
    :param ready: called with the port when the server listens
    :param hosts: the names that requests may state in ``Host``, beside those of this machine; empty = any, unless the address is that of
        this machine only
    :raises ConfigError: the address cannot be listened on
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with listening(host, port) as place:
        if ready is not None:
            ready(place.getsockname()[1])
        models.watch()
        with suppress(KeyboardInterrupt):  # uvicorn raises the signal again after it stopped
            Server(models, config_of(models, place.getsockname()[0], port, token, hosts)).run([place])


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address.

    :raises ConfigError: the address is in use or does not exist
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1_024)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(
            f"--host {host} --port {port}: cannot listen there ({reason}); choose another port; --port 0 takes a free one"
        ) from None


def config_of(
    models: Models, host: str = "127.0.0.1", port: int = 8000, token: str | None = None, hosts: Sequence[str] = (), backlog: int = 1_024
) -> uvicorn.Config:  # fmt: skip
    """Return the configuration of uvicorn; see ``serve`` for the parameters.

    :param backlog: the maximum number of connections that are accepted at once
    """
    return uvicorn.Config(
        make_app(models, token, hosts_of(host, hosts)), host=host, port=port, http=connection_class(models.limits), ws="none",
        lifespan="on", access_log=False, log_level="warning", server_header=False, date_header=False, proxy_headers=False,
        timeout_keep_alive=math.ceil(models.limits.header_seconds),
        timeout_graceful_shutdown=STOP_SECONDS, h11_max_incomplete_event_size=32 * 2**10, backlog=backlog,
    )  # fmt: skip
