"""Tests of numbers, categories and dates: the meaning of every notation, and faults of one column only."""

from __future__ import annotations

import datetime
import decimal
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from polymodal.cells import category, date, number, writing_of
from polymodal.config import validate
from polymodal.errors import ConfigError
from polymodal.modalities import PartFault, Roots, Tabular, TabularConfig


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("12", 12.0), (" -3.5 ", -3.5), ("+4", 4.0), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), ("2E-2", 0.02), ("1,234,567.5", 1234567.5),
        ("-1,000", -1000.0), ("12%", 0.12), ("12.5 %", 0.125), ("１２．５", 12.5), ("－３", -3.0), ("\u22124", -4.0), (7, 7.0), (np.int8(3), 3.0),
        (decimal.Decimal("1.25"), 1.25), ("12,34", None), ("1,2345", None), ("1_000", None), ("0x10", None), ("", None), ("abc", None),
        ("nan", None), ("inf", None), ("-Infinity", None), ("1e999", None), (float("inf"), None), (float("nan"), None), (True, None),
        (np.bool_(False), None), ("1 2", None), ("--1", None), (None, None), ([1], None), (b"1", None), (10**400, None), ("%", None),
    ],
)  # fmt: skip
def test_numbers(cell: Any, value: float | None) -> None:
    assert number(cell) == (value if value is None else pytest.approx(value))


JANUARY = 18262.0 + 1  # 2020-01-02, in days since 1970-01-01


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("2020-01-02", JANUARY), ("2020/1/2", JANUARY), ("2020.1.2", JANUARY), ("2020年1月2日", JANUARY), ("２０２０-０１-０２", JANUARY),
        ("2020-01-02 12:00", JANUARY + 0.5), ("2020-01-02T06:00:00Z", JANUARY + 0.25), ("2020-01-02T18:00:00.123+08:00", JANUARY + 10 / 24),
        (datetime.date(2020, 1, 2), JANUARY), (datetime.datetime(2020, 1, 2, 12), JANUARY + 0.5), (pd.Timestamp("2020-01-02"), JANUARY),
        (np.datetime64("2020-01-02"), JANUARY), (np.datetime64("2020-01-02T12:00:00", "ns"), JANUARY + 0.5), ("1969-12-31", -1.0),
        ("2020-13-01", None), ("2020-02-30", None), ("20200102", None), ("yesterday", None), ("2020", None), (2020, None), ("", None),
    ],
)  # fmt: skip
def test_dates(cell: Any, value: float | None) -> None:
    assert date(cell) == (value if value is None else pytest.approx(value))


def test_one_category_is_one_however_it_is_stored() -> None:
    assert category(1) == category(1.0) == category("1") == category(np.int64(1)) == category(" 1 ") == category("１")
    assert category(True) == "True" == category(np.bool_(True))
    assert category("a" * 500) == "a" * 200


def test_types_need_nine_cells_in_ten() -> None:
    assert writing_of(["1"] * 9 + ["x"]).type == "number"
    assert writing_of(["1"] * 8 + ["x"] * 2).type == "category"
    found = writing_of(["1", "N/A", "", "无", "-"])
    assert (found.type, found.share) == ("number", 1.0)
    assert writing_of(["2020-01-01"] * 9 + ["x"]).type == "date"
    assert writing_of(["True", "False"]).type == "category"
    assert writing_of([]).type == "category"


ROWS = [
    ("1", "red", "2020-01-01", "x"),
    ("2", "red", "2020-06-01", "x"),
    ("3", "green", "2021-01-01", "y"),
    ("4", "green", "2021-06-01", "z"),
    ("", "blue", None, ""),
]
COLUMNS = ["n", "color", "day", "other"]


def fitted(rows: list[Any] | None = None, **settings: Any) -> Tabular:
    config = TabularConfig(**({"columns": COLUMNS} | settings))
    return Tabular(config, Tabular.fit(config, ROWS if rows is None else rows, "columns", {"bins": 4}, Roots()), Roots())


def test_the_facts_are_those_of_the_training_rows_and_plain_json() -> None:
    table = fitted()
    n, color, day, other = table.state["columns"]
    assert (n["type"], n["mean"], n["std"], n["low"], n["high"]) == ("number", 2.5, pytest.approx(np.std([1, 2, 3, 4])), 1.0, 4.0)
    assert color["values"] == ["green", "red"], "blue was seen once: it is 'other'"
    assert day["type"] == "date"
    assert other["values"] == ["x"]
    again = Tabular(table.config, json.loads(json.dumps(table.state)), Roots())
    for row in ROWS:
        for name, values in table.read(row).items():
            np.testing.assert_array_equal(values, again.read(row)[name])


