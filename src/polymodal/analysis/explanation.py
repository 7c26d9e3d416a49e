"""``explain``: computes the contribution of each field to a model's predictions, as data and as an HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data.sources import Source
from ..errors import UserError, spelled
from ..modalities import OnError
from ..pages import explanation_page
from ..predictor import Predictor, SelectedRows, as_predictor, read_rows, read_targets_of, rows_with_target, sample_of
from ..request import Folders
from ..training.devices import DeviceName
from ..training.observers import plain
from .contribution import contributions
from .printed import ExplanationResult
from .results import output_folder, write_results
from .rows import explain_row

MOST_EXPLAINED = 50
"""The maximum number of rows explained one by one in a call."""
FILES = ("explain.json", "explain.html")


def explain(
    model: Predictor | str | Path,
    table: Any,
    *,
    rows: int | Sequence[int] | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    on_error: OnError | None = None,
    strict: bool = False,
    root: Folders = (),
    trust: bool = False,
    encoding: str | None = None,
    device: DeviceName = "auto",
) -> ExplanationResult:
    """Return the contribution of each field to the predictions on a table that contains the target, or to the prediction of each of
    ``rows``.

    :param model: a ``Predictor``, or the path of a run or a bundle
    :param table: a file, a dataframe or a list of rows
    :param rows: one row number or several (at most 50), the first data row being 1; their target may be unknown. None = the whole table, of
        which at most 500 rows with a target are sampled by ``seed``
    :param out: the folder for ``explain.json`` (the returned data) and ``explain.html`` (the same as a page); None = no files
    :param overwrite: whether existing files are replaced
    :param seed: the seed of the sampled rows and of the permutations
    :param on_error: the treatment of unreadable cells; None = that of the model
    :param encoding: the encoding of a CSV or JSON file; None = detected
    :param device: where a model that is given by its path computes (see ``Predictor``)
    :returns: a dict, which prints as tables: ``{"table", "rows", "members", "fields", ...}`` and either ``"asked"`` and
        ``"targets"`` (``analysis.contribution``) or ``"explained"`` (``analysis.rows``)
    :raises UserError: a row number is invalid, a file exists, or the model or the table cannot be used
    """
    folder = output_folder(out, FILES, overwrite)
    predictor = as_predictor(model, trust=trust, device=device)
    bundle = predictor.bundle
    source = predictor.open(table, encoding)
    source.check_rows(" to explain")
    fields = predictor.fields_of(source, strict)
    result: dict[str, Any] = {"table": Path(source.name).name, "rows": source.rows, "members": len(bundle.members), "fields": fields}
    if rows is None:
        result |= _whole(predictor, source, fields, seed, on_error, root)
    else:
        selected = predictor.read(source, _numbers(rows, source), on_error, root)
        texts = selected.fault_texts()
        result["explained"] = [_one(predictor, selected, at, texts[at], seed) for at in range(len(texts))]
    shown = ExplanationResult(plain(result))
    if folder is not None:
        write_results(folder, FILES, shown, explanation_page(shown, bundle.experiment.report.language))
    return shown


def _whole(
    predictor: Predictor, source: Source, fields: Sequence[str], seed: int, on_error: OnError | None, root: Folders
) -> dict[str, Any]:
    """Return the contributions over the whole table, as plain data."""
    targets = read_targets_of(predictor, source, on_error)
    known = rows_with_target(source, targets)
    sampled = read_rows(predictor, source, sample_of(known, seed), targets, on_error, root)
    results = contributions(sampled.row_predictor, sampled.targets, fields, seed)
    return {"seed": seed, "with_target": len(known), "asked": len(sampled.row_predictor.window.rows), "targets": results}


def _one(predictor: Predictor, selected: SelectedRows, at: int, faults: str, seed: int) -> dict[str, Any]:
    """Return one row with its faults and its explanation, as plain data."""
    number = int(selected.window.rows[at]) + 1
    if selected.skipped[at]:
        return {"row": number, "faults": faults, "skipped": True}
    return {"row": number, "faults": faults, "skipped": False, **explain_row(predictor.bundle, selected, at, seed)}


def _numbers(rows: int | Sequence[int], source: Source) -> np.ndarray:
    """Return the row numbers as 0-based positions, ascending and without repetition."""
    numbers = sorted({int(row) for row in ([rows] if isinstance(rows, int | np.integer) else rows)})
    if not numbers or len(numbers) > MOST_EXPLAINED:
        fix = f"explain the whole table without {spelled('--rows', 'rows')}"
        raise UserError(f"rows: {len(numbers):,} of them; expected 1 to {MOST_EXPLAINED}; {fix}")
    wrong = next((row for row in numbers if not 1 <= row <= source.rows), None)
    if wrong is not None:
        raise UserError(f"rows: {wrong}; expected numbers from 1 to {source.rows:,}, the rows of {source.name}")
    return np.array(numbers, np.int64) - 1
