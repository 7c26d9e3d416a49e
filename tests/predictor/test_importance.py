"""Permutation importance of fields and columns, and what a model prints about itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

import polymodal as pm
from builders.tiny import tiny
from polymodal.errors import ConfigError, DataError
from polymodal.predictor import importance, repeated
from polymodal.predictor.importance import rows_to_measure

KEYS = [
    "name", "kind", "fields", "metric", "importance", "error", "spread", "loss_importance", "loss_error", "loss_spread", "rows", "repeats",
]  # fmt: skip

QUICK = ("model.trees.rounds=100", "model.trees.boosters=1", "training.lr=1e-2")


def numbers(rows: int = 300, seed: int = 0) -> dict[str, list[Any]]:
    """Columns of which ``strong`` decides the target, ``weak`` changes it a little, and ``none`` does not; ``twice`` is ``strong`` again."""
    rng = np.random.default_rng(seed)
    strong, weak, none = rng.normal(size=(3, rows))
    return {"strong": strong.tolist(), "weak": weak.tolist(), "none": none.tolist(), "y": (strong + 0.3 * weak).tolist()}


@pytest.fixture(scope="module")
def regressor() -> pm.Predictor:
    """A model of the three columns."""
    return pm.train(numbers(), *QUICK, "training.epochs=10", target="y", preset="fast")


def by_name(records: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in records if one["kind"] == kind}


def test_the_columns_of_a_field_are_permuted_by_themselves(regressor: pm.Predictor) -> None:
    records = regressor.feature_importance(numbers(300, seed=1))
    assert [list(one) for one in records] == [KEYS] * 4
    assert [(one["kind"], one["name"]) for one in records] == [
        ("field", "columns"),
        ("column", "strong"),
        ("column", "weak"),
        ("column", "none"),
    ]
    columns = by_name(records, "column")
    assert columns["strong"]["importance"] > 1.0, "r2 falls from about 1 to about -1"
    assert 0.02 < columns["weak"]["importance"] < 0.4
    assert abs(columns["none"]["importance"]) < 0.02
    assert columns["strong"]["loss_importance"] > 5 * columns["weak"]["loss_importance"] > 0
    assert all(one["metric"] == "r2" and one["rows"] == 300 and one["repeats"] == 5 for one in records)
    assert 0 < columns["strong"]["spread"] < 0.5


def test_a_model_that_adds_columns_loses_what_theory_states(regressor: pm.Predictor) -> None:
    """Exchanging independent cells of variance v that a model multiplies by a adds 2 a² v to the squared error (Fisher et al. 2019)."""
    table = numbers(300, seed=1)
    columns = by_name(regressor.feature_importance(table, by="column", repeats=10), "column")
    variance = np.var(table["y"])
    assert columns["strong"]["importance"] == pytest.approx(2 * np.var(table["strong"]) / variance, rel=0.1)
    assert columns["weak"]["importance"] == pytest.approx(2 * 0.09 * np.var(table["weak"]) / variance, rel=0.2)


def test_the_seed_decides_the_result(regressor: pm.Predictor) -> None:
    table = numbers(60, seed=2)
    assert regressor.feature_importance(table) == regressor.feature_importance(table)
    assert regressor.feature_importance(table) != regressor.feature_importance(table, seed=1)
    assert regressor.feature_importance(table, repeats=1)[0]["spread"] is None


def test_rows_are_measured_in_parts_and_at_most_as_many_as_requested(regressor: pm.Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    table = numbers(300, seed=1)
    whole = by_name(regressor.feature_importance(table), "column")
    monkeypatch.setattr(repeated, "MOST_ROWS", 64)
    parts = by_name(regressor.feature_importance(table), "column")
    assert parts["strong"]["rows"] == 300
    for name in ("strong", "weak"):
        assert parts[name]["importance"] == pytest.approx(whole[name]["importance"], rel=0.25)
    assert regressor.feature_importance(table, max_rows=50)[0]["rows"] == 50


def test_of_targets_of_very_many_classes_fewer_rows_are_measured(regressor: pm.Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = regressor.bundle.tasks
    assert rows_to_measure(2_000, tasks, 10, 5) == 2_000, "a number has one logit"
    monkeypatch.setattr(importance, "_KEPT_VALUES", 10)
    assert rows_to_measure(2_000, tasks, 10, 5) == repeated.MOST_ROWS


def test_fields_of_one_column_have_the_importance_of_the_column(model: pm.Predictor, rows: list[dict[str, Any]]) -> None:
    records = model.feature_importance(rows)
    fields, columns = by_name(records, "field"), by_name(records, "column")
    assert set(fields) == {"photo", "标题", "columns"}
    assert set(columns) == {"photo", "标题", "price", "region"}
    for name in ("photo", "标题"):
        assert columns[name] == {**fields[name], "kind": "column"}
    assert records[0]["name"] == "photo", "the class is its colour"
    assert records[0]["metric"] == "accuracy"
    assert records[0]["importance"] > 0.3
    assert columns["price"]["fields"] == ["columns"]
    assert {one["kind"] for one in model.feature_importance(rows, by="field")} == {"field"}
    assert {one["kind"] for one in model.feature_importance(rows, by="column")} == {"column"}


def test_a_column_that_is_absent_is_not_permuted(model: pm.Predictor, rows: list[dict[str, Any]]) -> None:
    table = [{name: row[name] for name in ("标题", "price", "label")} for row in rows]
    with pytest.warns(UserWarning, match="missing in every row"):
        records = model.feature_importance(table)
    assert {(one["kind"], one["name"]) for one in records} == {
        ("field", "标题"),
        ("field", "columns"),
        ("column", "标题"),
        ("column", "price"),
    }


def test_a_column_that_two_fields_read_is_permuted_in_both() -> None:
    rng = np.random.default_rng(0)
    words = [str(rng.choice(["apple", "river", "stone"])) for _ in range(200)]
    table = {"word": words, "number": rng.normal(size=200).tolist(), "y": [word == "river" for word in words]}
    fields = ["fields.word={kind: text, column: word}", "fields.columns={kind: tabular, columns: [word, number]}"]
    model = pm.train(table, *fields, *QUICK, "training.epochs=4", target="y", preset="fast")
    records = model.feature_importance(table)
    columns, alone = by_name(records, "column"), by_name(records, "field")
    assert columns["word"]["fields"] == ["columns", "word"]
    assert columns["word"]["loss_importance"] > max(one["loss_importance"] for one in alone.values())


def test_a_column_of_texts_before_a_frozen_backbone_is_read_again() -> None:
    rng = np.random.default_rng(0)
    words = ["apple", "river", "stone", "cloud", "music"]
    table: dict[str, list[Any]] = {name: [" ".join(rng.choice(words, 4)) for _ in range(80)] for name in ("one", "two")}
    table["y"] = ["apple" in text for text in table["one"]]
    encoder = f"model.encoders.words={{kind: pretrained, model: {tiny('bert')}}}"
    model = pm.train(
        table,
        "fields.words={kind: text, columns: [one, two]}",
        encoder,
        "training.epochs=12",
        "training.lr=1e-2",
        target="y",
        preset="fast",
    )
    records = model.feature_importance(table)
    fields_alone, columns = by_name(records, "field"), by_name(records, "column")
    assert columns["one"]["fields"] == ["one", "words"]
    assert columns["one"]["loss_importance"] > fields_alone["one"]["loss_importance"] > 0
    assert columns["one"]["loss_importance"] > 3 * abs(columns["two"]["loss_importance"])
    assert {one["field"]: one["frozen"] > 10_000 for one in model.summary().fields} == {"one": False, "two": False, "words": True}


def test_missing_cells_and_rows_without_a_target_and_several_targets() -> None:
    table = numbers(200)
    table["big"] = [None if at % 10 == 0 else value > 0 for at, value in enumerate(table["strong"])]
    table["weak"] = [None if at % 3 == 0 else value for at, value in enumerate(table["weak"])]
    model = pm.train(table, *QUICK, "training.epochs=3", target=["y", "big"], preset="fast")
    found = model.feature_importance(table)
    assert list(found) == ["y", "big"]
    assert (found["y"][0]["rows"], found["big"][0]["rows"]) == (200, 180)
    assert found["big"][0]["metric"] == "accuracy"
    assert max(found["big"], key=lambda one: one["importance"])["name"] in ("strong", "columns")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": "row"}, "by: found 'row'; expected 'field' or 'column'"), ({"repeats": 0}, "repeats: found 0"), ({"repeats": True}, "repeats"),
        ({"repeats": 2.0}, "repeats: found 2.0"), ({"max_rows": 1}, "max_rows: found 1; expected a whole number of 2 or more"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named(regressor: pm.Predictor, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        regressor.feature_importance(numbers(10), **arguments)


def test_a_table_without_targets_is_refused(regressor: pm.Predictor) -> None:
    table = numbers(10)
    with pytest.raises(DataError, match="no column 'y'"):
        regressor.feature_importance({name: table[name] for name in ("strong", "weak", "none")})
    with pytest.raises(DataError, match="no row has a target"):
        regressor.feature_importance(table | {"y": [None] * 10})
    with pytest.raises(DataError, match="no rows"):
        regressor.feature_importance({name: [] for name in table})


# What a model prints about itself


def test_the_summary_states_targets_fields_size_and_training(model: pm.Predictor, shop_run: Path) -> None:
    summary = model.summary()
    assert [(one["field"], one["kind"], one["encoder"], one["columns"]) for one in summary.fields] == [
        ("photo", "image", "convnet", ["photo"]), ("标题", "text", "bag", ["标题"]), ("columns", "tabular", "tabular", ["price", "region"]),
    ]  # fmt: skip
    first = model.bundle.members[0]
    encoders = {
        name: sum(value.numel() for value in encoder.parameters()) for name, encoder in zip(first.names, first.encoders, strict=True)
    }
    assert {one["field"]: one["parameters"] for one in summary.fields} == {name: 2 * count for name, count in encoders.items()}
    assert list(summary.facts) == ["target", "measured", "fusion", "members", "trained", "size", "run"]
    assert summary.facts["target"].startswith("label (multiclass): 3 classes")
    assert summary.facts["measured"].startswith("accuracy ")
    assert summary.facts["members"] == "2 models with 2 networks"
    assert summary.facts["trained"].startswith("on 120 rows")
    assert f"{sum(value.numel() for member in model.bundle.members for value in member.parameters()):,} parameters" in summary.facts["size"]
    assert summary.facts["run"] == str(shop_run)


def test_a_model_prints_on_one_screen_of_80_columns(model: pm.Predictor) -> None:
    lines = repr(model).splitlines()
    assert len(lines) <= 24
    assert max(map(cell_len, lines)) <= 80
    assert repr(model) == str(model) == repr(model.summary())


def test_a_model_of_hostile_columns_prints_them_harmlessly() -> None:
    name = '<img src=x onerror="alert(1)">\x1b[2J'
    rng = np.random.default_rng(0)
    table = {name: rng.normal(size=40).tolist(), **{f"column {at}": rng.normal(size=40).tolist() for at in range(30)}}
    table["<b>y</b>"] = rng.choice(["<i>a</i>", "b"], 40).tolist()
    model = pm.train(table, "training.epochs=1", target="<b>y</b>", preset="fast")
    profile = pm.inspect(table, target="<b>y</b>")
    shown = [model, model.summary(), model.leaderboard(), model.feature_importance(table, repeats=1), model.report()]
    for one in shown:
        assert "\x1b" not in repr(one)
        assert max(map(cell_len, repr(one).splitlines())) <= 100
    for one in (*shown, profile):
        page = one._repr_html_()
        for tag in ("<img", "<b>y", "<i>a", "<script"):
            assert tag not in page
    assert len(repr(model).splitlines()) <= 24


def test_a_profile_prints_its_text(shop_folder: Path) -> None:
    profile = pm.inspect(shop_folder / "shop.csv", target="label")
    assert repr(profile) == str(profile) == profile.text()


def test_the_leaderboard_prints_as_a_table_with_the_members_if_requested(model: pm.Predictor) -> None:
    board = model.leaderboard()
    assert board == model.metrics["leaderboard"]["label"]
    assert repr(board).splitlines()[0] == "label: measured on validation rows, the best first"
    assert max(map(cell_len, repr(board).splitlines())) <= 80
    members = model.leaderboard(members=True)[len(board) :]
    assert [(one["name"], one["kind"], one["metric"]) for one in members] == [
        ("model 1", "member", "accuracy"),
        ("model 2", "member", "accuracy"),
    ]
    whole = next(one for one in board if one["kind"] == "model")
    assert sum(one["rows"] for one in members) == whole["rows"]
    assert sum(one["value"] * one["rows"] for one in members) / whole["rows"] == pytest.approx(whole["value"])


def test_the_report_is_that_of_the_run(model: pm.Predictor, shop_run: Path, tmp_path: Path) -> None:
    report = model.report()
    assert report.html == (shop_run / "report.html").read_text(encoding="utf-8")
    assert report.path == shop_run / "report.html"
    assert str(report.path) in repr(report)
    frame = report._repr_html_()
    assert frame.startswith('<iframe srcdoc="&lt;!DOCTYPE html&gt;')
    assert 'sandbox=""' in frame
    assert frame.count("<") == 2, "everything in the frame is escaped"
    assert 'lang="zh-Hans"' in model.report("zh").html
    assert report.save(tmp_path / "page.html").read_text(encoding="utf-8") == report.html
    with pytest.raises(pm.UserError, match="nowhere"):
        report.save(tmp_path / "nowhere" / "page.html")


def test_a_model_without_a_run_has_a_report_of_its_metrics(regressor: pm.Predictor) -> None:
    report = regressor.report()
    assert report.path is None
    assert f"{regressor.leaderboard()[0]['value']:.4f}" in report.html
    assert "save('report.html')" in repr(report)


def test_a_model_that_was_not_measured_prints_and_has_no_report(regressor: pm.Predictor, tmp_path: Path) -> None:
    regressor.save(tmp_path)
    other = pm.load(tmp_path)
    other.bundle.metrics = {}
    assert "unknown: the model was not measured" in repr(other)
    assert other.leaderboard() == []
    with pytest.raises(DataError, match="no metrics"):
        other.report()


def test_the_standard_error_is_the_deviation_over_tables(regressor: pm.Predictor) -> None:
    """Of forty tables of 60 rows; the deviation over permutations of the same rows is less than half of it for the weak column."""
    found = [regressor.feature_importance(numbers(60, seed=10 + at), by="column", seed=at) for at in range(40)]
    for name in ("strong", "weak"):
        records = [by_name(one, "column")[name] for one in found]
        for value, error in (("importance", "error"), ("loss_importance", "loss_error")):
            deviation = np.std([one[value] for one in records], ddof=1)
            assert 0.7 < np.mean([one[error] for one in records]) / deviation < 1.4, (name, value)
    assert np.mean([one["spread"] for one in records]) < 0.6 * np.std([one["importance"] for one in records], ddof=1)


def test_an_error_is_not_0_where_no_permutation_changes_a_class(model: pm.Predictor, rows: list[dict[str, Any]]) -> None:
    columns = by_name(model.feature_importance(rows), "column")
    unchanged = [one for one in columns.values() if one["spread"] == 0.0]
    assert unchanged, "the class is the colour of the photo"
    for one in unchanged:
        assert one["importance"] == 0.0
        assert one["error"] == pytest.approx(2**0.5 / len(rows))
    shown = str(model.feature_importance(rows))
    assert f"0.0000 ± {2**0.5 / len(rows):.4f}" in shown
    assert "± 0.0000" not in shown.replace("0.0000 ± 0.0000\n", ""), "an error above 0 is not shown as 0"
    assert shown.splitlines()[-2:] == [
        "±: the standard error; of a metric from 0 to 1, wider than the binomial one on", "few rows (Bonett and Price 2012)",
    ]  # fmt: skip
    assert "<small>±: the standard error; of a metric" in model.feature_importance(rows)._repr_html_()


def test_one_row_and_one_repeat_have_no_error_or_a_wider_one(regressor: pm.Predictor) -> None:
    table = numbers(60, seed=2)
    once, often = (by_name(regressor.feature_importance(table, repeats=repeats), "column")["strong"] for repeats in (1, 10))
    assert once["error"] > often["error"] > 0
    assert regressor.feature_importance({name: cells[:1] for name, cells in table.items()})[0]["loss_error"] is None


def test_a_summary_names_only_what_the_model_has(regressor: pm.Predictor, model: pm.Predictor) -> None:
    assert regressor.summary().facts["size"].endswith(" MB with trees")
    assert not any(member.trees is not None for member in model.bundle.members)
    assert model.summary().facts["size"].endswith(" MB")
