"""Rows with missing cells: the copies from which trees learn them, and which trees vote on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import polymodal as pm
from polymodal.trees import BoostedTrees, TreesConfig
from polymodal.trees.fitting import FieldCells, fit
from polymodal.trees.hiding import with_hidden
from polymodal.trees.jobs import Labels

ROWS = 300


def test_a_copy_lacks_one_field_or_some_columns() -> None:
    numbers_NK = np.arange(400 * 6, dtype=np.float32).reshape(400, 6)
    fields = [[[0], [1, 2], [3]], [[4, 5]]]
    hidden_NK = with_hidden(numbers_NK, fields, np.random.default_rng(0))
    assert hidden_NK is not None
    missing_NK = np.isnan(hidden_NK)
    assert np.array_equal(hidden_NK[~missing_NK], numbers_NK[~missing_NK])
    assert np.array_equal(missing_NK[:, 1], missing_NK[:, 2])
    assert np.array_equal(missing_NK[:, 4], missing_NK[:, 5])
    assert not missing_NK.all(1).any()
    assert missing_NK[:, 4].sum() == pytest.approx(100, abs=30)  # half of the rows lack a field, each field is chosen as often
    assert missing_NK[:, 0].sum() == pytest.approx(100 + 0.3 * 200, abs=40)


def test_there_are_no_copies_of_rows_of_one_field_without_columns() -> None:
    assert with_hidden(np.zeros((5, 3), np.float32), [[[0, 1, 2]]], np.random.default_rng(0)) is None


def fitted() -> tuple[BoostedTrees, dict[str, torch.Tensor]]:
    """Trees of two vectors; the target is the sum of the squared distances of their first numbers from 3."""
    rng = np.random.default_rng(1)
    values = {name: rng.standard_normal((ROWS, 2)).astype(np.float32) + 3 for name in "ab"}
    values["b"][:40, 1] = np.nan
    fields = {
        name: FieldCells("vector", {"length": 2}, [{"values": row} for row in rows], np.arange(ROWS)) for name, rows in values.items()
    }
    target_NT = ((values["a"][:, :1] - 3) ** 2 + (values["b"][:, :1] - 3) ** 2).astype(np.float64)
    made, _ = fit(TreesConfig(bags=3, rounds=80, boosters=1), fields, [0, 1], [Labels("squared", target_NT, 1)], None, 0, 1)
    return made, {name: torch.from_numpy(rows) for name, rows in values.items()}


def test_rows_that_lack_what_all_training_rows_have_are_voted_on_by_other_trees() -> None:
    made, numbers = fitted()
    assert made.complete_TK is not None
    assert made.complete_TK.tolist() == [[True, True, True, False]]
    present = {name: torch.ones(ROWS, dtype=torch.bool) for name in "ab"}
    whole = made(numbers, present)[0]
    lacking = {**present, "b": torch.arange(ROWS) % 2 == 0}
    some = made(numbers, lacking)[0]
    assert torch.equal(some[::2], whole[::2])  # a row that lacks a cell changes no other row
    alone = made({name: rows[1:2] for name, rows in numbers.items()}, {name: rows[1:2] for name, rows in lacking.items()})[0]
    assert torch.equal(alone, some[1:2])
    expected = (numbers["a"][1::2, 0] - 3) ** 2 + 1  # the mean over the missing field
    assert (some[1::2, 0] - expected).abs().mean() < 0.6
    made.complete_TK = None
    assert (made(numbers, lacking)[0][1::2, 0] - expected).abs().mean() > 1.0  # missing numbers taken for zeros


def test_a_number_that_only_rows_without_a_label_lack_counts_as_complete_for_that_task() -> None:
    rng = np.random.default_rng(1)
    values = {name: rng.standard_normal((ROWS, 1)).astype(np.float32) for name in "ab"}
    places = np.where(np.arange(ROWS) < 100, -1, np.arange(ROWS))
    fields = {
        "a": FieldCells("vector", {"length": 1}, [{"values": row} for row in values["a"]], np.arange(ROWS)),
        "b": FieldCells("vector", {"length": 1}, [{"values": row} for row in values["b"]], places),
    }
    target_NT = (values["a"] * values["b"]).astype(np.float64)
    tasks = [Labels("squared", np.where(places[:, None] < 0, np.nan, target_NT), 1), Labels("squared", target_NT, 1)]
    made, _ = fit(TreesConfig(bags=3, rounds=30, boosters=1), fields, [0, 1], tasks, None, 0, 1)
    assert made.complete_TK is not None
    assert made.complete_TK.tolist() == [[True, True], [True, False]]


def test_weights_of_other_trees_are_refused() -> None:
    made, _ = fitted()
    weights = made.state_dict()
    forms: Any = {"a": "vector", "b": "vector"}
    states = {"a": {"length": 2}, "b": {"length": 2}}
    again = BoostedTrees.restore(weights, ["a", "b"], forms, states, [1])
    assert again.state_dict().keys() == weights.keys()
    with pytest.raises(ValueError, match="expected truth values of shape"):
        BoostedTrees.restore({**weights, "complete_TK": torch.ones(1, 3, dtype=torch.bool)}, ["a", "b"], forms, states, [1])
    with pytest.raises(ValueError, match="trees with other tensors"):
        BoostedTrees.restore({name: value for name, value in weights.items() if name != "complete_TK"}, ["a", "b"], forms, states, [1])
    plain = {name: value for name, value in weights.items() if name != "complete_TK" and not name.startswith("robust.")}
    assert BoostedTrees.restore(plain, ["a", "b"], forms, states, [1]).complete_TK is None  # weights of an earlier version


def test_without_a_field_that_all_training_rows_have_a_model_predicts_from_the_others() -> None:
    rng = np.random.default_rng(2)
    words = ["red", "blue", "green"]
    rows = [{"a": float(x), "t": f"a {words[k]} thing {n}", "y": 10 + x + k} for n, (x, k) in enumerate(zip(
        rng.standard_normal(600), rng.integers(0, 3, 600), strict=True))]  # fmt: skip
    predictor = pm.train(
        rows, "training.epochs=3", "training.baselines=false", "data.split.kind=random", "fields.t.kind=text", target="y", ignore=()
    )
    for hidden in ("columns", "t"):
        without = predictor.metrics["validation"]["hidden"][hidden]["y"]["r2"]
        assert without > 0.15, (hidden, without)
