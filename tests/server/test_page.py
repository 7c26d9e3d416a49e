"""What the page at / consists of, and what it requests besides predictions: rows to try, hidden fields, whole tables, the report."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

import polymodal as pm
from builders.servers import Served, form, serving
from builders.tables import FAST
from polymodal.outputs import PredictionTable
from polymodal.outputs.files import write_rows
from polymodal.server.page import FILES

TOKEN = "0123456789abcdef"
NAMES = ("blue", "green", "red")


@pytest.fixture(scope="module")
def server(shop_run: Path) -> Iterator[Served]:
    with serving({"shop": shop_run}) as served:
        yield served


def test_the_page_and_its_files_are_served_with_a_strict_policy(shop_run: Path) -> None:
    with serving({"shop": shop_run}, token=TOKEN) as server:
        for path in ("/", *(f"/static/{name}" for name in FILES)):
            status, content, headers = server.request("GET", path)
            assert status == 200
            assert (
                content
                == resources.files("polymodal.server")
                .joinpath("static", path.removeprefix("/static/").strip("/") or "index.html")
                .read_bytes()
            )
            assert "default-src 'none'; script-src 'self'; style-src 'self';" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
        assert server.request("GET", "/models")[0] == 401
        assert server.request("GET", "/models/shop/examples")[0] == 401
        assert server.request("GET", "/static/../app.py")[0] in (401, 404)
        assert server.request("GET", "/static/app.py", headers={"authorization": f"Bearer {TOKEN}"})[0] == 404


def test_every_file_is_in_the_list_and_names_only_files_of_this_server() -> None:
    folder = resources.files("polymodal.server").joinpath("static")
    assert {file.name for file in folder.iterdir()} == set(FILES)
    for name in FILES:
        text = folder.joinpath(name).read_text(encoding="utf-8")
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)
        for imported in re.findall(r'from "\./([^"]+)"', text):
            assert imported in FILES
        assert "innerHTML" not in text


def test_every_text_of_the_page_exists_in_both_languages() -> None:
    folder = resources.files("polymodal.server").joinpath("static")
    words = folder.joinpath("words.js").read_text(encoding="utf-8")
    entries = re.findall(r'^  "?([\w.-]+)"?: \[\s*"(.*?)",\s*"(.*?)",?\s*\],$', words, re.MULTILINE | re.DOTALL)
    assert len(entries) == words.count('": [') + len(re.findall(r"^  \w+: \[", words, re.MULTILINE))
    for key, english, chinese in entries:
        assert sorted(re.findall(r"\{\d\}", english)) == sorted(re.findall(r"\{\d\}", chinese)), key
        if key not in ("language",):
            assert re.search("[一-鿿]", chinese), key
    known = {key for key, _, _ in entries}
    for name in FILES:
        for key in re.findall(r'\bword\("([^"]+)"', folder.joinpath(name).read_text(encoding="utf-8")):
            assert key in known


def test_every_description_of_a_route_exists_in_chinese(server: Served) -> None:
    words = resources.files("polymodal.server").joinpath("static", "words.js").read_text(encoding="utf-8")
    chinese = dict(re.findall(r'^  "(.*?)": "(.*?)",$', words, re.MULTILINE))
    document = server.request("GET", "/openapi.json")[1]
    routes = [facts for methods in document["paths"].values() for facts in methods.values()]
    shown = {facts["summary"] for facts in routes}
    shown |= {answer["description"] for facts in routes for answer in facts["responses"].values()}
    assert shown == set(chinese)
    assert all(re.search("[一-鿿]", text) for text in chinese.values())


def test_the_facts_of_a_model_describe_its_inputs_and_the_columns_of_its_answer(server: Served) -> None:
    (facts,) = server.request("GET", "/models")[1]["models"]
    assert [(one["name"], one["kind"], one["media"], one["several"]) for one in facts["columns"]] == [
        ("photo", "content", "image/*", False), ("标题", "text", "", False), ("price", "number", "", False), ("region", "category", "", False)
    ]  # fmt: skip
    assert facts["fields"] == ["photo", "标题", "columns"]
    (target,) = facts["targets"]
    assert target["classes"] == list(NAMES)
    assert target["columns"] == {"answer": "label", "scores": [f"label:{name}" for name in NAMES], "sets": ["label:set"]}
    assert facts["coverage"] == 0.9
    assert facts["examples"]
    assert facts["report"]


def test_a_hidden_field_counts_as_missing(server: Served, shop_run: Path) -> None:
    rows = server.request("GET", "/models/shop/examples")[1]["rows"]
    whole = server.post("/predict", {"rows": rows})[1]["predictions"]
    hidden = server.post("/predict", {"rows": rows, "hide": ["photo"]})[1]["predictions"]
    absent = server.post("/predict", {"rows": [{**row, "photo": None} for row in rows]})[1]["predictions"]
    assert hidden == absent
    assert hidden != whole
    assert [row["present"] for row in hidden] == [row["present"].replace("photo;", "") for row in whole]
    vectors = server.post("/embed", {"rows": rows, "hide": ["photo"]})[1]["embeddings"]
    assert vectors == server.post("/embed", {"rows": [{**row, "photo": None} for row in rows]})[1]["embeddings"]
    columns = server.post("/predict", {"rows": rows, "hide": ["columns", "标题", "photo"]})[1]["predictions"]
    assert {row["present"] for row in columns} == {""}
    assert len({row["label:red"] for row in columns}) == 1


@pytest.mark.parametrize(
    ("hide", "found"),
    [(["foto"], "no field 'foto'; did you mean 'photo'?"), ("photo", "hide: expected a list"), ([1], "hide: expected a list")],
)
def test_a_field_that_does_not_exist_cannot_be_hidden(server: Served, hide: Any, found: str) -> None:
    status, body = server.post("/predict", {"rows": [{"price": 1}], "hide": hide})
    assert status == 422
    assert found.split(";")[0] in body["error"]


def test_an_explanation_has_no_options(server: Served) -> None:
    assert server.post("/explain", {"rows": [{"price": 1}], "hide": ["photo"]}) == (
        422,
        {"error": "explanations have no options; expected one row"},
    )


def test_the_examples_are_rows_of_the_training_table_with_different_targets(server: Served, shop_run: Path, shop_folder: Path) -> None:
    rows = server.request("GET", "/models/shop/examples")[1]["rows"]
    assert rows == json.loads((shop_run / "examples.json").read_text(encoding="utf-8"))["rows"]
    with (shop_folder / "shop.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    found = []
    for row in rows:
        content = base64.b64decode(row["photo"]["b64"]) if row["photo"] else None
        (same,) = [
            one for one in table
            if one["标题"] == (row["标题"] or "") and one["price"] == (row["price"] or "") and one["region"] == (row["region"] or "")
            and (content is None or ((shop_folder / one["photo"]).is_file() and (shop_folder / one["photo"]).read_bytes() == content))
        ]  # fmt: skip
        found.append(same["label"])
    assert len(rows) == 4
    assert set(found) == set(NAMES)


def test_a_bundle_has_neither_examples_nor_a_report(shop_run: Path, tmp_path: Path) -> None:
    shutil.copytree(shop_run / "bundle", tmp_path / "shop")
    with serving({"shop": tmp_path / "shop"}) as server:
        (facts,) = server.request("GET", "/models")[1]["models"]
        assert (facts["examples"], facts["report"]) == (False, False)
        assert server.request("GET", "/models/shop/examples")[1] == {"rows": []}
        status, body, _ = server.request("GET", "/models/shop/report")
        assert (status, body) == (404, {"error": "model 'shop' is a bundle; its run has the report; serve the run"})


def test_the_report_is_that_of_the_run_in_both_languages(server: Served) -> None:
    for language, heading in (("en", "Metrics"), ("zh", "指标")):
        status, page, headers = server.request("GET", f"/models/shop/report?language={language}")
        assert status == 200
        assert f"<h2>{heading}</h2>" in page.decode()
        assert headers["content-security-policy"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"


def test_a_table_gets_the_file_that_predict_writes(server: Served, shop_run: Path, shop_folder: Path, tmp_path: Path) -> None:
    files = [("files", f"{path.relative_to(shop_folder)}", path.read_bytes()) for path in sorted(shop_folder.rglob("*.png"))]
    body, headers = form([("table", "other.csv", (shop_folder / "other.csv").read_bytes()), *files])
    status, content, answered = server.request("POST", "/models/shop/table", body, headers)
    assert status == 200
    assert answered["x-rows"] == "70"
    assert answered["content-type"] == "text/csv; charset=utf-8"
    table = PredictionTable(pm.load(shop_run))
    write_rows(tmp_path / "expected.csv", table.columns, table.predict(shop_folder / "other.csv", on_error="blank"))
    assert content == (tmp_path / "expected.csv").read_bytes()
    assert len(list(csv.reader(io.StringIO(content.decode())))) == 71


def test_cells_of_a_table_name_only_the_files_that_are_sent_with_it(server: Served, shop_folder: Path, tmp_path: Path) -> None:
    outside = next(shop_folder.rglob("*.png"))
    body, headers = form([("table", "t.csv", f"photo,price\n{outside},1\n../t.csv,2\nhttp://127.0.0.1/a.png,3\n".encode())])
    status, content, _ = server.request("POST", "/models/shop/table", body, headers)
    assert status == 200
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert all("photo" in row["faults"] and "photo" not in row["present"] for row in rows)
    assert str(outside.parent) not in content.decode().replace(str(outside), "")


@pytest.mark.parametrize("name", ["../t.csv", "/tmp/t.csv", "a/../../t.csv", "", "a\\t.csv"])
def test_a_file_name_cannot_lead_out_of_the_folder(server: Served, name: str) -> None:
    body, headers = form([("table", "t.csv", b"price\n1\n"), ("files", name, b"x")])
    assert server.request("POST", "/models/shop/table", body, headers)[0] == 422


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ([], "no file table"),
        ([("table", "t.csv", b"")], "empty"),
        ([("table", "t.csv", b"cost\n1\n")], "no column"),
        ([("table", "t.bmp", b"BM")], "t.bmp"),
        ([("table", "a.csv", b"price\n1\n"), ("table", "b.csv", b"price\n1\n")], "given twice"),
        ([("files", "a.png", b"1"), ("files", "a.png", b"2"), ("table", "b.csv", b"price\n1\n")], "given twice"),
        ([("tabel", "a.csv", b"price\n1\n")], "'tabel'"),
    ],
)
def test_a_table_that_cannot_be_read_is_a_message(server: Served, parts: list[tuple[str, str, bytes]], found: str) -> None:
    body, headers = form(parts)
    status, answer, _ = server.request("POST", "/models/shop/table", body, headers)
    assert status == 422
    assert found in answer["error"]
    assert "polymodal-" not in answer["error"]
    assert server.request("POST", "/models/shop/table", *form([("table", "t.csv", b"price\n1\n")]))[0] == 200


def test_tables_leave_no_files_behind(server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert server.request("POST", "/models/shop/table", *form([("table", "t.csv", b"price\n1\n"), ("files", "a/b.png", b"1")]))[0] == 200
    assert server.request("POST", "/models/shop/table", *form([("table", "t.csv", b"")]))[0] == 422
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("polymodal-")]


@pytest.mark.parametrize("words", ["report.examples=false", "data.private=true"])
def test_private_rows_are_no_examples(words: str, shop_folder: Path, tmp_path: Path) -> None:
    pm.train(shop_folder / "shop.csv", *FAST, "training.epochs=1", words, target="label", out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "examples.json").read_text(encoding="utf-8")) == {"rows": []}
