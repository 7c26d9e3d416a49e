"""Tests of metrics against scikit-learn, and of undefined metrics."""

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
    assert {name for name, value in found.items() if value is None} == {"balanced_accuracy", "macro_f1", "roc_auc", "average_precision"}
    assert set(reasons) == {"balanced_accuracy", "macro_f1", "roc_auc", "average_precision"}
    assert reasons["macro_f1"] == "needs a label that some row has, in truth or in the answer"
    found, reasons = metrics.multilabel(np.ones((3, 2)), np.full((3, 2), 0.8))
    assert (found["balanced_accuracy"], found["macro_f1"], found["average_precision"], found["roc_auc"]) == (1.0, 1.0, 1.0, None)
    assert reasons == {"roc_auc": "needs a label that some rows have and some have not"}


def rare_labels() -> tuple[np.ndarray, np.ndarray]:
    """60 rows of 100 labels, of which the first ten occur; and scores."""
    rng = np.random.default_rng(5)
    truth = np.zeros((60, 100))
    truth[:, :10] = rng.random((60, 10)) < 0.3
    scores = np.clip(0.5 * truth + 0.55 * rng.random((60, 100)), 0.01, 0.99)
    return truth, scores


def test_macro_averages_are_over_the_labels_that_occur() -> None:
    truth, _ = rare_labels()
    silent, _ = metrics.multilabel(truth, np.full(truth.shape, 0.1))
    assert silent["macro_f1"] == 0.0, "no label is named, and ten occur; over all hundred this would be 0.9"
    assert silent["balanced_accuracy"] == 0.5, "no row that has a label is right, every row without it is; over all hundred 0.95"
    assert silent["roc_auc"] == 0.5
    one = np.zeros((4, 100))
    one[:2, 7] = 1
    answer = np.zeros((4, 100))
    answer[[1, 2], 7] = 1
    answer[3, 50] = 1
    found, _ = metrics.multilabel(one, answer)
    assert found["macro_f1"] == pytest.approx((0.5 + 0.0) / 2), "label 7: 1 of 2 and of 2; label 50 is answered, and occurs in no row"
    assert found["balanced_accuracy"] == pytest.approx(0.5), "of label 7 alone: 1 of 2 rows that have it, 1 of 2 that do not"


@pytest.mark.parametrize("low", [0.01, 0.6], ids=["some labels are named", "absent labels are named"])
def test_macro_averages_of_rare_labels_agree_with_scikit_learn(low: float) -> None:
    truth, scores = rare_labels()
    if low > 0.5:
        scores[3, 40:44] = low  # four labels that occur in no row
    found, reasons = metrics.multilabel(truth, scores)
    answer = (scores >= 0.5).astype(int)
    occur = np.flatnonzero(truth.any(0))
    named = np.flatnonzero(truth.any(0) | answer.any(0))
    assert not reasons
    assert len(occur) == 10
    assert found["macro_f1"] == pytest.approx(reference.f1_score(truth, answer, labels=named, average="macro"), abs=1e-12)
    each = [reference.balanced_accuracy_score(truth[:, at], answer[:, at]) for at in occur]
    assert found["balanced_accuracy"] == pytest.approx(np.mean(each), abs=1e-12)
    for name, metric in (("roc_auc", reference.roc_auc_score), ("average_precision", reference.average_precision_score)):
        assert found[name] == pytest.approx(metric(truth[:, occur], scores[:, occur], average="macro"), abs=1e-12)


def test_macro_averages_of_rare_classes_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    truth, scores = rng.integers(0, 10, 80) * 7, scores_of(rng, 80, 100)  # 10 classes of 100 occur
    scores[np.arange(80), truth] += 0.05
    scores /= scores.sum(1, keepdims=True)
    found, reasons = metrics.classification(truth.astype(np.float32), scores)
    answer, occur = scores.argmax(1), np.unique(truth)
    assert not reasons
    assert len(occur) == 10
    named = np.union1d(truth, answer)
    assert found["macro_f1"] == pytest.approx(reference.f1_score(truth, answer, labels=named, average="macro"), abs=1e-12)
    recall = reference.recall_score(truth, answer, labels=occur, average="macro")
    assert found["balanced_accuracy"] == pytest.approx(recall, abs=1e-12)
    for name, metric in (("roc_auc", reference.roc_auc_score), ("average_precision", reference.average_precision_score)):
        each = [metric(truth == label, scores[:, label]) for label in occur]
        assert found[name] == pytest.approx(np.mean(each), abs=1e-12)


@pytest.mark.parametrize(
    "truth", [np.full(7, 0.1), np.full(1_001, 1e9 + 0.3), 1e9 + 1e-6 * np.arange(9), np.full(3, 0.0), np.full(5, -1e90)]
)
def test_r2_of_constant_targets_is_undefined_however_their_mean_is_rounded(truth: np.ndarray) -> None:
    found, reasons = metrics.regression(truth, truth + 0.5)
    assert found["r2"] is None
    assert reasons == {"r2": "needs targets that differ"}
    assert metrics.variance(truth) == 0.0


@pytest.mark.parametrize("truth", [np.arange(5) * 1e-9, 1e9 + np.arange(5), 1e-150 * np.arange(5.0), np.array([0.0, 0.0, 1e-5])])
def test_r2_of_targets_that_differ_is_defined(truth: np.ndarray) -> None:
    found, reasons = metrics.regression(truth, truth)
    assert (found["r2"], reasons) == (1.0, {})
    found, _ = metrics.regression(truth, np.full_like(truth, truth.mean()))
    assert found["r2"] == pytest.approx(0.0, abs=1e-9)


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
