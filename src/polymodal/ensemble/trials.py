"""Trials of models: some steps of training, by which the seconds of an epoch are estimated before a plan is made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..flow import FUSED
from ..threads import using
from ..training.observers import Observer
from .plan import Trial

if TYPE_CHECKING:
    from .trainer import EnsembleTrainer

_SECONDS = 4.0
"""The maximum seconds of the trial of one model, by which a plan within a time limit is made."""
_ROWS = 256
"""The maximum number of rows that a trial validates on."""


def seconds_of_an_epoch(trainer: EnsembleTrainer, name: str) -> float:
    """Return the estimated seconds of an epoch of a model on the first fold, with its validation.

    :param name: a single field, or "" for all fields
    """
    trial = try_out(trainer, name, min(_SECONDS, 0.02 * (trainer.clock.limit or 0.0)))
    rows, _ = trainer.prepared.member(0)
    return trial.epoch(len(rows), len(trainer.validation.selecting(0)))


def try_out(trainer: EnsembleTrainer, name: str, seconds: float) -> Trial:
    """Train some steps of a new model, validate it on some rows, discard it, and return the measurements.

    :param name: a single field, or "" for all fields
    :param seconds: the approximate duration of the training steps
    """
    names = trainer.fields if name == FUSED else [name]
    one = trainer.trainer_of("trial", 0, names, 1, Observer(), float("inf"))
    steps = one.loader.epoch(0)
    with using(one.threads):
        one.train_step(next(steps), 0)  # not measured: the first step allocates memory
        begin, done = time.monotonic(), 0
        for step in steps:
            one.train_step(step, 0)
            done += 1
            if time.monotonic() - begin > seconds:
                break
    steps.close()
    step_seconds = (time.monotonic() - begin) / done if done else 0.05
    rows = trainer.validation.selecting(0)
    part = rows[: max(1, min(len(rows), _ROWS))]
    begin = time.monotonic()
    trainer.validation.collect(one.model, part, names)
    size = sum(value.numel() * value.element_size() for value in one.model.state_dict().values())
    return Trial(one.loader.batch_size, step_seconds, (time.monotonic() - begin) / len(part), size)
