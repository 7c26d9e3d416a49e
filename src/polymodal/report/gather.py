"""Collects the content of a report from a run's folder: metrics, log, faults, and the data stored for the report (``report.json``)."""

from __future__ import annotations

import base64
import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..cells import is_writable
from ..errors import Fault, UserError, nearest_folder
from ..flow import Cell
from ..modalities import Modality
from ..tasks import Task

NAME = "report.json"
_FAULTS, _WORST = 50, 12
_LONGEST = 300


def gather(run: Path) -> dict[str, Any]:
    """Return everything that ``page`` shows, as plain data.

    :param run: the folder of a finished run
    :raises UserError: the folder does not exist, the run has not finished, or one of its files cannot be read
    """
    found: dict[str, Any] = {"name": run.resolve().name, "log": [], "faults": [], "faults_in_all": 0, "kept": {}}
    try:
        found["metrics"] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
        found["config"] = (run / "run.yaml").read_text(encoding="utf-8")
    except OSError as error:
        if not run.exists():
            raise UserError(f"{run}: no such folder; expected the folder of a run{nearest_folder(run)}") from None
        name = Path(str(error.filename)).name
        raise UserError(
            f"{run}: no report can be made of it ({name}: {error.strerror}); expected a run that measured something; train it to its end"
        ) from None
    except ValueError as error:
        raise UserError(f"{run}: no report can be made of it ({error}); expected a run that measured something; train it again") from None
    for line in _lines(run / "log.jsonl"):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            found["log"].append(event)
    if (run / NAME).exists():
        try:
            found["kept"] = json.loads((run / NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise UserError(f"{run}/{NAME}: cannot be read; delete it, and the report is made without it") from None
    faults = run / "faults.csv"
    if faults.exists():
        with faults.open(encoding="utf-8", errors="replace", newline="") as file:
            rows = csv.reader(file)
            next(rows, None)
            found["faults"] = list(islice(rows, _FAULTS))
            found["faults_in_all"] = len(found["faults"]) + sum(1 for _ in rows)
    return found


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []


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
    found = []
    for row, by_field in cells.items():
        at = place[row]
        shown = {name: _shown(modalities[name], cell) for name, cell in by_field.items()}
        answer = values[at]
        sure = float(scores_NC[at].max()) if task.has_classes else None
        found.append({"row": row + 1, "truth": _said(truths[row]), "answer": _plain(answer), "sure": sure, "cells": shown})
    return found


def worst(task: Task, rows: np.ndarray, target_NT: np.ndarray, scores_NC: np.ndarray) -> list[int]:
    """Return the numbers (0-based) of at most 12 rows with the largest errors, the largest first. Rows without a target or a prediction,
    and rows without an error, are left out.
    """
    known = np.flatnonzero(~np.isnan(target_NT).any(1) & ~np.isnan(scores_NC).any(1))
    errors = task.errors(target_NT[known], scores_NC[known])
    order = np.argsort(-errors, kind="stable")[:_WORST]
    return [int(rows[known[at]]) for at in order if errors[at] > 0]


def _shown(modality: Modality, cell: Cell) -> dict[str, str]:
    if modality.is_missing(cell):
        return {"text": "-"}
    try:
        picture = modality.preview(cell)
        if picture is not None:
            return {"png": base64.b64encode(_png(picture)).decode()}
        text = modality.show(cell)
    except Fault as fault:
        text = str(fault)
    return {"text": _said(text)}


def _said(value: Any) -> str:
    text = " ".join(str(value).split())[:_LONGEST]
    return text if is_writable(text) else text.encode("utf-8", "replace").decode("utf-8")


def _png(pixels_HWC: np.ndarray) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    picture = Image.fromarray(pixels_HWC[:, :, 0] if pixels_HWC.shape[2] == 1 else pixels_HWC[:, :, :3])
    picture.thumbnail((128, 128))
    picture.save(out, "PNG", optimize=True)
    return out.getvalue()


def _plain(value: Any) -> Any:
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
