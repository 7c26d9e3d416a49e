"""Tests of tables: equal rows from every format, and the messages for invalid tables."""

from __future__ import annotations

import datetime
import decimal
import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

import polymodal as pm
from builders.sources import cells
from polymodal.data.sources import Source, open_source
from polymodal.data.sources.source import SLICE
from polymodal.errors import DataError
from polymodal.flow import Unreadable

ROWS = [
    {"id": "1", "标题": "红色, apple", "price": "3.5", "note": 'say "hi"'},
    {"id": "2", "标题": "two\nlines", "price": "", "note": "nan"},
    {"id": "3", "标题": "", "price": "1e3", "note": " x "},
]
COLUMNS = list(ROWS[0])


def written(folder: Path, kind: str) -> Any:
    frame = pd.DataFrame(ROWS)
    path = folder / f"table.{kind}"
    if kind in ("csv", "tsv"):
        frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    elif kind == "parquet":
        frame.to_parquet(path)
    elif kind == "feather":
        feather.write_feather(pa.Table.from_pylist(ROWS), str(path))
    elif kind == "jsonl":
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), encoding="utf-8")
    elif kind == "csv.gz":
        path.write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    else:
        return {"pandas": frame, "polars": pl.DataFrame(ROWS), "arrow": pa.Table.from_pylist(ROWS), "rows": ROWS,
                "columns": {name: [row[name] for row in ROWS] for name in COLUMNS}}[kind]  # fmt: skip
    return path


