"""The commands below ``polymodal table`` that convert general formats of data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from .conversion import convert
from .mistakes import Menu
from .options import out_option, overwrite_option

Rows = Callable[[], Iterable[dict[str, Any]]]


def _command(name: str, summary: str, several: bool = False) -> Callable[[Callable[..., Any]], click.Command]:
    """Return a decorator that makes a command of a function: its folder or files, and where the table is written."""
    path = "paths" if several else "folder"
    source = click.argument(path, nargs=-1 if several else 1, required=True, metavar="PATH..." if several else "FOLDER")
    options = (
        click.option("--only", multiple=True, metavar="SPLIT", help="Write the rows of this split; may be given several times."),
        overwrite_option("Replace an existing table, and the folder of its files."),
        out_option("The table to write, .csv or .jsonl.", metavar="TABLE", default="table.csv"),
        source,
    )

    def decorate(function: Callable[..., Any]) -> click.Command:
        for option in options:
            function = option(function)
        return click.command(name, help=summary)(function)

    return decorate


@_command(
    "huggingface", "Convert a data set of Hugging Face. It is a folder that save_to_disk wrote, or one of Parquet or Arrow files by split."
)
def huggingface(folder: str, **settings: Any) -> None:
    """Convert a data set of Hugging Face."""
    from ..layouts.huggingface import rows

    _write(lambda: rows(folder), [folder], None, **settings)


def _media_command(kind: str) -> click.Command:
    """Return the command that converts a folder of files of one kind."""

    @_command(
        f"{kind}folder",
        f"Convert a folder of {kind} files. Folders name the split and the class, or metadata.csv, .jsonl or .parquet describe the files.",
    )
    def convert(folder: str, **settings: Any) -> None:
        """Convert a folder of files."""
        from ..layouts.media_folders import rows

        _write(lambda: rows(folder, kind), [folder], folder, **settings)

    return convert


@_command("webdataset", "Convert WebDataset shards. They are tar files, or a folder of them.", several=True)
def webdataset(paths: tuple[str, ...], **settings: Any) -> None:
    """Convert WebDataset shards to a table."""
    from ..layouts.webdataset import rows

    _write(lambda: rows(*paths), paths, None, **settings)


@_command("coco", "Convert annotations of COCO. Captions are rows, and categories of objects are labels.")
@click.option("--annotations", type=Menu(["captions", "labels"]), help="Read these only; default: both.")
def coco(folder: str, annotations: Any, **settings: Any) -> None:
    """Convert annotations of COCO to a table."""
    from ..layouts.coco import rows

    _write(lambda: rows(folder, only=annotations), [folder], folder, **settings)


@_command("tfrecord", "Convert TFRecord files. They contain tf.train.Example or SequenceExample.", several=True)
def tfrecord(paths: tuple[str, ...], **settings: Any) -> None:
    """Convert TFRecord files to a table."""
    from ..layouts.tfrecord import rows

    _write(lambda: rows(*paths), paths, None, **settings)


@_command("tfds", "Convert a data set of TensorFlow Datasets. It contains features.json and TFRecord files.")
def tfds(folder: str, **settings: Any) -> None:
    """Convert a data set of TensorFlow Datasets."""
    from ..layouts.tfds import rows

    _write(lambda: rows(folder), [folder], None, **settings)


FORMATS = (huggingface, *map(_media_command, ("image", "audio", "video")), webdataset, coco, tfrecord, tfds)
"""The commands, in the order in which the help of ``polymodal table`` shows them."""


def _write(rows: Rows, inputs: Sequence[str], root: str | None, out: str, overwrite: bool, only: tuple[str, ...]) -> None:
    """Write the rows as a table, and print what was written and the commands that train on it.

    :param root: the folder whose files the rows may name
    """
    from ..layouts.shards import only_splits
    from ..layouts.tables import write_table
    from ..layouts.usage import usual

    convert(
        lambda: write_table(lambda: only_splits(rows(), only, inputs[0]), out, overwrite, inputs), lambda written: usual(written, root), out
    )
