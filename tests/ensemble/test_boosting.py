"""Boosted trees in a run: their vote, the bundle, rows that lack fields, resumed training, and the reasons why there are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import polymodal as pm
from builders.interruptions import Broken, crash_at_call
from polymodal.bundle import Bundle
from polymodal.ensemble.boosting import TreeTraining
from polymodal.ensemble.trainer import EnsembleTrainer
from polymodal.flow import TREES

WORDS = ["alpha", "beta", "gamma", "delta", "omega"]
SETTINGS = ("training.epochs=2", "training.baselines=false", "model.trees.rounds=60", "model.trees.learning_rate=0.2", "model.trees.bags=2")


def table(rows: int = 300, seed: int = 0) -> list[dict[str, Any]]:
    """Rows whose number is a step function of a number, twice as high for one word: trees learn it, two epochs of a network do not."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(rows):
        x, word = float(rng.uniform(-1, 1)), WORDS[rng.integers(5)]
        step = float(np.floor(4 * x))
        made.append({"x": x, "text": f"{word} and some more words", "y": step * (2 if word == "omega" else 1) + 0.01 * float(rng.normal())})
    return made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pm.Predictor]:
    folder = tmp_path_factory.mktemp("trees") / "run"
    return folder, pm.train(table(), *SETTINGS, target="y", out=folder, columns={"text": "text"})


def test_trees_vote_where_they_know_more(run: tuple[Path, pm.Predictor]) -> None:
    folder, predictor = run
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    weights = next(event["weights"] for event in events if event["event"] == "votes")
    assert list(weights) == ["fused", "text", "x", "trees"] or set(weights) == {"fused", "text", "columns", "trees"}
    assert weights["trees"] > 0.2
    fresh = table(400, seed=1)
    without = pm.train(table(), *SETTINGS, "model.trees=null", target="y", columns={"text": "text"})
    with_trees, network = (one.evaluate(fresh)["tasks"]["y"]["r2"] for one in (predictor, without))
    assert with_trees > network + 0.01
    assert with_trees > 0.85
    assert all(member.trees is None for member in without.bundle.members)


def test_a_bundle_with_trees_predicts_the_same_bits_after_loading(run: tuple[Path, pm.Predictor], tmp_path: Path) -> None:
    _, predictor = run
    fresh = table(50, seed=2)
    fresh[3]["text"] = None
    fresh[4]["x"] = None
    fresh[5] = {"x": None, "text": None, "y": None}
    predictor.save(tmp_path / "bundle")
    loaded = pm.load(tmp_path / "bundle")
    assert np.array_equal(predictor.predict(fresh), loaded.predict(fresh))
    alone = [loaded.predict([row])[0] for row in fresh[:8]]
    assert alone == list(loaded.predict(fresh)[:8])
    assert np.isfinite(alone).all()
    names = [sorted(member.state_dict()) for member in loaded.bundle.members]
    assert names == [sorted(member.state_dict()) for member in predictor.bundle.members]
    assert any(name.startswith("trees.") for name in names[0])


def test_trees_that_do_not_suit_the_bundle_are_refused(run: tuple[Path, pm.Predictor], tmp_path: Path) -> None:
    _, predictor = run
    bundle = predictor.bundle
    member = bundle.members[0]
    assert member.trees is not None
    places = member.trees.get_buffer("places")
    kept = places.clone()
    places.fill_(7)
    try:
        bundle.save(tmp_path / "bundle")
    finally:
        places.copy_(kept)
    with pytest.raises(pm.PolymodalError, match="trees of the fields"):
        Bundle.load(tmp_path / "bundle")


def test_the_vote_of_trees_is_absent_where_all_their_fields_are(run: tuple[Path, pm.Predictor]) -> None:
    member = run[1].bundle.members[0]
    present = {"text": torch.tensor([True, False, False]), "columns": torch.tensor([False, True, False])}
    assert member.present(present)[TREES].tolist() == [True, True, False]


def test_resumed_training_has_the_same_trees(tmp_path: Path) -> None:
    whole = pm.train(table(), *SETTINGS, target="y", out=tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        crash_at_call(patch, TreeTraining, "train", 3)
        with pytest.raises(Broken):
            pm.train(table(), *SETTINGS, target="y", out=tmp_path / "killed")
    resumed = pm.resume(tmp_path / "killed", table=table())
    for one, other in zip(whole.bundle.members, resumed.bundle.members, strict=True):
        others = other.state_dict()
        assert [name for name, value in one.state_dict().items() if not np.array_equal(value, others[name], equal_nan=True)] == []


@pytest.mark.parametrize(
    ("settings", "rows", "reason"),
    [
        (("model.trees=null",), 300, "model.trees is null"),
        (("model.fusion.kind=late",), 300, "rule of their own"),
        (("model.votes=false",), 300, "rule of their own"),
        ((), 60, "training rows; trees need"),
    ],
)
def test_there_are_no_trees_for_a_reason(settings: tuple[str, ...], rows: int, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = []
    plan = EnsembleTrainer.plan

    def seen(self: EnsembleTrainer) -> Any:
        reasons.append(self.trees.refusal)
        return plan(self)

    monkeypatch.setattr(EnsembleTrainer, "plan", seen)
    predictor = pm.train(table(rows), *SETTINGS[:2], *settings, target="y")
    assert reason in reasons[0]
    assert all(member.trees is None for member in predictor.bundle.members)


def test_a_run_without_lightgbm_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polymodal.ensemble.boosting.is_available", lambda: False)
    pm.train(table(), *SETTINGS[:2], target="y", out=tmp_path / "run")
    lines = [json.loads(line).get("text", "") for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert "no boosted trees: LightGBM cannot be imported; install it: pip install lightgbm" in lines
