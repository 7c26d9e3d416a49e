"""Further networks of a member: their settings, their votes, and the bundle; without a time limit there are none."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import polymodal as pm
from builders.interruptions import Broken, crash_at_call
from polymodal.data.loader import field_of
from polymodal.ensemble import further
from polymodal.ensemble.decisions import DecisionsInMemory
from polymodal.ensemble.further import varied
from polymodal.ensemble.plan import Pace, Plan
from polymodal.ensemble.trainer import EnsembleTrainer
from polymodal.experiment import Experiment
from polymodal.flow import network, voter_label
from polymodal.modalities import Roots
from polymodal.model import build
from polymodal.weights import Parts

SETTINGS = ("training.epochs=2", "training.baselines=false", "model.trees=null")


def table(rows: int = 120, seed: int = 0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [{"a": float(x), "word": "red" if z > 0 else "blue", "y": "yes" if x + z > 0 else "no"} for x, z in rng.normal(size=(rows, 2))]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pm.Predictor]:
    folder = tmp_path_factory.mktemp("networks") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(further, "MOST_NETWORKS", 3)
        return folder, pm.train(table(), *SETTINGS, target="y", out=folder, time_limit="10m")


def test_every_member_has_as_many_networks_as_the_time_allows(run: tuple[Path, pm.Predictor]) -> None:
    folder, predictor = run
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert any("every member has 3 networks, the maximum" in event.get("text", "") for event in events)
    weights = next(event["weights"] for event in events if event["event"] == "votes")
    assert list(weights) == ["fused", "network 2", "network 3"]
    kept = sum(weight > 0 for voter, weight in weights.items() if voter != "fused")
    assert kept > 0
    assert [len(member.further) for member in predictor.bundle.members] == [kept] * 5
    weights_of = predictor.bundle.members[0].state_dict()
    assert len(weights_of["vote_weights_TV"][0]) == 1 + kept
    assert not torch.equal(weights_of["heads.0.weight"], weights_of["further.0.heads.0.weight"])


def test_a_bundle_with_networks_predicts_the_same_bits(run: tuple[Path, pm.Predictor], tmp_path: Path) -> None:
    _, predictor = run
    fresh = table(40, seed=1)
    fresh[2]["a"] = None
    predictor.save(tmp_path / "bundle")
    loaded = pm.load(tmp_path / "bundle")
    assert np.array_equal(predictor.predict_proba(fresh), loaded.predict_proba(fresh))
    assert np.array_equal(loaded.predict_proba(fresh)[:1], loaded.predict_proba(fresh[:1]))


def test_resumed_training_has_the_same_networks(run: tuple[Path, pm.Predictor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(further, "MOST_NETWORKS", 3)
    with pytest.MonkeyPatch.context() as patch:
        crash_at_call(patch, EnsembleTrainer, "train_one", 8)
        with pytest.raises(Broken):
            pm.train(table(), *SETTINGS, target="y", out=tmp_path / "run", time_limit="10m")
    resumed = pm.resume(tmp_path / "run", table=table())
    for one, other in zip(run[1].bundle.members, resumed.bundle.members, strict=True):
        others = other.state_dict()
        assert list(one.state_dict()) == list(others)
        assert [name for name, value in one.state_dict().items() if not torch.equal(value, others[name])] == []


def test_networks_of_weight_zero_are_removed_and_change_no_prediction(run: tuple[Path, pm.Predictor]) -> None:
    bundle = run[1].bundle
    states, tasks = bundle.states, bundle.tasks
    model, others = build(bundle.experiment.model, states, tasks), [build(bundle.experiment.model, states, tasks) for _ in range(3)]
    for other in others:
        model.attach_network(other)
    model.vote_weights_TV.copy_(torch.tensor([[0.5, 0.0, 0.25, 0.0]]))
    forms = bundle.experiment.forms(states)
    modality = bundle.experiment.fields["columns"].modality()(bundle.experiment.fields["columns"], states["columns"], Roots())
    field = field_of(modality, [modality.read((0.3, "red")), modality.read((-1.0, "blue"))], np.arange(2))
    before = model.eval()(columns=field)
    model.prune()
    after = model(columns=field)
    assert [len(model.further), model.further[0] is others[1], forms] == [1, True, {"columns": "columns"}]
    assert model.vote_weights_TV.tolist() == [[0.5, 0.25]]
    torch.testing.assert_close(before.logits["y"], after.logits["y"])


def test_without_a_time_limit_there_are_none() -> None:
    predictor = pm.train(table(), *SETTINGS, target="y")
    assert all(len(member.further) == 0 for member in predictor.bundle.members)


def test_each_network_has_settings_of_its_own() -> None:
    experiment = Experiment.of({"fields": {"t": {"kind": "text", "column": "t"}}, "tasks": {"y": {"kind": "binary", "column": "y"}}})
    assert varied(experiment, 1) is experiment
    settings = [(one.training.lr, one.training.weight_decay, one.model.dropout) for one in (varied(experiment, n) for n in range(2, 7))]
    assert settings == [
        pytest.approx(expected)
        for expected in [(2e-3, 0.02, 0.1), (5e-4, 0.02, 0.2), (1e-3, 0.02, 0.1), (3e-3, 0.08, 0.3), (5e-4, 0.02, 0.1)]
    ]


@pytest.mark.parametrize(("left", "expected"), [(40.0, 10), (33.1, 10), (25.0, 7), (17.0, 5), (16.0, 0), (-3.0, 0)])
def test_a_further_model_is_trained_for_the_epochs_that_the_time_suffices_for(left: float, expected: int) -> None:
    """An epoch was estimated at 4 s and takes 3 s. The later models take 0 s."""
    pace = Pace()
    pace.add(30.0, 10, 10, 4.0)
    trainer: Any = SimpleNamespace(
        pace=pace, budget=left, clock=SimpleNamespace(limit=100.0), decisions=DecisionsInMemory(), interrupted=lambda: False
    )
    plan = Plan(1, 0, 10, {"": 4.0})
    assert further._epochs(trainer, "a fold", plan, "", 1, 0.0) == expected
    trainer.budget = 1000.0
    assert further._epochs(trainer, "a fold", plan, "", 1, 0.0) == expected, "the decision is repeated"
    trainer.clock.limit = None
    assert further._epochs(trainer, "another", plan, "", 1, 0.0) == 0


@pytest.mark.parametrize(("left", "expected"), [(1000.0, 24), (49.6, 15), (33.1, 10), (25.0, 7), (16.0, 0)])
def test_a_further_network_gets_epochs_that_the_plan_of_a_short_time_left_out(left: float, expected: int) -> None:
    """An epoch was estimated at 4 s and takes 3 s. The plan has 10 epochs, without a time limit there are 24."""
    pace = Pace()
    pace.add(30.0, 10, 10, 4.0)
    trainer: Any = SimpleNamespace(
        pace=pace, budget=left, clock=SimpleNamespace(limit=2000.0), decisions=DecisionsInMemory(), interrupted=lambda: False
    )
    assert further._epochs(trainer, "a network", Plan(1, 0, 10, {"": 4.0}), "", 1, 0.0, most=24) == expected


def test_what_an_interruption_prevents_is_decided_when_training_is_resumed() -> None:
    trainer: Any = SimpleNamespace(
        pace=Pace(), budget=1000.0, clock=SimpleNamespace(limit=2000.0), decisions=DecisionsInMemory(), interrupted=lambda: True
    )
    plan = Plan(1, 0, 10, {"": 4.0})
    assert further._epochs(trainer, "a fold", plan, "", 1, 0.0) == 0
    trainer.interrupted = lambda: False
    assert further._epochs(trainer, "a fold", plan, "", 1, 0.0) == 10


def test_the_pace_of_a_network_counts_the_epochs_that_were_not_needed_and_that_of_an_epoch_does_not() -> None:
    pace = Pace()
    assert (pace.network, pace.epoch) == (1.0, 1.0)
    pace.add(12.0, 6, 10, 4.0)
    assert (pace.network, pace.epoch) == (pytest.approx(0.3), pytest.approx(0.5))


def test_single_fields_are_trained_on_further_folds_while_time_is_left(tmp_path: Path) -> None:
    settings = ("training.epochs=2", "model.trees=null")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(further, "MOST_NETWORKS", 1)
        patch.setattr("polymodal.ensemble.trainer.make_plan", lambda *_: Plan(2, 1, 2, {"": 0.01, "word": 0.01, "columns": 0.01}))
        predictor = pm.train(table(), *settings, target="y", columns={"word": "text"}, out=tmp_path / "run", time_limit="10m")
    assert len(predictor.bundle.members) == 5
    assert {name: len(one.members) for name, one in predictor.baselines.items()} == {"word": 5, "columns": 5}


def test_voters_are_shown_by_their_names() -> None:
    assert [voter_label(voter) for voter in ("", "photo", "\0trees", network(2))] == ["fused", "photo", "trees", "network 2"]


def test_weights_are_divided_into_parts() -> None:
    one = torch.zeros(1)
    parts = Parts.of({"heads.0.weight": one, "trees.places": one, "further.0.heads.0.weight": one, "further.1.heads.0.weight": one})
    assert (set(parts.network), set(parts.trees), [set(part) for part in parts.further]) == (
        {"heads.0.weight"},
        {"places"},
        [{"heads.0.weight"}] * 2,
    )
    with pytest.raises(ValueError, match="expected 0 to 0"):
        Parts.of({"further.7.heads.0.weight": one})


def test_the_leaderboard_has_the_model_its_votes_and_their_errors(run: tuple[Path, pm.Predictor]) -> None:
    folder, predictor = run
    board = predictor.leaderboard()
    assert {entry["name"]: entry["kind"] for entry in board} == {
        "all fields": "model", "network": "network", "network 2": "network", "network 3": "network",
    }  # fmt: skip
    assert [entry["value"] for entry in board] == sorted((entry["value"] for entry in board), reverse=True)
    assert [entry["difference"] or 0.0 for entry in board] == sorted(entry["difference"] or 0.0 for entry in board)
    model = next(entry for entry in board if entry["kind"] == "model")
    assert model["value"] == pytest.approx(predictor.metrics["validation"]["tasks"]["y"]["accuracy"])
    share = model["value"]
    assert model["error"] == pytest.approx((share * (1 - share) / model["rows"]) ** 0.5, rel=0.3)
    for entry in board:
        if entry is not model:
            assert entry["difference"] == pytest.approx(model["value"] - entry["value"])
            assert entry["verdict"] in ("better than", "worse than", "within noise of")
    assert json.loads((folder / "metrics.json").read_text())["leaderboard"]["y"] == board
