"""Loads ``polymodal serve`` from another process, and compares it with the model alone and with a handler without batching.

    python benchmarks/serve.py [--seconds 60] [--rows 1000]

A model of a picture, a text and columns answers requests of one row each on this machine. The benchmark prints

* the rows per second of the members alone, on tensors in blocks of 32, on the same cores;
* the rows per second of the server with 32 and with 128 connections that each wait for an answer before they send the next request, and
  their ratio to the former; every answer is compared with that of the predictor;
* the same for a bare FastAPI handler that predicts each request by itself (32 connections);
* the latency at 70 % of the throughput, with requests at random times: its median, and its 99th percentile divided by it;
* at three times the throughput, in requests of 16 rows each, so that more rows are sent than may wait: the statuses of the responses.

The client uses some time of the same cores, as much as the ratio shows.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

_LARGE = 16
SEED = 0

_BARE = """
import sys, warnings
warnings.simplefilter("ignore")
import base64, uvicorn
from fastapi import FastAPI
import polymodal as pm
from polymodal.outputs import PredictionTable
table = PredictionTable(pm.load(sys.argv[1]))
app = FastAPI()
@app.post("/predict")
def predict(row: dict):
    row["photo"] = base64.b64decode(row["photo"]["b64"])
    return {"predictions": list(table.predict([row]))}
uvicorn.run(app, port=int(sys.argv[2]), access_log=False, log_level="warning")
"""


def rows_of(count: int, seed: int) -> dict[str, list[Any]]:
    """Return a table of pictures, texts, numbers and categories whose target depends on all of them."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    table: dict[str, list[Any]] = {"photo": [], "title": [], "price": [], "shop": [], "y": []}
    for _ in range(count):
        red, word, price = rng.integers(2), rng.integers(2), float(rng.normal())
        pixels = rng.integers(0, 90, (64, 64, 3), np.uint8)
        pixels[..., 0 if red else 2] += 120
        body = io.BytesIO()
        Image.fromarray(pixels).save(body, "JPEG")
        table["photo"].append(body.getvalue())
        table["title"].append(f"{('oak', 'steel')[word]} chair {rng.integers(500)}")
        table["price"].append(round(price, 4))
        table["shop"].append(f"shop {rng.integers(9)}")
        table["y"].append("yes" if red + word + price > 1 else "no")
    return table


def raw(model: Any, rows: Sequence[dict[str, Any]], seconds: float) -> float:
    """Return the rows per second of the members of a model on tensors in blocks of 32."""
    import torch

    from polymodal.data.loader import field_of

    read = model.read(model.open(rows[:512]), np.arange(512))
    members = model.bundle.members

    def block(name: str, start: int) -> Any:
        samples, index = read.window.samples[name], read.window.index[name]
        return field_of(read.modalities[name], [samples[at] for at in index[start : start + 32]], np.arange(32))

    blocks = [[block(name, start) for name in members[0].names] for start in range(0, 512, 32)]
    done, begin = 0, time.perf_counter()
    with torch.inference_mode():
        while time.perf_counter() - begin < seconds:
            for fields in blocks:
                for member in members:
                    member(*fields)
                done += 32
    return done / (time.perf_counter() - begin)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> tuple[int, bytes]:
    """Send a request over an open connection, and return the status and the body of the response."""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
    writer.write(head + str(len(body)).encode() + b"\r\n\r\n" + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(answer[9:12]), await reader.readexactly(length)


async def closed(port: int, bodies: Sequence[bytes], connections: int, seconds: float) -> dict[str, Any]:
    """Load a server with connections that each send the next request after an answer."""
    answers: dict[int, str] = {}
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    wrong, at, end = 0, 0, time.perf_counter() + seconds

    async def one() -> None:
        nonlocal at, wrong
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            number, at = at % len(bodies), at + 1
            begin = time.perf_counter()
            status, body = await ask(reader, writer, bodies[number])
            latencies.append(time.perf_counter() - begin)
            statuses[status] += 1
            if status == 200:
                record = json.loads(body)["predictions"][0]
                text = json.dumps([record[name] for name in sorted(record) if name.startswith("y")])
                wrong += answers.setdefault(number, text) != text
        writer.close()

    begin = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    rate = statuses[200] / (time.perf_counter() - begin)
    return {"rate": rate, "statuses": dict(statuses), "latencies": latencies, "answers": answers, "wrong": wrong}


async def opened(port: int, bodies: Sequence[bytes], rate: float, seconds: float, connections: int = 256) -> dict[str, Any]:
    """Load a server with requests at random times, of some mean rate; each waits for a free connection."""
    rng, free = random.Random(SEED), asyncio.Queue[Any]()
    for _ in range(connections):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    latencies: list[float] = []
    statuses: Counter[int] = Counter()

    async def one(number: int, due: float) -> None:
        pair = await free.get()
        try:
            status, _ = await ask(*pair, bodies[number % len(bodies)])
            if status == 200:
                latencies.append(time.perf_counter() - due)
        except (OSError, asyncio.IncompleteReadError):
            status = 0
            pair = await asyncio.open_connection("127.0.0.1", port)
        statuses[status] += 1
        free.put_nowait(pair)

    tasks, due = [], time.perf_counter()
    end = due + seconds
    while due < end:
        due += rng.expovariate(rate)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(len(tasks), due)))
    await asyncio.gather(*tasks)
    return {"statuses": dict(statuses), "latencies": latencies}


