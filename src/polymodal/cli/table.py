"""``polymodal table``: converts folders with a known layout to tables for training."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from ..layouts.mmf import LAYOUTS, PARTS, Layout, Option
from .formats import FORMATS, TableCommands
from .options import out_option, overwrite_option

Convert = Callable[..., Any]
"""A function that becomes a command, or a command."""

_out_option = out_option("The CSV to write.", metavar="TABLE", default="table.csv")
_overwrite_option = overwrite_option("Replace an existing file.")


@click.group(cls=TableCommands)
def table() -> None:
    """Convert a folder with a known layout, or a data set in another format, to a table.

    polymodal table FOLDER chooses the command for a folder whose format is obvious.
    """


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


def _flag(option: Option) -> Callable[[Convert], Convert]:
    """Return the option of a command for a setting of a layout of MMF."""
    kind = click.Choice(option.choices) if option.choices else None
    default = option.default if option.choices else None
    return click.option(f"--{option.name}", type=kind, multiple=option.repeated, default=default, show_default=default is not None,
                        metavar=None if kind else "PART=FILE" if option.repeated else "NAME", help=option.help)  # fmt: skip


def _mmf_command(layout: Layout) -> click.Command:
    """Return the command that converts a folder in a layout of MMF."""

    def run(folder: str, out: str, overwrite: bool, **settings: Any) -> None:
        from ..layouts.mmf import open_layout
        from ..storage import OutputFolder, discard_replaced

        with ExitStack() as stack:
            if layout.has_arrays:
                arrays = Path(out).with_name(f"{Path(out).stem}_arrays")
                place = OutputFolder(arrays, "a folder of arrays", "-o TABLE", "arrays.json", inputs=[folder])
                stack.enter_context(place.claim(overwrite))
                (arrays / place.marker).write_text(json.dumps({"layout": layout.name, "table": Path(out).name}) + "\n")
                settings["arrays"] = arrays
            reading = open_layout(layout.name, folder, **settings)
            columns = _write(reading.rows, out, overwrite)
            if layout.has_arrays:
                discard_replaced(arrays)
        for line in reading.commands(out, columns):
            click.echo(f"next: {line}")

    run.__doc__ = f"Convert {layout.title}: one row for each {layout.row}.\n\nThe folder contains {layout.content} ({layout.paper})."
    parts = click.option(
        "--only", "parts", type=click.Choice(PARTS), multiple=True, help="Write the rows of this part; may be given several times."
    )
    options: list[Callable[[Convert], Convert]] = [click.argument("folder"), _out_option, _overwrite_option, parts]
    convert: Convert = run
    for option in reversed([*options, *map(_flag, layout.options)]):
        convert = option(convert)
    return table.command(f"mmf-{layout.name}")(convert)


for _layout in LAYOUTS.values():
    _mmf_command(_layout)


def _write(rows: Callable[[], Iterable[Mapping[str, Any]]], out: str, overwrite: bool) -> list[str]:
    """Write the rows of a layout as a CSV file and return its columns."""
    from ..layouts.folders import write_csv
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        count, columns = write_csv(rows(), out, overwrite)
    click.echo(f"wrote {out}: {count:,} rows")
    return columns


for _format in FORMATS:
    table.add_command(_format)
