"""Tests of paired differences with known truth: level and power of the verdict, possible intervals, and every judging metric."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from builders.comparisons import judged_from
from builders.tasks import binary, regression
from polymodal.comparison.sentences import Wording
from polymodal.comparison.verdict import verdict
from polymodal.evaluation.paired import Difference, against, chosen, paired
from polymodal.language import Words
from polymodal.pages import why_left_out
from polymodal.tasks.metrics import CLASS_METRICS, NUMBER_METRICS

METRICS = {metric.name: metric for metric in (*CLASS_METRICS, *NUMBER_METRICS)}
T_4 = 2.776  # the 97.5 % point of Student's t with 4 degrees of freedom


def rounds_of(
    rng: np.random.Generator, rounds: int, rows: int, effects: list[float], training: float, shared: float = 0.0, share: float = 0.5
) -> tuple[list[list[np.ndarray]], list[np.ndarray]]:
    """Right answers (0 or 1) of models of a true accuracy of 80 % plus their ``effects``: rows are hard for all alike (``share`` of the
    latent variance), and training moves the accuracy of each model in each round by a standard deviation of ``training``, of whose
    variance a part, ``shared``, is the same in all rounds, as training rows overlap."""
    hard = [rng.normal(size=rows // rounds) for _ in range(rounds)]
    found = []
    for effect in effects:
        moved = training * (shared**0.5 * rng.normal() + (1 - shared) ** 0.5 * rng.normal(size=rounds))
        found.append([
            (share**0.5 * row + (1 - share) ** 0.5 * rng.normal(size=len(row)) < 0.8416 + (effect + move) / 0.28).astype(float)
            for row, move in zip(hard, moved, strict=True)
        ])  # fmt: skip
    return found, [np.arange(len(row)) + at * len(row) for at, row in enumerate(hard)]


@pytest.mark.parametrize(("rounds", "rows"), [(3, 600), (5, 2_000), (10, 1_000)])
@pytest.mark.parametrize("training", [0.0, 0.01, 0.04])
def test_a_true_null_is_seldom_called_a_difference(rounds: int, rows: int, training: float) -> None:
    """At most 2.5 % each way, here of 150 and with the room that chance needs: P(8 or more of 150 at 2.5 %) is 4 %."""
    rng = np.random.default_rng(rounds)
    said = {"helps": 0, "harms": 0, "no difference": 0, "undecided": 0}
    for seed in range(150):
        (first, second), clusters = rounds_of(rng, rounds, rows, [0.0, 0.0], training, 1 / rounds)
        said[verdict(paired(first, second, clusters, seed, bounds=(0, 1)))] += 1
    assert said["helps"] <= 7
    assert said["harms"] <= 7


@pytest.mark.parametrize("training", [0.0, 0.005, 0.015])
def test_two_points_are_detected_more_often_than_by_the_corrected_t_test(training: float) -> None:
    rng = np.random.default_rng(1)
    ours = corrected = 0
    for seed in range(150):
        (first, second), clusters = rounds_of(rng, 5, 4_000, [0.02, 0.0], training)
        each = np.array([one.mean() - other.mean() for one, other in zip(first, second, strict=True)])
        ours += paired(first, second, clusters, seed, bounds=(0, 1)).low > 0
        corrected += each.mean() > T_4 * (each.var(ddof=1) * (1 / 5 + 1 / 4)) ** 0.5
    assert ours >= corrected
    assert training > 0 or ours >= 45, "about 34 %, the corrected test 26 %"


def test_the_choice_among_equal_contenders_is_no_gain() -> None:
    """Six equal fusions and two equal single fields, of which the rows that choose see the luck of training that the measured rows see."""
    rng = np.random.default_rng(2)
    helps = 0
    for seed in range(60):
        found, clusters = rounds_of(rng, 5, 1_000, [0.0] * 8, 0.03)
        names = [f"{at}" for at in range(8)]
        every = dict(zip(names, found, strict=True))
        worth = {name: [float(part.mean()) + rng.normal(0, 0.01) for part in of] for name, of in every.items()}  # far too well chosen
        first, second = ({name: every[name] for name in some} for some in (names[:6], names[6:]))
        helps += chosen(first, second, worth, clusters, seed, bounds=(0, 1)).low > 0
    assert helps <= 4


def test_rows_of_one_cluster_and_few_clusters_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    wrong = 0
    for seed in range(150):
        moved = np.repeat(rng.choice([1.0, 0.0, -1.0], (5, 8), p=[0.3, 0.4, 0.3]), 10, axis=1)
        found = paired(list(moved), [np.zeros(80)] * 5, [np.repeat(np.arange(8), 10) + 8 * at for at in range(5)], seed)
        wrong += not found.low <= 0 <= found.high
    assert wrong <= 10


def test_rounds_that_measure_the_same_rows_do_not_count_them_twice() -> None:
    """Models that answer alike in every round: five rounds on the same rows tell as much as those rows."""
    rng = np.random.default_rng(4)
    gain = rng.choice([1.0, 0.0, -1.0], 400, p=[0.15, 0.75, 0.1])
    found = paired([gain] * 5, [np.zeros(400)] * 5, [np.arange(400)] * 5)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * gain.std() / 20, rel=0.06)


def test_an_interval_stays_within_what_is_possible() -> None:
    """Three rounds of few rows, whose interval would leave it."""
    rng = np.random.default_rng(5)
    first = [np.ones(6), np.ones(6), np.zeros(6)]
    second = [np.zeros(6), np.ones(6), np.ones(6)]
    rows = [np.arange(6) + 6 * at for at in range(3)]
    free, found = paired(first, second, rows), paired(first, second, rows, bounds=(0, 1))
    assert free.low < -1
    assert (found.low, found.high) == (pytest.approx(-2 / 3 - 2 / 18), pytest.approx(2 / 3 + 2 / 18)), "both means stay within 0 and 1"
    good = [(rng.random(10) < 0.95).astype(float) for _ in range(3)]
    alone = [(rng.random(10) < 0.9).astype(float) for _ in range(3)]
    here = paired(good, alone, [np.arange(10) + 10 * at for at in range(3)], bounds=(0, 1))
    middle = (np.mean(good) + np.mean(alone)) / 2
    assert here.high <= 2 * (1 - middle + 1 / 30)
    errors = [rng.random(8) for _ in range(6)]
    turned = paired([-one for one in errors[:3]], [-one for one in errors[3:]], [np.arange(8) + 8 * at for at in range(3)],
                    bounds=(-np.inf, 0.0))  # fmt: skip
    assert max(-turned.low, turned.high) <= np.mean(errors[:3]) + np.mean(errors[3:]) + 1e-9, "an error is never below 0"


def test_equal_answers_rule_out_little_on_few_rows() -> None:
    same = [np.ones(20)] * 3
    few = paired(same, same, [np.arange(20) + 20 * at for at in range(3)], bounds=(0, 1))
    assert few.mean == 0
    assert verdict(few) == "undecided"
    many = [np.ones(2_000)] * 3
    assert verdict(paired(many, many, [np.arange(2_000) + 2_000 * at for at in range(3)], bounds=(0, 1))) == "no difference"
    assert against({"a": [np.ones(5)]}, [np.zeros(5)], [np.zeros(5)], retrained=False)["a"] == Difference(1.0, -np.inf, np.inf), (
        "one cluster is no sample"
    )


# -- any metric is the judge ---------------------------------------------------------------------------------------------


def unbalanced() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Six per cent of the rows are positive; one field orders them at an AUC of about .81, both together at about .90."""
    rng = np.random.default_rng(6)
    target = (rng.random((5, 1_000)) < 0.06).astype(float)
    one, two = rng.normal(1.24 * target, 1), rng.normal(1.24 * target, 1)
    return target, 1 / (1 + np.exp(12 - one)), 1 / (1 + np.exp(12 - one - two))  # none is called positive


