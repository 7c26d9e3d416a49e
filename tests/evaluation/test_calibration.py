"""Tests of the calibration of probabilities, measured on rows that the scale was not fitted on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from polymodal.evaluation.calibration import calibrate, crossing, pooled_scale, scale_of
from polymodal.evaluation.measure import score
from polymodal.tasks import Multiclass, MulticlassConfig, Regression, RegressionConfig, Task
from polymodal.tasks.metrics import ece, ece_by_chance
from polymodal.tasks.voting import scale_of_logits


def three() -> Multiclass:
    config = MulticlassConfig(column="y")
    return Multiclass(config, Multiclass.fit(config, ["a", "b", "c"], "t"))


def drawn(rows: int, sharper: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits ``sharper`` times what the truth is drawn by (N, 3), and the truth (N, 1)."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (rows, 3))
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = (rng.random((rows, 1)) > chances.cumsum(1)).sum(1, keepdims=True).astype(np.float32)
    return (sharper * logits).astype(np.float32), truth


@pytest.mark.parametrize("factor", [3.0, 0.4])
def test_a_scale_fitted_on_other_rows_calibrates_the_mean_of_members(factor: float) -> None:
    logits, truth = drawn(2_000, factor)
    found = pooled_scale(three(), [logits], truth, 0)
    assert found.scale == pytest.approx(1 / factor, rel=0.1)
    assert found.rows == 2_000
    assert found.calibration is not None
    facts = found.calibration.facts
    assert facts["before"]["ece"] > 0.1 > 0.04 > facts["after"]["ece"]
    assert facts["after"]["log_loss"] < facts["before"]["log_loss"]
    assert abs(facts["after"]["ece"] - facts["chance"]) < 3 * facts["spread"] + 0.005
    assert sum(rows for _, _, rows in found.calibration.curves["after"]) == 2_000
    assert found.metrics["log_loss"] == facts["after"]["log_loss"]


@pytest.mark.parametrize("rows", [19, 39, 119])
@pytest.mark.parametrize("factor", [3.0, 1.0, 0.5])
def test_a_scale_of_few_rows_is_never_worse_than_none_beyond_noise(rows: int, factor: float) -> None:
    """Over 60 tables: log loss on 2,000 other rows by the fitted scale, against no scale."""
    task, gains = three(), []
    fresh, truth = drawn(2_000, factor, seed=999)
    for seed in range(60):
        scale = scale_of_logits(task, *drawn(rows, factor, seed))
        scores = [score(task, [fresh * np.float32(by)]) for by in (1.0, scale)]
        none, scaled = (task.measure(truth, one)[0]["log_loss"] or 0.0 for one in scores)
        gains.append(none - scaled)
    error = np.std(gains, ddof=1) / 60**0.5
    assert np.mean(gains) > (-0.003 if factor == 1 else -2 * error), "the prior bounds what a scale of nothing costs"
    if factor == 3:
        assert np.mean(gains) > 5 * error


def test_the_mean_of_members_stands_beside_single_ones() -> None:
    """Five members with noise of their own: their mean is better than each, and by how much is measured on the same rows."""
    logits, truth = drawn(2_000, 1.0)
    members = [logits + np.random.default_rng(at).normal(0, 2, logits.shape).astype(np.float32) for at in range(5)]
    found = pooled_scale(three(), members, truth, 0)
    each = [pooled_scale(three(), [one], truth, 0) for one in members]
    assert found.single["accuracy"] == pytest.approx(np.mean([one.metrics["accuracy"] for one in each]))
    assert (found.metrics["accuracy"] or 0) > (found.single["accuracy"] or 0) + 0.05
    assert found.scale > each[0].scale + 0.1, "the mean is scaled less"


def test_without_a_known_target_or_with_few_rows_nothing_is_scaled() -> None:
    logits, truth = drawn(40, 2.0)
    truth[3:] = np.nan
    found = pooled_scale(three(), [logits], truth, 0)
    assert (found.scale, found.rows, found.calibration) == (1.0, 3, None)
    truth[:] = np.nan
    assert set(pooled_scale(three(), [logits], truth, 0).metrics.values()) == {None}
    assert pooled_scale(three(), [drawn(400, 2.0)[0]], drawn(400, 2.0)[1], None).scale == 1.0


def test_the_parts_of_a_crossed_fit_are_even_and_a_function_of_the_seed() -> None:
    parts = crossing(103, 7)
    assert sorted(np.bincount(parts)) == [20, 20, 21, 21, 21]
    np.testing.assert_array_equal(parts, crossing(103, 7))
    assert (parts != crossing(103, 8)).any()
    assert scale_of([0.3, 0.2], [1.0, 0.0]) == 0.5
    assert scale_of([0.0, 0.0], [1.0, 0.0]) == 1.0


def test_members_answer_with_the_mean_of_their_logits() -> None:
    """Which is as sure as the members are where they agree, and surer than the mean of their probabilities where they differ."""
    sure, doubting, other = (np.array([row], np.float32) for row in ([6.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 3.0]))
    task = three()
    chances = np.exp([2.0, 0.0, 1.0])
    np.testing.assert_allclose(score(task, [sure, doubting, other]), [chances / chances.sum()], rtol=1e-6)
    np.testing.assert_array_equal(score(task, [sure, sure]), score(task, [sure]))
    assert score(task, [sure, doubting]).max() > np.mean([score(task, [one]).max() for one in (sure, doubting)])
    log = Regression(
        RegressionConfig(column="y", transform="log"), Regression.fit(RegressionConfig(column="y", transform="log"), ["1", "9"], "t")
    )
    low, high = (np.array([[value]], np.float32) for value in (-1.0, 1.0))
    one, two, both = (float(score(log, members)[0, 0]) for members in ([low], [high], [low, high]))
    assert both + 1 == pytest.approx(((one + 1) * (two + 1)) ** 0.5, rel=1e-4), "numbers are averaged as the transform has them"


def test_rows_without_a_target_take_no_part() -> None:
    logits, truth = drawn(400, 2.0)
    truth[::4] = np.nan
    scores = score(three(), [logits])
    found = calibrate(three(), truth, scores, scores, 0.5)
    assert found is not None
    assert (found.facts["rows"], found.facts["scale"]) == (300, 0.5)


def test_numbers_and_few_rows_have_no_calibration() -> None:
    logits, truth = drawn(60, 1.0)
    scores = score(three(), [logits])
    assert calibrate(three(), truth, scores, scores, 1.0) is None
    config = RegressionConfig(column="y")
    task: Task = Regression(config, Regression.fit(config, ["0", "1", "2"], "t"))
    assert calibrate(task, np.zeros((400, 1)), np.zeros((400, 1)), np.zeros((400, 1)), 1.0) is None
    assert pooled_scale(task, [np.ones((400, 1))], np.zeros((400, 1)), None).metrics["r2"] is None


@pytest.mark.parametrize("rows", [60, 2_000])
def test_what_chance_makes_of_perfect_calibration(rows: int) -> None:
    rng = np.random.default_rng(5)
    sure = rng.uniform(0.4, 1, rows)
    mean, spread = ece_by_chance(sure)
    found = [ece(rng.random(rows) < sure, sure) for _ in range(400)]
    assert mean == pytest.approx(np.mean(found), rel=0.06)
    assert spread == pytest.approx(np.std(found), rel=0.2)
    assert ece_by_chance(np.zeros(0)) == (0.0, 0.0)


def test_a_run_says_how_calibrated_it_was_and_is(shop_run: Path) -> None:
    told = json.loads((shop_run / "metrics.json").read_text(encoding="utf-8"))["validation"]["calibration"]["label"]
    assert set(told) == {"rows", "scale", "before", "after", "chance", "spread"}
    weights = json.loads((shop_run / "bundle" / "bundle.json").read_text(encoding="utf-8"))
    assert told["rows"] == 101 == weights["metrics"]["validation"]["rows"], "19 of 120 rows calibrate"
    assert weights["metrics"]["validation"]["pooled"]["label"]["rows"] == 19
    assert told["after"]["log_loss"] < told["before"]["log_loss"] + 0.05
    drawn = json.loads((shop_run / "report.json").read_text(encoding="utf-8"))["reliability"]["label"]
    assert sum(rows for _, _, rows in drawn["after"]) == 101
