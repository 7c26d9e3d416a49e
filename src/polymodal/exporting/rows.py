"""The rows on which an exported model is compared with its predictor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..config import read_tree
from ..data.sources import Source
from ..errors import UserError
from ..language import Sentence
from ..modalities import evenly
from ..predictor import Predictor
from ..request import Folders
from . import made_up

MOST = 200
"""The largest number of rows that are compared."""
_HIDDEN = 4
"""The number of rows from which each field is removed in turn."""


@dataclass(frozen=True)
class Rows:
    """Rows to compare, as cells by column, and the folders of their files.

    ``source`` describes where they are from. ``given`` is the number of rows at the beginning that were not changed.
    """

    cells: Sequence[Mapping[str, Any]]
    folders: Sequence[str]
    source: str
    given: int


def rows_of(predictor: Predictor, table: Any, root: Folders, fields: Sequence[Mapping[str, Any]]) -> Rows:
    """Return at most ``MOST`` rows of a table, and some of them with a field removed.

    :param table: the table; None = the training table if it still exists, or else rows that are made up
    :param root: further folders of the files that cells name
    :param fields: the facts of each field in ``model.json``
    """
    table = table if table is not None else _training_table(predictor)
    if table is None:
        cells: list[Mapping[str, Any]] = made_up.rows(fields, MOST // 4)
        return Rows([*cells, *_with_hidden(cells, fields)], [], Sentence("export.made_up", rows=len(cells)), len(cells))
    source = predictor.open(table)
    source.check_rows(" to compare on")
    places = np.array(evenly(source.rows, MOST))
    columns = [column for column in dict.fromkeys([*(c for facts in fields for c in facts["sources"]),
                                                   *(task.config.column for task in predictor.bundle.tasks.values())])
               if column in source.columns]  # fmt: skip
    cells = _cells(source, columns, places)
    modalities = predictor.read(source, places[:1], on_error="blank", root=root).modalities
    folders = next(iter(modalities.values())).roots.folders
    name = Path(table).name if isinstance(table, (str, Path)) else "the table"
    return Rows([*cells, *_with_hidden(cells, fields)], folders, Sentence("export.table_rows", rows=len(cells), table=name), len(cells))


def _cells(source: Source, columns: Sequence[str], places: np.ndarray) -> list[Mapping[str, Any]]:
    """Return the cells of some rows by column."""
    part: dict[str, list[Any]] = {column: [] for column in columns}
    for piece in source.at(columns, places):
        for column, cells in piece.items():
            part[column] += cells
    return [dict(zip(part, row, strict=True)) for row in zip(*part.values(), strict=True)]


def _with_hidden(cells: Sequence[Mapping[str, Any]], fields: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the first rows once more for each field, without the cells of the field."""
    hidden = fields if len(fields) > 1 else ()
    return [{name: None if name in facts["sources"] else cell for name, cell in row.items()} for facts in hidden for row in cells[:_HIDDEN]]


def _training_table(predictor: Predictor) -> str | None:
    """Return the path of the table of a run, if it still exists."""
    file = None if predictor.run is None else predictor.run / "run.yaml"
    if file is None or not file.is_file():
        return None
    try:
        table = read_tree(file).get("data", {}).get("table")
    except (UserError, AttributeError):
        return None
    return table if isinstance(table, str) and Path(table).is_file() else None
