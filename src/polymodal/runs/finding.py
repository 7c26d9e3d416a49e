"""The finding of a run: for each target, whether all fields together are better than the best single field, by a paired test.

Each single field was measured on rows that the whole was measured on as well. "Better" needs a significant advantage over every single
field (an intersection-union test: Berger 1982), so that its level does not depend on which field looks best. "Worse" is of the field that
looks best, which was chosen on the same rows: its p value is multiplied by the number of fields (Bonferroni).
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
    """A sentence for each target, one a line, and the facts of each sentence.

    :param whole: what was measured of all fields together
    :param alone: by field, what was measured of that field alone, on some of the rows of the whole or on all
    :param untried: fields that were not trained alone, for want of time
    :returns: ("", {}) where no field was trained alone, or no metric is defined
    """
    facts = {}
    cluster_N = clusters_of(prepared, prepared.valid) if alone else np.zeros(0, np.int64)
    for name, task in prepared.tasks.items():
        found = _target(name, task, whole, alone, cluster_N)
        if found is not None:
            facts[name] = found
    lines = [_sentence(name, found) for name, found in facts.items()]
    if lines and untried:
        lines[-1] += f"; {', '.join(map(repr, untried))} alone was not tried, for want of time"
    return "\n".join(lines), facts


def _target(name: str, task: Task, whole: Measured, alone: Mapping[str, Measured], cluster_N: np.ndarray) -> dict[str, Any] | None:
    metric = task.judged_by
    sign, unit = task.sign(metric), task.bounds(metric) == (0.0, 1.0)
    fields: dict[str, dict[str, Any]] = {}
    tests: dict[str, Advantage] = {}
    for field, single in alone.items():
        at, of = _same_rows(name, whole, single)
        if not len(at):
            continue
        target = whole.targets[name][at]
        credits = [task.credits(target, scores, metric) for scores in (whole.scores[name][at], single.scores[name][of])]
        if credits[0] is None or credits[1] is None:
            continue
        tests[field] = found = advantage(sign * credits[0], sign * credits[1], cluster_N[whole.rows[at]], unit)
        fields[field] = {
            "all": float(credits[0].mean()), "alone": float(credits[1].mean()), "difference": sign * found.mean, "error": found.error,
            "p_better": found.better, "p_worse": found.worse, "rows": len(at), "test": found.test,
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
    better = max(found.better for found in tests.values())
    worse = min(1.0, len(tests) * tests[best].worse)
    verdict = "better than" if better <= LEVEL else "worse than" if worse <= LEVEL else "within noise of"
    why = task.judged_why
    return {"metric": metric, "why": why, "best": best, **fields[best], "p": min(1.0, 2 * min(better, worse)), "verdict": verdict,
            "fields": fields}  # fmt: skip


def _same_rows(name: str, whole: Measured, single: Measured) -> tuple[np.ndarray, np.ndarray]:
    """Places in the whole and in the single field of the rows that both answered and that have the target."""
    _, at, of = np.intersect1d(whole.rows, single.rows, return_indices=True)
    known = ~np.isnan(whole.targets[name][at]).any(1)
    known &= ~np.isnan(whole.scores[name][at]).any(1) & ~np.isnan(single.scores[name][of]).any(1)
    return at[known], of[known]


def _sentence(name: str, found: Mapping[str, Any]) -> str:
    beside, why = found.get("beside"), ""
    all_beside = alone_beside = ""
    if found["why"]:
        why = f"; judged by {found['metric']}, since {found['why']}"
    if beside is not None and beside["all"] is not None and beside["alone"] is not None:
        all_beside, alone_beside = (f" ({beside['metric']} {beside[side]:.4f})" for side in ("all", "alone"))
    return (
        f"{name}: all fields {found['metric']} {found['all']:.4f}{all_beside}, {found['verdict']} the best single field, "
        f"{found['best']!r} {found['alone']:.4f}{alone_beside} (difference {found['difference']:+.4f}, "
        f"standard error {found['error']:.4f}, p {found['p']:.2g}), on the same {found['rows']:,} held-out rows{why}"
    )
