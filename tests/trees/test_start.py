"""Linear models from which boosting starts: known answers, no use of a row's own target, and the choice between both ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from polymodal.trees import BoostedTrees, TreesConfig
from polymodal.trees.fitting import FieldCells, fit
from polymodal.trees.jobs import Chosen, Labels
from polymodal.trees.start import Objective, Scaling, Start, linear_fit

ROWS = 300
FOLD_N = np.arange(ROWS) % 5


def numbers(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((ROWS, 3)).astype(np.float32) * [1.0, 10.0, 0.1] + [0, 5, 0]


@pytest.mark.parametrize(
    ("objective", "outputs", "target"),
    [
        ("squared", 1, lambda z: 2 * z[:, 0] - z[:, 1] + 3),
        ("logistic", 1, lambda z: (2 * z[:, 0] - z[:, 1] > 0).astype(float)),
        ("softmax", 3, lambda z: np.digitize(2 * z[:, 0] - z[:, 1], [-1.0, 1.0]).astype(float)),
    ],
)
def test_a_linear_relation_is_found(objective: Objective, outputs: int, target: Any) -> None:
    values_NK = numbers()
    scaling = Scaling.of(values_NK)
    target_N = target((values_NK - scaling.center_K) / scaling.scale_K)
    found = linear_fit(values_NK, target_N, None, objective, outputs, FOLD_N)
    assert found is not None
    predicted_NC = found.out_of_fold(values_NK, FOLD_N)
    assert predicted_NC.shape == (ROWS, outputs)
    if objective == "squared":
        np.testing.assert_allclose(found.whole_DC[:, 0], [2, -1, 0, 3], atol=0.03)
        assert np.abs(predicted_NC[:, 0] - target_N).max() < 0.2
    else:
        classes = predicted_NC.argmax(1) if outputs > 1 else predicted_NC[:, 0] > 0
        assert (classes == target_N).mean() > 0.93


@pytest.mark.parametrize("width", [0, 1_000], ids=["L-BFGS", "Newton"])
def test_logistic_regression_is_that_of_scikit_learn(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setattr("polymodal.trees.start._NEWTON_WIDTH", width)
    monkeypatch.setattr("polymodal.trees.start._PENALTIES", {"logistic": (3.0,)})
    rng, values_NK = np.random.default_rng(2), numbers()
    weights_N = rng.uniform(0, 2, ROWS)
    scaling = Scaling.of(values_NK)
    values_ND = scaling.scaled(values_NK)
    target_N = (values_ND @ [1.5, -1.0, 0.0, 0.5] + rng.logistic(size=ROWS) > 0).astype(float)
    found = linear_fit(values_NK, target_N, weights_N, "logistic", 1, FOLD_N)
    assert found is not None
    peer = LogisticRegression(C=1 / 3.0, tol=1e-10, max_iter=1_000).fit(values_ND[:, :-1], target_N, weights_N)
    np.testing.assert_allclose(found.whole_DC[:, 0], [*peer.coef_[0], peer.intercept_[0]], atol=1e-3 if not width else 1e-5)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e6])
def test_newton_s_method_ends_on_labels_that_a_plane_separates(scale: float) -> None:
    values_NK = numbers()
    found = linear_fit(values_NK, (values_NK[:, 0] > 0).astype(float), np.full(ROWS, scale), "logistic", 1, FOLD_N)
    assert found is not None
    assert np.isfinite(found.whole_DC).all()
    assert ((found.out_of_fold(values_NK, FOLD_N)[:, 0] > 0) == (values_NK[:, 0] > 0)).mean() > 0.97


def test_ridge_with_weights_is_that_of_repeated_rows() -> None:
    values_NK, weights_N = numbers(), np.where(np.arange(ROWS) < 100, 2.0, 1.0)
    target_N = np.random.default_rng(1).standard_normal(ROWS)
    weighted = linear_fit(values_NK, target_N, weights_N, "squared", 1, FOLD_N)
    again = np.r_[np.arange(ROWS), np.arange(100)]
    repeated = linear_fit(values_NK[again], target_N[again], None, "squared", 1, FOLD_N[again])
    assert weighted is not None
    assert repeated is not None
    fitted = [
        one.scaling.scaled(values_NK) @ one.whole_DC for one in (weighted, repeated)
    ]  # both centre and scale by their own rows, which a small penalty hardly notices
    np.testing.assert_allclose(fitted[0], fitted[1], atol=0.02)


def test_a_prediction_out_of_fold_does_not_depend_on_the_rows_of_the_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polymodal.trees.start._PENALTIES", {"squared": (1.0,)})  # the choice of a penalty uses all rows
    values_NK, target_N = numbers(), np.random.default_rng(1).standard_normal(ROWS)
    predicted = []
    for changed in (0.0, 50.0):
        target_N[5] += changed
        found = linear_fit(values_NK, target_N, None, "squared", 1, FOLD_N)
        assert found is not None
        predicted.append(found.out_of_fold(values_NK, FOLD_N)[:, 0])
    assert np.array_equal(predicted[0][FOLD_N == 0], predicted[1][FOLD_N == 0])
    assert not np.array_equal(predicted[0], predicted[1])


def test_a_missing_number_counts_as_the_mean_and_a_large_one_as_four_deviations() -> None:
    one = torch.ones(1)
    start = Start(5 * one, 2 * one, 3 * torch.ones(1, 1), 7 * one)
    assert start(torch.tensor([[5.0], [7.0], [torch.nan], [1e9], [-1e9]]))[:, 0].tolist() == [7.0, 10.0, 7.0, 19.0, -5.0]


def test_there_is_no_linear_model_of_a_large_table_or_without_labels_in_a_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    values_NK, target_N = numbers(), np.zeros(ROWS)
    assert linear_fit(values_NK, np.where(FOLD_N == 2, np.nan, target_N), None, "squared", 1, FOLD_N) is None
    monkeypatch.setattr("polymodal.trees.start._MOST", 899)
    assert linear_fit(values_NK, target_N, None, "squared", 1, FOLD_N) is None


def boosted(target_NT: np.ndarray, values_NK: np.ndarray, chosen: Any = None, outputs: int = 1) -> tuple[BoostedTrees, list[Chosen]]:
    fields = {"v": FieldCells("vector", {"length": 3}, [{"values": row} for row in values_NK], np.arange(len(values_NK)))}
    objective: Any = "softmax" if outputs > 1 else "squared"
    return fit(TreesConfig(bags=3, rounds=60), fields, [0], [Labels(objective, target_NT, outputs)], None, 0, 1, chosen)


def test_boosting_starts_from_the_linear_model_where_that_is_better_and_a_repeated_run_has_the_same_bits() -> None:
    values_NK = np.random.default_rng(0).standard_normal((ROWS, 3)).astype(np.float32)
    fresh_NK = np.random.default_rng(9).standard_normal((400, 3)).astype(np.float32)
    present = {"v": torch.ones(400, dtype=torch.bool)}
    noise_N = 0.5 * np.random.default_rng(2).standard_normal(ROWS)
    linear, chosen = boosted((values_NK.sum(1) + noise_N)[:, None].astype(np.float64), values_NK)
    assert all(one.linear for one in chosen)
    error_N = linear({"v": torch.from_numpy(fresh_NK)}, present)[0][:, 0].numpy() - fresh_NK.sum(1)
    assert (error_N**2).mean() < 0.1, "expected nearly the error of a linear regression; trees alone have 0.4"
    again, same = boosted((values_NK.sum(1) + noise_N)[:, None].astype(np.float64), values_NK, chosen)
    assert same == chosen
    weights = linear.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in again.state_dict().items())
    other, plain = boosted((np.abs(values_NK[:, :1]) * 3).astype(np.float64), values_NK)
    assert not any(one.linear for one in plain)
    assert not any(name.startswith("starts") for name in other.state_dict())


def test_classes_start_from_a_linear_model_too_and_weights_are_checked() -> None:
    values_NK = np.random.default_rng(0).standard_normal((ROWS, 3)).astype(np.float32)
    made, chosen = boosted(np.digitize(values_NK.sum(1), [-1.0, 1.0])[:, None].astype(np.float64), values_NK, None, 3)
    assert all(one.linear for one in chosen)
    weights = made.state_dict()
    arguments: Any = (["v"], {"v": "vector"}, {"v": {"length": 3}}, [3])
    again = BoostedTrees.restore(weights, *arguments)
    fresh = {"v": torch.from_numpy(values_NK[:50])}
    present = {"v": torch.ones(50, dtype=torch.bool)}
    assert torch.equal(again(fresh, present)[0], made(fresh, present)[0])
    for name, value, message in (
        ("starts.0.weights_KC", torch.zeros(2, 3), "linear start with the buffers"),
        ("starts.0.scale_K", torch.zeros(3), "above 0"),
        ("starts.0.bias_C", torch.full((3,), torch.nan), "not finite"),
        ("starts.0.center_K", torch.zeros(4), "differ in length"),
    ):
        with pytest.raises(ValueError, match=message):
            BoostedTrees.restore({**weights, name: value}, *arguments)
