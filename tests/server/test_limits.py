"""What the server refuses: bodies that are too large, too slow, too deep or of the wrong form, and requests without the token."""

from __future__ import annotations

import importlib
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from builders import ROOT
from builders.cells import picture
from builders.servers import Served, serving
from polymodal.server import Limits

LIMITS = Limits(body_bytes=200_000, rows=10, waiting_rows=20, header_seconds=1.0, body_seconds=1.0)


@pytest.fixture(scope="module")
def server(shop_run: Path) -> Iterator[Served]:
    with serving({"shop": shop_run}, LIMITS) as served:
        yield served


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"", 400, "not JSON"),
        (b"{", 400, "not JSON"),
        (b"\xff\xfe{}", 400, "UTF-8"),
        (b'{"price": NaN}', 400, "NaN"),
        (b'{"price": 1e999}', 400, "too large"),
        (b'{"price": ' + b"9" * 5_000 + b"}", 400, "too large"),
        (b"[" * 100_000, 400, "nested"),
        (b'{"price": ' + b"[" * 40 + b"]" * 40 + b"}", 400, "nested more than 16"),
        (b"1", 422, "list of objects"),
        (b"[]", 422, "found none"),
        (b"{}", 422, "no column"),
        (b"[1]", 422, "list of objects"),
        (b'{"prise": 1}', 422, "did you mean 'price'?"),
        (b'{"rows": [{"price": 1}], "covrage": 0.9}', 422, "no option 'covrage'"),
        (b'{"rows": [{"price": 1}], "coverage": 2}', 422, "between 0 and 1"),
        (b'{"rows": [{"price": 1}], "on_error": "skip"}', 422, "blank"),
        (b'{"photo": 3}', 422, "row 1, column 'photo': found a number; expected {"),
        (b'{"photo": {"b64": "", "x": 1}}', 422, "found an object"),
        (b'{"price": true, "region": ["north"]}', 422, "row 1, column 'region': found a list; expected a text, a number, true"),
        (b'{"rows": [{"region": {}}], "on_error": "blank"}', 422, "found an object"),
        (b'{"rows": [{"price": 1}], "hide": {}}', 422, "hide: expected a list"),
        (b'{"photo": {"b64": "?"}}', 422, "row 1, column 'photo': b64 that is not base64"),
        (b'{"photo": {"b64": 3}}', 422, "not base64"),
        (b'{"price": "many"}', 422, "row 1, price: found 'many'"),
        (json.dumps([{"price": 1}] * 11).encode(), 413, "at most 10"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_request_is_refused_with_its_place(server: Served, body: bytes, status: int, text: str) -> None:
    found, answer = server.post("/predict", body)
    assert (found, text in answer["error"]) == (status, True), answer
    assert "Traceback" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("inputs", "status", "text"),
    [
        (None, 400, "inputs"),
        ([], 400, "inputs"),
        ([{"name": "prise", "shape": [1], "datatype": "FP32", "data": [1]}], 400, "did you mean 'price'?"),
        ([{"name": "price", "shape": [1], "datatype": "FP31", "data": [1]}], 400, "datatype"),
        ([{"name": "price", "shape": [-1], "datatype": "FP32", "data": [1]}], 400, "shape"),
        ([{"name": "price", "shape": [True], "datatype": "FP32", "data": [1]}], 400, "shape"),
        ([{"name": "price", "shape": [2], "datatype": "FP32", "data": [1]}], 400, "1 elements; expected 2"),
        ([{"name": "price", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}], 400, "[N] or [N, 1]"),
        ([{"name": "price", "shape": [1], "datatype": "FP32", "data": ["1"]}], 400, "not numbers"),
        ([{"name": "price", "shape": [1], "datatype": "FP32", "data": [10**400]}], 400, "which is no FP32"),
        ([{"name": "region", "shape": [1], "datatype": "BYTES", "data": [1]}], 400, "not strings"),
        ([{"name": "photo", "shape": [1], "datatype": "BYTES", "data": ["?"]}], 400, "base64"),
        ([{"name": "price", "shape": [1], "datatype": "FP32", "data": [1]}] * 2, 400, "given twice"),
        ([{"name": "price", "shape": [1], "datatype": "FP32", "parameters": {"binary_data_size": 4}}], 400, "binary_data_size"),
        ([{"name": "price", "shape": [1], "datatype": "FP32", "data": [1], "parameters": {"mask": [1]}}], 400, "mask"),
        ([{"name": "price", "shape": [2], "datatype": "FP32", "data": [1, 2]},
          {"name": "region", "shape": [1], "datatype": "BYTES", "data": ["north"]}], 400, "different numbers of rows"),
        ([{"name": "price", "shape": [0], "datatype": "FP32", "data": []}], 400, "found none"),
        ([{"name": "price", "shape": [1], "datatype": [], "data": [1]}], 400, "datatype"),
        ([{"name": "price", "shape": [1], "datatype": "UINT8", "data": [300]}], 400, "300, which is no UINT8"),
        ([{"name": "price", "shape": [1], "datatype": "INT32", "data": [1.5]}], 400, "1.5, which is no INT32"),
        ([{"name": "price", "shape": [1], "datatype": "FP16", "data": [1e30]}], 400, "which is no FP16"),
        ([{"name": "price", "shape": [1], "datatype": "BOOL", "data": [5]}], 400, "true or false"),
        ([{"name": "photo", "shape": [1], "datatype": "FP32", "data": [1]}], 400, "expected BYTES"),
        ([{"name": "region", "shape": [2], "datatype": "BYTES", "data": [["a"], []]}], 400, "unevenly"),
        ([{"name": "price", "shape": [11], "datatype": "FP32", "data": [1] * 11}], 413, "at most 10"),
    ],
)  # fmt: skip
def test_inputs_that_do_not_fit_the_protocol_are_refused(server: Served, inputs: Any, status: int, text: str) -> None:
    found, answer = server.post("/v2/models/shop/infer", {"inputs": inputs})
    assert (found, text in answer["error"]) == (status, True), answer


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ([{"name": "labels"}], "did you mean 'label'?"),
        ([{"name": "label"}, {"name": "label"}], "given twice"),
        ([{"name": "label", "parameters": {"classification": 2}}], "classification is not supported"),
        ({}, "list of objects"),
    ],
)  # fmt: skip
def test_outputs_that_there_are_not_are_refused(server: Served, outputs: Any, text: str) -> None:
    price = {"name": "price", "shape": [1], "datatype": "FP32", "data": [1]}
    status, answer = server.post("/v2/models/shop/infer", {"inputs": [price], "outputs": outputs})
    assert (status, text in answer["error"]) == (400, True), answer


