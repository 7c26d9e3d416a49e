"""Tests of Shapley values, additive projections and predictions with cells of other rows, against values computed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import polymodal as pm
from polymodal.analysis.additive import affordable, project
from polymodal.analysis.contribution import contributions, jackknife
from polymodal.data.sources import open_source
from polymodal.evaluation.shapley import shapley
from polymodal.predictor import RowPredictor

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
    return SimpleNamespace(answer=answer, blocks_of=lambda index: index), index, one


def test_the_projection_of_two_fields_is_that_of_its_definition() -> None:
    model, index, one = world(2, 9, additive=False)
    pairs = np.array([[one((first, second)) for second in index["f1"]] for first in index["f0"]])
    expected = pairs.mean(1) + pairs.mean(0) - pairs.mean((0, 1))  # as Hessel and Lee write it
    found = project(model, index, list(index))
    np.testing.assert_allclose(found.logits["y"], expected, atol=1e-12)
    assert found.without == [], "nothing is drawn"


@pytest.mark.parametrize("fields", [2, 3, 5])
def test_a_sum_is_its_own_projection(fields: int) -> None:
    model, index, one = world(fields, 40, additive=True)
    expected = np.stack([one(held) for held in zip(*index.values(), strict=True)])
    found = project(model, index, list(index), seed=(fields,))
    np.testing.assert_allclose(found.logits["y"], expected, atol=1e-12)
    assert len(found.without) == (0 if fields == 2 else 8)
    for without in found.without:
        np.testing.assert_allclose(without["y"], expected, atol=1e-12)


class Formula:
    """Answers as a model does, by a function of one number of each field; counts its answers."""

    def __init__(self, cells: Mapping[str, np.ndarray], function: Any) -> None:
        self.cells, self.function, self.answers = cells, function, 0
        self.index = {name: np.arange(len(cell)) for name, cell in cells.items()}

    def __call__(self, index: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.asarray(self.function(*(cell[index[name]] for name, cell in self.cells.items())), np.float64)

    def blocks_of(self, index: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return index

    def answer(self, index: Mapping[str, np.ndarray]) -> Any:
        self.answers += len(next(iter(index.values())))
        return SimpleNamespace(logits={"y": self(index)[:, None]})

    def projected(self, seed: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """The projection (N,), and those without a group of draws."""
        found = project(self, self.index, list(self.index), (seed,))  # type: ignore[arg-type]
        return found.logits["y"][:, 0], [one["y"][:, 0] for one in found.without]

    def exact(self) -> np.ndarray:
        """The projection (N,) by every combination of cells."""
        grid = np.meshgrid(*self.index.values(), indexing="ij")
        every = self(dict(zip(self.index, grid, strict=True)))
        axes = range(every.ndim)
        return sum(every.mean(tuple(other for other in axes if other != axis)) for axis in axes) - (every.ndim - 1) * every.mean()

    def r2(self, answer_N: np.ndarray) -> float:
        """Of an answer, where the truth is what the model says."""
        truth_N = self(self.index)
        return float(1 - ((truth_N - answer_N) ** 2).mean() / truth_N.var())


def product_of(rows: int, seed: int) -> Formula:
    """a * b * c, c a copy of b, which is near -1 or 1: in the rows it is nearly a, and of independent cells it is no sum."""
    rng = np.random.default_rng(seed)
    b = rng.choice([-1.0, 1.0], rows) + rng.normal(0, 0.1, rows)
    return Formula({"a": rng.normal(size=rows), "b": b, "c": b.copy()}, lambda a, b, c: a * b * c)


@pytest.mark.parametrize("seed", range(3))
def test_a_product_of_which_two_fields_are_copies_is_no_sum(seed: int) -> None:
    model = product_of(120, seed)
    found, _ = model.projected(0)
    assert model.r2(model.exact()) < 0.1, "with b and c kept together it would be 0.95"
    assert model.r2(found) == pytest.approx(model.r2(model.exact()), abs=0.12)
    assert model.answers == 3 * 120**2


def test_means_of_draws_are_unbiased_and_their_standard_error_is_not_underestimated() -> None:
    rng = np.random.default_rng(4)
    cells = {name: rng.normal(size=30) for name in "abc"}
    model = Formula(cells, lambda a, b, c: a + b * c + 0.5 * np.tanh(a * b * c))
    exact_N = model.exact()
    drawn = [model.projected(seed) for seed in range(200)]
    projections = np.stack([found for found, _ in drawn])
    error_N = projections.std(0, ddof=1)
    assert (np.abs(projections.mean(0) - exact_N) < 5 * error_N / 200**0.5).all()
    told_N = np.sqrt(np.mean([[jackknife(column) ** 2 for column in np.stack(without, 1)] for _, without in drawn], 0))
    assert error_N.mean() < told_N.mean() < 2 * error_N.mean()
    found, without = model.projected(7)
    np.testing.assert_array_equal(model.projected(7)[0], found)
    assert not np.array_equal(model.projected(8)[0], found)
    assert len(without) == 8


def test_few_rows_are_projected_too() -> None:
    for rows in (1, 2, 5):
        model = product_of(rows, 0)
        found, without = model.projected(0)
        assert np.isfinite(found).all()
        assert len(without) == (rows if rows > 1 else 0)
    assert jackknife([0.5, 0.5]) == 0.0
    assert jackknife([1.0, 2.0, 3.0]) == pytest.approx((2 / 3 * 2) ** 0.5)


def test_what_a_projection_costs_is_bounded() -> None:
    assert [affordable(10_000, fields) for fields in (2, 3, 8)] == [200, 163, 100]
    assert affordable(7, 3) == 7


# -- rows ----------------------------------------------------------------------------------------------------------------


def row_predictor(model: pm.Predictor, rows: list[dict[str, Any]], chosen: np.ndarray) -> RowPredictor:
    found = model.read(open_source(rows), chosen)
    return RowPredictor(model.bundle.members, found.modalities, model.bundle.tasks, found.window)


def test_rows_and_rows_of_other_rows_cells_are_answered_with_predict_s_bits(model: pm.Predictor, rows: list[dict[str, Any]]) -> None:
    rows = [{**row, "photo": None} if at % 9 == 0 else row for at, row in enumerate(rows)]
    chosen = np.sort(np.random.default_rng(0).permutation(70)[:41])
    asked = row_predictor(model, rows, chosen)
    np.testing.assert_array_equal(asked.scores(asked.window.index)["label"], model.predict_proba(rows)[chosen])
    order = np.random.default_rng(1).permutation(41)
    mixed = {**asked.window.index, "标题": asked.window.index["标题"][order]}
    texts = [rows[at]["标题"] for at in chosen[order]]
    expected = model.predict_proba([{**rows[at], "标题": text} for at, text in zip(chosen, texts, strict=True)])
    np.testing.assert_array_equal(asked.scores(mixed)["label"], expected)
    hidden = model.predict_proba([{**rows[at], "photo": None} for at in chosen])
    np.testing.assert_array_equal(asked.scores(asked.window.without(frozenset(["photo"])))["label"], hidden)


def test_contributions_agree_with_evaluate_and_do_not_change_from_call_to_call(model: pm.Predictor, rows: list[dict[str, Any]]) -> None:
    asked = row_predictor(model, rows, np.arange(70))
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
    assert len(asked.fields) > 2
    assert 0 <= told["additive"]["error"] < 0.1, "three fields and more are projected by draws"
    two = contributions(asked, {"label": target}, ["标题", "photo"], seed=7)["label"]["additive"]
    assert two["error"] is None, "of two fields the projection is exact"
    few = contributions(asked, {"label": target}, ["标题"], seed=7)["label"]
    assert few["additive"] is None, "one field has nothing to act together with"
    assert few["whole"] == told["fields"]["标题"]["alone"]
    assert few["fields"]["标题"]["shapley"] == few["whole"] - few["nothing"]
