"""Tests of interrupted runs: the resumed run ends with the same bits, and differences from its beginning are reported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import polymodal as pm
from builders.interruptions import SETTINGS, At, Broken, crash, digest, interrupt, without_time
from builders.tables import shop
from polymodal.journal import Journal
from polymodal.runs import Interrupted, resume
from polymodal.storage import Lock
from polymodal.training.checkpoint import BrokenCheckpoint, seal, unseal
from polymodal.training.events import CheckpointEvent, EpochEvent, Event, StepEvent
from polymodal.training.observers import Observer


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop(tmp_path_factory.mktemp("resume"))


@pytest.fixture(scope="module")
def unbroken(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("unbroken") / "run"
    pm.train(table, *SETTINGS, target="label", out=out)
    return out


def broken(table: Path, out: Path, step: int, act: Any = crash, *overrides: str) -> Path:
    with pytest.raises((Broken, Interrupted)):
        pm.train(table, *SETTINGS, *overrides, target="label", out=out, observers=[At(step, act)])
    return out


@pytest.mark.parametrize(
    ("step", "act"),
    [(1, crash), (3, crash), (4, crash), (7, crash), (12, crash), (13, crash), (26, crash), (96, crash), (1, interrupt), (12, interrupt),
     (50, interrupt), (4, terminate), (24, terminate)],
)  # fmt: skip
def test_a_run_broken_off_anywhere_ends_with_the_same_bits(table: Path, unbroken: Path, tmp_path: Path, step: int, act: Any) -> None:
    out = broken(table, tmp_path / "run", step, act)
    torch.manual_seed(step)
    resume(out)
    assert digest(out) == digest(unbroken)
    assert without_time(out) == without_time(unbroken)
    assert not list((out / "checkpoints").glob("*last*")), "nothing is in training any more"


def test_a_single_model_that_was_trained_answers_again_when_resumed(table: Path, tmp_path: Path) -> None:
    """Its answers are not kept with its weights, as those of folds are."""
    words = ("data.split.kind=random", "data.split.valid=0.3", "training.epochs=1")
    pm.train(table, *SETTINGS, *words, target="label", out=tmp_path / "whole")
    out = broken(table, tmp_path / "run", 8, crash, *words)  # 84 rows, 6 steps; then in the first single field
    _, facts = unseal((out / "checkpoints" / "fold_0.safetensors").read_bytes())
    assert facts["answers"] is None
    resume(out)
    assert digest(out) == digest(tmp_path / "whole")
    assert without_time(out) == without_time(tmp_path / "whole")


def test_broken_off_again_and_again(table: Path, unbroken: Path, tmp_path: Path) -> None:
    out = broken(table, tmp_path / "run", 3)
    for step in (2, 5, 9, 3, 17, 3):
        with pytest.raises((Broken, Interrupted)):
            resume(out, observers=[At(step, crash if step % 2 else interrupt)])
    resume(out)
    assert digest(out) == digest(unbroken)


def test_workers_and_the_store_s_limit_may_change(table: Path, unbroken: Path, tmp_path: Path) -> None:
    out = broken(table, tmp_path / "run", 9)
    resume(out, "training.workers=0", "data.cache_gb=0", "report.language=zh")
    assert digest(out) == digest(unbroken)
    assert '<html lang="zh' in (out / "report.html").read_text(encoding="utf-8")
    assert '<html lang="en' in (unbroken / "report.html").read_text(encoding="utf-8")


def test_an_interrupted_run_answers_and_a_run_that_has_ended_is_given_back(table: Path, unbroken: Path, tmp_path: Path) -> None:
    out = broken(table, tmp_path / "run", 6, interrupt)
    assert len(pm.load(out).predict(table)) == 120
    first = resume(out).predict_proba(table)
    before = (out / "log.jsonl").read_bytes()
    assert (resume(out).predict_proba(table) == first).all()
    assert (out / "log.jsonl").read_bytes() == before


@pytest.mark.parametrize("how", ["cut", "flipped", "emptied", "removed", "pickled"])
def test_a_checkpoint_that_was_damaged_is_passed_over_for_the_one_before(table: Path, unbroken: Path, tmp_path: Path, how: str) -> None:
    out = broken(table, tmp_path / "run", 9)
    last = out / "checkpoints" / "last.safetensors"
    body = last.read_bytes()
    if how == "removed":
        last.unlink()
    else:
        flipped = body[:-100] + bytes([body[-100] ^ 1]) + body[-99:]
        last.write_bytes({"cut": body[: len(body) // 2], "flipped": flipped, "emptied": b"", "pickled": b"\x80\x04N."}[how])
    resume(out)
    assert digest(out) == digest(unbroken)
    if how != "removed":
        assert ": ignored, " in (out / "log.jsonl").read_text()


def test_without_any_checkpoint_a_model_is_trained_from_its_start(table: Path, unbroken: Path, tmp_path: Path) -> None:
    out = broken(table, tmp_path / "run", 30)
    for path in (out / "checkpoints").glob("*.safetensors"):
        path.write_bytes(b"nothing")
    resume(out)
    assert digest(out) == digest(unbroken)


def test_every_bit_of_a_checkpoint_is_under_its_seal() -> None:
    body = seal({"a": torch.arange(5.0), "b": torch.zeros(0, 3)}, {"step": 7, "note": '"sha256":"' + "0" * 64})
    tensors, facts = unseal(body)
    assert facts["step"] == 7
    assert tensors["a"].tolist() == [0, 1, 2, 3, 4]
    assert tensors["b"].shape == (0, 3)
    for at in range(len(body)):
        with pytest.raises(BrokenCheckpoint):
            unseal(body[:at] + bytes([body[at] ^ 4]) + body[at + 1 :])
    for at in range(len(body)):
        with pytest.raises(BrokenCheckpoint):
            unseal(body[:at])


# -- what differs --------------------------------------------------------------------------------------------------------


def test_other_settings_are_told_by_their_paths(table: Path, tmp_path: Path) -> None:
    out = broken(table, tmp_path / "run", 9)
    with pytest.raises(pm.UserError, match=r"training\.lr: was 0\.001, is 0\.01(.|\n)*force=True"):
        resume(out, "training.lr=0.01")
    text = (out / "run.yaml").read_text().replace("epochs: 3", "epochs: 4")
    (out / "run.yaml").write_text(text)
    with pytest.raises(pm.UserError, match=r"training\.epochs: was 3, is 4"):
        resume(out)
    assert resume(out, force=True).metrics["validation"]["rows"] == 101


def test_other_data_is_told_by_what_it_is(tmp_path: Path) -> None:
    table = shop(tmp_path / "data", 60)
    out = broken(table, tmp_path / "run", 5)
    text = table.read_text(encoding="utf-8")
    lines = text.splitlines()
    table.write_text("\n".join([*lines[:-1], lines[-1].replace(lines[-1].split(",")[1], "something else")]) + "\n", encoding="utf-8")
    with pytest.raises(pm.UserError) as error:
        resume(out)
    assert "field '标题': other data than before" in str(error.value)
    assert "photo" not in str(error.value)
    table.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    with pytest.raises(pm.UserError, match="rows: were 60, are 59"):
        resume(out)
    table.write_text(text, encoding="utf-8")
    photo = next((tmp_path / "data" / "photos").glob("*_0007.png"))
    body = photo.read_bytes()
    photo.write_bytes(next((tmp_path / "data" / "photos").glob("*_0008.png")).read_bytes())
    with pytest.raises(pm.UserError, match="field 'photo': other data"):
        resume(out)
    photo.write_bytes(body)
    assert resume(out).metrics["rows"]["table"] == 60, "a refusal leaves the run as it was"


def test_other_code_is_told_by_its_version(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = broken(table, tmp_path / "run", 5)
    monkeypatch.setattr("polymodal.journal.versions.torch.__version__", "2.0.0")
    with pytest.raises(pm.UserError, match=r"torch: was .*, is 2\.0\.0"):
        resume(out)
    resume(out, force=True)
    assert "resumed all the same (--force): torch" in (out / "log.jsonl").read_text()


def test_a_table_from_memory_is_asked_for_again(tmp_path: Path) -> None:
    rows = {"x": [0.1 * at for at in range(40)], "y": ["a" if at < 20 else "b" for at in range(40)]}
    settings = ("training.epochs=4", "data.split.folds=2", "training.checkpoint_steps=1")
    with pytest.raises(Broken):
        pm.train(rows, *settings, target="y", out=tmp_path / "run", observers=[At(3, crash)])
    with pytest.raises(pm.UserError, match="its table came from memory"):
        resume(tmp_path / "run")
    resume(tmp_path / "run", table=rows)
    pm.train(rows, *settings, target="y", out=tmp_path / "whole")
    assert digest(tmp_path / "run") == digest(tmp_path / "whole")


def test_a_run_killed_before_training_begins_from_its_start(
    table: Path, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("polymodal.runs.run.prepare", lambda *_: crash())
        with pytest.raises(Broken):
            pm.train(table, *SETTINGS, target="label", out=tmp_path / "run")
    resume(tmp_path / "run")
    assert digest(tmp_path / "run") == digest(unbroken)


def test_what_the_clock_decided_is_decided_alike(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polymodal.training.trainer import Trainer

    real = Trainer._time_is_over

    def over(self: Trainer) -> bool:  # the time is over in the second epoch of every model
        self.deadline = 0.0 if self.progress.step >= 6 else float("inf")
        return real(self)

    class OnEpoch(Observer):
        seen = 0

        def observe(self, event: Event) -> None:
            self.seen += isinstance(event, EpochEvent)
            if isinstance(event, EpochEvent) and self.seen == 2:  # the time was over in the middle of it, and that is written down
                crash()

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_time_is_over", over)
        pm.train(table, *SETTINGS, target="label", out=tmp_path / "whole")
        with pytest.raises(Broken):
            pm.train(table, *SETTINGS, target="label", out=out, observers=[OnEpoch()])
    decisions = Journal.read(out / "checkpoints" / "ledger.json").decisions  # type: ignore[union-attr]
    assert decisions["fold_0"]["stop"] == 6

    def over_elsewhere(self: Trainer) -> bool:
        self.deadline = 0.0 if self.progress.step >= 6 and self.name != "fused, fold 1" else float("inf")
        return real(self)

    monkeypatch.setattr(Trainer, "_time_is_over", over_elsewhere)
    resume(out)
    assert digest(out) == digest(tmp_path / "whole")


# -- one process at a time ---------------------------------------------------------------------------------------------


def test_a_second_process_is_refused_and_a_dead_one_s_lock_is_no_lock(table: Path, unbroken: Path, tmp_path: Path) -> None:
    out = broken(table, tmp_path / "run", 5)
    code = f"import sys, time; from polymodal.storage import Lock; from pathlib import Path\nwith Lock(Path({str(out)!r})): print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    for act in (lambda: resume(out), lambda: pm.train(table, *SETTINGS, target="label", out=out, overwrite=True)):
        with pytest.raises(pm.UserError, match=rf"another process \({process.pid} on .*\) is training here"):
            act()
    process.kill()
    process.communicate()
    assert (out / Lock.NAME).read_text(), "the dead one left its name behind"
    resume(out)
    assert digest(out) == digest(unbroken)


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_save_at_the_next_step_and_the_command_goes_on(table: Path, tmp_path: Path, number: int, code: int) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "polymodal.cli.main", "train"]
    settings = [*SETTINGS, "training.epochs=2000", "training.patience=2000", "training.checkpoint_steps=null", "training.baselines=false"]
    process = subprocess.Popen([*command, str(table), *settings, "--target", "label", "-o", str(out)], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not ((out / "log.jsonl").exists() and '"epoch"' in (out / "log.jsonl").read_text()):
        time.sleep(0.05)
    assert not (out / "checkpoints" / "last.safetensors").exists(), "it is not yet time for a checkpoint"
    process.send_signal(number)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == code, said
    assert f"polymodal train --resume {out}" in said
    assert "Traceback" not in said
    assert (out / "checkpoints" / "last.safetensors").exists()
    refused = subprocess.run([*command, "--resume", str(out), "training.epochs=2"], capture_output=True, text=True, timeout=120)
    assert refused.returncode == 2
    assert "training.epochs: was 2000, is 2" in refused.stderr
    done = subprocess.run([*command, "--resume", str(out), "training.epochs=2", "--force"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_second_signal_ends_the_run_at_once(table: Path, tmp_path: Path) -> None:
    class Twice(Observer):
        requested = False

        def observe(self, event: Event) -> None:
            if isinstance(event, StepEvent) and not self.requested:
                self.requested = True
                interrupt()
            elif isinstance(event, CheckpointEvent):
                interrupt()

    with pytest.raises(KeyboardInterrupt):
        pm.train(table, *SETTINGS, target="label", out=tmp_path / "run", observers=[Twice()])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resume", "nowhere"], "contains no run.yaml"),
        (["--resume", "RUN", "--seed", "1"], "--seed beside --resume"),
        (["--resume", "RUN", "--target", "x"], "--target beside --resume"),
        (["--force", "TABLE"], "--force without --resume"),
        ([], "missing TABLE"),
    ],
)
def test_mistakes_with_resume(unbroken: Path, arguments: list[str], said: str) -> None:
    from click.testing import CliRunner

    from polymodal.cli.main import main

    found = CliRunner().invoke(main, ["train", *(part.replace("RUN", str(unbroken)) for part in arguments)])
    assert found.exit_code == 2
    assert said in found.output


def test_a_run_killed_in_its_first_moments_is_no_stranger_s_folder(table: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / Lock.NAME).touch()
    with pytest.raises(pm.UserError, match=r"contains no run\.yaml; .*--overwrite"):
        resume(tmp_path / "run")
    pm.train(table, *SETTINGS, "training.epochs=1", "training.baselines=false", target="label", out=tmp_path / "run", overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(pm.UserError, match="not a run"):
        pm.train(table, *SETTINGS, target="label", out=tmp_path / "other", overwrite=True)
