"""``polymodal train``: trains a model or resumes a run, and prints the metrics."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..request import TrainingSettings
from .options import check_resume, out_option, overwrite_option, quiet_option, settings_options, table_argument

if TYPE_CHECKING:
    from ..predictor import Predictor
    from ..training.observers import Observer

_WITH_RESUME = ("table", "overrides", "valid", "test", "resume", "force", "quiet")


@click.command()
@table_argument(required=False)
@settings_options(TrainingSettings)
@out_option("Folder of the run; default: runs/NAME.", metavar="RUN")
@overwrite_option("Replace an existing run.")
@click.option("--resume", metavar="RUN", help="Resume a run that was interrupted or killed, from its last checkpoint.")
@click.option("--force", is_flag=True, help="Resume although data, settings or code have changed.")
@quiet_option("Print only the results and their folder.")
def train(
    table: str | None,
    overrides: tuple[str, ...],
    *,
    out: str | None,
    resume: str | None,
    force: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Train a model on a table or a run.yaml, or resume a run.

    The model is measured and saved as a bundle.
    """
    if resume is not None:
        check_resume(_WITH_RESUME, "a run keeps its settings; change one with path=value and --force")
        if table is not None and "=" in table and not os.path.exists(table):  # an override in the place of the table
            overrides, table = (table, *overrides), None
    elif force:
        raise click.UsageError("--force without --resume RUN: there is no run to resume; give its folder, or leave out --force")
    elif table is None:
        raise click.UsageError("missing TABLE: the table to train on, or a run.yaml; to resume a run: --resume RUN")
    from ..runs import Interrupted
    from ..runs import resume as resume_run
    from ..runs import train as train_run
    from ..storage import free_folder
    from ..training.observers import Console
    from .warnings import warnings_as_lines

    start = click.get_current_context().obj
    folder = Path(resume) if resume is not None else Path(out) if out is not None else free_folder(Path("runs"), Path(str(table)).stem)
    observers: list[Observer] = [] if quiet else [Console()]
    try:
        with warnings_as_lines():
            if resume is not None:
                tables = {"table": table, "valid": settings["valid"], "test": settings["test"]}
                predictor = resume_run(folder, *overrides, **tables, force=force, observers=observers, start=start)
            else:
                predictor = train_run(table, *overrides, out=folder, observers=observers, start=start, **settings)
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
    from .metric_table import leaderboard_lines, metric_lines

    metrics = predictor.metrics
    lines: list[str] = []
    for name, task in predictor.bundle.tasks.items():
        rows = [("all fields", metrics["validation"]["tasks"][name])]
        rows += [(f"only {field}", baseline["tasks"][name]) for field, baseline in metrics["baselines"].items()]
        rows += [(f"without {field}", by_task[name]) for field, by_task in metrics["validation"].get("hidden", {}).items()]
        if (pooled := metrics["validation"].get("pooled", {}).get(name)) and pooled["rows"]:
            rows.append((f"mean of all models, {pooled['rows']:,} other rows", pooled["metrics"]))
            rows.append(("single models, these rows", pooled.get("single", {})))
        if "test" in metrics:
            rows.append(("all fields, test rows", metrics["test"]["tasks"][name]))
        title = f"{name} ({task.config.kind}), {metrics['validation']['rows']:,} rows held out of training"
        lines += metric_lines(title, list(task.metric_names), rows)
        lines += leaderboard_lines(name, metrics.get("leaderboard", {}).get(name, []))
    if metrics.get("finding"):
        lines.append(metrics["finding"])
    return "\n".join(lines)
