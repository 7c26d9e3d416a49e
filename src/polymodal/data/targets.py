"""The target columns of a table: how their cells are read, which rows have a target, which classes are rare or unknown, and the weights
of rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np

from ..cells import is_missing_word
from ..errors import DataError, Fault
from ..flow import Cell
from ..tasks import Reading, TargetFacts, Task, empty_target, facts_for
from ..tasks.names import RECURRING, name_of
from .sources import Source
from .splits import CALIBRATE, OUT, SELECT, TEST, TRAIN, VALID

FEW = 5
"""A class of fewer rows is told: a model hardly learns it."""
_PARTS = {TRAIN: "training", SELECT: "selection", CALIBRATE: "calibration", VALID: "validation", TEST: "test"}
_NAMED, _KEPT, _KEPT_NUMBERS, _SHORT = 10, 10_000, 4_000_000, 1_000


@dataclass(frozen=True)
class Targets:
    """What the target columns of a table hold, decided on all of its rows: by task its ``readings`` and its ``facts``; ``known_N`` says
    which rows have any target."""

    readings: Mapping[str, Reading]
    facts: Mapping[str, TargetFacts]
    known_N: np.ndarray


def targets_of(source: Source, configs: Mapping[str, Any], readings: Mapping[str, Reading] | None = None) -> Targets:
    """Look at every cell of the target columns.

    :param readings: how cells are read, where that is decided already (by another table)
    """
    known_N = np.zeros(source.rows, bool)
    facts: dict[str, TargetFacts] = {}
    found: dict[str, Reading] = {}
    for name, config in configs.items():
        facts[name] = seen = facts_for(config)
        words: dict[str, int] = {}
        word_N = np.zeros(source.rows, np.int16)  # 0 = a value, -1 = empty, else the number of a word
        for at, cell in enumerate(source.cells([config.column])):
            word = seen.add(cell)
            if word is not None:
                word_N[at] = words.setdefault(word, len(words) + 1) if word else -1
        found[name] = seen.close().reading(config.task(), source.typed) if readings is None else readings[name]
        missing = [number for word, number in words.items() if word in found[name].missing]
        known_N |= (word_N >= 0) & ~np.isin(word_N, missing)
    return Targets(found, facts, known_N)


def known_rows(source: Source, configs: Mapping[str, Any], readings: Mapping[str, Reading] | None = None) -> Targets:
    """``targets_of``; ``DataError`` where no row has a target."""
    found = targets_of(source, configs, readings)
    if not found.known_N.any():
        columns = ", ".join(repr(config.column) for config in configs.values())
        raise DataError(f"{source.name}: no row has a target in {columns}; expected some; choose another target")
    return found


def fitted(source: Source, configs: Mapping[str, Any], readings: Mapping[str, Reading], fitting_N: np.ndarray) -> dict[str, Task]:
    """Each target's task, its facts learned from the rows where ``fitting_N``."""
    tasks = {}
    for name, config in configs.items():
        cells = source.cells([config.column])
        kept = (cell for cell, fits in zip(cells, fitting_N, strict=True) if fits and not empty_target(cell))
        kind = config.task()
        tasks[name] = kind(config, kind.fit(config, kept, f"{source.name}, column {config.column!r}", readings[name]))
    return tasks


Found = TypeVar("Found")


def _found_in(cells: Iterable[Cell], find: Callable[[Cell], Found], most: int = _KEPT) -> Iterator[Found]:
    """``find`` of each cell. Most targets recur: of ``most`` distinct whole numbers and short texts it is called once."""
    known: dict[str | int, Found] = {}
    for cell in cells:
        if type(cell) not in RECURRING:
            yield find(cell)
        elif cell in known:
            yield known[cell]
        else:
            found = find(cell)
            if len(known) < most and (type(cell) is int or len(str(cell)) < _SHORT):
                known[cell] = found
            yield found


