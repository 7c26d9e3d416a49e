"""Tests of the finding of a run: a paired test on the same rows, for every target, by its judging metric."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import polymodal as pm
from builders.tasks import binary, multilabel, regression
from polymodal.ensemble.clusters import clusters_of
from polymodal.ensemble.finding import finding
from polymodal.evaluation.advantage import advantage, mid_p, t_above


def measured(scores: dict[str, np.ndarray], targets: dict[str, np.ndarray], rows: np.ndarray | None = None) -> Any:
    """Scores (N,) of the positive class, or answers, and targets (N,) by task; of ``rows``, else of all."""
    some = np.arange(len(next(iter(targets.values())))) if rows is None else rows
    wide = {name: np.stack([1 - one, one], 1) if name.startswith("y") else one[:, None] for name, one in scores.items()}
    return SimpleNamespace(
        rows=some, scores={name: one[some] for name, one in wide.items()}, targets={name: one[some, None] for name, one in targets.items()}
    )


def prepared(tasks: dict[str, Any], rows: int, group: np.ndarray | None = None) -> Any:
    """As much of what was prepared as a finding needs: one table, whose rows share the cells that ``group`` numbers."""
    index = np.arange(rows) if group is None else group
    store = SimpleNamespace(
        modalities={"x": SimpleNamespace(cost=lambda: 1.0)}, sharing=lambda name: len(index) / len(np.unique(index)), index={"x": index}
    )
    table = SimpleNamespace(usable_N=np.ones(rows, bool), store=store)
    experiment = SimpleNamespace(data=SimpleNamespace(split=SimpleNamespace(group=None)))
    return SimpleNamespace(tasks=tasks, valid=table, train=table, experiment=experiment, unit_N=None)


def said(right: np.ndarray, *alone: np.ndarray) -> str:
    """The finding of models that answer these rows rightly (1) or not (0)."""
    targets = {"y": np.ones(len(right))}
    whole = measured({"y": right.astype(float)}, targets)
    fields = {f"field {at}": measured({"y": one.astype(float)}, targets) for at, one in enumerate(alone)}
    text, _ = finding(prepared({"y": binary(["a", "b"])}, len(right)), whole, fields)
    return text


def pair(rng: np.random.Generator, rows: int, gain: float, discordant: float = 0.19) -> list[np.ndarray]:
    """Right answers of two models, the first of which is better by ``gain``; they differ on a share of the rows."""
    kind = rng.choice(3, rows, p=[(discordant + gain) / 2, (discordant - gain) / 2, 1 - discordant])
    both = rng.random(rows) < 0.8
    return [np.where(kind == 0, True, np.where(kind == 1, False, both)), np.where(kind == 0, False, np.where(kind == 1, True, both))]


def test_p_values_are_those_of_the_tables() -> None:
    assert mid_p(5, 0) == pytest.approx(1 / 64)
    assert mid_p(8, 2) == pytest.approx((45 / 2 + 10 + 1) / 1024)
    assert mid_p(0, 0) == pytest.approx(0.5)
    assert mid_p(600, 500) == pytest.approx(0.00129, rel=0.02)
    for freedom, point in ((1, 12.706), (2, 4.303), (4, 2.776), (10, 2.228), (30, 2.042), (5_000, 1.960)):
        assert t_above(point, freedom) == pytest.approx(0.025, rel=2e-3)
        assert t_above(-point, freedom) == pytest.approx(0.975, rel=2e-3)
    assert t_above(0, 3) == pytest.approx(0.5)


def test_four_points_on_500_rows_are_detected_as_often_as_by_mcnemar() -> None:
    """McNemar's test has a power of 54 % here; two variances that are added as if rows were not paired, 16 %."""
    rng = np.random.default_rng(0)
    ours = mcnemar = 0
    for _ in range(200):
        whole, alone = pair(rng, 500, 0.04)
        wins, losses = int((whole & ~alone).sum()), int((alone & ~whole).sum())
        mcnemar += (wins - losses) / (wins + losses) ** 0.5 > 1.96
        ours += "better than" in said(whole, alone)
    assert abs(ours - mcnemar) <= 4
    assert 90 <= ours <= 126


