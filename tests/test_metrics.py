"""Metrics against scikit-learn, and what is undefined."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from polymodal.tasks import metrics


def scores_of(rng: np.random.Generator, rows: int, classes: int) -> np.ndarray:
    logits = rng.normal(size=(rows, classes)).round(1)  # rounded: ties
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_classification_agrees_with_scikit_learn(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, 150)
    scores = scores_of(rng, 150, classes)
    scores[np.arange(150), truth] += 0.4
    scores /= scores.sum(1, keepdims=True)
    found, reasons = metrics.classification(truth.astype(np.float32), scores)
    assert not reasons
    answer = scores.argmax(1)
    expected = {
        "accuracy": reference.accuracy_score(truth, answer),
        "balanced_accuracy": reference.balanced_accuracy_score(truth, answer),
        "macro_f1": reference.f1_score(truth, answer, average="macro"),
        "log_loss": reference.log_loss(truth, scores, labels=range(classes)),
        "roc_auc": reference.roc_auc_score(truth, scores[:, 1] if classes == 2 else scores, multi_class="ovr"),
        "average_precision": reference.average_precision_score(truth, scores[:, 1] if classes == 2 else scores),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


@pytest.mark.parametrize("seed", range(4))
def test_multilabel_agrees_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = (rng.random((80, 5)) < 0.4).astype(np.float32)
    scores = np.clip(0.3 * truth + rng.random((80, 5)).round(2) * 0.7, 0.01, 0.99)
    found, reasons = metrics.multilabel(truth, scores)
    answer = (scores >= 0.5).astype(int)
    assert not reasons
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(truth, answer))
    assert found["macro_f1"] == pytest.approx(reference.f1_score(truth, answer, average="macro"))
    assert found["roc_auc"] == pytest.approx(reference.roc_auc_score(truth, scores))
    assert found["average_precision"] == pytest.approx(reference.average_precision_score(truth, scores))
    assert found["log_loss"] == pytest.approx(reference.log_loss(truth.ravel(), scores.ravel()), abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_regression_agrees_with_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, answer = rng.normal(50, 10, 60), rng.normal(50, 10, 60)
    found, _ = metrics.regression(truth, answer)
    assert found["mae"] == pytest.approx(reference.mean_absolute_error(truth, answer))
    assert found["rmse"] == pytest.approx(reference.mean_squared_error(truth, answer) ** 0.5)
    assert found["r2"] == pytest.approx(reference.r2_score(truth, answer))


def test_roc_auc_with_ties_is_known() -> None:
    truth = np.array([0, 0, 1, 1.0])
    assert metrics.roc_auc(truth, np.array([0.1, 0.4, 0.4, 0.9])) == pytest.approx(0.875)
    assert metrics.roc_auc(truth, np.full(4, 0.5)) == 0.5
    assert metrics.average_precision(truth, np.full(4, 0.5)) == 0.5


def test_ece_is_known() -> None:
    right = np.array([True, True, False, False])
    assert metrics.ece(right, np.array([0.5, 0.5, 0.5, 0.5])) == pytest.approx(0.0)
    assert metrics.ece(right, np.array([1.0, 1.0, 1.0, 1.0])) == pytest.approx(0.5)
    assert metrics.ece(np.array([True, False]), np.array([0.9, 0.9])) == pytest.approx(0.4)


def test_what_is_undefined_is_none_with_a_reason() -> None:
    scores = np.array([[0.8, 0.2], [0.6, 0.4]])
    found, reasons = metrics.classification(np.array([0.0, 0.0]), scores)
    assert found["accuracy"] == 1.0
    assert found["roc_auc"] is None
    assert found["average_precision"] is None
    assert reasons == dict.fromkeys(("roc_auc", "average_precision"), "needs rows of two classes or more")
    found, reasons = metrics.regression(np.array([3.0, 3.0]), np.array([1.0, 2.0]))
    assert found["r2"] is None
    assert reasons == {"r2": "needs targets that differ"}
    found, reasons = metrics.multilabel(np.zeros((3, 2)), np.full((3, 2), 0.2))
    assert found["roc_auc"] is None
    assert "roc_auc" in reasons


def test_a_class_that_was_not_seen_in_training_counts_as_wrong() -> None:
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    found, _ = metrics.classification(np.array([0.0, 1.0, -1.0]), scores)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["log_loss"] == pytest.approx(-np.log([0.9, 0.8]).mean())
    found, reasons = metrics.classification(np.array([-1.0, -1.0]), scores[:2])
    assert found["accuracy"] == 0.0
    assert found["log_loss"] is None
    assert "no row of a class" in reasons["log_loss"]


def test_log_loss_is_finite_when_the_truth_was_given_nothing() -> None:
    found, _ = metrics.classification(np.array([1.0, 0.0]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert found["log_loss"] == pytest.approx(-np.log(1e-7) / 2)
