"""``check``: looks for what would stop a run, and estimates what the run would take, within some seconds. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch

from ..config import request_of
from ..data.class_notes import Unknown, class_notes
from ..data.reading import Targets, examine_targets, fit_tasks, read_weights
from ..data.sources import Source, is_table_folder, open_source
from ..data.splits import OUT, Split
from ..encoders import EncoderConfig
from ..errors import DataError, UserError, spelled
from ..experiment import Experiment
from ..flow import Cell
from ..inspection.suspicions import without_target
from ..inspection.targets import missing_line
from ..journal import digest_of
from ..language import Sentence
from ..modalities import Modality
from ..preparation import fit_modalities, roots_of, split_rows
from ..request import TrainingSettings, accepts
from ..runs.notes import copies_of_training
from ..runs.resolution import Resolved, open_others, resolve
from ..runs.resuming import look_at, output_folder
from ..storage import unwritable
from ..tasks import Task
from ..training.devices import pick_device, pick_precision, why_precision
from .estimate import Reading, estimate
from .reading import FaultReport, read_cells
from .result import Check
from .tables import check_other_table, read_all_targets, sample_rows
from .trial import try_models

_COSTLY = 1e5
"""The multiply-adds of encoding a cell from which rows that share the cell are trained on at the cost of one."""


@accepts(TrainingSettings)
def check(table: Any, *overrides: str, out: str | Path | None = None, **settings: Unpack[TrainingSettings]) -> Check:
    """Check what would stop a run before training, and estimate its time, memory and disk space.

    Every target is read. The cells of a field are all read if that takes only some seconds, otherwise those of at most 1,024 rows sampled
    from the whole table. Some steps of each model are trained. Only a temporary folder is written, and removed.

    :param table: what ``train`` takes; or the folder of a run, which is checked as ``resume`` would continue it, with overrides alone
    :param overrides: ``path=value`` settings, which take precedence over everything else
    :settings:
    :param out: the folder that the run would be written to; None = it is not checked
    :raises UserError: the arguments do not give an experiment (an unknown column or setting, for example)
    """
    request = request_of(Experiment, check, table, overrides, settings)
    if isinstance(table, (str, Path)) and Path(table).is_dir() and not is_table_folder(Path(table)):
        given = [*request.settings, *(["out"] if out is not None else [])]
        if given:
            raise UserError(f"{table}: {given[0]} beside a run, which has its settings; check a change by path=value")
        return _check_run(Path(table), overrides)
    resolved = resolve(request)
    result = Check(resolved.source.name)
    _check_resolved(resolved, result, None if out is None else Path(out))
    return result


def _check_run(folder: Path, overrides: Sequence[str]) -> Check:
    """Check the folder of a run, and its tables if training has not ended."""
    result = Check(str(folder), resumes=folder)
    state = look_at(folder, overrides)
    result.stops, result.notes = state.stops, state.notes
    if state.experiment is not None and not state.ended and state.experiment.data.table is not None and result.ok:
        data = state.experiment.data
        sources = (open_source(data.table, encoding=data.encoding), *open_others(data, None, None))
        for name, source in zip(("table", "valid", "test"), sources, strict=True):
            before = state.journal.tables.get(name) if state.journal is not None else None
            if source is not None and before is not None and before != digest_of(state.experiment, source):
                result.stops.append(f"{source.name}: changed since training began (resume states the differences); restore it")
        if not result.ok:
            return result
        reasons = state.journal.reasons if state.journal is not None else {}
        _check_resolved(Resolved(state.experiment, reasons, sources[0], sources[1], sources[2]), result, folder)
    return result


def _check_resolved(resolved: Resolved, result: Check, out: Path | None) -> None:
    """Prepare the run as training would, on a sample of the rows, and add what is found to ``result``."""
    experiment, source = resolved.experiment, resolved.source
    device = pick_device(experiment.training.device)
    precision = str(pick_precision(experiment.training.precision, device)).removeprefix("torch.")
    faults = FaultReport(experiment, result, inferred=resolved.guessed_columns)
    result.notes += [Sentence("warning", text=one.line) if one.unread else one.line for one in resolved.left_out]
    try:
        source.check([*experiment.columns_and_targets(), *experiment.data.split.columns])
        source.check_rows()
        read_weights(source, experiment.data.weight)
        targets = examine_targets(source, experiment.tasks)
        part, kept = split_rows(experiment, source, targets.known_N, resolved.valid is not None, targets.readings)
        tasks = fit_tasks(source, experiment.tasks, targets.readings, part.fitting_N)
        sample = sample_rows(source, targets.known_N, experiment)
        modalities = _fit_modalities(experiment, source, sample, part)
    except DataError as error:
        result.stops.append(str(error))
        return
    result.notes += _notes(resolved, tasks, targets, [*without_target(targets.known_N), *kept.notes, *kept.warnings])
    unknown = Unknown()
    target_values = read_all_targets(source, tasks, faults, unknown, part.part_N, resolved.guessed)
    reading = read_cells(source, modalities, sample, targets.known_N, faults)
    reading.costs = _costs(experiment, modalities, reading)
    for other, what in ((resolved.valid, "valid"), (resolved.test, "test")):
        if other is not None:
            result.notes += [line] if (line := copies_of_training(experiment, source, other)) else []
            try:
                check_other_table(experiment, other, what, modalities, tasks, result, unknown, resolved.guessed, resolved.guessed_columns)
            except DataError as error:
                result.stops.append(str(error))
    part_N = np.where(np.logical_or.reduce([~np.isnan(target).any(1) for target in target_values.values()]), part.part_N, OUT)
    members = [np.intersect1d(part.member(fold)[0], np.flatnonzero(part_N != OUT)) for fold in range(part.members)]
    result.notes += class_notes(tasks, target_values, part_N, members, unknown)
    if out is not None:
        reason = (
            unwritable(out, f"folder ({spelled('-o RUN', 'out=...')})")
            if out == result.resumes
            else output_folder(out, experiment).refusal(overwrite=False)
        )
        result.stops += [reason] if reason is not None else []
    if not result.ok:
        return
    try:
        trials = try_models(experiment, source, sample, reading)
    except UserError as error:  # the disk is too full for a trial, for example
        result.notes.append(Sentence("check.untried", error=str(error)))
        return
    if trials is None:
        result.notes.append(Sentence("check.few_rows"))
        return
    estimate(experiment, resolved, part, reading, trials, result, out)
    threads = torch.get_num_threads()
    result.facts["device"] = Sentence("check.device_value", device=device.type, threads=threads)
    has_pictures = any(config.modality().media.startswith(("image/", "video/")) for config in experiment.fields.values())
    why = why_precision(experiment.training.precision, device, has_pictures)
    result.facts["precision"] = Sentence("check.precision_value", precision=precision, why=why)


def _fit_modalities(experiment: Experiment, source: Source, sample: Mapping[int, Mapping[str, Cell]], part: Split) -> dict[str, Modality]:
    """Return the modalities by field, fitted on the training rows of the sample."""
    sampled = open_source([dict(row) for row in sample.values()], name=source.name)
    return fit_modalities(experiment, sampled, roots_of(source, experiment.data.root), part.fitting_N[list(sample)])


def _notes(resolved: Resolved, tasks: Mapping[str, Task], targets: Targets, split_notes: Sequence[str]) -> list[str]:
    """Return the notes on columns, on the split, and on words in target columns that count as missing."""
    reasons = {path.removeprefix("columns."): reason for path, reason in resolved.reasons.items() if path.startswith("columns.")}
    notes: list[str] = [Sentence("note.plain_column", column=column, why=reason) for column, reason in reasons.items()]
    notes += split_notes
    for name, task in tasks.items():
        if words := missing_line(targets.facts[name], task.config.column, type(task)):
            notes.append(Sentence("note.of_target", target=name, line=words))
    return notes


def _costs(experiment: Experiment, modalities: Mapping[str, Modality], reading: Reading) -> dict[str, float]:
    """Return the multiply-adds of training on one row, by field. A field with a frozen backbone costs nearly nothing."""
    costs = {}
    for name, modality in modalities.items():
        shared = min(1.0, reading.distinct.get(name, 1.0)) if modality.cost() > _COSTLY else 1.0
        encoder = experiment.model.encoders[name]
        frozen = isinstance(encoder, EncoderConfig) and encoder.is_frozen
        costs[name] = 1.0 if frozen else modality.cost_of_training() * shared
    return costs
