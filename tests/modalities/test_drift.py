"""Tests of tables that differ from the training table: one warning with numbers, and predictions in any case."""

from __future__ import annotations

import datetime
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polymodal as pm
from polymodal.flow import State
from polymodal.modalities import Roots, Tabular, TabularConfig
from polymodal.modalities.drift import ColumnDrift

SETTINGS = ("training.epochs=2", "data.split.folds=2", "training.baselines=false", "model.width=16")


def row(at: int, **changes: Any) -> dict[str, Any]:
    day = datetime.date(2024, 1, 1) + datetime.timedelta(at)
    return {"weight": 10 + at % 20, "shop": ["north", "south", "east"][at % 3], "day": str(day), "言": f"word {at % 5} here", **changes}


@pytest.fixture(scope="module")
def model() -> pm.Predictor:
    rows = [{**row(at), "label": "ab"[at % 2]} for at in range(80)]
    return pm.train(rows, *SETTINGS, target="label", columns={"day": "date", "言": "text"})


def told(model: pm.Predictor, rows: Any, **options: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scores = model.predict_proba(rows, **options)
    assert np.isfinite(scores).all()
    return [str(warning.message) for warning in caught]


def test_a_table_like_training_is_told_nothing(model: pm.Predictor) -> None:
    assert told(model, [row(at) for at in range(200, 280)]) == [], "later dates are no drift"
    assert told(model, [row(at, extra=at, label="a") for at in range(30)]) == [], "extra columns are not looked at"
    assert told(model, [dict(reversed(row(at).items())) for at in range(30)]) == [], "nor is their order"
    assert told(model, [row(5)]) == []
    assert told(model, [row(5, weight=31)]) == [], "a little above what was seen is no other unit"


def test_another_unit_is_told_with_numbers(model: pm.Predictor) -> None:
    assert told(model, [row(at, weight=1000 * (10 + at % 20)) for at in range(70)]) == [
        "rows, column 'weight': 70 of 70 numbers are outside the range of the training rows (10 to 29); here 10,000 to 29,000, mean 1.879e+04, "
        "963 times that of training; check the unit"
    ]
    (line,) = told(model, [row(3, weight="13,000 ")])
    assert "1 of 1 number is" in line
    (line,) = told(model, [*(row(at) for at in range(1000)), *(row(at, weight=-500) for at in range(20))])
    assert "20 of 1,020 numbers are outside the range of the training rows (10 to 29); here -500 to 29" in line


def test_new_categories_are_told_by_name(model: pm.Predictor) -> None:
    rows = [row(at, shop=["north", "west", "west", "up"][at % 4]) for at in range(40)]
    assert told(model, rows) == [
        "rows, column 'shop': 30 of 40 cells have a category that fewer than two training rows have ('west', 'up'); they count as 'other'"
    ]
    many = told(model, [row(at, shop=f"shop {at}") for at in range(3_000)])
    assert "3,000 of 3,000 cells" in many[0]
    assert len(many[0]) < 250


def test_new_categories_are_reported_where_training_let_expect_fewer() -> None:
    config = TabularConfig(columns=["c"])
    state = Tabular.fit(config, [*"ab" * 40, *(f"rare {at}" for at in range(20))], "columns", {}, Roots())
    assert state["columns"][0]["rare"] == 0.2

    def lines(new: int, state: State) -> list[str]:
        table = Tabular(config, state, Roots())
        table.check()
        cells = ["a"] * (100 - new) + [f"other {at}" for at in range(new)]
        drift = table.drift()
        drift.see(cells, [table.read(cell) for cell in cells], np.arange(100))
        return drift.lines()

    assert lines(40, state) == []
    assert "41 of 100 cells have a category" in lines(41, state)[0]
    older = {"form": "columns", "columns": [{key: value for key, value in state["columns"][0].items() if key != "rare"}]}
    assert "1 of 100 cells have a category" in lines(1, older)[0]
    with pytest.raises(ValueError):
        Tabular(config, {"form": "columns", "columns": [{**state["columns"][0], "rare": 2}]}, Roots()).check()


def test_another_type_is_told_by_its_first_row(model: pm.Predictor) -> None:
    rows = [row(at, weight="heavy", day=at) for at in range(40)]
    found = told(model, rows)
    assert any(
        "column 'weight': 40 of 40 cells cannot be read (first in row 1: found 'heavy'; expected a finite number)" in line for line in found
    )
    assert any("column 'day': 40 of 40 cells cannot be read (first in row 1: found 0; expected a date" in line for line in found)
    assert told(model, [row(at, **({"weight": "heavy"} if at == 3 else {})) for at in range(100)]) == [], (
        "one of a hundred is in its row's faults"
    )


def test_a_renamed_column_is_offered_its_nearest_name(model: pm.Predictor) -> None:
    rows = [{("Weight_" if name == "weight" else name): value for name, value in row(at).items()} for at in range(10)]
    assert told(model, rows) == ["rows: no column 'weight'; missing in every row; did you mean 'weight' by 'Weight_'?"]
    with pytest.raises(pm.DataError, match=r"no column 'weight'; expected .*; rename the columns; did you mean 'weight' by 'Weight_'\?$"):
        model.predict(rows, strict=True)


def test_types_of_another_file_format_are_no_drift(model: pm.Predictor, tmp_path: Path) -> None:
    import pandas

    frame = pandas.DataFrame([row(at) for at in range(40)])
    frame["day"] = pandas.to_datetime(frame["day"])
    frame["shop"] = frame["shop"].astype("category")
    assert told(model, frame) == []
    frame.to_parquet(tmp_path / "t.parquet")
    frame.astype(str).to_csv(tmp_path / "t.csv", index=False)
    assert told(model, tmp_path / "t.parquet") == told(model, tmp_path / "t.csv") == []


def test_evaluate_tells_the_same(model: pm.Predictor) -> None:
    with pytest.warns(UserWarning, match="963 times that of training"):
        model.evaluate([{**row(at, weight=1000 * (10 + at % 20)), "label": "ab"[at % 2]} for at in range(70)])


def test_another_unit_within_the_old_range_is_told_and_heavy_tails_are_not() -> None:
    rng = np.random.default_rng(0)
    settings = ("training.epochs=1", "data.split.folds=2", "training.baselines=false", "model.width=8")
    columns: dict[str, Any] = {
        "flat": np.r_[np.zeros(10), rng.uniform(0, 1000, 190)],
        "signed": rng.normal(0, 100, 200),
        "heavy": rng.lognormal(3, 1.5, 200),
    }
    for name, values in columns.items():
        rows = [{"x": float(value), "y": "ab"[at % 2]} for at, value in enumerate(values)]
        model = pm.train(rows, *settings, target="y", columns={"x": "number"})
        for factor in (0.001, 0.1 if name == "heavy" else 0.01, 100):
            (line,) = told(model, [{"x": float(value) * factor} for value in rng.permutation(values)[:90]])
            assert "check the unit" in line, (name, factor)
    for seed in range(40):
        rng = np.random.default_rng([7, seed])
        values = rng.lognormal(0, 1.5, 90)
        state = state_of(rng.lognormal(0, 1.5, 300))
        drift = ColumnDrift([state])
        numbers = ((values - state["mean"]) / state["std"]).clip(-10, 10).astype(np.float32)
        drift.see(list(values), [{"numbers": numbers[at : at + 1], "categories": np.zeros(0, np.int32)} for at in range(90)], np.arange(90))
        assert drift.lines() == [], seed


def state_of(values: np.ndarray) -> dict[str, Any]:
    return Tabular.fit(TabularConfig(columns=["x"]), values.tolist(), "columns", {}, Roots())["columns"][0]  # type: ignore[no-any-return]
