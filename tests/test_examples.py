"""Tests that the examples run unchanged, with warnings as errors."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from builders import ROOT

EXAMPLES = ROOT / "examples"


def run(name: str, folder: Path, *words: str) -> str:
    """What an example prints, run from an empty folder."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *words],
        env=env, cwd=folder, capture_output=True, encoding="utf-8", timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not list(folder.iterdir())
    return done.stdout


def test_the_founding_program_runs_and_multiplying_learns_what_adding_cannot(tmp_path: Path) -> None:
    found = dict(re.findall(r"^(\w+) .* test accuracy ([\d.]+)", run("founding_program.py", tmp_path), flags=re.MULTILINE))
    assert float(found["concat"]) < 0.65
    assert float(found["lowrank"]) > 0.95


@pytest.mark.slow
def test_the_chinese_table_is_learned(tmp_path: Path) -> None:
    text = run("chinese_table.py", tmp_path)
    accuracy = re.search(r"^准确率 ([\d.]+) 行数 60$", text, flags=re.MULTILINE)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.9
    assert "没有 图片" in text
    assert "['苹果', '葡萄', '香蕉']" in text
    assert "第 1 行缺陷: 图片: " in text


def test_a_pretrained_encoder_knows_words_that_training_never_showed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path.parent / "cache"))
    found = dict(re.findall(r"^([a-z ]+): ([\d.]+) on words", run("pretrained_text.py", tmp_path), flags=re.MULTILINE))
    assert float(found["pretrained"]) > 0.9
    assert float(found["from scratch"]) < 0.7


@pytest.mark.slow
@pytest.mark.parametrize(("name", "fields"), [("driving", ("camera", "radar", "motion")), ("medicine", ("picture", "note", "patient"))])
def test_an_application_runs_from_layout_to_figures_and_fusing_pays(tmp_path: Path, name: str, fields: tuple[str, ...]) -> None:
    text = run(f"{name}/example.py", tmp_path, "--small")
    found = {label.strip(): float(accuracy) for label, accuracy in re.findall(r"^(.+?) +accuracy ([\d.]+)$", text, flags=re.MULTILINE)}
    assert set(found) == {"all", *(f"{word} {field}" for word in ("only", "without") for field in fields)}
    assert found["all"] > max(found[f"only {field}"] for field in fields) + 0.1
    assert "files do not exist" in text


@pytest.mark.parametrize("name", ["driving", "medicine"])
def test_an_application_s_configuration_fits_the_table_of_its_layout(tmp_path: Path, name: str) -> None:
    code = f"import sys; sys.argv = ['x']; import example, pathlib; print(example.make(pathlib.Path({str(tmp_path)!r}), 12, 0).name)"
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(EXAMPLES / name), *sys.path])}
    subprocess.run([sys.executable, "-W", "error", "-c", code], env=env, check=True, capture_output=True)
    from polymodal import Experiment

    experiment = Experiment.read(EXAMPLES / name / "run.yaml")
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        header = file.readline().strip().split(",")
    (task,) = experiment.tasks.values()
    assert {*experiment.columns(), task.column, experiment.data.split.group} <= set(header)


@pytest.fixture
def notebook() -> Any:
    """The module docs/notebook.py."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        return importlib.import_module("notebook")
    finally:
        sys.path.remove(str(ROOT / "docs"))


NOTEBOOK = EXAMPLES / "products.ipynb"


def test_the_cells_of_the_notebook_run_and_show_what_its_text_states(
    notebook: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cells = notebook.cells_of(NOTEBOOK)
    names = notebook.execute(cells)
    assert names["model"].evaluate(names["test"])["tasks"]["price"]["r2"] > 0.9
    importance = {(one["kind"], one["name"]): one["importance"] for one in names["importance"]}
    assert importance["column", "title"] > 0.1
    assert importance["column", "weight"] > 0.1
    assert abs(importance["column", "colour_code"]) < 0.05
    assert names["scores"].min() > 0.5
    assert (names["loaded"].predict(names["X"]) == names["search"].predict(names["X"])).all()
    assert [bool(cell["outputs"]) for cell in cells if cell["cell_type"] == "code"] == [True] * 9
    assert not list(tmp_path.iterdir())


def test_the_notebook_has_outputs_which_are_small_and_of_no_machine(notebook: Any) -> None:
    body = NOTEBOOK.read_text(encoding="utf-8")
    content = json.loads(body)
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    assert len(body) < 60_000
    assert not re.search(r"/(?:tmp|home|root|Users)/", body)
    assert "<script" not in body
    cells = notebook.cells_of(NOTEBOOK)
    assert len({cell["id"] for cell in cells}) == len(cells)
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert all(cell["outputs"] for cell in code)
    assert {kind for cell in code for output in cell["outputs"] for kind in output.get("data", {})} == {"text/plain", "text/html"}
