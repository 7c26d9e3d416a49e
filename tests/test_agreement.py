"""What the mean of several members is worth beyond one of them, from how far two agree."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polymodal as pm
from conftest import write_csv
from polymodal.evaluation.agreement import ALONE, agreement, carried
from polymodal.evaluation.conformal import bound, kept_errors
from polymodal.evaluation.measure import score
from polymodal.tasks import RULES, BinaryConfig, MulticlassConfig, MultilabelConfig, RegressionConfig, Task
from polymodal.tasks.metrics import ece

MEMBERS = 5


def task_of(kind: str, outputs: int = 4) -> Task:
    every: dict[str, tuple[Any, list[Any]]] = {
        "binary": (BinaryConfig(column="y"), ["no", "yes"]),
        "multiclass": (MulticlassConfig(column="y"), list("abcdefghijklmnop"[: max(outputs, 2)])),
        "multilabel": (MultilabelConfig(column="y"), ["a;b", "b"]),
        "regression": (RegressionConfig(column="y"), [f"{value}" for value in np.random.default_rng(0).normal(size=400)]),
    }
    config, cells = every[kind]
    return config.task()(config, config.task().fit(config, cells, "t"))


def said(rows: int, outputs: int, noise: float, seed: int, spread: float = 2.0, prior: float = 0.0) -> tuple[list[np.ndarray], np.ndarray]:
    """Logits of members that each add noise of their own to what the truth is drawn by, scaled as one of them wants; and the truth (N, 1).
    The last class is more likely than others by ``prior``."""
    rng = np.random.default_rng(seed)
    own = rng.normal(0, spread, (rows, outputs))
    own[:, -1] += prior
    if outputs == 1:
        truth = (rng.random((rows, 1)) < 1 / (1 + np.exp(-own))).astype(np.float32)
    else:
        chances = np.exp(own) / np.exp(own).sum(1, keepdims=True)
        truth = (rng.random((rows, 1)) > chances.cumsum(1)).sum(1, keepdims=True).astype(np.float32)
    members = [own + rng.normal(0, noise, own.shape) for _ in range(MEMBERS)]
    scale = RULES["weighed"](outputs).fit(task_of("binary" if outputs == 1 else "multiclass", outputs), [members[0]], truth, [])[0]
    return [scale * one for one in members], truth


@pytest.mark.parametrize(("kind", "outputs"), [("binary", 1), ("multiclass", 4)])
def test_two_members_tell_what_the_mean_of_five_wants(kind: str, outputs: int) -> None:
    members, truth = said(40_000, outputs, 0.7, 0)
    task = task_of(kind)
    found = agreement(task, [members[0][:300]], [members[1][:300]], truth[:300], MEMBERS)
    exact = np.mean(np.mean(members, 0) ** 2) / np.mean(members[0] ** 2)
    assert found.rows == 300
    assert found.share == pytest.approx(exact, abs=0.05)
    assert found.share == pytest.approx(1 / MEMBERS + (1 - 1 / MEMBERS) * (found.correlation or 0))
    errors = {}
    for name, scale in (("one", 0.0), ("mean", 1.0), ("scaled", 1 / found.share)):
        scores = score(task, [members[0]] if not scale else [scale * one for one in members])
        errors[name] = ece(scores.argmax(1) == truth[:, 0], scores.max(1))
    assert errors["scaled"] < 0.6 * errors["mean"]


@pytest.mark.parametrize(("kind", "outputs"), [("binary", 1), ("multiclass", 4)])
@pytest.mark.parametrize(("spread", "prior"), [(0.0, -1.0), (0.7, -2.0), (1.0, -3.0), (1.0, 3.0)])
def test_rare_classes_stay_as_rare(kind: str, outputs: int, spread: float, prior: float) -> None:
    """Weights multiply what is said of a rare class as such too: where members know little beside it, the mean wants little more."""
    members, truth = said(40_000, outputs, 0.8, 3, spread, prior)
    task = task_of(kind)
    share = agreement(task, [members[0][:300]], [members[1][:300]], truth[:300], MEMBERS).share
    losses, shares = [], []
    for scale in (1.0, 1 / share):
        scores = score(task, [scale * one for one in members]).astype(np.float64)
        losses.append(-np.log(scores[np.arange(len(truth)), truth[:, 0].astype(int)]).mean())
        shares.append(scores[:, -1].mean())
    assert losses[1] < losses[0] + 0.005, (share, losses, shares)
    rare = float((truth == scores.shape[1] - 1).mean())
    assert abs(shares[1] - rare) < abs(shares[0] - rare) + 0.01, (rare, shares)


def test_rows_alike_have_errors_alike() -> None:
    """Two answers only, so that quantiles take few values."""
    task = task_of("binary")
    one = np.tile([[1.0], [-2.0]], (100, 1))
    told = agreement(task, [one], [one + np.tile([[1.0], [1.0], [-1.0], [-1.0]], (50, 1))], np.zeros((200, 1)), 5)
    errors = np.array([0.1, 0.3, 0.3, 0.7, 0.9])
    moved = carried(task, errors, told)
    assert moved[1] == moved[2]
    assert ((moved > 0) & (moved < 1)).all()
    same = agreement(task, [np.ones((200, 1))], [np.ones((200, 1))], np.zeros((200, 1)), 5)
    np.testing.assert_allclose(carried(task, errors, same), errors, atol=1e-9)


@pytest.mark.parametrize(
    ("kind", "outputs", "noise", "spread"),
    [("binary", 1, 0.7, 2.0), ("multiclass", 4, 0.7, 2.0), ("regression", 1, 0.0, 0.0)],
)
@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_sets_of_the_mean_hold_what_was_asked(kind: str, outputs: int, noise: float, spread: float, coverage: float) -> None:
    """By the errors of single members, which as they are hold more."""
    task = task_of(kind, outputs)
    members, truth = said(30_000, outputs, noise, 1, spread)
    if kind == "regression":
        truth = np.random.default_rng(2).normal(size=(30_000, 1)).astype(np.float32)
        members = [truth + np.random.default_rng([3, at]).normal(0, 1, truth.shape) for at in range(MEMBERS)]
    known, rest = slice(0, 5_000), slice(5_000, None)
    told = agreement(task, [members[0][known]], [members[1][known]], truth[known], MEMBERS)
    scale = 1.0 if task.classes is None else 1 / told.share
    scores = score(task, [scale * one[rest] for one in members])
    inside = {}
    for name, used in (("carried", told), ("single", ALONE)):
        kept = kept_errors(task, truth[known], score(task, [members[0][known]]), used)
        errors = task.errors(truth[rest], scores)
        inside[name] = float((errors <= bound(kept, coverage, "y") + 1e-9).mean())
    assert abs(inside["carried"] - coverage) < 0.02, inside
    assert inside["single"] > coverage + 0.005, inside


def test_errors_of_rows_that_chose_the_epoch_are_too_small_by_what_another_member_tells() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(20_000, 1))
    common = rng.normal(0, 1.0, truth.shape)
    members = [truth + common + rng.normal(0, 0.5, truth.shape) for _ in range(MEMBERS)]
    chosen = truth + 0.9 * (members[0] - truth)  # the epoch that answers these rows best
    told = agreement(task_of("regression"), [chosen], [members[1]], truth, MEMBERS)
    exact = ((np.mean(members, 0) - truth) ** 2).mean() / ((chosen - truth) ** 2).mean()
    assert exact > 1
    assert told.share == pytest.approx(exact, abs=0.03)
    assert agreement(task_of("regression"), [truth[:40]], [members[1][:40]], truth[:40], MEMBERS).share < 40, (
        "though the first errs nowhere"
    )


def test_among_many_classes_averaging_takes_away_more_than_the_share_says() -> None:
    """Each of 11 wrong classes has noise of its own, and the largest of them is what makes a member unsure."""
    rng, task = np.random.default_rng(0), task_of("multiclass", 12)
    own = np.concatenate([np.full((4_000, 1), 9.0), np.zeros((4_000, 11))], 1) + rng.normal(0, 0.5, (4_000, 12))
    members = [own + rng.normal(0, 1.0, own.shape) for _ in range(MEMBERS)]
    told = agreement(task, [members[0][:300]], [members[1][:300]], np.zeros((300, 1)), MEMBERS)
    single, mean = (1 - score(task, [logits]).astype(np.float64)[:, 0] for logits in (members[0], np.mean(members, 0) / told.share))
    for rank in (0.3, 0.5, 0.8, 0.95):
        exact, moved, before = (np.log(np.quantile(found, rank)) for found in (mean, carried(task, single, told), single))
        assert exact < (before - 0.15) * told.share**-0.5
        assert abs(moved - exact) < 0.3 * (before - exact)


def test_members_that_agree_or_are_not_known_change_nothing() -> None:
    task = task_of("multiclass")
    logits = np.random.default_rng(0).normal(size=(40, 4))
    truth = np.zeros((40, 1), np.float32)
    assert agreement(task, [logits], [logits + 3.0], truth, 5).share == pytest.approx(1.0), "a shift of all logits says nothing"
    few = agreement(task, [logits[:10]], [-logits[:10]], truth[:10], 5)
    assert (few.share, few.correlation, few.facts()["rows"]) == (1.0, None, 10), "too few rows"
    assert agreement(task, [], [], truth[:0], 5).share == 1.0
    for rows in (20, 40):
        found = agreement(task, [logits[:rows]], [-logits[:rows]], truth[:rows], 5)
        assert found.share == pytest.approx(1 / 5), "never less than of independent ones"
        other = np.random.default_rng(1).normal(size=(40, 4))[:rows]
        assert agreement(task, [logits[:rows]], [other], truth[:rows], 5).correlation < 0.3  # type: ignore[operator]
    errors = np.array([0.0, 0.3, 1.0])
    np.testing.assert_array_equal(carried(task, errors, ALONE), errors)
    told = agreement(task_of("multilabel"), [logits[:, :2]], [0.5 * logits[:, :2]], truth, 5)
    np.testing.assert_array_equal(carried(task_of("multilabel"), errors, told), errors)
    told = agreement(task, [logits], [logits + np.random.default_rng(2).normal(size=logits.shape)], truth, 5)
    np.testing.assert_array_equal(carried(task, errors, replace(told, used=False)), errors)
    assert (np.diff(carried(task, errors, told)) > 0).all()
    number, target = task_of("regression"), np.where(np.arange(40) < 30, 0.0, np.nan)[:, None]
    assert agreement(number, [np.ones((40, 1))], [-np.ones((40, 1))], target, 2).rows == 30


def noisy(path: Path, rows: int, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 8))
    right = x[:, 0] + 0.7 * x[:, 1] - 0.5 * x[:, 2] + rng.logistic(size=rows) > 0
    return write_csv(path, [*(f"x{at}" for at in range(8)), "label"], [[*(f"{v:.4f}" for v in row), "yes" if r else "no"] for row, r in zip(x, right, strict=True)])  # fmt: skip


FOLDS = ("data.split.kind=folds", "training.epochs=30", "training.lr=5e-3", "model.width=32", "training.baselines=false")


def test_a_run_of_folds_scales_what_its_members_say_together(tmp_path: Path) -> None:
    table = noisy(tmp_path / "t.csv", 400, 0)
    model = pm.train(table, *FOLDS, target="label", out=tmp_path / "run")
    told = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))["validation"]["agreement"]["label"]
    assert (told["members"], told["rows"]) == (5, 100)
    assert 0 < told["correlation"] < 1
    weights = {round(float(member.vote_weights_TV.sum()), 5) for member in pm.load(tmp_path / "run").bundle.members}
    scale = model.metrics["validation"]["calibration"]["label"]["scale"]
    assert list(weights) == pytest.approx([scale / told["share"]], rel=1e-4)
    log = (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8")
    assert "100 rows that neither saw" in log
    assert "100 rows that neither saw" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("setting", ["model.fusion.kind=evidential", "model.votes=false", "data.split.kind=random"])
def test_what_cannot_be_scaled_is_left_as_it_is(tmp_path: Path, setting: str) -> None:
    table = noisy(tmp_path / "t.csv", 200, 0)
    words = [*FOLDS, "training.epochs=2", "fields.a={kind: tabular, columns: [x0]}", "fields.b={kind: tabular, columns: [x1]}", setting]
    model = pm.train(table, *words, target="label")
    told = model.metrics["validation"]["agreement"]["label"]
    assert told["share"] == 1.0
    assert (told["correlation"] is None) == ("random" in setting), "what is not used is told all the same"