def test_lone_surrogates_come_back_as_they_were_sent(server: Served) -> None:
    price = {"name": "price", "shape": [1], "datatype": "FP32", "data": [1]}
    status, answer = server.post("/v2/models/shop/infer", {"id": "\ud800", "inputs": [price]})
    assert (status, answer["id"]) == (200, "\ud800")
    assert server.post("/explain", {"标题": "\ud800 红"})[0] == 200
    assert server.post("/predict", {"\ud800": 1})[0] == 422


def test_a_large_number_of_elements_is_refused_before_it_is_read(server: Served, shop_run: Path) -> None:
    with serving({"shop": shop_run}, Limits(elements=1_000)) as served:
        status, answer = served.post("/predict", b"[" + b"{}," * 1_000 + b"{}]")
    assert status == 413
    assert "more than 1,000 elements" in answer["error"]


def test_the_bodies_of_all_requests_have_a_common_limit(shop_run: Path) -> None:
    limits = Limits(body_bytes=100_000, pending_bytes=150_000, body_seconds=20.0)
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90001\r\n\r\n"
    with serving({"shop": shop_run}, limits) as served, socket.create_connection(("127.0.0.1", served.port)) as waiting:
        waiting.sendall(head + b" " * 90_000)
        assert served.post("/predict", {"price": 1.0})[0] == 200
        while served.post("/predict", b" " * 90_000)[0] != 503:
            time.sleep(0.01)
        waiting.sendall(b"1")
        assert waiting.recv(12) == b"HTTP/1.1 422"
        while served.post("/predict", b" " * 90_000)[0] != 400:
            time.sleep(0.01)


