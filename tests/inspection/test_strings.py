"""Tests of columns of strings: which are read as categories, which as text, and which as both."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import polymodal as pm
from builders.strings import isbns, titles
from builders.tables import sentence, write_csv
from polymodal.experiment import Experiment
from polymodal.inspection import init
from polymodal.runs.notes import settings_notes

ROWS = 400
QUICK = ("training.epochs=2", "model.width=8", "data.split.folds=2")


def inferred(cells: dict[str, Any], **settings: Any) -> Any:
    columns = {name: list(column) for name, column in cells.items()}
    count = len(next(iter(columns.values())))
    return pm.inspect(columns | {"y": [at % 2 for at in range(count)]}, target="y", **settings)


def kinds(profile: Any) -> dict[str, tuple[str | None, str | None]]:
    """The type or modality and the second modality of each feature."""
    return {one.name: (one.options.get("type", one.modality), one.second) for one in profile.columns if one.role == "feature"}


def fields(profile: Any) -> dict[str, tuple[str, ...]]:
    return {name: field.sources for name, field in profile.experiment.fields.items()}


# -- categories that are also text -----------------------------------------------------------------------------------------


def test_a_category_of_many_rare_strings_is_also_text(rng: np.random.Generator) -> None:
    profile = inferred({"job": titles(ROWS, rng), "city": rng.choice(["Rome", "Oslo"], ROWS), "n": rng.normal(size=ROWS)})
    assert kinds(profile) == {"job": ("category", "text"), "city": ("category", None), "n": ("number", None)}
    assert fields(profile) == {"columns": ("job", "city", "n"), "job": ("job",)}
    assert profile.experiment.fields["job"].kind == "text"
    assert profile.experiment.fields["columns"].types == {}
    names = pd.Series(next(one for one in profile.columns if one.name == "job").cells).value_counts()
    why = f"{len(names)} different values, {int((names == 1).sum())} of them in one row each, so that new rows have others"
    assert profile.reasons["fields.job"] == f"job: {why}"
    assert f"also text: {why}" in profile.text(1_000)
    assert f"field 'job': text, encoder bag (job: {why})" in settings_notes(profile.experiment, profile.reasons)
    assert not any("occur once" in line for line in profile.suspicions), "the words of its values are read"


def test_all_such_columns_are_one_field_with_a_free_name(rng: np.random.Generator) -> None:
    cells = {"job": titles(ROWS, rng), "strings": rng.choice(["a", "b"], ROWS), "office": titles(ROWS, rng)}
    profile = inferred(cells)
    assert fields(profile) == {"columns": ("job", "strings", "office"), "strings_": ("job", "office")}
    assert profile.experiment.fields["strings_"].column is None
    alone = inferred({"columns": cells["job"]})
    assert fields(alone) == {"columns_": ("columns",), "columns": ("columns",)}
    assert alone.experiment.fields["columns"].kind == "text"


def test_what_the_user_states_is_final(rng: np.random.Generator) -> None:
    cells = {"job": titles(ROWS, rng), "n": rng.normal(size=ROWS)}
    assert fields(inferred(cells, columns={"job": "text"})) == {"job": ("job",), "columns": ("n",)}
    as_category = inferred(cells, columns={"job": "category"})
    assert fields(as_category) == {"columns": ("job", "n")}
    assert as_category.experiment.fields["columns"].types == {"job": "category"}
    assert fields(inferred(cells, ignore=["job"])) == {"columns": ("n",)}
    assert fields(inferred(cells, group="job")) == {"columns": ("n",)}, "a group is never a feature"


def test_init_writes_both_fields_and_their_reasons(tmp_path: Path, rng: np.random.Generator) -> None:
    table = write_csv(tmp_path / "t.csv", ["job", "y"], [[job, at % 2] for at, job in enumerate(titles(ROWS, rng))])
    text = init(table, target="y", out=tmp_path / "run.yaml")
    assert "so that new rows have others" in text
    experiment = Experiment.read(tmp_path / "run.yaml")
    assert {name: field.sources for name, field in experiment.fields.items()} == {"columns": ("job",), "job": ("job",)}


@pytest.mark.parametrize(
    ("cells", "second"),
    [
        (["Paris", "Rome", "Oslo", "Bern"] * 100, None),
        ([f"town {at % 25}" for at in range(400)], None),
        ([f"town {at % 40}" for at in range(400)], None),
        ([f"town {at % 80}" for at in range(400)], "text"),
        (["x"] * 340 + [f"town {at}" for at in range(60)], "text"),
        (["x"] * 384 + [f"town {at}" for at in range(16)], None),
        ([f"{chr(65 + at % 5)}{at % 3}" for at in range(400)], None),
        ([f"{at % 97:05d}" for at in range(400)], "text"),
        ([("<", ">")[at % 2] + str(at % 9) for at in range(400)], None),
        ([True, False] * 200, None),
    ],
)
def test_few_or_recurring_values_are_categories_only(cells: list[Any], second: str | None) -> None:
    assert kinds(inferred({"c": cells})) == {"c": ("category", second)}


# -- texts that are also categories ------------------------------------------------------------------------------------------


def test_texts_that_recur_are_also_categories(rng: np.random.Generator) -> None:
    names = [sentence(rng) + f" model {at}" for at in range(60)]
    cells = [names[int(at)] for at in rng.integers(0, 60, ROWS)]
    mostly = [*cells[:180], *(f"{sentence(rng)} {at}" for at in range(220))]
    profile = inferred({"bike": cells, "mostly": mostly, "lists": [[text, "red"] for text in cells], "n": rng.normal(size=ROWS)})
    assert kinds(profile) == {"bike": ("text", "category"), "mostly": ("text", None), "lists": ("text", None), "n": ("number", None)}
    assert fields(profile) == {"bike": ("bike",), "mostly": ("mostly",), "lists": ("lists",), "columns": ("bike", "n")}
    assert "bike: " in profile.reasons["fields.columns"]
    assert re.search(r"; also category: 9\d% of the cells occur 3 times or more", profile.text(1_000))
    assert not any("column 'bike'" in line and "pairs of texts" in line for line in profile.suspicions)
    assert fields(inferred({"bike": cells, "n": range(ROWS)}, columns={"bike": "text", "n": "number"})) == {
        "bike": ("bike",),
        "columns": ("n",),
    }
    assert fields(inferred({"bike": cells})) == {"bike": ("bike",)}, "no further field for categories alone"
    assert kinds(inferred({"bike": cells[:90], "n": rng.normal(size=90)}))["bike"] == ("text", None)


# -- codes -------------------------------------------------------------------------------------------------------------------


def test_codes_are_strings_whatever_their_digits(rng: np.random.Generator) -> None:
    cells = {
        "isbn": isbns(ROWS, rng)[:-1] * 1 + ["unkn"],
        "isbn13": [978 * 10**10 + int(code) for code in rng.integers(0, 10**10, ROWS - 4)] + [9780000000017] * 4,
        "zip": [f"{int(code):05d}" for code in rng.integers(500, 99_000, ROWS)],
        "phone": [f"+49{int(number)}" for number in rng.integers(10**9, 10**10, ROWS - 3)] + ["+491234567890"] * 3,
        "year": rng.integers(1950, 2024, ROWS),
        "price": rng.integers(1_000_000, 9_999_999, ROWS),
        "revenue": rng.integers(10**7, 99 * 10**6, ROWS) * 1_000,
        "seconds": rng.integers(1_600_000_000, 1_700_000_000, ROWS),
        "weight": np.round(rng.normal(70, 9, ROWS), 3),
    }
    assert kinds(inferred(cells)) == {
        **dict.fromkeys(["isbn", "isbn13", "zip", "phone"], ("category", "text")),
        **dict.fromkeys(["year", "price", "revenue", "seconds", "weight"], ("number", None)),
    }


def test_recurring_codes_of_a_long_table_are_no_ids() -> None:
    rows = 24_000
    recurring = [f"K-{at * 7919 % 12_000:05d}" for at in range(rows)]
    profile = inferred({"code": recurring, "key": [f"Q-{at * 7919 % rows:05d}" for at in range(rows)], "n": [at % 7 for at in range(rows)]})
    assert {one.name: one.role for one in profile.columns} == {"code": "feature", "key": "ignored", "n": "feature", "y": "target"}
    assert kinds(profile)["code"] == ("text", None)


# -- commands ----------------------------------------------------------------------------------------------------------------


def test_a_column_in_two_fields_is_read_by_every_command(tmp_path: Path, rng: np.random.Generator) -> None:
    jobs = titles(240, rng)
    rows = [[job, f"{rng.normal():.3f}", "yes" if "Senior" in job or "Nurse" in job else "no"] for job in jobs]
    table = write_csv(tmp_path / "t.csv", ["job", "n", "paid"], rows)
    assert pm.check(table, target="paid").ok
    model = pm.train(table, *QUICK, target="paid", out=tmp_path / "run")
    assert {name: field.sources for name, field in model.bundle.experiment.fields.items()} == {"columns": ("job", "n"), "job": ("job",)}
    assert set(model.baselines) == {"columns", "job"}
    again = pm.load(tmp_path / "run")
    rare = [job for job in jobs if len(job.split()) > 1][:2]
    new = {"job": ["Nurse", rare[0], None], "n": [0.1, 0.2, 0.3]}
    np.testing.assert_array_equal(again.predict_proba(new), model.predict_proba(new))
    other = again.predict_proba({**new, "job": ["Nurse", "Chief Nurse 777", None]})
    np.testing.assert_array_equal(other[[0, 2]], again.predict_proba(new)[[0, 2]])
    assert not np.array_equal(other[1], again.predict_proba(new)[1]), "the words of a new title are read"
    metrics = pm.evaluate(tmp_path / "run", table)
    assert json.dumps(metrics)
    explained = pm.explain(again, table, rows=[1])["explained"][0]
    assert set(explained["targets"]["paid"]["fields"]) == {"columns", "job"}
    with pytest.warns(UserWarning, match="'job'"):
        assert len(again.predict({"n": [0.1, 0.2]})) == 2


def test_contenders_may_share_a_column(tmp_path: Path, rng: np.random.Generator) -> None:
    jobs = titles(160, rng)
    table = write_csv(
        tmp_path / "t.csv", ["job", "paid"], [[job, "yes" if "Senior" in job else f"no{at % 2}"] for at, job in enumerate(jobs)]
    )
    result = pm.compare(table, "training.epochs=1", "model.width=8", target="paid", fusions=["concat"], rounds=2, trials=1, jobs=1)
    assert {"only columns", "only job"} <= set(result["contenders"])
