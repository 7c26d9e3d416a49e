"""What the commands do: call the library, and print."""

from __future__ import annotations

import csv
import itertools
import json
import math
import shlex
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.cells import cell_len, set_cell_size

from ..disk import no_formula
from ..errors import DataError, UserError
from ..flow import Prediction
from ..predictor import Predictor, load
from ..runs import Interrupted
from ..runs import resume as resume_run
from ..runs import train as train_run
from ..tasks import Task
from ..training.observers import Console, Observer, TensorBoard, plain
from .warned import warnings_as_lines


def train(
    table: str | None,
    overrides: Sequence[str],
    *,
    targets: Sequence[str],
    out: str | None,
    resume: str | None,
    force: bool,
    tensorboard: bool,
    quiet: bool,
    start: float,
    **settings: Any,
) -> None:
    """Train, or go on with a run, and say where the results are."""
    folder = Path(resume) if resume is not None else Path(out) if out is not None else _free_folder(Path(str(table)).stem)
    observers: list[Observer] = [] if quiet else [Console()]
    if tensorboard:
        observers.append(TensorBoard(folder / "tensorboard"))
    settings["columns"] = settings["columns"] or None
    try:
        with warnings_as_lines():
            if resume is not None:
                tables = {"table": table, "valid": settings["valid"], "test": settings["test"]}
                predictor = resume_run(folder, *overrides, **tables, force=force, observers=observers, start=start)
            else:
                predictor = train_run(
                    table, *overrides, target=list(targets) or None, out=folder, observers=observers, start=start, **settings
                )
    except Interrupted as stopped:
        best = f"; the best weights so far are in {folder}/bundle" if stopped.predictor is not None else " before training began"
        click.echo(f"interrupted{best}; go on: polymodal train --resume {shlex.quote(str(folder))}", err=True)
        sys.exit(128 + stopped.signal)
    click.echo(summary(predictor))
    click.echo(f"run: {folder}  (bundle: {folder}/bundle)")
    click.echo(f"next: polymodal predict {shlex.quote(str(folder))} NEW_TABLE -o predictions.csv")


def summary(predictor: Predictor) -> str:
    """A run's results as a table: the whole, and each single field alone, on the rows held out."""
    metrics, lines = predictor.metrics, []
    for name, task in predictor.bundle.tasks.items():
        shown = list(task.metric_names)
        rows = [("all fields", metrics["validation"]["tasks"][name])]
        rows += [(f"only {field}", found["tasks"][name]) for field, found in metrics["baselines"].items()]
        rows += [(f"without {field}", found[name]) for field, found in metrics["validation"].get("hidden", {}).items()]
        if "test" in metrics:
            rows.append(("all fields, test rows", metrics["test"]["tasks"][name]))
        width = max(cell_len(label) for label, _ in rows)
        lines.append(f"{name} ({task.config.kind}), {metrics['validation']['rows']:,} rows held out of training")
        lines.append("  " + " " * width + "".join(f"  {metric:>17}" for metric in shown))
        lines += [
            "  " + set_cell_size(label, width) + "".join(f"  {_number(found.get(metric)):>17}" for metric in shown) for label, found in rows
        ]
    if metrics.get("finding"):
        lines.append(metrics["finding"])
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def evaluate(
    run: str, table: str, *, as_json: bool, on_error: Any, root: Sequence[str], encoding: str | None, strict: bool, trust: bool
) -> None:
    """Measure, and print."""
    with warnings_as_lines():
        found = load(run, trust=trust).evaluate(table, on_error=on_error, strict=strict, root=root, encoding=encoding)
    for metric, reason in found.pop("undefined", {}).items():
        click.echo(f"{metric}: undefined here ({reason})", err=True)
    for target, count in found.pop("without_target", {}).items():
        if count:
            click.echo(f"{target}: {count:,} rows without a target are left out", err=True)
    if as_json:
        click.echo(json.dumps(plain(found), ensure_ascii=False))
        return
    for target, metrics in found["tasks"].items():
        rows = [("all fields", metrics), *((f"without {field}", by[target]) for field, by in found["hidden"].items())]
        width = max(cell_len(label) for label, _ in rows)
        click.echo(f"{target}, {found['rows']:,} rows")
        click.echo("  " + " " * width + "".join(f"  {metric:>17}" for metric in metrics))
        for label, values in rows:
            click.echo("  " + set_cell_size(label, width) + "".join(f"  {_number(value):>17}" for value in values.values()))


