"""Tests of table formats: workbooks, archives, compressed text, JSON documents; and the messages for other paths."""

from __future__ import annotations

import bz2
import datetime
import gzip
import importlib
import lzma
import re
import shlex
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

import polymodal as pm
from builders.formats import arrow_table
from builders.sources import cells
from polymodal.data.sources import excel, open_source
from polymodal.errors import DataError, MissingDependency
from polymodal.storage import unpacking

BODY = b"a,b\n1,x\n2,y\n"
CELLS = [("1", "x"), ("2", "y")]


def refused(path: str | Path) -> str:
    with pytest.raises(DataError) as caught:
        open_source(path)
    return str(caught.value)


def archive(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, body in members.items():
            file.writestr(name, body)
    return path


# -- compressed text --------------------------------------------------------------------------------------------------------


def compressed(kind: str, body: bytes) -> bytes:
    if kind == "zst":
        out = pa.BufferOutputStream()
        with pa.CompressedOutputStream(out, "zstd") as stream:
            stream.write(body)
        return out.getvalue().to_pybytes()  # type: ignore[no-any-return]
    return gzip.compress(body) if kind == "gz" else bz2.compress(body) if kind == "bz2" else lzma.compress(body)


@pytest.mark.parametrize("kind", ["gz", "bz2", "zst", "xz"])
def test_compressed_text_is_read(tmp_path: Path, kind: str) -> None:
    for name, body in (("t.csv", BODY), ("t.tsv", BODY.replace(b",", b"\t")), ("t.jsonl", b'{"a": "1", "b": "x"}\n{"a": "2", "b": "y"}\n')):
        path = tmp_path / f"{name}.{kind}"
        path.write_bytes(compressed(kind, body))
        source = open_source(path)
        assert source.columns == ["a", "b"]
        assert cells(source) == cells(source) == CELLS
        assert source.folder == tmp_path
    large = b"a,b\n" + b"1,x\n" * 500_000
    (tmp_path / f"t.csv.{kind}").write_bytes(compressed(kind, large))
    assert open_source(tmp_path / f"t.csv.{kind}").rows == 500_000
    (tmp_path / f"t.csv.{kind}").write_bytes(compressed(kind, large)[:-30])
    assert "t.csv." in refused(tmp_path / f"t.csv.{kind}")
    (tmp_path / f"t.csv.{kind}").write_bytes(BODY)
    assert "not compressed as its extension states; expected" in refused(tmp_path / f"t.csv.{kind}")


def test_bzip2_of_every_level_is_read(tmp_path: Path) -> None:
    for level in range(1, 10):
        (tmp_path / "t.csv.bz2").write_bytes(bz2.compress(BODY, level))
        (tmp_path / "t.csv").write_bytes(BODY)
        assert cells(open_source(tmp_path / "t.csv.bz2")) == cells(open_source(tmp_path / "t.csv"))


def test_compressed_gb18030_and_streams_one_after_another(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.xz"
    path.write_bytes(lzma.compress("标题,b\n".encode("gb18030")) + lzma.compress("红色,1\n".encode("gb18030")))
    assert cells(open_source(path, encoding="gb18030")) == [("红色", "1")]
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n") + gzip.compress(b"1,x\n"))
    assert cells(open_source(path)) == [("1", "x")]


# -- archives -----------------------------------------------------------------------------------------------------------------


def test_the_only_table_in_an_archive_is_read_and_nothing_is_left(tmp_path: Path) -> None:
    others = {"__MACOSX/._t.csv": b"x", "docs/readme.md": b"x", "docs/.hidden.csv": b"x"}
    path = archive(tmp_path / "t.zip", {"../../t.csv": BODY, **others})
    source = open_source(path)
    assert cells(source) == cells(source) == CELLS
    assert (source.name, source.folder) == (str(path), tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["t.zip"]
    frame = pd.DataFrame({"a": ["1", "2"], "b": ["x", "y"]})
    for kind in ("parquet", "feather", "xlsx"):
        getattr(frame, "to_excel" if kind == "xlsx" else f"to_{kind}")(
            tmp_path / f"t.{kind}", **({"index": False} if kind == "xlsx" else {})
        )
        assert cells(open_source(archive(tmp_path / f"{kind}.zip", {f"t.{kind}": (tmp_path / f"t.{kind}").read_bytes()}))) == CELLS


def test_several_tables_in_an_archive_are_named(tmp_path: Path) -> None:
    path = archive(tmp_path / "t.zip", {"a.csv": BODY, "b/c.csv": b"q\n1\n"})
    assert f"2 tables ('a.csv', 'b/c.csv'); expected one; name it after the file: {path}#a.csv" in refused(path)
    assert cells(open_source(f"{path}#b/c.csv")) == [("1",)]
    assert "no table 'b/d.csv' in it; expected one of 'a.csv', 'b/c.csv'; did you mean 'b/c.csv'?" in refused(f"{path}#b/d.csv")
    assert "an archive without a table" in refused(archive(tmp_path / "none.zip", {"a.txt.png": b"x"}))


def test_archives_that_are_bombs_or_broken_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "BOMB", 2**20)
    said = refused(archive(tmp_path / "bomb.zip", {"t.csv": bytes(3_000_000)}))
    assert "member 't.csv': 3,000,000 bytes, unpacked from 2" in said
    (tmp_path / "t.zip").write_bytes(b"PK\x03\x04junk")
    assert "not a zip archive that can be read" in refused(tmp_path / "t.zip")
    body = archive(tmp_path / "t.zip", {"t.csv": BODY * 80}).read_bytes()
    (tmp_path / "t.zip").write_bytes(body[:40] + b"\xff\xff\xff" + body[43:])
    assert "member 't.csv': broken" in refused(tmp_path / "t.zip")
    lying = body.replace((960).to_bytes(4, "little"), (1).to_bytes(4, "little"))  # of how much is in it
    assert lying != body
    (tmp_path / "t.zip").write_bytes(lying)
    assert "member 't.csv': broken" in refused(tmp_path / "t.zip")
    encrypted = bytearray(body)
    encrypted[body.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "t.zip").write_bytes(bytes(encrypted))
    assert "member 't.csv': encrypted" in refused(tmp_path / "t.zip")
    (tmp_path / "t.csv.xz").write_bytes(lzma.compress(bytes(3_000_000)))
    assert "unpacks to more than" in refused(tmp_path / "t.csv.xz")


# -- workbooks ----------------------------------------------------------------------------------------------------------------


def workbook(path: Path, sheets: Mapping[str, list[list[Any]]]) -> Path:
    book: Any = importlib.import_module("openpyxl").Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


ROWS: list[list[Any]] = [
    [None, None],
    ["day", "price", "sold", "标题", "note", 2020, None],
    [datetime.date(2024, 1, 2), 1.5, True, "红", None, 3],
    [],
    [datetime.datetime(2024, 1, 2, 3, 4), 2, False, "x", None, 4],
    [None, ""],
]


def test_a_workbook_is_read_with_its_types(tmp_path: Path) -> None:
    source = open_source(workbook(tmp_path / "t.xlsx", {"data": ROWS, "empty": []}))
    assert source.columns == ["day", "price", "sold", "标题", "note", "2020"]
    assert cells(source) == [
        (datetime.datetime(2024, 1, 2), 1.5, True, "红", None, 3),
        (datetime.datetime(2024, 1, 2, 3, 4), 2, False, "x", None, 4),
    ]
    assert source.folder == tmp_path
    assert cells(open_source(f"{tmp_path / 't.xlsx'}#data")) == cells(source)
    (tmp_path / "t.xlsx").rename(tmp_path / "t.xlsm")
    assert cells(open_source(tmp_path / "t.xlsm")) == cells(source)


def test_several_sheets_are_named(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", {"data": [["a"], [1]], "notes": [["b"], ["x"]]})
    assert f"2 sheets that are not empty ('data', 'notes'); expected one; name it after the file, such as {path}#data" in refused(path)
    assert cells(open_source(f"{path}#notes")) == [("x",)]
    assert "no sheet 'note'; the sheets are 'data', 'notes'; did you mean 'notes'?" in refused(f"{path}#note")
    assert "an empty table" in refused(workbook(tmp_path / "t.xlsx", {"data": []}))
    assert "two columns are named 'a'" in refused(workbook(tmp_path / "t.xlsx", {"data": [["a", " a"], [1, 2]]}))
    source = open_source(workbook(tmp_path / "t.xlsx", {"data": [["a"], [1, None, 2]]}))
    assert (source.columns, cells(source)) == (["a", "column 3"], [(1, 2)])


def test_a_model_is_trained_on_a_sheet(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["x", "y"], *([at % 2 + at / 1000, "ab"[at % 2]] for at in range(60))]
    path = workbook(tmp_path / "t.xlsx", {"data": rows, "notes": [["made by hand"]]})
    settings = ("training.epochs=5", "training.baselines=false", "model.width=8", "data.split.kind=random")
    model = pm.train(f"{path}#data", *settings, target="y", out=tmp_path / "run")
    assert pm.load(tmp_path / "run").evaluate(f"{path}#data")["rows"] == 60
    assert model.bundle.experiment.data.table == f"{path}#data"


def test_formulas_without_a_value_and_merged_cells_are_warned_of(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["a", "b", "c"], [1, "=A2*2", "x"], [2, "=A3*2", None]]
    path = workbook(tmp_path / "t.xlsx", {"notes": [], "data": rows})
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    name = "xl/worksheets/sheet2.xml"
    with pytest.warns(UserWarning, match="t.xlsx: 2 formulas without a computed value are empty cells; open the workbook in a spreadsheet"):
        assert cells(open_source(path)) == [(1, None, "x"), (2, None, None)]
    computed = (
        parts[name]
        .replace(b"<f>A2*2</f><v />", b"<f>A2*2</f><v>2</v>")
        .replace(b'<c r="B3"><f>A3*2</f><v />', b'<c r="B3" t="str"><f>A3*2</f><v></v>')
    )
    assert computed.count(b"<v />") == 0
    assert cells(open_source(archive(tmp_path / "c.xlsx", parts | {name: computed}))) == [(1, 2, "x"), (2, None, None)], (
        "an empty text is a value"
    )
    merged = computed.replace(
        b"</sheetData>", b'</sheetData><mergeCells count="2"><mergeCell ref="C2:C3"/><mergeCell ref="A1:A1"/></mergeCells>'
    )
    with pytest.warns(
        UserWarning, match=r"m.xlsx: 2 ranges of merged cells \(first C2:C3\), of which only the first cell has a value; unmerge"
    ):
        open_source(archive(tmp_path / "m.xlsx", parts | {name: merged}))


def test_what_is_lost_is_counted_across_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"".join(b'<row r="%d"><c r="A%d"><f>1+1</f><v /></c></row>' % (at, at) for at in range(60_000))
    merged = b"".join(b'<mergeCell ref="A%d:B%d"/>' % (at, at) for at in range(60_000))
    path = archive(tmp_path / "t.zip", {"sheet.xml": b"<sheetData>" + body + b"</sheetData><mergeCells>" + merged + b"</mergeCells>"})
    assert len(body) > 2**21
    with path.open("rb") as file, pytest.warns(UserWarning, match="60,000") as caught:
        excel._warn_lost(file, "sheet.xml", "t")
    assert [str(one.message).partition(" (")[0] for one in caught][1] == "t: 60,000 ranges of merged cells"
    assert str(caught[0].message).startswith("t: 60,000 formulas without a computed value")


def test_workbooks_that_are_bombs_or_broken_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "BOMB", 2**20)
    monkeypatch.setattr(excel, "_MOST_TAGS", 1_000)
    body = workbook(tmp_path / "t.xlsx", {"data": ROWS}).read_bytes()
    with zipfile.ZipFile(tmp_path / "t.xlsx") as book:
        parts = {name: book.read(name) for name in book.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"]
    for name, changed, said in (
        ("xl/worksheets/sheet1.xml", sheet + bytes(3_000_000), "3,00"),
        ("xl/styles.xml", bytes(20_000_000), "part 'xl/styles.xml': 20,000,000 bytes"),
        ("xl/workbook.xml", b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + parts["xl/workbook.xml"], "an XML document type declaration"),
        (
            "xl/sharedStrings.xml",
            b"<sst>" + b"<si/>" * 1_000 + b"</sst>",
            "part 'xl/sharedStrings.xml': 1,002 tags; expected at most 1,000",
        ),
        ("xl/workbook.xml", b"<x", "not a workbook that can be read"),
        ("xl/worksheets/sheet1.xml", sheet.replace(b'r="5"', b'r="999999999"'), "more than 1,048,576 rows"),
        ("xl/worksheets/sheet1.xml", sheet[: len(sheet) // 2], "not a workbook that can be read"),
    ):
        assert said in refused(archive(tmp_path / "bad.xlsx", parts | {name: changed})), name
    for broken in (b"", b"PK\x03\x04", body[:-200]):
        (tmp_path / "bad.xlsx").write_bytes(broken)
        assert "not a workbook that can be read" in refused(tmp_path / "bad.xlsx")


def test_a_workbook_without_its_reader_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "t.xlsx", {"data": ROWS})
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingDependency, match=r"package 'openpyxl': not installed; .*polymodal\[excel\]"):
        open_source(path)


# -- JSON documents -------------------------------------------------------------------------------------------------------------


def test_a_json_document_of_rows_or_of_columns(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    for text in (
        '[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]',
        '{"a": [1, 2], "b": ["x", "y"]}',
        frame.to_json(),
        frame.to_json(orient="records"),
    ):
        path.write_text(text)
        assert open_source(path).columns == ["a", "b"]
        assert cells(open_source(path)) == [(1, "x"), (2, "y")]
    path.write_text('[{"a": 1}, {"b": [1, 2]}]')
    assert cells(open_source(path)) == [(1, None), (None, [1, 2])]


@pytest.mark.parametrize(
    ("text", "said"),
    [("3", "found one value"), ('{"a": 1}', "found one value"), ('{"data": [{"a": 1}]}', "its rows are in 'data'"), ("[1]", "item 1 is of type int"),
     ('{"a": 1}\n{"a": 2}\n', "several JSON documents; .*give a file of one object per line the extension .jsonl"), ('[{"a": 1', "not valid JSON"), ("", "not valid JSON"),
     ('{"a": [1], "b": [1, 2]}', "columns of different lengths"), ("[" * 100_000, "not valid JSON")],
)  # fmt: skip
def test_json_that_is_no_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.json").write_text(text)
    assert re.search(said, refused(tmp_path / "t.json"))


# -- what is no table -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [("t.xls", "save it as .xlsx"), ("t.ods", "open it in LibreOffice"), ("t.sas7bdat", "pandas.read_sas"), ("t.dta", "pandas.read_stata"),
     ("t.pkl", "never opened; write the table as Parquet"), ("t.h5", "pandas.read_hdf"), ("t.db", "export the table"), ("t.sqlite", "export the table"),
     ("t.tar.gz", "unpack it"), ("t.tgz", "unpack it"), ("t.7z", "unpack it"), ("t.npy", "give it names"), ("t.foo", "an unknown extension; expected one of .csv"),
     ("t", "a name without an extension; expected one of .csv"), ("t.gz", "its extension does not state the format, as .csv.gz does"), ("t.parquet.gz", "compressed inside")],
)  # fmt: skip
def test_other_files_are_told_what_to_do(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / name).write_bytes(b"\x01\x02")
    assert said in refused(tmp_path / name)
    assert ".csv.gz" in refused(tmp_path / name) or "tar" in name or "tgz" in name or "parquet" in name


def test_content_that_is_another_kind_says_which(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1]})
    frame.to_parquet(tmp_path / "p")
    frame.to_excel(tmp_path / "x.xlsx")
    parquet, excel = (tmp_path / "p").read_bytes(), (tmp_path / "x.xlsx").read_bytes()
    for name, body, said in (
        ("t.csv", parquet, "a Parquet file, by its content; expected text; rename it to 't.parquet'"),
        ("t.csv", excel, "an Excel workbook, by its content; expected text; rename it to 't.xlsx'"),
        ("t.csv", gzip.compress(BODY), "compressed with gzip, by its content; expected text; rename it to 't.csv.gz'"),
        ("t.csv", b"SQLite format 3\0" + bytes(99), "an SQLite database, by its content; expected text; a database; export the table"),
        ("t.dat", parquet, "a Parquet file, by its content; rename it to 't.parquet'"),
        ("t.xls", excel, "an Excel workbook, by its content; rename it to 't.xlsx'"),
        ("t.xls", b"a\tb\n1\t2\n", "CSV, by its content; expected .csv; rename it to 't.csv'"),
        ("t", BODY, "CSV, by its content; expected .csv; rename it to 't.csv'"),
        ("t.zip", excel, "an Excel workbook, by its content; expected an archive; rename it to 't.xlsx'"),
        ("t.xlsx", BODY, "CSV, by its content; expected .xlsx; rename it to 't.csv'"),
        ("t.parquet", BODY, "CSV, by its content; expected .parquet; rename it to 't.csv'"),
        ("t.feather", parquet, "a Parquet file, by its content; expected .feather; rename it to 't.parquet'"),
        ("t.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "an old Excel workbook, by its content; expected .xlsx"),
        ("run.yaml", b"data: {table: t.csv}\n", "settings of a run; name the table, or train it: polymodal train run.yaml"),
        ("u.gz", gzip.compress(BODY), "rename it to 'u.csv.gz' if it contains CSV"),
    ):
        (tmp_path / name).write_bytes(body)
        assert said in refused(tmp_path / name)


@pytest.mark.parametrize(
    ("url", "said"),
    [("https://example.com/d/train.csv?x=1", "name the file: train.csv"), ("hf://datasets/x/y.csv", "name the file: y.csv"), (Path("https://example.com/train.csv"), "https://example.com/train.csv: a URL"),
     ("file:///data/t.csv", "name the file: /data/t.csv")],
)  # fmt: skip
def test_a_url_is_never_fetched(url: Any, said: str) -> None:
    message = refused(url)
    assert said in message
    assert "a URL; expected a" in message
    assert "never fetched" in message or "file:" in message
    if isinstance(url, str):
        assert message.startswith(url)
        with pytest.raises(DataError, match="a URL"):
            pm.train(url, target="y")


def test_a_folder_names_its_tables(tmp_path: Path) -> None:
    assert "a folder; expected a table" in refused(tmp_path)
    (tmp_path / "t.csv").write_bytes(BODY)
    (tmp_path / "photo.png").write_bytes(b"x")
    assert f"it contains one: {tmp_path / 't.csv'}" in refused(tmp_path)
    (tmp_path / "u.csv.gz").write_bytes(gzip.compress(BODY))
    assert "it contains 't.csv', 'u.csv.gz'; name one" in refused(tmp_path)


# -- what other libraries write -------------------------------------------------------------------------------------------------


def test_compressed_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"a,b\n" + b"1,x\n" * 2_000_000
    monkeypatch.setattr(unpacking, "BOMB", 2**20)
    for kind in ("gz", "bz2", "zst", "xz"):
        path = tmp_path / f"t.csv.{kind}"
        path.write_bytes(compressed(kind, body))
        assert f"{path}: " in refused(path)
        assert "unpack" in refused(path)
        assert path.stat().st_size * 200 < len(body), "it is a bomb"
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"".join(b"%d,%d\n" % (at * 7919 % 10**6, at) for at in range(300_000))))
    assert open_source(path).rows == 300_000, "a table that is merely large"


