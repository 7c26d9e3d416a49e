"""Steps before training: splitting rows, fitting modalities and tasks on the training rows, reading samples, recording faults."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from .backbones import Backbone
from .config import quote
from .data.class_notes import Unknown, class_notes
from .data.copies import LEAST_UNITS, Together, nothing_together, together
from .data.near_duplicates import near_duplicates_in
from .data.reading import (
    CellState,
    FaultBook,
    classes_of,
    columns_of_faults,
    examine_targets,
    fit_tasks,
    groups_of,
    is_inferred_column,
    read_targets,
    read_weights,
    strata_of,
)
from .data.sampling import cells_at, rows_to_fit_on
from .data.sources import Source
from .data.splits import OUT, TRAIN, VALID, Split, selection, split
from .data.store import Store
from .encoders import EncoderConfig
from .errors import ConfigError, DataError, UserError, spelled
from .experiment import Experiment
from .flow import State
from .frozen import FeatureCache, fill
from .language import Sentence
from .modalities import FieldConfig, Modality, Roots
from .model import form_of
from .tasks import Reading, Task
from .training.devices import pick_device


@dataclass
class Table:
    """A source and the data read from it: samples, targets (N, T) by task (NaN = none), weights (N,) or None, and usable rows (N,)."""

    source: Source
    store: Store
    targets: Mapping[str, np.ndarray]
    weights_N: np.ndarray | None
    usable_N: np.ndarray
    faulty: Mapping[str, str] = field(default_factory=dict)
    """By target or column, a message about its cells that cannot be read."""


@dataclass
class Prepared:
    """The input of training: the training table, its split, and the validation table (the training table unless another is given)."""

    experiment: Experiment
    tasks: Mapping[str, Task]
    modalities: Mapping[str, Modality]
    train: Table
    valid: Table
    split: Split
    unlabelled: Mapping[str, int]
    backbones: Mapping[str, Backbone]
    """By field, the frozen backbone that computes the features of its cells."""
    warnings: list[str] = field(default_factory=list)
    """Warnings about the data: unreadable targets, rare or unknown classes, copies across the split."""
    selecting: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    """The selection rows (0-based) of ``valid``, which select the epoch if there are no folds. No metric is reported on them."""
    unit_N: np.ndarray | None = None
    """Rows of the training table with the same number (N,) stay in one part of the split; None = every row is split by itself."""

    def content(self) -> dict[str, str]:
        """Return digests of all data that training sees, by what they describe. If the data change, a digest changes."""
        digests = {"split": _digest(self.split.part_N, self.split.fold_N, self.split.half_N)}
        for what, table in (("", self.train), ("validation table, ", self.valid)):
            if what and self.valid is self.train:
                break
            digests |= {f"{what}field {name!r}": digest for name, digest in table.store.content.items()}
            digests |= {f"{what}target {name!r}": _digest(target) for name, target in table.targets.items()}
            if table.weights_N is not None:
                digests[f"{what}weights"] = _digest(table.weights_N)
            digests[f"{what}rows"] = f"{table.source.rows:,}"
        return digests

    def states(self) -> dict[str, dict[str, State]]:
        """Return what was fitted on the training rows before training, as plain data."""
        return {
            "fields": {name: modality.state for name, modality in self.modalities.items()},
            "tasks": {name: task.state for name, task in self.tasks.items()},
        }

    @property
    def selects(self) -> bool:
        """Whether there are rows that select the epoch; otherwise every member keeps its last epoch."""
        return len(self.selecting) > 0 or self.split.folds > 0

    def close(self) -> None:
        """Release the disk space of the samples."""
        for table in {id(self.train): self.train, id(self.valid): self.valid}.values():
            table.store.close()

    def member(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows (0-based) of ``train`` that a member trains on, and its validation rows (0-based) in ``valid``."""
        if self.valid is self.train:
            return self.split.member(fold)
        return np.flatnonzero(self.split.part_N == TRAIN), np.setdiff1d(np.flatnonzero(self.valid.usable_N), self.selecting)


def roots_of(source: Source, extra: Sequence[str]) -> Roots:
    """Return the folders that file cells of a table may refer to: the table's own folder and ``extra``."""
    folders = [source.folder] if source.folder is not None else []
    return Roots([*folders, *extra])


