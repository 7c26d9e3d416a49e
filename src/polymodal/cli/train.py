"""``polymodal train``: trains a model or resumes a run, and prints the metrics."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..request import TrainingSettings
from .options import check_resume, consoles, out_option, overwrite_option, progress_options, settings_options, table_argument

if TYPE_CHECKING:
    from ..predictor import Predictor
    from .output import Line

_WITH_RESUME = ("table", "overrides", "valid", "test", "resume", "force", "quiet", "verbose")


@click.command()
@table_argument(required=False)
@settings_options(TrainingSettings)
@out_option("Folder of the run; default: runs/NAME.", metavar="RUN")
@overwrite_option("Replace an existing run.")
@click.option("--resume", metavar="RUN", help="Resume a run that was interrupted or killed, from its last checkpoint.")
@click.option("--force", is_flag=True, help="Resume although data, settings or code have changed.")
@progress_options("Print only the results and their folder.")
def train(
    table: str | None,
    overrides: tuple[str, ...],
    *,
    out: str | None,
    resume: str | None,
    force: bool,
    verbose: int,
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
    from .output import show
    from .output import words as texts
    from .warnings import warnings_as_lines

    start = click.get_current_context().find_root().obj
    folder = Path(resume) if resume is not None else Path(out) if out is not None else free_folder(Path("runs"), Path(str(table)).stem)
    observers = consoles(verbose, quiet)
    about: dict[str, Any] = {"observers": observers, "start": start, "verbose": False}
    try:
        with warnings_as_lines():
            if resume is not None:
                tables = {"table": table, "valid": settings["valid"], "test": settings["test"]}
                predictor = resume_run(folder, *overrides, **tables, force=force, **about)
            else:
                predictor = train_run(table, *overrides, out=folder, **about, **settings)
    except Interrupted as stopped:
        words = texts()
        state = words("train.not_begun") if stopped.predictor is None else words("train.best_so_far", path=folder / "bundle")
        line = words("train.interrupted", state=state, command=f"polymodal train --resume {shlex.quote(str(folder))}")
        show([(line, "")], error=True)  # on one line, so that the command can be copied
        sys.exit(128 + stopped.signal)
    show([*([] if quiet else [("", "")]), *summary(predictor)])
    show(closing_lines(folder))


def closing_lines(folder: Path) -> list[Line]:
    """Return where the report and the model of a run are, and what can be done with them."""
    from .output import opening_lines
    from .output import words as texts

    words, report = texts(), folder / "report.html"
    lines = [("", "")]
    if report.exists():
        lines += [(words("train.report", path=report), ""), *opening_lines(report)]
    lines.append((words("train.bundle", path=folder / "bundle"), ""))
    command = f"polymodal predict {shlex.quote(str(folder))} NEW_TABLE -o predictions.csv"
    return [*lines, (words("train.next", command=command), "")]


def summary(predictor: Predictor) -> list[Line]:
    """Return a run's results as lines: the metrics of all fields, of each field alone, and without each field on the validation rows, of
    all fields on the test rows, the leaderboard, and the finding."""
    from ..pages import finding_lines, metric_sections, p_legend
    from .leaderboard import leaderboard_lines
    from .output import legend_lines, section_lines, text_lines
    from .output import words as texts

    words, metrics = texts(), predictor.metrics
    lines: list[Line] = []
    for name, task in predictor.bundle.tasks.items():
        whole = (words("all_fields"), metrics["validation"]["tasks"][name])
        alone = [(words("only", field=field), baseline["tasks"][name]) for field, baseline in metrics["baselines"].items()]
        hidden = [(words("without", field=field), by_task[name]) for field, by_task in metrics["validation"].get("hidden", {}).items()]
        title = words("train.title", target=name, kind=task.config.kind, rows=metrics["validation"]["rows"])
        groups = [(title, [whole, *alone]), *([("", [whole, *hidden] if alone else hidden)] if hidden else [])]
        if (pooled := metrics["validation"].get("pooled", {}).get(name)) and pooled["rows"]:
            models = [(words("train.pooled"), pooled["metrics"]), (words("train.single"), pooled.get("single", {}))]
            groups.append((words("train.pooled_title", target=name, rows=pooled["rows"]), models))
        if metrics.get("test"):
            title = words("train.test_title", target=name, rows=metrics["test"]["rows"])
            groups.append((title, [(words("all_fields"), metrics["test"]["tasks"][name])]))
        smaller = [metric for metric in task.metric_names if task.sign(metric) < 0]
        lines += [("", "")] if lines else []
        lines += section_lines(metric_sections(words, groups, task.metric_names, smaller))
        board = leaderboard_lines(words, name, metrics.get("leaderboard", {}).get(name, []))
        lines += [("", ""), *board] if board else []
    finding = finding_lines(words, metrics)
    if finding:
        lines.append(("", ""))
    for sentence in finding:
        lines += text_lines(sentence, "bold", "", "  ")
    return lines + (legend_lines(p_legend(words, metrics)) if finding else [])
