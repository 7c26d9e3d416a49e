"""Checks the output folder of an analysis, and writes its results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..storage import check_files, write_texts


def output_folder(out: str | Path | None, names: Sequence[str], overwrite: bool) -> Path | None:
    """Check the output folder before the computation starts, so that an unusable folder is reported immediately, and return it.

    :param out: the folder; None = None is returned
    :param names: the files that will be written
    :param overwrite: whether these files may exist already
    :raises UserError: a file exists, or the folder cannot be made or written
    """
    if out is None:
        return None
    folder = Path(out)
    check_files(folder, names, overwrite)
    return folder


def write_results(folder: Path, names: Sequence[str], result: Mapping[str, Any], page: str) -> None:
    """Write a result as JSON and as an HTML page.

    :param names: the name of the JSON file and of the page
    """
    write_texts(folder, dict(zip(names, (json.dumps(result, ensure_ascii=False, indent=1) + "\n", page), strict=True)))
