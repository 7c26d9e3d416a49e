"""Tests that no row on which a figure is measured has selected the epoch, the vote weights or the scale of the measured model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

import polymodal as pm
from polymodal.collection import Collected
from polymodal.ensemble.validation import Measured, Member, Validation
from polymodal.preparation import Prepared, prepare
from polymodal.runs import run as running
from polymodal.training.progress import Best, Fitted, Validated
from polymodal.training.trainer import Trainer

WORDS = ("training.epochs=4", "training.baselines=false", "model.width=8", "training.lr=1e-2", "training.patience=9")


def table(rows: int = 120, number: bool = False) -> list[dict[str, Any]]:
    """Of which two columns and a text say a little."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 2))
    words = rng.choice(["red", "green", "blue", "grey"], (rows, 3))
    label = x[:, 0] + (words == "red").sum(1) + rng.normal(size=rows)
    target = label if number else np.where(label > 0.7, "yes", "no")
    return [{"a": a, "b": b, "t": " ".join(text), "y": one} for (a, b), text, one in zip(x.tolist(), words, target.tolist(), strict=True)]


class Spy:
    """Runs a training, with the prepared targets changed, and keeps what its parts returned."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, change: Callable[[Prepared], None] = lambda _: None) -> None:
        self.prepared: Prepared
        self.members: Sequence[Member] = ()
        self.measured: Measured
        self.selected: list[tuple[int, Fitted, Collected, Any]] = []

        def prepared(*arguments: Any, **named: Any) -> Prepared:
            self.prepared = prepare(*arguments, **named)
            change(self.prepared)
            return self.prepared

        measure, answers = Validation.measure, Validation.answers

        def measured(validation: Validation, members: Any, *rest: Any) -> Measured:
            self.members = members
            self.measured = measure(validation, members, *rest)
            return self.measured

        def answered(validation: Validation, model: Any, fitted: Fitted, fold: int, *rest: Any) -> Collected:
            found = answers(validation, model, fitted, fold, *rest)
            if fitted.halves:
                again = []
                for rows, best in zip(self.prepared.split.halves(fold), fitted.halves[::-1], strict=True):
                    model.load_state_dict(best.weights)
                    again.append(validation.collect(model, rows, rest[0]).answers[0].votes["y"][""])
                model.load_state_dict(fitted.weights)
                self.selected.append((fold, fitted, found, np.concatenate(again)))
            return found

        monkeypatch.setattr(running, "prepare", prepared)
        monkeypatch.setattr(Validation, "measure", measured)
        monkeypatch.setattr(Validation, "answers", answered)

    def weights(self) -> list[torch.Tensor]:
        """All that training learned, but for the weights of the votes."""
        return [value for one in self.members for name, value in one.model.state_dict().items() if name != "vote_weights_TV"]


def trained(monkeypatch: pytest.MonkeyPatch, change: Callable[[Prepared], None] = lambda _: None, *words: str) -> tuple[Spy, Any]:
    with monkeypatch.context() as patch:
        spy = Spy(patch, change)
        return spy, pm.train(table(), *WORDS, *words, target="y")


def flipped(rows: Callable[[Prepared], np.ndarray]) -> Callable[[Prepared], None]:
    """Change the targets of some rows."""

    def change(prepared: Prepared) -> None:
        for target in prepared.valid.targets.values():
            target[rows(prepared)] = 1 - target[rows(prepared)]

    return change


def test_each_half_of_a_fold_is_answered_by_the_weights_that_the_other_half_selected(monkeypatch: pytest.MonkeyPatch) -> None:
    spy, _ = trained(monkeypatch)
    assert [fold for fold, *_ in spy.selected] == [0, 1, 2, 3, 4]
    epochs = set()
    for fold, fitted, found, again in spy.selected:
        np.testing.assert_array_equal(found.rows, np.concatenate(spy.prepared.split.halves(fold)))
        np.testing.assert_array_equal(found.answers[0].votes["y"][""], again)
        epochs |= {(fitted.halves[0].epoch == fitted.epoch, fitted.halves[1].epoch == fitted.epoch)}
    assert epochs != {(True, True)}, "somewhere a half selects another epoch"
    assert not any(member.fitted.halves for member in spy.members), "their weights are not kept"


def test_a_half_selects_by_its_own_targets_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The metrics by which the first half selects do not change when the targets of the second half do; the others do."""
    histories: list[Any] = []
    with monkeypatch.context() as patch:
        validate = Validation.validate

        def validated(validation: Validation, model: Any, fold: int, names: Any) -> Validated:
            first = validate(validation, model, fold, names)
            target, rows = validation.prepared.valid.targets["y"], validation.prepared.split.halves(fold)[1]
            target[rows] = 1 - target[rows]
            histories.append((first, validate(validation, model, fold, names)))
            target[rows] = 1 - target[rows]
            return first

        patch.setattr(Validation, "validate", validated)
        pm.train(table(), *WORDS, "training.epochs=1", target="y")
    for before, after in histories:
        assert before.halves[0] == after.halves[0]
        assert before.halves[1] != after.halves[1]
        assert before.metrics != after.metrics


def test_calibration_rows_change_no_weight_and_no_reported_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    spy, model = trained(monkeypatch)
    other, changed = trained(monkeypatch, flipped(lambda prepared: prepared.split.calibrating))
    assert len(spy.prepared.split.calibrating) == 19
    for one, two in zip(spy.weights(), other.weights(), strict=True):
        assert torch.equal(one, two)
    assert model.metrics["validation"]["tasks"] == changed.metrics["validation"]["tasks"]
    np.testing.assert_array_equal(spy.measured.scores["y"], other.measured.scores["y"])
    assert model.metrics["validation"]["pooled"]["y"]["metrics"] != changed.metrics["validation"]["pooled"]["y"]["metrics"]
    assert model.metrics["conformal"]["y"]["rows"] == 19
    assert model.metrics["conformal"]["y"]["method"] == "split"


