"""Tests of CSV dialects: lines before the header, delimiters, quotes, line ends, names; and the number of an invalid row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from builders.sources import cells
from polymodal.data.sources import open_source
from polymodal.errors import DataError

TABLES: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "semicolons and decimal commas": ("a;b;c\n1,5;2;3\n2,5;3;x\n", [("a", "b", "c"), ("1,5", "2", "3"), ("2,5", "3", "x")]),
    "decimal commas in every cell": ("x;y\n1,5;2,5\n", [("x", "y"), ("1,5", "2,5")]),
    "bars": ("a|b\n1|2\n", [("a", "b"), ("1", "2")]),
    "tabs and commas in cells": ("a\tb\n1\t2,3\n", [("a", "b"), ("1", "2,3")]),
    "a quoted header that holds commas": ('"a, b";"c"\n1;2\n', [("a, b", "c"), ("1", "2")]),
    "a header that holds a comma": ("name;price, EUR;x\na;1,5;b\n", [("name", "price, EUR", "x"), ("a", "1,5", "b")]),
    "labels with semicolons": ("text,labels\nx,a;b;c\ny,d;e;f\n", [("text", "labels"), ("x", "a;b;c"), ("y", "d;e;f")]),
    "texts with commas": ("id;text\n1;a, b\n2;c, d\n", [("id", "text"), ("1", "a, b"), ("2", "c, d")]),
    "a bar in the only name": ("a|b\nx\ny\n", [("a|b",), ("x",), ("y",)]),
    "the first line of Excel": ("sep=;\na;b\n1;2,5\n", [("a", "b"), ("1", "2,5")]),
    "the first line of Excel, quoted": ('"sep=|"\r\na|b\r\n1|2\r\n', [("a", "b"), ("1", "2")]),
    "comments before the header": ("# made by X, 2024\n# v, 1, 2\n\na,b\n1,x\n", [("a", "b"), ("1", "x")]),
    "one comment with as many cells": ("# made by X, 2024\na,b\n1,x\n", [("a", "b"), ("1", "x")]),
    "a header that begins with #": ("##format\n#CHROM\tPOS\n1\t2\n", [("#CHROM", "POS"), ("1", "2")]),
    "a first name that is #": ("#,name\n1,x\n", [("#", "name"), ("1", "x")]),
    "a header as numpy writes it": ("# x,y\n1.0,2.0\n", [("x", "y"), ("1.0", "2.0")]),
    "a delimiter at the end of every line": ("a,b,\n1,2,\n3,4,\n", [("a", "b"), ("1", "2"), ("3", "4")]),
    "a delimiter at the end of every row": ("a,b\n1,2,\n3,4,\n", [("a", "b"), ("1", "2"), ("3", "4")]),
    "a last column without a name": ("a,b,\n1,2,\n3,4,5\n", [("a", "b", "column 3"), ("1", "2", ""), ("3", "4", "5")]),
    "blank lines": ("\n\na,b\n1,2\n\n\n3,4\n\n", [("a", "b"), ("1", "2"), ("3", "4")]),
    "CR alone": ("a,b\r1,2\r3,4", [("a", "b"), ("1", "2"), ("3", "4")]),
    "quotes in cells without quotes": ('a,b\n5" pipe,3\n6",7\n', [("a", "b"), ('5" pipe', "3"), ('6"', "7")]),
    "a mark before a quoted header": ('\ufeff"a","b"\n1,2\n', [("a", "b"), ("1", "2")]),
    "two marks": ("\ufeff\ufeffa,b\n1,2\n", [("a", "b"), ("1", "2")]),
    "empty names": ("a,,c\n1,2,3\n", [("a", "column 2", "c"), ("1", "2", "3")]),
    "blank names, one of them taken": ("a, ,column 2\n1,2,3\n", [("a", "column 2_", "column 2"), ("1", "2", "3")]),
    "a header alone": ("a,b\n", [("a", "b")]),
    "a header alone without an end": ("a,b", [("a", "b")]),
    "line breaks in quotes": ('a,b\r\n"1\r\n2",3\r\n', [("a", "b"), ("1\r\n2", "3")]),
    "spaces before quotes": ('a, "b, c", d\n1, "x, y", 2\n3, "say ""hi"", now", 4\n',
                             [("a", "b, c", "d"), ("1", "x, y", "2"), ("3", 'say "hi", now', "4")]),
    "spaces before quotes that are text": ('a,b\n1, "Hello" she said\n2, x\n', [("a", "b"), ("1", ' "Hello" she said'), ("2", " x")]),
}  # fmt: skip


@pytest.mark.parametrize("name", list(TABLES))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_table_as_programs_write_it(tmp_path: Path, name: str, encoding: str) -> None:
    text, expected = TABLES[name]
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    source = open_source(tmp_path / "t.csv")
    assert [tuple(source.columns), *cells(source)] == expected
    assert source.rows == len(expected) - 1


BROKEN = {
    "a short row": ("a,b\n1,2\n\n3\n", "row 2: 1 cells; expected 2"),
    "a long row behind sep=": ("sep=;\na;b\n1;2\n1;2;3\n", "row 2: 3 cells; expected 2"),
    "a long row behind comments": ("# x\n\n# y\na,b\n1,2\n1,2,3\n", "row 2: 3 cells; expected 2"),
    "a short row behind CR": ("a,b\r1,2\r3\r", "row 2: 1 cells; expected 2"),
    "a short row behind line breaks in quotes": ('a,b\n"1\n\n1",2\n3\n', "row 2: 1 cells; expected 2"),
    "a comment between rows": ("a,b\n1,2\n# note\n3,4\n", "row 2: 1 cells; expected 2"),
    "names of rows": ('"a","b"\n"1",2,3\n"2",4,5\n', "row 1: 3 cells; expected 2; .*a row begin with a name that the header lacks"),
    "a last cell that is not empty": ("a,b\n1,2,\n3,4,\n5,6,7\n8,9\n", "row 1: 3 cells; expected 2"),
    "a comma in the only column": ("text\nhello, world\nfine\n", "row 1: 2 cells; expected 1; quote cells that contain ','"),
    "a short row of spaces and quotes": ('a, "b"\n1, "2"\n3\n', "row 2: 1 cells; expected 2"),
    "names twice": ("a,b,a\n1,2,3\n", "two columns are named 'a'"),
    "names twice but for spaces": ("a, a\n1,2\n", "two columns are named 'a'"),
    "a quote that is never closed": ('a,b\n1,"2\n', "row 1: a quote that is never closed"),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_broken_table_is_told_by_its_row(tmp_path: Path, name: str) -> None:
    text, said = BROKEN[name]
    (tmp_path / "t.csv").write_bytes(text.encode())
    with pytest.raises(DataError, match=rf"t.csv:? {said}"):
        cells(open_source(tmp_path / "t.csv"))


def test_long_lines_and_many_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n" + b"x" * 9_000_000 + b",1\n2,3\n")
    assert [(len(a), b) for a, b in cells(open_source(tmp_path / "t.csv"))] == [(9_000_000, "1"), (1, "3")]
    names = [f"name {at:08}" for at in range(120_000)]
    (tmp_path / "t.csv").write_text(",".join(names) + "\n" + ",".join(["1"] * 120_000) + "\n")
    source = open_source(tmp_path / "t.csv")
    assert source.columns == names
    assert source.rows == 1


def test_a_cell_of_spaces_and_quotes_that_is_broken_later(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'a, "b"\n' + b'1, "2, 3"\n' * 3_000 + b'4, "5" x\n')
    with pytest.raises(DataError, match=r"t.csv row 2049 or after it: cannot be read"):
        open_source(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_bytes(b'a, "b"\n' + b'1, "2, 3"\n' * 3_000)
    assert cells(open_source(tmp_path / "t.csv")) == [("1", "2, 3")] * 3_000


@pytest.mark.parametrize(("body", "columns", "rows"), [(b"abc", ["abc"], 0), (b"abc\n", ["abc"], 0), (b"a,b", ["a", "b"], 0), (b"a\n1", ["a"], 1), (b"a\n\n", ["a"], 1)])  # fmt: skip
def test_a_header_alone_is_a_table_of_no_rows(tmp_path: Path, body: bytes, columns: list[str], rows: int) -> None:
    (tmp_path / "t.csv").write_bytes(body)
    source = open_source(tmp_path / "t.csv")
    assert (source.columns, source.rows) == (columns, rows)