def test_an_answer_that_is_not_read_ends_the_connection(shop_run: Path) -> None:
    with serving({"shop": shop_run}, Limits(write_seconds=0.5)) as served:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.connect(("127.0.0.1", served.port))
        body = json.dumps([{"price": 1.0}] * 1_000).encode()
        for _ in range(20):
            connection.sendall(
                b"POST /embed HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
            )
        time.sleep(3.0)
        connection.settimeout(10)
        received = 0
        with suppress(OSError):
            while part := connection.recv(65_536):
                received += len(part)
        assert received < 20 * len(json.dumps(served.post("/embed", body)[1]))
        connection.close()
        assert served.post("/predict", {"price": 1.0})[0] == 200


def test_other_paths_methods_models_and_versions(server: Served) -> None:
    assert server.request("GET", "/nothing")[:2] == (404, {"error": "Not Found"})
    assert server.request("GET", "/predict")[0] == 405
    assert server.request("GET", "/v2/models/other")[0] == 404
    assert server.request("GET", "/v2/models/shop/versions/9")[0] == 404
    assert server.post("/v2/models/shop/infer", b"{}", {"Inference-Header-Content-Length": "99"})[0] == 400
    assert server.post("/v2/models/shop/infer", b"{}", {"Inference-Header-Content-Length": "-1"})[0] == 400
    assert server.post("/v2/models/shop/infer", b"{}", {"Inference-Header-Content-Length": "0" * 5_000})[0] == 400
    assert server.post("/predict", b"--X--\r\n", {"content-type": "multipart/form-data; boundary=X; charset=undefined"})[0] in (400, 422)
    assert server.post("/predict", b"{}", {"content-encoding": "gzip"})[0] == 415
    assert server.post("/predict/", b"{}")[0] == 404
    assert server.post("/predict", b"--X", {"content-type": "multipart/form-data; boundary=X"})[0] in (400, 422)
    assert server.post("/predict", b"--X", {"content-type": "multipart/form-data"})[0] in (400, 422)


@pytest.mark.parametrize("path", ["/predict", "/models/shop/table"])
@pytest.mark.parametrize("end", [b"", b"\r\n", b"\r\n--X", b"\r\n--X\r\n"])
def test_a_form_that_ends_too_soon_is_refused(server: Served, path: str, end: bytes) -> None:
    body = b"--X\r\nContent-Disposition: form-data; name=price\r\n\r\n1.5\r\n--X\r\n"
    body += b'Content-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\nabc' + end
    status, answer = server.post(path, body, {"content-type": "multipart/form-data; boundary=X"})
    assert (status, answer["error"]) == (400, "the form cannot be read: it ends before its last boundary")


def test_a_body_beyond_the_limit_is_refused_whether_or_not_its_length_is_stated(server: Served) -> None:
    status, body, headers = server.request("POST", "/predict", b" " * 200_001)
    assert (status, headers["connection"]) == (413, "close")
    assert "200,000" in body["error"]
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        answer = b""
        try:
            for _ in range(60):
                connection.sendall(b"1000\r\n" + b" " * 4_096 + b"\r\n")
                time.sleep(0.001)
        except OSError:
            pass
        connection.settimeout(5)
        try:
            while part := connection.recv(4_096):
                answer += part
        except OSError:
            pass
    assert answer.startswith(b"HTTP/1.1 413") or not answer