def test_vote_weights_of_a_part_do_not_depend_on_its_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    spy, _ = trained(monkeypatch)
    model, prepared, measured = spy.members[0].model, spy.prepared, spy.measured
    validation = Validation(prepared, torch.device("cpu"), pm.Observer())
    votes = {voter: np.concatenate([one.answers.answers[0].votes["y"][voter] for one in spy.members]) for voter in ("", *model.voters)}

    def crossed() -> np.ndarray:
        return validation.votes.cross_fit(model, "y", votes, measured.rows, measured.part_N)

    before, target = crossed(), prepared.valid.targets["y"]
    own = measured.rows[measured.part_N == 2]
    target[own] = 1 - target[own]
    after = crossed()
    np.testing.assert_array_equal(before[2], after[2])
    assert all((before[at] != after[at]).any() for at in (0, 1, 3, 4))


def test_without_folds_validation_rows_select_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("data.split.kind=random", "data.split.valid=0.4")
    spy, model = trained(monkeypatch, lambda _: None, *words)
    other, changed = trained(monkeypatch, flipped(lambda prepared: prepared.member(0)[1]), *words)
    assert (len(spy.prepared.selecting), len(spy.measured.rows)) == (16, 32)
    assert not np.isin(spy.prepared.selecting, spy.measured.rows).any()
    for one, two in zip(spy.weights(), other.weights(), strict=True):
        assert torch.equal(one, two)
    assert spy.members[0].fitted.monitor == other.members[0].fitted.monitor
    assert model.metrics["members"] == changed.metrics["members"]
    third, _ = trained(monkeypatch, flipped(lambda prepared: prepared.selecting), *words)
    assert spy.members[0].fitted.monitor != third.members[0].fitted.monitor, "selection rows do"


def test_a_validation_table_is_dealt_into_rows_that_select_and_rows_that_validate(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        spy = Spy(patch)
        pm.train(table(), *WORDS, target="y", valid=table(60))
    assert (len(spy.prepared.selecting), len(spy.measured.rows)) == (20, 40)
    np.testing.assert_array_equal(np.sort(np.concatenate([spy.prepared.selecting, spy.measured.rows])), np.arange(60))


def test_where_too_few_rows_are_held_out_the_last_epoch_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    spy, model = trained(monkeypatch, lambda _: None, "data.split.kind=random", "data.split.valid=0.05")
    assert (len(spy.prepared.selecting), len(spy.measured.rows)) == (0, 6)
    assert model.metrics["members"] == [{"epoch": 4, "epochs": 4, "stopped": "all epochs done"}]


def test_the_trainer_keeps_the_best_epoch_by_all_rows_and_by_each_half() -> None:
    class Task:
        def monitor(self, metrics: Any) -> float:
            return float(metrics)

    trainer: Any = Trainer.__new__(Trainer)
    trainer.tasks, trainer.fitted = {"y": Task()}, Fitted()
    trainer.progress = type("At", (), {"epoch": 0})()
    trainer.model = torch.nn.Linear(1, 1, bias=False)
    for epoch, (whole, first, second) in enumerate([(3, 5, 4), (2, 4, 5), (1, 6, 3), (4, 3, 9), (5, 9, None)], 1):
        trainer.progress.epoch = epoch
        trainer.model.weight.data[:] = epoch
        halves = [None if one is None else {"y": one} for one in (first, second)]
        trainer._keep_best(Validated({"y": whole}, {}, halves), whole, whole < trainer.fitted.monitor)  # type: ignore[arg-type, dict-item]
    fitted = trainer.fitted
    assert (fitted.epoch, *(half.epoch for half in fitted.halves)) == (3, 4, 5), "a half without a target takes the last epoch"
    assert [float(one["weight"]) for one in (fitted.weights, *(half.weights for half in fitted.halves))] == [3, 4, 5]
    kept = fitted.tensors()
    assert set(kept) == {"best.weight", "half_0.weight", "half_1.weight"}
    again = Fitted.of(fitted.facts(), kept)
    assert [(half.epoch, float(half.weights["weight"])) for half in again.halves] == [(4, 4), (5, 5)]
    fitted.halves = [Best(fitted.weights, 3, 1.0), Best({"weight": torch.ones(1)}, 2, 1.0)]
    assert set(fitted.tensors()) == {"best.weight", "half_1.weight"}, "weights of one epoch are kept once"
    assert float(Fitted.of(fitted.facts(), fitted.tensors()).halves[0].weights["weight"]) == 3


@pytest.mark.filterwarnings("ignore:rows, column 't'")
def test_numbers_have_intervals_of_the_mean_on_calibration_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    model = pm.train(table(200, number=True), *WORDS, target="y")
    kept = model.metrics["conformal"]["y"]
    assert (kept["method"], kept["rows"], kept["scale"]) == ("split", 39, 1.0)
    pooled = model.metrics["validation"]["pooled"]["y"]
    assert pooled["rows"] == 39
    assert pooled["calibration"] is None
    assert set(pooled["metrics"]) == {"mae", "rmse", "r2"}
    new = table(200, number=True)[:20]
    intervals = model.predict_sets(new, 0.8)
    np.testing.assert_allclose(intervals.mean(1), model.predict(new), rtol=1e-5, atol=1e-6)
