"""Tests of balancing: the change of gradients between backward and step, to the bit, and the reported facts of each field."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import polymodal as pm
from builders.interruptions import SETTINGS, At, Broken, crash, digest, without_time
from builders.memory import SmallMemory
from builders.pages import Page
from builders.tables import shop
from polymodal.data.loader import Loader
from polymodal.data.sources import open_source
from polymodal.data.store import Store
from polymodal.encoders import TabularConfig as Columns
from polymodal.ensemble.diagnosis import has_stopped
from polymodal.errors import ConfigError
from polymodal.experiment import Experiment
from polymodal.flow import FUSED
from polymodal.modalities import Roots, Tabular, TabularConfig
from polymodal.model import ModelConfig, build
from polymodal.tasks import RULES, MulticlassConfig, RegressionConfig, constant
from polymodal.training.balance import GradientBlendingConfig, Moment, OGMGEConfig
from polymodal.training.balance.balancer import add_noise
from polymodal.training.balance.gradient_blending import blended
from polymodal.training.balance.ogm_ge import coefficients
from polymodal.training.config import TrainingConfig
from polymodal.training.events import EpochEvent, FieldFigures
from polymodal.training.objective import hide_some, share_hidden
from polymodal.training.observers import Observer
from polymodal.training.progress import Validated
from polymodal.training.trainer import Trainer
from polymodal.training.watch import silent

KINDS = {
    "ogm_ge": ("training.balance.kind=ogm_ge", "training.balance.noise=true"),
    "gradient_blending": ("training.balance.kind=gradient_blending", "training.balance.every=1", "training.baselines=false"),
    "probes": ("training.auxiliary=0", "training.balance.kind=ogm_ge", "training.rates.photo=0.5", "training.freeze.photo=2",
               "training.modality_dropout={photo: 0.3}", "training.modality_dropout_schedule=rise", "training.baselines=false"),
}  # fmt: skip


# -- what is computed ----------------------------------------------------------------------------------------------------


def test_a_field_ahead_of_the_mean_of_the_others_is_held_back_as_the_paper_says() -> None:
    assert coefficients({"a": 0.9, "b": 0.3}, 0.5) == {"a": pytest.approx(1 - math.tanh(0.5 * 3))}
    three = coefficients({"a": 0.8, "b": 0.5, "c": 0.3}, 1.0)
    assert three == {"a": pytest.approx(1 - math.tanh(2.0))}, "b is behind the mean of a and c"
    assert coefficients({"a": 0.5, "b": 0.5}, 1.0) == {}
    assert coefficients({"a": 0.5}, 1.0) == {} == coefficients({}, 1.0)
    assert coefficients({"a": 0.5, "b": 0.0}, 1.0)["a"] == pytest.approx(0.0), "however far behind: no division by nothing"


@pytest.mark.parametrize(("ratio", "expected"), [(1.0, None), (1.001, 0.537), (1.25, 0.445), (1.5, 0.365), (2.0, 0.238), (3.0, 0.095)])
def test_by_default_a_field_that_is_hardly_ahead_takes_more_than_half_of_its_step(ratio: float, expected: float | None) -> None:
    alpha = OGMGEConfig().alpha
    assert 0.1 <= alpha <= 0.8, "the range of the paper's experiments"
    held = coefficients({"a": 0.3 * ratio, "b": 0.3}, alpha)
    assert held == ({} if expected is None else {"a": pytest.approx(expected, abs=5e-4)})


def test_an_alpha_that_is_stated_is_kept() -> None:
    said = {"kind": "ogm_ge", "alpha": 2.0, "noise": False, "start": 1, "end": None}
    assert OGMGEConfig.model_validate(said).tree() == said
    assert coefficients({"a": 0.3003, "b": 0.3}, OGMGEConfig.model_validate(said).alpha)["a"] == pytest.approx(0.0358, abs=1e-4)


def test_losses_are_weighed_by_what_they_gain_for_what_they_overfit() -> None:
    before = {FUSED: [1.0, 1.0], "a": [1.0, 1.0], "b": [1.0, 1.0]}
    now = {FUSED: [0.2, 0.6], "a": [0.4, 0.6], "b": [0.5, 1.2]}
    # G: 0.4, 0.4, none. O: 0.4, 0.2. G / O^2: 2.5 and 10; 5 % are shared out evenly
    found = blended(dict.fromkeys(before, 1 / 3), before, now)
    assert found == {FUSED: pytest.approx(0.05 / 3 + 0.95 * 0.2), "a": pytest.approx(0.05 / 3 + 0.95 * 0.8), "b": pytest.approx(0.05 / 3)}
    assert blended(found, now, now) == found, "where nobody gains, the weights stay"
    balancer = GradientBlendingConfig(every=2).build(["a", "b"])
    for training, validation in ((1.0, 1.0), (0.7, 0.8), (0.2, 0.6)):
        assert balancer.shares == dict.fromkeys(before, 1 / 3)
        balancer.epoch(dict.fromkeys(before, training), dict.fromkeys(before, validation))
    assert sum((balancer.shares or {}).values()) == pytest.approx(1)
    other = GradientBlendingConfig(every=2).build(["a", "b"])
    other.restore(json.loads(json.dumps(balancer.facts())))
    assert other.facts() == balancer.facts()


def test_noise_is_of_the_gradient_s_spread_and_leaves_what_has_no_gradient() -> None:
    gradient = torch.zeros(200, 100)
    gradient[:150] = torch.randn(150, 100, generator=torch.Generator().manual_seed(0))
    noised, again, later = gradient.clone(), gradient.clone(), gradient.clone()
    add_noise(noised, Moment(5, 2, 70, {}).generator(torch.device("cpu")))
    torch.manual_seed(1)
    add_noise(again, Moment(5, 2, 70, {}).generator(torch.device("cpu")))
    add_noise(later, Moment(5, 2, 71, {}).generator(torch.device("cpu")))
    assert torch.equal(noised, again), "a function of seed, epoch and step"
    assert not torch.equal(noised, later)
    assert (noised[150:] == 0).all()
    assert float((noised - gradient)[:150].std()) == pytest.approx(float(gradient.std(correction=0)), rel=0.02)


def test_a_vote_s_own_loss_is_that_of_its_answer_and_a_constant_s_is_the_entropy() -> None:
    config = MulticlassConfig(column="y", label_smoothing=0.2)
    task = config.task()(config, config.task().fit(config, ["a", "a", "b", "c"], "here"))
    target = torch.tensor([[0.0], [2.0], [float("nan")]])
    votes = {FUSED: torch.zeros(3, 3), "x": torch.tensor([[2.0, 0.0, 0.0]] * 3)}
    found = RULES["weighed"](3).own_losses(task, votes, {"x": torch.ones(3, dtype=torch.bool)}, target)
    np.testing.assert_allclose(found[0], math.log(3), rtol=1e-6)
    np.testing.assert_allclose(found[1, :2], [math.log(math.e**2 + 2) - 2, math.log(math.e**2 + 2)], rtol=1e-6)
    shares = np.array([0.5, 0.25, 0.25])
    logits, loss = constant(task, np.array([[0.0], [0.0], [1.0], [2.0], [np.nan], [-1.0]]))
    assert loss == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-4)
    np.testing.assert_allclose(torch.from_numpy(logits).softmax(0), shares, atol=1e-3)
    evidence = RULES["evidential"](3)
    alone = evidence.own_losses(task, {"x": votes["x"]}, {"x": torch.ones(3, dtype=torch.bool)}, target)
    alpha = torch.nn.functional.softplus(votes["x"][0]) + 1
    assert float(alone[0, 0]) == pytest.approx(-math.log(float(alpha[0] / alpha.sum())), rel=1e-5)


def test_modality_dropout_by_field_and_over_time() -> None:
    assert share_hidden(0.4, "constant", 0.9) == 0.4
    assert share_hidden(0.4, "rise", 0.25) == pytest.approx(0.1)
    assert share_hidden({"a": 0.4, "b": 0.2}, "fall", 0.25) == {"a": pytest.approx(0.3), "b": pytest.approx(0.15)}
    present = torch.ones(4_000, dtype=torch.bool)
    batch = pm_batch(present)
    (hidden,) = hide_some([batch], {"a": 0.4}, np.random.default_rng(0))
    assert hidden.fields["b"].present_B.all()
    assert float(hidden.fields["a"].present_B.float().mean()) == pytest.approx(0.6, abs=0.03)
    for one, other in zip(*(hide_some([batch], share, np.random.default_rng(1)) for share in (0.3, {"a": 0.3, "b": 0.3})), strict=True):
        assert all(torch.equal(one.fields[name].present_B, other.fields[name].present_B) for name in "ab")


def pm_batch(present: torch.Tensor) -> Any:
    from polymodal.flow import Batch, Field

    return Batch({name: Field({"input": torch.zeros(len(present), 1)}, present) for name in "ab"}, rows=list(range(len(present))))


# -- one step ------------------------------------------------------------------------------------------------------------


class Made:
    """Two fields of one number each over 60 rows, and trainers of equal models."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(0)
        label = np.arange(60) % 2
        strong, weak = label * 2 - 1 + 0.1 * rng.normal(size=60), 0.3 * label + rng.normal(size=60)
        rows = [{"a": f"{one:.3f}", "b": f"{two:.3f}" if at >= 30 else ""} for at, (one, two) in enumerate(zip(strong, weak, strict=True))]
        source = open_source(rows)
        self.read = {}
        for name in "ab":
            column = TabularConfig(columns=[name], types={name: "number"})
            self.read[name] = Tabular(column, Tabular.fit(column, source.cells([name]), "columns", {"bins": 8}, Roots()), Roots())
        self.store = Store(folder / "cells", self.read)
        self.store.fill(source, lambda *_: None)
        config = MulticlassConfig(column="y")
        number = RegressionConfig(column="z")
        self.tasks = {
            "y": config.task()(config, config.task().fit(config, [str(one) for one in label], "here")),
            "z": number.task()(number, number.task().fit(number, list(strong), "here")),
        }
        self.targets = {"y": label[:, None].astype(np.float32), "z": strong[:, None].astype(np.float32)}

    def trainer(
        self, balance: Any = None, names: str = "ab", tasks: str = "y", accumulate: int = 1, rows: int = 60, precision: Any = torch.float32,
        **settings: Any,
    ) -> Trainer:  # fmt: skip
        torch.manual_seed(0)
        some = {name: self.tasks[name] for name in tasks}
        config = ModelConfig(width=16, encoders={name: Columns(hidden=16, dropout=0.0) for name in names}, dropout=0.0)
        model = build(config, {name: self.read[name].state for name in names}, some)
        loader = Loader(self.store, np.arange(rows), {name: self.targets[name] for name in tasks}, None, batch_size=60, seed=3,
                        accumulate=accumulate, fields=list(names), augment=False, ahead=0)  # fmt: skip
        training = TrainingConfig(**{"modality_dropout": 0.0, **({"balance": balance} if balance is not None else {}), **settings})
        return Trainer("t", model, some, loader, lambda: Validated({}), training, epochs=4, seed=0,
                       device=torch.device("cpu"), precision=precision, observer=Observer())  # fmt: skip


