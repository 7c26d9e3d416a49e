"""Tests of prediction: every policy for faults, missing cells and columns, every output format, and messages for mistakes."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

import polymodal as pm
from builders.tables import picture, write_csv
from polymodal.cli.main import main
from polymodal.modalities import Roots

COLUMNS = ["photo", "标题", "price", "region"]


@pytest.fixture(scope="module")
def expected(model: pm.Predictor, rows: list[dict[str, Any]]) -> np.ndarray:
    return model.predict_proba(rows)  # type: ignore[no-any-return]


def changed(rows: list[dict[str, Any]], changes: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, **changes.get(at, {})} for at, row in enumerate(rows)]


BROKEN: dict[int, dict[str, Any]] = {
    3: {"photo": "photos/none.png"},
    10: {"price": "cheap"},
    20: {"photo": "../x.png", "price": "inf"},
    69: {"标题": b"bytes"},
}


# -- rows and policies ---------------------------------------------------------------------------------------------------


def test_no_row_s_answer_depends_on_another(model: pm.Predictor, rows: list[dict[str, Any]], expected: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    for chosen in (rng.permutation(70), rng.choice(70, 25, replace=False), np.array([5]), np.repeat([1, 2], 20)):
        np.testing.assert_array_equal(model.predict_proba([rows[at] for at in chosen]), expected[chosen])
    np.testing.assert_array_equal(model.predict_proba(rows * 20)[-70:], expected)


def test_blank_answers_without_the_cell_and_moves_no_other_row(
    model: pm.Predictor, rows: list[dict[str, Any]], expected: np.ndarray
) -> None:
    found = model.predict_proba(changed(rows, BROKEN))
    others = [at for at in range(70) if at not in BROKEN]
    np.testing.assert_array_equal(found[others], expected[others])
    emptied = changed(rows, {at: dict.fromkeys(cells) for at, cells in BROKEN.items()})
    np.testing.assert_array_equal(found, model.predict_proba(emptied))
    assert not np.array_equal(found[3], expected[3])
    parts = list(model.predictions(changed(rows, BROKEN)))
    faults = [text for part in parts for text in part.faults]
    assert [at for at, text in enumerate(faults) if text] == sorted(BROKEN)
    assert faults[3] == "photo: no such file 'photos/none.png' under the table's folder (--root adds folders)"
    assert "price: found 'cheap'; expected a finite number" in faults[10]
    assert "photo: " in faults[20]
    assert "price: " in faults[20]
    present = [names for part in parts for names in part.present]
    assert list(present[3]) == ["标题", "columns"]
    assert list(present[10]) == ["photo", "标题", "columns"], "the rest of the field goes on"


def test_skip_leaves_the_row_without_an_answer_and_moves_no_other_row(
    model: pm.Predictor, rows: list[dict[str, Any]], expected: np.ndarray
) -> None:
    found = model.predict_proba(changed(rows, BROKEN), on_error="skip")
    others = [at for at in range(70) if at not in BROKEN]
    np.testing.assert_array_equal(found[others], expected[others])
    assert np.isnan(found[sorted(BROKEN)]).all()
    answers = model.predict(changed(rows, BROKEN), on_error="skip")
    assert [at for at in range(70) if answers[at] is None] == sorted(BROKEN)
    measured = model.evaluate(changed(rows, BROKEN), on_error="skip")
    assert measured["rows"] == 70
    right = answers[others] == np.array([rows[at]["label"] for at in others])
    assert measured["tasks"]["label"]["accuracy"] == pytest.approx(right.mean())


def test_error_names_the_row_and_the_column(model: pm.Predictor, rows: list[dict[str, Any]]) -> None:
    with pytest.raises(pm.DataError, match=r"row 4, column 'photo': no such file 'photos/none.png' under .*; .*blank"):
        model.predict(changed(rows, {3: BROKEN[3]}), on_error="error")
    with pytest.raises(pm.DataError, match=r"row 11, column 'price': found 'cheap'; .*blank"):
        model.predict(changed(rows, {10: BROKEN[10]}), on_error="error")


def test_missing_cells_are_no_faults(model: pm.Predictor, rows: list[dict[str, Any]], expected: np.ndarray) -> None:
    empty: dict[int, dict[str, Any]] = {
        1: {"photo": ""},
        2: {"photo": None, "标题": "  ", "price": "N/A", "region": float("nan")},
        3: {"price": ""},
    }
    parts = list(model.predictions(changed(rows, empty)))
    assert not any(text for part in parts for text in part.faults)
    assert list(parts[0].present[2]) == []
    found = np.concatenate([part.scores["label"] for part in parts])
    np.testing.assert_array_equal(found[4:], expected[4:])
    assert np.isfinite(found).all(), "a row with no field at all gets a finite answer"
    two = changed(rows, {5: empty[2]})
    np.testing.assert_array_equal(model.predict_proba(two)[5], found[2])


def test_an_absent_column_is_missing_in_every_row_with_one_warning(model: pm.Predictor, rows: list[dict[str, Any]]) -> None:
    renamed = [{("Photos" if key == "photo" else key): value for key, value in row.items()} for row in rows]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = model.predict_proba(renamed)
    assert [str(one.message) for one in caught] == ["rows: no column 'photo'; missing in every row; did you mean 'photo' by 'Photos'?"]
    np.testing.assert_array_equal(found, model.predict_proba([{**row, "photo": None} for row in rows]))
    with pytest.raises(pm.DataError, match=r"no column 'photo'; expected .*; rename the columns; did you mean 'photo' by 'Photos'\?$"):
        model.predict(renamed, strict=True)
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        assert set(model.evaluate(renamed)["hidden"]) == {"标题", "columns"}


def test_a_table_with_no_field_left_is_refused(model: pm.Predictor) -> None:
    with pytest.raises(pm.DataError, match="no column 'photo', '标题'"):
        model.predict([{"label": "red", "x": 1}])


def test_an_empty_table(model: pm.Predictor) -> None:
    none: dict[str, list[Any]] = {name: [] for name in [*COLUMNS, "label"]}
    assert model.predict_proba(none).shape == (0, 3)
    assert len(model.predict(none)) == 0
    with pytest.raises(pm.DataError, match="no rows"):
        model.evaluate(none)


def test_embeddings_are_a_row_each(model: pm.Predictor, rows: list[dict[str, Any]]) -> None:
    found = model.embed(rows)
    assert found.shape[0] == 70
    assert found.dtype == np.float32
    np.testing.assert_array_equal(model.embed(rows[10:20]), found[10:20])
    assert np.isfinite(model.embed([dict.fromkeys(COLUMNS)])).all()


def test_evaluate_agrees_with_predict(model: pm.Predictor, rows: list[dict[str, Any]], expected: np.ndarray) -> None:
    measured = model.evaluate(rows)
    right = model.predict(rows) == np.array([row["label"] for row in rows])
    assert measured["tasks"]["label"]["accuracy"] == pytest.approx(right.mean())
    hidden = model.predict([{**row, "photo": None} for row in rows]) == np.array([row["label"] for row in rows])
    assert measured["hidden"]["photo"]["label"]["accuracy"] == pytest.approx(hidden.mean())
    assert measured == pm.evaluate(model, rows)
    one = model.evaluate([row for row in rows if row["label"] == "red"])
    assert one["tasks"]["label"]["roc_auc"] is None
    assert "two classes" in one["undefined"]["label.roc_auc"]
    part = model.evaluate(changed(rows, {0: {"label": ""}, 1: {"label": None}}))
    assert part["without_target"] == {"label": 2}
    assert part["measured"] == {"label": 68}
    assert "unreadable" not in part
    assert not {"measured", "without_target", "unreadable"} & set(measured)
    with pytest.raises(pm.DataError, match="no column 'label'"):
        model.evaluate([{"photo": "x"}])


# -- where paths lead, and where warnings point ----------------------------------------------------------------------------


def test_one_row_as_a_dict_of_values_is_one_answer(model: pm.Predictor, rows: list[dict[str, Any]], expected: np.ndarray) -> None:
    np.testing.assert_array_equal(model.predict_proba(rows[7]), expected[7:8])
    np.testing.assert_array_equal(model.predict_proba({name: [row[name] for row in rows] for name in COLUMNS}), expected)
    np.testing.assert_array_equal(model.predict_proba(pandas.DataFrame(rows).iloc[7]), expected[7:8])
    with pytest.raises(pm.DataError, match=r"found a list of str; .*\{'photo': \[...\]\}"):
        model.predict(["photos/1.png"])


def test_paths_of_a_table_in_memory_lie_below_the_training_table_s_folder(
    shop_run: Path, shop_folder: Path, rows: list[dict[str, Any]], expected: np.ndarray, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for table in (rows, pandas.DataFrame(rows)):
            np.testing.assert_array_equal(pm.load(shop_run).predict_proba(table), expected)
    assert pm.load(shop_run).trained_in == pm.load(shop_run / "bundle").trained_in == [str(shop_folder.resolve())]
    (tmp_path / "photos").mkdir()
    for row in rows[:10]:
        (tmp_path / row["photo"]).write_bytes((shop_folder / rows[0]["photo"]).read_bytes())
    given = pm.load(shop_run).predict_proba(rows[:10], root=[tmp_path])
    np.testing.assert_array_equal(given, pm.load(shop_run).predict_proba([{**row, "photo": rows[0]["photo"]} for row in rows[:10]]))


def test_one_folder_is_a_folder_and_not_its_characters(
    shop_run: Path, shop_folder: Path, rows: list[dict[str, Any]], expected: np.ndarray, homeless: pm.Predictor, tmp_path: Path
) -> None:
    outside = [{**row, "photo": str(shop_folder / row["photo"])} for row in rows[:3]]
    for root in (str(shop_folder), shop_folder):
        np.testing.assert_array_equal(homeless.predict_proba(rows, root=root), expected)
        np.testing.assert_array_equal(pm.load(tmp_path / "copied", root=root).predict_proba(rows), expected)
        assert pm.inspect(rows, target="label", root=root).text().count("image") == 1
    with pytest.warns(UserWarning, match="a path outside every root"):
        (told,) = homeless.predictions(outside, root=str(tmp_path), on_error="blank")
    assert ["outside every root" in fault for fault in told.faults] == [True] * 3, "'/' is a character of the path, and no root"
    assert Roots(str(shop_folder)).folders == Roots([shop_folder]).folders == [str(shop_folder.resolve())]


def test_a_column_that_is_left_out_by_its_name_is_one_column() -> None:
    rows = [{"id": at, "i": at % 2, "d": at % 7, "y": "ab"[at % 2]} for at in range(40)]
    roles = {column.name: column.role for column in pm.inspect(rows, target="y", ignore="id").columns}
    assert [name for name, role in roles.items() if role == "ignored"] == ["id"]


@pytest.fixture
def homeless(shop_run: Path, tmp_path: Path) -> pm.Predictor:
    """A model whose bundle was copied out of its run: it grants no folder of its own, whatever it says of its table."""
    shutil.copytree(shop_run / "bundle", tmp_path / "copied")
    model = pm.load(tmp_path / "copied")
    assert model.trained_in == []
    experiment = model.bundle.experiment
    model.bundle.experiment = experiment.model_copy(update={"data": experiment.data.model_copy(update={"root": ["/"]})})
    return model


def test_paths_below_no_folder_are_an_error_that_names_root(
    homeless: pm.Predictor, shop_folder: Path, rows: list[dict[str, Any]], expected: np.ndarray
) -> None:
    said = r"^rows, field 'photo', column 'photo': 70 of 70 cells are paths, and this table has no folder; expected root=\.\.\. \(--root\)"
    for verb in (homeless.predict, homeless.predict_proba, homeless.embed, homeless.evaluate, lambda rows: pm.explain(homeless, rows)):
        with pytest.raises(pm.DataError, match=said):
            verb(rows)
    folders: list[Any] = [[shop_folder], shop_folder, str(shop_folder)]
    for root in folders:
        np.testing.assert_array_equal(homeless.predict_proba(rows, root=root), expected)
    pictures = [{**row, "photo": (shop_folder / row["photo"]).read_bytes()} for row in rows]
    np.testing.assert_array_equal(homeless.predict_proba(pictures), expected)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        blank = homeless.predict_proba(rows, on_error="blank")
        few = homeless.predict_proba([*pictures[:65], *rows[65:]])
    np.testing.assert_array_equal(blank, homeless.predict_proba([{**row, "photo": None} for row in rows]))
    np.testing.assert_array_equal(few, np.concatenate([expected[:65], blank[65:]]))
    assert all("a path, but this table has no folder; pass root=" in str(one.message) for one in caught)


def test_several_pictures_below_no_folder(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    rng = np.random.default_rng(0)
    table = [
        {
            "p": ";".join(picture(tmp_path / "p" / f"{at}{part}.png", (200 * (at % 2), 9, 9), rng) for part in "ab"),
            "x": at % 7,
            "y": "ab"[at % 2],
        }
        for at in range(40)
    ]
    settings = ("training.epochs=1", "training.baselines=false", "model.width=8", "data.split.kind=random", "fields.p.size=16")
    model = pm.train(table, *settings, target="y", columns={"p": "pictures"}, root=[tmp_path])
    assert len(model.predict(table)) == 40
    model.root = []
    with pytest.raises(pm.DataError, match="field 'p', column 'p': 40 of 40 cells are paths"):
        model.predict(table)


def test_warnings_point_at_the_line_that_asked(model: pm.Predictor, rows: list[dict[str, Any]], shop_run: Path, shop_folder: Path) -> None:
    strange = [{key: value for key, value in {**row, "price": 1e6}.items() if key != "region"} for row in rows]
    verbs: list[Callable[[], Any]] = [
        lambda: model.predict(strange),
        lambda: model.predict_proba(strange),
        lambda: model.predict_sets(strange),
        lambda: model.embed(strange),
        lambda: model.evaluate(strange),
        lambda: list(model.predictions(strange)),
        lambda: pm.evaluate(model, strange),
        lambda: pm.evaluate(shop_run, strange, root=[shop_folder]),
    ]
    for verb in verbs:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            verb()
        assert [one.filename for one in caught] == [__file__] * 2
        assert {one.lineno for one in caught} == {verb.__code__.co_firstlineno}
        assert "no column 'region'" in str(caught[0].message)
        assert "column 'price': 70 of 70 numbers" in str(caught[1].message)


# -- the command ---------------------------------------------------------------------------------------------------------


def run(*words: Any) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def read_back(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".parquet":
        return parquet.read_table(path).to_pylist()  # type: ignore[no-any-return]
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("policy", ["blank", "skip"])
def test_predictions_are_written_one_row_for_each(
    tmp_path: Path, shop_run: Path, shop_folder: Path, rows: list[dict[str, Any]], expected: np.ndarray, ending: str, policy: str
) -> None:
    table = write_csv(
        tmp_path / "in.csv", COLUMNS, [[row[name] for name in COLUMNS] for row in changed(rows, {3: BROKEN[3], 9: {"price": ""}})]
    )
    out = tmp_path / f"out.{ending}"
    result = run("predict", shop_run, table, "-o", out, "--root", shop_folder, "--on-error", policy)
    assert result.exit_code == 0, result.output
    found = read_back(out)
    assert list(found[0]) == ["row", "label", "label:blue", "label:green", "label:red", "present", "faults"]
    assert [int(record["row"]) for record in found] == list(range(1, 71))
    assert found[3]["faults"] == "photo: no such file 'photos/none.png' under the table's folder (--root adds folders)"
    assert found[3]["present"] == ("标题;columns" if policy == "blank" else "")
    assert found[9]["faults"] == ""
    assert found[9]["present"] == "photo;标题;columns"
    scores = np.array([[float(record[f"label:{name}"] or "nan") for name in ("blue", "green", "red")] for record in found], np.float32)
    others = [at for at in range(70) if at not in (3, 9)]
    np.testing.assert_array_equal(scores[others], expected[others])
    assert (found[3]["label"] in (None, "")) == (policy == "skip")
    assert [found[at]["label"] for at in others] == [("blue", "green", "red")[at] for at in expected[others].argmax(1)]
    again = run("predict", shop_run, table, "-o", out)
    assert again.exit_code == 2
    assert "--overwrite" in again.output


def test_nothing_that_is_written_as_csv_is_a_formula(tmp_path: Path) -> None:
    labels = ["=cmd|' /C calc'!A0", "+1+1", "-2", "@SUM(A1)", "\tx", "＝1", "plain"]
    rows = [{"=x": labels[at % 7][1:] + " word", "y": at % 7, "@t": labels[at % 7], "-n": 0.5 * at} for at in range(140)]
    rows[3]["-n"] = "=1+1"
    out = tmp_path / "run"
    model = pm.train(rows, "training.epochs=8", "data.split.folds=2", "training.baselines=false", target="@t", out=out)
    assert model.evaluate(rows)["tasks"]["@t"]["accuracy"] > 0.9
    table = write_csv(tmp_path / "in.csv", ["=x", "y", "-n"], [[row["=x"], row["y"], row["-n"]] for row in rows[:7]])
    for ending in ("csv", "jsonl"):
        assert run("predict", out, table, "-o", tmp_path / f"out.{ending}").exit_code == 0
    text = (tmp_path / "out.csv").read_text(encoding="utf-8")
    cells = [cell for line in csv.reader(text.splitlines()) for cell in line]
    assert not [cell for cell in cells if cell[:1] in tuple("=+@\t\r＝") or (cell[:1] == "-" and cell != "-2")]
    answers = [record["@t"] for record in read_back(tmp_path / "out.jsonl")]
    assert [record["'@t"] for record in read_back(tmp_path / "out.csv")] == [
        label if label in ("-2", "plain", "x") else f"'{label}" for label in answers
    ]
    faults = (out / "faults.csv").read_text(encoding="utf-8")
    assert "4,'-n,found '=1+1'; expected a finite number" in faults


def test_predictions_of_no_rows_have_their_columns(tmp_path: Path, shop_run: Path) -> None:
    table = write_csv(tmp_path / "in.csv", COLUMNS, [])
    for ending in ("csv", "parquet", "jsonl"):
        out = tmp_path / f"out.{ending}"
        assert run("predict", shop_run, table, "-o", out).exit_code == 0
        assert read_back(out) == []
    assert (tmp_path / "out.csv").read_text().strip() == "row,label,label:blue,label:green,label:red,present,faults"
    assert parquet.read_table(tmp_path / "out.parquet").column_names[:2] == ["row", "label"]


def test_parquet_keeps_its_types_when_the_first_thousands_of_rows_were_skipped(tmp_path: Path, shop_run: Path, shop_folder: Path) -> None:
    table = write_csv(tmp_path / "in.csv", COLUMNS, [["none.png", "", "", ""]] * 4100 + [["", "红色", "5", "north"]] * 3)
    result = run("predict", shop_run, table, "-o", tmp_path / "out.parquet", "--on-error", "skip")
    assert result.exit_code == 0, result.output
    found = parquet.read_table(tmp_path / "out.parquet")
    assert found.num_rows == 4103
    assert str(found.schema.field("label:red").type) == "double"
    assert found["label:red"].null_count == 4100


def test_one_row_given_as_json(shop_run: Path, shop_folder: Path, rows: list[dict[str, Any]], expected: np.ndarray) -> None:
    result = run("predict", shop_run, "--root", shop_folder, "--row", json.dumps({name: rows[7][name] for name in COLUMNS}))
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert list(record) == ["row", "label", "label:blue", "label:green", "label:red", "present", "faults"]
    assert np.float32(record["label:red"]) == expected[7][2]
    part = run("predict", shop_run, "--row", '{"标题": "红色"}')
    assert json.loads(part.stdout)["present"] == "标题"
    assert "warning: " in part.stderr


def test_evaluate_json_prints_one_object_and_nothing_else(shop_run: Path, shop_folder: Path) -> None:
    result = run("evaluate", shop_run, shop_folder / "other.csv", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert list(found) == ["rows", "tasks", "hidden"]
    assert found["rows"] == 70
    assert set(found["tasks"]["label"]) == {"accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "log_loss", "ece"}
    assert set(found["hidden"]) == {"photo", "标题", "columns"}
    assert found["tasks"] == pm.load(shop_run).evaluate(shop_folder / "other.csv")["tasks"]
    assert "accuracy" in run("evaluate", shop_run / "bundle", shop_folder / "other.csv").stdout


Words = list[Any]


def mistakes() -> dict[str, tuple[Callable[[Path, Path, Path], Words], str]]:
    """By name: the command (given the run, the shop and an empty folder), and what its message says."""
    return {
        "missing table": (lambda run, shop, tmp: ["train", shop / "shp.csv", "--target", "label", "-o", tmp / "r"], "did you mean 'shop.csv'"),
        "missing run": (lambda run, shop, tmp: ["predict", tmp / "none", shop / "shop.csv", "-o", tmp / "o.csv"], "no such folder"),
        "no bundle": (lambda run, shop, tmp: ["evaluate", tmp, shop / "shop.csv"], "contains no bundle.json"),
        "unknown target": (lambda run, shop, tmp: ["train", shop / "shop.csv", "--target", "lable", "-o", tmp / "r"], "did you mean 'label'"),
        "no target": (lambda run, shop, tmp: ["train", shop / "shop.csv", "-o", tmp / "r"], "--target COL"),
        "unknown ignore": (lambda run, shop, tmp: ["train", shop / "shop.csv", "--target", "label", "--ignore", "pirce", "-o", tmp / "r"], "'price'"),
        "unknown modality": (lambda run, shop, tmp: ["inspect", shop / "shop.csv", "--column", "price=nubmer"], "did you mean 'number'"),
        "bad column flag": (lambda run, shop, tmp: ["inspect", shop / "shop.csv", "--column", "price"], "NAME=MODALITY"),
        "unknown setting": (lambda run, shop, tmp: ["train", shop / "shop.csv", "trainig.lr=1", "--target", "label", "-o", tmp / "r"], "did you mean 'training'"),
        "no override": (lambda run, shop, tmp: ["train", shop / "shop.csv", "fast", "--target", "label", "-o", tmp / "r"], "path=value"),
        "bad time": (lambda run, shop, tmp: ["train", shop / "shop.csv", "--target", "label", "--time-limit", "soon", "-o", tmp / "r"], "90s, 5m or 1h30m"),
        "existing run": (lambda run, shop, tmp: ["train", shop / "shop.csv", "--target", "label", "-o", run], "--overwrite"),
        "not a run": (lambda run, shop, tmp: ["train", shop / "shop.csv", "--target", "label", "-o", shop, "--overwrite"], "not a run"),
        "unknown ending": (lambda run, shop, tmp: ["predict", run, shop / "shop.csv", "-o", tmp / "o.xlsx"], ".parquet"),
        "no out": (lambda run, shop, tmp: ["predict", run, shop / "shop.csv"], "-o OUT"),
        "nothing to predict": (lambda run, shop, tmp: ["predict", run], "--row JSON"),
        "bad row": (lambda run, shop, tmp: ["predict", run, "--row", "{"], "not valid JSON"),
        "row of a list": (lambda run, shop, tmp: ["predict", run, "--row", "[1]"], "expected an object"),
        "no field left": (lambda run, shop, tmp: ["predict", run, "--row", '{"x": 1}'], "no column"),
        "strict": (lambda run, shop, tmp: ["predict", run, "--strict", "--row", '{"price": 1}'], "no column 'photo'"),
        "no such command": (lambda run, shop, tmp: ["trian"], "did you mean 'train'"),
        "missing yaml": (lambda run, shop, tmp: ["train", tmp / "run.yaml"], "no such file"),
        "existing yaml": (lambda run, shop, tmp: ["init", shop / "shop.csv", "--target", "label", "-o", run / "run.yaml"], "--overwrite"),
        "cannot write": (lambda run, shop, tmp: ["predict", run, shop / "shop.csv", "-o", tmp / "no" / "o.csv"], "cannot be written"),
        "bad policy": (lambda run, shop, tmp: ["predict", run, shop / "shop.csv", "-o", tmp / "o.csv", "--on-error", "ignore"], "blank"),
        "evaluate without target": (lambda run, shop, tmp: ["evaluate", run, write_csv(tmp / "t.csv", COLUMNS, [["", "a", 1, "x"]])], "no column 'label'"),
        "one class": (lambda run, shop, tmp: ["train", write_csv(tmp / "t.csv", ["a", "y"], [[at, "x"] for at in range(30)]), "--target", "y", "-o", tmp / "r"], "only one class, 'x'"),
        "all unreadable": (lambda run, shop, tmp: ["train", write_csv(tmp / "t.csv", ["p", "q", "y"], [[f"{at}.png", at % 5, at % 2] for at in range(40)]), "--target", "y", "-o", tmp / "r"], "40 of 40 cells cannot be read (first in row 1: no such file '0.png' under "),
        "stop at the first fault": (lambda run, shop, tmp: ["train", write_csv(tmp / "t.csv", ["p", "q", "y"], [[f"{at}.png", at % 5, at % 2] for at in range(40)]), "--target", "y", "-o", tmp / "r", "--on-error", "error"], "row 1, column 'p': no such file '0.png'"),
        "nothing to learn from": (lambda run, shop, tmp: ["train", write_csv(tmp / "t.csv", ["a", "y"], [["same", at % 2] for at in range(30)]), "--target", "y", "-o", tmp / "r"], "no column to learn from"),
        "every target another": (lambda run, shop, tmp: ["train", write_csv(tmp / "t.csv", ["a", "y"], [[at % 3, f"v{at}"] for at in range(60)]), "--target", "y", "-o", tmp / "r"], "60 different values"),
    }  # fmt: skip


def test_predictions_are_printed_as_csv(shop_run: Path, shop_folder: Path, tmp_path: Path) -> None:
    table = shop_folder / "other.csv"
    written = run("predict", shop_run, table, "-o", tmp_path / "out.csv")
    assert written.exit_code == 0
    printed = run("predict", shop_run, table, "-o", "-")
    assert printed.exit_code == 0
    assert printed.stdout.splitlines() == (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert len(printed.stdout.splitlines()) == 71
    one = run("predict", shop_run, "--row", '{"price": 1}', "-o", "-")
    assert [list(json.loads(line))[:2] for line in one.stdout.splitlines()] == [["row", "label"]]


@pytest.mark.parametrize("name", list(mistakes()))
def test_a_mistake_is_one_message_and_exit_code_2(shop_run: Path, shop_folder: Path, tmp_path: Path, name: str) -> None:
    words, said = mistakes()[name]
    result = run(*words(shop_run, shop_folder, tmp_path))
    assert result.exit_code == 2, (result.output, result.exception)
    assert isinstance(result.exception, SystemExit)
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert (shop_run / "bundle" / "bundle.json").exists()


def test_the_installed_command_exits_with_2_and_no_traceback(shop_folder: Path) -> None:
    command = [sys.executable, "-m", "polymodal.cli.main", "inspect", str(shop_folder / "shop.csv"), "--target", "lable"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert "did you mean 'label'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_help_version_and_schema() -> None:
    assert run("--version").stdout.strip() == f"polymodal, version {pm.__version__}"
    for command in ("inspect", "init", "train", "evaluate", "predict", "demo", "schema"):
        assert run(command, "--help").exit_code == 0
    flags = run("train", "--help").stdout
    for path in ("data.split.group", "data.split.column", "data.root", "training.time_limit", "data.on_error", "data.valid", "data.test"):
        assert path in flags, "a flag names its config path"
    assert json.loads(run("schema").stdout)["title"] == "Experiment"


@pytest.mark.parametrize("order", [["label:a", "label"], ["label", "label:a"]])
def test_columns_of_several_targets_never_take_each_other_s_name(tmp_path: Path, order: list[str]) -> None:
    rows = [{"x": 0.5 * at, "label:a": 100.0 + at, "label": "ab"[at % 2]} for at in range(60)]
    pm.train(rows, "training.epochs=2", "data.split.folds=2", "training.baselines=false", target=order, out=tmp_path / "run")
    table = write_csv(tmp_path / "in.csv", ["x"], [[at] for at in range(5)])
    for ending in ("jsonl", "csv", "parquet"):
        assert run("predict", tmp_path / "run", table, "-o", tmp_path / f"out.{ending}").exit_code == 0
        found = read_back(tmp_path / f"out.{ending}")[0]
        assert set(found) == {"row", "label:a", "label", "label:a_", "label:b", "present", "faults"}
        assert float(found["label:a"]) > 50
        assert 0 <= float(found["label:a_"]) <= 1


@pytest.mark.parametrize("row", ["[" * 100_000, '{"a": ' * 50_000, "NaN", "3", "{"])
def test_a_row_that_is_no_object_is_one_message(shop_run: Path, row: str) -> None:
    found = run("predict", shop_run, "--row", row)
    assert found.exit_code == 2
    assert "--row" in found.output
