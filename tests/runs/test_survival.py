"""Tests of runs with little memory, infinite losses, ended threads or full disks: they continue, or end with a message and whole files."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import polymodal as pm
from builders.memory import SmallMemory
from builders.tables import FAST, shop
from polymodal.training.checkpoint import unseal
from polymodal.training.events import Event, StepEvent, WarningEvent
from polymodal.training.observers import Observer
from polymodal.training.trainer import Trainer

SETTINGS = (*FAST, "training.batch_size=16", "training.checkpoint_steps=1")
"""Two folds of 60 rows: 4 steps an epoch, 3 epochs, 24 steps in all."""


class Broken(BaseException):
    """A process that ends in the middle, as far as the run can see."""


class Heard(Observer):
    """Keeps warnings, and can break the run off."""

    def __init__(self, crash_at: int = 0) -> None:
        self.warnings: list[str] = []
        self.steps, self.crash_at = 0, crash_at

    def observe(self, event: Event) -> None:
        if isinstance(event, WarningEvent):
            self.warnings.append(event.text)
        self.steps += isinstance(event, StepEvent)
        if isinstance(event, StepEvent) and self.steps == self.crash_at:
            raise Broken


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop(tmp_path_factory.mktemp("survival"))


def digest(out: Path) -> str:
    return hashlib.sha256((out / "bundle" / "weights.safetensors").read_bytes()).hexdigest()


# -- memory --------------------------------------------------------------------------------------------------------------


def test_too_little_memory_halves_the_part_and_keeps_the_batch(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = Heard()
    machine = SmallMemory(5, monkeypatch)
    pm.train(table, *SETTINGS, target="label", out=tmp_path / "run", observers=[heard])
    assert max(machine.sizes) == 4
    assert sum(machine.sizes) == 3 * 101, "every row of every epoch, once: 101 of 120 train one of two folds"
    assert heard.warnings[:2] == [
        "fused, fold 1, epoch 1, step 1: out of memory; from now on a batch is computed 8 rows at a time (training.accumulate=2)",
        "fused, fold 1, epoch 1, step 1: out of memory; from now on a batch is computed 4 rows at a time (training.accumulate=4)",
    ]
    assert heard.warnings[0] in (tmp_path / "run" / "log.jsonl").read_text()


def test_what_memory_decided_is_replayed_on_a_larger_machine(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        SmallMemory(8, patch)
        pm.train(table, *SETTINGS, target="label", out=tmp_path / "whole")
    decided = json.loads((tmp_path / "whole" / "checkpoints" / "ledger.json").read_text())["decisions"]
    assert decided["fold_0"]["parts"] == [[0, 2]]
    with monkeypatch.context() as patch:
        SmallMemory(8, patch)
        with pytest.raises(Broken):  # before its first checkpoint: only the ledger knows
            pm.train(table, *SETTINGS, "training.checkpoint_steps=100", target="label", out=tmp_path / "run", observers=[Heard(3)])
    assert not list((tmp_path / "run" / "checkpoints").glob("*.safetensors"))
    with monkeypatch.context() as patch:
        real = Trainer._take_smaller_parts  # the second fold meets the small machine again, the first one must not need to
        SmallMemory(8, patch)
        patch.setattr(
            Trainer, "_take_smaller_parts", lambda self, step: pytest.fail("replayed") if "fold 1" in self.name else real(self, step)
        )
        pm.resume(tmp_path / "run")
    assert digest(tmp_path / "run") == digest(tmp_path / "whole")


def test_no_room_for_a_single_row_ends_with_a_way_out(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SmallMemory(0, monkeypatch)
    with pytest.raises(pm.TrainingError, match=r"step 1: out of memory with a single row at a time; .*model\.width"):
        pm.train(table, *SETTINGS, target="label")


# -- losses that are not finite ------------------------------------------------------------------------------------------


def poison(monkeypatch: pytest.MonkeyPatch, rows: set[int], what: str = "loss") -> None:
    """The loss of these rows (1 = first) is not finite; or its gradient is not."""
    from polymodal.training.objective import Objective

    real = Objective.loss

    class Inf(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, value: torch.Tensor) -> torch.Tensor:
            return value.clone()

        @staticmethod
        def backward(ctx: Any, *gradient: torch.Tensor) -> Any:
            return gradient[0] * float("inf")

    def loss(self: Any, output: Any, part: Any, *more: Any) -> Any:
        bad = [at for at, row in enumerate(part.rows) if row in rows]
        total = real(self, output, part, *more)
        if not bad:
            return total
        if what == "loss":
            for logits in (output.logits["label"], *output.votes["label"].values()):
                logits[bad] = float("nan")
            return total * float("nan")
        return Inf.apply(total)

    monkeypatch.setattr(Objective, "loss", loss)


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_a_step_that_is_not_finite_is_undone_and_told_by_its_rows(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    heard = Heard()
    poison(monkeypatch, {7}, what)
    model = pm.train(table, *SETTINGS, target="label", out=tmp_path / "run", observers=[heard])
    assert len(heard.warnings) == 3, "row 7 trains in one fold, in each of three epochs"
    for epoch, text in enumerate(heard.warnings, 1):
        assert f"epoch {epoch}, step " in text
        assert "step undone and skipped" in text
        assert ("the loss is nan, in rows 7;" if what == "loss" else "the gradient is nan, in rows ") in text
    assert np.isfinite(model.predict_proba(table)).all()


def test_undone_steps_are_undone_alike_when_resumed(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, {7, 30, 31})
    pm.train(table, *SETTINGS, target="label", out=tmp_path / "whole")
    for step in (2, 5, 9, 14):
        with pytest.raises(Broken):
            pm.train(table, *SETTINGS, target="label", out=tmp_path / f"run_{step}", observers=[Heard(step)])
        pm.resume(tmp_path / f"run_{step}")
        assert digest(tmp_path / f"run_{step}") == digest(tmp_path / "whole")


def test_too_many_such_steps_end_the_run_and_leave_its_checkpoint(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, set(range(1, 121)))
    with pytest.raises(
        pm.TrainingError, match=r"step 4: the loss is nan, in rows .*; 4 such steps, expected at most 3 .*lower training\.lr"
    ):
        pm.train(table, *SETTINGS, "training.bad_steps=3", target="label", out=tmp_path / "run")
    assert unseal((tmp_path / "run" / "checkpoints" / "last.safetensors").read_bytes())[1]["progress"]["bad"] == [0, 1, 2]


def test_two_bad_steps_in_a_row_bring_the_best_weights_back(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, heard = Trainer.gradient, Heard()

    def gradient(self: Trainer, step: Any, epoch: int) -> Any:
        if self.progress.step in (5, 6):  # as if a step had spoiled the weights themselves
            with torch.no_grad():
                next(self.model.parameters()).fill_(float("nan"))
        return real(self, step, epoch)

    monkeypatch.setattr(Trainer, "gradient", gradient)
    model = pm.train(table, *SETTINGS, target="label", observers=[heard])
    assert any("the weights of epoch 1 are restored" in text for text in heard.warnings), heard.warnings
    assert np.isfinite(model.predict_proba(table)).all()


# -- the thread that prepares batches ------------------------------------------------------------------------------------


def test_a_dead_thread_is_an_error_and_never_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    from polymodal.data import loader

    monkeypatch.setattr(loader, "_PATIENCE", 0.1)

    class Killed(threading.Thread):
        def run(self) -> None:  # ends without a word, as a thread does whose interpreter state is gone
            return

    monkeypatch.setattr("polymodal.data.loader.threading.Thread", Killed)
    with pytest.raises(pm.TrainingError, match=r"the thread that prepares batches has died; .*training\.workers=0"):
        next(loader.prefetched(iter([]), 2))


def test_an_error_while_preparing_reaches_the_run(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polymodal.data.store import Store

    def sample(self: Store, field: str, number: int) -> Any:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Store, "sample", sample)
    with pytest.raises(pm.UserError, match="Input/output error"):
        pm.train(table, *SETTINGS, target="label", out=tmp_path / "run")


# -- disks ---------------------------------------------------------------------------------------------------------------

COMMAND = [sys.executable, "-m", "polymodal.cli.main", "train"]


def train_command(table: Path, out: Path, *more: str) -> list[str]:
    return [*COMMAND, str(table), *SETTINGS, "--target", "label", "-o", str(out), *more]


def test_a_file_that_may_not_grow_leaves_the_checkpoints_whole_and_the_run_goes_on_later(table: Path, tmp_path: Path) -> None:
    out, settings = tmp_path / "run", (*SETTINGS, "model.width=128")  # weights larger than the stored cells
    pm.train(table, *settings, target="label", out=tmp_path / "whole")
    with pytest.raises(Broken):
        pm.train(table, *settings, target="label", out=out, observers=[Heard(5)])
    last = out / "checkpoints" / "last.safetensors"
    before = last.read_bytes()
    limit = len(before) * 9 // 20

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = subprocess.run([*COMMAND, "--resume", str(out)], preexec_fn=bound, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert (
        " ".join(done.stderr.split()).count("checkpoint not written (File too large); the one before it is valid; training continues") == 2
    ), "once a model"
    assert f"polymodal train --resume {out}" in done.stderr
    assert last.read_bytes() == before
    assert not [path for path in (out / "checkpoints").iterdir() if path.name.startswith(".last")], "nothing half written is left behind"
    pm.resume(out)
    assert digest(out) == digest(tmp_path / "whole")


def in_namespace(script: str) -> subprocess.CompletedProcess[str]:
    """A shell script in a mount namespace of its own: what it mounts is gone with it."""
    flags = ["-m"] if os.geteuid() == 0 else ["-rm"]
    if subprocess.run(["unshare", *flags, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode:
        pytest.skip("this system lets nobody mount")
    return subprocess.run(["unshare", *flags, "sh", "-c", script], capture_output=True, text=True, timeout=300)


def test_a_full_disk_leaves_whole_files_and_says_how_to_go_on(table: Path, tmp_path: Path) -> None:
    disk, command = tmp_path / "disk", " ".join(f"'{word}'" for word in train_command(table, tmp_path / "disk" / "run"))
    disk.mkdir()
    kept = tmp_path / "kept"
    script = f"""
        mount -t tmpfs -o size=96m tmpfs '{disk}' && head -c 3m /dev/zero > '{disk}/other'
        (sleep 1; while ! ls '{disk}'/run/checkpoints/last.safetensors >/dev/null 2>&1; do sleep 0.02; done; cat /dev/zero > '{disk}/filler') 2>/dev/null &
        {command}; echo "code $?"
        wait; rm '{disk}/filler' '{disk}/other'
        '{sys.executable}' -m polymodal.cli.main train --resume '{disk}/run' --quiet; echo "resumed $?"
        cp -r '{disk}/run' '{kept}'"""
    done = in_namespace(script)
    assert "Traceback" not in done.stderr, done.stderr
    assert "No space left on device" in done.stderr, done.stderr
    assert "code 2" in done.stdout, done.stderr
    assert "resumed 0" in done.stdout, done.stderr
    pm.train(table, *SETTINGS, target="label", out=tmp_path / "whole")
    assert digest(kept) == digest(tmp_path / "whole")


def test_a_folder_that_cannot_be_written_is_refused_before_training(table: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "run").mkdir()
    for out in ("new", "run"):
        command = " ".join(f"'{word}'" for word in train_command(table, disk / out, "--overwrite"))
        done = in_namespace(f"mount --bind '{disk}' '{disk}' && mount -o remount,bind,ro '{disk}' && {command}; echo code $?")
        assert "code 2" in done.stdout, done.stderr
        assert "Read-only file system" in done.stderr
        assert "choose" in done.stderr
        assert "epoch" not in done.stderr
        assert "Traceback" not in done.stderr
