"""Tests of sampling: statistics are learned from rows spread evenly over the training rows, not from the first rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import soundfile
from PIL import Image

from builders.tables import write_csv
from polymodal.data.sampling import cells_at, rows_to_fit_on, sampled_evenly
from polymodal.data.sources import Source, open_source
from polymodal.inspection.infer import infer
from polymodal.modalities import MODALITIES, Modality
from polymodal.preparation import fit_modalities, known_targets, roots_of, split_rows


def fitted(table: Any, *root: Path) -> dict[str, Modality]:
    source = open_source(table)
    experiment, _, _ = infer(source, ["y"], ["data.split.kind=random"], tree={"data": {"root": [str(folder) for folder in root]}})
    fitting_N = np.zeros(source.rows, bool)
    fitting_N[split_rows(experiment, source, known_targets(source, experiment), False)[0].fitting] = True
    return fit_modalities(experiment, source, roots_of(source, [str(folder) for folder in root]), fitting_N)


def test_one_row_of_each_stretch_is_drawn() -> None:
    rows = np.arange(5, 1_005)
    drawn = sampled_evenly(rows, 100, 0)
    assert len(drawn) == 100
    assert ((drawn - 5) // 10 == np.arange(100)).all(), "one of each ten rows"
    assert len(set((drawn - 5) % 10)) > 5, "not always the same one"
    np.testing.assert_array_equal(drawn, sampled_evenly(rows, 100, 0))
    assert (drawn != sampled_evenly(rows, 100, 1)).any()
    np.testing.assert_array_equal(sampled_evenly(rows, 1_000, 0), rows)


def test_empty_cells_take_no_place_in_the_sample() -> None:
    source = open_source([{"a": at if at >= 900 else None, "b": at} for at in range(1_000)])
    fitting_N = np.arange(1_000) % 2 == 0
    rows = rows_to_fit_on(source, {"a": ["a"], "b": ["b"]}, {"a": 20, "b": 2_000}, fitting_N, 0)
    assert len(rows["a"]) == 20
    assert rows["a"].min() >= 900
    assert (rows["a"] % 2 == 0).all()
    np.testing.assert_array_equal(rows["b"], np.flatnonzero(fitting_N))


@pytest.mark.parametrize("kind", ["rows", "frame", "csv", "parquet", "feather", "jsonl", "polars", "chunks of polars"])
def test_every_source_gives_the_cells_of_some_rows_in_their_order(tmp_path: Path, kind: str) -> None:
    frame = pd.DataFrame({"a": [f"x{at}" if at % 7 else None for at in range(5_000)], "b": [str(at) for at in range(5_000)]})
    path = tmp_path / f"t.{kind}"
    source: Source
    if kind == "rows":
        source = open_source(frame.to_dict("records"))
    elif kind == "frame":
        source = open_source(frame)
    elif "polars" in kind:
        table = pl.from_pandas(frame)
        source = open_source(table if kind == "polars" else pl.concat([table[:1_023], table[1_023:1_400], table[1_400:]], rechunk=False))
    else:
        writers: dict[str, Any] = {
            "csv": lambda: frame.to_csv(path, index=False),
            "parquet": lambda: frame.to_parquet(path, row_group_size=700),
            "feather": lambda: frame.to_feather(path),
            "jsonl": lambda: frame.to_json(path, orient="records", lines=True),
        }
        writers[kind]()
        source = open_source(path)
    rows = np.array([0, 1, 2, 1_023, 1_024, 1_400, 4_998, 4_999])
    assert list(cells_at(source, ["a"], rows)) == [f"x{at}" for at in rows if at % 7]
    assert list(cells_at(source, ["b"], rows[:0])) == []
    both = list(cells_at(source, ["a", "b"], rows))
    assert [pair[1] for pair in both] == [str(at) for at in rows]


def test_lists_structs_and_bytes_of_polars_are_given_in_their_order() -> None:
    table = pl.DataFrame(
        {"l": [[f"a{at}"] for at in range(9)], "s": [{"k": f"{at}"} for at in range(9)], "b": [bytes([at]) for at in range(9)]}
    )
    source = open_source(pl.concat([table[:5], table[5:]], rechunk=False))
    found = [list(cells_at(source, [name], np.array([1, 4, 5, 8]))) for name in "lsb"]
    assert found == [[["a1"], ["a4"], ["a5"], ["a8"]], [{"k": k} for k in "1458"], [b"\1", b"\4", b"\5", b"\x08"]]


def test_a_later_sound_is_as_long_as_it_is(tmp_path: Path, rng: np.random.Generator) -> None:
    for name, seconds in (("short", 0.3), ("long", 3.0)):
        soundfile.write(tmp_path / f"{name}.wav", rng.normal(0, 0.1, int(8_000 * seconds)), 8_000)
    table = write_csv(tmp_path / "t.csv", ["clip", "y"], [["short.wav" if at < 200 else "long.wav", "ab"[at % 2]] for at in range(300)])
    assert len(fitted(table)["clip"].read("long.wav")["mel"]) == 300


def test_a_later_picture_gives_its_channels_and_its_colours(tmp_path: Path) -> None:
    for name, grey in (("dark", 10), ("light", 250)):
        Image.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(tmp_path / f"{name}.png")
    rows = [["dark.png" if at < 400 else "light.png", "ab"[at % 2]] for at in range(800)]
    state = fitted(write_csv(tmp_path / "t.csv", ["photo", "y"], rows))["photo"].state
    assert state["mean"][0] == pytest.approx(130, abs=5)
    assert state["std"][0] == pytest.approx(120, abs=2)


def test_a_later_series_has_its_mean_and_spread(rng: np.random.Generator) -> None:
    rows = [
        {"s": (rng.normal(size=30) if at < 700 else 1_000 + 100 * rng.normal(size=30)).tolist(), "y": "ab"[at % 2]} for at in range(1_000)
    ]
    state = fitted(rows)["s"].state
    assert state["mean"][0] == pytest.approx(300, abs=15)


def test_late_numbers_and_categories_are_known(rng: np.random.Generator) -> None:
    count, early = 70_000, np.arange(70_000) < 60_000
    frame = pd.DataFrame({
        "amount": np.where(early, rng.normal(10, 1, count), rng.normal(500, 100, count)),
        "store": np.where(early, "old", "new") + pd.Series(np.arange(count) % 50).astype(str),
        "y": np.where(np.arange(count) % 2, "a", "b"),
    })  # fmt: skip
    amount, store = fitted(frame)["columns"].state["columns"]
    shuffled = fitted(frame.sample(frac=1, random_state=0))["columns"].state["columns"]
    assert amount["mean"] == pytest.approx(shuffled[0]["mean"], rel=0.02)
    assert amount["std"] == pytest.approx(shuffled[0]["std"], rel=0.02)
    assert store["values"] == shuffled[1]["values"]
    assert len(store["values"]) == 100


def test_every_modality_says_how_many_cells_it_learns_from() -> None:
    assert all(16 <= modality.fit_cells <= 50_000 for modality in MODALITIES)
