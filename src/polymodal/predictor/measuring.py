"""The result of measuring a model on a table with targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..data.class_notes import Unknown
from ..evaluation.measure import measure
from ..tasks import Task


def measured_on(
    tasks: Mapping[str, Task],
    scores: Sequence[Mapping[str, np.ndarray]],
    hidden: Sequence[frozenset[str]],
    targets: Mapping[str, np.ndarray],
    unreadable: Mapping[str, int],
    unknown: Unknown,
) -> dict[str, Any]:
    """Return the result of ``Predictor.evaluate``.

    :param scores: by set of hidden fields and by task, the predictions (N, C); NaN for a skipped row
    :param hidden: the sets of hidden fields; the first one is empty, each of the others contains one field
    :param targets: by task (N, T), NaN where a row has none
    :param unreadable: by task, the number of rows with a target that cannot be read
    :param unknown: the classes of the table that the model does not know
    """
    rows = len(next(iter(targets.values())))
    metrics, undefined = measure(tasks, scores[0], targets)
    result: dict[str, Any] = {"rows": rows, "tasks": metrics, "hidden": {}}
    for fields, by_task in zip(hidden[1:], scores[1:], strict=True):
        result["hidden"][next(iter(fields))] = measure(tasks, by_task, targets)[0]
    if undefined:
        result["undefined"] = undefined
    empty = {name: np.isnan(target).any(1) for name, target in targets.items()}
    measured = {name: int((~empty[name] & ~np.isnan(scores[0][name]).any(1)).sum()) for name in targets}
    unlabelled = {name: int(lacking.sum()) - unreadable[name] for name, lacking in empty.items()}
    if any(unlabelled.values()):
        result["without_target"] = unlabelled
    if any(unreadable.values()):
        result["unreadable"] = dict(unreadable)
    if any(count != rows for count in measured.values()):
        result["measured"] = measured
    if unknown.counts:
        result["unknown"] = {name: dict(by_part["test"]) for name, by_part in unknown.counts.items()}
    return result
