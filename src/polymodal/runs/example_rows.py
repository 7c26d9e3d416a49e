"""Rows of the training table that the page of a server offers as examples: ``examples.json``, the body of a request to ``/predict``."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..cells import is_empty
from ..errors import Fault
from ..experiment import Experiment
from ..flow import Cell, Sample
from ..modalities import Modality
from ..modalities.files import Roots

_MOST_ROWS = 4
_MOST_BYTES = 512 * 2**10
"""The largest size of a file, and of a cell as JSON, that is kept."""


def example_rows(
    experiment: Experiment,
    modalities: Mapping[str, Modality],
    cells: Mapping[int, Mapping[str, Cell]],
    truths: Mapping[int, Mapping[str, Cell]],
) -> list[dict[str, Any]]:
    """Return at most four rows with their cells by column, as a client would send them: the content of files is in base64.

    Rows with more cells and with different targets come first. A row is left out if a cell of it cannot be read, or cannot be sent as
    JSON of at most 512 KiB.

    :param cells: by row (0-based), the cell of each field
    :param truths: by row (0-based), the cell of each target that has classes
    """
    sent = {row: found for row, by_field in cells.items() if (found := _row(experiment, modalities, by_field)) is not None}
    order = sorted(sent, key=lambda row: (sum(cell is None for cell in sent[row].values()), row))
    seen: set[str] = set()
    first: list[int] = []
    for row in order:
        target = str(truths[row])
        if target not in seen:
            seen.add(target)
            first.append(row)
    return [sent[row] for row in [*first, *(row for row in order if row not in first)][:_MOST_ROWS]]


def _row(experiment: Experiment, modalities: Mapping[str, Modality], by_field: Mapping[str, Cell]) -> dict[str, Any] | None:
    """Return the cells of a row by column; None if one of them cannot be sent."""
    row: dict[str, Any] = dict.fromkeys(experiment.columns())
    for name, cell in by_field.items():
        if modalities[name].is_missing(cell):
            continue
        sent = _sent(modalities[name], cell)
        if sent is None:
            return None
        row |= dict(zip(experiment.fields[name].sources, sent, strict=True))
    return row


def _sent(modality: Modality, cell: Cell) -> list[Any] | None:
    """Return the values of a cell's columns as JSON data, from which the same sample is read without any file; None if there are none."""
    try:
        sample = modality.read(cell)
    except Fault:
        return None
    for form in _forms(modality, cell):
        try:
            values = [_plain(part) for part in form]
            if len(json.dumps(values)) <= 2 * _MOST_BYTES and _is_read(modality, form, sample):
                return values
        except (TypeError, ValueError):  # no JSON data
            continue
    return None


def _forms(modality: Modality, cell: Cell) -> Iterator[Sequence[Cell]]:
    """Yield the ways to send a cell, as the values of its columns: as it is, or with the content of the files that it names."""
    parts = cell if isinstance(cell, tuple) else (cell,)
    yield parts
    try:
        yield [_content(modality.roots, part) for part in parts]
    except Fault:
        return


def _content(roots: Roots, part: Cell) -> Cell:
    """Return the content of the file or the files that a value names."""
    if isinstance(part, list):
        return [_content(roots, one) for one in part]
    return roots.bytes_of(part, _MOST_BYTES)


def _is_read(modality: Modality, form: Sequence[Cell], sample: Sample) -> bool:
    """Return whether a cell that is sent like this is read as the same sample, without any file."""
    alone = type(modality)(modality.config, modality.state, Roots())
    try:
        found = alone.read(tuple(form) if len(form) > 1 else form[0])
    except (Fault, TypeError, ValueError):
        return False
    return found.keys() == sample.keys() and all(found[name].tobytes() == sample[name].tobytes() for name in sample)


def _plain(part: Cell) -> Any:
    """Return a value as JSON data, the content of a file as ``{"b64": ...}``.

    :raises TypeError: it cannot be written as JSON
    """
    if isinstance(part, bytes):
        return {"b64": base64.b64encode(part).decode()}
    if isinstance(part, (list, tuple)):
        return [_plain(one) for one in part]
    if isinstance(part, np.generic):
        return _plain(part.item())
    if is_empty(part):
        return None
    return part.isoformat() if hasattr(part, "isoformat") else part
