"""What the configuration of a run states about the data that it read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config import read_tree
from ..data.sources import Source, folder_of
from ..errors import ConfigError
from ..remote import is_remote

CONFIG = "run.yaml"
"""The file of the configuration in the folder of a run."""


def folders_of(run: Path) -> list[str]:
    """Return the folders of the files that a run read: that of its table, if the table still exists, and those of ``data.root``."""
    data = _data_of(run)
    table, roots = data.get("table"), data.get("root")
    folders = [folder] if isinstance(table, str) and (folder := folder_of(table)) is not None else []
    folders += [folder for folder in roots if isinstance(folder, str)] if isinstance(roots, list) else []
    return [folder for folder in folders if is_remote(folder) or Path(folder).is_absolute()]


def is_training_table(source: Source, run: Path | None) -> bool:
    """Return whether a table is the file on which a run was trained.

    :param run: the folder of the run; None = unknown
    """
    table = None if run is None else _data_of(run).get("table")
    if source.folder is None or not isinstance(table, str):
        return False
    try:
        return Path(source.name).samefile(table)
    except (OSError, ValueError):  # one of them does not exist, or is a URL
        return source.name == table


def _data_of(run: Path) -> Mapping[str, Any]:
    """Return the section ``data`` of the configuration of a run; empty if it cannot be read."""
    file = run / CONFIG
    try:
        data = read_tree(file).get("data") if file.is_file() else None
    except ConfigError:
        return {}
    return data if isinstance(data, Mapping) else {}
