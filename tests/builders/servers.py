"""A server in a thread, and requests to it."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from polymodal.server import Limits, Models
from polymodal.server.serving import config_of


@dataclass
class Served:
    """A running server: its models, and the port of this machine on which it listens."""

    models: Models
    port: int

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Return the status, the body (parsed if it is JSON) and the headers of the response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            given = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
            connection.request(method, path, given, dict(headers or {}))
            response = connection.getresponse()
            content: Any = response.read()
            if content and (response.headers.get("content-type") or "").startswith("application/json"):
                content = json.loads(content)
            return response.status, content, {name.lower(): value for name, value in response.headers.items()}
        finally:
            connection.close()

    def raw(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        """Return the status, the headers and the body of the response to bytes, after which the server ends the connection."""
        with socket.create_connection(("127.0.0.1", self.port), 60) as connection:
            connection.sendall(sent)
            with closing(http.client.HTTPResponse(connection)) as response:
                response.begin()
                return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()

    def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """Return the status and the body of the response to a POST request."""
        return self.request("POST", path, body, headers)[:2]


def form(parts: Sequence[tuple[str, str | None, bytes]]) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers of a form: the name of each part, its file name (None = no file) and its content."""
    body = b""
    for name, file, content in parts:
        place = f'; filename="{file}"\r\nContent-Type: application/octet-stream' if file is not None else ""
        body += f'--XX\r\nContent-Disposition: form-data; name="{name}"{place}\r\n\r\n'.encode() + content + b"\r\n"
    return body + b"--XX--\r\n", {"content-type": "multipart/form-data; boundary=XX"}


@contextmanager
def serving(
    paths: Mapping[str, Path], limits: Limits | None = None, token: str | None = None, root: Path | None = None,
    hosts: Sequence[str] = (),
) -> Iterator[Served]:  # fmt: skip
    """Run a server on a free port of this machine."""
    models = Models(paths, limits, [str(root)] if root is not None else [])
    server = uvicorn.Server(config_of(models, port=0, token=token, hosts=hosts))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield Served(models, server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(30)
