"""Tests of lists of texts: read item by item, from lists, arrays and texts; a list as a target is a list of labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import polymodal as pm
from builders.ngrams import grams_of
from polymodal.errors import Fault
from polymodal.modalities import Roots, Text, TextConfig
from polymodal.modalities.tags import spans_of, tagged_text, tags_of, written_tags

NGRAMS = {"buckets": 2**16, "max_ngrams": 500}
FAST = ("training.epochs=40", "training.baselines=false", "model.width=8", "data.split.kind=random", "data.split.valid=0.3")


def reader(cells: Any, needs: Any = NGRAMS, form: str = "ngrams", **settings: Any) -> Text:
    config = TextConfig(column="x", **settings)
    return Text(config, Text.fit(config, cells, form, needs, Roots()), Roots())


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ('["red", "new york"]', ["red", "new york"]),
        ("['red', 'new york']", ["red", "new york"]),
        ("['red' 'new york']", ["red", "new york"]),
        ("['red'\n 'new york']", ["red", "new york"]),
        ("""["it's", 'a "b"', 'c\\'d']""", ["it's", 'a "b"', "c'd"]),
        ('["\\u7ea2", "a\\nb"]', ["红", "a\nb"]),
        ("[]", []),
        (" ['a'] ", ["a"]),
        ("[1, 2]", None),
        ("[red, blue]", None),
        ("['a', 2]", None),
        ("['a'", None),
        ("[" + "'a' " * 50_000, None),
        ("[" + " " * 100_000 + "'", None),
        ("a", None),
        (["a"], None),
    ],
)
def test_a_list_that_is_written_out(text: Any, tags: list[str] | None) -> None:
    assert written_tags(text) == tags


def test_items_are_kept_apart_and_each_is_an_ngram_as_a_whole() -> None:
    cell = ["Red", "New York City", " ", None, "blue"]
    assert tags_of(cell) == ["Red", "New York City", "blue"]
    text = tagged_text(cell)
    assert [text[start:end] for start, end in spans_of(text)] == ["Red", "New York City", "blue"]
    grams = list(grams_of(text))
    for whole in ("red", "new", "york", "city", "new york", "york city", "new york city", "blue"):
        assert grams.count(whole) == 1, whole
    for across in ("red new", "city blue", "red blue"):
        assert across not in grams
    assert "new york city" in list(grams_of(tagged_text(["New York City"])))
    assert list(grams_of("red new york\ncity")) == list(grams_of("red new york city")), "a text of several lines is read as before"


def test_lists_arrays_and_written_lists_are_one_sample() -> None:
    cells = [["red", "green"], ["blue"], ["red", "new york"]] * 5
    lists, written = reader(cells), reader([json.dumps(cell) for cell in cells], lists=True)
    assert lists.state == written.state
    for tags in (["red", "new york"], ["unseen"]):
        expected = lists.read(tags)
        for cell in (json.dumps(tags), str(tags), str(np.array(tags)), tags):
            for name, values in written.read(cell).items():
                np.testing.assert_array_equal(values, expected[name])
    plain_text = reader(["red", "blue"])
    assert len(plain_text.read('["red", "green"]')["ids"]) > len(lists.read(["red", "green"])["ids"]), "without being told, it is text"
    assert lists.is_missing([])
    assert lists.is_missing([None, " "])
    assert lists.show(["red", "new york"]) == "red, new york"
    for wrong in ([["red"]], [{"a": 1}], [b"red"], np.zeros(3)):
        with pytest.raises(Fault, match="expected text"):
            lists.read(wrong)
    assert len(reader([], {"vocabulary": 300, "max_tokens": 16}, "tokens").read(["red", "blue"])["ids"])


def test_parts_of_a_list_are_its_items() -> None:
    text = reader([["red", "new york"]] * 3)
    parts = text.parts(["red", "new york"], text.read(["red", "new york"]))
    assert parts is not None
    assert parts.names == ["red", "new york"]
    assert "".join(part for pair in zip(parts.between, [*parts.names, ""], strict=True) for part in pair) == "red, new york, "
    np.testing.assert_array_equal(parts.without[0]["ids"], text.read(["new york"])["ids"])  # type: ignore[index]


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    made = []
    for at in range(count):
        tags = [str(tag) for tag in rng.choice(["sea", "new york", "old town", "hill"], rng.integers(1, 4), replace=False)]
        made.append({"tags": tags + (["sold"] if at % 2 else []), "y": "ab"[at % 2]})
    return made


@pytest.fixture(scope="module")
def model() -> pm.Predictor:
    return pm.train(rows(120), *FAST, "fields.tags.lists=true", target="y")


def test_a_column_of_tags_is_learned(model: pm.Predictor) -> None:
    assert {name: field.kind for name, field in model.bundle.experiment.fields.items()} == {"tags": "text"}
    assert model.metrics["validation"]["tasks"]["y"]["accuracy"] > 0.9
    assert np.isfinite(model.predict_proba([{"tags": []}, {"tags": None}, {"tags": ["sold"]}])).all()
    assert pm.explain(model, rows(3), rows=[2])["explained"][0]["cells"]["tags"]["parts"]["names"] == rows(3)[1]["tags"]


@pytest.mark.parametrize("form", ["rows", "arrow", "pandas", "arrays", "tuples", "sets", "csv", "json"])
def test_a_column_of_tags_is_one_text_however_it_is_held(tmp_path: Path, model: pm.Predictor, form: str) -> None:
    table: Any = [{**row, "tags": sorted(row["tags"])} for row in rows(60)]
    expected = model.predict_proba(table)
    if form == "arrow":
        table = pa.Table.from_pylist(table)
    elif form == "pandas":
        table = pd.DataFrame(table)
    elif form in ("csv", "json"):
        frame = pd.DataFrame(table)
        if form == "json":
            frame["tags"] = frame["tags"].map(json.dumps)
        frame.to_csv(tmp_path / "t.csv", index=False)
        table = tmp_path / "t.csv"
    elif form in ("arrays", "tuples", "sets"):
        made: Any = {"arrays": np.array, "tuples": tuple, "sets": set}[form]
        table = [{**row, "tags": made(row["tags"])} for row in table]
    experiment = pm.inspect(table, target="y").experiment
    assert experiment is not None
    assert experiment.fields == {"tags": TextConfig(column="tags", lists=form in ("csv", "json"))}
    np.testing.assert_array_equal(model.predict_proba(table), expected)


def test_lists_of_nothing_are_missing_however_many_there_are() -> None:
    table = [{**row, "tags": row["tags"] if at % 5 == 0 else []} for at, row in enumerate(rows(100))]
    experiment = pm.inspect(table, target="y").experiment
    assert experiment is not None
    assert experiment.fields["tags"].kind == "text"
    assert pm.check(table, target="y").counts == {}


def test_a_target_of_lists_is_one_of_labels() -> None:
    table = [{"n": at % 2 + 0.01 * at, "y": row["tags"]} for at, row in enumerate(rows(60))]
    profile = pm.inspect(table, target="y")
    assert profile.experiment is not None
    assert profile.experiment.tasks["y"].kind == "multilabel"
