"""Samples rows with a target for repeated prediction, and writes the results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.reading import FaultBook, read_targets
from ..data.sources import Source
from ..errors import DataError
from ..flow import Cell
from ..frozen import through
from ..inference import Window
from ..modalities import Modality, OnError
from ..predictor import Predictor
from ..request import Folders
from ..storage import check_files, write_texts
from .contribution import MOST_ROWS, RowPredictor


@dataclass(frozen=True)
class SampledRows:
    """Sampled rows with a target. ``row_predictor`` predicts them repeatedly; ``cells`` by field (N,), ``targets`` by task (N, T)."""

    row_predictor: RowPredictor
    modalities: Mapping[str, Modality]
    cells: Mapping[str, Sequence[Cell]]
    targets: Mapping[str, np.ndarray]


def read_targets_of(predictor: Predictor, source: Source, on_error: OnError | None) -> dict[str, np.ndarray]:
    """Return the targets of all rows by task (N, T), NaN if a row has none.

    :raises DataError: a target column does not exist, or a cell is unreadable under ``on_error="error"``
    """
    bundle = predictor.bundle
    source.check([task.config.column for task in bundle.tasks.values()])
    return read_targets(source, bundle.tasks, FaultBook(source.name, lambda _: on_error or bundle.experiment.data.on_error).record)


def rows_with_target(source: Source, targets: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the rows (0-based) that have a target. Raises ``DataError`` if no row has one."""
    known = np.flatnonzero(np.any([~np.isnan(target).any(1) for target in targets.values()], axis=0))
    if not len(known):
        raise DataError(f"{source.name}: no row has a target; expected some to measure on, or rows to explain (explain --rows)")
    return known


def sample_of(rows: np.ndarray, seed: int) -> np.ndarray:
    """Return at most ``MOST_ROWS`` of the rows, sampled by ``seed``, in ascending order."""
    return np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_ROWS])


def read_rows(
    predictor: Predictor, source: Source, rows: np.ndarray, targets: Mapping[str, np.ndarray], on_error: OnError | None,
    root: Folders,
) -> SampledRows:  # fmt: skip
    """Read rows as the model sees them, without those that are skipped. Raises ``DataError`` if every row is skipped."""
    bundle = predictor.bundle
    selected = predictor.read(source, rows, on_error, root)
    kept = np.flatnonzero(~selected.skipped)
    if not len(kept):
        raise DataError(f"{source.name}: none of {len(rows):,} rows can be read; use on_error=blank (--on-error blank)")
    window = selected.window
    window = Window(window.rows[kept], window.samples, {name: index[kept] for name, index in window.index.items()})
    row_predictor = RowPredictor(bundle.members, selected.modalities, bundle.tasks, through(window, selected.modalities, bundle.backbones))
    cells = {name: [of_field[at] for at in kept.tolist()] for name, of_field in selected.cells.items()}
    return SampledRows(row_predictor, selected.modalities, cells, {name: target[window.rows] for name, target in targets.items()})


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