def test_an_archive_of_a_table_and_pictures_says_where_pictures_are_read(tmp_path: Path) -> None:
    path = archive(tmp_path / "t.zip", {"t.csv": b"photo,b\np/1.jpg,2\n", "p/1.jpg": b"x", "p/2.png": b"x"})
    with pytest.warns(UserWarning, match="2 pictures, sounds or videos beside the table are not read from the archive") as caught:
        source = open_source(path)
    assert str(caught[0].message).endswith(f"cells that name files are read below {tmp_path}; unpack the archive there")
    assert (cells(source), source.folder) == ([("p/1.jpg", "2")], tmp_path)


@pytest.mark.parametrize("kind", ["memory", "parquet", "feather", "arrow"])
def test_classes_of_datasets_have_their_names(tmp_path: Path, kind: str) -> None:
    features = {"label": {"names": ["cat", "狗"], "_type": "ClassLabel"}, "other": {"names": ["x"], "_type": "ClassLabel"}}
    rows: list[dict[str, Any]] = [{"label": 1, "n": 0, "other": "t"}, {"label": 0, "n": 1, "other": "t"}, {"label": -1, "n": 2, "other": "t"}, {"label": 7, "n": 3, "other": "t"},
            {"label": None, "n": 4, "other": "t"}]  # fmt: skip
    table = arrow_table(rows, features, {"label": pa.int64(), "n": pa.int64(), "other": pa.string()})
    path = tmp_path / f"t.{kind}"
    if kind == "parquet":
        parquet.write_table(table, path)
    elif kind == "feather":
        feather.write_feather(table, path)
    elif kind == "arrow":
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table, 2)
    source = open_source(table if kind == "memory" else path)
    assert cells(source) == cells(source) == [("狗", 0, "t"), ("cat", 1, "t"), (None, 2, "t"), (7, 3, "t"), (None, 4, "t")]
    assert [part["label"] for part in source.at(["label"], np.array([1, 3]))] in ([["cat", 7]], [["cat"], [7]])
    for note in (
        b"[",
        b"{}",
        b'{"info": 3}',
        b'{"info": {"features": [1]}}',
        b'{"info": {"features": {"label": {"names": 1, "_type": "ClassLabel"}}}}',
    ):
        assert cells(open_source(table.replace_schema_metadata({b"huggingface": note})))[0] == (1, 0, "t")


