"""Tests of runs that are resumed, replaced or refused: nothing is lost, changed or overlooked."""

from __future__ import annotations

import io
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

import polymodal as pm
from builders.interruptions import Broken, digest
from builders.tables import FAST, shop
from polymodal.journal import Journal
from polymodal.training.events import Event, StepEvent
from polymodal.training.observers import Observer

SETTINGS = [setting for setting in FAST if "baselines" not in setting] + ["training.checkpoint_steps=1", "training.batch_size=16"]
ALONE = [*SETTINGS, "training.baselines=false"]


class At(Observer):
    """Breaks the run off after the n-th step."""

    def __init__(self, step: int) -> None:
        self.left = step

    def observe(self, event: Event) -> None:
        self.left -= isinstance(event, StepEvent)
        if isinstance(event, StepEvent) and self.left == 0:
            raise Broken


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop(tmp_path_factory.mktemp("restart"))


def broken(table: Any, out: Path, step: int, *overrides: str, **options: Any) -> Path:
    with pytest.raises(Broken):
        pm.train(table, *ALONE, *overrides, target="label", out=out, observers=[At(step)], **options)
    return out


def test_decisions_for_other_settings_are_forgotten(tmp_path: Path) -> None:
    journal = Journal(
        tmp_path / "ledger.json", decisions={"plan": 1, "trees fold_0": 2, "trees fold_1": 3, "began": ["fold_0"], "treesome": 4}
    )
    journal.forget("plan", "trees")
    assert journal.decisions == {"began": ["fold_0"], "treesome": 4}


# -- time ----------------------------------------------------------------------------------------------------------------


