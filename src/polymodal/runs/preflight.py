"""``check``: what would fail, by row, and what a run would take, found in some seconds and with nothing left behind."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..data.class_notes import Unknown, class_notes
from ..data.reading import examine_targets, fit_tasks, read_targets, read_weights
from ..data.sources import Source, open_source
from ..data.splits import OUT, TEST, VALID
from ..encoders import EncoderConfig
from ..errors import DataError, Fault, UserError
from ..experiment import Experiment
from ..flow import FUSED, Cell, Folders, Names, Sample
from ..frozen import seconds_of
from ..inference import BLOCK
from ..inspection.targets import missing_line
from ..modalities import Modality, OnError
from ..preparation import Prepared, fit_modalities, prepare, roots_of, split_rows
from ..tasks import Task
from ..training.checkpoint import Checkpoints
from ..training.config import usual_batch_size
from ..training.devices import pick_device, pick_precision, why_precision
from ..training.observers import Observer
from ..training.plan import Clock
from .estimate import Check, Reading, estimate
from .journal import Journal, digest_of
from .members import Members, Trial
from .reading import FaultReport, read_cells
from .request import Request, open_others, resolve
from .resuming import look_at

ROWS, _BLOCK = 1_024, 64
"""Rows that are drawn, at most, in blocks: rows that share a picture often stand together."""
_TRIED, _TRIAL_SECONDS = 256, 0.4


def check(
    table: Any,
    *overrides: str,
    target: Any = None,
    columns: Mapping[str, str] | None = None,
    ignore: Names = (),
    group: str | None = None,
    split: str | None = None,
    valid: Any = None,
    test: Any = None,
    root: Folders = (),
    on_error: OnError | None = None,
    seed: int | None = None,
    time_limit: str | float | None = None,
    encoding: str | None = None,
    out: str | Path | None = None,
) -> Check:
    """Look before training: takes what ``train`` takes, or the folder of a run, which is looked at as ``resume`` would.

    Every target is read; of each field every cell where that takes some seconds, else those of up to 1,024 rows drawn from the whole table;
    some steps of each model are tried. Nothing is written but a temporary folder.

    :raises UserError: what was given is no experiment at all (a column that is not there, a setting that is unknown)
    """
    if isinstance(table, (str, Path)) and Path(table).is_dir():
        given = {"target": target, "columns": columns, "ignore": ignore, "group": group, "split": split, "valid": valid, "test": test,
                 "root": root, "on_error": on_error, "seed": seed, "time_limit": time_limit, "encoding": encoding,
                 "out": out}  # fmt: skip
        for name, value in given.items():
            if value is not None and value != () and value != {}:
                raise UserError(f"{table}: {name} beside a run, which has its settings; check a change by path=value")
        return _of_run(Path(table), overrides)
    request = resolve(
        table, overrides, target=target, columns=columns, ignore=ignore, group=group, split=split, valid=valid, test=test, root=root,
        on_error=on_error, seed=seed, time_limit=time_limit, encoding=encoding,
    )  # fmt: skip
    found = Check(request.source.name)
    _check(request, found, None if out is None else Path(out))
    return found


def _of_run(folder: Path, overrides: Sequence[str]) -> Check:
    found = Check(str(folder), resumes=folder)
    state = look_at(folder, overrides)
    found.stops, found.notes = state.stops, state.notes
    if state.experiment is not None and not state.ended and state.experiment.data.table is not None and found.ok:
        data = state.experiment.data
        sources = (open_source(data.table, encoding=data.encoding), *open_others(data, None, None))
        for name, source in zip(("table", "valid", "test"), sources, strict=True):
            before = state.journal.tables.get(name) if state.journal is not None else None
            if source is not None and before is not None and before != digest_of(state.experiment, source):
                found.stops.append(f"{source.name}: changed since training began (resume says what differs); put it back")
        if not found.ok:
            return found
        _check(Request(state.experiment, {}, sources[0], sources[1], sources[2]), found, folder)
    return found


def _check(request: Request, found: Check, out: Path | None) -> None:
    experiment, source = request.experiment, request.source
    config = experiment.training
    device = pick_device(config.device)
    precision = str(pick_precision(config.precision, device)).removeprefix("torch.")
    faults = FaultReport(experiment, found)
    found.notes += [f"warning: {one.line}" if one.unread else one.line for one in request.left_out]
    try:
        source.check([*experiment.columns(), *(task.column for task in experiment.tasks.values()), *experiment.data.split.columns])
        source.check_rows()
        read_weights(source, experiment.data.weight)
        targets = examine_targets(source, experiment.tasks)
        known_N = targets.known_N
        part, kept = split_rows(experiment, source, known_N, request.valid is not None, targets.readings)
        fitting_N = np.zeros(source.rows, bool)
        fitting_N[part.fitting] = True
        tasks = fit_tasks(source, experiment.tasks, targets.readings, fitting_N)
        sample = _sample(source, known_N, experiment)
        sampled = open_source([dict(row) for row in sample.values()], name=source.name)
        modalities = fit_modalities(experiment, sampled, roots_of(source, experiment.data.root), fitting_N[list(sample)])
    except DataError as error:
        found.stops.append(str(error))
        return
    found.notes += [
        f"column {path.removeprefix('columns.')}: {said}" for path, said in request.reasons.items() if path.startswith("columns.")
    ]
    found.notes += [*kept.notes, *kept.warnings]
    for name, task in tasks.items():
        if words := missing_line(targets.facts[name], task.config.column, task.config.kind):
            found.notes.append(f"target {name!r}: {words}")
    unknown = Unknown()
    target_values = _read_targets(source, tasks, faults, unknown, part.part_N, request.guessed)
    part_N = np.where(np.logical_or.reduce([~np.isnan(target).any(1) for target in target_values.values()]), part.part_N, OUT)
    members = [np.intersect1d(part.member(fold)[0], np.flatnonzero(part_N != OUT)) for fold in range(part.members)]
    reading = read_cells(source, modalities, sample, known_N, faults)
    for name, modality in modalities.items():
        shared = min(1.0, reading.distinct.get(name, 1.0)) if modality.cost() > 1e5 else 1.0
        encoder = experiment.model.encoders[name]
        frozen = isinstance(encoder, EncoderConfig) and encoder.is_frozen
        reading.costs[name] = 1.0 if frozen else modality.cost_of_training() * shared
    for other, what in ((request.valid, "valid"), (request.test, "test")):
        if other is not None:
            try:
                _check_other(experiment, other, what, modalities, tasks, found, unknown, request.guessed)
            except DataError as error:
                found.stops.append(str(error))
    found.notes += class_notes(tasks, target_values, part_N, members, unknown)
    if out is not None:
        _writable(out, found)
    if not found.ok:
        return
    try:
        trials = _try_out(experiment, source, sample, reading)
    except UserError as error:  # no room for a trial
        found.notes.append(f"no model was tried: {error}")
        return
    if trials is None:
        found.notes.append("too few rows were looked at to try a model: no estimate of time and memory")
        return
    estimate(experiment, request, part, reading, trials, found, out)
    found.facts["device"] = f"{device.type}, {torch.get_num_threads()} threads"
    found.facts["precision"] = f"{precision}: {why_precision(config.precision, device)}"


def _read_targets(
    source: Source, tasks: Mapping[str, Task], faults: FaultReport, unknown: Unknown, part_N: np.ndarray, guessed: Collection[str]
) -> dict[str, np.ndarray]:
    """The targets of a table, as a run would read them, and what comes of those that cannot be read."""
    data = faults.experiment.data
    targets = read_targets(source, tasks, faults.add, unknown.listener(part_N))
    for name, task in tasks.items():
        present = int((~np.isnan(targets[name]).any(1)).sum())
        faults.judge_target(task.config.column, present, 1.0 if name in guessed else data.max_faults)
    return targets


def _check_other(
    experiment: Experiment,
    other: Source,
    what: str,
    modalities: Mapping[str, Modality],
    tasks: Mapping[str, Task],
    found: Check,
    unknown: Unknown,
    guessed: Collection[str],
) -> None:
    """A table to validate on must be readable as the training table must; of one to test on no fault ends the run."""
    other.check([*experiment.columns(), *(task.column for task in experiment.tasks.values())])
    other.check_rows(" to validate on" if what == "valid" else " to measure on")
    if what == "valid":
        read_weights(other, experiment.data.weight)
    known_N = examine_targets(other, experiment.tasks, {name: task.reading for name, task in tasks.items()}).known_N
    faults = FaultReport(experiment, found, other.name, binding=what == "valid")
    _read_targets(other, tasks, faults, unknown, np.full(other.rows, VALID if what == "valid" else TEST, np.uint8), guessed)
    roots = roots_of(other, experiment.data.root)
    placed = {name: type(modality)(modality.config, modality.state, roots) for name, modality in modalities.items()}
    read_cells(other, placed, _sample(other, known_N, experiment), known_N, faults)


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


def _writable(out: Path, found: Check) -> None:
    if out != found.resumes and out.exists():
        found.stops.append(f"{out}: already there; choose another folder (-o RUN), or replace it: --overwrite")
        return
    at = out.resolve()
    while not at.exists():
        at = at.parent
    try:
        if not at.is_dir():
            raise NotADirectoryError(20, f"{at} is a file")
        with tempfile.TemporaryFile(dir=at):
            pass
    except OSError as error:
        found.stops.append(f"{out}: cannot be made or written ({error.strerror or error}); choose a folder that can be (-o RUN)")


def _try_out(experiment: Experiment, source: Source, sample: Mapping[int, Mapping[str, Cell]], reading: Reading) -> dict[str, Trial] | None:
    """Some steps of the whole and of each single field, on some rows, and a block of each frozen backbone; None where there are too few
    of them."""
    rows = [dict(sample[at]) for at in list(sample)[:_TRIED]]
    if len(rows) < 20:
        return None
    config, data = experiment.training, experiment.data
    size = config.batch_size or usual_batch_size(source.rows)
    plain = data.split.model_copy(update={"kind": "random", "column": None, "group": None, "copies": "ignore", "valid": 0.15, "test": 0.0})
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
            team = Members(tried, prepared, Clock(None), Observer(), lambda: False, Checkpoints(None), Journal(None))
            names = [FUSED, *(team.fields if config.baselines and len(team.fields) > 1 else [])]
            reading.frozen = {name: _look_through(name, prepared) for name in prepared.backbones}
            return {name: team.try_out(name, _TRIAL_SECONDS) for name in names}
        finally:
            prepared.close()


def _look_through(name: str, prepared: Prepared) -> tuple[float, float]:
    """Seconds that a frozen backbone takes over a cell, and the bytes of its weights."""
    backbone, modality = prepared.backbones[name], prepared.modalities[name]
    samples: list[Sample] = []
    for cell in prepared.train.source.cells(modality.config.sources):
        with contextlib.suppress(Fault):
            if len(samples) < BLOCK and not modality.is_missing(cell):
                samples.append(modality.read(cell))
    weights = sum(value.numel() * value.element_size() for value in backbone.state_dict().values())
    return seconds_of(backbone, modality, samples, pick_device(prepared.experiment.training.device)), float(weights)
