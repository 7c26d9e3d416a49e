"""``evaluate --robustness``: from a model and a table to what is left of its metrics when cells go bad, as data and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..data.sources import Source
from ..errors import UserError
from ..evaluation.robustness import compared
from ..evaluation.robustness import robustness as curves
from ..flow import Folders, Sample
from ..frozen import Featured, features_of
from ..modalities import OnError
from ..predictor import Predictor, load
from ..training.observers import plain
from .robustness_page import page
from .sampling import Drawn, draw, free, known_rows, some_of, targets_of, write

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
) -> dict[str, Any]:
    """What is left of a model's metrics on a table that holds the target when cells are corrupted, at severities 1 to 5, or missing.

    :param model: a ``Predictor``, a run or a bundle
    :param against: a baseline that answers the same targets, such as a run of late fusion: by it the curves have ``effective``. None = the
        best single field, where the model has just been trained (a run's folder does not keep those); else ``effective`` is None
    :param seed: draws at most 500 rows with a target, and what happens to their cells
    :param encoding: of a CSV or JSON file; None = found out
    :param out: a folder to write ``robustness.json`` (what is returned) and ``robustness.html`` (the same as a page) into
    :returns: ``{"table", "rows", "with_target", "asked", "seed", "members", "fields", "against", "targets"}``; of the last,
        ``evaluation.robustness``
    """
    folder = free(out, FILES, overwrite)
    predictor = model if isinstance(model, Predictor) else load(model, trust=trust)
    other = load(against, trust=trust) if isinstance(against, (str, Path)) else against
    name = None if other is None else "a model" if isinstance(against, Predictor) or against is None else Path(against).name
    if other is None and predictor.baselines:
        other, name = _best_alone(predictor)
    source = predictor.open(table, encoding)
    source.check_rows(" to measure on")
    fields = predictor.fields_of(source, strict)
    targets = targets_of(predictor, source, on_error)
    known = known_rows(source, targets)
    drawn = draw(predictor, source, some_of(known, seed), targets, on_error, root)
    told = _curves(predictor, drawn, fields, seed)
    if other is not None:
        _compare(told, predictor, other, source, drawn.asked.window.rows, seed, on_error, root)
    count = len(drawn.asked.window.rows)
    found = plain({
        "table": Path(source.name).name, "rows": source.rows, "with_target": len(known), "asked": count, "seed": seed,
        "members": len(predictor.bundle.members), "fields": fields, "against": name, "targets": told,
    })  # fmt: skip
    if folder is not None:
        write(folder, FILES, found, page(found))
    return found


def _curves(predictor: Predictor, drawn: Drawn, fields: Sequence[str], seed: int) -> dict[str, Any]:
    backbones = predictor.bundle.backbones

    def see(name: str, samples: Sequence[Sample]) -> Sequence[Sample]:
        modality = drawn.modalities[name]
        return features_of(backbones[name], modality.inner, samples, torch.device("cpu")) if isinstance(modality, Featured) else samples

    return curves(drawn.asked, drawn.modalities, drawn.cells, drawn.targets, fields, see, seed)


def _compare(
    told: dict[str, Any], predictor: Predictor, other: Predictor, source: Source, rows: np.ndarray, seed: int, on_error: OnError | None,
    root: Folders,
) -> None:  # fmt: skip
    """Effective robustness, by the same rows and the same corruptions of what the other model reads."""
    for name, task in predictor.bundle.tasks.items():
        if name not in other.bundle.tasks or other.bundle.tasks[name].worth != task.worth:
            raise UserError(f"against: a model of {', '.join(map(repr, other.bundle.tasks))}; expected one that answers {name!r} as well")
    drawn = draw(other, source, rows, targets_of(other, source, on_error), "blank" if on_error == "skip" else on_error, root)
    if len(drawn.asked.window.rows) < len(rows):
        raise UserError(
            f"against: a model that skips {len(rows) - len(drawn.asked.window.rows):,} of {len(rows):,} rows; expected answers to all of "
            "them; use on_error=blank (--on-error blank)"
        )
    theirs = _curves(other, drawn, other.fields_of(source, False), seed)
    read = set(other.bundle.experiment.columns())
    untouched = {name for name, field in predictor.bundle.experiment.fields.items() if not read & set(field.sources)}
    compared(told, theirs, untouched)


def _best_alone(predictor: Predictor) -> tuple[Predictor, str]:
    """Of the models of single fields that were trained beside the whole, the best on held-out rows."""
    name, task = next(iter(predictor.bundle.tasks.items()))

    def worth(field: str) -> float:
        value = predictor.baselines[field].metrics["tasks"][name][task.worth]
        return float("-inf") if value is None else float(value)

    best = max(predictor.baselines, key=worth)
    return Predictor(predictor.baselines[best], root=predictor.root), f"only {best}"
