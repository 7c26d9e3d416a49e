"""``polymodal compare``: compares single fields and fusions on a table, and prints the results."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..request import ComparisonSettings
from .options import (
    check_resume,
    json_option,
    out_option,
    overwrite_option,
    quiet_option,
    settings_options,
    table_argument,
)

if TYPE_CHECKING:
    from ..training.observers import Observer

_WITH_RESUME = ("table", "resume", "force", "jobs", "as_json", "quiet")


@click.command()
@table_argument(required=False)
@settings_options(ComparisonSettings)
@click.option(
    "--fusion", "fusions", multiple=True, metavar="NAME", help="Compare only these fusions; default: all that can combine these fields."
)
@click.option(
    "--also",
    multiple=True,
    metavar="PATH=VALUE|none",
    help="Compare every fusion once more with this setting; default: the default fusion with balancing, and with boosted trees; none: "
    "no contender is added.",
)
@click.option(
    "--trials", type=click.IntRange(1, 4), default=4, show_default=True, help="Number of settings that are tried for each contender."
)
@click.option(
    "--rounds",
    type=click.IntRange(2, 10),
    default=5,
    show_default=True,
    help="Number of rounds in which each contender is trained and measured; 2 rounds give no interval.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Number of trainings that run at a time, one core each; it changes no result. Default: one for each core, at most 8.",
)
@out_option("Folder for the results; default: runs/NAME-compare.", metavar="FOLDER")
@overwrite_option("Replace an existing comparison.")
@click.option("--resume", metavar="FOLDER", help="Resume a comparison that was interrupted or killed.")
@click.option("--force", is_flag=True, help="Resume although the code has changed.")
@json_option
@quiet_option("Print only the results.")
def compare(
    table: str | None,
    overrides: tuple[str, ...],
    *,
    also: tuple[str, ...],
    jobs: int | None,
    out: str | None,
    overwrite: bool,
    resume: str | None,
    force: bool,
    as_json: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Compare single fields and fusions on a table.

    Trains a model of every single field and of every fusion, and reports whether fusion helps, which fusion, by how much, and whether the
    difference is more than noise.
    """
    if resume is not None:
        check_resume(_WITH_RESUME, "a comparison keeps its settings; start another one without --resume")
    elif force:
        raise click.UsageError("--force without --resume FOLDER: there is no comparison to resume; give its folder, or leave out --force")
    elif table is None:
        raise click.UsageError("missing TABLE: the table to compare on, or a run.yaml; to resume a comparison: --resume FOLDER")
    from ..comparison import compare as compare_models
    from ..comparison import resume_compare
    from ..runs import Interrupted
    from ..storage import free_folder
    from .comparison_console import GridConsole
    from .warnings import warnings_as_lines

    start = click.get_current_context().obj
    folder = resume or out or str(free_folder(Path("runs"), f"{Path(str(table)).stem}-compare"))
    observers: list[Observer] = [] if quiet else [GridConsole()]
    try:
        with warnings_as_lines():
            if resume is not None:
                result = resume_compare(folder, table, jobs=jobs, force=force, observers=observers, start=start)
            else:
                settings["also"] = None if not also else [setting for setting in also if setting != "none"]
                result = compare_models(
                    table, *overrides, jobs=jobs, out=folder, overwrite=overwrite, observers=observers, start=start, **settings
                )
    except Interrupted as stopped:
        click.echo(f"interrupted; go on: polymodal compare --resume {shlex.quote(str(folder))}", err=True)
        sys.exit(128 + stopped.signal)
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
        return
    click.echo(summary(result))
    best = f"; train the best: polymodal train {shlex.quote(str(folder))}/best.yaml" if (Path(folder) / "best.yaml").exists() else ""
    click.echo(f"{folder}/compare.html shows it{best}")


def summary(result: Mapping[str, Any]) -> str:
    """Return a comparison as text: a table and a conclusion for each target."""
    from rich.cells import cell_len, set_cell_size

    from ..comparison import left_out

    lines = []
    for name, target in result["targets"].items():
        ranked = sorted(target["contenders"].items(), key=lambda pair: pair[1]["mean"], reverse=target["larger_is_better"])
        width = max(cell_len(contender) for contender, _ in ranked)
        head = f"{target['metric']:>10}{'spread':>9}{'difference':>12}{'95 % interval':>21}{'seconds':>10}{'parameters':>12}"
        lines += [f"{name}, {target['measured']:,} rows measured", "  " + " " * width + head]
        for contender, figures in ranked:
            about, span = result["contenders"][contender], figures["difference"]
            ends = "" if span is None or span["low"] is None else f"{span['low']:+z.4f} to {span['high']:+z.4f}"
            gain = "-" if span is None else f"{span['mean']:+z.4f}"
            spread = "-" if figures["spread"] is None else f"{figures['spread']:z.4f}"
            line = f"{figures['mean']:>z10.4f}{spread:>9}{gain:>12}{ends:>21}{about['seconds']:>10.1f}{about['parameters']:>12,}"
            lines.append("  " + set_cell_size(contender, width) + line)
        lines += [_change_line(contender, figures["change"]) for contender, figures in ranked if figures["change"]]
        lines.append(target["sentence"])
    if not result["targets"]:
        lines.append("nothing to compare: no single field, or no fusion, was trained to its end")
    for name, about in result["contenders"].items():
        if about["failed"]:
            lines.append(f"{name}: training failed: {about['failed']}")
        elif not about["rounds"]:
            lines.append(f"{name}: {left_out(about)}")
    return "\n".join(lines)


def _change_line(name: str, change: Mapping[str, Any]) -> str:
    """Return one line on the effect of other settings on a fusion."""
    span = change["difference"]
    ends = "no interval" if span["low"] is None else f"95 % interval {span['low']:+z.4f} to {span['high']:+z.4f}"
    return f"{name} against {change['of']}: {span['mean']:+z.4f}, {ends}"
