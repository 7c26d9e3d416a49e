"""Read the columns of a table that are not fields: targets, weights, groups, and what the split stratifies by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np

from ...cells import is_missing_word
from ...errors import DataError, Fault
from ...flow import Cell
from ...tasks import Reading, TargetFacts, Task, empty_target, facts_for
from ...tasks.names import RECURRING, name_of
from ..sources import Source
from .cells import CellFault, OnFault

_KEPT, _KEPT_NUMBERS, _SHORT = 10_000, 4_000_000, 1_000

OnUnknown = Callable[[int, str, Sequence[str]], None]
"""A function that is called with a row (1 = first), a task, and the names of classes that the task does not know."""


@dataclass(frozen=True)
class Targets:
    """How the target columns of a table are read, determined from all of its rows.

    ``readings`` and ``facts`` by task. ``known_N`` is whether each row has any target (N,).
    """

    readings: Mapping[str, Reading]
    facts: Mapping[str, TargetFacts]
    known_N: np.ndarray


def examine_targets(source: Source, configs: Mapping[str, Any], readings: Mapping[str, Reading] | None = None) -> Targets:
    """Determine from all cells of the target columns how they are read and which rows have a target.

    :param configs: the configuration of each task
    :param readings: how the cells are read, if another table has determined it already; None = determined from this table
    :raises DataError: no row has a target
    """
    known_N = np.zeros(source.rows, bool)
    facts: dict[str, TargetFacts] = {}
    determined: dict[str, Reading] = {}
    for name, config in configs.items():
        facts[name] = column_facts = facts_for(config)
        words: dict[str, int] = {}
        word_N = np.zeros(source.rows, np.int16)  # 0 = a value, -1 = empty, else the number of a word
        for at, cell in enumerate(source.cells([config.column])):
            word = column_facts.add(cell)
            if word is not None:
                word_N[at] = words.setdefault(word, len(words) + 1) if word else -1
        determined[name] = column_facts.close().reading(config.task(), source.typed) if readings is None else readings[name]
        missing = [number for word, number in words.items() if word in determined[name].missing]
        known_N |= (word_N >= 0) & ~np.isin(word_N, missing)
    if not known_N.any():
        columns = ", ".join(repr(config.column) for config in configs.values())
        raise DataError(f"{source.name}: no row has a target in {columns}; expected some; choose another target")
    return Targets(determined, facts, known_N)


def fit_tasks(source: Source, configs: Mapping[str, Any], readings: Mapping[str, Reading], fitting_N: np.ndarray) -> dict[str, Task]:
    """Return each task, fitted on the rows where ``fitting_N`` is true.

    :param configs: the configuration of each task
    :param readings: how the cells of each task are read
    """
    tasks = {}
    for name, config in configs.items():
        cells = source.cells([config.column])
        kept = (cell for cell, fits in zip(cells, fitting_N, strict=True) if fits and not empty_target(cell))
        kind = config.task()
        tasks[name] = kind(config, kind.fit(config, kept, f"{source.name}, column {config.column!r}", readings[name]))
    return tasks


Value = TypeVar("Value")


def _each(cells: Iterable[Cell], read: Callable[[Cell], Value], most: int = _KEPT) -> Iterator[Value]:
    """Yield ``read`` of each cell. It is called once for each of ``most`` distinct whole numbers and short texts, since targets recur."""
    values: dict[str | int, Value] = {}
    for cell in cells:
        if type(cell) not in RECURRING:
            yield read(cell)
        elif cell in values:
            yield values[cell]
        else:
            value = read(cell)
            if len(values) < most and (type(cell) is int or len(str(cell)) < _SHORT):
                values[cell] = value
            yield value


def read_targets(
    source: Source, tasks: Mapping[str, Task], on_fault: OnFault, on_unknown: OnUnknown | None = None
) -> dict[str, np.ndarray]:
    """Read the target columns of a table.

    :param on_fault: called with each cell that cannot be read
    :param on_unknown: called for each row with classes that a task does not know
    :returns: the targets by task, float32 (N, T); NaN where a target is missing or cannot be read
    """
    targets = {}
    for name, task in tasks.items():
        target = np.full((source.rows, task.target_width), np.nan, np.float32)
        column, reading = task.config.column, task.reading
        most = min(_KEPT, _KEPT_NUMBERS // max(task.target_width, 1))

        def read(cell: Cell, task: Task = task, reading: Reading = reading) -> tuple[np.ndarray, list[str]] | str | None:
            """Return the encoded target of a cell with its unknown classes, None if it is missing, or the fault."""
            if reading.is_missing(cell):
                return None
            try:
                return task.encode(cell), task.unknown(cell)
            except Fault as fault:
                return str(fault)

        for at, value in enumerate(_each(source.cells([column]) if column in source.columns else (), read, most)):
            if value is None:
                continue
            if isinstance(value, str):
                on_fault(CellFault(at + 1, column, value))
                continue
            target[at], unknown = value
            if unknown and on_unknown is not None:
                on_unknown(at + 1, name, unknown)
        targets[name] = target
    return targets


def read_weights(source: Source, column: str | None) -> np.ndarray | None:
    """Read the weight of each row, float32 (N,), 0 or more.

    :param column: the column of the weights; None = None is returned
    :raises DataError: a cell is no weight, or every weight is 0
    """
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
            raise DataError(f"{source.name} row {at + 1}, column {column!r}: found {cell!r}; expected a weight of 0 or more; fix the cell")
    if not weights_N.any():
        raise DataError(f"{source.name}, column {column!r}: every weight is 0; expected some rows to count")
    return weights_N


# -- what a split uses -----------------------------------------------------------------------------------------------------


def strata_of(source: Source, config: Any, reading: Reading) -> np.ndarray:
    """Return a number for each row's target (N,), by which a split is stratified.

    Equal classes or labels have the same number, however they are written. If at least half of the rows have a number as target, the
    result is their rank, and of many distinct numbers neighbouring ones share a rank; -1 = no number.

    :param config: the configuration of the task
    :param reading: how its cells are read
    """
    column = config.column

    def number(cell: Cell) -> float:
        value = None if empty_target(cell) else reading.number(cell)
        return np.nan if value is None else value

    value_N = np.fromiter(_each(source.cells([column]), number), np.float64, source.rows)
    is_number_N = ~np.isnan(value_N)
    if not is_number_N.any() or is_number_N.mean() < 0.5:
        return _codes(source, column, lambda cell: "\n".join(sorted(config.task().names(config, reading, cell))))
    values, rank_N = np.unique(value_N[is_number_N], return_inverse=True)
    # Numbers of many values are cut into as many ranks as give each ten rows.
    out_N = np.full(source.rows, -1, np.int64)
    out_N[is_number_N] = rank_N // max(1, len(values) * 10 // max(source.rows, 1))
    return out_N


def groups_of(source: Source, column: str) -> np.ndarray:
    """Return the number of each row's group (N,). A row whose cell is empty is a group of its own."""
    alone_N = np.fromiter((empty_target(cell) for cell in source.cells([column])), bool, source.rows)
    group_N = _codes(source, column, name_of)
    group_N[alone_N] = int(group_N.max(initial=0)) + 1 + np.arange(int(alone_N.sum()))
    return group_N


