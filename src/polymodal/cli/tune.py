"""``polymodal tune``: searches for the best settings of a table, and prints the best trials."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..request import TrainingSettings
from .options import consoles, json_option, out_option, overwrite_option, progress_options, settings_options, table_argument

if TYPE_CHECKING:
    from .output import Line

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
    from .output import show
    from .output import words as texts
    from .warnings import warnings_as_lines

    words = texts()
    folder = out or str(Path("runs") / f"{Path(table).stem}-tune")
    try:
        with warnings_as_lines():
            result = tune_settings(
                table, *overrides, over=over, prune=not no_prune, out=folder, observers=consoles(verbose, quiet),
                start=click.get_current_context().find_root().obj, verbose=False, **settings,
            )  # fmt: skip
    except Interrupted as stopped:
        show([(words("tune.interrupted"), "")], error=True)
        sys.exit(128 + stopped.signal)
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        show([*([] if quiet else [("", "")]), *summary(result, folder)])


def summary(result: Mapping[str, Any], folder: str) -> list[Line]:
    """Return a search as lines: the best trials, what the figure of the best one means, and where its configuration is."""
    from ..pages import decimals
    from ..training.console import settings_text
    from .output import Table, legend_lines, table_lines, text_lines
    from .output import words as texts

    words, metrics = texts(), result["best"]["metrics"]
    complete = [one for one in result["trials"] if one["state"] == "complete" and one["repeats"] is None]
    ranked = sorted(complete, key=lambda one: -one["goodness"])[:_SHOWN]
    paths = list(dict.fromkeys(path for one in ranked for path in one["settings"]))
    heads = [f"{name} {metric}" if len(metrics) > 1 else metric for name, metric in metrics.items()]
    rows = [
        [
            str(one["number"]), *(f"{decimals(one['scores'][name])}{_error(one, name)}" for name in metrics),
            *(settings_text({path: one["settings"][path]}).removeprefix(f"{path}=") if path in one["settings"] else "" for path in paths),
        ]
        for one in ranked
    ]  # fmt: skip
    trained = sum(one["repeats"] is None for one in result["trials"])
    lines = text_lines(words("tune.trials", shown=len(ranked), trials=trained), "bold")
    lines += table_lines(Table([words("tune.trial"), *heads, *paths], rows))
    lines += legend_lines(words("legend.error") if any("±" in cell for row in rows for cell in row) else "")
    lines.append(("", ""))
    pruned = sum(one["state"] == "pruned" for one in result["trials"])
    failed = [one["reason"] for one in result["trials"] if one["state"] == "failed"]
    if pruned:
        lines += text_lines(words("tune.pruned", count=pruned))
    if failed:
        lines += text_lines(words("tune.failed", count=len(failed), why=failed[0]), "", "", "  ")
    lines += text_lines(words.read(result["statement"]), "bold", "", "  ")
    command = f"polymodal train {shlex.quote(str(Path(folder) / 'best.yaml'))}"
    return [*lines, (words("tune.model", path=result["best"]["run"]), ""), (words("tune.train", command=command), "")]


def _error(trial: Mapping[str, Any], target: str) -> str:
    """Return the standard error of the metric of a trial as text; empty if it is not known."""
    return f" ± {trial['errors'][target]:.4f}" if target in trial["errors"] else ""
