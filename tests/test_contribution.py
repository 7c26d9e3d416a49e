"""Shares, projections and rows of other rows' cells, against what is worked out by hand."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import polymodal as pm
from polymodal.data.sources import open_source
from polymodal.evaluation.additive import affordable, project
from polymodal.evaluation.contribution import Asked, contributions
from polymodal.evaluation.shapley import shapley

# -- shares --------------------------------------------------------------------------------------------------------------


def game(players: frozenset[str]) -> np.ndarray:
    """a and b are worth 6 together and nothing alone, c is worth 2, and 3 more beside both; d never adds anything."""
    pair = {"a", "b"} <= players
    return np.array([6.0 * pair + 2.0 * ("c" in players) + 3.0 * (pair and "c" in players) - 1.0, len(players & {"a", "b", "c"})])


def test_shares_of_a_game_are_what_they_are_by_hand() -> None:
    asked: list[frozenset[str]] = []

    def value(players: frozenset[str]) -> np.ndarray:
        asked.append(players)
        return game(players)

    shares = shapley(["a", "b", "c", "d"], value)
    assert len(asked) == len(set(asked)) == 16, "every subset once"
    np.testing.assert_allclose(np.stack(list(shares.values.values())), [[4, 1], [4, 1], [3, 1], [0, 0]], atol=1e-12)
    np.testing.assert_array_equal(shares.values["a"], shares.values["b"])
    np.testing.assert_array_equal(shares.values["d"], 0)
    np.testing.assert_allclose(sum(shares.values.values()), shares.whole - shares.nothing, atol=1e-12)
    assert (shares.errors, shares.orders) == (None, 0)
    assert shapley([], value).values == {}


def test_shares_of_many_players_are_drawn_and_keep_the_sum() -> None:
    players = [*"abcd", *(f"more {at}" for at in range(6))]
    shares = shapley(players, game, seed=3, orders=400)
    np.testing.assert_allclose(sum(shares.values.values()), shares.whole - shares.nothing, atol=1e-12)
    assert shares.errors is not None
    for name, exact in {"a": 4, "b": 4, "c": 3, "d": 0}.items():
        assert abs(shares.values[name][0] - exact) <= 4 * shares.errors[name][0] + 1e-12
    assert shares.errors["a"][0] > 0 == shares.errors["d"][0]
    again = shapley(players, game, seed=3, orders=400)
    assert all(np.array_equal(again.values[name], value) for name, value in shares.values.items())


# -- projections ---------------------------------------------------------------------------------------------------------


def world(fields: int, rows: int, additive: bool) -> tuple[Any, dict[str, np.ndarray], Any]:
    """Something that answers as a model does, the rows, and the answer (C,) to one row of samples."""
    rng = np.random.default_rng(fields)
    said_FUC = rng.normal(size=(fields, rows + 1, 3))

    def one(held: tuple[int, ...]) -> np.ndarray:
        parts = said_FUC[np.arange(fields), list(held)]
        return parts.sum(0) if additive else np.tanh(parts).prod(0) + parts.sum(0)

    def answer(index: Mapping[str, np.ndarray]) -> Any:
        return SimpleNamespace(logits={"y": np.stack([one(held) for held in zip(*index.values(), strict=True)])})

    index = {f"f{at}": rng.permutation(rows) - (np.arange(rows) == 0) for at in range(fields)}
    return SimpleNamespace(answer=answer), index, one


@pytest.mark.parametrize("fields", [2, 3, 4])
def test_the_projection_is_that_of_its_definition(fields: int) -> None:
    model, index, one = world(fields, 9, additive=False)
    held_NF = np.stack(list(index.values()), 1)
    mixed = np.zeros((fields, 9, 9, 3))
    for field, at, other in product(range(fields), range(9), range(9)):
        row = held_NF[other].copy()
        row[field] = held_NF[at, field]
        mixed[field, at, other] = one(tuple(row))
    expected = mixed.mean(2).sum(0) - (fields - 1) * mixed.mean((0, 1, 2))
    np.testing.assert_allclose(project(model, index, list(index))["y"], expected, atol=1e-12)
    if fields == 2:  # as Hessel and Lee write it
        pairs = np.array([[one((first, second)) for second in held_NF[:, 1]] for first in held_NF[:, 0]])
        np.testing.assert_allclose(expected, pairs.mean(1) + pairs.mean(0) - pairs.mean((0, 1)), atol=1e-12)


@pytest.mark.parametrize("fields", [2, 3, 5])
def test_a_sum_is_its_own_projection(fields: int) -> None:
    model, index, one = world(fields, 40, additive=True)
    expected = np.stack([one(held) for held in zip(*index.values(), strict=True)])
    np.testing.assert_allclose(project(model, index, list(index))["y"], expected, atol=1e-12)


def test_what_a_projection_costs_is_bounded() -> None:
    assert [affordable(10_000, fields) for fields in (2, 3, 8)] == [200, 163, 100]
    assert affordable(7, 3) == 7


# -- rows ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(shop_run: Path, shop_folder: Path) -> pm.Predictor:
    return pm.load(shop_run, root=[shop_folder])


@pytest.fixture(scope="module")
def rows(shop_folder: Path) -> list[dict[str, Any]]:
    with (shop_folder / "other.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def asked_of(model: pm.Predictor, rows: list[dict[str, Any]], chosen: np.ndarray) -> Asked:
    found = model.read(open_source(rows), chosen)
    return Asked(model.bundle.members, found.modalities, model.bundle.tasks, found.window)


def test_rows_and_rows_of_other_rows_cells_are_answered_with_predict_s_bits(model: pm.Predictor, rows: list[dict[str, Any]]) -> None:
    rows = [{**row, "photo": None} if at % 9 == 0 else row for at, row in enumerate(rows)]
    chosen = np.sort(np.random.default_rng(0).permutation(70)[:41])
    asked = asked_of(model, rows, chosen)
    np.testing.assert_array_equal(asked.scores(asked.window.index)["label"], model.predict_proba(rows)[chosen])
    order = np.random.default_rng(1).permutation(41)
    mixed = {**asked.window.index, "标题": asked.window.index["标题"][order]}
    texts = [rows[at]["标题"] for at in chosen[order]]
    expected = model.predict_proba([{**rows[at], "标题": text} for at, text in zip(chosen, texts, strict=True)])
    np.testing.assert_array_equal(asked.scores(mixed)["label"], expected)
    hidden = model.predict_proba([{**rows[at], "photo": None} for at in chosen])
    np.testing.assert_array_equal(asked.scores(asked.window.without(frozenset(["photo"])))["label"], hidden)


def test_contributions_agree_with_evaluate_and_do_not_change_from_call_to_call(model: pm.Predictor, rows: list[dict[str, Any]]) -> None:
    asked = asked_of(model, rows, np.arange(70))
    target = np.array([[["blue", "green", "red"].index(row["label"])] for row in rows], np.float32)
    target[5] = np.nan
    told = contributions(asked, {"label": target}, asked.fields, seed=7)["label"]
    measured = model.evaluate([{**row, "label": "" if at == 5 else row["label"]} for at, row in enumerate(rows)])
    assert told["rows"] == 69
    assert told["whole"] == measured["tasks"]["label"]["accuracy"]
    for field, one in told["fields"].items():
        assert one["without"] == measured["hidden"][field]["label"]
        assert one["permuted"]["times"] == 5
        assert one["permuted"]["score"] == pytest.approx((told["whole"] - one["permuted"]["mean"]) / told["whole"], abs=1e-12)
    assert sum(one["shapley"] for one in told["fields"].values()) == pytest.approx(told["whole"] - told["nothing"], abs=1e-12)
    assert contributions(asked, {"label": target}, asked.fields, seed=7)["label"] == told
    few = contributions(asked, {"label": target}, ["标题"], seed=7)["label"]
    assert few["additive"] is None, "one field has nothing to act together with"
    assert few["whole"] == told["fields"]["标题"]["alone"]
    assert few["fields"]["标题"]["shapley"] == few["whole"] - few["nothing"]
