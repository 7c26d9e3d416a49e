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
    consoles,
    json_option,
    out_option,
    overwrite_option,
    progress_options,
    settings_options,
    table_argument,
)

if TYPE_CHECKING:
    from ..language import Words
    from .output import Line

_WITH_RESUME = ("table", "resume", "force", "jobs", "as_json", "quiet", "verbose")


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
@progress_options("Print only the results.")
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
    verbose: int,
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
    from .output import opening_lines, show
    from .output import words as texts
    from .warnings import warnings_as_lines

    start = click.get_current_context().find_root().obj
    folder = resume or out or str(free_folder(Path("runs"), f"{Path(str(table)).stem}-compare"))
    about: dict[str, Any] = {"jobs": jobs, "observers": consoles(verbose, quiet), "start": start, "verbose": False}
    try:
        with warnings_as_lines():
            if resume is not None:
                result = resume_compare(folder, table, force=force, **about)
            else:
                settings["also"] = also or None
                result = compare_models(table, *overrides, out=folder, overwrite=overwrite, **about, **settings)
    except Interrupted as stopped:
        command = f"polymodal compare --resume {shlex.quote(str(folder))}"
        show([(texts()("compare.interrupted", command=command), "")], error=True)
        sys.exit(128 + stopped.signal)
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
        return
    show([*([] if quiet else [("", "")]), *summary(result)])
    words, page = texts(), Path(folder) / "compare.html"
    show([("", ""), (words("train.report", path=page), ""), *opening_lines(page)])
    if (Path(folder) / "best.yaml").exists():
        show([(words("compare.train_best", command=f"polymodal train {shlex.quote(str(folder))}/best.yaml"), "")])


def summary(result: Mapping[str, Any]) -> list[Line]:
    """Return a comparison as lines: a table and a conclusion for each target."""
    from ..pages import comparison_sentence, contender_label, decimals, why_left_out
    from .output import Table, legend_lines, table_lines, text_lines
    from .output import words as texts

    words, about = texts(), result["contenders"]
    lines: list[Line] = []
    keys = ("compare.rounds_spread", "compare.short_difference", "compare.interval", "compare.seconds", "compare.parameters")
    for name, target in result["targets"].items():
        ranked = sorted(target["contenders"].items(), key=lambda pair: pair[1]["mean"], reverse=target["larger_is_better"])
        rows = []
        for contender, figures in ranked:
            span = figures["difference"]
            ends = ""
            if span is not None and span["low"] is not None:
                ends = words("compare.ends", low=f"{span['low']:+z.4f}", high=f"{span['high']:+z.4f}")
            gain = "-" if span is None else f"{span['mean']:+z.4f}"
            seconds, parameters = f"{about[contender]['seconds']:,.1f}", f"{about[contender]['parameters']:,}"
            label = contender_label(words, contender, about)
            label += " *" if contender in (target["best_alone"], target["best_fused"]) else ""
            rows.append([label, decimals(figures["mean"]), decimals(figures["spread"]), gain, ends, seconds, parameters])
        lines += [("", "")] if lines else []
        lines += text_lines(words("compare.measured", target=name, rows=target["measured"], rounds=target["rounds"]), "bold")
        lines += table_lines(Table(["", target["metric"], *map(words, keys)], rows))
        lines += legend_lines(words("legend.contenders"))
        for contender, figures in ranked:
            if figures["change"]:
                lines += text_lines(_change_line(words, contender, figures["change"]), "", "  ", "    ")
        lines += [("", ""), *text_lines(comparison_sentence(words, name, target, result), "bold", "", "  ")]
    if not result["targets"]:
        lines += text_lines(words("compare.nothing"))
    for name, of in about.items():
        if of["failed"] or not of["rounds"]:
            reason = words("compare.failed", reason=of["failed"]) if of["failed"] else why_left_out(words, of)
            lines += text_lines(words("colon", name=contender_label(words, name, about), value=reason), "", "", "  ")
    return lines


def _change_line(words: Words, name: str, change: Mapping[str, Any]) -> str:
    """Return one line on the effect of other settings on a fusion."""
    span = change["difference"]
    ends = words("compare.without_interval")
    if span["low"] is not None:
        ends = words("compare.change_interval", low=f"{span['low']:+z.4f}", high=f"{span['high']:+z.4f}")
    return words("compare.change_line", contender=name, other=change["of"], difference=f"{span['mean']:+z.4f}", interval=ends)