def moved(trainer: Trainer, steps: int = 1) -> dict[str, torch.Tensor]:
    """What so many steps add to each parameter."""
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    for _ in range(steps):
        trainer.train_step(next(trainer.loader.epoch(1)), 1)
        trainer.progress.step += 1
    return {name: value.detach() - before[name] for name, value in trainer.model.named_parameters()}


@pytest.fixture
def made(tmp_path: Path) -> Any:
    made = Made(tmp_path)
    yield made
    made.store.close()


def test_the_encoder_that_is_ahead_takes_a_smaller_step_and_nothing_else_changes(made: Made) -> None:
    plain, held = made.trainer(), made.trainer(OGMGEConfig(alpha=0.7))
    (part,) = next(plain.loader.epoch(1)).parts
    with torch.no_grad():
        votes = plain.model(part.fields["a"], part.fields["b"]).votes["y"]
    sure = {}
    for name in "ab":
        chance_B = votes[name].softmax(1).gather(1, part.targets["y"].long())[:, 0]
        sure[name] = float(chance_B[part.fields[name].present_B].mean())
    ahead = max(sure, key=lambda name: sure[name])
    ratio = sure[ahead] / sure["b" if ahead == "a" else "a"]
    ahead_at = f"encoders.{'ab'.index(ahead)}."
    one, two = moved(plain), moved(held)
    for name, step in one.items():
        if name.startswith(ahead_at):
            torch.testing.assert_close(two[name], (1 - math.tanh(0.7 * ratio)) * step, rtol=1e-3, atol=1e-7)
        else:
            assert torch.equal(two[name], step), name
    assert held.progress.fields[ahead]["step"] == pytest.approx(1 - math.tanh(0.7 * ratio), rel=1e-5)


