"""Explains the prediction of one row: the contribution of each field and, if a cell has parts, of each part.

Every value is a difference between predictions of the model itself, whatever its encoders are. The Shapley value of a field is what its
presence adds on average (``evaluation/shapley.py``). The value of a part (a word, a column, a place of a picture) is what is lost when that
part alone is removed (Zeiler and Fergus 2014, arXiv:1311.2901). Classes are measured in log-odds of the predicted class, numbers in their
unit.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow

from ..bundle import Bundle
from ..evaluation.measure import pool, score
from ..evaluation.shapley import shapley
from ..flow import Sample
from ..frozen import through
from ..inference import Window
from ..modalities.modality import Parts
from ..predictor import RowPredictor, SelectedRows
from ..tasks import Task


def explain_row(bundle: Bundle, selected: SelectedRows, at: int, seed: int) -> dict[str, Any]:
    """Return the explanation of one row as plain data.

    :param selected: the rows read by the predictor
    :param at: the position of the row in ``selected``
    :param seed: the seed of the sampled orders of fields, if not every set of fields is evaluated
    :returns: ``cells``: by field that the row has, its ``kind``, how it is ``shown``, and its ``parts``. ``targets``: by task the
        ``answer`` (prediction), its ``label`` and ``score``, the ``unit`` of the following values, the value of the ``whole`` row and of
        ``nothing`` (no field), and by field ``shapley`` (with its standard ``error`` if ``orders`` were sampled) and ``parts``: the value
        of each part, None if the cell has none
    """
    parts, window, places = _taken_apart(selected, at)
    row_predictor = RowPredictor(bundle.members, selected.modalities, bundle.tasks, through(window, selected.modalities, bundle.backbones))
    there = [name for name, index in window.index.items() if index[0] >= 0]
    first = {name: index[:1] for name, index in window.index.items()}
    answer = row_predictor.scores(first)
    label = {name: int(answer[name][0].argmax()) if task.has_classes else 0 for name, task in bundle.tasks.items()}

    def values(index: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the value of the prediction of each row, (tasks, rows)."""
        logits = row_predictor.logits(index)
        return np.stack([_evidence(task, [one[name] for one in logits], label[name]) for name, task in bundle.tasks.items()])

    def shown(fields: frozenset[str]) -> np.ndarray:
        return values({name: index if name in fields else np.full_like(index, -1) for name, index in first.items()})[:, 0]

    shares = shapley(there, shown, seed)
    every = values(window.index)
    targets = {}
    for number, (name, task) in enumerate(bundle.tasks.items()):
        fields = {}
        for field in there:
            lost = None if field not in places else (every[number, 0] - every[number, places[field]]).tolist()
            error = None if shares.errors is None else float(shares.errors[field][number])
            fields[field] = {"shapley": float(shares.values[field][number]), "error": error, "parts": lost}
        targets[name] = {
            "answer": task.values(answer[name])[0],
            "label": None if task.classes is None else task.classes[label[name]],
            "score": float(answer[name][0, label[name]]),
            "unit": "log-odds" if task.has_classes else task.unit or task.config.column,
            "whole": float(shares.whole[number]), "nothing": float(shares.nothing[number]), "orders": shares.orders, "fields": fields,
        }  # fmt: skip
    cells = {name: _cell(selected, at, name, parts.get(name)) for name in there}
    return {"cells": cells, "targets": targets}


def _taken_apart(selected: SelectedRows, at: int) -> tuple[dict[str, Parts], Window, dict[str, slice]]:
    """Return the parts of each field's cell, a window whose first row is complete and whose other rows each lack one part, and the
    positions of each field's parts in the window."""
    samples: dict[str, list[Sample]] = {}
    lacking: dict[str, list[int]] = {}
    parts: dict[str, Parts] = {}
    for name, modality in selected.modalities.items():
        number = int(selected.window.index[name][at])
        samples[name], lacking[name] = ([selected.window.samples[name][number]] if number >= 0 else []), []
        of_cell = modality.parts(selected.cells[name][at], samples[name][0]) if number >= 0 else None
        if of_cell is None or not of_cell.names:
            continue
        parts[name] = of_cell
        for sample in of_cell.without:
            lacking[name].append(-1 if sample is None else len(samples[name]))
            samples[name] += [] if sample is None else [sample]
    rows = 1 + sum(map(len, lacking.values()))
    index = {name: np.full(rows, 0 if samples[name] else -1, np.int64) for name in samples}
    places: dict[str, slice] = {}
    start = 1
    for name, numbers in lacking.items():
        if name in parts:
            places[name] = slice(start, start + len(numbers))
            index[name][places[name]] = numbers
            start += len(numbers)
    return parts, Window(np.arange(rows), samples, index), places


def _evidence(task: Task, members: Sequence[np.ndarray], label: int) -> np.ndarray:
    """Return the members' log-odds of a class (N,), or the predicted number."""
    if not task.has_classes:
        return score(task, members)[:, 0]
    for_N, against_N = task.log_chances(torch.from_numpy(pool(members)), label)
    odds_N: np.ndarray = (for_N - against_N).numpy()
    return odds_N


def _cell(selected: SelectedRows, at: int, name: str, parts: Parts | None) -> dict[str, Any]:
    """Return the cell of a field and its parts as plain data."""
    modality = selected.modalities[name]
    cell: dict[str, Any] = {"kind": modality.config.kind, "shown": modality.show(selected.cells[name][at]), "parts": None}
    if parts is not None:
        cell["parts"] = {"names": list(parts.names), "between": list(parts.between), "grid": parts.grid,
                         "picture": None if parts.pixels is None else _png(parts.pixels),
                         "size": None if parts.pixels is None else list(parts.pixels.shape[:2])}  # fmt: skip
    return cell


def _png(pixels_HWC: np.ndarray) -> str:
    """Return a picture as a data URI."""
    file = io.BytesIO()
    Pillow.fromarray(pixels_HWC[:, :, 0] if pixels_HWC.shape[2] == 1 else pixels_HWC).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