def modalities_for(source: Source, experiment: Experiment, modalities: Mapping[str, Modality]) -> dict[str, Modality]:
    """Return fitted modalities by field for another table, whose cells refer to files in folders of their own.

    :param source: the other table
    :param modalities: the modalities by field, fitted on the training table
    """
    roots = roots_of(source, experiment.data.root)
    return {name: type(modality)(modality.config, modality.state, roots) for name, modality in modalities.items()}


def _digest(*arrays: np.ndarray) -> str:
    digest = blake2b(digest_size=16)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def prepare(
    experiment: Experiment,
    source: Source,
    valid_source: Source | None,
    folder: Path,
    states: Mapping[str, Mapping[str, State]] | None = None,
    note: Callable[[str], None] = lambda _: None,
    inferred_kinds: Collection[str] = (),
    inferred_columns: Mapping[str, Collection[str]] | None = None,
) -> Prepared:
    """Split the rows, fit modalities and tasks on the training rows (or take the ``states`` fitted before), and read samples and targets.

    :param inferred_kinds: tasks whose kind was inferred rather than configured: their unreadable targets never stop the run
    :param inferred_columns: by field, the columns whose kind or type was inferred: their unreadable cells never stop the run
    :raises DataError: the table cannot be trained on
    """
    source.check([*experiment.columns_and_targets(), *experiment.data.split.columns])
    source.check_rows()
    weights_N = read_weights(source, experiment.data.weight)
    tasks: Mapping[str, Task] = {}
    if states is not None:
        tasks = {name: config.task()(config, states["tasks"][name]) for name, config in experiment.tasks.items()}
    targets = examine_targets(source, experiment.tasks, {name: task.reading for name, task in tasks.items()} or None)
    part, kept = split_rows(experiment, source, targets.known_N, valid_source is not None, targets.readings)
    for line in kept.notes:
        note(line)
    roots = roots_of(source, experiment.data.root)
    if states is None:
        tasks = fit_tasks(source, experiment.tasks, targets.readings, part.fitting_N)
        modalities = fit_modalities(experiment, source, roots, part.fitting_N)
    else:
        modalities = {name: config.modality()(config, states["fields"][name], roots) for name, config in experiment.fields.items()}
    backbones = load_backbones(experiment, modalities)
    unknown = Unknown()
    settings = (experiment, source, modalities, tasks, weights_N)
    inferred = (inferred_kinds, inferred_columns or {})
    train = read_table(*settings, part.part_N.copy(), folder / "faults.csv", folder, unknown, *inferred)
    part.part_N[~train.usable_N] = OUT
    valid = train
    if valid_source is not None:
        try:
            valid = _read_valid(experiment, valid_source, modalities, tasks, folder, unknown, *inferred)
        except BaseException:
            train.store.close()
            raise
    unlabelled = {name: int(np.isnan(target).any(1).sum()) for name, target in train.targets.items()}
    prepared = Prepared(experiment, tasks, modalities, train, valid, part, unlabelled, backbones, unit_N=kept.unit_N)
    prepared.selecting = part.selecting if valid is train else _selecting(experiment, valid)
    try:
        for fold in range(part.members):
            for rows, table, what in zip(prepared.member(fold), (train, valid), ("train", "validate"), strict=True):
                if not len(rows):
                    raise DataError(f"{table.source.name}: no row is left to {what} on; expected rows with a readable target")
        members = [prepared.member(fold)[0] for fold in range(part.members)]
        prepared.warnings = [
            *train.faulty.values(),
            *(valid.faulty.values() if valid is not train else ()),
            *class_notes(tasks, train.targets, part.part_N, members, unknown),
            *kept.warnings,
            *(pairs.line() for pairs in near_duplicates_in(source, train.store, part, experiment.seed)),
        ]
        _replace_by_features(prepared, note)
    except BaseException:
        prepared.close()
        raise
    return prepared


def load_backbones(experiment: Experiment, modalities: Mapping[str, Modality]) -> dict[str, Backbone]:
    """Return the frozen backbones by field, with their weights loaded."""
    backbones = {}
    for name, encoder in experiment.model.encoders.items():
        if isinstance(encoder, EncoderConfig) and encoder.is_frozen:
            backbones[name] = encoder.backbone(modalities[name].state).eval().requires_grad_(False)
            backbones[name].load(encoder.may_download)
    return backbones