def _codes(source: Source, column: str, name: Callable[[Cell], str]) -> np.ndarray:
    """Return a number for each row's value (N,), the same for values of the same ``name``."""

    def digest(cell: Cell) -> int:
        """Return a hash of the name in a cell, or of its text if it has no name."""
        try:
            text = name(cell)
        except Fault:
            text = str(cell)
        return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")

    digest_N = np.fromiter(_each(source.cells([column]), digest), np.uint64, source.rows)
    return np.unique(digest_N, return_inverse=True)[1].astype(np.int64)


def classes_of(source: Source, configs: Mapping[str, Any], readings: Mapping[str, Reading]) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of a row and a class (or label) that it has, over all targets whose rare classes are kept for training.

    :param configs: the configuration of each task
    :param readings: how the cells of each task are read
    :returns: the rows (M,), 0-based, and the numbers of their classes (M,); classes of different targets have different numbers
    """
    rows: list[int] = []
    classes: list[int] = []
    numbers: dict[tuple[str, str], int] = {}
    for name, config in configs.items():
        kind, reading = config.task(), readings[name]
        if not kind.has_classes or kind.has_vocabulary:
            continue

        def classes_in(cell: Cell, name: str = name, config: Any = config, kind: Any = kind, reading: Reading = reading) -> list[int]:
            """Return the numbers of the classes in a cell."""
            try:
                names = () if reading.is_missing(cell) else kind.names(config, reading, cell)
            except Fault:
                return []
            return [numbers.setdefault((name, one), len(numbers)) for one in names]

        for at, classes_of_row in enumerate(_each(source.cells([config.column]), classes_in)):
            rows += [at] * len(classes_of_row)
            classes += classes_of_row
    return np.array(rows, np.int64), np.array(classes, np.int64)
