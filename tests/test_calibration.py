"""Whether probabilities are as often right as they say, measured on rows that they were not fitted on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from polymodal.evaluation.calibration import calibrate
from polymodal.evaluation.measure import score
from polymodal.flow import FUSED
from polymodal.tasks import RULES, Multiclass, MulticlassConfig, Regression, RegressionConfig, Task
from polymodal.tasks.metrics import ece, ece_by_chance


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


@pytest.mark.parametrize(("rule", "sharper"), [("weighed", 3.0), ("weighed", 0.4), ("mean", 3.0), ("learned", 3.0)])
def test_scaling_mends_what_is_too_sure_or_not_sure_enough(rule: str, sharper: float) -> None:
    logits, truth = drawn(2_000, sharper)
    made, task, there = RULES[rule](3), three(), {"x": np.ones(len(truth), bool), "z": np.ones(len(truth), bool)}
    votes = {FUSED: logits, "x": logits} if made.fused else {"x": logits, "z": logits}
    weights = np.array(made.fit(task, list(votes.values()), truth, [there[name] for name in votes if name != FUSED]))
    found = calibrate(made, task, votes, there, truth, weights, 0)
    assert found is not None
    facts = found.facts
    assert facts["rows"] == 2_000
    assert facts["scale"] == pytest.approx(1 / sharper, rel=0.1)
    assert facts["before"]["ece"] > 0.1 > 0.04 > facts["after"]["ece"]
    assert facts["after"]["log_loss"] < facts["before"]["log_loss"]
    assert abs(facts["after"]["ece"] - facts["chance"]) < 3 * facts["spread"] + 0.005
    assert sum(rows for _, _, rows in found.curves["after"]) == 2_000 == sum(rows for _, _, rows in found.curves["before"])


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


def test_rows_without_a_target_or_a_field_take_no_part_where_they_cannot() -> None:
    logits, truth = drawn(400, 2.0)
    truth[::4] = np.nan
    there = np.arange(400) % 5 > 0
    rule, task = RULES["weighed"](3), three()
    found = calibrate(rule, task, {FUSED: logits, "x": logits}, {"x": there}, truth, np.array([0.4, 0.1]), 0)
    assert found is not None
    assert found.facts["rows"] == 300
    assert found.facts["scale"] == pytest.approx(0.5)


def test_numbers_and_few_rows_have_no_calibration() -> None:
    logits, truth = drawn(60, 1.0)
    one, there, weights = RULES["weighed"](3), {"x": np.ones(60, bool)}, np.array([1.0])
    assert calibrate(one, three(), {FUSED: logits}, there, truth, weights, 0) is None
    config = RegressionConfig(column="y")
    task: Task = Regression(config, Regression.fit(config, ["0", "1", "2"], "t"))
    many = {"x": np.ones(400, bool)}
    assert calibrate(RULES["weighed"](1), task, {FUSED: np.zeros((400, 1))}, many, np.zeros((400, 1)), weights, 0) is None


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
    assert told["rows"] == 120 == weights["metrics"]["validation"]["rows"]
    assert told["after"]["log_loss"] < told["before"]["log_loss"] + 0.05
    drawn = json.loads((shop_run / "report.json").read_text(encoding="utf-8"))["reliability"]["label"]
    assert sum(rows for _, _, rows in drawn["after"]) == 120
