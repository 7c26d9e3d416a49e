"""The answers of the server are those of the predictor, bit by bit, over every way to ask."""

from __future__ import annotations

import base64
import csv
import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

import polymodal as pm
from builders.servers import Served, form, serving
from polymodal.server import Limits


@pytest.fixture(scope="module")
def server(shop_run: Path) -> Iterator[Served]:
    with serving({"shop": shop_run}) as served:
        yield served


@pytest.fixture(scope="module")
def rows(shop_folder: Path) -> list[dict[str, Any]]:
    """Rows of ``other.csv`` with the content of their pictures; some cells are missing."""
    with (shop_folder / "other.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    return [
        {"photo": (shop_folder / row["photo"]).read_bytes() if at % 3 else None, "标题": row["标题"] if at % 4 else None,
         "price": float(row["price"]) if at % 5 else None, "region": row["region"]}
        for at, row in enumerate(table)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def expected(shop_run: Path, rows: list[dict[str, Any]]) -> np.ndarray:
    return np.asarray(pm.load(shop_run).predict_proba(rows))


def as_json(row: dict[str, Any]) -> dict[str, Any]:
    photo = row["photo"]
    return {**row, "photo": None if photo is None else {"b64": base64.b64encode(photo).decode()}}


def scores(answer: dict[str, Any]) -> list[float]:
    return [answer[f"label:{name}"] for name in ("blue", "green", "red")]


def test_json_rows_get_the_predictions_of_the_predictor(server: Served, rows: list[dict[str, Any]], expected: np.ndarray) -> None:
    status, body = server.post("/predict", {"rows": [as_json(row) for row in rows], "coverage": 0.8})
    assert status == 200
    assert body["model"] == "shop"
    assert len(body["version"]) == 12
    assert [answer["row"] for answer in body["predictions"]] == list(range(1, 71))
    assert np.array_equal([scores(answer) for answer in body["predictions"]], expected)
    classes = np.array(["blue", "green", "red"])
    assert [answer["label"] for answer in body["predictions"]] == classes[expected.argmax(1)].tolist()
    assert all(isinstance(answer["label:set"], list) for answer in body["predictions"])
    assert body["predictions"][0]["present"] == "columns"


def test_a_data_uri_and_a_single_row_get_the_same_bits(server: Served, rows: list[dict[str, Any]], expected: np.ndarray) -> None:
    uri = "data:image/png;base64," + base64.b64encode(rows[1]["photo"]).decode()
    assert np.array_equal(scores(server.post("/models/shop/predict", {**as_json(rows[1]), "photo": uri})[1]["predictions"][0]), expected[1])


def test_a_form_with_a_file_gets_the_same_bits(server: Served, rows: list[dict[str, Any]], expected: np.ndarray) -> None:
    cells = [(name, "a.png", value) if isinstance(value, bytes) else (name, None, str(value).encode()) for name, value in rows[1].items()]
    status, body = server.post("/predict", *form(cells))
    assert status == 200
    assert np.array_equal(scores(body["predictions"][0]), expected[1])


@pytest.mark.parametrize("binary", [True, False])
def test_the_stock_triton_client_gets_the_same_bits(
    server: Served, rows: list[dict[str, Any]], expected: np.ndarray, shop_run: Path, binary: bool
) -> None:
    client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("shop")
    facts = client.get_model_metadata("shop")
    assert [(one["name"], one["datatype"]) for one in facts["inputs"]] == [
        ("photo", "BYTES"), ("标题", "BYTES"), ("price", "FP64"), ("region", "BYTES")
    ]  # fmt: skip
    photos = [row["photo"] or b"" for row in rows]
    cells: dict[str, tuple[str, Any]] = {
        "photo": ("BYTES", photos if binary else [base64.b64encode(photo) for photo in photos]),
        "标题": ("BYTES", [(row["标题"] or "").encode() for row in rows]),
        "region": ("BYTES", [row["region"].encode() for row in rows]),
        "price": ("FP64", [np.nan if row["price"] is None else row["price"] for row in rows]),
    }
    inputs = []
    for name, (datatype, values) in cells.items():
        one = triton.InferInput(name, [len(rows)], datatype)
        array = np.array(values, object if datatype == "BYTES" else np.float64)
        one.set_data_from_numpy(array, binary_data=binary or datatype == "FP64")
        inputs.append(one)
    found = client.infer("shop", inputs, request_id="7")
    assert found.get_response()["id"] == "7"
    assert np.array_equal(np.stack([found.as_numpy(f"label:{name}") for name in ("blue", "green", "red")], 1), expected)
    wanted = [triton.InferRequestedOutput("embedding"), triton.InferRequestedOutput("label", binary_data=binary)]
    found = client.infer("shop", inputs, outputs=wanted)
    assert np.array_equal(found.as_numpy("embedding"), pm.load(shop_run).embed(rows))
    labels = [value.decode() if isinstance(value, bytes) else value for value in found.as_numpy("label")]
    assert labels == np.array(["blue", "green", "red"])[expected.argmax(1)].tolist()
    client.close()


def test_a_masked_input_is_a_missing_one(server: Served, rows: list[dict[str, Any]], expected: np.ndarray) -> None:
    price = {"name": "price", "shape": [2, 1], "datatype": "FP32", "data": [[1.0], [2.0]], "parameters": {"mask": [False, True]}}
    region = {"name": "region", "shape": [2], "datatype": "BYTES", "data": ["north", "north"]}
    status, body = server.post("/v2/models/shop/infer", {"inputs": [price, region]})
    assert status == 200
    by_name = {one["name"]: one["data"] for one in body["outputs"]}
    plain = server.post("/predict", [{"region": "north"}, {"region": "north", "price": 2.0}])[1]["predictions"]
    assert [by_name[f"label:{name}"] for name in ("blue", "green", "red")] == np.array([scores(one) for one in plain]).T.tolist()


@pytest.mark.parametrize("binary", [True, False])
def test_numbers_of_every_type_are_the_same_in_both_encodings(server: Served, binary: bool) -> None:
    for datatype, dtype in (("FP32", np.float32), ("INT64", np.int64), ("UINT8", np.uint8), ("FP16", np.float16), ("BOOL", np.bool_)):
        one = triton.InferInput("price", [2], datatype)
        client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
        if datatype == "FP16" and not binary:  # the client has no JSON of it
            continue
        one.set_data_from_numpy(np.array([0, 1], dtype), binary_data=binary)
        found = client.infer("shop", [one]).as_numpy("label:red")
        client.close()
        plain = server.post("/predict", [{"price": 0.0}, {"price": 1.0}])[1]["predictions"]
        assert found.tolist() == [answer["label:red"] for answer in plain], datatype


def test_the_work_of_a_client_that_has_gone_is_not_done(server: Served, rows: list[dict[str, Any]]) -> None:
    model = server.models.of("shop")
    before = model.explainer.batches
    connections = []
    for _ in range(8):
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("POST", "/explain", json.dumps(as_json(rows[1])))
        connections.append(connection)
    while model.explainer.waiting + model.explainer.batches - before < 8:
        time.sleep(0.001)
    for connection in connections:
        connection.close()
    while model.explainer.waiting:
        time.sleep(0.01)
    assert model.explainer.batches - before < 8
    assert server.post("/predict", as_json(rows[1]))[0] == 200


def test_requests_at_the_same_time_get_their_own_answers(server: Served, rows: list[dict[str, Any]], expected: np.ndarray) -> None:
    found: dict[int, list[float]] = {}

    def ask(at: int) -> None:
        found[at] = scores(server.post("/predict", as_json(rows[at]))[1]["predictions"][0])

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(len(rows))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal([found[at] for at in range(len(rows))], expected)


def test_a_cell_that_cannot_be_read_fails_its_row_alone(server: Served, rows: list[dict[str, Any]], expected: np.ndarray) -> None:
    broken = {"photo": {"b64": base64.b64encode(b"no picture").decode()}, "price": 3.0}
    status, body = server.post("/predict", {"rows": [as_json(rows[1]), broken, as_json(rows[2])]})
    assert status == 200
    first, second, third = body["predictions"]
    assert np.array_equal([scores(first), scores(third)], expected[1:3])
    assert second["row"] == 2
    assert second["error"].startswith("row 2, photo: not a picture that can be read")
    status, body = server.post("/predict", {"rows": [broken]})
    assert status == 422
    assert body["error"].startswith("row 1, photo: not a picture")
    status, body = server.post("/predict", {"rows": [broken], "on_error": "blank"})
    assert status == 200
    assert body["predictions"][0]["present"] == "columns"


def test_embeddings_and_explanations(server: Served, rows: list[dict[str, Any]], shop_run: Path) -> None:
    status, body = server.post("/embed", [as_json(row) for row in rows[:3]])
    assert status == 200
    assert np.array_equal(np.array(body["embeddings"], np.float32), pm.load(shop_run).embed(rows[:3]))
    status, body = server.post("/explain", as_json(rows[1]))
    assert status == 200
    whole = pm.explain(shop_run, [rows[1]], rows=[1])["explained"][0]["targets"]["label"]
    assert body["explained"][0]["targets"]["label"]["whole"] == pytest.approx(whole["whole"], abs=1e-9)
    assert server.post("/explain", [as_json(rows[1])] * 2)[0] == 413


def test_documents_name_the_columns_and_the_example_runs(server: Served) -> None:
    document = server.request("GET", "/openapi.json")[1]
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    properties = content["schema"]["properties"]["rows"]["items"]["properties"]
    assert list(properties) == ["photo", "标题", "price", "region"]
    assert properties["region"]["examples"] == ["north", "south"]
    answer = document["paths"]["/predict"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer["properties"]["predictions"]["items"]["properties"]["label"]["enum"] == ["blue", "green", "red", None]
    status, body = server.post("/predict", content["example"])
    assert status == 200
    assert "error" not in body["predictions"][0]
    (model,) = server.request("GET", "/models")[1]["models"]
    assert [(one["name"], one["kind"]) for one in model["columns"]] == [
        ("photo", "content"), ("标题", "text"), ("price", "number"), ("region", "category")
    ]  # fmt: skip


def test_paths_are_read_only_below_a_root_that_is_given(shop_run: Path, shop_folder: Path, server: Served) -> None:
    row = {"photo": "photos/1_0001.png"}
    status, body = server.post("/predict", row)
    assert status == 422
    assert "no folder" in body["error"]
    with serving({"shop": shop_run}, root=shop_folder) as other:
        assert other.post("/predict", row)[1]["predictions"][0]["present"] == "photo"
        assert other.post("/predict", {"photo": "../../../etc/passwd"})[0] == 422
        assert other.post("/predict", {"photo": "http://127.0.0.1/x.png"})[0] == 422


def test_a_replaced_bundle_is_loaded_and_a_broken_one_is_not(shop_run: Path, shop_folder: Path, tmp_path: Path) -> None:
    import shutil

    from builders.tables import FAST

    shutil.copytree(shop_run / "bundle", tmp_path / "m")
    other = pm.train(shop_folder / "shop.csv", *FAST, "training.epochs=1", target="label")
    with serving({"m": tmp_path / "m"}, Limits(rows=5)) as served:
        model = served.models.of("m")
        first = served.post("/predict", {"price": 1.0})[1]
        assert not model.reload()
        (tmp_path / "m" / "bundle.json").rename(tmp_path / "kept.json")
        with pytest.raises(pm.BundleError):
            model.reload()
        assert served.post("/predict", {"price": 1.0})[1] == first
        shutil.rmtree(tmp_path / "m")
        other.save(tmp_path / "m")
        assert model.reload()
        second = served.post("/predict", {"price": 1.0})[1]
        assert second["version"] != first["version"]
        assert (
            scores(second["predictions"][0])
            == np.asarray(other.predict_proba([{"photo": None, "标题": None, "price": 1.0, "region": None}]))[0].tolist()
        )
