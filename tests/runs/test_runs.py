"""Tests of a whole run: its files, and the predictions of its bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polymodal as pm
import polymodal.ensemble.trainer
from builders.tables import FAST


def test_a_run_leaves_what_the_contract_names(shop_run: Path) -> None:
    for name in ("run.yaml", "log.jsonl", "faults.csv", "metrics.json", "bundle/bundle.json", "bundle/weights.safetensors", "checkpoints"):
        assert (shop_run / name).exists(), name
    metrics = json.loads((shop_run / "metrics.json").read_text())
    assert metrics["validation"]["rows"] == 101
    assert set(metrics["validation"]["hidden"]) == {"photo", "标题", "columns"}


def test_the_loaded_model_predicts_the_same_bits_and_the_right_classes(shop_folder: Path, shop_run: Path) -> None:
    model = pm.load(shop_run)
    first = model.predict_proba(shop_folder / "other.csv")
    assert first.shape == (70, 3)
    assert list(model.classes) == ["blue", "green", "red"]
    assert {type(name) for name in model.classes} == {str}
    np.testing.assert_array_equal(first, pm.load(shop_run / "bundle").predict_proba(shop_folder / "other.csv"))
    assert model.evaluate(shop_folder / "other.csv")["tasks"]["label"]["accuracy"] > 0.6


def test_the_run_trains_again_from_its_own_yaml_and_gives_the_same_bits(shop_run: Path) -> None:
    again = pm.train(shop_run / "run.yaml")
    first = pm.load(shop_run).bundle
    for one, two in zip(first.members, again.bundle.members, strict=True):
        for (name, value), other in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
            assert value.equal(other), name


def test_ctrl_c_saves_the_best_weights_and_exits_130(shop_folder: Path, tmp_path: Path) -> None:
    import signal
    import subprocess
    import sys
    import time

    out = tmp_path / "run"
    command = [sys.executable, "-m", "polymodal.cli.main", "train", str(shop_folder / "shop.csv"), "training.epochs=100000", "training.patience=100000",
               "data.split.kind=random", "model.width=16", "model.encoders.photo.channels=[8, 16]", "fields.photo.size=16",
               "--target", "label", "-o", str(out)]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log = out / "log.jsonl"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (log.exists() and '"epoch"' in log.read_text()):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert len(pm.load(out).predict(shop_folder / "other.csv")) == 70


def test_a_model_of_one_field_is_calibrated_like_the_whole() -> None:
    """Words that tell the class four times in five: a model that is surer than that is wrong about itself."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 800)
    told = np.where(rng.random(800) < 0.8, labels, 1 - labels)
    rows = {"text": [f"{('red', 'blue')[word]} thing {at % 7}" for at, word in enumerate(told)], "y": ["ab"[label] for label in labels]}
    model = pm.train(rows, "training.epochs=6", "data.split.folds=2", "model.width=16", target="y")
    assert model.bundle.members[0].voters == []
    assert model.metrics["validation"]["tasks"]["y"]["ece"] < 0.1
    assert model.metrics["validation"]["tasks"]["y"]["log_loss"] < 0.56  # of the truth itself: 0.50


def test_a_field_that_there_was_no_time_to_try_alone_is_named(shop_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polymodal.training.clock import Clock

    real = pm.ensemble.trainer.EnsembleTrainer.train_alone

    def slow(self: Any, plan: Any, name: str, most: int) -> Any:
        monkeypatch.setattr(Clock, "left", 0.5)  # after the first one the time is over
        return real(self, plan, name, most)

    monkeypatch.setattr(pm.ensemble.trainer.EnsembleTrainer, "train_alone", slow)
    settings = [setting for setting in FAST if "baselines" not in setting]
    model = pm.train(shop_folder / "shop.csv", *settings, target="label")
    assert list(model.metrics["baselines"]) == ["photo"]
    assert "'标题', 'columns' alone was not tried" in model.metrics["finding"]
