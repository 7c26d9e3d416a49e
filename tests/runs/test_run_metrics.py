"""The metrics of a run: the plain data of ``metrics.json``, its keys and their order."""

from __future__ import annotations

import dataclasses
import inspect
import re
from typing import Any

import pytest

from polymodal.ensemble.diagnosis import FieldDiagnosis
from polymodal.ensemble.finding import FieldComparison, TargetComparison, UsualMetric
from polymodal.ensemble.metrics import PresentMetrics, ValidationMetrics
from polymodal.ensemble.plan import Plan
from polymodal.evaluation.calibration import Calibration, PooledScale
from polymodal.runs.metrics import BaselineMetrics, MemberMetrics, RowCounts, RunMetrics, Seconds
from polymodal.training.progress import Replay

TASKS: dict[str, dict[str, float | None]] = {"y": {"accuracy": 0.9, "roc_auc": None}}
VALIDATION = ValidationMetrics(20, TASKS)
BEGUN = RunMetrics(
    rows=RowCounts(100, 80, 0, 19, {"y": 1}), validation=VALIDATION, conformal={"y": {"method": "split", "rows": 0, "models": [], "scale": 1.0}},
    plan=Plan(5, 1, 4, {}), seconds=Seconds(1.5), members=[MemberMetrics(3, 4, "all epochs done")], seed=7,
)  # fmt: skip
COMPARED = FieldComparison(0.9, 0.8, 0.1, 0.05, 0.02, 0.98, 20, "McNemar, mid-p")
FIRST = ["rows", "validation", "baselines", "conformal", "plan", "seconds", "members", "seed"]


def test_the_metrics_of_a_run_that_has_not_ended_have_the_first_parts_only() -> None:
    facts = BEGUN.facts()
    assert list(facts) == FIRST
    assert facts == {
        "rows": {"table": 100, "training": 80, "selection": 0, "calibration": 19, "without_target": {"y": 1}},
        "validation": {"rows": 20, "tasks": TASKS},
        "baselines": {},
        "conformal": {"y": {"method": "split", "rows": 0, "models": [], "scale": 1.0}},
        "plan": {"members": 5, "baseline_members": 1, "epochs": 4, "share": {}, "trees": 0.0},
        "seconds": {"fused": 1.5},
        "members": [{"epoch": 3, "epochs": 4, "stopped": "all epochs done"}],
        "seed": 7,
    }
    assert list(facts["rows"]) == ["table", "training", "selection", "calibration", "without_target"]


def test_the_metrics_of_a_run_that_has_ended_have_all_parts_in_their_order() -> None:
    target = TargetComparison("accuracy", "", "title", 0.04, "better than", {"title": COMPARED})
    metrics = dataclasses.replace(
        BEGUN, baselines={"title": BaselineMetrics(VALIDATION, 1, 0.5, TASKS)}, seconds=Seconds(1.5, 2.5), finding="y: ...",
        balance={"title": {"y": FieldDiagnosis("accuracy", 0.5, 0.4, None, 20, None)}}, comparison={"y": target},
        test={"rows": 9, "tasks": TASKS},
    )  # fmt: skip
    facts = metrics.facts()
    assert list(facts) == [*FIRST, "balance", "finding", "comparison", "test"]
    assert facts["seconds"] == {"fused": 1.5, "total": 2.5}
    assert list(facts["baselines"]["title"]) == ["rows", "tasks", "folds", "seconds", "fused"]
    assert facts["balance"] == {
        "title": {"y": {"metric": "accuracy", "vote": 0.5, "constant": 0.4, "alone": None, "rows": 20, "stopped": None}}
    }
    first = ["all", "alone", "difference", "error", "p_better", "p_worse", "rows", "test"]
    assert list(facts["comparison"]["y"]) == ["metric", "why", "best", *first, "p", "verdict", "fields"]
    assert list(facts["comparison"]["y"]["fields"]["title"]) == first


def test_a_baseline_on_all_rows_has_no_metrics_of_the_model_of_all_fields() -> None:
    assert list(BaselineMetrics(VALIDATION, 5, 0.5).facts()) == ["rows", "tasks", "folds", "seconds"]


def test_parts_of_the_validation_that_were_not_computed_are_not_written() -> None:
    calibration = Calibration({"rows": 20}, {})
    whole = ValidationMetrics(
        20, TASKS, hidden={"title": TASKS}, present=[PresentMetrics(["title"], TASKS)], shapley={}, calibration={"y": calibration},
        pooled={"y": PooledScale(1.2, 19, TASKS["y"], TASKS["y"])},
    )  # fmt: skip
    assert list(VALIDATION.facts()) == ["rows", "tasks"]
    assert list(dataclasses.replace(VALIDATION, calibration={}, pooled={}).facts()) == ["rows", "tasks", "calibration", "pooled"]
    facts = whole.facts()
    assert list(facts) == ["rows", "tasks", "hidden", "present", "shapley", "calibration", "pooled"]
    assert facts["present"] == [{"fields": ["title"], "tasks": TASKS}]
    assert facts["calibration"] == {"y": {"rows": 20}}
    assert list(facts["pooled"]["y"]) == ["rows", "scale", "metrics", "single", "calibration"]


def test_the_usual_metric_stands_beside_another_that_judges() -> None:
    compared = dataclasses.replace(COMPARED, beside=UsualMetric("accuracy", 0.9, None))
    assert compared.facts()["beside"] == {"metric": "accuracy", "all": 0.9, "alone": None}
    assert list(compared.facts())[-1] == "beside"
    assert "beside" not in COMPARED.facts()


def test_decisions_of_a_training_are_recorded_and_repeated() -> None:
    recorded: list[dict[str, Any]] = []
    replay = Replay.of(None, lambda one: recorded.append(one.facts()))
    assert (replay.stop, replay.parts) == (None, {})
    replay.stop, replay.parts[3] = 7, 2
    replay.decided(replay)
    assert recorded == [{"stop": 7, "parts": [[3, 2]]}]
    again = Replay.of(recorded[0], replay.decided)
    assert (again.stop, again.parts) == (7, {3: 2})


CLASSES: list[type[Any]] = [
    BaselineMetrics, FieldComparison, FieldDiagnosis, MemberMetrics, PresentMetrics, RowCounts, RunMetrics, Seconds, TargetComparison,
    UsualMetric, ValidationMetrics,
]  # fmt: skip


@pytest.mark.parametrize("kind", CLASSES, ids=[kind.__name__ for kind in CLASSES])
def test_every_metric_is_frozen_and_documented(kind: type[Any]) -> None:
    names = [field.name for field in dataclasses.fields(kind)]
    assert re.findall(r"^:param (\w+):", inspect.getdoc(kind) or "", re.M) == names
    assert kind.__dataclass_params__.frozen
