"""An ASGI layer around the application: the size and the time of a body, the token, the origin, and one line of log for each request."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect

from .hosts import READS, check_host, check_origin
from .limits import Limits, RequestError
from .page import PATHS

LOG = logging.getLogger("polymodal.server")
_DROP_SECONDS = 2.0
"""The time for which a body that an answer does not need is read."""
Message = MutableMapping[str, Any]
_OPEN = PATHS | {"/live", "/ready", "/v2/health/live", "/v2/health/ready"}
"""The paths that need no token."""
HEADERS = [  # of a response that does not state others
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
]


def error_body(text: str) -> bytes:
    """Return the JSON body of an error. The Open Inference Protocol requires ``error``."""
    return json.dumps({"error": text}).encode()


def error_headers(body: bytes) -> list[tuple[bytes, bytes]]:
    """Return the headers of an error after which the connection ends."""
    return [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]


class Guard:
    """Limits requests before the application sees them.

    :param app: the application
    :param token: the token that requests must have as ``Authorization: Bearer TOKEN``; None = none
    :param count: called with the route, the status and the seconds of each request
    :param stopping: returns whether the server stops
    :param hosts: the names that requests may state in ``Host``; None = any
    """

    def __init__(
        self, app: Any, limits: Limits, token: str | None, count: Callable[[str, int, float], None], stopping: Callable[[], bool],
        hosts: frozenset[str] | None = None,
    ) -> None:  # fmt: skip
        self._app, self._limits, self._count, self._stopping, self._hosts = app, limits, count, stopping, hosts
        self.pending = 0
        """The size of the bodies of all requests that are not answered."""
        self._token = token.encode() if token is not None else None

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, status, begun, body = time.monotonic(), 0, False, _Body(self._limits, self)
        is_head = scope["method"] == "HEAD"
        inner = {**scope, "method": "GET"} if is_head else scope

        async def sent(message: Message) -> None:
            nonlocal status, begun
            if is_head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            if message["type"] == "http.response.start":
                if scope["method"] not in READS and message["status"] not in (408, 413, 499):
                    await body.drop_rest(scope, receive)
                begun, status = True, message["status"]
                closing = [(b"connection", b"close")] if self._stopping() else []
                own = list(message.get("headers", []))
                names = {name for name, _ in own}
                message = {**message, "headers": [*own, *(one for one in HEADERS if one[0] not in names), *closing]}
            await send(message)

        async def refuse(error: RequestError) -> None:
            text = error_body(error.text)
            headers = error_headers(text)
            if error.status == 401:
                headers.append((b"www-authenticate", b"Bearer"))
            await sent({"type": "http.response.start", "status": error.status, "headers": headers})
            await sent({"type": "http.response.body", "body": text})

        try:
            self._check(scope)
            await self._app(inner, partial(body.receive, receive), sent)
        except RequestError as error:
            if not begun:
                await refuse(error)
        except ClientDisconnect:
            status = 499
        except asyncio.CancelledError:  # the time to stop is over
            if not begun:
                await refuse(RequestError(503, "the server stops", 5))
        except Exception:
            LOG.exception("a request failed")
            if not begun:
                await refuse(RequestError(500, "internal error"))
        finally:
            self.pending -= body.size
            seconds = time.monotonic() - begin
            route = getattr(inner.get("route"), "path", "other")
            LOG.info("%s %s %d %.1f ms", scope["method"], route, status, 1e3 * seconds)
            self._count(route, status, seconds)

    def _check(self, scope: Message) -> None:
        """Check the name of the server, the token or else the origin, and the stated length of the body.

        :raises RequestError: one of them is not accepted
        """
        headers = dict(scope["headers"])
        check_host(headers, self._hosts)
        if self._token is None:
            check_origin(scope["method"], headers)
        elif scope["path"] not in _OPEN:
            scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
            if not hmac.compare_digest(given.strip(), self._token) or scheme.lower() != b"bearer":
                raise RequestError(401, "expected the header Authorization: Bearer TOKEN with the token of this server")
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length[:19]) > self._limits.body_bytes:
            raise too_large(self._limits)


def too_large(limits: Limits) -> RequestError:
    """Return the error of a body that is too large."""
    return RequestError(413, f"the body is larger than {limits.body_bytes:,} bytes")


class _Body:
    """The body of one request while it is received.

    :param guard: counts the bytes of all bodies
    """

    def __init__(self, limits: Limits, guard: Guard) -> None:
        self._limits, self._guard = limits, guard
        self._begin, self._complete, self._late = time.monotonic(), False, False
        self.size = 0
        """The number of bytes that were received."""

    async def drop_rest(self, scope: Message, receive: Any) -> None:
        """Read what is left of a body before it is answered: a connection that ends with unread bytes may lose the answer."""
        if any(name == b"expect" for name, _ in scope["headers"]):  # the client waits for the answer before it sends the body
            return
        dropped = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_DROP_SECONDS):
                while not self._complete and dropped < self._limits.body_bytes:
                    message = await receive()
                    dropped += len(message.get("body", b""))
                    self._complete = message["type"] != "http.request" or not message.get("more_body", False)

    async def receive(self, receive: Any) -> Message:
        """Return the next message.

        :raises RequestError: the body is too slow or too large, or the bodies of all requests are (408, 413, 503)
        """
        if self._complete:
            following: Message = await receive()
            return following
        left = self._limits.body_seconds + self.size / self._limits.body_rate - (time.monotonic() - self._begin)
        if left <= 0 and not self._late:  # the server itself may have been late
            left, self._late = 0.1, True
        try:
            message: Message = await asyncio.wait_for(receive(), max(0.0, left))
        except TimeoutError:
            raise RequestError(408, "the body did not arrive in time") from None
        size = len(message.get("body", b""))
        self.size += size
        self._guard.pending += size
        if self.size > self._limits.body_bytes:
            raise too_large(self._limits)
        if self._guard.pending > max(self._limits.pending_bytes, self._limits.body_bytes):
            raise RequestError(503, "the bodies of other requests take the memory that there is; try again later", 1)
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message
