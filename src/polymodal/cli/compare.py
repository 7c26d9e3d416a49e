"""``polymodal compare``: shows the progress of the grid, and prints the results."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len, set_cell_size

from ..comparison import compare, left_out, resume_compare
from ..runs import Interrupted
from ..storage import free_folder
from ..training.observers import Console, Observer
from .warnings import warnings_as_lines


class GridConsole(Console):
    """Shows a progress bar over the grid on a terminal, and otherwise prints one line for each training."""

    def _show(self, event: str, facts: Mapping[str, Any]) -> None:
        if event == "cell":
            self._cell(facts)
        elif event in ("note", "warning"):
            super()._show(event, facts)

    def _cell(self, facts: Mapping[str, Any]) -> None:
        scores = [value for value in facts["scores"].values() if value is not None]
        value = scores[0] if len(scores) == 1 else facts["worth"]
        worth = "failed" if facts["failed"] else f"{value:.4f} on the rows that choose"
        where = f"round {facts['round'] + 1}" if facts["stage"] == "round" else f"{facts['stage']}, trial {facts['trial'] + 1}"
        if not self.live:
            self.say(f"  {facts['done']}/{facts['total']}  {where}  {facts['name']}  {worth}  {facts['seconds']:.1f} s")
            return
        if self._progress is None:
            from rich.console import Console as RichConsole
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
            )
            self._progress = Progress(*columns, console=RichConsole(file=self.stream), transient=True)
            self._progress.start()
            self._task = self._progress.add_task("", total=facts["total"])
        self._progress.update(self._task, completed=facts["done"], total=facts["total"], description=f"{where}: {facts['name']} {worth}")


def verb(table: str | None, overrides: Sequence[str], *, out: str | None, resume: str | None, force: bool, quiet: bool, as_json: bool,
         start: float, overwrite: bool, jobs: int | None, also: Sequence[str], **settings: Any) -> None:  # fmt: skip
    """Run a comparison or resume one, and print its results."""
    settings["also"] = None if not also else [one for one in also if one != "none"]
    folder = resume or out or str(free_folder(Path("runs"), f"{Path(str(table)).stem}-compare"))
    observers: list[Observer] = [] if quiet else [GridConsole()]
    try:
        with warnings_as_lines():
            if resume is not None:
                found = resume_compare(folder, table, jobs=jobs, force=force, observers=observers, start=start)
            else:
                found = compare(table, *overrides, jobs=jobs, out=folder, overwrite=overwrite, observers=observers, start=start, **settings)
    except Interrupted as stopped:
        click.echo(f"interrupted; go on: polymodal compare --resume {shlex.quote(str(folder))}", err=True)
        sys.exit(128 + stopped.signal)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    click.echo(summary(found))
    best = f"; train the best: polymodal train {shlex.quote(str(folder))}/best.yaml" if (Path(folder) / "best.yaml").exists() else ""
    click.echo(f"{folder}/compare.html shows it{best}")


def summary(found: Mapping[str, Any]) -> str:
    """Return a comparison as text: a table and a conclusion for each target."""
    lines = []
    for name, result in found["targets"].items():
        ranked = sorted(result["contenders"].items(), key=lambda pair: pair[1]["mean"], reverse=result["larger_is_better"])
        width = max(cell_len(one) for one, _ in ranked)
        head = f"{result['metric']:>10}{'spread':>9}{'difference':>12}{'95 % interval':>21}{'seconds':>10}{'parameters':>12}"
        lines += [f"{name}, {result['measured']:,} rows measured", "  " + " " * width + head]
        for one, figures in ranked:
            about, span = found["contenders"][one], figures["difference"]
            ends = "" if span is None or span["low"] is None else f"{span['low']:+.4f} to {span['high']:+.4f}"
            gain = "-" if span is None else f"{span['mean']:+.4f}"
            spread = "-" if figures["spread"] is None else f"{figures['spread']:.4f}"
            line = f"{figures['mean']:>10.4f}{spread:>9}{gain:>12}{ends:>21}{about['seconds']:>10.1f}{about['parameters']:>12,}"
            lines.append("  " + set_cell_size(one, width) + line)
        lines += [changed(one, result["contenders"][one]["change"]) for one, _ in ranked if result["contenders"][one]["change"]]
        lines.append(result["sentence"])
    if not found["targets"]:
        lines.append("nothing to compare: no single field, or no fusion, was trained to its end")
    for name, about in found["contenders"].items():
        if about["failed"]:
            lines.append(f"{name}: training failed: {about['failed']}")
        elif not about["rounds"]:
            lines.append(f"{name}: {left_out(about)}")
    return "\n".join(lines)


def changed(name: str, change: Mapping[str, Any]) -> str:
    """Return one line on the effect of other settings on a fusion."""
    span = change["difference"]
    ends = "no interval" if span["low"] is None else f"95 % interval {span['low']:+.4f} to {span['high']:+.4f}"
    return f"{name} against {change['of']}: {span['mean']:+.4f}, {ends}"
