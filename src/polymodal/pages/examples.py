"""Single rows in a run's report: which rows have the largest errors, how their cells are shown, and whether they may be shown."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..cells import is_writable
from ..errors import Fault
from ..flow import Cell
from ..modalities import Modality
from ..tasks import Task

_WORST = 12
_LONGEST = 300


def examples_of(
    task: Task,
    modalities: Mapping[str, Modality],
    rows: np.ndarray,
    scores_NC: np.ndarray,
    cells: Mapping[int, Mapping[str, Cell]],
    truths: Mapping[int, Cell],
) -> list[dict[str, Any]]:
    """Return rows as the report shows them: number, truth, prediction, probability and cells.

    :param rows: the row numbers (0-based) of ``scores_NC``
    :param scores_NC: predictions of the task
    :param cells: by row number (0-based), which must be among ``rows``: the cell of each field
    :param truths: by row number (0-based): the target cell
    :returns: dicts with ``row`` (1 = first), ``truth``, ``answer``, ``sure`` (the greatest score; None for numbers) and ``cells``
    """
    place = {int(row): at for at, row in enumerate(rows)}
    values = task.values(scores_NC)
    examples = []
    for row, by_field in cells.items():
        at = place[row]
        shown = {name: _shown(modalities[name], cell) for name, cell in by_field.items()}
        score = float(scores_NC[at].max()) if task.has_classes else None
        examples.append({"row": row + 1, "truth": _shortened(truths[row]), "answer": _plain(values[at]), "sure": score, "cells": shown})
    return examples


def worst_rows(task: Task, rows: np.ndarray, target_NT: np.ndarray, scores_NC: np.ndarray) -> list[int]:
    """Return the numbers (0-based) of at most 12 rows with the largest errors, the largest first. Rows without a target or a prediction,
    and rows without an error, are left out.
    """
    known = np.flatnonzero(~np.isnan(target_NT).any(1) & ~np.isnan(scores_NC).any(1))
    errors = task.errors(target_NT[known], scores_NC[known])
    order = np.argsort(-errors, kind="stable")[:_WORST]
    return [int(rows[known[at]]) for at in order if errors[at] > 0]


def _shown(modality: Modality, cell: Cell) -> dict[str, str]:
    """Return how a cell is shown: as ``text``, or as a picture, ``png`` in base64."""
    if modality.is_missing(cell):
        return {"text": "-"}
    try:
        picture = modality.preview(cell)
        if picture is not None:
            return {"png": base64.b64encode(_png(picture)).decode()}
        text = modality.show(cell)
    except Fault as fault:
        text = str(fault)
    return {"text": _shortened(text)}


def _shortened(value: Any) -> str:
    """Return the first 300 characters of a cell as text in one line that can be encoded as UTF-8."""
    text = " ".join(str(value).split())[:_LONGEST]
    return text if is_writable(text) else text.encode("utf-8", "replace").decode("utf-8")


def _png(pixels_HWC: np.ndarray) -> bytes:
    """Return a picture as a PNG file of at most 128 pixels a side."""
    from PIL import Image

    out = io.BytesIO()
    picture = Image.fromarray(pixels_HWC[:, :, 0] if pixels_HWC.shape[2] == 1 else pixels_HWC[:, :, :3])
    picture.thumbnail((128, 128))
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def _plain(value: Any) -> Any:
    """Return a prediction as plain data: numbers rounded to six decimal places, None for a number that is not finite."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(part) for part in value]
    if isinstance(value, (float, np.floating)):
        return round(float(value), 6) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def is_private(modalities: Mapping[str, Modality], rows: Iterable[Mapping[str, Cell]]) -> bool:
    """Return whether any cell of the given rows is of a private kind, such as a medical picture.

    :param rows: for each row, its cell by field; None = missing
    """
    rows = list(rows)
    return any(modality.is_private([row[name] for row in rows if row[name] is not None]) for name, modality in modalities.items())
