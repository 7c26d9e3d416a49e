"""Requests that a page of another site could send are refused, and every error has the same form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from builders.servers import Served, serving
from polymodal.cli.main import main
from polymodal.server.hosts import host_of, hosts_of

ROW = {"price": 1.0}


@pytest.fixture(scope="module")
def server(shop_run: Path) -> Iterator[Served]:
    with serving({"shop": shop_run}) as served:
        yield served


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "localhost.:80", "127.0.0.1:8000", "[::1]", "[::1]:9"])
def test_a_server_on_this_machine_answers_to_its_names(server: Served, host: str) -> None:
    assert server.request("POST", "/predict", ROW, {"host": host})[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "localhost/evil", "",
        "localhost, evil.example", "[::2]", "::1", "127.0.0.2", "localhost:80:80", "\xe9",
    ],
)  # fmt: skip
@pytest.mark.parametrize(("method", "path"), [("GET", "/live"), ("GET", "/"), ("POST", "/predict"), ("GET", "/nothing")])
def test_a_server_on_this_machine_answers_to_no_other_name(server: Served, host: str, method: str, path: str) -> None:
    status, body, headers = server.request(method, path, ROW if method == "POST" else None, {"host": host})
    assert (status, headers["content-type"]) == (421, "application/json")
    assert body["error"].startswith(f"Host: found {host!r}; expected 127.0.0.1, [::1], localhost; the option --allow-host ")


def test_a_request_without_a_host_is_refused(server: Served) -> None:
    assert server.raw(b"GET /live HTTP/1.0\r\n\r\n")[0] == 421


def test_allowed_names_are_answered_beside_those_of_this_machine(shop_run: Path) -> None:
    with serving({"shop": shop_run}, hosts=["Shop.Example", "10.0.0.7"]) as server:
        for host in ("shop.example", "SHOP.example:443", "10.0.0.7:80", "localhost"):
            assert server.request("POST", "/predict", ROW, {"host": host})[0] == 200
        assert server.request("POST", "/predict", ROW, {"host": "other.shop.example"})[0] == 421


def test_only_the_address_of_this_machine_restricts_names_by_default() -> None:
    local = {"localhost", "127.0.0.1", "[::1]"}
    assert hosts_of("127.0.0.1") == hosts_of("::1") == hosts_of("localhost") == local
    assert hosts_of("127.0.1.1") == local | {"127.0.1.1"}
    assert hosts_of("::ffff:127.0.0.1") == local | {"[::ffff:127.0.0.1]"}
    assert hosts_of("0.0.0.0") is hosts_of("::") is hosts_of("10.0.0.7") is hosts_of("shop.example") is None
    assert hosts_of("0.0.0.0", ["shop.example"]) == local | {"shop.example"}
    assert [host_of(text) for text in ("a.b:", "a.b.", "a:b", "", "[::1", ":80")] == ["a.b", "a.b", None, None, None, None]


@pytest.mark.parametrize("name", ["shop.example:80", "https://shop.example", "a b", "", "*"])
def test_what_is_no_name_cannot_be_allowed(shop_run: Path, name: str) -> None:
    result = CliRunner().invoke(main, ["serve", str(shop_run), "--allow-host", name, "--host", "no.such.host.invalid"])
    assert result.exit_code == 2
    assert {"*": "cannot listen", "": "--allow-host: an empty value"}.get(name, "without a port") in result.output


OTHER = [
    {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": ""}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": "http://localhost:7"}, {"origin": "http://localhost:8"}, {"origin": "http://localhost"},
]  # fmt: skip
OWN = [
    {}, {"origin": "http://localhost:7"}, {"origin": "https://LOCALHOST:7"}, {"sec-fetch-site": "none"},
    {"sec-fetch-site": "same-origin", "origin": "http://localhost:7"},
]  # fmt: skip


@pytest.mark.parametrize("headers", OTHER)
@pytest.mark.parametrize("path", ["/predict", "/v2/models/shop/infer", "/models/shop/table", "/nothing"])
def test_a_page_of_another_origin_cannot_send_requests(server: Served, headers: dict[str, str], path: str) -> None:
    status, body, answered = server.request("POST", path, b"{}", {"host": "localhost:7", "content-type": "text/plain", **headers})
    assert (status, answered["connection"]) == (403, "close")
    assert "page of another origin" in body["error"]
    assert server.request("GET", "/live", None, {"host": "localhost:7", **headers})[0] == 200, "a link of another page"


@pytest.mark.parametrize("headers", OWN)
def test_the_page_of_the_server_and_programs_send_requests(server: Served, headers: dict[str, str]) -> None:
    assert server.request("POST", "/predict", ROW, {"host": "localhost:7", **headers})[0] == 200


@pytest.mark.parametrize("headers", OTHER)
def test_a_token_proves_more_than_an_origin(shop_run: Path, headers: dict[str, str]) -> None:
    with serving({"shop": shop_run}, token="a-token-of-some-length") as server:
        given = {**headers, "authorization": "Bearer a-token-of-some-length"}
        assert server.request("POST", "/predict", ROW, given)[0] == 200
        assert server.request("POST", "/predict", ROW, headers)[0] == 401


PATHS = [
    "/", "/static/main.js", "/live", "/ready", "/models", "/models/shop/examples", "/openapi.json", "/v2", "/v2/health/live",
    "/v2/health/ready", "/v2/models/shop", "/v2/models/shop/ready", "/v2/models/shop/versions/1", "/metrics", "/models/shop/report",
]  # fmt: skip


@pytest.mark.parametrize("path", [*PATHS, "/nothing", "/predict", "/v2/models/other", "/models/other/report"])
def test_head_has_the_headers_of_get_and_no_body(server: Served, path: str) -> None:
    status, _, expected = server.request("GET", path)
    found, body, headers = server.request("HEAD", path)
    changing = {"content-length"} if path == "/metrics" else set()
    assert (found, body) == (status, b"")
    assert {name: headers[name] for name in headers.keys() - changing} == {name: expected[name] for name in expected.keys() - changing}
    assert (status == 200) == (path in PATHS)


@pytest.mark.parametrize("method", ["OPTIONS", "DELETE", "PUT", "PATCH", "TRACE", "QUERY", "get"])
@pytest.mark.parametrize(
    ("path", "allowed"), [*((path, "GET, HEAD") for path in PATHS), ("/predict", "POST"), ("/v2/models/shop/infer", "POST")]
)
def test_methods_that_a_path_does_not_have_are_refused_with_those_that_it_has(
    server: Served, method: str, path: str, allowed: str
) -> None:  # fmt: skip
    status, body, headers = server.request(method, path)
    assert (status, body, headers["allow"]) == (405, {"error": "Method Not Allowed"}, allowed)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nothing\r\n\r\n", 400),
        (b"GET /live HTTP/1.1\r\n\r\n", 400),
        (b"GET /live HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET /l\xc3\xa9 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /live HTTP/1.1\r\nHost: localhost\r\na b: c\r\n\r\n", 400),
        (b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST /predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"GET /live HTTP/1.1\r\nHost: localhost\r\nx: " + b"y" * 100_000, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ],
)  # fmt: skip
def test_what_is_not_http_gets_an_error_of_the_same_form(server: Served, sent: bytes, status: int) -> None:
    found, headers, body = server.raw(sent)
    assert (found, headers["content-type"], headers["connection"]) == (status, "application/json", "close")
    assert headers["x-content-type-options"] == "nosniff"
    assert json.loads(body)["error"].startswith("the request is not valid HTTP: ")
    assert server.request("GET", "/live")[0] == 200


def test_what_is_not_http_after_an_answer_ends_the_connection(server: Served, caplog: pytest.LogCaptureFixture) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: evil.example\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert server.raw(head + b"1\r\n{\r\n" + b"no chunk\r\n" * 100)[0] in (400, 421)
    assert not [record for record in caplog.records if record.exc_info]
