"""The model card of a run: valid metadata, the figures of the run, and text that stays text."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from huggingface_hub import ModelCard

from polymodal import UserError
from polymodal.cli.main import main
from polymodal.evaluation.conformal import FEWEST
from polymodal.pages import card
from polymodal.runs.card import write_card


def parsed(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ModelCard(text)


@pytest.fixture(scope="module")
def metrics(shop_run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shop_run / "metrics.json").read_text(encoding="utf-8"))
    return found


def test_the_metadata_has_the_metrics_of_the_run(shop_run: Path, tmp_path: Path, metrics: dict[str, Any]) -> None:
    text = write_card(shop_run, tmp_path / "README.md", licence="apache-2.0", languages=["zh", "en"], language="en").read_text(
        encoding="utf-8"
    )
    data = parsed(text).data
    assert (data.license, data.language, data.library_name) == ("apache-2.0", ["zh", "en"], "polymodal")
    assert data.tags == ["polymodal", "multimodal", "image", "tabular", "text"]
    assert data.model_name == "run"
    found = {one.metric_type: one.metric_value for one in data.eval_results}
    assert found == {name: value for name, value in metrics["validation"]["tasks"]["label"].items() if value is not None}
    assert {(one.task_type, one.dataset_name) for one in data.eval_results} == {
        ("tabular-classification", f"validation rows ({metrics['validation']['rows']})")
    }


def test_the_text_has_fields_classes_and_single_fields_beside_the_model(shop_run: Path, tmp_path: Path, metrics: dict[str, Any]) -> None:
    text = write_card(shop_run, tmp_path / "README.md", language="en").read_text(encoding="utf-8")
    assert "- label: 3 classes: blue, green, red" in text
    assert "| photo | image | convnet | photo |" in text
    whole = metrics["leaderboard"]["label"][0]
    assert f"| {whole['rows']:,} | {whole['value']:.4f} ± {whole['error']:.4f} |" in text
    assert "| without photo |" in text
    assert "conformal prediction" in text or "CV+" in text
    assert str(shop_run.parent) not in text
    chinese = write_card(shop_run, tmp_path / "zh.md", language="zh").read_text(encoding="utf-8")
    assert "## 预测目标" in chinese
    assert "- label：3 个类别： blue、green、red" in chinese


def test_names_from_a_table_stay_text(metrics: dict[str, Any]) -> None:
    bad = "a|b <b>x</b> `c`\n---\n# [d](http://e) 'f\" {g}: - h"
    target = {"name": "label", "column": bad, "kind": "multiclass", "classes": [bad, "x"]}
    fields = [{"name": bad, "kind": "text", "encoder": "bag", "columns": [bad]}]
    facts = {"name": bad, "metrics": metrics, "fields": fields, "targets": [target], "fusion": "concat", "version": "1"}
    text = card(facts, "en")
    found = parsed(text)
    assert found.data.model_name == " ".join(bad.split())
    body = text.split("\n---\n", 1)[1]
    assert "<b>" not in body.replace("\\<b\\>", "")
    assert "[d](" not in body.replace("\\[d\\]", "")
    (line,) = [line for line in body.splitlines() if line.startswith("| a\\|b")]
    assert line.replace("\\|", "").count("|") == 5


@pytest.mark.parametrize(("rows", "is_stated"), [(FEWEST - 1, False), (FEWEST, True)])
def test_a_guarantee_is_stated_only_where_sets_are_given(metrics: dict[str, Any], rows: int, is_stated: bool) -> None:
    conformal = {task: {**one, "rows": rows} for task, one in metrics["conformal"].items()}
    facts = {"name": "n", "metrics": {**metrics, "conformal": conformal}, "fields": [], "targets": [], "fusion": "concat", "version": "1"}
    assert (f"on {rows} rows" in card(facts, "en")) == is_stated


def test_a_card_of_hundreds_of_classes_lists_the_first(metrics: dict[str, Any]) -> None:
    target = {"name": "label", "column": "label", "kind": "multiclass", "classes": [f"c{at}" for at in range(300)]}
    facts = {"name": "n", "metrics": metrics, "fields": [], "targets": [target], "fusion": "concat", "version": "1"}
    assert "c48, c49, and 250 more" in card(facts, "en")


@pytest.mark.parametrize("words", [["--license", "a b"], ["--text-language", "zh\nx"], ["-o", "card.html"]])
def test_what_the_hub_would_refuse_is_a_message(shop_run: Path, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["card", str(shop_run), *words])
    assert done.exit_code == 2
    assert done.output.startswith("error: ")
    assert not list(tmp_path.iterdir())


def test_a_card_is_not_replaced_unless_requested(shop_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("mine")
    with pytest.raises(UserError, match="already there"):
        write_card(shop_run, path)
    done = CliRunner().invoke(main, ["card", str(shop_run), "-o", str(path), "--overwrite"])
    assert (done.exit_code, done.output) == (0, f"wrote {path}\n")
    assert path.read_text(encoding="utf-8").startswith("---\nlibrary_name: polymodal\n")
