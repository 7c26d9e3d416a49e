"""Lists of dicts that print as tables: 80 columns, wide characters, hostile text, HTML."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pandas as pd
from rich.cells import cell_len

from polymodal.pages import Records, aligned, html_table, plain, with_error


def _name(row: Any) -> str:
    return str(row["name"])


def _value(row: Any) -> str:
    return with_error(row["value"], row["error"])


SHOWN = {"": _name, "r2": _value}
ROWS: list[dict[str, Any]] = [{"name": "标题", "value": 0.5, "error": 0.125}, {"name": "price", "value": None, "error": None}]


def test_a_table_is_a_list_of_dicts_that_prints_aligned() -> None:
    records = Records(ROWS, "target: rows", SHOWN)
    assert records == ROWS
    assert json.loads(json.dumps(records)) == ROWS
    assert repr(records) == str(records) == "target: rows\n                       r2\n标题      0.5000 ± 0.1250\nprice                   –"
    assert list(pd.DataFrame(records).columns) == ["name", "value", "error"]
    for other in (copy.deepcopy(records), pickle.loads(pickle.dumps(records))):
        assert repr(other) == repr(records)


def test_a_table_without_rows_has_its_headings() -> None:
    assert repr(Records([], "none", SHOWN)) == "none\n          r2"
    assert repr(Records()) == "[]"


def test_a_line_has_at_most_80_columns_and_long_names_end_in_an_ellipsis() -> None:
    records = Records([{"name": "很长的名字" * 30, "value": 1.0, "error": 0.1}], "t" * 200, SHOWN)
    lines = repr(records).splitlines()
    assert max(map(cell_len, lines)) == 80
    assert lines[0].endswith("…")
    assert "…" in lines[2]
    assert lines[2].endswith("1.0000 ± 0.1000")


def test_numbers_are_aligned_to_the_right_and_words_to_the_left() -> None:
    assert aligned([["a", "n", "w"], ["x", "1", "yes"], ["y", "-20", "no"]]) == [
        "a           n  w",
        "x           1  yes",
        "y         -20  no",
    ]


HOSTILE = '<script>alert(1)</script>"\x1b[31m\n\r\t\u202eevil'


def test_hostile_text_is_escaped_in_html_and_harmless_in_a_terminal() -> None:
    records = Records([{"name": HOSTILE, "value": 1.0, "error": 0.1}], HOSTILE, {HOSTILE: _name, "r2": _value})
    for page in (records._repr_html_(), html_table([HOSTILE], [[HOSTILE]], HOSTILE)):
        assert "<script" not in page
        assert page.count("&lt;script&gt;") == 3
        assert "\x1b" not in page
    assert all(char.isprintable() or char == "\n" for char in repr(records))
    assert len(repr(records).splitlines()) == 3
    assert plain("a\nb\x07") == "a b�"
