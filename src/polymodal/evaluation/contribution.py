"""What each field contributes to a model's answers, over some rows of a table.

Cells are encoded once by each model; every question asked here is the same rows with fields hidden, or with fields of other rows, answered
in the blocks of every prediction. Several models are averaged as predictions are.

- *without*: all metrics with a field hidden;
- *permuted*: the perceptual score (Gat et al. 2021, arXiv:2110.14375): how much of the metric is lost, relative to the whole, when a field
  is another row's, over several seeded permutations;
- *shapley*: the metric of all fields minus that of none, shared out (``shapley.py``);
- *additive*: the metric of the nearest sum of what fields say alone (``additive.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..inference import Encoded, Window
from ..modalities import Modality
from ..model import MultiModalModel
from ..tasks import Task
from ..tasks.metrics import Metrics
from .additive import affordable, project
from .measure import hidden_sets, measure, score
from .shapley import shapley

MOST_ROWS = 500
"""Rows that contributions are measured on, at most. No more than ``inference.WINDOW``: their features are held together."""
PERMUTATIONS = 5
"""Times that a field is permuted."""


class RowPredictor:
    """Rows that can be asked again and again, by all members of a model."""

    def __init__(
        self, members: Sequence[MultiModalModel], modalities: Mapping[str, Modality], tasks: Mapping[str, Task], window: Window
    ) -> None:
        self.tasks, self.window, self.fields = tasks, window, list(modalities)
        self.members = [Encoded(member, modalities, window.samples) for member in members]

    def scores(self, index: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """By task, what predictions of these rows would say: probabilities (N, C), or numbers (N, 1)."""
        return self.decoded([encoded.answer(index).logits for encoded in self.members])

    def decoded(self, logits: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """By task, the scores of logits of all members, in the type of the logits."""
        return {name: score(task, [one[name] for one in logits]) for name, task in self.tasks.items()}

    def logits(self, index: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
        """By member and task, float64."""
        answers = (encoded.answer(index) for encoded in self.members)
        return [{task: logits.astype(np.float64) for task, logits in one.logits.items()} for one in answers]


def contributions(predictor: RowPredictor, targets: Mapping[str, np.ndarray], fields: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """By task: ``metric``, ``rows`` (with a target, of those asked), ``whole``, ``nothing``, ``fields``, ``additive``, ``orders``.

    :param targets: by task (N, T), NaN where a row has none
    :param fields: those that the table has; the others are hidden throughout

    Of each field: ``shapley`` (with ``error`` where orders were drawn), its ``share`` of whole minus nothing, the metric ``alone``, all
    metrics ``without`` it, and when ``permuted``. None where something is undefined on these rows.
    """
    index = predictor.window.without(frozenset(predictor.fields) - frozenset(fields))
    metrics: dict[frozenset[str], dict[str, Metrics]] = {}

    def measured(shown: frozenset[str]) -> dict[str, Metrics]:
        if shown not in metrics:
            metrics[shown] = _measure(predictor, _hide(index, frozenset(fields) - shown), targets)
        return metrics[shown]

    def worth(found: Mapping[str, Metrics]) -> np.ndarray:
        return np.array([_number(found[name][task.usual_metric]) for name, task in predictor.tasks.items()], np.float64)

    everything = frozenset(fields)
    shares = shapley(fields, lambda shown: worth(measured(shown)), seed)
    without = {next(iter(hidden)): measured(everything - hidden) for hidden in hidden_sets(fields)[1:]}
    permuted = {field: np.stack([worth(found) for found in _permuted(predictor, index, targets, field, seed)]) for field in fields}
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


def shared_out(
    tasks: Mapping[str, Task], measured: Mapping[frozenset[str], Mapping[str, Metrics]], fields: Sequence[str]
) -> dict[str, Any]:
    """By task, from the metrics of every subset of ``fields`` that was shown: ``metric``, what the ``whole`` and ``nothing`` are worth by
    it, and of each of the ``fields`` its Shapley ``value`` and the ``share`` of whole minus nothing that it is; None where undefined."""
    found: dict[str, Any] = {}
    for name, task in tasks.items():
        worth = {shown: np.array(_number(metrics[name][task.usual_metric])) for shown, metrics in measured.items()}
        shares = shapley(fields, worth.__getitem__)
        whole, nothing = float(shares.whole), float(shares.nothing)
        facts = {}
        for field in fields:
            value = float(shares.values[field])
            facts[field] = {"value": _known(value), "share": value / (whole - nothing) if whole > nothing else None}
        found[name] = {"metric": task.usual_metric, "whole": _known(whole), "nothing": _known(nothing), "fields": facts}
    return found


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _hide(index: Mapping[str, np.ndarray], hidden: frozenset[str]) -> dict[str, np.ndarray]:
    return {name: np.full_like(of, -1) if name in hidden else of for name, of in index.items()}


def _measure(predictor: RowPredictor, index: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]) -> dict[str, Metrics]:
    return measure(predictor.tasks, predictor.scores(index), targets)[0]


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _permuted(
    predictor: RowPredictor, index: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray], field: str, seed: int
) -> list[dict[str, Metrics]]:
    """The metrics when ``field`` is another row's. The permutations depend on the seed and their number alone."""
    rows = len(index[field])
    orders = [np.random.default_rng([seed, at]).permutation(rows) for at in range(PERMUTATIONS)]
    return [_measure(predictor, {**index, field: index[field][order]}, targets) for order in orders]


def _perceptual(whole: float, permuted_P: np.ndarray) -> dict[str, Any]:
    """The metric's mean under permutations, and the score: what is lost of the whole, its mean and spread."""
    lost_P = (whole - permuted_P) / whole if whole > 0 else np.full_like(permuted_P, np.nan)
    return {"mean": float(permuted_P.mean()), "score": float(lost_P.mean()), "spread": float(lost_P.std(ddof=1)), "times": len(permuted_P)}


def _additive(
    predictor: RowPredictor, index: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray], fields: Sequence[str], seed: int
) -> dict[str, Any] | None:
    """By task: the ``metric`` of the projection and the ``whole``'s, on the same ``rows``; ``error`` is an upper estimate of the standard
    error of the metric that stems from the draws, None of two fields, whose projection is exact."""
    if len(fields) < 2:
        return None
    rows = len(index[fields[0]])
    some = np.sort(np.random.default_rng([seed, 1_000]).permutation(rows)[: affordable(rows, len(fields))])
    part = {name: of[some] for name, of in index.items()}
    known = {name: target[some] for name, target in targets.items()}

    def worths(logits: Sequence[Mapping[str, np.ndarray]]) -> dict[str, float]:
        found, _ = measure(predictor.tasks, predictor.decoded(logits), known)
        return {name: _number(found[name][task.usual_metric]) for name, task in predictor.tasks.items()}

    projected = [project(encoded, part, fields, (seed, 1_001, at)) for at, encoded in enumerate(predictor.members)]
    metric, whole = worths([one.logits for one in projected]), worths(predictor.logits(part))
    without = [worths(logits) for logits in zip(*(one.without for one in projected), strict=True)]
    return {
        name: {
            "rows": len(some), "metric": metric[name], "error": jackknife([one[name] for one in without]) if without else None,
            "whole": whole[name],
        }
        for name in predictor.tasks
    }  # fmt: skip


def jackknife(without: Sequence[float]) -> float:
    """The standard error of an estimate, from what it is without each of some groups of equal size in turn (delete-a-group jackknife)."""
    return float(np.std(without) * (len(without) - 1) ** 0.5)
