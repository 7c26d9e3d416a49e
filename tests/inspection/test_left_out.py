"""Tests of columns that no field reads: every command reports them. Single objects in a column that is read are faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import parquet

import polymodal as pm
from polymodal.cli.main import main
from polymodal.inspection import init

FAST = ("training.epochs=1", "training.baselines=false", "model.width=8", "data.split.kind=random", "data.split.valid=0.3")
ROWS = 40


class Thing:
    """An object whose text shows its address."""


UNREAD: dict[str, tuple[Any, str]] = {
    "dicts": (lambda at: {"a": at, "b": "x"}, "dict (a, b)"),
    "lists of dicts": (lambda at: [{"a": at}], "list of dict (a)"),
    "objects": (lambda at: Thing(), "object of type Thing"),
    "mixed objects": (lambda at: [b"x", at, "word", [1]][at % 4], "bytes, int, str, ..."),
    "complex numbers": (lambda at: complex(at, 1), "complex number"),
    "complex arrays": (lambda at: np.full(9, at, complex), "array of complex128"),
    "records": (lambda at: np.zeros(3, [("a", "f4")]), "array of named fields"),
    "cubes of cubes": (lambda at: np.full((2, 2, 2, 2), at), "array of int64 in 4 dimensions"),
    "empty lists": (lambda at: [], "empty list"),
    "lists of lists of texts": (lambda at: [["a"], [str(at)]], "list of list of str"),
    "ragged short lists": (lambda at: [1.0] * (1 + at % 3), "list of float"),
    "bytes": (lambda at: bytes([at]) * 20, "bytes"),
}


def rows(readers: Any = UNREAD) -> list[dict[str, Any]]:
    return [
        {"n": at * 7 % 13 + 0.5, "id": at, "same": "x", **{name: cell(at) for name, (cell, _) in readers.items()}, "y": "ab"[at % 2]}
        for at in range(ROWS)
    ]


def test_every_verb_names_each_column_that_nothing_reads(tmp_path: Path) -> None:
    profile = pm.inspect(rows(), target="y")
    found = {column.name: column for column in profile.columns}
    checked = pm.check(rows(), *FAST, target="y")
    with pytest.warns(UserWarning, match="is not used") as caught:
        pm.train(rows(), *FAST, target="y", out=tmp_path / "run")
    events = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert checked.ok
    for name, (_, said) in UNREAD.items():
        assert (found[name].role, found[name].modality, found[name].unread) == ("ignored", None, True)
        why = f"cells of {said}: no modality reads them"
        assert found[name].why == why
        line = f"column {name!r} is not used: {why}"
        assert [one for one in profile.suspicions if f"column {name!r} is left out: {why}" in one]
        assert len([one for one in checked.notes if one.startswith(f"warning: {line}")]) == 1
        assert f"warning: {line}" in checked.text(1_000)
        assert len([one for one in caught if f"rows, {line}" in str(one.message)]) == 1
        assert len([one for one in events if one["event"] == "warning" and one["text"].startswith(line)]) == 1
    for name, why in (
        ("id", "different whole numbers, one after the other or in another order: an id"),
        ("same", "every cell is the same"),
    ):
        line = f"column {name!r} is left out: {why}"
        assert line in checked.notes
        assert not found[name].unread
        assert [one for one in events if one["event"] == "note" and one["text"] == line]
        assert not [one for one in caught if name in str(one.message).split(":")[0]]
    yaml = init(rows(), target="y", out=None)
    assert "# column 'dicts' is not used: ignored, cells of dict (a, b): no modality reads them" in yaml


def test_columns_that_are_left_out_by_request_are_not_told(recwarn: pytest.WarningsRecorder) -> None:
    few = rows({name: UNREAD[name] for name in ("dicts", "objects")})
    assert not [
        note for note in pm.check(few, *FAST, target="y", ignore=["dicts", "objects"]).notes if "dicts" in note or "objects" in note
    ]
    pm.train(few, *FAST, target="y", ignore=["dicts", "objects"])
    assert not len(recwarn)


def test_columns_of_arrow_that_nothing_reads_are_told(tmp_path: Path) -> None:
    n = pa.array([at * 7 % 13 + 0.5 for at in range(ROWS)])
    columns = {
        "structs": (pa.array([{"a": at, "b": None} for at in range(ROWS)]), "dict (a, b)"),
        "maps": (pa.array([[("k", at)] for at in range(ROWS)], pa.map_(pa.string(), pa.int64())), "dict (k)"),
        "lists of structs": (pa.array([[{"a": at}] for at in range(ROWS)]), "list of dict (a)"),
        "lists of bytes": (pa.array([[b"x", bytes([at])] for at in range(ROWS)]), "list of bytes"),
        "codes": (pa.array([bytes([at]) * 4 for at in range(ROWS)], pa.binary(4)), "bytes"),
        "lists of times": (pa.array([[at, at + 1] for at in range(ROWS)], pa.list_(pa.timestamp("s"))), "list of datetime"),
        "unions": (
            pa.UnionArray.from_sparse(pa.array([at % 2 for at in range(ROWS)], pa.int8()), [n, pa.array([b"x"] * ROWS)]),
            "float, bytes",
        ),
    }
    table = pa.table({"n": n, **{name: column for name, (column, _) in columns.items()}, "y": ["a", "b"] * (ROWS // 2)})
    notes = pm.check(table, *FAST, target="y").notes
    for name, (_, said) in columns.items():
        assert [note for note in notes if note.startswith(f"warning: column {name!r} is not used: cells of {said}: no modality")], name
    parquet.write_table(table.drop_columns(["unions"]), tmp_path / "t.parquet")
    result = CliRunner().invoke(main, ["train", str(tmp_path / "t.parquet"), "--target", "y", *FAST, "-o", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    for name, (_, said) in columns.items():
        told = [line for line in result.stderr.replace("\n  ", " ").splitlines() if f"column {name!r} is not used: cells of {said}" in line]
        assert len(told) == (name != "unions"), name
        assert all(line.startswith("warning: ") for line in told)


def test_compare_tells_them_too() -> None:
    few = [{**row, "m": at % 5 + 0.1 * at, "word": ["red", "blue", "green"][at % 3] + f" no {at % 7}"} for at, row in
           enumerate(rows({"dicts": UNREAD["dicts"]}))]  # fmt: skip
    with pytest.warns(UserWarning, match="column 'dicts' is not used: cells of dict"):
        pm.compare(few, *FAST[:3], target="y", columns={"word": "text"}, trials=1, rounds=2, fusions=["concat"], also=[], jobs=1)


def test_a_table_of_which_nothing_is_read_says_why() -> None:
    with pytest.raises(pm.DataError, match=r"no column to learn from; column 'x' is not used: cells of dict \(a\): no modality reads them"):
        pm.train([{"x": {"a": at}, "y": "ab"[at % 2]} for at in range(ROWS)], target="y")


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        (lambda at: f"some words of row {at} and a few more", "text"),
        (lambda at: at * 7 % 13 + 0.5, "tabular"),
        (lambda at: ["red", "green", "blue"][at % 3], "tabular"),
        (lambda at: [float(at % 7), 1.0, 2.0, float(at % 5)], "vector"),
        (lambda at: [["red", "green"], ["blue"]][at % 2], "text"),
        (lambda at: np.full((20, 20, 3), at, np.uint8), "image"),
    ],
)
def test_single_objects_in_a_column_are_faults(tmp_path: Path, cell: Any, kind: str) -> None:
    strange = {4: {"a": 1}, 9: Thing(), 30: 1 + 2j, 50: [{"a": 1}]}
    table = [{"x": strange.get(at, cell(at)), "n": at * 3 % 7 + 0.25, "y": "ab"[at % 2]} for at in range(100)]
    found = pm.check(table, *FAST, target="y")
    assert found.ok
    assert [(row, column) for row, column, _ in found.faults] == [(5, "x"), (10, "x"), (31, "x"), (51, "x")]
    assert not [note for note in found.notes if "'x'" in note]
    size = ["fields.x.size=8"] if kind == "image" else []
    model = pm.train(table, *FAST, *size, target="y", out=tmp_path / "run")
    assert kind in [field.kind for field in model.bundle.experiment.fields.values() if "x" in field.sources]
    lines = (tmp_path / "run" / "faults.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["5", "10", "31", "51"]
    assert "found object of type Thing" in lines[2]


def test_objects_do_not_change_what_the_other_cells_are_read_as() -> None:
    for strange in ({"a": 1}, Thing()):
        frame = pd.DataFrame({"x": [strange if at % 5 == 0 else at * 3 % 7 + 0.25 for at in range(100)], "y": ["a", "b"] * 50})
        assert "number" in next(one.options["type"] for one in pm.inspect(frame, target="y").columns if one.name == "x")
        with pytest.warns(
            UserWarning, match=r"column 'x': 20 of 100 cells cannot be read \(first in row 1: found (dict|object of type Thing); expected"
        ):
            model = pm.train(frame, *FAST, target="y")
        assert [column["type"] for column in model.bundle.states["columns"]["columns"]] == ["number"]


def test_one_column_that_is_left_out_may_be_named_by_itself() -> None:
    table = {"price": list(range(40)), "x": [at % 7 + 0.5 for at in range(40)], "y": ["a", "b"] * 20}
    for given in ("price", ["price"], ("price",)):
        assert [field.sources for field in pm.train(table, *FAST, target="y", ignore=given).bundle.experiment.fields.values()] == [("x",)]
        assert next(one.role for one in pm.inspect(table, target="y", ignore=given).columns if one.name == "price") == "ignored"
    for verb in (pm.train, pm.inspect, pm.check):
        with pytest.raises(pm.ConfigError, match=r"columns: found list; expected a mapping such as \{'age': 'number'\}$"):
            verb(table, target="y", columns=["price"])  # type: ignore[arg-type]


def test_a_frame_with_objects_names_them_as_rows_do() -> None:
    frame = pd.DataFrame(rows({name: UNREAD[name] for name in ("dicts", "complex arrays", "objects")}))
    notes = pm.check(frame, *FAST, target="y").notes
    for name in ("dicts", "complex arrays", "objects"):
        assert [note for note in notes if f"column {name!r} is not used: cells of {UNREAD[name][1]}" in note]
    with pytest.raises(pm.DataError, match=r"column 'y': found object of type Thing; expected classes"):
        pm.train([{"n": at, "y": Thing()} for at in range(ROWS)], target="y")
