"""Tests of targets from the table to the predictions: types, words for missing values, rare classes, and output columns."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

import polymodal as pm
from builders.tables import write_csv
from polymodal.data.sources import open_source
from polymodal.inspection import init
from polymodal.inspection.targets import target_columns
from polymodal.outputs import PredictionTable

QUICK = ("training.epochs=1", "training.baselines=false", "model.width=8", "data.split.kind=random")
RNG = np.random.default_rng(0)
X = RNG.random(2_000)


def frame(y: Any, **more: Any) -> pd.DataFrame:
    values = list(y)
    out = pd.DataFrame({"x": X[: len(values)], "z": X[-len(values) :]} | more)
    out["y"] = pd.Series(values, dtype=None if all(isinstance(cell, (int, float)) for cell in values) else object)
    return out


def rows_of(y: list[Any], rows: int = 60) -> list[dict[str, Any]]:
    return [{"x": X[at], "z": X[-at - 1], "y": y[at % len(y)]} for at in range(rows)]


def train(table: Any, *overrides: str, target: Any = "y", **settings: Any) -> pm.Predictor:
    return pm.train(table, *(QUICK[:-1] if "split" in settings else QUICK), *overrides, target=target, **settings)


def told(run: Path, event: str = "warning") -> list[str]:
    lines = map(json.loads, (run / "log.jsonl").read_text(encoding="utf-8").splitlines())
    return [line["text"] for line in lines if line["event"] == event]


# -- lists -----------------------------------------------------------------------------------------------------------------


def test_labels_by_place_come_back_as_places(tmp_path: Path) -> None:
    lists = [[at & 1, at >> 1 & 1, at >> 2 & 1] for at in range(8)]
    table = rows_of(lists)
    profile = pm.inspect(table, target="y")
    assert profile.targets["y"] == "multilabel (3 labels by place: its cells are lists of 0 and 1)"
    assert profile.suspicions == []
    model = train(table, out=tmp_path / "run")
    assert model.classes.tolist() == [0, 1, 2]
    assert all(set(answer) <= {0, 1, 2} for answer in model.predict(table))
    texts = [{**row, "y": json.dumps(row["y"])} for row in table]
    printed = [{**row, "y": str(np.array(row["y"]))} for row in table]
    arrays = [{**row, "y": np.array(row["y"], bool)} for row in table]
    for other in (texts, printed, arrays):
        assert train(other).metrics["validation"] == model.metrics["validation"]
        assert pm.load(tmp_path / "run").evaluate(other) == model.evaluate(table)
    asked = pm.inspect(table, "tasks.y.kind=multilabel", target="y").targets["y"]
    assert asked == "multilabel (requested; 3 labels by place: its cells are lists of 0 and 1)"


def test_a_list_of_another_length_is_told_and_ends_no_run(tmp_path: Path) -> None:
    table = [*rows_of([[0, 1, 1], [1, 1, 0], [0, 0, 1]]), {"x": 0.5, "z": 0.5, "y": [1, 1]}]
    model = train(table, out=tmp_path / "run")
    assert model.classes.tolist() == [0, 1, 2]
    assert (tmp_path / "run" / "faults.csv").read_text().splitlines()[1] == '61,y,"found 2 values; expected 3, each 0 or 1"'
    assert any("1 of 61 cells cannot be read (first in row 61: found 2 values" in line for line in told(tmp_path / "run"))


def test_a_struct_of_truth_values_names_its_places() -> None:
    structs = [{"cat": at % 2 == 0, "dog": at % 3 == 0} for at in range(60)]
    table = pa.table({"x": X[:60], "z": X[-60:], "y": structs})
    model = train(table)
    assert model.classes.tolist() == ["cat", "dog"]
    assert pm.inspect(table, target="y").targets["y"].endswith("lists of 0 and 1, by name)")


def test_lists_are_the_same_however_a_csv_holds_them(tmp_path: Path) -> None:
    lists = [["cat"], ["cat", "dog"], ["dog", "eel"], []]
    table = rows_of(lists)
    expected = train(table)
    assert expected.classes.tolist() == ["cat", "dog", "eel"]
    for name, wrap in (("list", list), ("array", lambda cell: np.array(cell, object)), ("tuple", tuple), ("set", set)):
        cells = [[row["x"], row["z"], wrap(row["y"])] for row in table]
        found = train(write_csv(tmp_path / f"{name}.csv", ["x", "z", "y"], cells))
        assert found.classes.tolist() == ["cat", "dog", "eel"], name
        assert found.metrics["validation"] == expected.metrics["validation"], name


def test_long_arrays_whose_middle_was_left_out_say_so(tmp_path: Path) -> None:
    table = frame([str(np.arange(2_000 + at % 3)) for at in range(60)])
    with pytest.raises(pm.DataError, match=r"column 'y': a list whose middle was left out .* write it as JSON"):
        train(table)
    assert any("middle was left out" in line for line in pm.inspect(table, target="y").suspicions)


@pytest.mark.parametrize(
    ("cell", "said"),
    [(b"a", "found bytes"), (1 + 2j, "found complex number"), ({"a": 1}, "found dict"), ({"a": "x", "b": 0}, "found dict")],
)
def test_what_can_be_no_target_is_refused_with_advice(cell: Any, said: str) -> None:
    with pytest.raises(pm.DataError, match=f"{said}; expected classes, numbers or lists of labels; .*choose another target"):
        train(rows_of([cell, cell]))


# -- types -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "classes", [["0", "1"], ["true", "false"], ["1.0", "2.0"], ["10", "9"], [0, 1], [True, False], [0.5, 1.5], ["a", "b"]]
)
def test_the_type_of_an_answer_is_the_type_that_was_given(tmp_path: Path, classes: list[Any]) -> None:
    table = frame([classes[at % 2] for at in range(60)])
    settings = [
        "tasks.y.kind=binary",
        f"tasks.y.positive={json.dumps(classes[0])}",
        f"tasks.y.class_weight={{{json.dumps(str(classes[0]))}: 2}}",
    ]
    arrow = pa.Table.from_pandas(table)
    parquet.write_table(arrow, tmp_path / "t.parquet")
    feather.write_feather(arrow, tmp_path / "t.feather")
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table.to_dict("records")))
    for given in (table, table.to_dict("records"), arrow, *(tmp_path / f"t.{kind}" for kind in ("parquet", "feather", "jsonl"))):
        model = train(given, *settings)
        assert model.classes.tolist() == classes[::-1]
        assert [type(label) for label in model.classes.tolist()] == [type(label) for label in classes]
        assert set(model.predict(table).tolist()) <= set(classes)
        assert model.bundle.tasks["y"].state["class_weights"] == [1.0, 2.0]
    own = model.evaluate(table)["tasks"]["y"]["accuracy"]
    assert own == pytest.approx((model.predict(table) == table["y"].to_numpy(object)).mean())
    table.to_csv(tmp_path / "t.csv", index=False)
    assert model.evaluate(tmp_path / "t.csv") == model.evaluate(table), "a CSV has no types, and the same classes"
    outputs = PredictionTable(model)
    assert list(outputs.columns)[2:4] == [f"y:{label}" for label in classes[::-1]]
    outputs.write(tmp_path / "out.parquet", outputs.rows(model.predictions(table)))
    assert parquet.read_table(tmp_path / "out.parquet")["y"].to_pylist() == model.predict(table).tolist()


def test_a_csv_gives_numbers_for_numbers_and_ints_with_a_gap_are_ints(tmp_path: Path) -> None:
    model = train(write_csv(tmp_path / "t.csv", ["x", "z", "y"], [[X[at], X[-at], ("1.0", "2")[at % 2]] for at in range(1, 61)]))
    assert model.classes.tolist() == [1, 2]
    assert model.classes.dtype == np.int64
    with_gap = train(frame([1.0, 2.0, float("nan")] * 20))
    assert with_gap.classes.tolist() == [1, 2]
    assert with_gap.classes.dtype == np.int64


def test_classes_of_several_types_are_written_as_text_where_a_column_has_one(tmp_path: Path) -> None:
    model = train(rows_of([1, True, "x"]))
    assert model.classes.tolist() == [1, True, "x"]
    assert [type(label) for label in model.classes] == [int, bool, str]
    outputs = PredictionTable(model)
    assert outputs.columns["y"] == "string"
    outputs.write(tmp_path / "out.parquet", outputs.rows(model.predictions(rows_of([1, True, "x"]))))
    assert set(parquet.read_table(tmp_path / "out.parquet")["y"].to_pylist()) <= {"1", "True", "x"}


# -- missing words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "classes", "without"),
    [
        (["None", "Mild"], ["Mild", "None"], 0), (["None", "Insomnia", "Apnea"], ["Apnea", "Insomnia", "None"], 0), (["0", "1", "NA"], ["0", "1"], 20),
        (["yes", "no", "?"], ["?", "no", "yes"], 0), (["-", "+"], ["+", "-"], 0), (["无", "有"], ["无", "有"], 0), (["a", "b", "nan"], ["a", "b"], 20),
    ],
)  # fmt: skip
def test_every_verb_takes_missing_words_alike(tmp_path: Path, cells: list[str], classes: list[str], without: int) -> None:
    table = rows_of(cells)
    profile = pm.inspect(table, target="y")
    assert f"({len(classes)} values" in profile.targets["y"]
    model = train(table, out=tmp_path / "run")
    assert model.classes.tolist() == classes
    assert model.metrics["rows"]["without_target"] == {"y": without}
    assert pm.load(tmp_path / "run").evaluate(table).get("without_target", {"y": 0}) == {"y": without}
    assert pm.check(table, *QUICK, target="y").ok


def test_the_rule_is_told_with_its_override(tmp_path: Path) -> None:
    words = rows_of(["a", "b", "NA"])
    said = "'NA' in 20 rows: a class, since other values are words; to leave out those rows: tasks.y.missing=[\"NA\"]"
    assert said in pm.inspect(words, target="y").targets["y"]
    assert said in "\n".join(pm.check(words, *QUICK, target="y").notes)
    numbers = frame(["0", "1", "n/a"] * 20)
    said = "'n/a' in 20 rows: no target, since every other value is a number; to make a class of each: tasks.y.missing=[]"
    assert said in pm.inspect(numbers, target="y").targets["y"]
    train(numbers, out=tmp_path / "run")
    assert any(said in line for line in told(tmp_path / "run", "note"))
    assert train(words, 'tasks.y.missing=["NA"]').classes.tolist() == ["a", "b"]
    assert train(numbers, "tasks.y.missing=[]").classes.tolist() == ["0", "1", "n/a"]
    assert pm.inspect(numbers, "tasks.y.missing=[]", target="y").targets["y"].startswith("multiclass (3 values")
    assert "'n/a' in 20 rows: no target (tasks.y.missing)" in pm.inspect(numbers, "tasks.y.missing=[N/A]", target="y").targets["y"]


def test_a_late_word_decides_for_the_whole_column() -> None:
    cells = [("0", "1", "NA")[at % 3] for at in range(1_999)]
    assert train(frame(cells)).classes.tolist() == ["0", "1"]
    assert train(frame([*cells, "other"])).classes.tolist() == ["0", "1", "NA", "other"]
    assert "multiclass (4 values" in pm.inspect(frame([*cells, "other"]), target="y").targets["y"]


# -- numbers with some words -----------------------------------------------------------------------------------------------


def test_some_words_among_numbers_end_no_run_unless_the_kind_was_asked_for(tmp_path: Path) -> None:
    table = frame(
        [("unknown" if at % 25 else "12 apples") if at % 12 == 0 else ("n/a" if at % 12 == 1 else f"{at * 1.5}") for at in range(120)]
    )
    profile = pm.inspect(table, target="y")
    said = "regression (100 different numbers, and 10 cells that are no number ('unknown', '12 apples'): those rows have no target)"
    assert profile.targets["y"].startswith(said)
    assert profile.unreadable["y"][0] == (1, "found '12 apples'; expected a finite number")
    train(table, out=tmp_path / "run")
    assert any("10 of 110 cells cannot be read (first in row 1: found '12 apples'" in line for line in told(tmp_path / "run"))
    with (tmp_path / "run" / "faults.csv").open() as file:
        assert len(list(csv.reader(file))) == 11
    assert pm.check(table, *QUICK, target="y").ok
    with pytest.raises(pm.DataError, match=r"column 'y': 10 of 110 cells cannot be read .*; expected at most 5%"):
        train(table, "tasks.y.kind=regression")
    assert not pm.check(table, *QUICK, "tasks.y.kind=regression", target="y").ok
    train(table, "tasks.y.kind=regression", "data.max_faults=0.1")


@pytest.mark.parametrize("share", [3, 8])
def test_a_word_among_many_numbers_leaves_them_numbers_as_it_does_in_a_feature(tmp_path: Path, share: int) -> None:
    table = frame(["unknown" if at % share == 0 else f"{at * 1.5}" for at in range(120)])
    for given in (table, write_csv(tmp_path / "table.csv", table.columns, table.values.tolist())):
        model = train(given)
        assert model.classes is None
        assert f"and {-(-120 // share)} cells that are no number ('unknown')" in pm.inspect(given, target="y").targets["y"]
        assert model.evaluate(given)["tasks"]["y"]["mae"] > 0
    with pytest.raises(pm.DataError, match="121 different values in 240 rows"):
        train(frame([f"code {at % 7}" if at % 2 else f"{at * 1.5}" for at in range(226)] + ["a"] * 14))


def test_limits_are_classes_and_dates_are_told() -> None:
    assert train(frame(["<0.5", ">=0.5"] * 40)).classes.tolist() == ["<0.5", ">=0.5"]
    assert train(frame(["1+", "1", "1-", "2"] * 20)).classes.tolist() == ["1", "1+", "1-", "2"]
    for dates in (pd.date_range("2024-01-01", periods=80), [f"{1 + at % 12}/{1 + at % 28}/2024" for at in range(80)]):
        with pytest.raises(pm.DataError, match="they are dates: to predict when, make a column of the days"):
            train(frame(dates))


def test_codes_with_a_word_among_them_are_classes() -> None:
    assert train(frame((["1", "2"] * 10 + ["other"]) * 4)).classes.tolist() == ["1", "2", "other"]


# -- rare classes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_class_of_one_row_is_trained_and_told(tmp_path: Path, seed: int) -> None:
    table = frame(["Rare" if at == 7 else "ab"[at % 2] for at in range(60)])
    model = train(table, "data.split.valid=0.3", seed=seed, out=tmp_path / "run")
    assert model.classes.tolist() == ["Rare", "a", "b"]
    said = [
        "target 'y': classes of fewer than 5 rows: 'Rare' (1); bring more rows of them, or merge them with other classes",
    ]
    assert told(tmp_path / "run") == said
    assert "&#x27;Rare&#x27; (1)" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert said[0] in pm.inspect(table, "data.split.kind=random", target="y", seed=seed).suspicions
    assert said[0] in pm.check(table, *QUICK, target="y", seed=seed).notes


def test_classes_that_folds_do_not_train_on_and_unknown_ones_are_told(tmp_path: Path) -> None:
    folds = frame(["Rare" if at == 7 else "ab"[at % 2] for at in range(60)])
    train(folds, "data.split.kind=folds", "data.split.folds=2", out=tmp_path / "folds")
    assert "classes that some folds do not train on: 'Rare' (1)" in told(tmp_path / "folds")[0]
    parts = frame(["ab"[at % 2] for at in range(57)] + ["c", "c", "d"], part=["train"] * 40 + ["valid"] * 19 + ["test"])
    said = "unknown to the model, since no training row has them: 'c' (2) in validation rows; 'd' (1) in test rows"
    train(parts, split="part", out=tmp_path / "parts")
    assert said in told(tmp_path / "parts")[0]
    assert said in pm.inspect(parts, target="y", split="part").suspicions[0]
    assert said in pm.check(parts, *QUICK[:-1], target="y", split="part").notes[0]
    other = frame(["a", "c"] * 10)
    model = train(frame(["a", "b"] * 30), valid=other, test=other, out=tmp_path / "other")
    assert "'c' (10) in validation rows" in told(tmp_path / "other")[0]
    assert "'c' (10) in test rows" in told(tmp_path / "other")[1]
    assert model.evaluate(other)["unknown"] == {"y": {"c": 10}}
    assert "unknown" not in model.evaluate(frame(["a", "b"] * 10))


def test_rare_labels_of_lists_are_told_too(tmp_path: Path) -> None:
    model = train(frame([["a", "rare"] if at == 3 else ["a"] if at % 2 else ["b"] for at in range(60)]), out=tmp_path / "run")
    assert model.classes.tolist() == ["a", "b", "rare"]
    assert "'rare' (1)" in told(tmp_path / "run")[0]


# -- the columns of answers ------------------------------------------------------------------------------------------------


def test_no_column_of_an_answer_hides_another(tmp_path: Path) -> None:
    table = frame(["set", "other"] * 30)
    table["y:other"] = ["low", "row"] * 30
    table["n"] = X[:60]
    model = pm.train(table, "training.epochs=1", "training.baselines=false", "model.width=8", target=["y", "y:other", "n"])
    outputs = PredictionTable(model, coverage=0.9)
    columns = outputs.columns
    assert list(columns) == [
        "row", "y", "y:other_", "y:set", "y:other", "y:other:low", "y:other:row", "n", "y:set_", "y:other:set", "n:low", "n:high", "present", "faults",
    ]  # fmt: skip
    found = list(outputs.rows(model.predictions(table, coverage=0.9)))
    assert all(set(record) == set(columns) for record in found)
    scores = model.predict_proba(table)["y"]
    assert [record["y:set"] for record in found] == pytest.approx(scores[:, 1].tolist())
    assert all(isinstance(record["y:set_"], list) for record in found)
    for kind in ("csv", "jsonl", "parquet"):
        path = tmp_path / f"out.{kind}"
        outputs.write(path, iter(found))
        header = {
            "csv": lambda path: next(csv.reader([path.read_text(encoding="utf-8").splitlines()[0]])),
            "jsonl": lambda path: json.loads(path.read_text().splitlines()[0]).keys(),
            "parquet": lambda path: parquet.read_schema(path).names,
        }[kind](path)
        assert set(header) == set(columns)
        assert len(list(header)) == len(columns)


# -- tables without rows, names that are no text ---------------------------------------------------------------------------


def test_a_table_without_rows_has_empty_answers(tmp_path: Path) -> None:
    settings = ("training.epochs=1", "training.baselines=false", "model.width=8")
    classes, numbers = pm.train(frame(["a", "b"] * 30), *settings, target="y"), pm.train(frame(X[:60]), *settings, target="y")
    write_csv(tmp_path / "t.csv", ["x", "y"], [])
    (tmp_path / "t.jsonl").write_text("")
    width = classes.embed(frame(["a"])).shape[1]
    tables: list[Any] = [
        [],
        {},
        pd.DataFrame(),
        pd.DataFrame({"x": []}),
        pa.table({"x": pa.array([], pa.float64())}),
        tmp_path / "t.csv",
        tmp_path / "t.jsonl",
    ]
    for table in tables:
        assert classes.predict(table).shape == (0,)
        assert classes.predict(table).dtype == object
        assert classes.predict_proba(table).shape == (0, 2)
        assert classes.predict_sets(table).shape == (0,)
        assert classes.embed(table).shape == (0, width)
        assert numbers.predict(table).shape == (0,)
        assert numbers.predict(table).dtype == np.float64
        assert numbers.predict_sets(table).shape == (0, 2)
        assert list(classes.predictions(table)) == []
        with pytest.raises(pm.DataError, match="no rows; expected a table with rows to measure on"):
            classes.evaluate(table)


def test_a_target_may_be_named_by_what_prints_as_its_name() -> None:
    numbered = pd.DataFrame({0: X[:60], 1: ["a", "b"] * 30})
    assert train(numbered, target=1).classes.tolist() == ["a", "b"]
    assert pm.inspect(numbered, target=1).targets["1"].startswith("binary")
    assert pm.check(numbered, *QUICK, target=1).ok
    assert "column: '1'" in init(numbered, target=1, out=None)
    indexed = pd.DataFrame({("f", "x"): X[:60], ("t", "y"): ["a", "b"] * 30})
    for target in (("t", "y"), [("t", "y")]):
        assert train(indexed, target=target).classes.tolist() == ["a", "b"]
    source = open_source([{"a": 1, "b": 2, "3": 4}])
    assert target_columns(source, ("a", 3)) == ["a", "3"]
    assert target_columns(source, np.int64(3)) == ["3"]
    assert target_columns(source, None) == []
    with pytest.raises(pm.DataError, match="no column '7'; the columns are 'a', 'b', '3'"):
        target_columns(source, 7)
