"""Tests of inferred types that cells of the whole table contradict: a run continues, and a note states why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import polymodal as pm
from builders.tables import sentence, write_csv
from polymodal.runs.notes import settings_notes

QUICK = ("training.epochs=1", "training.baselines=false", "data.split.kind=random", "model.width=8")
ROWS = 300


def column(cells: list[Any], *overrides: str, **settings: Any) -> tuple[Any, Any]:
    profile = pm.inspect({"c": cells, "y": [at % 2 for at in range(len(cells))]}, *overrides, target="y", **settings)
    return next(one for one in profile.columns if one.name == "c"), profile


def mixed(share: int, rows: int = ROWS) -> list[Any]:
    """Numbers, of which one in ``share`` is no number."""
    return [f"n{at} km" if at % share == 0 else at * 13 % 83 for at in range(rows)]


def test_numbers_that_the_cells_contradict_are_categories_and_text() -> None:
    one, profile = column(mixed(12))
    assert (one.options["type"], one.second, one.contradicted) == ("category", "text", True)
    assert {name: field.sources for name, field in profile.experiment.fields.items()} == {"columns": ("c",), "c": ("c",)}
    assert profile.experiment.fields["columns"].types == {"c": "category"}
    note = (
        "25 of 300 cells are not numbers, such as 'n0 km', so that all are read as categories; to read numbers, and the others as missing, "
        "use --column c=number data.max_faults=0.09"
    )
    assert f"column 'c': {note}" in profile.suspicions
    assert f"column c: {note}" in settings_notes(profile.experiment, profile.reasons)
    assert profile.reasons["fields.columns.types.c"] == "8% of the cells are not numbers, such as 'n0 km'"


def test_the_column_stays_what_it_is_for_a_few_faults_words_and_a_higher_limit() -> None:
    assert column(mixed(25))[0].options["type"] == "number"
    assert column(mixed(12), "data.max_faults=0.1")[0].options["type"] == "number"
    assert column(mixed(12), columns={"c": "number"})[0].options["type"] == "number"
    words = ["ask", "on request", "sold", "free", "tbd", "later", "call us"]
    assert column([words[at % 7] if at % 12 == 0 else at * 13 % 83 for at in range(ROWS)])[0].options["type"] == "number"
    assert column([b"no number" if at % 12 == 0 else at * 13 % 83 for at in range(ROWS)])[0].options["type"] == "number"
    assert column(mixed(12, 40))[0].options["type"] == "number", "four cells show too little"


def test_dates_that_the_cells_contradict_are_categories() -> None:
    one, profile = column([f"week {at}" if at % 15 == 0 else f"2024-{1 + at % 12:02d}-{1 + at % 28:02d}" for at in range(ROWS)])
    assert (one.options["type"], one.why) == ("category", "7% of the cells are not dates, such as 'week 0'")
    assert profile.reasons["fields.c"] == "c: 104 different values, 20 of them in one row each, so that new rows have others"


def test_a_long_column_is_checked_by_all_of_its_cells(tmp_path: Path) -> None:
    rows = 12_500
    cells = [f"n{at}" if at % 14 == 0 else f"{at / 8}" for at in range(rows)]
    table = write_csv(tmp_path / "t.csv", ["c", "y"], [[cell, at % 2] for at, cell in enumerate(cells)])
    one = pm.inspect(table, target="y").columns[0]
    assert (one.options["type"], one.second) == ("category", "text")
    assert one.options["writing"].notes[0].startswith("893 of 12,500 cells are not numbers, such as 'n0'")


def test_an_override_of_the_type_is_the_user_s(tmp_path: Path) -> None:
    table = write_csv(tmp_path / "t.csv", ["c", "x", "y"], [[cell, at % 5, "ab"[at % 2]] for at, cell in enumerate(mixed(12))])
    model = pm.train(table, *QUICK, target="y")
    assert model.bundle.experiment.fields["columns"].types == {"c": "category"}
    with pytest.raises(pm.DataError, match="25 of 300 cells cannot be read"):
        pm.train(table, *QUICK, "fields.columns.types.c=number", target="y")
    with pytest.raises(pm.DataError, match="25 of 300 cells cannot be read"):
        pm.train(table, *QUICK, target="y", columns={"c": "number"})
    kept = pm.train(table, *QUICK, "data.max_faults=0.09", target="y", columns={"c": "number"})
    assert kept.bundle.experiment.fields["columns"].types == {"c": "number"}


@pytest.mark.parametrize("kind", ["text", "vector", "category"])
def test_cells_of_another_kind_never_stop_a_run_unless_the_kind_was_stated(kind: str, rng: np.random.Generator) -> None:
    usual: dict[str, Any] = {
        "text": [sentence(rng) + f" {at}" for at in range(120)],
        "vector": [rng.normal(size=5).tolist() for _ in range(120)],
        "category": ["abc"[at % 3] for at in range(120)],
    }
    other: Any = b"\x00\x01" if kind != "vector" else "no vector"
    cells = [other if at % 15 == 0 else cell for at, cell in enumerate(usual[kind])]
    table = [{"c": cell, "n": float(rng.normal()), "y": "ab"[at % 2]} for at, cell in enumerate(cells)]
    with pytest.warns(UserWarning, match=r"column 'c': 8 of 120 cells cannot be read"):
        pm.train(table, *QUICK, target="y")
    assert pm.check(table, target="y").ok
    with pytest.raises(pm.DataError, match=r"column 'c': 8 of 120 cells cannot be read"):
        pm.train(table, *QUICK, target="y", columns={"c": kind})
    assert not pm.check(table, target="y", columns={"c": kind}).ok


def test_missing_files_are_no_contradiction(tmp_path: Path, shop_folder: Path) -> None:
    frame = pd.read_csv(shop_folder / "shop.csv")
    photo = next(name for name in frame.columns if str(frame[name].iloc[0]).endswith(".png"))
    frame.loc[frame.index[:12], photo] = "none.png"
    with pytest.raises(pm.DataError, match="cells cannot be read"):
        pm.train(frame, *QUICK, target="label", root=[shop_folder])


def test_an_inferred_target_never_stops_a_run(rng: np.random.Generator) -> None:
    numbers = [f"{value:.3f}" for value in rng.normal(size=200)]
    target = ["about 3 or 4" if at % 11 == 0 else number for at, number in enumerate(numbers)]
    table = {"x": rng.normal(size=200).tolist(), "y": target}
    model = pm.train(table, *QUICK, target="y")
    assert model.bundle.experiment.tasks["y"].kind == "regression"
