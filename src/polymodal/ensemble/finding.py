"""The finding of a run: for each target, whether the model of all fields is better than the best single field, by a paired test.

Each single field is compared on rows on which both models were measured. The verdict "better" requires a significant advantage over every
single field (an intersection-union test: Berger 1982), so that its level does not depend on which field looks best. The verdict "worse"
is about the field that looks best, which was chosen on the same rows; its p value is therefore multiplied by the number of fields
(Bonferroni).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..evaluation.advantage import LEVEL, Advantage, advantage
from ..preparation import Prepared
from ..tasks import Task
from .clusters import clusters_of
from .validation import Measured


def finding(
    prepared: Prepared, whole: Measured, alone: Mapping[str, Measured], untried: Sequence[str] = ()
) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return a sentence for each target, one a line, and the facts of each sentence by target.

    :param whole: the results of the model of all fields
    :param alone: by field, the results of the model of that field alone, on all or some of the rows of ``whole``
    :param untried: the fields that were not trained alone because the time was over
    :returns: ("", {}) if no field was trained alone, or no metric is defined
    """
    facts = {}
    cluster_N = clusters_of(prepared, prepared.valid) if alone else np.zeros(0, np.int64)
    for name, task in prepared.tasks.items():
        of_target = _target(name, task, whole, alone, cluster_N)
        if of_target is not None:
            facts[name] = of_target
    lines = [_sentence(name, of_target) for name, of_target in facts.items()]
    if lines and untried:
        lines[-1] += f"; {', '.join(map(repr, untried))} alone was not tried, for want of time"
    return "\n".join(lines), facts


def _target(name: str, task: Task, whole: Measured, alone: Mapping[str, Measured], cluster_N: np.ndarray) -> dict[str, Any] | None:
    """Return the facts of one target; None if no field can be compared."""
    metric = task.judged_by
    sign, unit = task.sign(metric), task.bounds(metric) == (0.0, 1.0)
    fields: dict[str, dict[str, Any]] = {}
    tests: dict[str, Advantage] = {}
    for field, single in alone.items():
        at, of = _same_rows(name, whole, single)
        if not len(at):
            continue
        target = whole.targets[name][at]
        row_values = [task.row_values(target, scores, metric) for scores in (whole.scores[name][at], single.scores[name][of])]
        if row_values[0] is None or row_values[1] is None:
            continue
        tests[field] = test = advantage(sign * row_values[0], sign * row_values[1], cluster_N[whole.rows[at]], unit)
        fields[field] = {
            "all": float(row_values[0].mean()), "alone": float(row_values[1].mean()), "difference": sign * test.mean, "error": test.error,
            "p_better": test.better, "p_worse": test.worse, "rows": len(at), "test": test.test,
        }  # fmt: skip
        if metric != task.usual_metric:
            fields[field]["beside"] = {
                "metric": task.usual_metric,
                "all": task.measure(target, whole.scores[name][at])[0][task.usual_metric],
                "alone": task.measure(target, single.scores[name][of])[0][task.usual_metric],
            }
    if not fields:
        return None
    best = min(tests, key=lambda field: (tests[field].mean, -tests[field].better))
    better = max(test.better for test in tests.values())
    worse = min(1.0, len(tests) * tests[best].worse)
    verdict = "better than" if better <= LEVEL else "worse than" if worse <= LEVEL else "within noise of"
    why = task.judged_why
    return {"metric": metric, "why": why, "best": best, **fields[best], "p": min(1.0, 2 * min(better, worse)), "verdict": verdict,
            "fields": fields}  # fmt: skip


def _same_rows(name: str, whole: Measured, single: Measured) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions in ``whole`` and in ``single`` of the rows that both predicted and that have the target."""
    _, at, of = np.intersect1d(whole.rows, single.rows, return_indices=True)
    known = ~np.isnan(whole.targets[name][at]).any(1)
    known &= ~np.isnan(whole.scores[name][at]).any(1) & ~np.isnan(single.scores[name][of]).any(1)
    return at[known], of[known]


def _sentence(name: str, facts: Mapping[str, Any]) -> str:
    """Return the sentence on one target."""
    beside, why = facts.get("beside"), ""
    all_beside = alone_beside = ""
    if facts["why"]:
        why = f"; judged by {facts['metric']}, since {facts['why']}"
    if beside is not None and beside["all"] is not None and beside["alone"] is not None:
        all_beside, alone_beside = (f" ({beside['metric']} {beside[side]:.4f})" for side in ("all", "alone"))
    return (
        f"{name}: all fields {facts['metric']} {facts['all']:.4f}{all_beside}, {facts['verdict']} the best single field, "
        f"{facts['best']!r} {facts['alone']:.4f}{alone_beside} (difference {facts['difference']:+.4f}, "
        f"standard error {facts['error']:.4f}, p {facts['p']:.2g}), on the same {facts['rows']:,} held-out rows{why}"
    )
