"""Tests of the influence of each row on a metric: the derivative of the metric, and the variance that follows from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from builders.tasks import answers, binary, multiclass, multilabel, regression
from polymodal.evaluation.paired import variance
from polymodal.tasks import Task

ROWS = 40


def measured(kind: str, rows: int = ROWS, seed: int = 0) -> tuple[Task, np.ndarray, np.ndarray]:
    """A task, and targets and scores that tell something of each other, with ties."""
    rng = np.random.default_rng(seed)
    task: Any
    if kind == "regression":
        task = regression([1.0, 2.0, 7.0], unit="kg")
        target = rng.normal(0, 1, (rows, 1))
        return task, target, task.scores(torch.from_numpy(target + rng.normal(0, 1, (rows, 1)))).numpy()
    if kind == "answers":
        task = answers([["a", "b"], ["a", "b", "c"], ["c"]])
        said = [[*rng.choice(["a", "b", "c", "other"], int(rng.integers(1, 7)), p=[0.5, 0.2, 0.2, 0.1])] for _ in range(rows)]
        target = np.stack([task.encode(cell) for cell in said]).astype(float)
        logits = np.round(rng.normal(0, 1, (rows, 3)) + np.array([1.0, 0.0, 0.0]), 1)
        return task, target, task.scores(torch.from_numpy(logits)).numpy()
    task = {"binary": binary(["a", "b"]), "multiclass": multiclass(["a", "b", "c"]), "multilabel": multilabel(["a;b", "c"])}[kind]
    if kind == "multilabel":
        target = (rng.random((rows, 3)) < 0.4).astype(float)
        told = 2 * target - 1
    else:
        target = rng.integers(0, 2 if kind == "binary" else 3, (rows, 1)).astype(float)
        told = np.eye(3)[target[:, 0].astype(int)][:, 1 if kind == "binary" else 0 :][:, : task.outputs] * 2 - 0.5
    logits = np.round(told + rng.normal(0, 1.5, (rows, task.outputs)), 1)
    return task, target, task.scores(torch.from_numpy(logits)).numpy()


CASES = [
    (kind, metric) for kind in ("binary", "multiclass", "multilabel", "answers", "regression") for metric in measured(kind)[0].metric_names
]


@pytest.mark.parametrize(("kind", "metric"), CASES)
def test_the_influence_is_the_derivative_of_the_metric(kind: str, metric: str) -> None:
    """By differences: the table many times over, and one copy of a row more, or less."""
    task, target, scores = measured(kind)
    found = task.influence(metric, target, scores)
    assert found.mean() == pytest.approx(0, abs=1e-9)
    copies = 200
    for at in (0, 7, 23):
        values = []
        for change in (1, -1):
            times = np.full(ROWS, copies)
            times[at] += change
            rows = np.repeat(np.arange(ROWS), times)
            values.append(task.measure(target[rows], scores[rows])[0][metric])
        more, fewer = values
        assert more is not None
        assert fewer is not None
        slope = (more - fewer) / 2 * copies * ROWS
        assert found[at] == pytest.approx(slope, rel=2e-3, abs=2e-3)


@pytest.mark.parametrize(("kind", "metric"), CASES)
def test_the_mean_of_the_credits_is_the_metric(kind: str, metric: str) -> None:
    task, target, scores = measured(kind)
    row_values = task.row_values(target, scores, metric)
    assert row_values is not None
    assert row_values.mean() == pytest.approx(task.measure(target, scores)[0][metric])


@pytest.mark.parametrize(
    ("kind", "metric"), [("binary", "roc_auc"), ("binary", "average_precision"), ("multiclass", "macro_f1"), ("regression", "r2")]
)
def test_the_variance_of_the_credits_is_that_of_a_bootstrap_of_the_metric(kind: str, metric: str) -> None:
    """Of the paired difference of two models, over clusters of four rows."""
    task, target, scores = measured(kind, 240)
    other = measured(kind, 240, seed=1)[2] * 0.5 + scores * 0.5
    first, second = task.row_values(target, scores, metric), task.row_values(target, other, metric)
    assert first is not None
    assert second is not None
    cluster_N = np.arange(240) // 4
    gain = first - second
    total, _ = variance(np.bincount(cluster_N, (gain - gain.mean()) / 240), 59)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(400):
        rows = (4 * rng.integers(0, 60, 60)[:, None] + np.arange(4)).ravel()
        one, two = (task.measure(target[rows], one[rows])[0][metric] for one in (scores, other))
        assert one is not None
        assert two is not None
        drawn.append(one - two)
    assert total**0.5 == pytest.approx(np.std(drawn, ddof=1), rel=0.12)


def test_a_class_that_training_did_not_see_counts_in_accuracy_alone() -> None:
    task = multiclass(["a", "b", "c"])
    target = np.array([[0.0], [1.0], [-1.0], [2.0]])
    scores = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.4, 0.3, 0.3], [0.5, 0.4, 0.1]])
    found = task.row_values(target, scores, "accuracy")
    assert found is not None
    assert found.tolist() == [1.0, 1.0, 0.0, 0.0]
    loss = task.row_values(target, scores, "log_loss")
    assert loss is not None
    assert loss.mean() == pytest.approx(-np.log([0.7, 0.5, 0.1]).mean())
    assert task.influence("log_loss", target, scores)[2] == 0


def test_a_metric_that_is_undefined_has_no_row_values() -> None:
    task = binary(["a", "b"])
    assert task.row_values(np.ones((3, 1)), np.full((3, 2), 0.5), "roc_auc") is None
    assert task.row_values(np.zeros((0, 1)), np.zeros((0, 2)), "accuracy") is None


def test_the_metric_that_judges_is_the_one_that_was_set_or_follows_from_the_target() -> None:
    assert binary(["a", "b"]).judged_by == "accuracy"
    rare = binary(["a"] * 9 + ["b"])
    assert (rare.judged_by, rare.judged_why) == ("roc_auc", "10 % of the rows are of the rarer class")
    assert binary(["b"] * 9 + ["a"]).judged_by == "roc_auc", "rare is either of the two"
    assert binary(["a"] * 4 + ["b"]).judged_by == "accuracy", "a share of 20 % is not rare"
    chosen = binary(["a"] * 9 + ["b"], metric="accuracy")
    assert (chosen.judged_by, chosen.judged_why) == ("accuracy", "")
    assert multiclass(["a", "b", "c"], metric="log_loss").judged_by == "log_loss"
    assert regression([1.0, 2.0]).judged_by == "r2"
    assert regression([1.0, 2.0], metric="mae").judged_by == "mae"
    assert multilabel(["a;b", "c"]).judged_by == "accuracy"


def test_smaller_errors_are_better_and_are_scaled_by_the_spread() -> None:
    task = regression([1.0, 3.0], metric="mae")
    assert (task.sign("mae"), task.bounds("mae")) == (-1, (0.0, float("inf")))
    assert task.goodness("mae", 0.5) == pytest.approx(-0.5)
    assert regression([10.0, 30.0]).goodness("mae", 5.0) == pytest.approx(-0.5)
    assert (task.goodness("r2", 0.5), task.bounds("r2")[1]) == (0.5, 1.0)
    assert binary(["a", "b"]).bounds("roc_auc") == (0.0, 1.0)
