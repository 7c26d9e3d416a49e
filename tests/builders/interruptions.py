"""Runs that are interrupted, and the comparison of the files that they leave."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from builders.tables import FAST
from polymodal.training.events import Event, StepEvent
from polymodal.training.observers import Observer

SETTINGS = [setting for setting in FAST if "baselines" not in setting] + ["training.checkpoint_steps=2", "training.batch_size=16"]
"""Two folds of 60 rows (4 steps an epoch, 3 epochs: 12 steps), then each of three fields alone, on two folds: 96 steps in all."""


class Broken(BaseException):
    """A process that ends in the middle, as far as the run can see."""


class At(Observer):
    """Does something after the n-th step of the whole run."""

    def __init__(self, step: int, act: Any) -> None:
        self.left, self.act = step, act

    def observe(self, event: Event) -> None:
        if isinstance(event, StepEvent):
            self.left -= 1
            if self.left == 0:
                self.act()


def crash() -> None:
    raise Broken


def crash_at_call(patch: pytest.MonkeyPatch, owner: type, name: str, number: int) -> None:
    """Let the n-th call of a method of ``owner`` crash, as long as ``patch`` is in effect."""
    method, calls = getattr(owner, name), itertools.count(1)

    def crashing(*args: Any) -> Any:
        if next(calls) == number:
            crash()
        return method(*args)

    patch.setattr(owner, name, crashing)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def digest(out: Path) -> str:
    return hashlib.sha256((out / "bundle" / "weights.safetensors").read_bytes()).hexdigest()


def without_time(out: Path) -> Any:
    metrics = json.loads((out / "metrics.json").read_text())
    metrics.pop("seconds")
    for found in (*metrics["baselines"].values(), *(entry for entries in metrics.get("leaderboard", {}).values() for entry in entries)):
        found.pop("seconds")
    return metrics
