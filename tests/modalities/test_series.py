"""Tests of series: values of lists, arrays, texts and files, with windows, gaps and times."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import polymodal as pm
from builders.series import table_of
from polymodal.errors import Fault
from polymodal.modalities import Roots, Series, SeriesConfig

WAVE = np.sin(np.arange(100) / 5)


def reader(root: Path | None = None, cells: Any = None, **settings: Any) -> Series:
    config = SeriesConfig(**{"column": "x", **settings})
    made = [WAVE.tolist()] * 3 if cells is None else cells
    return Series(
        config,
        Series.fit(SeriesConfig(column="x", length=settings.get("length")), made, "series", {}, Roots()),
        Roots([root] if root else []),
    )


def npy(array: np.ndarray, **options: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


def raw(audio: Series, cell: Any) -> np.ndarray:
    """The values in their own unit."""
    return audio.read(cell)["values"] * np.array(audio.state["std"]) + np.array(audio.state["mean"])  # type: ignore[no-any-return]


# -- the right values ----------------------------------------------------------------------------------------------------


def test_lists_arrays_text_and_files_of_one_series_are_one_sample(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy(WAVE))
    (tmp_path / "b.npy").write_bytes(npy(WAVE.astype(">f8")[:, None]))
    (tmp_path / "c.csv").write_text("x\n" + "\n".join(map(repr, WAVE.tolist())) + "\n")
    (tmp_path / "d.csv").write_text("\n".join(map(repr, WAVE.tolist())) + "\n")
    parquet.write_table(pa.table({"x": WAVE}), tmp_path / "e.parquet")
    series = reader(tmp_path)
    cells = [WAVE.tolist(), tuple(WAVE.tolist()), WAVE, WAVE[:, None], json.dumps(WAVE.tolist()), json.dumps([[v] for v in WAVE.tolist()]),
             npy(WAVE), "a.npy", "b.npy", "c.csv", "d.csv", "e.parquet", tmp_path / "a.npy"]  # fmt: skip
    expected = series.read(cells[0])["values"]
    assert expected.shape == (100, 1)
    np.testing.assert_allclose(raw(series, cells[0])[:, 0], WAVE, atol=1e-6)
    for cell in cells[1:]:
        np.testing.assert_allclose(series.read(cell)["values"], expected, atol=1e-6)


def test_gaps_stay_gaps_and_channels_their_own() -> None:
    cell = [[1.0, None], [2.0, 5.0], [float("nan"), 7.0], [4.0, 9.0]] * 4
    series = reader(cells=[cell] * 3)
    values = raw(series, cell)
    assert values.shape == (16, 2)
    assert np.isnan(values[0, 1])
    assert np.isnan(values[2, 0])
    np.testing.assert_allclose(values[3], [4, 9], atol=1e-5)
    assert series.state["mean"] == pytest.approx([7 / 3, 7.0])


def test_irregular_times_are_laid_on_a_grid(tmp_path: Path) -> None:
    times = np.sort(np.random.default_rng(0).uniform(0, 10, 400))
    (tmp_path / "a.csv").write_text("time,v\n" + "".join(f"{t!r},{float(np.sin(t))!r}\n" for t in times.tolist()))
    values = raw(reader(tmp_path, length=400), "a.csv")[:, 0]
    np.testing.assert_allclose(values, np.sin(np.linspace(times[0], times[-1], 400)), atol=0.01)
    (tmp_path / "b.csv").write_text("date,v\n" + "".join(f"2024-01-{at + 1:02d},{at}\n" for at in range(31)))
    np.testing.assert_allclose(raw(reader(tmp_path, cells=[list(range(31))] * 3), "b.csv")[:, 0], np.arange(31), atol=1e-4)


def test_a_window_of_a_file_is_read_by_its_seconds(tmp_path: Path) -> None:
    values = np.arange(1_000.0)
    (tmp_path / "a.npy").write_bytes(npy(values))
    (tmp_path / "t.csv").write_text("time,v\n" + "".join(f"{at / 10},{at}\n" for at in range(1_000)))
    cells = [values.tolist()] * 3
    by_rate = reader(tmp_path, cells, start="from", end="to", rate=10.0)
    np.testing.assert_allclose(raw(by_rate, ("a.npy", 20, "23.0"))[:, 0], np.arange(200, 230), atol=1e-2)
    by_times = reader(tmp_path, cells, start="from", end="to")
    np.testing.assert_allclose(raw(by_times, ("t.csv", 20, 23))[:, 0], np.arange(200, 230), atol=1e-2)
    for cell, said in (
        (("a.npy", 5, 2), "two seconds"),
        (("a.npy", "x", 2), "two seconds"),
        (("a.npy", 5_000, 6_000), "without any step between 5000 s"),
    ):
        with pytest.raises(Fault, match=said):
            by_rate.read(cell)
    with pytest.raises(Fault, match="without times"):
        by_times.read(("a.npy", 1, 2))
    with pytest.raises(ValueError, match="'start' and 'end'"):
        SeriesConfig(column="x", start="a")


def test_long_series_are_averaged_down_and_short_ones_kept() -> None:
    series = reader(length=50)
    values = raw(series, np.arange(5_000.0).tolist())
    assert len(values) == 50
    state = {**series.state, "mean": [0.0], "std": [1000.0]}
    again = Series(series.config, state, Roots())
    np.testing.assert_allclose(again.read(np.arange(5_000.0).tolist())["values"][:, 0] * 1000, np.arange(49.5, 5_000, 100), atol=1)
    assert len(series.read([1.0, 2.0])["values"]) == 2


# -- what is no series ---------------------------------------------------------------------------------------------------


def claimed(shape: tuple[int, ...]) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return out.getvalue() + bytes(64)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ([], "not a series"),
        ([[]], "not a series|without any step"),
        ([1, "a", 3], "not a series"),
        ([[1, 2], [3]], "not a series"),
        ([[[1.0]]], "not a series"),
        ([1.0, float("inf")], "infinite"),
        ([None, None], "every value is missing"),
        ([[1.0, 2.0]] * 20, "2 channels; expected 1"),
        ({"a": 1}, "not a series"),
        ("[1, 2", "no such file|no folder|not a series"),
        ("[" * 100_000 + "]" * 100_000, "not a series"),
        (npy(np.array([{"a": 1}], object), allow_pickle=True), "objects is never opened"),
        (npy(np.array(["a"])), "expected numbers"),
        (npy(np.zeros((2, 2, 2))), "of shape"),
        (npy(np.zeros((0,))), "without any step"),
        (claimed((10**8, 4)), "of shape"),
        (claimed((2**62,)), "of shape"),
        (b"\x93NUMPY\x01\x00\xff\xff" + bytes(100), "cannot be read|expected"),
        (b"PAR1" + bytes(50), "cannot be read"),
        (b"\x80\x04cos\nsystem\n.", "cannot be read|expected numbers"),
        (b"time,v\n1,2\n3,4\n2,5\n", "decrease"),
        (b"time,v\n1,2\n1,4\n", "occurs twice"),
        (b"time,v\nsoon,2\nlater,4\n", "times that cannot be read"),
        (b"v\n1\ntwo\n", "expected numbers"),
        ("../a.npy", "no folder|outside"),
        ("https://example.com/a.npy", "a URL"),
        (np.zeros((3, 1_000)), "at most 256 channels"),
    ],
)
def test_what_is_no_series_is_told(cell: Any, said: str) -> None:
    with pytest.raises(Fault, match=said) as caught:
        reader().read(cell)
    assert len(str(caught.value)) < 250


# -- a table of series -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_text", [False, True])
def test_a_table_of_series_is_recognised_and_learned_with_nothing_said(tmp_path: Path, as_text: bool) -> None:
    rows, other = table_of(240, 0, as_text), table_of(60, 1, as_text)
    assert "series" in pm.inspect(rows, target="kind").text()
    model = pm.train(rows, "data.split.folds=2", "training.epochs=16", target="kind", out=tmp_path / "run")
    assert model.evaluate(other)["tasks"]["kind"]["accuracy"] > 0.9
    np.testing.assert_array_equal(pm.load(tmp_path / "run").predict_proba(other), model.predict_proba(other))
    assert np.isfinite(model.predict_proba([{"signal": None}, {"signal": [1.0]}])).all()


def test_arrays_that_differ_in_their_middle_are_different_cells(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for at in range(80):
        wave = np.zeros(3_000)
        wave[1_400:1_600] = np.sin(np.arange(200) / (3 if at % 2 else 9)) + rng.normal(0, 0.1)
        rows.append({"signal": wave, "kind": "ab"[at % 2]})
    profile = pm.inspect(rows, target="kind")
    assert next(column.distinct for column in profile.columns if column.name == "signal") == 80
    assert profile.experiment is not None
    assert profile.experiment.data.split.group is None
    from polymodal.data.store import _digest

    assert len({_digest(row["signal"]).tobytes() for row in rows}) == 80
    assert len({_digest([row["signal"], row["signal"]]).tobytes() for row in rows}) == 80
    assert _digest(rows[0]["signal"]).tobytes() == _digest(rows[0]["signal"].copy()).tobytes()


def test_long_series_as_text_are_recognised(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [json.dumps({"signal": json.dumps(rng.normal(at % 2, 1, 6_000).round(3).tolist()), "kind": "ab"[at % 2]}) for at in range(100)]
    (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n")
    assert "lists of numbers, 6,000 to 6,000 steps" in " ".join(pm.inspect(tmp_path / "t.jsonl", target="kind").text().split())