def test_a_late_resume_keeps_every_model_that_had_its_time(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polymodal.ensemble.further.MOST_NETWORKS", 1)  # a late run has no time for others
    limit = "training.time_limit=1h"
    whole = pm.train(table, *SETTINGS, limit, target="label", out=tmp_path / "whole")
    out = tmp_path / "run"
    with pytest.raises(Broken):
        pm.train(table, *SETTINGS, limit, target="label", out=out, observers=[At(90)])
    late = pm.resume(out, start=time.monotonic() - 100_000)
    assert digest(out) == digest(tmp_path / "whole")
    assert set(late.metrics["baselines"]) == set(whole.metrics["baselines"])
    assert late.metrics["seconds"]["total"] > 100_000


def test_another_time_limit_is_the_limit_from_then_on(table: Path, tmp_path: Path) -> None:
    endless = ("training.epochs=5000", "training.patience=5000")
    out = broken(table, tmp_path / "run", 3, *endless)
    model = pm.resume(out, "training.time_limit=4s")
    assert model.metrics["members"][0]["stopped"] == "the time limit"
    out = broken(table, tmp_path / "other", 3, "training.time_limit=1h")
    assert pm.resume(out, "training.time_limit=null").metrics["members"][0]["stopped"] != "the time limit"


# -- starting from an earlier run ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def donor(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("donor") / "run"
    pm.train(table, *ALONE, "seed=5", target="label", out=out)
    return out


def test_training_from_an_earlier_run_is_resumed_to_the_bit(
    table: Path, tmp_path: Path, donor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(donor.parent)
    pm.train(table, *ALONE, "training.init=run", target="label", out=tmp_path / "whole")
    for step in (2, 12, 13):
        out = broken(table, tmp_path / f"run_{step}", step, "training.init=run")
        monkeypatch.chdir(tmp_path)
        pm.resume(out)
        monkeypatch.chdir(donor.parent)
        assert digest(out) == digest(tmp_path / "whole"), step


def test_another_donor_is_told_and_one_that_is_gone_too(table: Path, tmp_path: Path, donor: Path) -> None:
    shutil.copytree(donor, tmp_path / "donor")
    out = broken(table, tmp_path / "run", 3, f"training.init={tmp_path / 'donor'}")
    pm.train(table, *ALONE, "seed=6", "training.epochs=1", target="label", out=tmp_path / "donor", overwrite=True)
    with pytest.raises(pm.UserError, match=r"training\.init: other data than before"):
        pm.resume(out)
    with pytest.raises(pm.UserError, match="no such folder"):
        pm.train(table, *ALONE, "training.init=nowhere", target="label", out=tmp_path / "never")
    assert not (tmp_path / "never").exists()


# -- replacing -----------------------------------------------------------------------------------------------------------


def test_what_cannot_be_trained_on_does_not_cost_the_run_that_was_there(table: Path, tmp_path: Path, donor: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(donor, out)
    before = {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != ".lock"}
    bad = table.with_name("bad.csv")
    bad.write_text(table.read_text(encoding="utf-8").replace("photos/", "nowhere/"), encoding="utf-8")
    with pytest.raises(pm.UserError, match="cells cannot be read"):
        pm.train(bad, *ALONE, target="label", out=out, overwrite=True)
    assert {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != ".lock"} == before
    with pytest.raises(pm.UserError, match=r"contains .*, so it is not replaced"):
        pm.train(table, *ALONE, f"training.init={out}", target="label", out=out, overwrite=True)
    pm.train(table, *ALONE, target="label", out=out, overwrite=True)
    assert digest(out) != digest(donor)
    assert not (out / ".replaced").exists()


def test_a_refused_resume_leaves_the_run_as_it_was(table: Path, tmp_path: Path) -> None:
    out = broken(table, tmp_path / "run", 5)
    before = (out / "run.yaml").read_bytes()
    assert b"# auto takes folds" in before
    other = shop(tmp_path / "other", 60)
    with pytest.raises(pm.UserError, match="other data than before"):
        pm.resume(out, table=other)
    assert (out / "run.yaml").read_bytes() == before
    moved = tmp_path / "moved"
    shutil.copytree(table.parent, moved)
    pm.resume(out, table=moved / table.name)
    assert f"table: {moved}" in (out / "run.yaml").read_text(encoding="utf-8")
    assert "# auto takes folds" in (out / "run.yaml").read_text(encoding="utf-8")


# -- what cannot be forced -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "override",
    ["seed=1", "data.split.folds=3", "model.width=24", "fields.extra={kind: text, column: region}", "data.split.kind=random",
     'model.encoders."标题".kind=text_transformer', "tasks.label={kind: multilabel, column: label}", "fields.columns.columns=[price]"],
)  # fmt: skip
def test_another_model_or_other_rows_held_out_cannot_be_forced(table: Path, tmp_path: Path, override: str) -> None:
    out = broken(table, tmp_path / "run", 3)
    before = (out / "run.yaml").read_bytes()
    with pytest.raises(pm.UserError, match="train anew in another folder"):
        pm.resume(out, override, force=True)
    assert (out / "run.yaml").read_bytes() == before


def test_other_rows_cannot_be_forced_and_other_cells_can(table: Path, tmp_path: Path) -> None:
    own = shop(tmp_path / "own", 60)
    out = broken(own, tmp_path / "run", 3)
    text = own.read_text(encoding="utf-8")
    own.write_text("\n".join(text.splitlines()[:-1]) + "\n", encoding="utf-8")
    with pytest.raises(pm.UserError, match="train anew in another folder"):
        pm.resume(out, force=True)
    own.write_text(text.replace("river", "brook"), encoding="utf-8")
    pm.resume(out, force=True)


# -- tables ----------------------------------------------------------------------------------------------------------------


def test_another_test_table_is_told(table: Path, tmp_path: Path) -> None:
    test = shop(tmp_path / "test", 40, seed=3)
    out = broken(table, tmp_path / "run", 3, test=test)
    test.write_text("\n".join(test.read_text(encoding="utf-8").splitlines()[:20]) + "\n", encoding="utf-8")
    with pytest.raises(pm.UserError, match="test table: other data than before"):
        pm.resume(out)
    assert not pm.check(out).ok


@pytest.mark.parametrize("name", ["valid", "test"])
def test_tables_from_memory_are_all_asked_for_again(table: Path, tmp_path: Path, name: str) -> None:
    import pandas

    other = shop(tmp_path / "other", 40, seed=3)
    frame = pandas.read_csv(other)
    root = [other.parent]
    pm.train(table, *ALONE, target="label", out=tmp_path / "whole", root=root, **{name: frame})
    out = broken(table, tmp_path / "run", 3, root=root, **{name: frame})
    with pytest.raises(pm.UserError, match=f"its {name} came from memory"):
        pm.resume(out)
    model = pm.resume(out, **{name: frame})
    assert digest(out) == digest(tmp_path / "whole")
    assert ("test" in model.metrics) == (name == "test")


def test_a_test_table_that_cannot_be_measured_does_not_cost_the_model(table: Path, tmp_path: Path) -> None:
    test = shop(tmp_path / "test", 40, seed=3)
    shutil.rmtree(tmp_path / "test" / "photos")
    model = pm.train(table, *ALONE, "training.epochs=1", target="label", out=tmp_path / "run", test=test, on_error="error")
    assert "test" not in model.metrics
    assert "the test table was not measured: " in (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8")


# -- runs that have ended --------------------------------------------------------------------------------------------------


def test_a_run_that_has_ended_takes_no_changes(donor: Path, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(donor, out)
    with pytest.raises(pm.UserError, match=r"training has ended, so nothing can be changed \(training\.lr: was 0\.001, is 5"):
        pm.resume(out, "training.lr=5", force=True)
    with pytest.raises(pm.ConfigError, match="nonsense"):
        pm.resume(out, "training.nonsense=1")
    shutil.rmtree(out / "checkpoints")
    with pytest.raises(pm.UserError, match=r"a bundle without checkpoints; expected checkpoints/ledger.json"):
        pm.resume(out)
    assert digest(out) == digest(donor)


# -- spoiled weights, deaf observers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [["training.lr=1e30"], ["training.lr=1e30", "training.epochs=1", "training.batch_size=1000"]])
def test_a_model_that_answers_nothing_finite_is_an_error(table: Path, tmp_path: Path, settings: list[str]) -> None:
    with pytest.raises(pm.TrainingError, match=r"lower training\.lr"):
        pm.train(table, *ALONE, *settings, target="label", out=tmp_path / "run")
    assert not (tmp_path / "run" / "bundle").exists()


def test_weights_that_are_spoiled_later_give_way_to_the_best_ones(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np
    import torch

    from polymodal.training.trainer import Trainer

    real = Trainer.run_epoch

    def run_epoch(self: Trainer, epoch: int) -> bool:
        complete = real(self, epoch)
        if epoch == 2:
            with torch.no_grad():
                for parameter in self.model.parameters():
                    parameter.fill_(float("inf"))
        return complete

    monkeypatch.setattr(Trainer, "run_epoch", run_epoch)
    model = pm.train(table, *ALONE, target="label")
    assert model.metrics["members"][0]["stopped"].startswith("its predictions for validation rows are not finite")
    assert np.isfinite(model.predict_proba(table)).all()


def test_a_console_that_nobody_reads_any_more_stops_nothing(table: Path) -> None:
    class Closed(io.StringIO):
        lines = 0

        def write(self, text: str) -> int:
            self.lines += 1
            if self.lines > 2:
                raise BrokenPipeError(32, "Broken pipe")
            return len(text)

    assert (
        pm.train(table, *ALONE, "training.epochs=1", target="label", observers=[pm.Console(Closed())]).metrics["validation"]["rows"] == 101
    )


def test_seconds_of_a_killed_process_count(table: Path, tmp_path: Path) -> None:
    with pytest.raises(Broken):
        pm.train(table, *ALONE, target="label", out=tmp_path / "run", observers=[At(5)], start=time.monotonic() - 1_000)
    assert pm.resume(tmp_path / "run").metrics["seconds"]["total"] > 1_000
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["seconds"]["total"] > 1_000