def test_missing_values_are_facts_of_their_own() -> None:
    sample = fitted().read(("N/A", "缺失", "", None))
    assert np.isnan(sample["numbers"]).all()
    assert sample["categories"].tolist() == [0, 0]
    assert fitted().is_missing(("nan", "-", None, "?"))
    assert not fitted().is_missing(("nan", "-", None, "0"))


def test_a_number_is_standardised_and_bounded_and_a_category_that_is_new_is_other() -> None:
    table = fitted()
    sample = table.read(("2.5", "purple", "2020-01-01", "x"))
    assert sample["numbers"][0] == 0.0
    assert sample["categories"].tolist() == [1, 2]
    assert table.read(("1e300", "red", "", ""))["numbers"][0] == 10.0
    assert table.read(("-1e300", "red", "", ""))["numbers"][0] == -10.0
    assert sample["numbers"].dtype == np.float32
    assert sample["categories"].dtype == np.int32


def test_a_date_has_its_place_in_the_year_the_week_and_the_day() -> None:
    morning, evening = (fitted().read(("", "", f"2020-03-01 {hour}:00", ""))["numbers"][1:7] for hour in ("06", "18"))
    assert np.abs(morning[1:]).max() <= 1.0
    assert morning[5] == pytest.approx(1.0, abs=1e-5)
    assert evening[5] == pytest.approx(-1.0, abs=1e-5)


@pytest.mark.parametrize("cell", ["abc", "inf", "-inf", float("inf"), "1e999", [1], b"1", {"a": 1}, True])
def test_a_word_among_numbers_is_a_fault_of_that_column_only(cell: Any) -> None:
    table = fitted()
    with pytest.raises(PartFault) as caught:
        table.read((cell, "red", "2020-01-01", "x"))
    assert list(caught.value.columns) == ["n"]
    assert "expected a finite number" in caught.value.columns["n"]
    rest, whole = caught.value.rest, table.read((None, "red", "2020-01-01", "x"))
    assert rest is not None
    for name, values in whole.items():
        np.testing.assert_array_equal(rest[name], values)


def test_faults_of_several_columns_and_of_a_row_with_nothing_else() -> None:
    with pytest.raises(PartFault) as caught:
        fitted().read(("abc", "red", "someday", "x"))
    assert list(caught.value.columns) == ["n", "day"]
    assert "such as 2024-05-31" in caught.value.columns["day"]
    with pytest.raises(PartFault) as caught:
        fitted().read(("abc", "", None, ""))
    assert caught.value.rest is None


def test_types_can_be_said_and_must_be_of_the_field_s_columns() -> None:
    table = fitted(types={"n": "category"})
    assert table.state["columns"][0]["type"] == "category"
    with pytest.raises(ConfigError, match="'m' is not among the field's columns"):
        fitted(types={"m": "number"})
    with pytest.raises(ConfigError, match=r"types\.n"):
        validate(TabularConfig, {"columns": ["n"], "types": {"n": "numbr"}})


def test_a_single_column_constant_columns_and_no_rows_at_all() -> None:
    one = TabularConfig(columns=["n"])
    state = Tabular.fit(one, ["5", "5", "5"], "columns", {"bins": 4}, Roots())
    assert state["columns"][0]["std"] == 1.0
    assert Tabular(one, state, Roots()).read("5")["numbers"].tolist() == [0.0]
    empty = fitted([])
    sample = empty.read(("", "x", "", "y"))
    assert {name: values.shape for name, values in sample.items()} == {name: values.shape for name, values in empty.blank().items()}


def test_huge_numbers_leave_finite_facts() -> None:
    one = TabularConfig(columns=["n"])
    state = Tabular.fit(one, ["1e308", "-1e308", "1e308", "3"], "columns", {"bins": 4}, Roots())
    json.dumps(state, allow_nan=False)
    assert np.isfinite(Tabular(one, state, Roots()).read("1e308")["numbers"]).all()


def test_blank_is_every_column_missing() -> None:
    table = fitted()
    blank = table.blank()
    read = table.read(("", "", "", ""))
    for name, values in read.items():
        np.testing.assert_array_equal(values, blank[name])
