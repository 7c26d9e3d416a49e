"""Tests of the plan that fits training into a time limit: the order of reductions, and that some plan always fits."""

from __future__ import annotations

import pytest

from polymodal.ensemble.plan import LEAST_SECONDS, make_plan, usual_plan
from polymodal.training.config import TrainingConfig

SECONDS = {"": 2.0, "photo": 1.5, "title": 0.5}


def test_with_time_enough_everything_is_done() -> None:
    plan = make_plan(5, 20, True, SECONDS, budget=1e6)
    assert (plan.members, plan.baseline_members, plan.epochs) == (5, 5, 20)


@pytest.mark.parametrize("budget", [1.0, 30.0, 100.0, 200.0, 390.0])
def test_a_plan_fits_its_budget_or_is_the_smallest_there_is(budget: float) -> None:
    plan = make_plan(5, 20, True, SECONDS, budget)
    cost = plan.epochs * (plan.members * SECONDS[""] + plan.baseline_members * 2.0)
    assert cost <= budget or (plan.members, plan.baseline_members, plan.epochs) == (1, 1, 1)


def test_baselines_on_every_fold_give_way_first_then_folds_then_epochs() -> None:
    plans = [make_plan(5, 20, True, SECONDS, budget) for budget in (400, 390, 235, 130, 60)]
    assert [(plan.members, plan.baseline_members) for plan in plans] == [(5, 5), (5, 1), (3, 1), (3, 1), (1, 1)]
    assert [plan.epochs for plan in plans] == sorted((plan.epochs for plan in plans), reverse=True)


@pytest.mark.parametrize(
    ("trees", "budget", "epochs", "seconds_of_trees"),
    [
        (10.0, 100.0, 20, 10.0),  # 4 s an epoch with baselines: all 20 and the trees
        (60.0, 100.0, 10, 60.0),  # half of the epochs beside the trees
        (87.0, 100.0, 10, 60.0),  # the trees give way until half of the epochs fit
        (87.0, 40.0, 8, 8.0),  # but keep a fifth of the time
        (87.0, -1.0, 1, 0.0),
    ],
)
def test_trees_give_way_to_half_of_the_epochs(trees: float, budget: float, epochs: int, seconds_of_trees: float) -> None:
    plan = make_plan(1, 20, True, SECONDS, budget, trees)
    assert (plan.members, plan.epochs, plan.trees) == (1, epochs, pytest.approx(seconds_of_trees))


def test_a_field_that_is_learned_quickly_keeps_time_to_be_started() -> None:
    plan = make_plan(5, 20, True, {"": 2.0, "photo": 1.5, "title": 0.01}, budget=235.0)
    assert plan.reserved(["photo"], 3, pace=0.5) == pytest.approx(3 * 20 * 1.5 * 0.5)
    assert plan.reserved(["title"], 1) == 2 * LEAST_SECONDS > 20 * 0.01
    assert plan.reserved(["photo", "title"], 1) == pytest.approx(20 * 1.5 + 2 * LEAST_SECONDS)
    assert plan.reserved([], 5) == 0


def test_without_a_limit_what_takes_long_is_done_on_fewer_folds_and_all_epochs() -> None:
    small, large = {"photo": 4e6, "title": 1e4}, {"clip": 3e7, "photo": 4e6, "sound": 5e6}
    plans = [usual_plan(5, 30, True, rows, costs) for rows, costs in ((200, small), (1_500, small), (1_500, large), (2_400, large))]
    assert [(plan.members, plan.baseline_members) for plan in plans] == [(5, 5), (3, 1), (1, 1), (1, 1)]
    assert {plan.epochs for plan in plans} == {30}
    assert usual_plan(1, 6, False, 10**6, large).baseline_members == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("0.5m", 30), (7, 7), ("10 min", 600), ("10min", 600), ("10 minutes", 600),
     ("1 hour", 3600), ("600s", 600), ("90 Seconds", 90), ("1h 30m", 5400), ("1 hour and 30 minutes", 5400), ("1.5 hrs", 5400), ("2 days", 172_800),
     ("10分钟", 600), ("1小时30分", 5400)],
)  # fmt: skip
def test_times_are_read_as_people_write_them(text: object, seconds: float) -> None:
    assert TrainingConfig(time_limit=text).time_limit == seconds  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["soon", "10 minutes of time", "m", "1h 30", "-5m", "10 parsecs", "1s" + " " * 200_000 + "x"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a time such as"):
        TrainingConfig(time_limit=text)  # type: ignore[arg-type]