@pytest.mark.parametrize("rows", [40, 150, 600])
def test_a_true_null_is_seldom_called_better_or_worse(rows: int) -> None:
    """Of one single field, and of four as good as the whole, of which the best was chosen on the same rows. At most 2.5 % each."""
    rng = np.random.default_rng(rows)
    for fields in (1, 4):
        better = worse = 0
        for _ in range(150):
            hard = rng.normal(size=rows)
            right = [0.7 * hard + 0.7 * rng.normal(size=rows) < 0.8 for _ in range(fields + 1)]
            text = said(right[0], *right[1:])
            better, worse = better + ("better than" in text), worse + ("worse than" in text)
        assert better <= 8
        assert worse <= 8


@pytest.mark.parametrize("metric", ["roc_auc", "average_precision", "log_loss", "macro_f1"])
def test_other_metrics_keep_their_level_on_few_rows_of_a_rare_class(metric: str) -> None:
    rng = np.random.default_rng(0)
    task: Any = binary(["a"] * 9 + ["b"], metric=metric)
    said = {1: 0, -1: 0}
    for _ in range(200):
        target = (rng.random(300) < 0.15).astype(float)
        latent = 1.2 * target + 0.7 * rng.normal(size=300)
        row_values = [task.row_values(target[:, None], np.stack([1 - one, one], 1), metric)
                   for one in (1 / (1 + np.exp(0.6 - latent - 0.7 * rng.normal(size=300))) for _ in range(2))]  # fmt: skip
        found = advantage(row_values[0], row_values[1], np.arange(300), unit=metric != "log_loss")
        said[1] += found.better <= 0.025
        said[-1] += found.worse <= 0.025
    assert max(said.values()) <= 9, "of 200, 5 are expected at the level of 2.5 %"


def test_numbers_may_be_within_noise_too() -> None:
    """Forty rows, 1.0000 against 1.0001 of rmse."""
    rng = np.random.default_rng(2)
    truth, noise = rng.normal(size=40), rng.normal(size=40)
    task = regression([float(value) for value in truth], metric="rmse")
    target = {"z": np.array([task.encode(float(value))[0] for value in truth])}

    def of(*answers: np.ndarray) -> tuple[str, dict[str, Any]]:
        whole, *alone = (measured({"z": one}, target) for one in answers)
        return finding(prepared({"z": task}, 40), whole, {f"f{at}": one for at, one in enumerate(alone)})

    text, facts = of(truth + noise, truth + noise * 1.0001 + rng.normal(0, 0.01, 40))
    assert "within noise of the best single field, 'f0'" in text
    text, facts = of(truth + 0.3 * noise, truth + noise)
    assert text.startswith("z: all fields rmse 0.")
    assert "better than" in text
    assert facts["z"].fields["f0"].difference < 0, "in the unit of the metric: less"
    assert "worse than" in of(truth + noise, truth + 0.3 * noise)[0]
    assert "better than" not in of(truth + 0.3 * noise, truth + noise, truth + 0.3 * noise + 1e-3)[0], "better than every single field"


def test_every_target_has_its_sentence_by_its_own_metric_on_its_own_rows() -> None:
    rng = np.random.default_rng(3)
    target = {"y": (rng.random(400) < 0.1).astype(float), "z": rng.normal(size=400), "y2": np.full(400, np.nan)}
    target["z"][::2] = np.nan
    good = {"y": 1 / (1 + np.exp(-3 * target["y"] + 6 + rng.normal(size=400))), "z": np.nan_to_num(target["z"]) + 0.1, "y2": np.ones(400)}
    poor = {"y": rng.random(400) * 0.1, "z": rng.normal(size=400), "y2": np.ones(400)}
    tasks = {"y": binary(["a"] * 9 + ["b"]), "z": regression([0.0, 1.0]), "y2": binary(["a", "b"])}
    tasks["z"].state.update(mean=0.0, std=1.0)
    text, compared = finding(prepared(tasks, 400), measured(good, target), {"one": measured(poor, target)}, ["two"])
    lines = text.split("\n")
    assert [line[:2] for line in lines] == ["y:", "z:"]
    assert lines[0].startswith("y: all fields roc_auc 0.9")
    assert "(accuracy 0.9125), better than the best single field, 'one'" in lines[0]
    assert lines[0].endswith("on the same 400 held-out rows; judged by roc_auc, since 10 % of the rows are of the rarer class")
    assert "z: all fields r2 0.9" in lines[1]
    assert "on the same 200 held-out rows; 'two' alone was not tried, for want of time" in lines[1]
    assert compared["z"].fields["one"].rows == 200
    assert compared["y"].verdict == "better than"
    facts = compared["y"].facts()
    assert list(facts) == ["metric", "why", "best", *compared["y"].fields["one"].facts(), "p", "verdict", "fields", "why_facts"]
    assert facts["beside"] == {"metric": "accuracy", "all": 0.9125, "alone": facts["fields"]["one"]["beside"]["alone"]}
    assert "beside" not in compared["z"].facts()
    assert finding(prepared(tasks, 400), measured(good, target), {}) == ("", {})