@pytest.mark.parametrize("tasks", ["y", "z", "yz"])
def test_a_batch_in_parts_is_held_back_alike(made: Made, tasks: str) -> None:
    whole, parts = (made.trainer(OGMGEConfig(noise=True), tasks=tasks, accumulate=count) for count in (1, 3))
    one, two = moved(whole, 3), moved(parts, 3)
    assert any(whole.progress.fields[name]["step"] < 3 for name in "ab")
    for name, step in one.items():
        torch.testing.assert_close(two[name], step, rtol=1e-2, atol=2e-5)
    for name in "ab":
        assert parts.progress.fields[name] == pytest.approx(whole.progress.fields[name], rel=1e-4)


def test_a_field_that_nobody_has_is_compared_with_nobody(made: Made) -> None:
    one, two = moved(made.trainer(rows=30)), moved(made.trainer(OGMGEConfig(alpha=5.0), rows=30))
    assert all(torch.equal(two[name], step) for name, step in one.items())


@pytest.mark.parametrize("balance", [OGMGEConfig(noise=True), GradientBlendingConfig()])
def test_one_field_has_nothing_to_balance(made: Made, balance: Any) -> None:
    one, two = moved(made.trainer(names="a"), 3), moved(made.trainer(balance, names="a"), 3)
    assert all(torch.equal(two[name], step) for name, step in one.items())