def wait_for(port: int) -> None:
    """Wait until a port accepts connections."""
    import socket

    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing listens on port {port}")


def client(arguments: argparse.Namespace) -> None:
    """Run one load and print its result as JSON: the part that runs in a process of its own."""
    bodies = [line.encode() for line in Path(arguments.bodies).read_text(encoding="utf-8").splitlines()]
    if arguments.rate:
        found = asyncio.run(opened(arguments.port, bodies, arguments.rate, arguments.seconds))
    else:
        found = asyncio.run(closed(arguments.port, bodies, arguments.connections, arguments.seconds))
    print(json.dumps(found))


def load(port: int, bodies: Path, seconds: float, connections: int = 0, rate: float = 0.0) -> dict[str, Any]:
    """Run one load in a process of its own and return its result."""
    command = [sys.executable, __file__, "--client", "--port", port, "--bodies", bodies, "--seconds", seconds]
    command += ["--connections", connections, "--rate", rate]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def percentiles(latencies: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile, in milliseconds."""
    return 1e3 * float(np.quantile(latencies, 0.5)), 1e3 * float(np.quantile(latencies, 0.99))


def main() -> None:
    """Train the model, run the loads, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rows", type=int, default=1_000, help="different rows")
    parser.add_argument("--port", type=int, default=8731)
    for name, kind in (("--bodies", str), ("--connections", int), ("--rate", float)):
        parser.add_argument(name, type=kind, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--client", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        client(arguments)
        return
    import polymodal as pm

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pm.train(rows_of(800, 1), "training.epochs=2", "training.baselines=false", target="y", out=folder / "run")
        table = rows_of(max(512, arguments.rows), 2)
        rows = [{column: table[column][at] for column in table if column != "y"} for at in range(len(table["y"]))]
        model = pm.load(folder / "run")
        expected = np.asarray(model.predict_proba(rows))
        print(f"{len(model.bundle.members)} members, {len(rows):,} different rows", flush=True)
        bodies = folder / "bodies.jsonl"
        encoded = [json.dumps({**row, "photo": {"b64": base64.b64encode(row["photo"]).decode()}}) for row in rows]
        bodies.write_text("\n".join(encoded), encoding="utf-8")
        alone = raw(model, rows, min(10.0, arguments.seconds))
        print(f"the members alone, blocks of 32: {alone:.0f} rows/s", flush=True)
        command = [sys.executable, "-m", "polymodal.cli.main", "serve", f"m={folder / 'run'}", "--port", str(arguments.port)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(arguments.port)
            load(arguments.port, bodies, 3.0, 32)
            best = 0.0
            for connections in (32, 128):
                found = load(arguments.port, bodies, arguments.seconds, connections)
                median, last = percentiles(found["latencies"])
                wrong = found["wrong"]
                for number, text in found["answers"].items():
                    values = json.loads(text)
                    wrong += values[1:3] != expected[int(number)].tolist()
                rate = f"{found['rate']:.0f} rows/s, {found['rate'] / alone:.2f} of the members alone"
                times = f"p50 {median:.0f} ms, p99 {last:.0f} ms"
                print(f"{connections} connections: {rate}; {times}; {wrong} wrong answers; statuses {found['statuses']}", flush=True)
                best = max(best, found["rate"])
            found = load(arguments.port, bodies, arguments.seconds, rate=0.7 * best)
            median, last = percentiles(found["latencies"])
            print(f"70 % load: p50 {median:.0f} ms, p99 {last:.0f} ms, ratio {last / median:.1f}; statuses {found['statuses']}", flush=True)
            large = folder / "large.jsonl"
            large.write_text("\n".join(f"[{','.join(encoded[at : at + _LARGE])}]" for at in range(0, len(rows), _LARGE)), encoding="utf-8")
            found = load(arguments.port, large, min(20.0, arguments.seconds), rate=3 * best / _LARGE)
            print(f"300 % load: statuses {found['statuses']}", flush=True)
        finally:
            server.terminate()
            server.wait()
        bare = subprocess.Popen([sys.executable, "-c", _BARE, str(folder / "run"), str(arguments.port + 1)])
        try:
            wait_for(arguments.port + 1)
            load(arguments.port + 1, bodies, 3.0, 32)
            found = load(arguments.port + 1, bodies, min(20.0, arguments.seconds), 32)
            print(f"without batching: {found['rate']:.1f} rows/s, statuses {found['statuses']}; the server has {best:.0f}")
        finally:
            bare.terminate()
            bare.wait()


if __name__ == "__main__":
    main()
