"""The plan that fits training into a time: what gives way, and that something always fits."""

from __future__ import annotations

import pytest

from polymodal.training.config import TrainingConfig
from polymodal.training.plan import make_plan

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


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("0.5m", 30), (7, 7)])
def test_times_are_read_as_people_write_them(text: object, seconds: float) -> None:
    assert TrainingConfig(time_limit=text).time_limit == seconds  # type: ignore[arg-type]


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a time such as"):
        TrainingConfig(time_limit="soon")  # type: ignore[arg-type]
