"""What the results of ``evaluate``, ``explain``, ``robustness`` and of several targets print, in a terminal and in a notebook."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

import polymodal as pm
from polymodal.pages import Result

ROWS: list[dict[str, Any]] = [
    {"a": at % 7, "note": f"word {at % 5} of {at}", "label": "<yes>" if at % 7 > 3 else "no", "score": float(at % 7) * 10_000 + at % 5}
    for at in range(60)
]


@pytest.fixture(scope="module")
def both() -> pm.Predictor:
    """A model of two targets and two fields."""
    return pm.train(
        ROWS, "model.trees=null", "training.epochs=2", "training.baselines=false", target=["label", "score"], columns={"note": "text"}
    )


def test_the_metrics_of_a_table_print_as_a_table_for_each_target(both: pm.Predictor) -> None:
    result = both.evaluate(ROWS)
    lines = repr(result).splitlines()
    assert lines[0] == "label, 60 rows"
    accuracy = next(line.split() for line in lines if line.strip().startswith("accuracy"))
    values = [result["tasks"]["label"], *(hidden["label"] for hidden in result["hidden"].values())]
    assert accuracy[1:] == [f"{one['accuracy']:.4f}" for one in values]
    assert any(line.startswith("score, 60 rows") for line in lines)
    rmse = next(line.split() for line in lines if line.strip().startswith("rmse"))
    assert rmse[1] == f"{result['tasks']['score']['rmse']:,.1f}", "a large number is printed with one decimal"
    assert all(cell_len(line) <= 80 for line in lines)
    assert result.rows == 60
    assert result.tasks["label"] == result["tasks"]["label"]
    assert json.loads(json.dumps(result)) == result
    assert copy.deepcopy(result) == result


def test_the_metrics_of_rows_without_a_target_count_the_others(both: pm.Predictor) -> None:
    result = both.evaluate([*ROWS, {"a": 1, "note": "b", "label": None, "score": 3.0}])
    assert repr(result).splitlines()[0] == "label, 60 of 61 rows"


@pytest.mark.parametrize("name", ["explain", "explain of rows", "robustness"])
def test_an_analysis_prints_what_its_command_prints(both: pm.Predictor, name: str) -> None:
    results: dict[str, Callable[[], Result]] = {
        "explain": lambda: pm.explain(both, ROWS),
        "explain of rows": lambda: pm.explain(both, ROWS, rows=[1, 2]),
        "robustness": lambda: pm.robustness(both, ROWS),
    }
    result = results[name]()
    assert isinstance(result, Result)
    assert json.loads(json.dumps(result)) == result
    shown = repr(result)
    assert all(cell_len(line) <= 80 for line in shown.splitlines())
    heads = {
        "explain": ["60 of 60 rows with a target", "label: accuracy", "score: r2"],
        "explain of rows": ["row 1, label: no", "row 2, score: ", "strongest parts"],
        "robustness": ["60 of 60 rows with a target, seed 0", "missing cells", "relative"],
    }
    for text in heads[name]:
        assert text in shown
    html = result._repr_html_()
    assert html is not None
    assert "<table" in html
    assert "<yes>" not in html


def test_the_tables_of_several_targets_print_below_one_another(both: pm.Predictor) -> None:
    for tables in (both.leaderboard(), both.feature_importance(ROWS, repeats=2)):
        assert list(tables) == ["label", "score"]
        assert repr(tables) == f"{tables['label']!r}\n\n{tables['score']!r}"
        assert tables._repr_html_() == tables.label._repr_html_() + tables.score._repr_html_()


def test_a_result_without_sections_prints_as_a_dict() -> None:
    assert repr(Result(a=1)) == "{'a': 1}"
    assert Result(a=1)._repr_html_() is None


def test_metrics_of_the_training_table_are_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["a,y", *(f"{at % 7},{'yes' if at % 7 > 3 else 'no'}" for at in range(60))]
    for name in ("shop.csv", "other.csv"):
        (tmp_path / name).write_text("\n".join(lines))
    quick = ("model.trees=null", "training.epochs=1", "training.baselines=false")
    pm.train(tmp_path / "shop.csv", *quick, target="y", out=tmp_path / "run")
    model = pm.load(tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    for same in ("shop.csv", tmp_path / "shop.csv", "./shop.csv"):
        assert model.evaluate(same)["trained_on"] is True
    assert repr(model.evaluate("shop.csv")).endswith("those of validation rows")
    for other in ("other.csv", [{"a": 1, "y": "yes"}, {"a": 5, "y": "no"}]):
        assert "trained_on" not in model.evaluate(other)
    (tmp_path / "run" / "run.yaml").write_text(": [")
    assert "trained_on" not in model.evaluate("shop.csv"), "what trained it is unknown"
    (tmp_path / "shop.csv").rename(tmp_path / "moved.csv")
    assert "trained_on" not in model.evaluate("moved.csv")
