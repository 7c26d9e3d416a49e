"""``polymodal table``: converts folders with a known layout to tables for training."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from .mistakes import Commands

_SHARED = [
    click.option("-o", "--out", default="table.csv", show_default=True, metavar="TABLE", help="The CSV to write."),
    click.option("--overwrite", is_flag=True, help="Replace the file."),
]


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_SHARED):
        command = option(command)
    return command


@click.group(cls=Commands)
def table() -> None:
    """Make a table of a folder whose layout is known."""


@table.command()
@click.argument("folder")
@_shared
@click.option("--version", metavar="NAME", help="v1.0-mini, v1.0-trainval, ...; default: the one that is there.")
@click.option("--channel", "channels", multiple=True, default=("CAM_FRONT", "RADAR_FRONT"), show_default=True,
              help="A sensor; a column for each.")  # fmt: skip
@click.option("--sweeps", default=1, show_default=True, help="Sweeps in each cell of a radar or lidar, the present one last.")
@click.option("--target", "targets", multiple=True, default=("nearest",), show_default=True,
              help="nearest, nearest_distance, nearest_closing, nearest_moves or counts.")  # fmt: skip
@click.option("--angle", default=180.0, show_default=True, help="Degrees from straight ahead up to which objects count.")
@click.option("--within", default=50.0, show_default=True, help="Metres up to which objects count.")
def nuscenes(folder: str, out: str, overwrite: bool, targets: tuple[str, ...], **settings: Any) -> None:
    """nuScenes: a row for each annotated moment of each scene."""
    from ..layouts.nuscenes import next_command, rows

    columns = _write(lambda: rows(folder, targets=targets, **settings), out, overwrite)
    click.echo(f"next: {shlex.join(next_command(out, folder, columns, targets))}")


def _joins(_: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, list[str]]:
    joins = {}
    for value in values:
        path, sign, columns = value.rpartition(":")
        if not sign or not path or not columns:
            raise click.BadParameter(f"{value!r}; expected FILE:COL,COL, such as patients.csv:gender,anchor_age")
        joins[path] = columns.split(",")
    return joins


@table.command("mimic-cxr")
@click.argument("folder")
@_shared
@click.option("--per", type=click.Choice(["study", "picture"]), default="study", show_default=True, help="What a row is.")
@click.option("--report", multiple=True, metavar="SECTION",
              help="A section of the report, such as indication; report = all of it. The labels were made from it.")  # fmt: skip
@click.option("--label", "labels", multiple=True, metavar="NAME", help="A CheXpert label as a column; default: all in one.")
@click.option("--no-labels", is_flag=True, help="No CheXpert labels.")
@click.option("--uncertain", type=click.Choice(["empty", "positive", "negative"]), default="empty", show_default=True,
              help="What an uncertain label is taken for.")  # fmt: skip
@click.option("--join", multiple=True, metavar="FILE:COL,COL", callback=_joins,
              help="Columns of a further table, by its study_id or subject_id.")  # fmt: skip
def mimic_cxr(folder: str, out: str, overwrite: bool, labels: tuple[str, ...], no_labels: bool, **settings: Any) -> None:
    """MIMIC-CXR: a row for each study or picture."""
    from ..layouts.mimic_cxr import next_command, rows

    chosen = () if no_labels else labels or None
    columns = _write(lambda: rows(folder, labels=chosen, **settings), out, overwrite)
    click.echo(f"next: {shlex.join(next_command(out, folder, columns, chosen))}")


def _write(rows: Callable[[], Iterable[Mapping[str, Any]]], out: str, overwrite: bool) -> list[str]:
    from ..layouts.folders import write_csv
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        count, columns = write_csv(rows(), out, overwrite)
    click.echo(f"wrote {out}: {count:,} rows")
    return columns
