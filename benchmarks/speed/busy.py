"""Training of a small network on every thread of torch, compared with one thread, on an idle machine and beside processes that compute."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from speed.tables import text_and_numbers
from speed.timing import Epochs, Figure, Seconds, figure, turns

import polymodal as pm

_SETTINGS = ("training.baselines=false", "data.split.kind=random", "model.trees=null")
_COMPUTES = "while True: pass"


def on_every_thread(*_: Any) -> int:
    """Return the number of threads of torch, whatever the network."""
    return torch.get_num_threads()


@contextmanager
def others(count: int) -> Iterator[None]:
    """Run other processes that compute without end."""
    running = [subprocess.Popen([sys.executable, "-c", _COMPUTES]) for _ in range(count)]
    try:
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()


def epochs(name: str, busy: int, quick: bool, least: float) -> Figure:
    """Return the seconds of an epoch on every thread, divided by those on one thread.

    :param busy: the number of other processes that compute
    """
    repeats, rows, count = (1, 300, 1) if quick else (5, 1_500, 3)
    seconds: dict[str, list[Seconds]] = {"every thread": [], "one thread": []}
    table = text_and_numbers(rows)
    losses: dict[str, float] = {}
    with others(busy):
        for _, side in turns(list(seconds), repeats):
            seen = Epochs()
            with ExitStack() as stack:
                if side == "every thread":
                    for module in ("training.trainer", "inference"):
                        stack.enter_context(patch(f"polymodal.{module}.threads_for", on_every_thread))
                model = pm.train(table, *_SETTINGS, f"training.epochs={count}", target="y", observers=[seen])
            losses[side] = model.metrics["validation"]["tasks"]["y"]["log_loss"]
            seconds[side].append((statistics.median(seen.seconds), None))
    return figure(name, seconds, "every thread", "one thread", least=least, facts={"log loss": losses})


def measure(quick: bool = False) -> Sequence[Figure]:
    """Return the ratios on an idle machine, beside one process that computes, and beside one for each core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    what = "text and numbers: an epoch on every thread / on one"
    return [
        epochs(f"{what}", 0, quick, 0.9),
        epochs(f"{what}, beside a process that computes", 1, quick, 1.0),
        epochs(f"{what}, beside one for each core", cores, quick, 1.0),
    ]
