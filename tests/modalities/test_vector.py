"""Tests of vectors: values and statistics, their distinction from series, points and pictures, and messages for other cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

import polymodal as pm
from builders.tables import write_csv
from polymodal.data.loader import field_of
from polymodal.encoders import VectorConfig as EncoderConfig
from polymodal.errors import Fault
from polymodal.modalities import MODALITIES, Roots, Vector, VectorConfig
from polymodal.modalities.objects import FixedList

FAST = ("training.epochs=20", "training.baselines=false", "model.width=8", "data.split.kind=random", "data.split.valid=0.3")


def reader(cells: Any) -> Vector:
    config = VectorConfig(column="x")
    made = Vector(config, json.loads(json.dumps(Vector.fit(config, cells, "vector", {}, Roots()))), Roots())
    made.check()
    return made


def kind_of(cells: list[Any]) -> str:
    found = {modality.kind: modality.recognise(cells, Roots()).confidence for modality in MODALITIES}
    return max(found, key=lambda kind: found[kind])


# -- the right values ----------------------------------------------------------------------------------------------------


def test_each_place_is_standardised_by_its_own_facts() -> None:
    cells = [[1.0, 10.0, 5.0], [3.0, None, 5.0], [5.0, 30.0, 5.0]]
    vector = reader(cells)
    assert vector.state["length"] == 3
    assert vector.state["mean"] == pytest.approx([3.0, 20.0, 5.0])
    assert vector.state["std"] == pytest.approx([np.sqrt(8 / 3), 10.0, 1.0])
    np.testing.assert_allclose(vector.read([1.0, 40.0, 5.0])["values"], [-2 / np.sqrt(8 / 3), 2.0, 0.0], rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(vector.read(cells[1])["values"]), [False, True, False])
    assert vector.read([1e308, 20.0, -1e308])["values"].tolist() == [20.0, 0.0, -20.0]
    assert vector.describe() == "vectors of 3 numbers"
    assert np.isnan(vector.blank()["values"]).all()


def test_facts_are_exact_far_from_zero_and_those_of_the_commonest_length() -> None:
    rng = np.random.default_rng(0)
    cells = [*(1e8 + rng.normal(size=(200, 12))).tolist(), [1.0, 2.0], "broken", [float("inf")] * 12]
    state = reader(cells).state
    values = np.array(cells[:200])
    np.testing.assert_allclose(state["mean"], values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(state["std"], values.std(0), rtol=1e-6)
    assert reader([]).state == {"form": "vector", "length": 1, "mean": [0.0], "std": [1.0]}


def test_lists_arrays_tensors_and_text_of_one_vector_are_one_sample() -> None:
    rng = np.random.default_rng(0)
    vector = reader(rng.normal(size=(30, 8)).tolist())
    values = [0.5, 1.0, -2.0, 3.0, 0.0, 1.5, 2.0, -1.0]
    cells = [tuple(values), np.array(values), np.array(values, ">f4"), np.array(values, object), torch.tensor(values), json.dumps(values),
             FixedList(values)]  # fmt: skip
    for cell in cells:
        np.testing.assert_array_equal(vector.read(cell)["values"], vector.read(values)["values"])
    for text in (str(np.array(values)), "[ 0.5  1. -2.\n  3.  0.  1.5  2. -1. ]", str(values), "[0.5, 1., -2.0 3 0 1.5e0 2 -1]"):
        np.testing.assert_array_equal(vector.read(text)["values"], vector.read(values)["values"])
    assert np.isnan(vector.read(str(np.array([np.nan, *values[1:]])))["values"][0])
    np.testing.assert_array_equal(vector.read([True] * 8)["values"], vector.read([1] * 8)["values"])


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ([1.0] * 7, "a vector of 7 numbers; expected 8, as in training"),
        ([1.0] * 7 + [float("inf")], r"an infinite number \(place 8\)"),
        ([None] * 8, "every number is missing"),
        ([], "found list; expected a list of numbers"),
        ("[1, 2", "found str"),
        ("[0. 1. 2. 3. ... 5. 6. 7.]", "found str"),
        ("[0 1 2 3] [4 5 6 7]", "found str"),
        ("[0 1 2 3 4 5 6 7]]", "found str"),
        ("[[0 1 2 3] 4 5 6 7]", "found str"),
        ("[0,,1 2 3 4 5 6]", "found str"),
        ("hello", "found str"),
        ([["a"] * 8], "found list"),
        ([[1.0, 2.0]] * 8, "found list"),
        (["1"] * 8, "found list"),
        (3.5, "found float"),
        ({"a": 1}, "found dict"),
        (np.zeros((8, 1)), "found ndarray"),
        (np.zeros(8, complex), "found ndarray"),
        (np.broadcast_to(np.float32(0), 10**7), "expected at most 65,536"),
        ([10**400] * 8, "found list"),
    ],
)
def test_what_is_no_vector_is_told(cell: Any, said: str) -> None:
    with pytest.raises(Fault, match=said):
        reader([[float(at)] * 8 for at in range(9)]).read(cell)


@pytest.mark.parametrize(
    "change",
    [{"length": 0}, {"length": 2.0}, {"length": 10**9}, {"mean": [0.0]}, {"std": [1.0, 0.0]}, {"std": [1.0, float("nan")]}, {"mean": ["a", 0.0]},
     {"form": "pixels"}],
)  # fmt: skip
def test_a_state_that_no_fit_makes_is_refused(change: dict[str, Any]) -> None:
    state = {"form": "vector", "length": 2, "mean": [0.0, 0.0], "std": [1.0, 1.0], **change}
    with pytest.raises((ValueError, pm.UserError)):
        Vector(VectorConfig(column="x"), state, Roots()).check()


def test_lists_of_nothing_are_missing() -> None:
    vector = reader([[float(at)] * 8 for at in range(9)])
    for cell in ([], None, np.zeros(0), [None] * 8):
        assert vector.is_missing(cell)
    assert not vector.is_missing([None] * 7 + [1.0])


def test_parts_are_places_or_runs_of_them() -> None:
    rng = np.random.default_rng(0)
    short = reader(rng.normal(size=(9, 3)).tolist())
    cell = [1.0, None, 2.0]
    parts = short.parts(cell, short.read(cell))
    assert parts.names == ["place 1", "place 3"]
    assert [np.isnan(rest["values"]).tolist() for rest in parts.without if rest is not None] == [[True, True, False], [False, True, True]]
    assert short.parts([None, None, 1.0], short.read([None, None, 1.0])).without == [None]
    long = reader(rng.normal(size=(9, 768)).tolist())
    parts = long.parts([1.0] * 768, long.read([1.0] * 768))
    assert len(parts.names) == 64
    assert parts.names[0] == "places 1 to 12"
    assert parts.names[-1] == "places 757 to 768"


def test_a_missing_number_has_a_learned_value_of_its_own() -> None:
    vector = reader(np.random.default_rng(0).normal(size=(9, 3)).tolist())
    torch.manual_seed(0)
    encoder = EncoderConfig().build(8, vector.state).eval()
    samples = [{"values": np.array(values, np.float32)} for values in ([0, 0, 0], [np.nan, 0, 0], [0, np.nan, 0])]
    told = encoder(field_of(vector, samples, np.arange(3))).tokens_BLD
    assert told.shape == (3, 1, 8)
    assert torch.isfinite(told).all()
    assert not torch.equal(told[0], told[1])
    assert not torch.equal(told[1], told[2])


# -- what is taken for what ----------------------------------------------------------------------------------------------


def smooth(rng: np.random.Generator, steps: int) -> list[float]:
    return (np.sin(np.arange(steps) / 5 + rng.uniform(0, 6)) + rng.normal(0, 0.1, steps)).tolist()  # type: ignore[no-any-return]


def test_embeddings_series_points_and_pictures_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(5, 64))
    embeddings = (rng.normal(size=(80, 5)) @ directions + 0.3 * rng.normal(size=(80, 64)) + 10 * rng.normal(size=64)).tolist()
    assert kind_of(embeddings) == "vector"
    assert kind_of([json.dumps(cell) for cell in embeddings]) == "vector"
    assert kind_of([np.array(cell, np.float32) for cell in embeddings]) == "vector"
    assert kind_of(rng.normal(size=(40, 4_096)).tolist()) == "vector"
    assert kind_of(rng.poisson(0.3, (80, 100)).tolist()) == "vector"
    assert kind_of([[None if rng.random() < 0.1 else value for value in cell] for cell in embeddings]) == "vector"
    assert kind_of([smooth(rng, 50) for _ in range(80)]) == "series"
    assert kind_of([[*smooth(rng, 50)] for _ in range(2)]) == "series"
    assert kind_of(rng.normal(size=(80, 60)).cumsum(1).tolist()) == "series"
    assert kind_of([rng.normal(size=rng.integers(30, 60)).tolist() for _ in range(80)]) == "series"
    assert kind_of([rng.normal(size=(40, 2)).tolist() for _ in range(80)]) == "series"
    assert kind_of([rng.normal(size=(rng.integers(30, 60), 4)).tolist() for _ in range(80)]) == "points"
    assert kind_of([rng.integers(0, 256, (24, 24, 3)).astype(np.uint8) for _ in range(80)]) == "image"
    assert kind_of([rng.integers(0, 256, (28, 28)).astype(np.uint8) for _ in range(80)]) == "image"
    assert kind_of([FixedList(smooth(rng, 50)) for _ in range(80)]) == "vector"
    assert kind_of([[0.1, 0.2, 0.3, 0.4] for _ in range(80)]) == "vector"
    assert Vector.recognise([], Roots()).confidence == 0
    assert Vector.recognise([[1.0] * 9, "a", "b"], Roots()).confidence == 0


@pytest.mark.parametrize("form", ["rows", "arrow", "csv"])
def test_a_table_of_embeddings_is_recognised_learned_and_answered(tmp_path: Path, form: str) -> None:
    rng = np.random.default_rng(0)
    labels = [str(label) for label in rng.choice(["a", "b"], 160)]
    values = rng.normal(size=(160, 16)) + np.where(np.array(labels) == "a", 1.0, -1.0)[:, None] * rng.normal(size=16)
    rows = [{"e": vector.tolist(), "y": label} for vector, label in zip(values, labels, strict=True)]
    table: Any = rows
    if form == "arrow":
        table = pa.table({"e": pa.array(values.tolist(), pa.list_(pa.float64(), 16)), "y": labels})
    elif form == "csv":
        table = write_csv(tmp_path / "t.csv", ["e", "y"], [[json.dumps(row["e"]), row["y"]] for row in rows])
    model = pm.train(table, *FAST, target="y", out=tmp_path / "run")
    assert model.bundle.experiment.fields["e"].kind == "vector"
    assert model.bundle.experiment.model.encoders["e"].kind == "vector"
    assert model.metrics["validation"]["tasks"]["y"]["accuracy"] > 0.9
    np.testing.assert_array_equal(pm.load(tmp_path / "run").predict_proba(table), model.predict_proba(rows))
    assert np.isfinite(model.predict_proba([{"e": None}, {"e": [None] * 15 + [1.0]}])).all()
    if form == "rows":
        told = pm.inspect(table, target="y", columns={"e": "series"})
        assert told.experiment is not None
        assert told.experiment.fields["e"].kind == "series"
        assert "vectors (--column NAME=series)" in pm.inspect(table, target="y").text()
        found = pm.explain(model, rows, rows=[1])["explained"][0]["cells"]["e"]["parts"]["names"]
        assert found == [f"place {at + 1}" for at in range(16)]
