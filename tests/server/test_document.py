"""The OpenAPI document: its errors, its names, and what schemathesis finds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from builders.servers import Served, serving

SETTINGS = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "422", "404"]  # a cell that cannot be read, and a version that does not exist
negative_data_rejection.expected-statuses = ["400", "404", "405", "413", "415", "422"]

[[operations]]  # no schema states that the number of elements is the product of a shape
include-path-regex = "/infer$"
checks.positive_data_acceptance.enabled = false
"""


@pytest.fixture(scope="module")
def server(shop_run: Path) -> Iterator[Served]:
    with serving({"shop": shop_run}) as served:
        yield served


def test_every_route_has_errors_and_the_names_of_the_models(server: Served) -> None:
    document = server.request("GET", "/openapi.json")[1]
    assert list(document["components"]["schemas"]) == ["Error"]
    assert document["components"]["schemas"]["Error"]["required"] == ["error"]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["responses"]["default"]["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
            assert "HTTPValidationError" not in str(operation)
            schemas = {one["name"]: one["schema"] for one in operation.get("parameters", ())}
            assert schemas.get("name") == ({"type": "string", "enum": ["shop"]} if "{name}" in path else None)
    body = document["paths"]["/v2/models/{name}/infer"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["inputs"]["items"]["properties"]["name"] == {"enum": ["photo", "标题", "price", "region"]}
    row = document["paths"]["/explain"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert (list(row), row["rows"]["maxItems"]) == (["rows"], 1)


def test_the_protocol_has_its_root_with_a_slash_and_refuses_an_id_that_is_no_string(server: Served) -> None:
    assert server.request("GET", "/v2/")[1] == server.request("GET", "/v2")[1]
    price = {"name": "price", "shape": [1], "datatype": "FP32", "data": [1]}
    given: Any
    for given in (None, 3, []):
        status, answer = server.post("/v2/models/shop/infer", {"id": given, "inputs": [price]})
        assert (status, answer["error"]) == (400, f"id: found {given}; expected a string")


@pytest.mark.slow
def test_schemathesis_finds_nothing(server: Served, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(SETTINGS, encoding="utf-8")
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run"]
    command += [f"http://127.0.0.1:{server.port}/openapi.json", "-n", "15", "--seed", "1", "--no-color"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "COLUMNS": "120"})
    assert done.returncode == 0, done.stdout
