"""The implementation of the commands: calls the library and prints the results."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len, set_cell_size

from ..data.class_notes import unknown_line
from ..errors import DataError, UserError
from ..predictor import Predictor, load
from ..runs import Interrupted
from ..runs import resume as resume_run
from ..runs import train as train_run
from ..training.observers import Console, Observer, TensorBoard, plain
from .answers import WRITERS, Sure, columns_of, records, write
from .warnings import warnings_as_lines

__all__ = ["Sure", "columns_of", "evaluate", "predict", "records", "summary", "train"]


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
    """Train a model, or resume a run, and print its results and where they are."""
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
    """Return a run's results as text: the metrics of all fields, of each field alone, and without each field on the validation rows, and of
    all fields on the test rows."""
    metrics, lines = predictor.metrics, []
    for name, task in predictor.bundle.tasks.items():
        shown = list(task.metric_names)
        rows = [("all fields", metrics["validation"]["tasks"][name])]
        rows += [(f"only {field}", found["tasks"][name]) for field, found in metrics["baselines"].items()]
        rows += [(f"without {field}", found[name]) for field, found in metrics["validation"].get("hidden", {}).items()]
        if (pooled := metrics["validation"].get("pooled", {}).get(name)) and pooled["rows"]:
            rows.append((f"mean of all models, {pooled['rows']:,} other rows", pooled["metrics"]))
            rows.append(("single models, these rows", pooled.get("single", {})))
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
    """Evaluate a model on a table, and print its metrics."""
    with warnings_as_lines():
        found = load(run, trust=trust).evaluate(table, on_error=on_error, strict=strict, root=root, encoding=encoding)
    for metric, reason in found.pop("undefined", {}).items():
        click.echo(f"{metric}: undefined here ({reason})", err=True)
    for target, count in found.pop("without_target", {}).items():
        if count:
            click.echo(f"{target}: {count:,} rows without a target are left out", err=True)
    for target, counts in found.pop("unknown", {}).items():
        click.echo(f"{target}: {unknown_line({'these': counts})}; they count as answered wrongly", err=True)
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
    """Predict the rows of a table or a single row, and write or print the predictions."""
    with warnings_as_lines():
        predictor = load(run, trust=trust)
    sure = Sure(predictor, coverage, abstain_below)
    if out is not None and Path(out).exists() and not overwrite:
        raise UserError(f"{out}: already there; choose another file, or replace it: --overwrite")
    if out is not None and Path(out).suffix.lower() not in WRITERS:
        raise UserError(f"{out}: an extension that is not known; expected one of {', '.join(WRITERS)}")
    with warnings_as_lines():
        if row is not None:
            rows = [_row(row)]
            parts = predictor.predictions(rows, on_error=on_error, strict=strict, root=[*root, "."], coverage=coverage)
            for record in records(predictor, parts, sure):
                click.echo(json.dumps(plain(record), ensure_ascii=False))
                if out is not None:
                    write(out, sure, iter([record]))
            sure.warn()
            return
        assert table is not None
        assert out is not None
        parts = predictor.predictions(table, on_error=on_error, strict=strict, root=root, encoding=encoding, coverage=coverage)
        count = write(out, sure, records(predictor, parts, sure))
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


def _free_folder(name: str) -> Path:
    folder, at = Path("runs") / name, 2
    while folder.exists():
        folder, at = Path("runs") / f"{name}-{at}", at + 1
    return folder