def test_a_scaler_s_gradients_are_unscaled_before_they_are_looked_at(made: Made) -> None:
    trainer, plain = made.trainer(OGMGEConfig(), precision=torch.float16), made.trainer(OGMGEConfig())
    assert trainer.scaler.is_enabled()
    step = next(trainer.loader.epoch(1))
    norms, other = trainer.gradient(step, 1).norms, plain.gradient(step, 1).norms
    assert norms == pytest.approx(other, rel=0.02)
    trainer.optimiser.zero_grad(set_to_none=True)
    assert all(torch.isfinite(value).all() for value in moved(made.trainer(OGMGEConfig(noise=True), precision=torch.float16), 3).values())


def test_an_encoder_s_rate_and_the_epoch_after_which_it_is_frozen(made: Made) -> None:
    plain, slow = moved(made.trainer()), moved(made.trainer(rates={"b": 0.25}))
    for name, step in plain.items():
        torch.testing.assert_close(slow[name], (0.25 if name.startswith("encoders.1.") else 1.0) * step, rtol=1e-3, atol=1e-7)
    trainer = made.trainer(freeze={"b": 1})
    trainer.run_epoch(1)
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    trainer.progress.at = 0
    trainer.run_epoch(2)
    for name, value in trainer.model.named_parameters():
        assert torch.equal(value, before[name]) == name.startswith("encoders.1."), name
    assert trainer.progress.fields["b"]["gradient"] < 1, "of two steps, the gradient of one"


def test_without_an_auxiliary_loss_a_vote_reads_its_encoder_and_teaches_it_nothing(made: Made) -> None:
    trainer = made.trainer(auxiliary=0.0)
    assert trainer.model.probing
    (part,) = next(trainer.loader.epoch(1)).parts
    output = trainer.model(part.fields["a"], part.fields["b"])
    sum(vote.sum() for voter, vote in output.votes["y"].items() if voter != FUSED).backward()
    assert all(parameter.grad is None for parameter in trainer.model.encoders.parameters())
    assert not any((step == 0).all() for name, step in moved(trainer).items() if name.startswith("vote_heads"))
    assert not made.trainer().model.probing


def test_shares_of_the_gradient_are_those_of_the_encoders_norms(made: Made) -> None:
    trainer = made.trainer(clip=1e-3)
    step = next(trainer.loader.epoch(1))
    told = trainer.gradient(step, 1).norms
    norms = {}
    for name, encoder in zip("ab", trainer.model.encoders, strict=True):
        norms[name] = math.sqrt(sum(float((parameter.grad**2).sum()) for parameter in encoder.parameters() if parameter.grad is not None))
    assert told["a"] / told["b"] == pytest.approx(norms["a"] / norms["b"], rel=1e-4)
    every = torch.cat([parameter.grad.flatten() for parameter in trainer.model.parameters() if parameter.grad is not None])
    assert float(every.norm()) == pytest.approx(1e-3, rel=1e-3), "and the gradient is clipped"


# -- who has stopped -----------------------------------------------------------------------------------------------------


def epoch(**fields: tuple[float, float]) -> EpochEvent:
    figures = {name: FieldFigures(loss, held_out, gradient=None, step=None) for name, (loss, held_out) in fields.items()}
    return EpochEvent("fused", 1, 1, 0.7, 1.0, 1.0, 0.0, complete=True, monitor=0.7, best=True, shown={}, metrics={}, fields=figures)