def predict(
    run: str,
    table: str | None,
    *,
    row: str | None,
    out: str | None,
    on_error: Any,
    root: Sequence[str],
    encoding: str | None,
    strict: bool,
    trust: bool,
    overwrite: bool,
    coverage: float | None,
    abstain_below: float | None,
) -> None:
    """Predict, and write or print."""
    with warnings_as_lines():
        predictor = load(run, trust=trust)
    sure = Sure(predictor, coverage, abstain_below)
    if out is not None and Path(out).exists() and not overwrite:
        raise UserError(f"{out}: already there; choose another file, or replace it: --overwrite")
    if out is not None and Path(out).suffix.lower() not in _WRITERS:
        raise UserError(f"{out}: an ending that is not known; expected one of {', '.join(_WRITERS)}")
    with warnings_as_lines():
        if row is not None:
            rows = [_row(row)]
            parts = predictor.predictions(rows, on_error=on_error, strict=strict, root=[*root, "."])
            for record in records(predictor, parts, sure):
                click.echo(json.dumps(plain(record), ensure_ascii=False))
                if out is not None:
                    _write(out, sure, iter([record]))
            sure.warn()
            return
        assert table is not None
        assert out is not None
        parts = predictor.predictions(table, on_error=on_error, strict=strict, root=root, encoding=encoding)
        count = _write(out, sure, records(predictor, parts, sure))
        sure.warn()
    click.echo(f"wrote {out}: {count:,} rows", err=True)


def _row(text: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f'--row: not valid JSON ({error}); expected an object such as \'{{"title": "..."}}\'') from None
    if not isinstance(row, dict):
        raise DataError(f"--row: found {type(row).__name__}; expected an object of column: value")
    return row


class Sure:
    """What was asked of how sure answers are: sets of a coverage, no answer below a probability."""

    def __init__(self, predictor: Predictor, coverage: float | None = None, abstain_below: float | None = None) -> None:
        self.predictor, self.coverage, self.abstain_below = predictor, coverage, abstain_below
        self._sets: Counter[str] = Counter()
        self._empty: Counter[str] = Counter()
        self.bounds = predictor.bounds(coverage) if coverage is not None else {}
        if abstain_below is not None and all(task.classes is None for task in predictor.bundle.tasks.values()):
            raise UserError("--abstain-below: every target is a number, which has no probability; expected classes; use --coverage")

    def columns(self) -> dict[str, str]:
        """The columns that sets take, and their types."""
        columns: dict[str, str] = {}
        for name in self.bounds:
            task = self.predictor.bundle.tasks[name]
            ends = {f"{task.config.column}:low": "double", f"{task.config.column}:high": "double"}
            columns |= ends if task.classes is None else {f"{task.config.column}:set": f"list {_type_of(task)}"}
        return columns

    def add(self, record: dict[str, Any], name: str, scores_C: np.ndarray) -> None:
        """Into a row's record: its set; its answer taken away where it is not sure enough."""
        task = self.predictor.bundle.tasks[name]
        if self.abstain_below is not None and task.classes is not None and not float(np.max(scores_C)) >= self.abstain_below:
            record[task.config.column] = None
        if name in self.bounds:
            found = self.predictor.sets(name, scores_C[None], self.bounds[name])[0]
            if task.classes is None:
                low, high = (None if math.isnan(end) else float(end) for end in found)
                record |= {f"{task.config.column}:low": low, f"{task.config.column}:high": high}
            else:
                record[f"{task.config.column}:set"] = list(found)
                if not np.isnan(scores_C).any():
                    self._sets[name] += 1
                    self._empty[name] += not len(found)

    def warn(self) -> None:
        """Of sets that are empty."""
        for name, none in self._empty.items():
            if none:
                warnings.warn(
                    f"target {name!r}: {none:,} of {self._sets[name]:,} sets are empty: no class is probable enough there for a "
                    f"coverage of {self.coverage:g}, as happens where more answers are right than that; ask for more coverage",
                    UserWarning,
                    stacklevel=2,
                )