@pytest.mark.parametrize(
    "begin",
    [
        b"", b"POST /predict HT", b"POST /predict HTTP/1.1\r\nHost: localhost\r\n",
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n", b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\nGET /li",
    ],
)  # fmt: skip
def test_a_connection_that_is_slow_is_closed_and_others_are_answered(server: Served, begin: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        start = time.monotonic()
        connection.sendall(begin)
        connection.settimeout(0.2)
        closed = False
        answer = b""
        while not closed and time.monotonic() - start < 10:
            try:
                if len(begin) > 20 and not begin.startswith(b"GET"):
                    connection.sendall(b"x" if b"Content-Length" in begin else b"a: b\r\n")
                part = connection.recv(4_096)
                answer += part
                closed = not part
            except TimeoutError:
                continue
            except OSError:
                closed = True
        assert closed
        assert server.post("/predict", {"price": 1.0})[0] == 200
    if b"Content-Length" in begin:
        assert b" 408 " in answer


def test_a_token_is_required_but_for_the_probes(shop_run: Path) -> None:
    with serving({"shop": shop_run}, LIMITS, token="a-token-of-some-length") as served:
        assert served.request("GET", "/live")[0] == 200
        assert served.request("GET", "/v2/health/ready")[0] == 200
        for path in ("/models", "/metrics", "/openapi.json", "/v2", "/nothing", "//live", "/live/../models"):
            status, body, headers = served.request("GET", path)
            assert (status, headers["www-authenticate"]) == (401, "Bearer"), path
            assert "Bearer TOKEN" in body["error"]
        for given in ("Bearer wrong", "a-token-of-some-length", "Basic a-token-of-some-length", "Bearer \u00e9".encode().decode("latin-1")):
            assert served.request("POST", "/predict", {"price": 1.0}, {"authorization": given})[0] == 401
        assert served.request("POST", "/predict", {"price": 1.0}, {"authorization": "bearer a-token-of-some-length"})[0] == 200


def test_more_rows_than_may_wait_get_503(server: Served) -> None:
    statuses: list[tuple[int, Any]] = []

    def ask() -> None:
        status, _, headers = server.request("POST", "/predict", [{"price": 1.0}] * 10)
        statuses.append((status, headers.get("retry-after")))

    threads = [threading.Thread(target=ask) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for status, _ in statuses} == {200, 503}
    assert all((after is not None) == (status == 503) for status, after in statuses)
    assert server.post("/predict", {"price": 1.0})[0] == 200


@pytest.fixture(scope="module")
def patient(shop_run: Path) -> Iterator[Served]:
    with serving({"shop": shop_run}, Limits(rows=50)) as served:
        yield served


def test_changed_requests_get_4xx_and_leave_the_server_alive(patient: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    hostile = importlib.import_module("hostile_bodies")
    rng = random.Random(0)
    requests = hostile.valid("shop", {"photo": picture(0), "标题": "红色", "price": 1.5, "region": "north"})
    for request in requests:
        status, body, _ = patient.request("POST", request.path, request.body, request.headers)
        assert status == 200, (request, body)
    statuses = Counter[int]()
    for _ in range(400):
        request = hostile.changed(rng.choice(requests), rng)
        status, body, headers = patient.request("POST", request.path, request.body, request.headers)
        assert 200 <= status < 300 or 400 <= status < 500, (request, body)
        assert status < 300 or (isinstance(body["error"], str) and headers["content-type"] == "application/json")
        statuses[status] += 1
    assert set(statuses) <= {200, 400, 404, 413, 415, 422}
    assert statuses[200] > 20
    assert statuses[400] + statuses[422] > 200
    assert patient.request("GET", "/live")[0] == 200


def test_counters(server: Served) -> None:
    server.post("/predict", {"price": 1.0})
    while server.models.of("shop").batcher.waiting:  # the answer is sent before its rows are subtracted
        time.sleep(0.001)
    text = server.request("GET", "/metrics")[1].decode()
    assert 'polymodal_requests_total{route="/predict",status="200"}' in text
    assert 'polymodal_waiting_rows{model="shop"} 0.0' in text
