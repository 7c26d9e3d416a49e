"""``polymodal tune``: searches for the best settings of a table, and prints the best trials."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ..request import TrainingSettings
from .options import consoles, json_option, out_option, overwrite_option, progress_options, settings_options, table_argument

_SHOWN = 5


@click.command()
@table_argument(required=True)
@settings_options(TrainingSettings)
@click.option(
    "--over",
    multiple=True,
    required=True,
    metavar="PATH=VALUES",
    help="Search over this setting; may be given several times. VALUES are concat,gated (choices), int:5..20, float:0..0.5 or "
    "log:1e-4..1e-2.",
)
@click.option("--trials", type=click.IntRange(min=1), default=20, show_default=True, help="Number of trials.")
@click.option("--no-prune", is_flag=True, help="Train every trial to its end.")
@out_option("Folder for the results; default: runs/NAME-tune. A search that is there goes on.", metavar="FOLDER")
@overwrite_option("Replace an existing search.")
@click.option("--force", is_flag=True, help="Go on although the code has changed.")
@json_option
@progress_options("Print only the results.")
def tune(
    table: str,
    overrides: tuple[str, ...],
    *,
    over: tuple[str, ...],
    no_prune: bool,
    out: str | None,
    as_json: bool,
    verbose: int,
    quiet: bool,
    **settings: Any,
) -> None:
    """Search for the settings with the best metric on validation rows.

    Trains one run for each trial, and writes the best configuration. The same command goes on with a search that was interrupted.
    """
    from ..runs import Interrupted
    from ..tuning import tune as tune_settings
    from .warnings import warnings_as_lines

    folder = out or str(Path("runs") / f"{Path(table).stem}-tune")
    try:
        with warnings_as_lines():
            result = tune_settings(
                table, *overrides, over=over, prune=not no_prune, out=folder, observers=consoles(verbose, quiet),
                start=click.get_current_context().find_root().obj, verbose=False, **settings,
            )  # fmt: skip
    except Interrupted as stopped:
        click.echo("interrupted; go on: the same command", err=True)
        sys.exit(128 + stopped.signal)
    click.echo(json.dumps(result, ensure_ascii=False) if as_json else summary(result, folder))


def summary(result: Mapping[str, Any], folder: str) -> str:
    """Return a search as text: the best trials, what the figure of the best one means, and where its configuration is."""
    from ..training.console import settings_text
    from .metric_table import format_number

    complete = [one for one in result["trials"] if one["state"] == "complete" and one["repeats"] is None]
    ranked = sorted(complete, key=lambda one: -one["goodness"])[:_SHOWN]
    lines = []
    metrics = result["best"]["metrics"]
    for one in ranked:
        values = "  ".join(f"{metrics[name]} {format_number(value)}{_error(one, name)}" for name, value in one["scores"].items())
        lines.append(f"trial {one['number']}  {values}  {settings_text(one['settings'])}")
    counts = {state: sum(one["state"] == state for one in result["trials"]) for state in ("pruned", "failed")}
    if others := ", ".join(f"{count} {state}" for state, count in counts.items() if count):
        lines.append(others)
    place = shlex.quote(folder)
    lines += [result["statement"], f"model: {result['best']['run']}", f"train it with each field alone: polymodal train {place}/best.yaml"]
    return "\n".join(lines)


def _error(trial: Mapping[str, Any], target: str) -> str:
    """Return the standard error of the metric of a trial as text; empty if it is not known."""
    return f" ± {trial['errors'][target]:.4f}" if target in trial["errors"] else ""