def records(predictor: Predictor, parts: Iterator[Prediction], sure: Sure | None = None) -> Iterator[dict[str, Any]]:
    """Predictions as rows: ``row``, for each target its answer and the probabilities of its classes, ``present``, ``faults``."""
    row, (present, faults), scores = _names(predictor)
    sure = sure or Sure(predictor)
    for part in parts:
        for at, number in enumerate(part.rows):
            record: dict[str, Any] = {row: int(number)}
            for name, task in predictor.bundle.tasks.items():
                value = part.values[name][at]
                record[task.config.column] = value.item() if isinstance(value, np.generic) else value
                if isinstance(record[task.config.column], float) and math.isnan(record[task.config.column]):
                    record[task.config.column] = None
                for index, column in enumerate(scores[name]):
                    score = float(part.scores[name][at, index])
                    record[column] = None if math.isnan(score) else score
                sure.add(record, name, part.scores[name][at])
            record[present] = ";".join(part.present[at])
            record[faults] = part.faults[at]
            yield record


def _type_of(task: Task) -> str:
    kinds = {type(label).__name__ for label in task.classes or [0.0]}
    return {"float": "double", "int": "int64", "bool": "bool"}.get(kinds.pop(), "string") if len(kinds) == 1 else "string"


def columns_of(sure: Sure) -> dict[str, str]:
    """The columns of ``records`` in order, and the Arrow type of each."""
    predictor = sure.predictor
    row, (present, faults), scores = _names(predictor)
    columns = {row: "int64"}
    for name, task in predictor.bundle.tasks.items():
        answer = _type_of(task)
        columns[task.config.column] = f"list {answer}" if task.config.kind == "multilabel" else answer
        columns |= dict.fromkeys(scores[name], "double")
    return {**columns, **sure.columns(), present: "string", faults: "string"}


def _names(predictor: Predictor) -> tuple[str, tuple[str, str], dict[str, list[str]]]:
    """``row``; ``present`` and ``faults``; by task the columns of its classes. A target keeps its name, ours give way: ``row_``."""
    taken = {task.config.column for task in predictor.bundle.tasks.values()}

    def free(name: str) -> str:
        while name in taken:
            name += "_"
        taken.add(name)
        return name

    row = free("row")
    scores = {
        name: [free(f"{task.config.column}:{label}") for label in task.classes or []] for name, task in predictor.bundle.tasks.items()
    }
    return row, (free("present"), free("faults")), scores


def _write(out: str, sure: Sure, rows: Iterator[dict[str, Any]]) -> int:
    path = Path(out)
    temporary = path.with_name(f".{path.name}.part")
    try:
        count = _WRITERS[path.suffix.lower()](temporary, rows, columns_of(sure))
        temporary.replace(path)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror or error}); choose another file") from None
    finally:
        temporary.unlink(missing_ok=True)
    return count


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
            writer.write_table(pa.Table.from_pylist(held, schema=schema))
            count += len(held)
    return count


_WRITERS = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}


def _free_folder(name: str) -> Path:
    folder, at = Path("runs") / name, 2
    while folder.exists():
        folder, at = Path("runs") / f"{name}-{at}", at + 1
    return folder
