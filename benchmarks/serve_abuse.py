"""Abuses ``polymodal serve`` from another process: changed requests, slow connections, and many requests; it prints what they cost.

    python benchmarks/serve_abuse.py [--bodies 10000] [--requests 100000] [--slow 300]

A small model of a picture, a text and columns is served on this machine. The benchmark prints

* the statuses of changed requests (bytes, JSON values, lengths, encodings, headers), those that are neither 2xx nor 4xx, and the memory of
  the server before and after;
* for connections that send their headers or their body slowly, the time after which the last one was closed, and the 99th percentile of
  the latency of other requests with and without them;
* the memory of the server while it answers requests of all kinds, and its slope in MB per 10,000 requests over the last nine tenths.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import hostile_bodies
import numpy as np
from serve import rows_of

SMALL = ("training.epochs=1", "training.baselines=false", "data.split.kind=random", "data.split.valid=0.2", "fields.photo.size=16",
         "model.encoders.photo.kind=convnet", "model.encoders.photo.channels=[8, 16]")  # fmt: skip


class Server:
    """A server in a process of its own."""

    def __init__(self, run: Path, words: list[str]) -> None:
        command = [sys.executable, "-m", "polymodal.cli.main", "serve", f"m={run}", "--port", "0", *words]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.match(r"listening on http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                return
        raise SystemExit("the server did not start")

    def megabytes(self) -> float:
        """Return the memory of the process in MB (VmRSS)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1e3  # type: ignore[index]

    async def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> tuple[int, bytes, bytes]:
        """Return the status, the head and the body of the response to a request over a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            answer = await reader.read()
        except OSError:
            return 0, b"", b""
        finally:
            writer.close()
        head, _, rest = answer.partition(b"\r\n\r\n")
        return int(head[9:12] or 0), head, rest


async def many(count: int, together: int, one: Callable[[int], Coroutine[Any, Any, None]]) -> None:
    """Call a coroutine with each number below a count, some together."""
    numbers = iter(range(count))

    async def run() -> None:
        for at in numbers:
            await one(at)

    await asyncio.gather(*(run() for _ in range(together)))


async def change(server: Server, row: Mapping[str, Any], count: int, seed: int) -> int:
    """Send changed requests, print what came back, and return the number of responses that must not be."""
    rng, statuses, wrong = random.Random(seed), Counter[int](), list[Any]()
    requests = hostile_bodies.valid("m", row)
    for request in requests:
        status, _, body = await server.ask("POST", request.path, request.body, request.headers)
        assert status == 200, (request.path, body)
    changed = [hostile_bodies.changed(rng.choice(requests), rng) for _ in range(count)]

    async def one(at: int) -> None:
        request = changed[at]
        status, head, body = await server.ask("POST", request.path, request.body, request.headers)
        statuses[status] += 1
        is_full = status == 503 and b"retry-after" in head.lower()
        if not (200 <= status < 300 or 400 <= status < 500 or is_full):
            wrong.append((status, request.path, request.headers, request.body[:300], body[:300]))

    before = server.megabytes()
    await many(count // 10, 4, one)
    first = server.megabytes()
    await many(count, 4, one)
    alive = server.process.poll() is None and (await server.ask("GET", "/live"))[0] == 200
    print(f"{count * 11 // 10:,} changed requests: statuses {dict(sorted(statuses.items()))}, {len(wrong)} others; alive: {alive}")
    print(f"memory: {before:.0f} MB before, {first:.0f} after a tenth, {server.megabytes():.0f} after all", flush=True)
    for one_wrong in wrong[:5]:
        print("  ", one_wrong)
    return len(wrong) + (not alive)


async def slow(server: Server, body: bytes, count: int) -> None:
    """Open slow connections, and print when they were closed and what other requests took."""

    async def latencies(seconds: float) -> list[float]:
        taken, end = [], time.perf_counter() + seconds
        while time.perf_counter() < end:
            begin = time.perf_counter()
            status, _, _ = await server.ask("POST", "/predict", body)
            assert status == 200
            taken.append(time.perf_counter() - begin)
        return taken

    async def hold(opening: bytes, drop: bytes) -> float:
        begin = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(opening)
        read = asyncio.ensure_future(reader.read())
        try:
            while not read.done():
                await asyncio.wait([read], timeout=1.0)
                if not read.done():
                    writer.write(drop)
            await read
        except OSError:
            pass
        finally:
            writer.close()
        return time.perf_counter() - begin

    await latencies(2.0)
    alone = await latencies(15.0)
    for name, opening, drop in (
        ("headers", b"POST /predict HTTP/1.1\r\nHost: localhost\r\n", b"a: b\r\n"),
        ("body", b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n{", b" "),
    ):
        connections = [asyncio.ensure_future(hold(opening, drop)) for _ in range(count)]
        beside = await latencies(15.0)
        last = max(await asyncio.gather(*connections))
        tail, usual = (1e3 * float(np.quantile(taken, 0.99)) for taken in (beside, alone))
        closed = f"{count} connections with slow {name}: the last one closed after {last:.1f} s"
        print(f"{closed}; others p99 {tail:.0f} ms, {tail / usual:.2f} of {usual:.0f} ms", flush=True)


async def many_requests(server: Server, body: bytes, count: int) -> float:
    """Send requests of all kinds, print the memory, and return its slope in MB per 10,000 requests."""
    kinds = [("POST", "/predict", body)] * 12 + [
        ("POST", "/embed", body), ("POST", "/predict", b"{"), ("POST", "/predict", b'{"prise": 1}'), ("GET", "/metrics", b""),
        ("HEAD", "/models", b""), ("GET", "/nothing", b""), ("DELETE", "/predict", b""), ("GET", "/models/m/examples", b""),
    ]  # fmt: skip
    statuses = Counter[int]()

    async def one(at: int) -> None:
        status, _, _ = await server.ask(*kinds[at % len(kinds)])
        statuses[status] += 1

    memory = []
    for part in range(20):
        await many(count // 20, 32, one)
        memory.append(server.megabytes())
        print(f"{(part + 1) * count // 20:,} requests: {memory[-1]:.1f} MB", flush=True)
    slope = float(np.polyfit(np.arange(18) * count / 20 / 10_000, memory[2:], 1)[0])
    print(f"statuses {dict(sorted(statuses.items()))}; slope {slope:.2f} MB per 10,000 requests", flush=True)
    return slope


def main() -> None:
    """Train the model, abuse its server, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bodies", type=int, default=10_000, help="changed requests")
    parser.add_argument("--requests", type=int, default=100_000, help="requests over which memory is measured")
    parser.add_argument("--slow", type=int, default=300, help="slow connections of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--serve", nargs="*", default=[], help="options of polymodal serve", metavar="WORD")
    arguments = parser.parse_args()
    import polymodal as pm

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pm.train(rows_of(200, 1), *SMALL, target="y", out=folder / "run")
        table = rows_of(1, 2)
        row = {column: table[column][0] for column in table if column != "y"}
        body = json.dumps({**row, "photo": {"b64": base64.b64encode(row["photo"]).decode()}}).encode()
        server = Server(folder / "run", arguments.serve)
        wrong = 0
        try:
            if arguments.bodies:
                wrong += asyncio.run(change(server, row, arguments.bodies, arguments.seed))
            if arguments.slow:
                asyncio.run(slow(server, body, arguments.slow))
            if arguments.requests:
                asyncio.run(many_requests(server, body, arguments.requests))
        finally:
            server.process.terminate()
            print(f"the server ended with {server.process.wait()}")
        if wrong:
            raise SystemExit(f"{wrong} responses that must not be")


if __name__ == "__main__":
    main()