KINDS = ["csv", "tsv", "parquet", "feather", "jsonl", "csv.gz", "pandas", "polars", "arrow", "rows", "columns"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_rows_from_every_format(tmp_path: Path, kind: str) -> None:
    source = open_source(written(tmp_path, kind))
    assert source.columns == COLUMNS
    assert source.rows == 3
    assert cells(source) == [tuple(row.values()) for row in ROWS]
    assert cells(source, ["price", "标题"]) == [(row["price"], row["标题"]) for row in ROWS], "columns in the order asked for"
    assert cells(source) == cells(source), "it can be read again"
    assert list(source.cells(["price"])) == ["3.5", "", "1e3"]
    assert next(iter(source.cells(["id", "price"]))) == ("1", "3.5")
    with pytest.raises(DataError, match=r"no column 'pirce'.*did you mean 'price'"):
        source.check(["pirce"])


@pytest.mark.parametrize("kind", ["tsv", "parquet", "feather", "jsonl", "pandas", "polars", "arrow", "rows"])
def test_the_same_predictions_from_every_format(tmp_path: Path, shop_folder: Path, shop_run: Path, kind: str) -> None:
    model = pm.load(shop_run, root=[shop_folder])
    frame = pd.read_csv(shop_folder / "other.csv", dtype=str, keep_default_na=False)
    rows = frame.to_dict("records")
    table: Any = {"pandas": frame, "polars": pl.DataFrame(rows), "arrow": pa.Table.from_pylist(rows), "rows": rows}.get(kind)
    if table is None:
        table = tmp_path / f"t.{kind}"
        if kind == "tsv":
            frame.to_csv(table, sep="\t", index=False)
        elif kind == "parquet":
            parquet.write_table(pa.Table.from_pylist(rows), table, row_group_size=7)
        elif kind == "feather":
            feather.write_feather(pa.Table.from_pylist(rows), str(table), chunksize=9)
        else:
            table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    np.testing.assert_array_equal(model.predict_proba(table), model.predict_proba(shop_folder / "other.csv"))


def test_numbers_stored_as_numbers_predict_as_their_text(shop_folder: Path, shop_run: Path) -> None:
    model = pm.load(shop_run, root=[shop_folder])
    frame = pd.read_csv(shop_folder / "other.csv")
    assert frame["price"].dtype == np.float64
    np.testing.assert_array_equal(model.predict_proba(frame), model.predict_proba(shop_folder / "other.csv"))


# -- text formats --------------------------------------------------------------------------------------------------------


def csv_of(tmp_path: Path, body: bytes, name: str = "t.csv", **settings: Any) -> Source:
    path = tmp_path / name
    path.write_bytes(body)
    return open_source(path, **settings)


@pytest.mark.parametrize(
    "body",
    [
        b"a,b\n1,x\n2,y\n",
        b"\xef\xbb\xbfa,b\n1,x\n2,y\n",
        b"a,b\r\n1,x\r\n2,y\r\n",
        b"a,b\r1,x\r2,y\r",
        b"a,b\n1,x\n2,y",
        b"a;b\n1;x\n2;y\n",
        b"a\tb\n1\tx\n2\ty\n",
        b'"a","b"\n"1","x"\n"2","y"\n',
        b" a ,b\n1,x\n2,y\n",
        b"a,b\n1,x\n\n2,y\n\n",
        "a,b\n1,x\n2,y\n".encode("utf-16"),
        b"\xfe\xff" + "a,b\n1,x\n2,y\n".encode("utf-16-be"),
    ],
)
def test_one_table_however_it_is_written(tmp_path: Path, body: bytes) -> None:
    source = csv_of(tmp_path, body)
    assert source.columns == ["a", "b"]
    assert cells(source) == [("1", "x"), ("2", "y")]


def test_quoted_line_breaks_separators_and_quotes_stay_in_their_cell(tmp_path: Path) -> None:
    source = csv_of(tmp_path, b'a,"b\nb"\r\n"1\r\n1","x,""y"""\r\n"","z"\r\n')
    assert source.columns == ["a", "b\nb"]
    assert cells(source) == [("1\r\n1", 'x,"y"'), ("", "z")]


def test_text_stays_text_and_the_empty_cells_of_a_single_column_are_rows(tmp_path: Path) -> None:
    source = csv_of(tmp_path, b"a,b,c\nnan,NULL,007\ntrue,1.0,2020-01-01\n")
    assert cells(source) == [("nan", "NULL", "007"), ("true", "1.0", "2020-01-01")]
    assert cells(csv_of(tmp_path, b"a\n1\n\n3\n")) == [("1",), ("",), ("3",)]


def refused(tmp_path: Path, body: bytes, name: str = "t.csv", **settings: Any) -> str:
    with pytest.raises(DataError) as caught:
        cells(csv_of(tmp_path, body, name, **settings))
    message = str(caught.value)
    assert str(tmp_path / name) in message
    return message


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    assert "two columns are named 'a'" in refused(tmp_path, b"a,b,a\n1,2,3\n")
    table = pa.table([[1], [2]], names=["a", "a"])
    parquet.write_table(table, tmp_path / "t.parquet")
    feather.write_feather(table, str(tmp_path / "t.feather"))
    (tmp_path / "t.jsonl").write_text('{"b": 1}\n{"a": 1, "a": 2}\n')
    (tmp_path / "t.json").write_text('[{"a": 1, "a": 2}]')
    for twice in (table, pd.DataFrame([[1, 2]], columns=["a", "a"]), *(tmp_path / f"t.{kind}" for kind in ("parquet", "feather"))):
        with pytest.raises(DataError, match="two columns are named 'a'; expected every name once; rename one"):
            open_source(twice)
    with pytest.raises(DataError, match=r"t.jsonl row 2: an object with two values named 'a'"):
        open_source(tmp_path / "t.jsonl")
    with pytest.raises(DataError, match=r"t.json: an object with two values named 'a'"):
        open_source(tmp_path / "t.json")
    with pytest.raises(DataError, match="dataframe: two columns are named 'x'"):
        pm.train(pd.DataFrame([[1, 2, "a"]] * 30, columns=["x", "x", "y"]), target="y")


def test_names_that_are_alike_once_written_are_refused(tmp_path: Path) -> None:
    assert "two columns are named 'a'" in refused(tmp_path, b"a, a\n1,2\n")
    spaced = pa.table([[1], [2]], names=["a", "a "])
    parquet.write_table(spaced, tmp_path / "t.parquet")
    for table in (spaced, spaced.to_pandas(), tmp_path / "t.parquet", [{"a": 1}, {"a ": 2}], {"a": [1], "a ": [2]}):
        with pytest.raises(DataError, match="columns 'a' and 'a ' differ only in surrounding white space"):
            open_source(table)
    for table in (pd.DataFrame([[1, 2]], columns=[1, "1"]), [{1: 1, "1": 2}], {1: [1], "1": [2]}):
        with pytest.raises(DataError, match="two columns are named '1'"):
            open_source(table)
    assert open_source(pd.DataFrame([[1, 2]], columns=["a", "A"])).columns == ["a", "A"]


@pytest.mark.parametrize(("row", "found"), [(b"4,5,6", 3), (b"4", 1)])
def test_a_ragged_row_is_told_by_its_number(tmp_path: Path, row: bytes, found: int) -> None:
    said = refused(tmp_path, b"a,b\n1,2\n" + row + b"\n7,8\n")
    assert f"row 2: {found} cells; expected 2" in said
    later = b"a,b\n" + b'"1\n1",2\n' * 30_000 + row + b"\n"
    assert "row 30001: " in refused(tmp_path, later)


@pytest.mark.parametrize("body", [b"", b"\n", b"\xef\xbb\xbf", b"\n\n\n"])
def test_an_empty_table_is_refused(tmp_path: Path, body: bytes) -> None:
    assert "an empty table" in refused(tmp_path, body)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_a_table_without_rows_says_so_when_it_is_used(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "t.csv":
        path.write_text("a,label\n")
    elif name == "t.jsonl":
        path.touch()
    else:
        parquet.write_table(pa.table({"a": pa.array([], pa.string()), "label": pa.array([], pa.string())}), path)
    assert open_source(path).rows == 0
    for verb in (lambda: pm.train(path, target="label"), lambda: pm.inspect(path, target="label")):
        with pytest.raises(DataError, match="no rows; expected a table with rows"):
            verb()


def test_an_unclosed_quote_and_bytes_are_refused(tmp_path: Path) -> None:
    assert "row 2: a quote that is never closed" in refused(tmp_path, b'a,b\n1,2\n1,"2\n' + b"3,4\n" * 600_000)
    assert "row 1: a quote that is never closed" in refused(tmp_path, b'a,b\n1,"2\n3,4')
    assert "row 1: 1 cells; expected 2" in refused(tmp_path, b'a,b\n"1,2\n3,4')
    assert cells(csv_of(tmp_path, b'a,b\n1,"2\n"\n\n')) == [("1", "2\n")]
    refused(tmp_path, b"a\0b\xff\xff,\x01\x02\n\xfe\n")


def test_a_cell_larger_than_a_block_is_read(tmp_path: Path) -> None:
    large = b"x" * 3_000_000
    source = csv_of(tmp_path, b"a,b\n1," + large + b"\n2,y\n")
    assert [(a, len(b)) for a, b in cells(source)] == [("1", 3_000_000), ("2", 1)]


def test_rows_past_a_slice_keep_their_order(tmp_path: Path) -> None:
    count = 2 * SLICE + 17
    source = csv_of(tmp_path, b"a\n" + b"".join(b"%d\n" % at for at in range(count)))
    assert source.rows == count
    assert [int(cell) for cell in source.cells(["a"])] == list(range(count))
    assert max(len(part["a"]) for part in source.slices(["a"])) <= SLICE


# -- other formats -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"a": 1}\n{"a": \n', "row 2: not valid JSON"),
        (b'{"a": 1}\n\n[1]\n', "row 2: found list; expected an object"),
        (b'{"a": "\xff\xfe"}\n', "not UTF-8"),
        (b"[" * 100_000 + b"\n", "row 1: not valid JSON"),
    ],
)
def test_broken_json_lines_are_told_by_row(tmp_path: Path, body: bytes, said: str) -> None:
    assert said in refused(tmp_path, body, "t.jsonl")


