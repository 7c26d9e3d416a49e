"""``polymodal table``: converts folders with a known layout to tables for training."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..layouts.mmf import LAYOUTS, PARTS, Layout, Option
from .conversion import TableCommands, convert
from .formats import FORMATS
from .mistakes import Menu
from .options import out_option, overwrite_option

if TYPE_CHECKING:
    from ..layouts.usage import Written

Convert = Callable[..., Any]
"""A function that becomes a command, or a command."""

_out_option = out_option("The CSV to write.", metavar="TABLE", default="table.csv")
_overwrite_option = overwrite_option("Replace an existing file.")
_only_option = click.option("--only", type=Menu(PARTS), multiple=True, help="Write the rows of this part; may be given several times.")


@click.group(cls=TableCommands)
def table() -> None:
    """Convert a folder with a known layout, or a data set in another format, to a table.

    polymodal table FOLDER chooses the command for a folder whose format is obvious. A folder that has the name of a command is written
    ./NAME.
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
    from ..layouts.nuscenes import rows, usage

    convert(
        lambda: _write(lambda: rows(folder, targets=targets, **settings), out, overwrite),
        lambda written: usage(folder, written.columns, targets),
        out,
    )


def _check_joins(_: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return words of the form ``FILE:COL,COL`` unchanged."""
    for value in values:
        path, _sign, columns = value.rpartition(":")
        if not path or not columns:
            raise click.BadParameter(f"{value!r}; expected FILE:COL,COL, such as patients.csv:gender,anchor_age")
    return values


@table.command("mimic-cxr")
@click.argument("folder")
@_out_option
@_overwrite_option
@click.option("--per", type=Menu(["study", "picture"]), default="study", show_default=True, help="What one row of the table is.")
@click.option("--report", multiple=True, metavar="SECTION",
              help="A section of the report, such as indication; report = all of it. The labels were made from it.")  # fmt: skip
@click.option(
    "--label", "labels", multiple=True, metavar="NAME", help="A CheXpert label, which becomes a column; default: all labels in one column."
)
@click.option("--no-labels", is_flag=True, help="Write no CheXpert labels.")
@click.option("--uncertain", type=Menu(["empty", "positive", "negative"]), default="empty", show_default=True,
              help="The value that replaces an uncertain label.")  # fmt: skip
@_only_option
@click.option("--join", multiple=True, metavar="FILE:COL,COL", callback=_check_joins,
              help="Add columns of another table, matched by its study_id or subject_id.")  # fmt: skip
def mimic_cxr(
    folder: str,
    out: str,
    overwrite: bool,
    only: tuple[str, ...],
    labels: tuple[str, ...],
    no_labels: bool,
    join: tuple[str, ...],
    **settings: Any,
) -> None:
    """Convert MIMIC-CXR: one row for each study or picture."""
    from ..layouts.mimic_cxr import rows, usage
    from ..layouts.shards import only_splits

    chosen = () if no_labels else labels or None
    joins: dict[Any, list[str]] = {path: columns.split(",") for path, _, columns in (word.rpartition(":") for word in join)}
    convert(
        lambda: _write(lambda: only_splits(rows(folder, labels=chosen, join=joins, **settings), only, folder), out, overwrite),
        lambda written: usage(folder, written.columns, chosen),
        out,
    )


def _flag(option: Option) -> Callable[[Convert], Convert]:
    """Return the option of a command for a setting of a layout of MMF."""
    kind = Menu(option.choices) if option.choices else None
    default = option.default if option.choices else None
    return click.option(f"--{option.name}", type=kind, multiple=option.repeated, default=default, show_default=default is not None,
                        metavar=None if kind else "PART=FILE" if option.repeated else "NAME", help=option.help)  # fmt: skip


def _mmf_command(layout: Layout) -> click.Command:
    """Return the command that converts a folder in a layout of MMF."""

    def run(folder: str, out: str, overwrite: bool, only: tuple[str, ...], **settings: Any) -> None:
        from ..layouts.mmf import open_layout
        from ..storage import OutputFolder, discard_replaced

        with ExitStack() as stack:
            if layout.has_arrays:
                arrays = Path(out).with_name(f"{Path(out).stem}_arrays")
                place = OutputFolder(arrays, "a folder of arrays", "-o TABLE", "arrays.json", inputs=[folder])
                stack.enter_context(place.claim(overwrite))
                (arrays / place.marker).write_text(json.dumps({"layout": layout.name, "table": Path(out).name}) + "\n")
                settings["arrays"] = arrays
            reading = open_layout(layout.name, folder, parts=only, **settings)
            convert(lambda: _write(reading.rows, out, overwrite), lambda written: reading.usage(), out)
            if layout.has_arrays:
                discard_replaced(arrays)

    run.__doc__ = f"Convert {layout.title}: one row for each {layout.row}.\n\nThe folder contains {layout.content} ({layout.paper})."
    options: list[Callable[[Convert], Convert]] = [click.argument("folder"), _out_option, _overwrite_option, _only_option]
    command: Convert = run
    for option in reversed([*options, *map(_flag, layout.options)]):
        command = option(command)
    return table.command(f"mmf-{layout.name}")(command)


for _layout in LAYOUTS.values():
    _mmf_command(_layout)


def _write(rows: Callable[[], Iterable[Mapping[str, Any]]], out: str, overwrite: bool) -> Written:
    """Write the rows of a layout as a CSV file, and return what is in it."""
    from ..layouts.folders import write_csv
    from ..layouts.usage import Contents

    contents = Contents()
    write_csv(contents.of(rows()), out, overwrite)
    return contents.written()


for _format in FORMATS:
    table.add_command(_format)
