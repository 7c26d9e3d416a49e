"""Predictions as rows of a table: the names and types of the columns, and the files they are written to."""

from __future__ import annotations

import csv
import itertools
import json
import math
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError
from ..flow import Prediction
from ..predictor import Predictor
from ..storage import no_formula, replacing
from ..tasks import Task
from ..tasks.classes import array_of
from ..training.observers import plain


@dataclass(frozen=True)
class Names:
    """The names of the columns of predictions: ``row``, ``present`` and ``faults``; by task, ``scores`` of its classes and ``sets`` (one
    column of sets, or the two ends of an interval).

    Target columns keep their names; then come the classes (``TARGET:CLASS``), then all others. A name that is already taken gets an
    underscore appended.
    """

    row: str
    present: str
    faults: str
    scores: Mapping[str, list[str]]
    sets: Mapping[str, list[str]]

    @classmethod
    def of(cls, tasks: Mapping[str, Task]) -> Names:
        """Return the column names for the tasks of a model."""
        taken = {task.config.column for task in tasks.values()}

        def free(name: str) -> str:
            while name in taken:
                name += "_"
            taken.add(name)
            return name

        scores = {name: [free(f"{task.config.column}:{label}") for label in task.classes or []] for name, task in tasks.items()}
        ends = {name: ["set"] if task.classes is not None else ["low", "high"] for name, task in tasks.items()}
        sets = {name: [free(f"{task.config.column}:{end}") for end in ends[name]] for name, task in tasks.items()}
        return cls(free("row"), free("present"), free("faults"), scores, sets)


class Sure:
    """The options on uncertainty: prediction sets of a given coverage, and abstention below a probability.

    :param predictor: the model
    :param coverage: the coverage of the sets or intervals; None = no sets
    :param abstain_below: the least probability of a predicted class; below it the prediction is left empty; None = never
    :raises UserError: ``abstain_below`` is given but no target has classes
    """

    def __init__(self, predictor: Predictor, coverage: float | None = None, abstain_below: float | None = None) -> None:
        self.predictor, self.coverage, self.abstain_below = predictor, coverage, abstain_below
        self.names = Names.of(predictor.bundle.tasks)
        self._sets: Counter[str] = Counter()
        self._empty: Counter[str] = Counter()
        self.tasks = list(predictor.errors(coverage)) if coverage is not None else []
        if abstain_below is not None and all(task.classes is None for task in predictor.bundle.tasks.values()):
            raise UserError("--abstain-below: every target is a number, which has no probability; expected classes; use --coverage")

    def columns(self) -> dict[str, str]:
        """Return the columns of the sets, and their types."""
        columns: dict[str, str] = {}
        for name in self.tasks:
            task = self.predictor.bundle.tasks[name]
            columns |= dict.fromkeys(self.names.sets[name], "double" if task.classes is None else f"list {_type_of(task)}")
        return columns

    def add(self, record: dict[str, Any], name: str, part: Prediction, at: int) -> None:
        """Add the set of row ``at`` of a part to its record, and remove the prediction if its probability is too low."""
        scores_C = part.scores[name][at]
        task = self.predictor.bundle.tasks[name]
        if self.abstain_below is not None and task.classes is not None and not float(np.max(scores_C)) >= self.abstain_below:
            record[task.config.column] = None
        if name in self.tasks:
            found = part.sets[name][at]
            if task.classes is None:
                ends = (None if math.isnan(end) else float(end) for end in found)
                record |= dict(zip(self.names.sets[name], ends, strict=True))
            else:
                record[self.names.sets[name][0]] = list(found)
                if not np.isnan(scores_C).any():
                    self._sets[name] += 1
                    self._empty[name] += not len(found)

    def warn(self) -> None:
        """Issue a warning if some sets are empty."""
        for name, none in self._empty.items():
            if none:
                warnings.warn(
                    f"target {name!r}: {none:,} of {self._sets[name]:,} sets are empty: no class is probable enough there for a "
                    f"coverage of {self.coverage:g}, as happens where more answers are right than that; ask for more coverage",
                    UserWarning,
                    stacklevel=2,
                )


