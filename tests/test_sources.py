"""Tables: the same rows from every format, and what each broken one is told."""

from __future__ import annotations

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
from polymodal.data.sources import Source, open_source
from polymodal.data.sources.source import SLICE
from polymodal.errors import DataError

ROWS = [
    {"id": "1", "标题": "红色, apple", "price": "3.5", "note": 'say "hi"'},
    {"id": "2", "标题": "two\nlines", "price": "", "note": "nan"},
    {"id": "3", "标题": "", "price": "1e3", "note": " x "},
]
COLUMNS = list(ROWS[0])


def cells(source: Source, columns: list[str] | None = None) -> list[tuple[Any, ...]]:
    columns = columns or source.columns
    return [row for part in source.slices(columns) for row in zip(*(part[name] for name in columns), strict=True)]


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
    assert "two columns are called 'a'" in refused(tmp_path, b"a,b,a\n1,2,3\n")
    table = pa.table([[1], [2]], names=["a", "a"])
    with pytest.raises(DataError, match="two columns are called 'a'"):
        open_source(table)
    parquet.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(DataError, match="two columns are called 'a'"):
        open_source(tmp_path / "t.parquet")


@pytest.mark.parametrize(("row", "found"), [(b"4,5,6", 3), (b"4", 1)])
def test_a_ragged_row_is_told_by_its_number(tmp_path: Path, row: bytes, found: int) -> None:
    said = refused(tmp_path, b"a,b\n1,2\n" + row + b"\n7,8\n")
    assert f"row 2: {found} cells; expected 2" in said
    later = b"a,b\n" + b'"1\n1",2\n' * 30_000 + row + b"\n"
    assert "row 30001: " in refused(tmp_path, later)


def test_what_is_not_utf_8_says_how_to_name_its_encoding(tmp_path: Path) -> None:
    body = "标题,b\n红色的花,2\n".encode("gb18030")
    assert "data.encoding=gb18030" in refused(tmp_path, body)
    assert "data.encoding=gb18030" in refused(tmp_path, b"a,b\n" + b"1,2\n" * 300_000 + "红色,1\n".encode("gb18030"))
    source = csv_of(tmp_path, body, encoding="gb18030")
    assert source.columns == ["标题", "b"]
    assert cells(source) == [("红色的花", "2")]
    assert "encoding 'no-such' is not known" in refused(tmp_path, body, encoding="no-such")


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


def test_a_table_that_is_not_there_names_the_nearest_file(tmp_path: Path) -> None:
    (tmp_path / "products.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"prodcts.csv: no such file; expected a table; did you mean 'products.csv'"):
        open_source(tmp_path / "prodcts.csv")
    with pytest.raises(DataError, match="no such file"):
        open_source(tmp_path / "no" / "where.csv")
    with pytest.raises(DataError, match="a folder"):
        open_source(tmp_path)
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    with pytest.raises(DataError, match="an ending that is not known"):
        open_source(tmp_path / "t.xlsx")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match="not a regular file"):
        open_source(tmp_path / "pipe.csv")


@pytest.mark.parametrize("table", [3, None, b"a,b", [1, 2], [("a", 1)], {"a": [1], "b": [1, 2]}, {"a": 3}])
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
