"""One model of every kind of field gives the same numbers everywhere: exported, served by three protocols, and on the page."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

import polymodal as pm
from builders import pretrained
from builders.browsers import CHROMIUM, Visit, opened
from builders.everything import SETTINGS, TARGETS, table_of
from builders.exports import alone
from builders.servers import Served, form, serving
from builders.tables import write_csv
from builders.tiny import tiny
from polymodal.errors import without_warnings
from polymodal.exporting import layout, made_up

pytestmark = pytest.mark.slow

Row = dict[str, Any]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pm.Predictor]:
    """A run with trees on every kind of field, and three targets."""
    folder = tmp_path_factory.mktemp("trained")
    rows = table_of(folder, 440)
    table = write_csv(folder / "table.csv", list(rows[0]), [list(row.values()) for row in rows])
    predictor = pm.train(str(table), *SETTINGS, target=TARGETS, out=str(folder / "run"))
    assert predictor.bundle.members[0].trees is not None
    assert len(predictor.bundle.members[0].trees.robust)
    return folder, predictor


@pytest.fixture(scope="module")
def server(trained: tuple[Path, pm.Predictor]) -> Iterator[Served]:
    with serving({"m": trained[0] / "run"}) as served:
        yield served


@pytest.fixture(scope="module")
def cells(trained: tuple[Path, pm.Predictor]) -> list[Row]:
    """New rows with the content of their files, some cells missing: None."""
    folder, _ = trained
    rows = [{name: cell or None for name, cell in row.items() if name not in TARGETS} for row in table_of(folder, 24, seed=3)]
    files = [{name: (folder / str(row[name])).read_bytes() if row[name] else None for name in ("photo", "clip")} for row in rows]
    return [row | file for row, file in zip(rows, files, strict=True)]


@pytest.fixture(scope="module")
def expected(trained: tuple[Path, pm.Predictor], cells: list[Row]) -> list[Row]:
    """The answer of the predictor to each row: the scores of the classes and labels, and the amount."""
    scores, amounts = trained[1].predict_proba(cells), trained[1].predict(cells)["amount"]
    names = [f"label:{name}" for name in ("blue", "green", "red")] + [f"tags:{name}" for name in ("big", "old", "warm")]
    values = np.concatenate([scores["label"], scores["tags"]], 1).tolist()
    return [dict(zip(names, row, strict=True), amount=float(amount)) for row, amount in zip(values, amounts, strict=True)]


def numbers(answer: Row, expected: Row) -> Row:
    """The numbers of an answer that are compared."""
    return {name: answer[name] for name in expected}


def test_json_and_forms_have_the_numbers_of_the_predictor(server: Served, cells: list[Row], expected: list[Row]) -> None:
    def coded(cell: Any) -> Any:
        return {"b64": base64.b64encode(cell).decode()} if isinstance(cell, bytes) else cell

    rows = [{name: coded(cell) for name, cell in row.items() if cell is not None} for row in cells]
    assert [numbers(one, expected[0]) for one in server.post("/predict", {"rows": rows})[1]["predictions"]] == expected
    for row, wanted in zip(cells, expected, strict=True):
        parts = [
            (name, f"{name}.bin" if isinstance(cell, bytes) else None, cell if isinstance(cell, bytes) else str(cell).encode())
            for name, cell in row.items()
            if cell is not None
        ]
        answers = server.post("/predict", *form(parts))[1]["predictions"]
        assert [numbers(one, wanted) for one in answers] == [wanted]


@pytest.mark.parametrize("binary", [True, False])
def test_tensors_of_the_protocol_have_the_numbers_of_the_predictor(
    server: Served, cells: list[Row], expected: list[Row], binary: bool
) -> None:
    inputs = []
    for name in cells[0]:
        column = [row[name] if row[name] is not None else b"" for row in cells]
        values = [cell if isinstance(cell, bytes) else str(cell).encode() for cell in column]
        if not binary and name in ("photo", "clip"):
            values = [base64.b64encode(value) for value in values]
        one = triton.InferInput(name, [len(values)], "BYTES")
        one.set_data_from_numpy(np.array(values, object), binary_data=binary)
        inputs.append(one)
    client = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
    found = client.infer("m", inputs)
    answers = [{name: found.as_numpy(name)[at].item() for name in expected[0]} for at in range(len(cells))]
    client.close()
    assert answers == expected


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_page_shows_the_numbers_of_the_predictor(server: Served, cells: list[Row], expected: list[Row], tmp_path: Path) -> None:
    with opened() as browser:
        visit = Visit(browser, server)
        for row, wanted in list(zip(cells, expected, strict=True))[:6]:
            visit.page.get_by_role("button", name="Clear").click()
            for name, cell in row.items():
                if isinstance(cell, bytes):
                    (tmp_path / name).write_bytes(cell)
                    visit.page.locator(f"input[type=file][aria-label={name}]").set_input_files(str(tmp_path / name))
                elif cell is not None:
                    visit.page.get_by_label(name).and_(visit.page.locator("textarea, input[type=text]")).fill(str(cell))
            with visit.page.expect_response("**/predict") as response:
                visit.page.get_by_role("button", name="Predict").click()
            (answer,) = json.loads(response.value.text())["predictions"]
            assert numbers(answer, wanted) == wanted
            visit.page.wait_for_selector("section .answer")
            assert visit.probabilities()["red"] == f"{100 * wanted['label:red']:.1f}".removesuffix(".0") + "%"
        visit.context.close()
        assert (visit.problems, visit.outside) == ([], [])


def test_made_up_rows_are_rows_of_every_kind_of_field(trained: tuple[Path, pm.Predictor]) -> None:
    _, predictor = trained
    fields = layout.fields_of(predictor.bundle)
    assert [field["operation"] for field in fields] == ["picture", "text", "sound", "series", "vector", "columns"]
    assert {one["name"]: [*one["shape"]] for one in fields[3]["inputs"]} == {
        "field3_values": [None, 1], "field3_length": [], "field3_present": [],
    }  # fmt: skip
    made = made_up.rows(fields, 12)
    with without_warnings():  # the made-up categories are new
        answers = predictor.predict_proba([dict(row) for row in made], on_error="error")
    assert np.isfinite(answers["label"]).all()


def test_new_rows_have_the_same_answers_in_any_batch(trained: tuple[Path, pm.Predictor], tmp_path: Path) -> None:
    folder, predictor = trained
    made = pm.export(predictor, tmp_path / "out", table=table_of(folder, 6, seed=2), root=str(folder))
    assert max(made.difference.values()) < 2e-5
    rows = [{name: cell for name, cell in row.items() if name not in TARGETS} for row in table_of(folder, 40, seed=1)]
    rows[0]["标题"], rows[1]["price"], rows[2]["day"] = "红色的，苹果！ １２ éte\u0301 👩‍👩‍👧", "1.5万", "3 May 2024 4pm"
    rows[3] = dict.fromkeys(rows[3])  # no field at all
    rows[4] |= {"photo": "nowhere.png", "price": "many", "region": "nowhere"}
    answers = alone(tmp_path / "out", [rows, rows[:1], rows[1:4]], folder)
    with without_warnings():
        expected = predictor.predict_proba(rows, root=str(folder), on_error="blank")
        amounts = predictor.predict(rows, root=str(folder), on_error="blank")
    for (scores, predictions), part in zip(answers, (slice(None), slice(0, 1), slice(1, 4)), strict=True):
        for task in ("label", "tags"):
            assert np.abs(np.array(scores[task]) - expected[task][part]).max() < 1e-5
            assert predictions[task] == list(amounts[task][part])
        np.testing.assert_allclose(predictions["amount"], amounts["amount"][part], rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("format", ["openvino", "executorch"])
def test_other_formats_give_the_same_answers(trained: tuple[Path, pm.Predictor], tmp_path: Path, format: Any) -> None:
    pytest.importorskip(format)
    folder, _ = trained
    made = pm.export(str(folder / "run"), tmp_path / "out", format=format, table=table_of(folder, 6, seed=2), root=str(folder))
    assert max(made.difference.values()) < 2e-5
    assert not list((tmp_path / "out").glob("*.onnx"))


def test_litert_pads_to_the_largest_length(tmp_path: Path) -> None:
    pytest.importorskip("litert_torch")
    rows = [{name: row[name] for name in ("标题", "price", "region", "day", "label")} for row in table_of(tmp_path, 60)]
    predictor = pm.train(rows, "model.encoders.标题.max_ngrams=128", *(s for s in SETTINGS if "标题" in s or "training" in s), target="label",
                         out=str(tmp_path / "run"))  # fmt: skip
    made = pm.export(predictor, tmp_path / "out", format="tensorflow", table=rows[:8])
    assert made.difference["label"] < 2e-5


@pytest.mark.parametrize(("kind", "model", "tune"), [("text", "bert", "full"), ("image", "vit", "frozen"), ("audio", "whisper", "frozen")])
def test_pretrained_backbones_are_part_of_the_program(tmp_path: Path, kind: str, model: str, tune: str) -> None:
    table = pretrained.table_of(kind, tmp_path)
    predictor = pretrained.train(table, tiny(model), tune, tmp_path / "run")
    made = pm.export(predictor, tmp_path / "out", table=str(table))
    assert made.difference["label"] < 1e-5
    assert (tmp_path / "out" / "tokenizer0.json").exists() == (kind == "text")
