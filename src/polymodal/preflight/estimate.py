"""Estimates of the time, memory and disk of a run, from the reading of some rows and from some steps of each model."""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..data.splits import TEST, TRAIN, Split
from ..ensemble.plan import Trial, usual_plan
from ..errors import spelled
from ..experiment import Experiment
from ..flow import FUSED
from ..language import Sentence
from ..runs.resolution import Resolved
from ..training.config import usual_epochs
from .result import Check


@dataclass
class Reading:
    """The measurements of reading cells, by field: seconds and bytes per distinct cell, and the number of distinct cells per row."""

    seconds: dict[str, float] = field(default_factory=dict)
    size: dict[str, float] = field(default_factory=dict)
    distinct: dict[str, float] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    """By field, the multiply-adds of training on one row."""
    frozen: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By field with a frozen backbone, the seconds that the backbone takes per cell, and the bytes of its weights."""
    trees: Callable[[int], float] = lambda _: 0.0
    """Returns the seconds of the boosted trees of one model of all fields, by the number of its training rows."""


def estimate(
    experiment: Experiment, resolved: Resolved, part: Split, reading: Reading, trials: Mapping[str, Trial], result: Check, out: Path | None
) -> None:
    """Add rows, models, time, memory and disk to ``result``; insufficient disk space is a stop.

    :param trials: the trial of the model of all fields, under "", and of each model of a single field
    :param out: the folder of the run; None = the current folder
    """
    config, rows = experiment.training, resolved.source.rows
    if resolved.valid is not None:
        training, validating, selecting = int((part.part_N == TRAIN).sum()), resolved.valid.rows, 0
    else:
        training, validating = (len(side) for side in part.member(0))
        selecting = len(part.selecting)
    shared = min(reading.distinct.values(), default=1.0)
    epochs = config.epochs or usual_epochs(round(training * min(1.0, shared)))
    trees = reading.trees(training)
    plan = usual_plan(part.members, epochs, len(trials) > 1, training, reading.costs, trees, config.preset != "best")
    members = plan.members if config.time_limit is None else part.members
    alone_members = plan.baseline_members if config.time_limit is None else part.members
    every = {
        name: (members if name == FUSED else alone_members) * epochs * trial.epoch(training, selecting or validating)
        for name, trial in trials.items()
    }
    every[FUSED] += members * trees
    cells = {name: reading.distinct[name] * rows for name in reading.distinct}
    read = sum(reading.seconds[name] * cells[name] for name in cells)
    frozen = sum(seconds * cells[name] for name, (seconds, _) in reading.frozen.items())
    total = read + frozen + sum(every.values())
    limit = config.time_limit
    result.seconds = min(total, limit) if limit is not None else total
    test = int((part.part_N == TEST).sum()) or (resolved.test.rows if resolved.test is not None else 0)
    counts = {"train": training, "validate": validating}
    counts |= {name: n for name, n in (("select", selecting), ("calibrate", len(part.calibrating)), ("test", test)) if n}
    result.facts["rows"] = Sentence.joined([Sentence(f"check.to_{name}", rows=n) for name, n in counts.items()], "enumeration")
    alone = Sentence("check.alone", alone=alone_members, fields=len(trials) - 1) if len(trials) > 1 else ""
    course = Sentence("check.course", epochs=epochs, steps=-(-training // trials[FUSED].batch_size))
    result.facts["models"] = Sentence("check.models_value", members=members, alone=alone, course=course)
    parts = [Sentence("check.reading", time=_time(read))]
    parts += [Sentence("check.frozen", time=_time(frozen))] if reading.frozen else []
    parts.append(Sentence("check.all_fields", time=_time(every[FUSED])))
    if len(trials) > 1:
        parts.append(Sentence("check.single_fields", time=_time(sum(every.values()) - every[FUSED])))
    bound = Sentence("check.bound", time=_time(limit)) if limit is not None and limit < total else ""
    seconds = {"total": _time(total), "parts": Sentence.joined(parts, "enumeration"), "bound": bound}
    result.facts["time"] = Sentence("check.time_value", **seconds)
    tables = rows * (48 * len(cells) + 4 * len(experiment.tasks) + 64)
    unit = 1 if sys.platform == "darwin" else 1024
    trial_mb, tables_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, tables / 2**20
    result.memory_mb = trial_mb + tables_mb
    result.facts["memory"] = Sentence("check.memory_value", most=result.memory_mb, trial=trial_mb, tables=tables_mb)
    weights = trials[FUSED].size
    stored = min(sum(reading.size[name] * cells[name] for name in cells), experiment.data.cache_gb * 2**30)
    saved: float = 2 * 4 * weights + 2 * members * weights
    saved += alone_members * sum(trial.size for name, trial in trials.items() if name != FUSED)
    if experiment.bundle.frozen == "pack":
        saved += sum(size for _, size in reading.frozen.values())
    result.disk_mb = (stored + saved) / 2**20
    place = (out if out is not None else Path()).resolve()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    sizes = {"most": result.disk_mb, "samples": stored / 2**20, "saved": saved / 2**20, "free": free / 2**30}
    result.facts["disk"] = Sentence("check.disk_value", place=os.fspath(place), **sizes)
    if stored + saved > free:
        fix = f"free some, choose another folder ({spelled('-o RUN', 'out=...')}), or keep less: data.cache_gb=0"
        result.stops.append(f"{place}: {free / 2**20:,.0f} MiB free; expected {result.disk_mb:,.0f}; {fix}")


def _time(seconds: float) -> Sentence:
    """Return a duration as text, in seconds, minutes or hours."""
    if seconds < 90:
        return Sentence("time.seconds", number=max(1, round(seconds)))
    if seconds < 5_400:
        return Sentence("time.minutes", number=round(seconds / 60))
    return Sentence("check.hours", hours=seconds / 3600)