def test_keys_that_a_row_lacks_are_missing_there(tmp_path: Path) -> None:
    source = csv_of(tmp_path, b'{"a": 1}\n{"b": [1, 2], "a": null}\n', "t.jsonl")
    assert source.columns == ["a", "b"]
    assert cells(source) == [(1, None), (None, [1, 2])]
    assert cells(open_source([{"a": 1}, {"b": 2}])) == [(1, None), (None, 2)]


@pytest.mark.parametrize("name", ["t.parquet", "t.feather"])
def test_what_is_no_parquet_or_feather_is_refused(tmp_path: Path, name: str) -> None:
    refused(tmp_path, b"a,b\n1,2\n", name)
    refused(tmp_path, b"", name)


def test_a_table_that_is_not_there_names_the_nearest_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "products.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=rf"prodcts.csv: no such file in {tmp_path}; expected a table; did you mean 'products.csv'"):
        open_source(tmp_path / "prodcts.csv")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=rf"^prodcts.csv: no such file in {tmp_path}; expected a table; did you mean 'products.csv'"):
        open_source("prodcts.csv")
    with pytest.raises(DataError, match=rf"no such file; expected a table; there is no folder '{tmp_path / 'no'}'"):
        open_source(tmp_path / "no" / "where.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="not a regular file"):
        open_source(tmp_path / "pipe.csv")


@pytest.mark.parametrize("table", [3, None, b"a,b", [1, 2], [("a", 1)], {"a": [1], "b": [1, 2]}, {"a": {"x": 1}}, {"a": iter([1])}])
def test_what_is_no_table_is_refused(table: Any) -> None:
    with pytest.raises(DataError):
        open_source(table)


def test_a_frame_of_mixed_objects_numbered_columns_and_an_index() -> None:
    mixed = pd.DataFrame({"a": [1, "x", None], "b": [b"1", "2", pd.NA], 3: [pd.NaT, "2020-01-01", 2.5]})
    source = open_source(mixed)
    assert source.columns == ["a", "b", "3"]
    assert cells(source)[0] == (1, b"1", None)
    assert cells(source)[2] == (None, None, 2.5)
    indexed = pd.DataFrame({"a": ["x", "y"]}, index=["p", "q"])
    assert cells(open_source(indexed)) == [("x",), ("y",)]
    assert open_source(indexed).columns == ["a"]
    assert cells(open_source([{1: "x"}])) == [("x",)]
    assert cells(open_source(pd.DataFrame({"a": [1.5, np.nan]}))) in ([(1.5,), (None,)],)


# -- tables in memory ------------------------------------------------------------------------------------------------------


def read(table: Any, **settings: Any) -> list[tuple[Any, ...]]:
    source = open_source(table, **settings)
    return [tuple(source.columns), *cells(source)]


def test_a_dict_of_single_values_is_one_row() -> None:
    assert read({"title": "Oak chair"}) == [("title",), ("Oak chair",)]
    assert read({"a": None, "b": 2.5, "c": b"x", "d": np.float64(3), "e": np.array(4)}) == [
        ("a", "b", "c", "d", "e"),
        (None, 2.5, b"x", 3.0, 4),
    ]
    assert read(pd.Series({"a": 1, "b": "x"})) == [("a", "b"), (1, "x")]
    assert read(pd.DataFrame({"a": [1, 2], "b": ["x", None]}).iloc[1]) == [("a", "b"), (2, None)]


def test_a_dict_of_lists_is_columns() -> None:
    expected = [("a", "b"), (1, "x"), (2, "y")]
    for left in (
        [1, 2],
        (1, 2),
        np.array([1, 2]),
        pd.Series([1, 2], index=[7, 8]),
        pl.Series([1, 2]),
        pa.array([1, 2]),
        pa.chunked_array([[1], [2]]),
    ):
        assert read({"a": left, "b": ["x", "y"]}) == expected
    assert read({"a": [1, "x", None]}) == [("a",), (1,), ("x",), (None,)]
    assert read({"a": np.array([[1.0, 2.0], [3.0, 4.0]])}) == [("a",), ([1.0, 2.0],), ([3.0, 4.0],)]
    pictures = [np.zeros((2, 2, 3), np.uint8), np.ones((2, 2, 3), np.uint8)]
    found = cells(open_source({"a": pictures}))
    assert all((cell == picture).all() for (cell,), picture in zip(found, pictures, strict=True))
    assert read({1: [2]}) == [("1",), (2,)]
    assert read({"a": []}) == [("a",)]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"a": [1, 2], "b": "Oak"}, r"'a' is a list and 'b' a single value; .* write a row that contains a list as \[\{...\}\]"),
        ({"a": [1, 2], "b": [1]}, "columns of different lengths \\('a' 2, 'b' 1\\)"),
        ({"a": {"x": 1}}, "column 'a': found dict; expected a list of cells, or a single value"),
        ({"a": iter([1])}, "column 'a': found list_iterator"),
        (["Oak", "Ash"], r"found a list of str; .* name their column: \{'title': \[...\]\}"),
        ([1.5], r"found a list of float; .*\{'title': \[...\]\}"),
        ([{"a": 1}, ["b"]], "found a list of list; expected rows as dicts"),
        ([None], "found a list of NoneType; expected rows as dicts"),
        (np.zeros((2, 3)), r"an array of shape \(2, 3\); .*pandas.DataFrame\(array, columns=\[...\]\)"),
        (np.zeros(2, [("a", "f4")]), r"an array of shape \(2,\); .*\{name: array\[name\] for name in array.dtype.names\}"),
        (pd.Series([1, 2], name="q"), r"a pandas Series, which is one column; .*series.to_frame\('q'\)"),
        (pd.Series([1, 2]), r"series.to_frame\('title'\)"),
        (pl.Series("a", [1]), "dataframe: cannot be read as a table"),
    ],
)  # fmt: skip
def test_what_is_nearly_a_table_is_told_what_to_give(table: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        open_source(table, columns=["title", "price"])


def test_an_index_with_a_name_can_be_read_and_is_marked(tmp_path: Path) -> None:
    plain = pd.DataFrame({"a": [1, 2]})
    named = plain.set_axis(pd.Index(["p", "q"], name="id"))
    levels = plain.set_axis(pd.MultiIndex.from_tuples([(1, 2), (3, 4)], names=["g", None]))
    mixed = pd.DataFrame({"a": [1, "x"]}, index=pd.Index(["p", "q"], name="id"))
    months = plain.set_axis(pd.period_range("2024-01", periods=2, freq="M", name="m"))
    named.to_parquet(tmp_path / "t.parquet")
    feather.write_feather(named, str(tmp_path / "t.feather"))
    expected = [("a", "id"), (1, "p"), (2, "q")]
    for table in (named, tmp_path / "t.parquet", tmp_path / "t.feather"):
        assert (read(table), open_source(table).index) == (expected, ("id",))
    assert (read(levels), open_source(levels).index) == ([("a", "g"), (1, 1), (2, 3)], ("g",))
    assert (read(mixed), open_source(mixed).index) == ([("a", "id"), (1, "p"), ("x", "q")], ("id",))
    assert read(months) == [("a", "m"), (1, datetime.datetime(2024, 1, 1)), (2, datetime.datetime(2024, 2, 1))]
    unnamed = plain.set_axis(["p", "q"])
    unnamed.to_parquet(tmp_path / "t.parquet")
    feather.write_feather(unnamed, str(tmp_path / "t.feather"))
    for table in (
        unnamed,
        plain,
        plain.set_axis(pd.RangeIndex(2, name="r")),
        plain.set_index("a", drop=False),
        tmp_path / "t.parquet",
        tmp_path / "t.feather",
    ):
        assert (read(table), open_source(table).index) == ([("a",), (1,), (2,)], ())


@pytest.mark.parametrize(
    "note", [b"x", b"[]", b'{"index_columns": 3}', b'{"index_columns": [{"a": 1}, "zz", 3, null]}', b"[" * 100_000, b"\xff\xfe"]
)
def test_a_note_of_an_index_that_pandas_did_not_write(tmp_path: Path, note: bytes) -> None:
    parquet.write_table(pa.table({"a": [1]}).replace_schema_metadata({b"pandas": note}), tmp_path / "t.parquet")
    assert (read(tmp_path / "t.parquet"), open_source(tmp_path / "t.parquet").index) == ([("a",), (1,)], ())


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pd.Categorical(["a", None, "b"]), ["a", None, "b"]),
        (pd.Categorical([1, "x", None]), [1, "x", None]),
        (pd.cut(pd.Series([1, 5, None]), [0, 2, 6]), ["(0, 2]", "(2, 6]", None]),
        (pd.array([1, None], dtype="Int64"), [1, None]),
        (pd.array([True, None], dtype="boolean"), [True, None]),
        (pd.array(["x", None], dtype="string[pyarrow]"), ["x", None]),
        (pd.PeriodIndex(["2024-02", None], freq="M"), [datetime.datetime(2024, 2, 1), None]),
        (pd.arrays.IntervalArray.from_breaks([0, 1, 2]), ["(0, 1]", "(1, 2]"]),
        (pd.arrays.SparseArray([0, 0, 1.5]), [0.0, 0.0, 1.5]),
        ([decimal.Decimal("1.5"), None], [decimal.Decimal("1.5"), None]),
        (np.array([1 + 2j, 3]), [Unreadable("complex number")] * 2),
        (np.array([1.5, 2], np.float16), [1.5, 2.0]),
        (pd.to_timedelta(["1D", None]), [datetime.timedelta(1), None]),
        ([datetime.date(2024, 1, 1), None], [datetime.date(2024, 1, 1), None]),
        ([[1, 2], None], [[1, 2], None]),
    ],
)  # fmt: skip
def test_every_type_of_a_frame_s_column_keeps_its_values(column: Any, expected: list[Any]) -> None:
    found = cells(open_source(pd.DataFrame({"c": column, "d": ["text"] * len(expected)})))
    assert found == [(cell, "text") for cell in expected]


def test_moments_of_a_time_zone_and_names_in_levels() -> None:
    zoned = pd.DataFrame({"c": pd.to_datetime(["2024-01-01 10:00", None]).tz_localize("Asia/Shanghai")})
    (first,), (second,) = cells(open_source(zoned))
    assert (first.isoformat(), second) == ("2024-01-01T10:00:00+08:00", None)
    levels = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")]))
    assert read(levels) == [("('a', 'x')", "('a', 'y')"), (1, 2)]