def records(predictor: Predictor, parts: Iterator[Prediction], sure: Sure | None = None) -> Iterator[dict[str, Any]]:
    """Yield predictions as rows: ``row``, for each target the prediction and the probabilities of its classes, ``present``, ``faults``."""
    sure = sure or Sure(predictor)
    names = sure.names
    for part in parts:
        for at, number in enumerate(part.rows):
            record: dict[str, Any] = {names.row: int(number)}
            for name, task in predictor.bundle.tasks.items():
                value = part.values[name][at]
                record[task.config.column] = value.item() if isinstance(value, np.generic) else value
                if isinstance(record[task.config.column], float) and math.isnan(record[task.config.column]):
                    record[task.config.column] = None
                for index, column in enumerate(names.scores[name]):
                    score = float(part.scores[name][at, index])
                    record[column] = None if math.isnan(score) else score
                sure.add(record, name, part, at)
            record[names.present] = ";".join(part.present[at])
            record[names.faults] = part.faults[at]
            yield record


def _type_of(task: Task) -> str:
    """Return the Arrow type of a task's predictions; text if its classes have several types, or are whole numbers beyond 64 bits."""
    kind = array_of([0.0] if task.classes is None else task.classes).dtype.name
    return {"float64": "double", "int64": "int64", "bool": "bool"}.get(kind, "string")


def columns_of(sure: Sure) -> dict[str, str]:
    """Return the columns of ``records`` in order, with the Arrow type of each."""
    names = sure.names
    columns = {names.row: "int64"}
    for name, task in sure.predictor.bundle.tasks.items():
        answer = _type_of(task)
        columns[task.config.column] = f"list {answer}" if task.config.kind == "multilabel" else answer
        columns |= dict.fromkeys(names.scores[name], "double")
    return {**columns, **sure.columns(), names.present: "string", names.faults: "string"}


def write(out: str, sure: Sure, rows: Iterator[dict[str, Any]]) -> int:
    """Write rows to a file in the format of its extension and return their number. The file is replaced only after all rows are written.

    :raises UserError: the file cannot be written
    """
    path = Path(out)
    with replacing(path) as temporary:
        return WRITERS[path.suffix.lower()](temporary, rows, columns_of(sure))


def _write_csv(path: Path, rows: Iterator[dict[str, Any]], columns: Mapping[str, str]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(map(no_formula, columns))
        for record in rows:
            cells = (record[name] for name in columns)
            writer.writerow(no_formula(";".join(map(str, cell)) if isinstance(cell, list) else cell) for cell in cells)
            count += 1
    return count


def _write_jsonl(path: Path, rows: Iterator[dict[str, Any]], columns: Mapping[str, str]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        for record in rows:
            file.write(json.dumps(plain(record), ensure_ascii=False) + "\n")
            count += 1
    return count


def _write_parquet(path: Path, rows: Iterator[dict[str, Any]], columns: Mapping[str, str]) -> int:
    import pyarrow as pa
    from pyarrow import parquet

    types = {name: pa.type_for_alias(kind.removeprefix("list ")) for name, kind in columns.items()}
    schema = pa.schema([(name, pa.list_(of) if columns[name].startswith("list ") else of) for name, of in types.items()])
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        while held := list(itertools.islice(rows, 4096)):
            held = [{name: _texts(cell) if columns[name].endswith("string") else cell for name, cell in row.items()} for row in held]
            writer.write_table(pa.Table.from_pylist(held, schema=schema))
            count += len(held)
    return count


def _texts(cell: Any) -> Any:
    """Return a cell of a text column as text, since classes may have several types."""
    if isinstance(cell, list):
        return [_texts(part) for part in cell]
    return cell if cell is None or isinstance(cell, str) else str(cell)


WRITERS = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}