def test_a_field_that_has_learned_nothing_while_another_fits_is_told_of_once() -> None:
    begin, fits = epoch(a=(0.7, 0.7), b=(0.7, 0.7)), epoch(a=(0.1, 0.5), b=(0.65, 0.7))
    history = [begin, fits, fits, fits, fits]
    assert [silent(history[:end], 0.69) for end in range(1, 6)] == [{}, {}, {}, {"b": "a"}, {}]
    assert silent([begin, fits, fits, epoch(a=(0.1, 0.5), b=(0.6, 0.6))], 0.69) == {}, "it has learned something"
    assert silent([begin, begin, begin, begin], 0.69) == {}, "nobody fits the training rows"


@pytest.mark.parametrize(
    ("vote", "alone", "stopped"),
    [(0.52, 0.95, True), (0.9, 0.95, False), (0.5, 0.5, False), (0.45, 0.53, False), (0.95, 0.6, False), (0.7, 0.95, True)],
)
def test_a_field_has_stopped_where_its_vote_does_not_know_what_it_knows_alone(vote: float, alone: float, stopped: bool) -> None:
    config = MulticlassConfig(column="y")
    task = config.task()(config, config.task().fit(config, ["a", "b"], "here"))
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, (200, 1)).astype(np.float32)

    def right(share: float) -> np.ndarray:
        sure_N = np.where(rng.random(200) < share, target[:, 0], 1 - target[:, 0])
        return np.stack([1 - sure_N, sure_N], 1) * 0.8 + 0.1

    scores: dict[str, Any] = {"vote": right(vote), "alone": right(alone), "constant": np.full((200, 2), 0.5)}
    worth = {name: task.measure(target, found)[0]["accuracy"] for name, found in scores.items()}
    assert has_stopped(task, target, worth, scores) is stopped
    assert has_stopped(task, target, {**worth, "alone": None}, {**scores, "alone": None}) is None


# -- whole runs ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop(tmp_path_factory.mktemp("balance"))