OnFault = Callable[[int, str, str], None]
"""Takes a row (1 = first), a column, and what is wrong."""
OnUnknown = Callable[[int, str, Sequence[str]], None]
"""Takes a row (1 = first), a task, and the names of classes that it does not know."""


def read_targets(
    source: Source, tasks: Mapping[str, Task], on_fault: OnFault, on_unknown: OnUnknown | None = None
) -> dict[str, np.ndarray]:
    """Targets by task, float32 (N, T), NaN where missing or unreadable."""
    targets = {}
    for name, task in tasks.items():
        target = np.full((source.rows, task.target_width), np.nan, np.float32)
        column, reading = task.config.column, task.reading
        most = min(_KEPT, _KEPT_NUMBERS // max(task.target_width, 1))

        def read(cell: Cell, task: Task = task, reading: Reading = reading) -> tuple[np.ndarray, list[str]] | str | None:
            if reading.is_missing(cell):
                return None
            try:
                return task.encode(cell), task.unknown(cell)
            except Fault as fault:
                return str(fault)

        for at, found in enumerate(_found_in(source.cells([column]) if column in source.columns else (), read, most)):
            if found is None:
                continue
            if isinstance(found, str):
                on_fault(at + 1, column, found)
                continue
            target[at] = found[0]
            if found[1] and on_unknown is not None:
                on_unknown(at + 1, name, found[1])
        targets[name] = target
    return targets


def read_weights(source: Source, column: str | None) -> np.ndarray | None:
    """The weight of each row, float32 (N,), 0 or more."""
    if column is None:
        return None
    source.check([column])
    weights_N = np.zeros(source.rows, np.float32)
    for at, cell in enumerate(source.cells([column])):
        try:
            weights_N[at] = float("nan") if is_missing_word(cell) else float(cell)
        except (TypeError, ValueError):
            weights_N[at] = math.nan
        if not 0 <= weights_N[at] < math.inf:
            raise DataError(f"{source.name} row {at + 1}, column {column!r}: found {cell!r}; expected a weight of 0 or more; mend the cell")
    if not weights_N.any():
        raise DataError(f"{source.name}, column {column!r}: every weight is 0; expected some rows to count")
    return weights_N


# -- what a split keeps together -------------------------------------------------------------------------------------------


def strata_of(source: Source, config: Any, reading: Reading) -> np.ndarray:
    """A number for each row's target (N,), the same for the same class or labels, however they are written; where most are numbers, in
    their order, near ones alike."""
    column = config.column

    def number(cell: Cell) -> float:
        found = None if empty_target(cell) else reading.number(cell)
        return np.nan if found is None else found

    value_N = np.fromiter(_found_in(source.cells([column]), number), np.float64, source.rows)
    known_N = ~np.isnan(value_N)
    if not known_N.any() or known_N.mean() < 0.5:
        return _codes(source, column, lambda cell: "\n".join(sorted(config.task().names(config, reading, cell))))
    values, rank_N = np.unique(value_N[known_N], return_inverse=True)
    # Numbers of many values are cut into as many ranks as give each ten rows.
    out_N = np.full(source.rows, -1, np.int64)
    out_N[known_N] = rank_N // max(1, len(values) * 10 // max(source.rows, 1))
    return out_N


def groups_of(source: Source, column: str) -> np.ndarray:
    """The number of each row's group (N,). A row whose cell is empty is a group of its own."""
    alone_N = np.fromiter((empty_target(cell) for cell in source.cells([column])), bool, source.rows)
    group_N = _codes(source, column, name_of)
    group_N[alone_N] = int(group_N.max(initial=0)) + 1 + np.arange(int(alone_N.sum()))
    return group_N


def _codes(source: Source, column: str, name: Callable[[Cell], str]) -> np.ndarray:
    """A number for each row's value (N,), the same for values of the same ``name``."""

    def digest(cell: Cell) -> int:
        try:
            text = name(cell)
        except Fault:
            text = str(cell)
        return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")

    digest_N = np.fromiter(_found_in(source.cells([column]), digest), np.uint64, source.rows)
    return np.unique(digest_N, return_inverse=True)[1].astype(np.int64)


def classes_of(source: Source, configs: Mapping[str, Any], readings: Mapping[str, Reading]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (M,) of a row (0-based) and the number of a class (or label) that it has, over all targets that have classes."""
    rows: list[int] = []
    classes: list[int] = []
    numbers: dict[tuple[str, str], int] = {}
    for name, config in configs.items():
        kind, reading = config.task(), readings[name]
        if not kind.has_classes:
            continue

        def classes_in(cell: Cell, name: str = name, config: Any = config, kind: Any = kind, reading: Reading = reading) -> list[int]:
            try:
                names = () if reading.is_missing(cell) else kind.names(config, reading, cell)
            except Fault:
                return []
            return [numbers.setdefault((name, one), len(numbers)) for one in names]

        for at, found in enumerate(_found_in(source.cells([config.column]), classes_in)):
            rows += [at] * len(found)
            classes += found
    return np.array(rows, np.int64), np.array(classes, np.int64)


# -- what is told of classes -----------------------------------------------------------------------------------------------


@dataclass
class Unknown:
    """Rows of classes that a model does not know, by task, by the part of the data that they are in."""

    counts: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)

    def add(self, task: str, part: str, names: Sequence[str]) -> None:
        """One row with such classes."""
        by_part = self.counts.setdefault(task, {})
        counts = by_part.setdefault(part, Counter())
        for name in names:
            if name in counts or len(counts) < _KEPT:
                counts[name] += 1

    def listener(self, part_N: np.ndarray) -> OnUnknown:
        """What ``read_targets`` tells unknown classes to; ``part_N`` says which part each row is in."""
        return lambda row, task, names: self.add(task, _PARTS[int(part_N[row - 1])], names) if part_N[row - 1] != OUT else None


def unknown_line(by_part: Mapping[str, Mapping[str, int]]) -> str:
    """The classes that a model does not know, named with their rows by the part of the data that has them; "" where there are none."""
    parts = [f"{_listing(counts)} in {part} rows" for part, counts in by_part.items() if counts]
    return f"classes unknown to the model, since no training row has them: {'; '.join(parts)}" if parts else ""


def class_notes(
    tasks: Mapping[str, Task], targets: Mapping[str, np.ndarray], part_N: np.ndarray, members: Sequence[np.ndarray], unknown: Unknown
) -> list[str]:
    """A line for each target of which some classes are rare, are missing where a member trains, or are unknown to the model.

    :param part_N: the part of each row of the training table, ``OUT`` for rows that are not used
    :param members: the rows (0-based) that each member trains on
    """
    lines = []
    for name, task in tasks.items():
        if not task.has_classes:
            continue
        names = list(map(str, task.classes or ()))
        totals = task.class_counts(targets[name][part_N != OUT])
        rare = {label: int(count) for label, count in zip(names, totals, strict=True) if count < FEW}
        parts = []
        if rare:
            parts.append(f"classes of fewer than {FEW} rows: {_listing(rare)}")
        if len(members) > 1:
            trained = np.array([task.class_counts(targets[name][rows]) for rows in members])
            absent = {label: int(totals[at]) for at, label in enumerate(names) if (trained[:, at] == 0).any()}
            if absent:
                parts.append(f"classes that some folds do not train on: {_listing(absent)}")
        if line := unknown_line(unknown.counts.get(name, {})):
            parts.append(line)
        if parts:
            lines.append(f"target {name!r}: {'; '.join(parts)}; bring more rows of them, or merge them with other classes")
    return lines


def _listing(counts: Mapping[str, int]) -> str:
    """Names with their rows, the rarest first."""
    ordered = sorted(counts.items(), key=lambda pair: (pair[1], pair[0]))
    shown = ", ".join(f"{name[:40]!r} ({count:,})" for name, count in ordered[:_NAMED])
    return f"{shown}, and {len(ordered) - _NAMED:,} more" if len(ordered) > _NAMED else shown