def _replace_by_features(prepared: Prepared, note: Callable[[str], None]) -> None:
    """Replace the samples of fields with a frozen backbone by the features that the backbone computes."""
    device = pick_device(prepared.experiment.training.device)
    for name, backbone in prepared.backbones.items():
        modality = prepared.modalities[name]
        cache = FeatureCache(backbone, modality.state, device, prepared.experiment.data.features_gb)
        for table in {id(prepared.train): prepared.train, id(prepared.valid): prepared.valid}.values():
            fill(table.store, name, modality, backbone, cache, device, note)


def _selecting(experiment: Experiment, valid: Table) -> np.ndarray:
    """Return the selection rows of a separate validation table."""
    group = experiment.data.split.group
    groups_N = groups_of(valid.source, group) if group is not None and group in valid.source.columns else None
    strata_N = next(iter(valid.targets.values()))[:, 0]
    return selection(np.flatnonzero(valid.usable_N), strata_N, groups_N, experiment.seed)


def _read_valid(
    experiment: Experiment,
    source: Source,
    modalities: Mapping[str, Modality],
    tasks: Mapping[str, Task],
    folder: Path,
    unknown: Unknown,
    inferred_kinds: Collection[str],
    inferred_columns: Mapping[str, Collection[str]],
) -> Table:
    source.check(experiment.columns_and_targets())
    source.check_rows(" to validate on")
    modalities = modalities_for(source, experiment, modalities)
    weights_N = read_weights(source, experiment.data.weight)
    part_N = np.full(source.rows, VALID, np.uint8)
    return read_table(
        experiment,
        source,
        modalities,
        tasks,
        weights_N,
        part_N,
        folder / "faults.valid.csv",
        folder,
        unknown,
        inferred_kinds,
        inferred_columns,
    )


def fit_modalities(experiment: Experiment, source: Source, roots: Roots, fitting_N: np.ndarray) -> dict[str, Modality]:
    """Return the modality of each field, fitted on the rows where ``fitting_N`` is true; of many rows, on an even sample."""
    modalities = {}
    columns = {name: config.sources for name, config in experiment.fields.items()}
    most = {name: config.modality().fit_cells for name, config in experiment.fields.items()}
    rows = rows_to_fit_on(source, columns, most, fitting_N, experiment.seed)
    for name, config in experiment.fields.items():
        kind = config.modality()
        try:
            form, needs = form_of(experiment.model.encoders[name], kind.forms)
        except ConfigError as error:
            raise ConfigError(f"model.encoders.{quote(name)}: {error}") from None
        _agree(name, config, needs)
        state = kind.fit(config, cells_at(source, config.sources, rows[name]), form, needs, roots)
        if "backbone" in needs:
            state["backbone"] = needs["backbone"]
        modalities[name] = kind(config, state, roots)
    return modalities


def _agree(name: str, config: FieldConfig, needs: Mapping[str, Any]) -> None:
    """Raise ``ConfigError`` if a field sets a value that its encoder determines otherwise. A default is not a value that is set."""
    for key, value in needs.items():
        configured = getattr(config, key, None)
        if configured is not None and configured not in (value, type(config).model_fields[key].default):
            configured = list(configured) if isinstance(configured, tuple) else configured
            raise ConfigError(
                f"fields.{quote(name)}.{key}: {configured}, but its encoder, {quote(name)} in model.encoders, reads {value}; leave it out"
            )