@pytest.fixture(scope="module")
def unbroken(table: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("unbroken")
    for kind, words in KINDS.items():
        pm.train(table, *SETTINGS, *words, target="label", out=folder / kind)
    return {kind: folder / kind for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_balance_is_the_same_to_the_bit_also_when_resumed(table: Path, unbroken: dict[str, Path], tmp_path: Path, kind: str) -> None:
    assert len({digest(out) for out in unbroken.values()}) == len(KINDS)
    for step in (3, 7, 21):  # in an epoch, in the second one, in the second fold
        out = tmp_path / f"{step}"
        with pytest.raises(Broken):
            pm.train(table, *SETTINGS, *KINDS[kind], target="label", out=out, observers=[At(step, crash)])
        torch.manual_seed(step)
        pm.resume(out)
        assert digest(out) == digest(unbroken[kind])
        assert without_time(out) == without_time(unbroken[kind])
        assert curves(out) == curves(unbroken[kind])


def curves(out: Path) -> dict[Any, Any]:
    events = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return {(event["name"], event["epoch"]): event["fields"] for event in events if event["event"] == "epoch"}


def test_too_little_memory_does_not_change_who_is_held_back(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = (*SETTINGS, *KINDS["ogm_ge"], "training.baselines=false", "training.modality_dropout=0", "model.dropout=0", "training.augment=false",
             "model.encoders.photo.dropout=0", 'model.encoders."标题".kind=bag', 'model.encoders."标题".dropout=0',
             "model.encoders.columns.kind=tabular", "model.encoders.columns.dropout=0", "training.epochs=1")  # fmt: skip
    pm.train(table, *words, target="label", out=tmp_path / "whole")
    with monkeypatch.context() as patch:
        SmallMemory(5, patch)
        pm.train(table, *words, target="label", out=tmp_path / "parts")
    whole, parts = curves(tmp_path / "whole"), curves(tmp_path / "parts")
    for key, fields in whole.items():
        for name, facts in fields.items():
            assert parts[key][name] == pytest.approx(facts, rel=0.02), (key, name)


def test_every_epoch_tells_of_every_field(unbroken: dict[str, Path]) -> None:
    found = curves(unbroken["ogm_ge"])
    for (model, _), fields in found.items():
        alone = model.startswith("only ")
        assert list(fields) == [model.removeprefix("only ").partition(",")[0]] if alone else set(fields) == {"photo", "标题", "columns"}
        assert sum(facts["gradient"] for facts in fields.values()) == pytest.approx(1)
        assert all(facts["loss"] > 0 and facts["held_out"] > 0 for facts in fields.values())
        assert all(facts["step"] == 1 for facts in fields.values()) or not alone
    assert any(facts["step"] < 1 for fields in found.values() for facts in fields.values())


def test_what_each_field_did_is_measured_and_drawn(unbroken: dict[str, Path]) -> None:
    metrics = json.loads((unbroken["ogm_ge"] / "metrics.json").read_text(encoding="utf-8"))
    assert set(metrics["balance"]) == {"photo", "标题", "columns"}
    for name, by_task in metrics["balance"].items():
        told, alone = by_task["label"], metrics["baselines"][name]
        assert told["metric"] == "accuracy"
        assert told["alone"] == pytest.approx(alone["tasks"]["label"]["accuracy"])
        assert told["rows"] == alone["rows"]
        assert told["constant"] < 0.6
        assert told["stopped"] in (True, False)
    text = (unbroken["ogm_ge"] / "report.html").read_text(encoding="utf-8")
    assert "share of the gradient" in text
    assert "What each field learned in the fused model" in text
    assert not Page(text).open
    without = json.loads((unbroken["probes"] / "metrics.json").read_text(encoding="utf-8"))["balance"]
    assert all(told["label"]["alone"] is None is told["label"]["stopped"] for told in without.values())


def test_frozen_backbones_are_balanced_by_their_projections(table: Path, tmp_path: Path) -> None:
    from builders.tiny import tiny

    pretrained = ("model.encoders.photo.kind=pretrained", f"model.encoders.photo.model={tiny('vit')}", "data.split.kind=random",
                  "model.width=16", "training.epochs=2", "training.baselines=false")  # fmt: skip
    pm.train(table, *pretrained, *KINDS["ogm_ge"], target="label", out=tmp_path / "run")
    assert all(facts["photo"]["gradient"] > 0 for facts in curves(tmp_path / "run").values())


# -- settings ------------------------------------------------------------------------------------------------------------

TREE: dict[str, Any] = {
    "fields": {"photo": {"kind": "image", "column": "photo"}, "title": {"kind": "text", "column": "title"}},
    "tasks": {"label": {"kind": "multiclass", "column": "label"}},
}


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"training": {"rates": {"phot": 2}}}, "training.rates.phot: no such field; did you mean 'photo'?"),
        ({"training": {"freeze": {"titel": 2}}}, "training.freeze.titel: no such field; did you mean 'title'?"),
        ({"training": {"modality_dropout": {"zzz": 0.1}}}, "training.modality_dropout.zzz: no such field; the fields are photo, title"),
        ({"training": {"modality_dropout": {"photo": 1.0}}}, "training.modality_dropout: found {'photo': 1.0}; expected shares from 0 to under 1"),
        ({"training": {"modality_dropout": "some"}}, "training.modality_dropout: found 'some'; expected a share from 0 to under 1"),
        ({"training": {"rates": {"photo": 0}}}, "training.rates.photo: found 0; input should be greater than 0"),
        ({"training": {"balance": {"kind": "ogm"}}}, "training.balance.kind: 'ogm' is not on the menu; expected one of none, ogm_ge, gradient_blending"),
        ({"training": {"balance": {"kind": "ogm_ge", "alfa": 1}}}, "training.balance.alfa: unknown setting; did you mean 'training.balance.alpha'?"),
        ({"training": {"balance": {"kind": "ogm_ge"}}, "model": {"votes": False}},
         "training.balance.kind: found ogm_ge with model.votes: false; it needs the vote of each field; leave model.votes out"),
        ({"training": {"balance": {"kind": "gradient_blending"}}, "model": {"fusion": {"kind": "late"}}},
         "training.balance.kind: found gradient_blending with model.fusion.kind: late; expected a fusion with a loss of its own"),
    ],
)  # fmt: skip
def test_settings_that_do_not_go_together_are_refused(tree: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Experiment.of({**TREE, **tree})
    assert said in str(caught.value)


def test_settings_come_as_overrides_and_survive_a_round_trip(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(json.dumps(TREE))
    words = ["training.balance.kind=ogm_ge", "training.balance.end=3", "training.rates.photo=3e-1", "training.modality_dropout.title=5e-1"]
    found = Experiment.read(tmp_path / "run.yaml", words)
    assert found.training.balance == OGMGEConfig(end=3)
    assert found.training.modality_dropout == {"title": 0.5}
    assert Experiment.of(found.tree()) == found