def test_where_positives_are_rare_the_area_under_the_curve_judges() -> None:
    target, alone, fused = unbalanced()
    found = judged_from(alone, fused, binary(["a"] * 94 + ["b"] * 6), target)["targets"]["label"]
    assert found["metric"] == "roc_auc"
    assert found["verdict"] == "helps"
    assert found["contenders"]["concat"]["mean"] - found["contenders"]["only say"]["mean"] == pytest.approx(0.09, abs=0.03)
    assert 0.04 < found["difference"]["low"] < found["difference"]["high"] < 0.15
    assert found["beside"]["metric"] == "accuracy"
    assert found["beside"]["difference"]["mean"] == 0, "by accuracy there is nothing to see"
    assert found["learned"]
    assert "Judged by roc_auc, since 6 % of the rows are of the rarer class; accuracy beside it: concat 94" in found["sentence"]
    said = judged_from(alone, fused, binary(["a"] * 94 + ["b"] * 6, metric="accuracy"), target)["targets"]["label"]
    assert (said["metric"], said["beside"], said["verdict"]) == ("accuracy", None, "no difference")


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "log_loss"])
def test_the_metric_that_was_set_judges(metric: str) -> None:
    target, alone, fused = unbalanced()
    cut = [1 / (1 + np.exp(-(np.log(one / (1 - one)) + 11))) for one in (alone, fused)]  # so that some rows are called positive
    settings: Any = {"metric": metric}
    task = binary(["a"] * 94 + ["b"] * 6, **settings)
    found = judged_from(cut[0], cut[1], task, target)["targets"]["label"]
    assert found["metric"] == metric
    means = [found["contenders"][name]["mean"] for name in ("concat", "only say")]
    for mean, scores in zip(means, reversed(cut), strict=True):
        each = [task.measure(target[at][:, None], np.stack([1 - scores[at], scores[at]], 1))[0][metric] for at in range(5)]
        assert mean == pytest.approx(np.mean([one for one in each if one is not None]))
    assert found["difference"]["mean"] == pytest.approx(task.sign(metric) * (means[0] - means[1]))
    if metric in ("balanced_accuracy", "roc_auc", "average_precision"):
        assert found["verdict"] == "helps"