def read_table(
    experiment: Experiment,
    source: Source,
    modalities: Mapping[str, Modality],
    tasks: Mapping[str, Task],
    weights_N: np.ndarray | None,
    part_N: np.ndarray,
    faults: Path,
    folder: Path,
    unknown: Unknown,
    inferred_kinds: Collection[str],
    inferred_columns: Mapping[str, Collection[str]],
) -> Table:
    """Read the samples and targets of a table. Rows that are ``OUT``, without any target, skipped, or of weight 0 are not usable.

    :raises DataError: more cells of a column are unreadable than ``data.max_faults`` allows, or one is under ``on_error: error``
    :raises UserError: the samples cannot be written to ``folder``
    """
    keep_N = part_N != OUT
    book = FaultBook(source.name, lambda name: experiment.data.on_error if name is None else experiment.on_error(name), path=faults)
    store = Store(folder / f".{faults.stem}.cells", modalities, int(experiment.data.cache_gb * 2**30))
    try:
        targets = read_targets(source, tasks, book.record, unknown.listener(part_N))
        faulty: dict[str, str] = {}
        for name, task in tasks.items():
            cells = int((~np.isnan(targets[name]).any(1)).sum()) + book.counts[task.config.column]
            if line := book.line(task.config.column, cells):
                faulty[name] = Sentence("faults.targets", line=line)
            _bound_faults(book, task.config.column, cells, 1.0 if name in inferred_kinds else experiment.data.max_faults, is_inferred=False)
        store.fill(source, book.record, keep_N)
        usable_N = keep_N & np.logical_or.reduce([~np.isnan(target).any(1) for target in targets.values()])
        for name in modalities:
            if experiment.on_error(name) == "skip":
                usable_N &= ~store.is_faulty(name)
            cells = int((store.state[name][keep_N] != CellState.MISSING).sum())
            config = experiment.fields[name]
            for column in columns_of_faults(config.sources):
                is_inferred = config.is_guess(column) or is_inferred_column(column, config.sources, inferred_columns.get(name, ()))
                _bound_faults(book, column, cells, experiment.data.max_faults, is_inferred)
                if (line := book.line(column, cells)) and not book.exceeds(column, cells, experiment.data.max_faults):
                    faulty[column] = Sentence("faults.listed", line=line)
    except OSError as error:
        store.close()
        raise UserError(
            f"{folder}: the samples of {source.name} cannot be written there ({error.strerror or error}); free some disk space, choose "
            f"another folder ({spelled('-o RUN', 'out=...')}), or store less: data.cache_gb=0"
        ) from None
    except BaseException:
        store.close()
        raise
    finally:
        book.close()
    if weights_N is not None:
        usable_N &= weights_N > 0
    return Table(source, store, targets, weights_N, usable_N, faulty)


def _bound_faults(book: FaultBook, column: str, cells: int, limit: float, is_inferred: bool) -> None:
    """Raise ``DataError`` if more than a share ``limit`` of a column's cells is unreadable; only warn if its type was inferred."""
    if not book.exceeds(column, cells, limit):
        return
    if not is_inferred:
        raise DataError(book.refusal(column, cells, limit))
    warnings.warn(Sentence("faults.columns", line=book.line(column, cells), column=column), UserWarning, stacklevel=2)


def known_targets(source: Source, experiment: Experiment) -> np.ndarray:
    """Return which rows (N,) have a target. Raises ``DataError`` if no row has one."""
    return examine_targets(source, experiment.tasks).known_N


def split_rows(
    experiment: Experiment, source: Source, known_N: np.ndarray, valid_elsewhere: bool, readings: Mapping[str, Reading] | None = None
) -> tuple[Split, Together]:
    """Assign rows to training, validation and test; return the split and which rows stay together. Rows without a target are left out.

    Copies, and rows that share a long text or a file, stay in one part together with the rows of their group, unless ``data.split.copies``
    is ``ignore``. A split by time or by a column does not move such rows; copies across its parts cause a warning.

    :param readings: how target cells are read, by task; None = determined from the table
    """
    if valid_elsewhere:
        return Split.single(np.where(known_N, TRAIN, OUT)), nothing_together(source.rows)
    config = experiment.data.split
    readings = readings or examine_targets(source, experiment.tasks).readings
    first = next(iter(experiment.tasks))
    strata_N = strata_of(source, experiment.tasks[first], readings[first])
    kept = nothing_together(source.rows, groups_of(source, config.group) if config.group else None)
    if config.copies == "together":
        least = max(LEAST_UNITS, config.folds + 1)
        kept = together(source, experiment.fields, roots_of(source, experiment.data.root), known_N, least, kept.unit_N)
    cells = list(source.cells([config.column])) if config.column else None
    classes = None
    if config.kind not in ("column", "time"):
        classes = classes_of(source, experiment.tasks, readings)
    try:
        part = split(config, known_N, strata_N, experiment.seed, kept.unit_N, cells, classes)
    except DataError as error:
        raise type(error)(f"{source.name}{' ' if str(error).startswith('row ') else ': '}{error}") from None
    return part, kept.across(part.part_N, config.kind) if config.kind in ("column", "time") else kept
