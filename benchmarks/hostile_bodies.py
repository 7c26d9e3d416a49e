"""Requests to ``polymodal serve`` that were valid until they were changed: bytes, JSON values, lengths, encodings and headers."""

from __future__ import annotations

import base64
import json
import random
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

_HEADER = "inference-header-content-length"
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(10**400), 10**4_000, 0.5, 1e308, -1e-320, "", "a", "NaN", "1e999", "\x00", "\ud800",
    "é" * 300, "data:image/png;base64,AAAA", "data:,", "../../etc/passwd", "http://127.0.0.1/x", "AAAA", "A",
    [], {}, [[]], [None], [{}], {"b64": ""}, {"b64": None}, {"b64": "AAAA"}, {"b64": "AAAA", "x": 1}, [1, "a", None], [[1, 2], [3]],
    list(range(300)), {"": ""}, "BYTES", "FP32", "INT8",
)  # fmt: skip
_PIECES = (
    b"\xff\xfe", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x00", b"\xef\xbb\xbf", b"NaN", b"Infinity", b"1e999", b"9" * 5_000, b"[" * 3_000,
    b'{"a":' * 3_000, b"\\ud800", b"\\u0000", b'"', b"\r\n", b"--X--\r\n", b"}", b"]", b",", b"-0", b"1E5",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A POST request: the path of the route, the content of the body, and headers by name."""

    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def form(parts: Mapping[str, tuple[str | None, bytes]]) -> Request:
    """Return a form as a request without a path; each part has the name of a file, or None, and content."""
    body = b""
    for name, (file, content) in parts.items():
        place = f'; filename="{file}"\r\nContent-Type: application/octet-stream' if file is not None else ""
        body += f'--X\r\nContent-Disposition: form-data; name="{name}"{place}\r\n\r\n'.encode() + content + b"\r\n"
    return Request("", body + b"--X--\r\n", {"content-type": "multipart/form-data; boundary=X"})


def binary(row: Mapping[str, Any]) -> Request:
    """Return an inference request with binary tensors, without a path."""
    inputs, tail = [], b""
    for name, cell in row.items():
        if isinstance(cell, float):
            content, datatype = struct.pack("<d", cell), "FP64"
        else:
            element = cell if isinstance(cell, bytes) else str(cell).encode()
            content, datatype = len(element).to_bytes(4, "little") + element, "BYTES"
        inputs.append({"name": name, "shape": [1], "datatype": datatype, "parameters": {"binary_data_size": len(content)}})
        tail += content
    head = json.dumps({"id": "1", "parameters": {"binary_data_output": True}, "inputs": inputs}).encode()
    return Request("", head + tail, {_HEADER: str(len(head)), "content-type": "application/octet-stream"})


def valid(model: str, row: Mapping[str, Any]) -> list[Request]:
    """Return valid requests to a model.

    :param row: a cell for each column: bytes are the content of a file
    """
    cells = {name: {"b64": base64.b64encode(cell).decode()} if isinstance(cell, bytes) else cell for name, cell in row.items()}
    body = json.dumps({"rows": [cells, cells], "coverage": 0.8, "on_error": "error", "hide": []}).encode()
    tensors = [
        {"name": name, "shape": [1], "datatype": "FP64" if isinstance(cell, float) else "BYTES",
         "data": [base64.b64encode(cell).decode() if isinstance(cell, bytes) else cell], "parameters": {"mask": [True]}}
        for name, cell in row.items()
    ]  # fmt: skip
    infer = json.dumps({"id": "1", "inputs": tensors, "outputs": [{"name": "embedding", "parameters": {"binary_data": False}}]}).encode()
    texts = {name: cell for name, cell in row.items() if not isinstance(cell, bytes)}
    table = "\r\n".join([",".join(texts), ",".join(str(cell) for cell in texts.values())]).encode()
    parts = {name: (f"{name}.png", cell) if isinstance(cell, bytes) else (None, str(cell).encode()) for name, cell in row.items()}
    return [
        Request("/predict", body),
        Request("/embed", json.dumps(cells).encode()),
        Request(f"/models/{model}/predict", json.dumps([cells]).encode()),
        replace(form(parts), path="/predict"),
        Request(f"/v2/models/{model}/infer", infer),
        replace(binary(row), path=f"/v2/models/{model}/infer"),
        replace(form({"table": ("table.csv", table), "files": ("a/b.png", b"x")}), path=f"/models/{model}/table"),
    ]


def _flip(body: bytes, rng: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.randrange(1, 6)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(body: bytes, rng: random.Random) -> bytes:
    return body[: rng.randrange(len(body))]


def _remove(body: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(body))
    return body[:at] + body[at + rng.randrange(1, 40) :]


def _repeat(body: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(body))
    return body[:at] + body[at : at + rng.randrange(1, 60)] * rng.randrange(2, 5) + body[at:]


def _insert(body: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(body) + 1)
    return body[:at] + rng.choice(_PIECES) + body[at:]


def _swap(body: bytes, rng: random.Random) -> bytes:
    """Replace a value of the JSON part by another one, or a name by another one."""
    try:
        tree, end = json.JSONDecoder().raw_decode(body.decode("latin-1"))
    except (ValueError, RecursionError):
        return _flip(body, rng)
    places: list[tuple[Any, Any]] = []
    nodes = [tree] if isinstance(tree, (dict, list)) else []
    while nodes:
        node = nodes.pop()
        for key, value in list(node.items()) if isinstance(node, dict) else enumerate(node):
            places.append((node, key))
            nodes += [value] if isinstance(value, (dict, list)) else []
    if not places:
        return json.dumps(rng.choice(_VALUES)).encode()
    node, key = rng.choice(places)
    change = rng.randrange(4)
    if change == 0 and isinstance(node, dict):
        node[str(key) + rng.choice(["", "x", "\x00", "\ud800"])] = node.pop(key)
    elif change == 1 and isinstance(node, list):
        node.extend([node[key]] * rng.randrange(1, 1_200))
    elif change == 2:
        node[key] = [node[key]]
        for _ in range(rng.randrange(1, 40)):
            node[key] = [node[key]]
    else:
        node[key] = rng.choice(_VALUES)
    return json.dumps(tree).encode() + body[end:]


_CHANGES: Sequence[Callable[[bytes, random.Random], bytes]] = (_flip, _cut, _remove, _repeat, _insert, _swap, _swap, _swap)
_TYPES = ("application/json", "text/plain", "multipart/form-data", "multipart/form-data; boundary=X", "multipart/form-data; boundary=", "",
          "multipart/form-data; boundary=X; charset=utf-16", "application/octet-stream", "\xff")  # fmt: skip


def changed(request: Request, rng: random.Random) -> Request:
    """Return a request after one to three changes of its body or its headers."""
    body, headers = request.body, dict(request.headers)
    for _ in range(rng.randrange(1, 4)):
        what = rng.randrange(10)
        if what == 0:
            headers["content-type"] = rng.choice(_TYPES)
        elif what == 1 and (_HEADER in headers or rng.random() < 0.3):
            headers[_HEADER] = str(rng.choice([0, 1, -1, 7, len(body), len(body) + 1, 10**30, "", "a", "1.0", len(body) // 2]))
        elif what == 2 and rng.random() < 0.2:
            headers["content-encoding"] = rng.choice(["gzip", "identity", ""])
        elif body:
            body = rng.choice(_CHANGES)(body, rng)
    return Request(request.path, body, headers)
