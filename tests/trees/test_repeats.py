"""Texts that recur: the mean target of their rows, out of fold on training rows, and what the buffers of a bundle may be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import polymodal as pm
from polymodal.trees.repeats import Repeats

TEXTS = [np.array(ids, np.int64) for ids in ([1, 2], [3], [2, 1, 4], [5])]


def fitted(target_N: np.ndarray, fold_N: np.ndarray, index_N: np.ndarray) -> tuple[Repeats, np.ndarray]:
    made = Repeats.fit(TEXTS, index_N, np.nan_to_num(target_N)[:, None].astype(np.float32), np.isfinite(target_N)[:, None], fold_N, 8)
    assert made is not None
    return made


def test_a_text_has_the_mean_of_its_rows_as_if_one_more_row_had_the_mean_of_all() -> None:
    index_N = np.array([0, 0, 1, 2, 0, -1])
    made, numbers_NC = fitted(np.array([3.0, 6.0, 1.0, -2.0, 0.0, 9.0]), np.array([0, 1, 0, 1, 2, 0]), index_N)
    means = made(torch.tensor([[1, 2, 0], [2, 1, 0], [3, 0, 0], [1, 2, 4], [5, 0, 0], [0, 0, 0]]))
    np.testing.assert_allclose(means[:, 0].numpy(), [9 / 4, 9 / 4, 1 / 2, -2 / 2, np.nan, np.nan])
    np.testing.assert_allclose(numbers_NC[:, 0], [6 / 3, 3 / 3, np.nan, np.nan, 9 / 3, np.nan])  # by the rows of the other folds


def test_rows_without_the_target_do_not_count() -> None:
    made, _ = fitted(np.array([np.nan, np.nan, 6.0, np.nan]), np.arange(4), np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(made(torch.tensor([[1, 2], [3, 0]]))[:, 0].numpy(), [6 / 2, np.nan])


def test_the_mean_of_a_training_row_does_not_depend_on_its_own_target() -> None:
    index_N, fold_N = np.arange(12) % 3, np.arange(12) % 4
    target_N = np.arange(12.0)
    before = fitted(target_N, fold_N, index_N)[1]
    target_N[7] += 100
    after = fitted(target_N, fold_N, index_N)[1]
    assert before[7] == after[7]
    assert not np.array_equal(before, after)


def test_there_are_no_means_if_no_rows_share_a_text() -> None:
    assert Repeats.fit(TEXTS, np.array([0, 1, 2, -1]), np.zeros((4, 1), np.float32), np.ones((4, 1), bool), np.arange(4), 8) is None


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"hashes_M": torch.tensor([2, 1]), "means_MC": torch.zeros(2, 1)}, "ascending"),
        ({"hashes_M": torch.tensor([1.0, 2.0]), "means_MC": torch.zeros(2, 1)}, "ascending"),
        ({"hashes_M": torch.tensor([1, 2]), "means_MC": torch.zeros(3, 1)}, "expected 2 rows"),
        ({"hashes_M": torch.tensor([1, 2]), "means_MC": torch.zeros(2, 1, dtype=torch.float8_e4m3fn)}, "float32"),
        ({"hashes_M": torch.tensor([1, 2]), "means_MC": torch.tensor([[1.0], [torch.inf]])}, "infinite"),
        ({"hashes_M": torch.tensor([1, 2])}, "with the buffers hashes_M"),
    ],
)
def test_buffers_that_do_not_fit_together_are_refused(tensors: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Repeats.restore(tensors, 8)


def table(rows: int, seed: int) -> list[dict[str, Any]]:
    """Rows whose target is a function of the whole text: no word, and no pair of words, tells it."""
    rng, fixed = np.random.default_rng(seed), np.random.default_rng(7)
    texts = [" ".join(f"w{word}" for word in fixed.integers(0, 12, 8)) for _ in range(KINDS)]
    values = fixed.standard_normal(KINDS)
    kinds = rng.integers(0, KINDS, rows)
    return [
        {"t": texts[kind], "a": float(rng.standard_normal()), "y": float(values[kind]), "g": str(row % 40)}
        for row, kind in enumerate(kinds)
    ]


KINDS = 400
SETTINGS = ("fields.t.kind=text", "training.epochs=1", "training.baselines=false", "data.split.kind=random")


def has_means(predictor: pm.Predictor) -> bool:
    return any("hashes_M" in name for name in predictor.bundle.members[0].state_dict())


def test_rows_with_known_texts_are_predicted_better_and_a_saved_model_predicts_the_same(tmp_path: Any) -> None:
    fresh = table(400, 1)
    target_N = np.array([row["y"] for row in fresh])
    errors = []
    for setting in ("model.trees.repeats=true", "model.trees.repeats=false"):
        predictor = pm.train(table(600, 0), *SETTINGS, setting, target="y")
        errors.append(((predictor.predict(fresh) - target_N) ** 2).mean() / target_N.var())
        predictor.save(tmp_path / setting)
    assert errors[0] < errors[1] - 0.03
    loaded = pm.load(tmp_path / "model.trees.repeats=true")
    assert has_means(loaded)
    assert np.array_equal(loaded.predict(fresh[:1]), loaded.predict(fresh)[:1])


def test_a_row_with_a_new_text_is_voted_on_by_the_trees_of_complete_rows() -> None:
    predictor = pm.train(table(600, 0), *SETTINGS, "model.trees.rounds=5", target="y", ignore=["g"])
    trees = predictor.bundle.members[0].trees
    assert trees is not None
    assert trees.complete_TK is not None
    at = trees.fields.index("t")
    start = sum(trees.widths[name] for name in trees.fields[:at])
    summary: Any = trees.summaries[at]
    means = range(start + trees.widths["t"] - summary.repeats.width, start + trees.widths["t"])
    assert not trees.complete_TK[:, list(means)].any()


@pytest.mark.parametrize("setting", ["data.private=true", "data.split.group=g", "model.trees.repeats=false"])
def test_no_hashes_are_kept_of_private_rows_nor_with_groups(setting: str) -> None:
    small = ("model.trees.rounds=3", "model.trees.bags=2", "model.trees.boosters=1")
    assert not has_means(pm.train(table(320, 0), *SETTINGS, *small, setting, target="y"))
