"""``check``: what would fail, by row, and what a run would take, found in some seconds and with nothing left behind.

Of the table every target is read, and the cells of some rows; a model of each kind is tried for some steps.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..data.sources import Source, cells_of, open_source
from ..data.store import pack
from ..errors import DataError, Fault
from ..experiment import Experiment
from ..flow import FUSED, Cell
from ..modalities import Modality, OnError, PartFault
from ..preparation import fit_modalities, fit_tasks, known_targets, prepare, read_targets, roots_of, split_rows
from ..training.checkpoint import Checkpoints
from ..training.config import usual_batch_size
from ..training.devices import pick_device, pick_precision, why_precision
from ..training.observers import Observer
from ..training.plan import Clock
from .asked import Asked, resolve
from .estimate import Check, Reading, estimate
from .ledger import Ledger
from .members import Members, Trial
from .resuming import look_at

ROWS, _BLOCK = 1_024, 64
"""Rows whose cells are read, at most, in blocks: rows that share a picture often stand together."""
_SECONDS = 4.0
"""For reading the cells of one field."""
_TRIED, _TRIAL_SECONDS = 384, 1.0
_LISTED = 200


def check(
    table: Any,
    *overrides: str,
    target: str | Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
    group: str | None = None,
    split: str | None = None,
    valid: Any = None,
    test: Any = None,
    root: Sequence[str | Path] = (),
    on_error: OnError | None = None,
    seed: int | None = None,
    time_limit: str | float | None = None,
    out: str | Path | None = None,
) -> Check:
    """Look before training: takes what ``train`` takes, or the folder of a run, which is looked at as ``resume`` would.

    Every target is read, and the cells of up to 1,024 rows; some steps of each model are tried. Nothing is written but a temporary folder.

    :raises UserError: what was given is no experiment at all (a column that is not there, a setting that is unknown)
    """
    if isinstance(table, (str, Path)) and Path(table).is_dir():
        return _of_run(Path(table), overrides)
    asked = resolve(
        table, overrides, target=target, columns=columns, ignore=ignore, group=group, split=split, valid=valid, test=test, root=root,
        on_error=on_error, seed=seed, time_limit=time_limit,
    )  # fmt: skip
    found = Check(asked.source.name)
    _check(asked, found, None if out is None else Path(out))
    return found


def _of_run(folder: Path, overrides: Sequence[str]) -> Check:
    found = Check(str(folder))
    state = look_at(folder, overrides)
    found.stops, found.notes = state.stops, state.notes
    if state.experiment is not None and not state.ended and state.experiment.data.table is not None and found.ok:
        data = state.experiment.data
        sources = [None if path is None else open_source(path, encoding=data.encoding) for path in (data.table, data.valid, data.test)]
        assert sources[0] is not None
        _check(Asked(state.experiment, {}, sources[0], sources[1], sources[2]), found, folder)
    return found


def _check(asked: Asked, found: Check, out: Path | None) -> None:
    experiment, source = asked.experiment, asked.source
    config = experiment.training
    device = pick_device(config.device)
    precision = str(pick_precision(config.precision, device)).removeprefix("torch.")
    try:
        source.check([*experiment.columns(), *(task.column for task in experiment.tasks.values()), *experiment.data.split.columns])
        source.check_rows()
        known_N = known_targets(source, experiment)
        part = split_rows(experiment, source, known_N, asked.valid is not None)
        fitting_N = np.zeros(source.rows, bool)
        fitting_N[part.fitting] = True
        tasks = fit_tasks(experiment, source, fitting_N)
    except DataError as error:
        found.stops.append(str(error))
        return
    faults = _Faults(experiment, found)
    read_targets(source, tasks, lambda row, column, text: faults.add(row, column, text, experiment.data.on_error))
    held = {task.column: int(known_N.sum()) for task in experiment.tasks.values()}
    sample = _sample(source, known_N, experiment)
    reading = _read(experiment, source, sample, fitting_N, faults)
    faults.conclude(source.name, held | reading.held, source.rows, len(sample))
    for other, what in ((asked.valid, "validation"), (asked.test, "test")):
        if other is not None:
            try:
                other.check([*experiment.columns(), *(task.column for task in experiment.tasks.values())])
                other.check_rows(f" for {what}")
            except DataError as error:
                found.stops.append(str(error))
    if out is not None:
        _writable(out, found)
    if not found.ok:
        return
    trials = _try_out(experiment, source, sample)
    if trials is None:
        found.notes.append("too few rows were looked at to try a model: no estimate of time and memory")
        return
    estimate(experiment, asked, part, reading, trials, found, out)
    found.facts["device"] = f"{device.type}, {torch.get_num_threads()} threads"
    found.facts["precision"] = f"{precision}: {why_precision(config.precision, device)}"


class _Faults:
    """Cells that cannot be read, and what comes of each."""

    def __init__(self, experiment: Experiment, found: Check) -> None:
        self.experiment, self.found = experiment, found
        self.counts: Counter[str] = Counter()
        self.stopped: set[str] = set()

    def add(self, row: int, column: str, text: str, policy: str) -> None:
        self.counts[column] += 1
        if len(self.found.faults) < _LISTED:
            comes = {"error": "stops the run", "skip": "the row is left out", "blank": "the row goes on without it"}[policy]
            self.found.faults.append((row, column, f"{text} ({comes})"))
        if policy == "error" and column not in self.stopped:
            self.stopped.add(column)
            self.found.stops.append(f"row {row}, column {column!r}: {text}; set data.on_error: blank to go on without it")

    def conclude(self, table: str, held: Mapping[str, int], rows: int, looked_at: int) -> None:
        limit = self.experiment.data.max_faults
        targets = {task.column for task in self.experiment.tasks.values()}
        self.found.counts = dict(self.counts)
        for column, count in self.counts.items():
            if column in targets or column in self.stopped or count <= limit * max(held.get(column, 0), 1):
                continue
            of = f"{held[column]:,} cells" + (f" of {looked_at:,} rows looked at" if looked_at < rows else "")
            self.found.stops.append(
                f"{table}, column {column!r}: {count:,} of {of} cannot be read; expected at most {limit:.0%}; mend them, leave the column "
                f"out (--ignore), or raise data.max_faults"
            )


def _sample(source: Source, known_N: np.ndarray, experiment: Experiment) -> dict[int, dict[str, Cell]]:
    """Rows by number (0-based), in blocks drawn from the whole table: all columns that a run reads."""
    columns = list(dict.fromkeys([*experiment.columns(), *(task.column for task in experiment.tasks.values())]))
    columns += [name for name in (experiment.data.weight, experiment.data.split.group) if name is not None and name not in columns]
    chosen_N = known_N.copy()
    if source.rows > ROWS:
        blocks = -(-source.rows // _BLOCK)
        kept = np.random.default_rng([experiment.seed, 23]).permutation(blocks)[: ROWS // _BLOCK]
        chosen_N &= np.isin(np.arange(source.rows) // _BLOCK, kept)
    rows: dict[int, dict[str, Cell]] = {}
    start = 0
    for part in source.slices(columns):
        count = len(part[columns[0]])
        for at in np.flatnonzero(chosen_N[start : start + count]):
            rows[start + int(at)] = {name: part[name][at] for name in columns}
        start += count
    return rows


def _read(
    experiment: Experiment, source: Source, sample: Mapping[int, Mapping[str, Cell]], fitting_N: np.ndarray, faults: _Faults
) -> Reading:
    reading = Reading()
    table = open_source([dict(row) for row in sample.values()], name=source.name)
    fits_N = fitting_N[list(sample)]
    modalities = fit_modalities(experiment, table, roots_of(source, experiment.data.root), fits_N)
    for name, modality in modalities.items():
        _read_field(name, modality, sample, experiment.on_error(name), reading, faults)
    return reading


def _read_field(
    name: str, modality: Modality, sample: Mapping[int, Mapping[str, Cell]], policy: str, reading: Reading, faults: _Faults
) -> None:
    sources = modality.config.sources
    known: dict[Any, Fault | None] = {}
    size, rows, held, begin = 0, 0, 0, time.monotonic()
    for at, row in sample.items():
        if time.monotonic() - begin > _SECONDS:
            break
        rows += 1
        (cell,) = cells_of({column: [row[column]] for column in sources}, sources)
        if modality.is_missing(cell):
            continue
        held += 1
        key = cell if isinstance(cell, (str, bytes)) and modality.cost() > 1 else at
        if key not in known:
            known[key] = None
            try:
                size += len(pack(modality.read(cell)))
            except Fault as fault:
                known[key] = fault
        told = known[key]
        if told is not None:
            parts = told.columns if isinstance(told, PartFault) else {sources[0] if len(sources) == 1 else " + ".join(sources): str(told)}
            for column, text in parts.items():
                faults.add(at + 1, column, text, policy)
    count = max(len(known), 1)
    reading.seconds[name] = (time.monotonic() - begin) / count
    reading.size[name], reading.distinct[name] = size / count, len(known) / max(rows, 1)
    reading.held |= dict.fromkeys([*sources, " + ".join(sources)], held)


def _writable(out: Path, found: Check) -> None:
    at = out.resolve()
    while not at.exists():
        at = at.parent
    try:
        with tempfile.TemporaryFile(dir=at if at.is_dir() else at.parent):
            pass
    except OSError as error:
        found.stops.append(f"{out}: cannot be made or written ({error.strerror or error}); choose a folder that can be (-o RUN)")


def _try_out(experiment: Experiment, source: Source, sample: Mapping[int, Mapping[str, Cell]]) -> dict[str, Trial] | None:
    """Some steps of the whole and of each single field, on some rows; None where there are too few of them."""
    rows = [dict(sample[at]) for at in list(sample)[:_TRIED]]
    if len(rows) < 20:
        return None
    config, data = experiment.training, experiment.data
    size = config.batch_size or usual_batch_size(source.rows)
    plain = data.split.model_copy(update={"kind": "random", "column": None, "group": None, "valid": 0.15, "test": 0.0})
    tried = experiment.model_copy(
        update={
            "training": config.model_copy(update={"batch_size": size, "init": None, "time_limit": None}),
            "data": data.model_copy(update={"split": plain, "max_faults": 1.0, "on_error": "blank", "valid": None, "test": None}),
            "fields": {name: field.model_copy(update={"on_error": None}) for name, field in experiment.fields.items()},
        }
    )
    table = open_source(rows, name=source.name)
    table.folder = source.folder
    with tempfile.TemporaryDirectory(prefix="polymodal-") as folder, torch.random.fork_rng(devices=[]):
        try:
            prepared = prepare(tried, table, None, Path(folder))
        except DataError:  # of these few rows alone
            return None
        try:
            team = Members(tried, prepared, Clock(None), Observer(), lambda: False, Checkpoints(None), Ledger(None))
            names = [FUSED, *(team.fields if config.baselines and len(team.fields) > 1 else [])]
            return {name: team.try_out(name, _TRIAL_SECONDS) for name in names}
        finally:
            prepared.close()
