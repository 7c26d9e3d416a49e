"""Exported models give the answers of their predictor, without torch and without polymodal."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import polymodal as pm
from builders.everything import table_of
from builders.tables import write_csv
from polymodal.cli.main import main
from polymodal.exporting import api, layout, parity
from polymodal.exporting.formats import FORMATS

pytest.importorskip("onnxruntime")


SMALL = ("model.encoders.标题.buckets=512", "model.trees.rounds=8", "model.width=8", "training.epochs=2", "training.baselines=false",
         "data.split.folds=2")  # fmt: skip
COLUMNS = ("标题", "price", "region", "day", "label", "amount")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pm.Predictor]:
    """A run of two members on texts and columns, with trees and two targets."""
    folder = tmp_path_factory.mktemp("trained")
    table = write_csv(folder / "table.csv", list(COLUMNS), [[row[name] for name in COLUMNS] for row in table_of(folder, 440)])
    predictor = pm.train(str(table), *SMALL, target=["label", "amount"], out=str(folder / "run"))
    assert len(predictor.bundle.members) == 2
    assert all(member.trees is not None for member in predictor.bundle.members)
    return folder, predictor


@pytest.fixture(scope="module")
def exported(trained: tuple[Path, pm.Predictor]) -> tuple[Path, Path, pm.Predictor]:
    folder, _ = trained
    made = pm.export(str(folder / "run"), folder / "exported")
    assert made.rows == "200 rows of table.csv"
    assert max(made.difference.values()) < 2e-5
    return folder, folder / "exported", pm.load(str(folder / "run"), device="cpu")


def test_the_folder_describes_itself(exported: tuple[Path, Path, pm.Predictor]) -> None:
    _, out, _ = exported
    facts = json.loads((out / "model.json").read_text(encoding="utf-8"))
    assert [field["operation"] for field in facts["fields"]] == ["text", "columns"]
    assert [task["classes"] for task in facts["tasks"]] == [["blue", "green", "red"], None]
    assert {one["name"]: one["shape"] for one in facts["fields"][0]["inputs"]} == {
        "field0_ids": [None], "field0_weights": [None], "field0_present": [],
    }  # fmt: skip
    import onnxruntime

    session = onnxruntime.InferenceSession(out / "model.onnx")
    assert [one.name for one in session.get_inputs()] == [one["name"] for field in facts["fields"] for one in field["inputs"]]
    assert [one.name for one in session.get_outputs()] == ["task0_scores", "task1_scores"]
    assert len((out / "runtime.py").read_text(encoding="utf-8").splitlines()) <= 150
    source = Path(layout.__file__).parent.parent
    for name in layout.READERS:
        assert (out / "readers" / name).read_bytes() == (source / name).read_bytes()


def test_the_runtime_answers_a_csv_file(exported: tuple[Path, Path, pm.Predictor]) -> None:
    folder, out, predictor = exported
    command = [sys.executable, "-I", str(out / "runtime.py"), str(folder / "table.csv")]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    answers = [json.loads(line) for line in made.stdout.splitlines()]
    expected = predictor.predict(str(folder / "table.csv"))
    assert [answer["label"]["prediction"] for answer in answers] == list(expected["label"])
    size = float(np.abs(expected["amount"]).mean())
    np.testing.assert_allclose([answer["amount"]["prediction"] for answer in answers], expected["amount"], rtol=1e-5, atol=1e-5 * size)


def test_without_a_table_rows_are_made_up(trained: tuple[Path, pm.Predictor], tmp_path: Path) -> None:
    folder, _ = trained
    shutil.copytree(folder / "run" / "bundle", tmp_path / "bundle")
    made = pm.export(str(tmp_path / "bundle"), tmp_path / "out")
    assert made.rows == "50 made-up rows, because there is no training table"
    assert max(made.difference.values()) < 2e-5


def test_int8_is_measured_before_and_after(trained: tuple[Path, pm.Predictor], tmp_path: Path) -> None:
    folder, _ = trained
    flags = ["export", str(folder / "run"), "-o", str(tmp_path / "out"), "--int8", "--table", str(folder / "table.csv")]
    made = CliRunner().invoke(main, flags)
    assert made.exit_code == 0, made.output
    lines = made.output.splitlines()
    assert lines[0] == f"wrote {tmp_path / 'out'}: compared on 200 rows of table.csv"
    assert sum("with 8 bits" in line for line in lines) == 2
    measured = [line.partition(" quantisation: ")[0].strip() for line in lines if " quantisation: " in line]
    assert measured == [f"{task}, {when}" for when in ("before", "after") for task in ("label", "amount")]
    import onnx

    kinds = {node.op_type for node in onnx.load(tmp_path / "out" / "model.onnx").graph.node}
    assert "MatMulInteger" in kinds


def test_what_exists_is_not_replaced(trained: tuple[Path, pm.Predictor], tmp_path: Path) -> None:
    folder, predictor = trained
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(pm.UserError, match="already there; expected no such folder"):
        pm.export(predictor, tmp_path / "mine")
    with pytest.raises(pm.UserError, match="not an exported model, so it is not replaced"):
        pm.export(predictor, tmp_path / "mine", overwrite=True)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    (tmp_path / "file").write_text("x")
    assert CliRunner().invoke(main, ["export", str(folder / "run"), "-o", str(tmp_path / "file" / "deep")]).exit_code == 2


def test_an_export_with_other_answers_is_refused(
    trained: tuple[Path, pm.Predictor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, predictor = trained
    monkeypatch.setattr(api, "exported", lambda *_: None)
    monkeypatch.setattr(FORMATS["onnx"], "write", lambda *_: "model.onnx")

    class Wrong:
        def __init__(self, folder: str) -> None:
            pass

        def predict_proba(self, rows: list[Any], roots: Any) -> dict[str, np.ndarray]:
            return {"label": np.full((len(rows), 3), 1 / 3), "amount": np.ones((len(rows), 1))}

    monkeypatch.setattr(api, "Model", Wrong)
    with pytest.raises(pm.ConfigError, match=r"target 'label': the exported model differs .* nothing is written"):
        pm.export(predictor, tmp_path / "out", table=str(folder / "table.csv"))
    assert not list(tmp_path.iterdir())


def test_differences_of_numbers_are_relative_and_skipped_rows_must_agree(trained: tuple[Path, pm.Predictor]) -> None:
    tasks = {"amount": trained[1].bundle.tasks["amount"]}
    expected, found = np.array([[100.0], [-300.0], [np.nan]]), np.array([[100.2], [-300.3], [np.nan]])
    np.testing.assert_allclose(parity.differences(tasks, {"amount": expected}, {"amount": found})["amount"], [0.001, 0.001, 0])
    found[2] = 5.0
    assert parity.differences(tasks, {"amount": expected}, {"amount": found})["amount"][2] == np.inf


def test_refusals_come_before_anything_is_written(trained: tuple[Path, pm.Predictor], tmp_path: Path) -> None:
    _, predictor = trained
    with pytest.raises(pm.ConfigError, match="format: found 'caffe'; expected one of onnx, openvino, executorch, tensorflow"):
        pm.export(predictor, tmp_path / "out", format="caffe")  # type: ignore[arg-type]
    with pytest.raises(pm.ConfigError, match="int8: found format 'openvino'"):
        pm.export(predictor, tmp_path / "out", format="openvino", int8=True)
    assert not list(tmp_path.iterdir())


def test_cells_that_only_polymodal_reads_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [{"cloud": rng.normal(at % 2, 1, (20, 3)).tolist(), "y": "ab"[at % 2]} for at in range(60)]
    settings = ("training.epochs=1", "data.split.folds=2", "training.baselines=false")
    predictor = pm.train(rows, *settings, target="y", columns={"cloud": "points"}, out=str(tmp_path / "run"))
    with pytest.raises(pm.ConfigError, match="field 'cloud': found a field of kind 'points', whose cells only polymodal reads"):
        pm.export(predictor, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_example_is_no_longer_than_the_longest_sample() -> None:
    one = {"field": "s", "name": "field0_values", "value": "values", "dtype": "float32", "shape": [None, 1], "longest": 30}
    assert [array.shape for array in layout.example_of([{"lengths": [16, 30], "inputs": [one]}])] == [(3, 30, 1)]
    assert [array.shape for array in layout.example_of([{"lengths": [16, 64], "inputs": [{**one, "longest": 64}]}])] == [(3, 32, 1)]


@pytest.mark.slow
def test_a_model_of_short_series_is_exported(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [
        [json.dumps([round(float(value), 3) for value in rng.normal(size=rng.integers(10, 31)) + at % 2]), "ab"[at % 2]]
        for at in range(120)
    ]
    path = write_csv(tmp_path / "t.csv", ["heart", "y"], rows)
    pm.train(path, "training.epochs=1", target="y", preset="fast", out=tmp_path / "run")
    made = pm.export(str(tmp_path / "run"), tmp_path / "out")
    assert max(made.difference.values()) < 2e-5
