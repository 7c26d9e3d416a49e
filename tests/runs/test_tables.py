"""Tests of training on tables of every kind for one epoch, and of the messages for impossible settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import polymodal as pm
from builders.tables import sentence, write_csv
from polymodal.cli.main import main

ROWS = 60
QUICK = ("training.epochs=1", "data.split.folds=2", "training.baselines=false", "model.width=16")


def frame(**more: Any) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"text": [sentence(rng) for _ in range(ROWS)], "n": rng.normal(size=ROWS), "y": ["a", "b"] * 30} | more)


def train(table: Any, *overrides: str, target: Any = "y", **settings: Any) -> pm.Predictor:
    return pm.train(table, *QUICK, *overrides, target=target, **settings)


Classes = list[Any]


@pytest.mark.parametrize(
    ("target", "overrides", "classes"),
    [
        (["①", "②"], (), ["①", "②"]),
        ([True, False], (), [False, True]),
        ([1.0, 2.0], (), [1, 2]),
        (["yes", "no"], ("tasks.y.positive=no", "tasks.y.class_weight={yes: 2, no: 1}"), ["yes", "no"]),
        ([0, 1], ("tasks.y.positive=0", "tasks.y.class_weight={1: 2}"), [1, 0]),
        (["a", "b", None], (), ["a", "b"]),
        ([["a", "b"], ["c"], []], (), ["a", "b", "c"]),
        ([np.array(["a", "b"]), np.array([], dtype=object)], (), ["a", "b"]),
        (["a;b", ";", "c"], (), ["a", "b", "c"]),
        ([1.5, 2.5, 3.0, 4.25], (), None),
    ],
)
def test_targets_of_every_kind(target: list[Any], overrides: tuple[str, ...], classes: Classes | None) -> None:
    table = frame(y=(target * ROWS)[:ROWS])
    model = train(table, *overrides)
    assert (None if model.classes is None else model.classes.tolist()) == classes
    answers = model.predict(table.drop(columns="y"))
    assert len(answers) == ROWS
    if classes is not None:
        allowed = {type(name) for name in classes} | {list, np.bool_, np.int64}
        assert {type(answer) for answer in answers} <= allowed
        assert model.predict_proba(table).shape == (ROWS, len(classes))
    else:
        with pytest.raises(pm.ConfigError, match="has no probabilities"):
            model.predict_proba(table)
    assert model.evaluate(table)["rows"] == ROWS


def test_columns_of_every_kind() -> None:
    table = frame(
        when=pd.date_range("2020-01-01", periods=ROWS),
        category=pd.Categorical(["p", "q"] * 30),
        flag=[True, None] * 30,
        small=np.arange(ROWS, dtype=np.int8) % 7,
        mixed=[1, "x", None] * 20,
    )
    model = train(table)
    types = {column["name"]: column["type"] for column in model.bundle.states["columns"]["columns"]}
    assert types == {"n": "number", "when": "date", "category": "category", "flag": "category", "small": "number", "mixed": "category"}
    assert len(model.predict(table)) == ROWS


def test_two_targets_a_weight_a_group_and_a_time() -> None:
    two = train(frame(z=np.arange(ROWS) * 1.5), target=["y", "z"])
    assert set(two.predict(frame())) == {"y", "z"}
    assert set(two.predict_proba(frame())) == {"y"}
    assert two.classes["z"] is None
    weighted = train(frame(w=np.arange(ROWS)), "data.weight=w")
    assert "w" not in weighted.bundle.experiment.columns(), "a weight is no feature"
    grouped = train(frame(g=np.arange(ROWS) // 3), group="g")
    assert "g" not in grouped.bundle.experiment.columns()
    late = train(frame(d=pd.date_range("2020-01-01", periods=ROWS)), "data.split={kind: time, column: d}")
    assert late.metrics["validation"]["rows"] == 5, "four of the nine that are held out select the epoch"
    parts = train(frame(part=["train", "valid", "test"] * 20), split="part")
    assert (parts.metrics["validation"]["rows"], parts.metrics["test"]["rows"]) == (12, 20)


def test_a_row_of_weight_0_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    table = frame(w=[1.0] * 50 + [0.0] * 10, part=(["train"] * 4 + ["valid"]) * 12)
    one = train(table, "data.weight=w", split="part")
    table.loc[50:, "y"] = "a"
    two = train(table, "data.weight=w", split="part")
    np.testing.assert_array_equal(one.predict_proba(frame()), two.predict_proba(frame()))


def test_tables_of_few_rows_and_one_field() -> None:
    model = train(pd.DataFrame({"a": [1, 2, 3, 4, 5, 6.5], "y": list("ababab")}))
    assert model.predict([{"a": 3}]).tolist()[0] in ("a", "b")
    assert model.metrics["baselines"] == {}
    with pytest.raises(pm.DataError, match="3 rows with a target to split; expected at least 5"):
        pm.train(pd.DataFrame({"a": [1, 2, 3], "y": list("aba")}), target="y")
    inspected = pm.inspect(pd.DataFrame({"a": [1, 2, 3], "y": list("aba")}), target="y")
    assert [column.name for column in inspected.columns] == ["a", "y"]
    assert str(inspected.suspicions[0]).startswith("training would stop: dataframe: 3 rows with a target to split; expected at least 5")


def test_huge_and_infinite_numbers_and_names_of_every_kind(tmp_path: Path) -> None:
    table = frame(huge=[(-1) ** at * 1e308 for at in range(ROWS)])
    assert np.isfinite(train(table).predict_proba(table)).all()
    table = frame(q=[np.inf if at == 3 else at % 7 for at in range(ROWS)])
    model = train(table, "data.max_faults=0.2")
    assert "found inf" in "".join(text for part in model.predictions(table) for text in part.faults)
    names = ['a.b=c "d"', "items", "keys", "0", "標 題", "x\ny"]
    odd = frame(**{name: np.random.default_rng(at).normal(size=ROWS) for at, name in enumerate(names)})
    odd = odd.rename(columns={"y": "y: #\n1", "text": "forward"})
    model = train(odd, target="y: #\n1", out=tmp_path / "run")
    np.testing.assert_array_equal(pm.load(tmp_path / "run").predict_proba(odd), model.predict_proba(odd))
    assert pm.Experiment.read(tmp_path / "run" / "run.yaml").tree()["fields"] == model.bundle.experiment.tree()["fields"]


@pytest.mark.parametrize("name", ["row", "present", "faults"])
def test_a_target_that_is_called_like_a_column_of_ours_keeps_its_name(tmp_path: Path, name: str) -> None:
    table = frame().rename(columns={"y": name})
    train(table, target=name, out=tmp_path / "run")
    path = write_csv(tmp_path / "in.csv", ["text", "n"], table[["text", "n"]].values.tolist())
    result = CliRunner().invoke(main, ["predict", str(tmp_path / "run"), str(path), "-o", str(tmp_path / "out.csv")])
    assert result.exit_code == 0, result.output
    found = pd.read_csv(tmp_path / "out.csv")
    assert len(set(found.columns)) == 6
    assert set(found[name]) <= {"a", "b"}
    assert f"{name}_" in found.columns


def test_a_setting_of_the_default_component_needs_no_kind() -> None:
    model = train(frame(), "model.fusion.rank=2", "model.encoders.text.max_ngrams=99")
    encoder = model.bundle.experiment.model.encoders["text"]
    assert (encoder.kind, encoder.tree()["max_ngrams"]) == ("bag", 99)
    assert model.bundle.experiment.model.fusion.tree()["rank"] == 2
    with pytest.raises(
        pm.ConfigError, match=r"model\.encoders\.text\.max_ngrms: unknown setting; did you mean 'model\.encoders\.text\.max_ngrams'"
    ):
        train(frame(), "model.encoders.text.max_ngrms=99")


def test_a_validation_table_of_its_own() -> None:
    other = frame(y=["a", "c"] * 30)
    model = train(frame(), valid=other)
    assert model.classes.tolist() == ["a", "b"]
    assert model.metrics["validation"]["rows"] == 40, "of 60, of which 20 select; a class that was not seen counts as wrong"
    assert model.metrics["validation"]["tasks"]["y"]["accuracy"] <= 0.5


Make = Callable[[], Any]
PICTURES = {"p": ["x.png"] * 2 + [None] * 58}
IMPOSSIBLE: dict[str, tuple[Make, tuple[str, ...], dict[str, Any], str]] = {
    "words for numbers": (frame, ("tasks.y.kind=regression",), {}, "found 'a'; expected a finite number"),
    "weight below 0": (lambda: frame(w=np.arange(ROWS) - 5), ("data.weight=w",), {}, "row 1, column 'w': found -5"),
    "no weight": (lambda: frame(w=[0] * ROWS), ("data.weight=w",), {}, "every weight is 0"),
    "part": (lambda: frame(s=["train", "valid", "x"] * 20), (), {"split": "s"}, "dataframe row 3, column 's': found 'x'"),
    "no valid part": (lambda: frame(s=["train", "test"] * 30), (), {"split": "s"}, "column 's': no row has the value valid"),
    "one group": (lambda: frame(g=["x"] * ROWS), (), {"group": "g"}, "1 groups to split"),
    "valid lacks a column": (frame, (), {"valid": pd.DataFrame({"text": ["a"], "y": ["a"]})}, "no column 'n'"),
    "valid without rows": (frame, (), {"valid": pd.DataFrame({"text": [], "n": [], "y": []})}, "expected a table with rows to validate on"),
    "valid without targets": (frame, (), {"valid": frame(y=[""] * ROWS)}, "no row is left to validate on"),
    "unreadable": (lambda: frame(**PICTURES), (), {"columns": {"p": "image"}}, "2 of 2 cells are paths, and a table in memory has no folder; expected root="),
    "no such class": (frame, ("tasks.y.positive=c",), {}, "'c' is no class of the target"),
    "metric": (frame, ("tasks.y.metric=mae",), {}, "tasks.y.metric: found 'mae'"),
    "form": (frame, ("model.encoders.text.kind=convnet",), {}, "an encoder of 'pixels' cannot read a field of kind 'text'"),
    "no such module": (frame, ("model.fusion.kind=nope:X",), {}, "cannot be imported"),
    "init": (frame, ("training.init=/nowhere",), {}, "no such folder"),
    "fusion heads": (frame, ("model.fusion={kind: attention, heads: 3}",), {}, "3 does not divide model.width = 16"),
    "heads": (frame, ("model.encoders.text={kind: text_transformer, heads: 3}",), {}, "heads: 3 does not divide"),
    "odd width": (frame, ("model.encoders.text={kind: text_transformer, heads: 1, hidden: 31}",), {}, "31 is odd"),
    "patch": (lambda: frame(**PICTURES), ("fields.p.size=30", "model.encoders.p.kind=vit", "data.max_faults=1"), {"columns": {"p": "image"}}, "expected a multiple of patch"),
    "grid width": (lambda: frame(**PICTURES), ("model.encoders.p={kind: vit, hidden: 6, heads: 2}", "data.max_faults=1"), {"columns": {"p": "image"}}, "no multiple of 4"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(IMPOSSIBLE))
def test_what_cannot_be_says_so(name: str) -> None:
    make, overrides, settings, said = IMPOSSIBLE[name]
    with pytest.raises(pm.UserError) as caught:
        train(make(), *overrides, **settings)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "setting",
    ["model.fusion.rank=0", "tasks.y.weight=-1", "fields.text.max_chars=0", "model.encoders.text.buckets=0", "model.encoders.text.dropout=1",
     "model.encoders.text={kind: text_transformer, vocabulary: 10}", "model.encoders.text={kind: text_transformer, depth: 0}",
     "model.encoders.columns.hidden=0", "training.batch_size=0", "training.clip=0", "data.max_faults=2", "seed=-1", "model.width=0"],
)  # fmt: skip
def test_settings_out_of_their_range_are_refused_by_path(setting: str) -> None:
    with pytest.raises(pm.ConfigError) as caught:
        train(frame(), setting)
    path = setting.partition("={")[0] if "={" in setting else setting.partition("=")[0]
    assert str(caught.value).startswith(path)
    assert "should be" in str(caught.value)