def test_a_field_that_was_measured_on_some_of_the_rows_is_compared_on_those() -> None:
    rng = np.random.default_rng(4)
    whole, alone = pair(rng, 600, 0.1)
    targets = {"y": np.ones(600)}
    some = rng.permutation(600)[:200]
    tasks = {"y": binary(["a", "b"])}
    _, compared = finding(prepared(tasks, 600), measured({"y": whole.astype(float)}, targets),
                       {"x": measured({"y": alone.astype(float)}, targets, some)})  # fmt: skip
    facts = compared["y"].facts()
    assert facts["rows"] == 200
    assert facts["all"] == pytest.approx(whole[some].mean())
    assert facts["alone"] == pytest.approx(alone[some].mean())
    assert facts["test"] == "McNemar, mid-p"


def test_rows_that_share_a_costly_cell_count_as_one_draw() -> None:
    """Twenty pictures of thirty rows each, alike within: 600 rows, but no evidence of 600."""
    group = np.repeat(np.arange(20), 30)
    whole, alone = np.repeat(np.arange(20) < 14, 30), np.repeat(np.arange(20) < 12, 30)
    targets, tasks = {"y": np.ones(600)}, {"y": binary(["a", "b"])}
    sides = [measured({"y": one.astype(float)}, targets) for one in (whole, alone)]
    assert finding(prepared(tasks, 600), sides[0], {"x": sides[1]})[1]["y"].verdict == "better than"
    together = prepared(tasks, 600, group)
    assert len(np.unique(clusters_of(together, together.valid))) == 20
    compared = finding(together, sides[0], {"x": sides[1]})[1]["y"]
    assert compared.verdict == "within noise of"
    assert compared.fields["x"].test == "paired t over clusters"


def test_one_cluster_equal_answers_and_labels_are_no_evidence() -> None:
    one = np.array([1.0, 0.0, 1.0])
    assert advantage(one, 1 - one, np.zeros(3)).better == 0.5
    assert advantage(one, one, np.arange(3)).better == pytest.approx(0.5)
    alike = advantage(one * 0.3, one * 0.3, np.arange(3))
    assert (alike.error, alike.better, alike.worse) == (0, 0.5, 0.5)
    assert math.isinf(advantage(one, one, np.zeros(3)).error)
    task = multilabel(["a;b", "c"])
    targets = np.array([[1.0, 0, 0], [0, 1, 1], [0, 0, 1]])
    row_values = task.row_values(targets, targets)
    assert row_values is not None
    assert row_values.tolist() == [1, 1, 1]


def test_a_run_tells_its_finding_of_every_target() -> None:
    rng = np.random.default_rng(5)
    one, two = rng.integers(0, 2, 120), rng.normal(size=120)
    rows = {"text": [("red thing", "blue thing")[at] for at in one], "size": two.tolist(), "y": ["ab"[at] for at in one],
            "z": (one + two).tolist()}  # fmt: skip
    settings = ("training.epochs=2", "model.width=8", "data.split.kind=random")
    model = pm.train(rows, *settings, target=["y", "z"], columns={"text": "text"})
    first, second = model.metrics["finding"].split("\n")
    assert first.startswith("y: all fields accuracy")
    assert second.startswith("z: all fields r2")
    assert set(model.metrics["comparison"]) == {"y", "z"}
    found = model.metrics["comparison"]["z"]
    assert found["all"] == pytest.approx(model.metrics["validation"]["tasks"]["z"]["r2"])
    assert set(found["fields"]) == set(model.metrics["baselines"])
