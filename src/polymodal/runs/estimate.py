"""What ``check`` found, and what a run would take: time, memory and disk, from what some rows and some steps took."""

from __future__ import annotations

import os
import resource
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..data.splits import TEST, TRAIN, Split
from ..experiment import Experiment
from ..flow import FUSED
from ..training.config import usual_epochs
from ..training.plan import usual_plan
from .members import Trial
from .request import Request


@dataclass
class Check:
    """What was found. ``text()`` is for people; ``ok`` says whether training (or going on) would come to its end."""

    name: str
    stops: list[str] = field(default_factory=list)
    """What would end the run before anything is trained."""
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    """Row (1 = first), column, and what is wrong and what comes of it; 200 at most."""
    counts: dict[str, int] = field(default_factory=dict)
    """By column: cells that cannot be read, of those that were."""
    notes: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    """What the run would take, a line each: rows, models, time, memory, disk, device."""
    resumes: Path | None = None
    """The run's folder, where it is a run that is looked at."""
    seconds: float | None = None
    """Estimated, of the whole run, if no model stops early."""
    memory_mb: float | None = None
    disk_mb: float | None = None

    @property
    def ok(self) -> bool:
        """Nothing was found that would stop the run."""
        return not self.stops

    def text(self) -> str:
        """The check, for people."""
        lines = [f"{self.name}: {'nothing found that would stop the run' if self.ok else 'this would stop the run'}"]
        lines += [f"  - {stop}" for stop in self.stops]
        if self.counts:
            lines += ["", "cells that cannot be read:"]
            for column, count in self.counts.items():
                mine = [(row, text) for row, name, text in self.faults if name == column]
                lines += [f"  row {row}, column {column!r}: {text}" for row, text in mine[:10]]
                if count > len(mine[:10]):
                    lines.append(f"  ... {count:,} in column {column!r}")
        if self.notes:
            lines += ["", *self.notes]
        if self.facts:
            width = max(map(len, self.facts))
            lines += ["", *(f"  {name:{width}}  {value}" for name, value in self.facts.items())]
        return "\n".join(lines)


@dataclass
class Reading:
    """What reading took, by field: seconds and bytes of a distinct cell, and how many distinct cells a row holds."""

    seconds: dict[str, float] = field(default_factory=dict)
    size: dict[str, float] = field(default_factory=dict)
    distinct: dict[str, float] = field(default_factory=dict)
    costs: dict[str, float] = field(default_factory=dict)
    """Multiply-adds of training on a row, by field."""
    frozen: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Seconds that a frozen backbone takes over a cell, and the bytes of its weights."""


def estimate(
    experiment: Experiment, request: Request, part: Split, reading: Reading, trials: Mapping[str, Trial], found: Check, out: Path | None
) -> None:
    """Into ``found``: rows, models, time, memory and disk; a disk that is too full is a stop."""
    config, rows = experiment.training, request.source.rows
    if request.valid is not None:
        training, validating, selecting = int((part.part_N == TRAIN).sum()), request.valid.rows, 0
    else:
        training, validating = (len(side) for side in part.member(0))
        selecting = len(part.selecting)
    shared = min(reading.distinct.values(), default=1.0)
    epochs = config.epochs or usual_epochs(round(training * min(1.0, shared)))
    plan = usual_plan(part.members, epochs, len(trials) > 1, training, reading.costs)
    members = plan.members if config.time_limit is None else part.members
    alone_members = plan.baseline_members if config.time_limit is None else part.members
    every = {
        name: (members if name == FUSED else alone_members) * epochs * trial.epoch(training, selecting or validating)
        for name, trial in trials.items()
    }
    cells = {name: reading.distinct[name] * rows for name in reading.distinct}
    read = sum(reading.seconds[name] * cells[name] for name in cells)
    seen = sum(seconds * cells[name] for name, (seconds, _) in reading.frozen.items())
    total = read + seen + sum(every.values())
    limit = config.time_limit
    found.seconds = min(total, limit) if limit is not None else total
    test = int((part.part_N == TEST).sum()) or (request.test.rows if request.test is not None else 0)
    others = {"to select the epoch": selecting, "to calibrate on": len(part.calibrating), "to test on": test}
    rows_of = [f"{training:,} to train on", f"{validating:,} to validate on", *(f"{n:,} {what}" for what, n in others.items() if n)]
    found.facts["rows"] = ", ".join(rows_of)
    alone = f", and {alone_members} of each of {len(trials) - 1} single fields" if len(trials) > 1 else ""
    found.facts["models"] = f"{members} of all fields{alone}; up to {epochs} epochs of {-(-training // trials[FUSED].batch_size):,} steps"
    parts = f"reading {_time(read)}, all fields {_time(every[FUSED])}"
    if reading.frozen:
        parts = f"reading {_time(read)}, frozen backbones {_time(seen)} (less for cells that are known), all fields {_time(every[FUSED])}"
    if len(trials) > 1:
        parts += f", single fields {_time(sum(every.values()) - every[FUSED])}"
    bound = (
        f"; training.time_limit ends it after {_time(limit)}, with fewer models or epochs" if limit is not None and limit < total else ""
    )
    found.facts["time"] = f"about {_time(total)} at most ({parts}); validation often stops it sooner{bound}"
    tables = rows * (48 * len(cells) + 4 * len(experiment.tasks) + 64)
    unit = 1 if sys.platform == "darwin" else 1024
    found.memory_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit + tables) / 2**20
    found.facts["memory"] = f"about {found.memory_mb:,.0f} MiB (a trial's, and {tables / 2**20:,.0f} for the rows)"
    whole = trials[FUSED].size
    stored = min(sum(reading.size[name] * cells[name] for name in cells), experiment.data.cache_gb * 2**30)
    kept: float = 2 * 4 * whole + 2 * members * whole
    kept += alone_members * sum(trial.size for name, trial in trials.items() if name != FUSED)
    if experiment.bundle.frozen == "pack":
        kept += sum(size for _, size in reading.frozen.values())
    found.disk_mb = (stored + kept) / 2**20
    place = (out if out is not None else Path()).resolve()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    found.facts["disk"] = (
        f"about {found.disk_mb:,.0f} MiB while it trains (samples {stored / 2**20:,.0f}, checkpoints and bundle {kept / 2**20:,.0f}); "
        f"{free / 2**30:,.0f} GiB free in {os.fspath(place)}"
    )
    if stored + kept > free:
        found.stops.append(
            f"{place}: {free / 2**20:,.0f} MiB free; expected {found.disk_mb:,.0f}; free some, choose another folder (-o RUN), or keep "
            f"less: data.cache_gb=0"
        )


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3600:.1f} h"