def test_a_smaller_error_helps_and_is_told_in_its_unit() -> None:
    rng = np.random.default_rng(7)
    target = rng.normal(0, 10, (5, 200))
    alone, fused = target + rng.normal(0, 4, (5, 200)), target + rng.normal(0, 2, (5, 200))
    task = regression(list(target.ravel()), metric="mae", unit="kg")
    encoded = np.stack([task.encode(value)[0] for value in target.ravel()]).reshape(target.shape)
    found = judged_from(alone, fused, task, encoded)["targets"]["label"]
    assert (found["metric"], found["verdict"]) == ("mae", "helps")
    assert found["difference"]["mean"] == pytest.approx(2 * 0.798, abs=0.2), "a gain is above 0"
    assert found["contenders"]["concat"]["mean"] == pytest.approx(2 * 0.798, abs=0.1)
    assert "fusing helps here, by +1." in found["sentence"]
    assert " kg (mae of the fusion and the single field that were chosen on the selection rows: concat 1." in found["sentence"]
    assert "less mae is better" in found["sentence"]
    turned = judged_from(fused, alone, task, encoded)
    assert turned["targets"]["label"]["verdict"] == "harms"
    assert turned["best"] == "only say"


def test_two_rounds_are_undecided() -> None:
    good, poor = np.full((2, 200), 0.9), np.full((2, 200), 0.1)
    found = judged_from(poor, good)["targets"]["label"]
    assert found["verdict"] == "undecided"
    assert found["difference"]["low"] == -np.inf
    assert "no interval, which takes 3 rounds or more" in found["sentence"]


def test_a_round_in_which_a_metric_is_undefined_is_left_out_of_it() -> None:
    target, alone, fused = unbalanced()
    target[2] = 0
    found = judged_from(alone, fused, binary(["a"] * 94 + ["b"] * 6), target)["targets"]["label"]
    assert (found["metric"], found["rounds"], len(found["contenders"]["concat"]["rounds"])) == ("roc_auc", 4, 4)
    target[:] = 0
    found = judged_from(alone, fused, binary(["a"] * 94 + ["b"] * 6), target)["targets"]["label"]
    assert (found["metric"], found["why"]) == ("accuracy", ""), "where no round has a positive row, the usual metric is left"


def test_figures_are_written_in_the_unit_of_the_metric() -> None:
    assert (Wording(METRICS["accuracy"]).value(0.9), Wording(METRICS["accuracy"]).amount(0.02)) == ("90.0 %", "+2.0 points")
    assert (Wording(METRICS["roc_auc"]).value(0.9), Wording(METRICS["roc_auc"]).amount(-0.02)) == ("0.900", "-0.020")
    assert (Wording(METRICS["rmse"], "€").value(1234.5), Wording(METRICS["rmse"], "€").change(12.34)) == ("1234 €", "+12.34")


def test_scores_of_the_search_stand_beside_those_of_the_same_stage_only() -> None:
    words = Words("en")
    said = why_left_out(words, {"search_scores": {"y": 0.71}, "search_best": {"y": 0.8}, "search_rows": 1_000})
    assert said.startswith("left out after the search (y: 0.7100, the best of the same stage 0.8000). It was trained on 1,000 rows")
    assert "cannot be compared with those of the rounds" in said
    assert "no score is defined" in why_left_out(words, {"search_scores": {}, "search_best": {}, "search_rows": 10})
