"""The contribution of each field to a model's predictions, over some rows of a table.

Cells are encoded once by each member. Every figure comes from predictions for the same rows with fields hidden, or with fields of other
rows, computed in the blocks of every prediction. The members are averaged as in every prediction.

- *without*: all metrics with a field hidden;
- *permuted*: the perceptual score (Gat et al. 2021, arXiv:2110.14375): how much of the metric is lost, relative to the whole, if a field
  comes from another row, over several seeded permutations;
- *shapley*: the metric of all fields minus that of none, divided among the fields (``evaluation.shapley``);
- *additive*: the metric of the nearest sum over fields (``additive.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..evaluation.measure import hidden_sets, measure
from ..evaluation.shapley import shapley
from ..predictor import RowPredictor
from ..random_streams import Stream, generator
from ..tasks.metrics import Metrics
from .additive import affordable, project

PERMUTATIONS = 5
"""The number of permutations of a field."""


def contributions(predictor: RowPredictor, targets: Mapping[str, np.ndarray], fields: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """Measure the contribution of each field.

    :param targets: by task (N, T), NaN where a row has none
    :param fields: the fields that the table has; the others are hidden throughout
    :param seed: the seed of permutations and of sampled orders
    :returns: by task: ``metric``, ``rows`` (those with a target), its value for the ``whole`` and for ``nothing``, ``fields``, ``additive``
        and ``orders`` (the number of sampled orders of Shapley values, 0 if exact). For each field: ``shapley`` (with its standard
        ``error`` if orders were sampled), its ``share`` of whole minus nothing, the metric ``alone``, all metrics ``without`` it, and the
        metric if it is ``permuted``. A value is None if it is undefined on these rows
    """
    index = predictor.window.without(frozenset(predictor.fields) - frozenset(fields))
    metrics: dict[frozenset[str], dict[str, Metrics]] = {}

    def measured(shown: frozenset[str]) -> dict[str, Metrics]:
        if shown not in metrics:
            metrics[shown] = _measure(predictor, _hide(index, frozenset(fields) - shown), targets)
        return metrics[shown]

    def values(by_task: Mapping[str, Metrics]) -> np.ndarray:
        return np.array([_number(by_task[name][task.usual_metric]) for name, task in predictor.tasks.items()], np.float64)

    everything = frozenset(fields)
    shares = shapley(fields, lambda shown: values(measured(shown)), seed)
    without = {next(iter(hidden)): measured(everything - hidden) for hidden in hidden_sets(fields)[1:]}
    permuted = {field: np.stack([values(by_task) for by_task in _permuted(predictor, index, targets, field, seed)]) for field in fields}
    additive = _additive(predictor, index, targets, fields, seed)
    result: dict[str, Any] = {}
    for at, (name, task) in enumerate(predictor.tasks.items()):
        whole, nothing = float(shares.whole[at]), float(shares.nothing[at])
        facts = {}
        for field in fields:
            value = float(shares.values[field][at])
            facts[field] = {
                "shapley": value,
                "error": None if shares.errors is None else float(shares.errors[field][at]),
                "share": value / (whole - nothing) if whole > nothing else None,
                "alone": _number(measured(frozenset([field]))[name][task.usual_metric]),
                "without": without[field][name] if field in without else measured(frozenset())[name],
                "permuted": _perceptual(whole, permuted[field][:, at]),
            }
        result[name] = {
            "metric": task.usual_metric, "rows": int((~np.isnan(targets[name]).any(1)).sum()), "whole": whole, "nothing": nothing,
            "fields": facts, "additive": None if additive is None else additive[name], "orders": shares.orders,
        }  # fmt: skip
    return result


def _hide(index: Mapping[str, np.ndarray], hidden: frozenset[str]) -> dict[str, np.ndarray]:
    """Return ``index`` with the hidden fields missing in every row."""
    return {name: np.full_like(of, -1) if name in hidden else of for name, of in index.items()}


def _measure(predictor: RowPredictor, index: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]) -> dict[str, Metrics]:
    """Return the metrics by task of the rows described by ``index``."""
    return measure(predictor.tasks, predictor.scores(index), targets)[0]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _permuted(
    predictor: RowPredictor, index: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray], field: str, seed: int
) -> list[dict[str, Metrics]]:
    """Return the metrics of each permutation of a field. The permutations depend only on the seed and their number."""
    rows = len(index[field])
    orders = [generator(Stream.PERMUTATIONS, seed, at).permutation(rows) for at in range(PERMUTATIONS)]
    return [_measure(predictor, {**index, field: index[field][order]}, targets) for order in orders]


def _perceptual(whole: float, permuted_P: np.ndarray) -> dict[str, Any]:
    """Return the mean of the metric under permutations, and the share of the whole that is lost: its mean, the score, and its spread."""
    lost_P = (whole - permuted_P) / whole if whole > 0 else np.full_like(permuted_P, np.nan)
    return {"mean": float(permuted_P.mean()), "score": float(lost_P.mean()), "spread": float(lost_P.std(ddof=1)), "times": len(permuted_P)}


def _additive(
    predictor: RowPredictor, index: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray], fields: Sequence[str], seed: int
) -> dict[str, Any] | None:
    """Measure the additive projection; None for a single field.

    Returns by task the ``metric`` of the projection and of the ``whole`` on the same ``rows``; ``error`` is an upper estimate of the
    standard error of the metric due to sampling, None for two fields, whose projection is exact.
    """
    if len(fields) < 2:
        return None
    rows = len(index[fields[0]])
    some = np.sort(generator(Stream.PROJECTED_ROWS, seed, 1_000).permutation(rows)[: affordable(rows, len(fields))])
    part = {name: of[some] for name, of in index.items()}
    some_targets = {name: target[some] for name, target in targets.items()}

    def values(logits: Sequence[Mapping[str, np.ndarray]]) -> dict[str, float]:
        metrics, _ = measure(predictor.tasks, predictor.decoded(logits), some_targets)
        return {name: _number(metrics[name][task.usual_metric]) for name, task in predictor.tasks.items()}

    projected = [project(encoded, part, fields, (seed, 1_001, at)) for at, encoded in enumerate(predictor.members)]
    metric, whole = values([one.logits for one in projected]), values(predictor.logits(part))
    without = [values(logits) for logits in zip(*(one.without for one in projected), strict=True)]
    return {
        name: {
            "rows": len(some), "metric": metric[name], "error": jackknife([one[name] for one in without]) if without else None,
            "whole": whole[name],
        }
        for name in predictor.tasks
    }  # fmt: skip


def jackknife(without: Sequence[float]) -> float:
    """Return the standard error of an estimate by the delete-a-group jackknife.

    :param without: the estimate without each of some groups of equal size in turn
    """
    return float(np.std(without) * (len(without) - 1) ** 0.5)
