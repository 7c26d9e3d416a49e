"""``evaluate --robustness``: measures a model on corrupted and missing cells, as data and as an HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..data.sources import Source
from ..errors import UserError, counted, spelled
from ..evaluation.robustness import compared
from ..modalities import OnError
from ..pages import robustness_page
from ..predictor import Predictor, SampledRows, as_predictor, load, read_rows, read_targets_of, rows_with_target, sample_of
from ..request import Folders
from ..training.devices import DeviceName
from ..training.observers import plain
from .corruption_curves import corruption_curves
from .printed import RobustnessResult
from .results import output_folder, write_results

FILES = ("robustness.json", "robustness.html")


def robustness(
    model: Predictor | str | Path,
    table: Any,
    *,
    against: Predictor | str | Path | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    seed: int = 0,
    on_error: OnError | None = None,
    strict: bool = False,
    root: Folders = (),
    trust: bool = False,
    encoding: str | None = None,
    device: DeviceName = "auto",
) -> RobustnessResult:
    """Return a model's metrics on a table that contains the target when cells are corrupted, at severities 1 to 5, or missing.

    :param model: a ``Predictor``, or the path of a run or a bundle
    :param table: a file, a dataframe or a list of rows
    :param against: a baseline that predicts the same targets, such as a run of late fusion, with which the curves' ``effective`` is
        computed. None = the best single field if the model was trained in this process (a run's folder does not contain those models);
        otherwise ``effective`` is None
    :param out: the folder for ``robustness.json`` (the returned data) and ``robustness.html`` (the same as a page); None = no files
    :param overwrite: whether existing files are replaced
    :param seed: the seed of the sample of at most 500 rows with a target, and of the corruptions
    :param on_error: the treatment of unreadable cells; None = that of the model
    :param encoding: the encoding of a CSV or JSON file; None = detected
    :param device: where a model that is given by its path computes (see ``Predictor``)
    :returns: a dict, which prints as tables:
        ``{"table", "rows", "with_target", "asked", "seed", "members", "fields", "against", "targets"}``; the last one is the result of
        ``analysis.corruption_curves``
    :raises UserError: ``against`` does not predict the same targets or skips rows, a file exists, or the model or the table cannot be used
    """
    folder = output_folder(out, FILES, overwrite)
    predictor = as_predictor(model, trust=trust, device=device)
    other = load(against, trust=trust, device=device) if isinstance(against, (str, Path)) else against
    name = None if other is None else "a model" if isinstance(against, Predictor) or against is None else Path(against).name
    if other is None and predictor.baselines:
        other, name = _best_alone(predictor)
    source = predictor.open(table, encoding)
    source.check_rows(" to measure on")
    fields = predictor.fields_of(source, strict)
    targets = read_targets_of(predictor, source, on_error)
    known = rows_with_target(source, targets)
    sampled = read_rows(predictor, source, sample_of(known, seed), targets, on_error, root)
    results = _curves(sampled, fields, seed)
    if other is not None:
        _compare(results, predictor, other, source, sampled.row_predictor.window.rows, seed, on_error, root)
    count = len(sampled.row_predictor.window.rows)
    result = RobustnessResult(plain({
        "table": Path(source.name).name, "rows": source.rows, "with_target": len(known), "asked": count, "seed": seed,
        "members": len(predictor.bundle.members), "fields": fields, "against": name, "targets": results,
    }))  # fmt: skip
    if folder is not None:
        write_results(folder, FILES, result, robustness_page(result, predictor.bundle.experiment.report.language))
    return result


def _curves(sampled: SampledRows, fields: Sequence[str], seed: int) -> dict[str, Any]:
    """Return the curves of the sampled rows by task."""
    return corruption_curves(sampled.row_predictor, sampled.modalities, sampled.cells, sampled.targets, fields, sampled.seen, seed)


def _compare(
    results: dict[str, Any], predictor: Predictor, other: Predictor, source: Source, rows: np.ndarray, seed: int, on_error: OnError | None,
    root: Folders,
) -> None:  # fmt: skip
    """Compute effective robustness against another model, on the same rows and with the same corruptions of the columns that it reads."""
    for name, task in predictor.bundle.tasks.items():
        if name not in other.bundle.tasks or other.bundle.tasks[name].usual_metric != task.usual_metric:
            raise UserError(f"against: a model of {', '.join(map(repr, other.bundle.tasks))}; expected one that answers {name!r} as well")
    sampled = read_rows(other, source, rows, read_targets_of(other, source, on_error), "blank" if on_error == "skip" else on_error, root)
    if len(sampled.row_predictor.window.rows) < len(rows):
        skipped = len(rows) - len(sampled.row_predictor.window.rows)
        raise UserError(
            f"against: a model that skips {skipped:,} of {counted(len(rows), 'row')}; expected answers to all of them; "
            f"use {spelled('--on-error blank', 'on_error=blank')}"
        )
    theirs = _curves(sampled, other.fields_of(source, False), seed)
    read = set(other.bundle.experiment.columns())
    untouched = {name for name, field in predictor.bundle.experiment.fields.items() if not read & set(field.sources)}
    compared(results, theirs, untouched)


def _best_alone(predictor: Predictor) -> tuple[Predictor, str]:
    """Return the best model of a single field on the validation rows, among those trained beside the whole model."""
    name, task = next(iter(predictor.bundle.tasks.items()))

    def value_of(field: str) -> float:
        value = predictor.baselines[field].metrics["tasks"][name][task.usual_metric]
        return float("-inf") if value is None else float(value)

    best = max(predictor.baselines, key=value_of)
    return Predictor(predictor.baselines[best], root=predictor.root), f"only {best}"
