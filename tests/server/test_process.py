"""``polymodal serve`` as a process: its messages, its exit, and requests that are under way when it is stopped."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from polymodal.cli.main import main


def test_sigterm_under_load_loses_no_accepted_request(shop_run: Path) -> None:
    command = [sys.executable, "-m", "polymodal.cli.main", "serve", f"a={shop_run}", f"b={shop_run}", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        lines = [server.stdout.readline() for _ in range(3)]
        assert lines[0].startswith(f"model 'a': {shop_run}, version ")
        found = re.match(r"listening on http://127\.0\.0\.1:(\d+) ", lines[2])
        assert found is not None
        port = int(found[1])
        statuses: list[int] = []
        sent, answered = threading.Barrier(21), threading.Event()

        def ask(name: str) -> None:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
                connection.request("POST", f"/models/{name}/predict", json.dumps([{"price": 1.0}] * 90))
                sent.wait()
                response = connection.getresponse()
                assert len(json.loads(response.read())["predictions"]) == 90
                statuses.append(response.status)
                answered.set()

        threads = [threading.Thread(target=ask, args=("ab"[at % 2],)) for at in range(20)]
        for thread in threads:
            thread.start()
        sent.wait()
        assert answered.wait(60)  # by then the others are accepted too
        server.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(60)
        assert statuses == [200] * 20
        assert server.wait(60) in (0, 128 + signal.SIGTERM)
        assert server.stderr is not None
        assert "Traceback" not in server.stderr.read()


def test_sigterm_while_clients_go_on_sending_loses_no_request(shop_run: Path) -> None:
    command = [sys.executable, "-m", "polymodal.cli.main", "serve", str(shop_run), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        found = re.match(r"listening on http://127\.0\.0\.1:(\d+) ", [server.stdout.readline() for _ in range(2)][1])
        assert found is not None
        port, warm = int(found[1]), threading.Barrier(9)
        outcomes: list[str] = []

        def ask(keeps: bool) -> None:
            """Send requests until the server says that it stops, or does not accept a connection."""
            answered = 0
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            while True:
                try:
                    connection.connect()
                except OSError:
                    outcomes.append("refused")
                    return
                with closing(connection):
                    for _ in range(1_000 if keeps else 1):
                        try:
                            connection.request("POST", "/predict", b'{"price": 1.0}')
                            response = connection.getresponse()
                        except (ConnectionResetError, BrokenPipeError):  # in the queue of the socket when it was closed
                            outcomes.append("lost" if keeps else "refused")
                            return
                        assert (response.status, len(json.loads(response.read())["predictions"])) == (200, 1)
                        answered += 1
                        if answered == 3:
                            warm.wait()
                        if response.headers.get("connection") == "close" and keeps:
                            outcomes.append("last")
                            return

        threads = [threading.Thread(target=ask, args=(at % 2 == 0,)) for at in range(8)]
        for thread in threads:
            thread.start()
        warm.wait()
        server.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(60)
        assert sorted(outcomes) == ["last"] * 4 + ["refused"] * 4
        assert server.wait(60) in (0, 128 + signal.SIGTERM)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["a={run}", "a={run}"], "occurs twice"),
        (["x/y={run}"], "contains a slash"),
        (["{folder}/nothing"], "nothing"),
        (["{run}", "--port", "{used}"], "cannot listen there"),
        (["{run}", "--token-file", "{folder}/nothing"], "cannot be read"),
        (["{run}", "--token-file", "{folder}/short"], "at least 16"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_exit_code_2(words: list[str], text: str, shop_run: Path, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        given = [word.format(run=shop_run, folder=tmp_path, used=port) for word in words]
        result = CliRunner().invoke(main, ["serve", *given])
    assert result.exit_code == 2, result.output
    assert text in result.output
