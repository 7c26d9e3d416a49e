"""``polymodal table``: converts folders with a known layout to tables for training."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from .mistakes import Commands
from .options import out_option, overwrite_option

_out_option = out_option("The CSV to write.", metavar="TABLE", default="table.csv")
_overwrite_option = overwrite_option("Replace an existing file.")


@click.group(cls=Commands)
def table() -> None:
    """Convert a folder with a known layout to a table."""


@table.command()
@click.argument("folder")
@_out_option
@_overwrite_option
@click.option("--version", metavar="NAME", help="v1.0-mini, v1.0-trainval, ...; default: the version in the folder.")
@click.option("--channel", "channels", multiple=True, default=("CAM_FRONT", "RADAR_FRONT"), show_default=True,
              help="A sensor, which becomes a column; may be given several times.")  # fmt: skip
@click.option(
    "--sweeps", default=1, show_default=True, help="Number of sweeps in each cell of a radar or lidar; the current one is the last."
)
@click.option("--target", "targets", multiple=True, default=("nearest",), show_default=True,
              help="nearest, nearest_distance, nearest_closing, nearest_moves or counts.")  # fmt: skip
@click.option("--angle", default=180.0, show_default=True, help="Largest angle to straight ahead, in degrees, of the objects that count.")
@click.option("--within", default=50.0, show_default=True, help="Largest distance, in metres, of the objects that count.")
def nuscenes(folder: str, out: str, overwrite: bool, targets: tuple[str, ...], **settings: Any) -> None:
    """Convert nuScenes: one row for each annotated moment of each scene."""
    from ..layouts.nuscenes import next_command, rows

    columns = _write(lambda: rows(folder, targets=targets, **settings), out, overwrite)
    click.echo(f"next: {shlex.join(next_command(out, folder, columns, targets))}")


def _parse_joins(_: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, list[str]]:
    """Return words of the form ``FILE:COL,COL`` as a mapping from files to columns."""
    joins = {}
    for value in values:
        path, sign, columns = value.rpartition(":")
        if not sign or not path or not columns:
            raise click.BadParameter(f"{value!r}; expected FILE:COL,COL, such as patients.csv:gender,anchor_age")
        joins[path] = columns.split(",")
    return joins


@table.command("mimic-cxr")
@click.argument("folder")
@_out_option
@_overwrite_option
@click.option("--per", type=click.Choice(["study", "picture"]), default="study", show_default=True, help="What one row of the table is.")
@click.option("--report", multiple=True, metavar="SECTION",
              help="A section of the report, such as indication; report = all of it. The labels were made from it.")  # fmt: skip
@click.option(
    "--label", "labels", multiple=True, metavar="NAME", help="A CheXpert label, which becomes a column; default: all labels in one column."
)
@click.option("--no-labels", is_flag=True, help="Write no CheXpert labels.")
@click.option("--uncertain", type=click.Choice(["empty", "positive", "negative"]), default="empty", show_default=True,
              help="The value that replaces an uncertain label.")  # fmt: skip
@click.option("--join", multiple=True, metavar="FILE:COL,COL", callback=_parse_joins,
              help="Add columns of another table, matched by its study_id or subject_id.")  # fmt: skip
def mimic_cxr(folder: str, out: str, overwrite: bool, labels: tuple[str, ...], no_labels: bool, **settings: Any) -> None:
    """Convert MIMIC-CXR: one row for each study or picture."""
    from ..layouts.mimic_cxr import next_command, rows

    chosen = () if no_labels else labels or None
    columns = _write(lambda: rows(folder, labels=chosen, **settings), out, overwrite)
    click.echo(f"next: {shlex.join(next_command(out, folder, columns, chosen))}")


def _write(rows: Callable[[], Iterable[Mapping[str, Any]]], out: str, overwrite: bool) -> list[str]:
    """Write the rows of a layout as a CSV file and return its columns."""
    from ..layouts.folders import write_csv
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        count, columns = write_csv(rows(), out, overwrite)
    click.echo(f"wrote {out}: {count:,} rows")
    return columns
