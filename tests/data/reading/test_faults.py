"""Tests of unreadable cells: all parts that read tables report the same row, column and message."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polymodal as pm
from builders.tables import FAST, shop, write_csv
from polymodal.data.reading import CellFault, CellReader, CellState, FaultBook, columns_of_faults, faults_of, read_cell
from polymodal.data.sources import open_source
from polymodal.data.store import Store
from polymodal.modalities import PartFault, Roots, Tabular, TabularConfig

NAMES = ("broken picture", "broken number", "file outside the root")
Faults = list[tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table whose cells can all be read, a picture of which half is lost, and a picture beside the table's folder."""
    place = tmp_path_factory.mktemp("faults") / "data"
    shop(place, 60)
    whole = next((place / "photos").iterdir()).read_bytes()
    (place / "photos" / "half.png").write_bytes(whole[: len(whole) // 2])
    (place.parent / "outside.png").write_bytes(whole)
    return place


@pytest.fixture(scope="module")
def model(folder: Path) -> pm.Predictor:
    return pm.train(folder / "shop.csv", *FAST, "training.epochs=1", target="label")


def table_of(folder: Path, name: str) -> Path:
    """The table with one of the broken cells in its seventh row."""
    lines = [line.split(",") for line in (folder / "shop.csv").read_text(encoding="utf-8").splitlines()]
    at, cell = {NAMES[0]: (0, "photos/half.png"), NAMES[1]: (2, "cheap"), NAMES[2]: (0, "../outside.png")}[name]
    lines[7][at] = cell
    return write_csv(folder / f"{NAMES.index(name)}.csv", lines[0], lines[1:])


def of_training(table: Path, model: pm.Predictor, tmp_path: Path) -> Faults:
    """From ``faults.csv``."""
    pm.train(table, *FAST, "training.epochs=1", target="label", out=tmp_path / "run")
    with (tmp_path / "run" / "faults.csv").open(encoding="utf-8", newline="") as file:
        return [(int(row), column, message) for row, column, message in list(csv.reader(file))[1:]]


def of_prediction(table: Path, model: pm.Predictor, tmp_path: Path) -> Faults:
    """From the predictions of a table."""
    faults: Faults = []
    for part in model.predictions(table):
        for row, text in zip(part.rows, part.faults, strict=True):
            faults += [(int(row), *text.split(": ", 1))] if text else []  # type: ignore[list-item]
    return faults


def of_check(table: Path, model: pm.Predictor, tmp_path: Path) -> Faults:
    """From a check, without what comes of each fault."""
    return [
        (row, column, text.removesuffix(" (the cell counts as missing)"))
        for row, column, text in pm.check(table, *FAST, target="label").faults
    ]


def of_robustness(table: Path, model: pm.Predictor, tmp_path: Path) -> Faults:
    """From the error that the first fault raises."""
    with pytest.raises(pm.DataError) as raised:
        pm.robustness(model, table, on_error="error")
    place, _, rest = str(raised.value).removesuffix("; use on_error=blank to answer without it").partition(", column ")
    column, _, message = rest.partition(": ")
    return [(int(place.rpartition(" row ")[2]), column.strip("'"), message)]


def of_explanation(table: Path, model: pm.Predictor, tmp_path: Path) -> Faults:
    """From the explanation of one row."""
    (row,) = pm.explain(model, table, rows=7)["explained"]
    column, message = row["faults"].split(": ", 1)
    return [(row["row"], column, message)]


def of_inspection(table: Path, model: pm.Predictor, tmp_path: Path) -> Faults:
    """From the search for leaks, which reads pictures, and from the columns that are inspected."""
    return [(row, column, text) for column, faults in pm.inspect(table, target="label").unreadable.items() for row, text in faults]


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_is_stated_alike_everywhere(name: str, folder: Path, model: pm.Predictor, tmp_path: Path) -> None:
    table = table_of(folder, name)
    users: list[Callable[[Path, pm.Predictor, Path], Faults]] = [of_prediction, of_check, of_robustness, of_explanation, of_inspection]
    expected = of_training(table, model, tmp_path)
    assert [(row, column) for row, column, _ in expected] == [(7, "price" if name == NAMES[1] else "photo")]
    assert {NAMES[0]: "", NAMES[1]: "found 'cheap'; expected a finite number", NAMES[2]: "outside every root"}[name] in expected[0][2]
    for faults_by in users:
        assert faults_by(table, model, tmp_path) == expected, faults_by.__name__


# -- the reader and the record ---------------------------------------------------------------------------------------------


@pytest.fixture
def modality() -> Tabular:
    config = TabularConfig(columns=["a", "b"], types={"a": "number", "b": "number"})
    return Tabular(config, Tabular.fit(config, [("1", "2"), ("3", "5")], "columns", {"bins": 2}, Roots()), Roots())


def test_a_cell_becomes_a_sample_a_fault_or_both(modality: Tabular) -> None:
    sample, fault = read_cell(modality, ("1", "2"))
    assert sample is not None
    assert fault is None
    sample, fault = read_cell(modality, ("1", "x"))
    assert sample is not None
    assert np.isnan(sample["numbers"]).tolist() == [False, True]
    assert isinstance(fault, PartFault)
    sample, fault = read_cell(modality, ("x", "y"))
    assert sample is None
    assert fault is not None
    faults = faults_of(fault, 4, modality.config.sources, "columns")
    message = "found '{}'; expected a finite number".format
    assert faults == [CellFault(4, "a", message("x"), "columns"), CellFault(4, "b", message("y"), "columns")]
    assert faults[0].text == f"a: {message('x')}"
    assert columns_of_faults(["a", "b"]) == ("a", "b", "a + b")
    assert columns_of_faults(["a"]) == ("a",)


@pytest.mark.parametrize(("cost", "reads"), [(1.0, 4), (2.0, 2)])
def test_equal_texts_are_read_once_where_reading_is_costly(
    modality: Tabular, monkeypatch: pytest.MonkeyPatch, cost: float, reads: int
) -> None:
    kept: list[Any] = []
    one = Tabular(TabularConfig(columns=["a"]), {**modality.state, "columns": modality.state["columns"][:1]}, Roots())
    monkeypatch.setattr(Tabular, "cost", lambda self: cost)

    def keep(sample: Any) -> int:
        kept.append(sample)
        return len(kept)

    reader = CellReader(one, keep)
    results = [reader.read(cell) for cell in ("1", "x", "1", "x")]
    assert reader.reads == reads
    assert [value for value, _ in results] == [1, None, 1 if reads == 2 else 2, None]
    assert [str(fault) if fault else "" for _, fault in results] == ["", "a: found 'x'; expected a finite number"] * 2


def test_the_policy_of_a_field_and_of_a_target_and_the_limit(tmp_path: Path) -> None:
    book = FaultBook("table", lambda field: "error" if field == "strict" else "skip", path=tmp_path / "faults.csv", fix="fix it")
    for fault in (CellFault(3, "a", "bad", "field"), CellFault(9, "a", "=bad", "field"), CellFault(5, "y", "worse")):
        book.record(fault)
    with pytest.raises(pm.DataError, match=r"^table row 2, column 'b': broken; fix it$"):
        book.record(CellFault(2, "b", "broken", "strict"))
    book.close()
    assert book.counts == {"a": 2, "y": 1}
    assert book.line("a", 40) == "table, column 'a': 2 of 40 cells cannot be read (first in row 3: bad)"
    assert book.line("b", 40) == ""
    assert not book.exceeds("a", 40, 0.05)
    assert book.exceeds("a", 39, 0.05)
    assert (tmp_path / "faults.csv").read_text(encoding="utf-8").splitlines() == ["row,column,fault", "3,a,bad", "9,a,'=bad", "5,y,worse"]


def test_the_state_of_each_cell_takes_one_byte_and_rows_without_a_sample_have_no_number(modality: Tabular, tmp_path: Path) -> None:
    rows = [{"a": "1", "b": "2"}, {"a": "", "b": ""}, {"a": "x", "b": "y"}, {"a": "x", "b": "2"}, {"a": "3", "b": "5"}]
    store = Store(tmp_path / "cells", {"t": modality})
    store.fill(open_source(rows), lambda fault: None, np.array([True, True, True, True, False]))
    assert store.state["t"].dtype == np.uint8
    states = [CellState.READABLE, CellState.MISSING, CellState.UNREADABLE, CellState.PARTIAL, CellState.MISSING]
    assert store.state["t"].tolist() == states
    assert ((store.index["t"] >= 0) == store.is_present("t")).all()
    numbers, place = store.distinct("t", np.array([3, 1, 0, 3]))
    assert place.tolist() == [1, -1, 0, 1]
    assert numbers.tolist() == [store.index["t"][0], store.index["t"][3]]
    store.close()
