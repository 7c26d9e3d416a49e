"""``polymodal serve --workers``: one socket, one sum of counters, processes that are replaced, and a stop that loses nothing."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

import polymodal as pm
from builders.servers import Served
from builders.tables import FAST
from polymodal.bundle import Bundle

pytestmark = pytest.mark.slow


@contextmanager
def processes(run: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], Served, list[str]]]:
    """Run two processes, and yield the one that watches over them, the requests to them, and its lines."""
    command = [sys.executable, "-m", "polymodal.cli.main", "serve", f"m={run}", "--port", "0", "--workers", "2", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert re.fullmatch(rf"model 'm': {re.escape(str(run))}, version [0-9a-f]{{12}}\n", first)
        found = re.match(r"listening on http://127\.0\.0\.1:(\d+) ", process.stdout.readline())
        assert found is not None
        lines: list[str] = []
        reading = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
        reading.start()
        try:
            yield process, Served(None, int(found[1])), lines  # type: ignore[arg-type]
        finally:
            process.terminate()
            process.wait(60)
            reading.join()


def children(process: subprocess.Popen[str]) -> list[int]:
    """The processes that answer."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in found if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]


def value(server: Served, line: str) -> float:
    """The value of a line of the counters."""
    text = server.request("GET", "/metrics")[1].decode()
    return next((float(one.rpartition(" ")[2]) for one in text.splitlines() if one.startswith(line)), 0.0)


def wait_for(done: Any) -> None:
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_processes_share_a_socket_and_counters_and_stop_without_losing_a_request(shop_run: Path) -> None:
    with processes(shop_run) as (process, server, _):
        warm, outcomes = threading.Barrier(9), list[str]()

        def ask() -> None:
            with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
                for at in range(10_000):
                    connection.request("POST", "/predict", json.dumps([{"price": 1.0}] * 3))
                    response = connection.getresponse()
                    assert (response.status, len(json.loads(response.read())["predictions"])) == (200, 3)
                    if at == 4:
                        warm.wait()
                    if response.headers.get("connection") == "close":
                        outcomes.append("last")
                        return

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        warm.wait()
        wait_for(lambda: value(server, 'polymodal_requests_total{route="/predict",status="200"}') >= 40)
        assert len(children(process)) == 2
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(60)
        assert outcomes == ["last"] * 8
        assert process.wait(60) == 0


def test_a_process_that_ends_is_replaced_and_keeps_its_counters(shop_run: Path) -> None:
    with processes(shop_run) as (process, server, lines):
        for _ in range(20):
            assert server.post("/predict", {"price": 1.0})[0] == 200
        counter = 'polymodal_requests_total{route="/predict",status="200"}'
        wait_for(lambda: value(server, counter) == 20)  # a process counts a request after its answer
        first = children(process)
        os.kill(first[1], signal.SIGKILL)
        for _ in range(5):
            assert server.post("/predict", {"price": 1.0})[0] == 200
        wait_for(lambda: len(set(children(process)) - set(first)) == 1)
        wait_for(lambda: value(server, counter) == 25)
        wait_for(lambda: value(server, 'polymodal_waiting_rows{model="m"}') == 0)
    assert "process 2 ended (signal 9); another one takes its place\n" in lines


def test_a_process_that_cannot_load_its_model_is_replaced_after_a_pause_while_the_others_answer(shop_run: Path, tmp_path: Path) -> None:
    shutil.copytree(shop_run / "bundle", tmp_path / "m")
    with processes(tmp_path / "m") as (process, server, lines):
        (tmp_path / "m").rename(tmp_path / "away")
        first = children(process)
        os.kill(first[1], signal.SIGKILL)
        wait_for(lambda: any(line.endswith("; another one takes its place in 1 s\n") for line in lines))
        assert all(server.post("/predict", {"price": 1.0})[0] == 200 for _ in range(5))
        (tmp_path / "away").rename(tmp_path / "m")
        wait_for(lambda: len(set(children(process)) - set(first)) == 1)
        wait_for(lambda: len({server.post("/predict", {"price": 1.0})[1]["version"] for _ in range(5)}) == 1)
        assert process.poll() is None
    assert lines[0] == "process 2 ended (signal 9); another one takes its place\n"
    failed = [line for line in lines if line.endswith(" in 1 s\n")]
    assert len(failed) == 1
    assert str(tmp_path / "m") in failed[0]


def test_every_process_loads_a_replaced_bundle(shop_run: Path, shop_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(shop_run / "bundle", tmp_path / "m")
    other = pm.train(shop_folder / "shop.csv", *FAST, "training.epochs=1", target="label")
    with processes(tmp_path / "m") as (_, server, lines):
        shutil.rmtree(tmp_path / "m")
        other.save(tmp_path / "m")
        new = Bundle.digest(tmp_path / "m")[:12]
        wait_for(lambda: {server.post("/predict", {"price": 1.0})[1]["version"] for _ in range(40)} == {new})
        wait_for(lambda: any("loaded again, version" in line for line in lines))  # a process that starts late loads the new one at once


def test_processes_end_with_the_one_that_watches_over_them(shop_run: Path) -> None:
    with processes(shop_run) as (process, _, _):
        workers = children(process)
        process.kill()
        wait_for(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in workers))


def test_models_that_cannot_be_loaded_end_the_server(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "polymodal.cli.main", "serve", str(tmp_path / "nothing"), "--port", "0", "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert str(tmp_path / "nothing") in done.stderr
    assert "Traceback" not in done.stderr
