"""Readers of the data sets of MMF (https://mmf.sh) as they lie on disk. Each returns the rows of a table, whose column ``split`` names the
part of a row; paths are relative to the folder, and nothing outside it is read.

To add a layout, add its reader and its place in the tuple ``LAYOUTS`` of a module.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...errors import ConfigError, nearest
from ..json_stream import Record
from ..usage import PARTS
from . import annotation_files, mosei, petfinder, sentences, single_pictures
from .layout import Layout, Option, Reading

LAYOUTS = {layout.name: layout for module in (single_pictures, sentences, petfinder, mosei, annotation_files) for layout in module.LAYOUTS}
"""The layouts by name."""


def open_layout(
    name: str, folder: str | os.PathLike[str], *, parts: Sequence[str] = (), arrays: str | os.PathLike[str] | None = None, **options: Any
) -> Reading:
    """Return a folder in one of the layouts, of which nothing is read yet.

    :param name: the layout, of ``LAYOUTS``
    :param parts: the parts to read, of train, valid and test; () = all
    :param arrays: the folder in which the arrays of rows are saved, for layouts that contain arrays
    :param options: the settings of the layout
    :raises ConfigError: the layout, a part or a setting is unknown
    :raises DataError: the path is not a folder
    """
    if name not in LAYOUTS:
        raise ConfigError(f"layout {name!r}: unknown; expected {', '.join(LAYOUTS)}{nearest(name, LAYOUTS)}")
    return Reading(LAYOUTS[name], folder, parts, None if arrays is None else Path(arrays), options)


def rows(name: str, folder: str | os.PathLike[str], **settings: Any) -> Iterator[Record]:
    """Return the rows of a folder in one of the layouts. The parameters are those of ``open_layout``.

    :raises DataError: a file or a key is absent, a file is broken, or a name leads out of the folder
    """
    return open_layout(name, folder, **settings).rows()


__all__ = ["LAYOUTS", "PARTS", "Layout", "Option", "Reading", "open_layout", "rows"]