def test_streams_of_arrow_that_are_broken_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.arrow"
    with pa.ipc.new_stream(path, pa.schema([("a", pa.string())])) as writer:
        for _ in range(3):
            writer.write_table(pa.table({"a": ["x" * 100] * 10}))
    body = path.read_bytes()
    for part, words in (
        (body[:-8], "its end is missing"),
        (body[:900], "its end is missing"),
        (b"junk" + body, "not a Feather file that can be read"),
    ):
        path.write_bytes(part)
        assert words in refused(path)


def test_a_folder_or_file_of_another_format_names_the_command(tmp_path: Path) -> None:
    for at, (name, kind) in enumerate((
        ("dataset_dict.json", "huggingface"), ("dataset_info.json", "huggingface"), ("features.json", "tfds"), ("train.tfrecord-00000-of-00001", "tfrecord"),
        ("train-000.tar", "webdataset"), ("annotations/captions_train2017.json", "coco"),
    )):  # fmt: skip
        folder = tmp_path / f"{kind} {at}"
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("{}")
        assert f"expected a table; write it as one: polymodal table {kind} {shlex.quote(str(folder))} -o table.csv" in refused(folder)
    (tmp_path / "webdataset 4" / "table.csv").write_bytes(BODY)
    assert "it contains one: " in refused(tmp_path / "webdataset 4")
    assert "polymodal table tfrecord" in refused_file(tmp_path / "t.tfrecord")
    assert "polymodal table webdataset" in refused_file(tmp_path / "t.tar")


def refused_file(path: Path) -> str:
    path.write_bytes(b"\1\2\3")
    return refused(path)
