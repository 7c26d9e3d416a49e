"""The finding of a run: for each target, whether the model of all fields is better than the best single field, by a paired test.

Each single field is compared on rows on which both models were measured. The verdict "better" requires a significant advantage over every
single field (an intersection-union test: Berger 1982), so that its level does not depend on which field looks best. The verdict "worse"
is about the field that looks best, which was chosen on the same rows; its p value is therefore multiplied by the number of fields
(Bonferroni).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..evaluation.advantage import Advantage, advantage, verdict
from ..language import Sentence
from ..preparation import Prepared
from ..tasks import Task
from .clusters import clusters_of
from .validation import Measured


@dataclass(frozen=True)
class UsualMetric:
    """The usual metric of a target that is judged by another metric. A value is None if it is undefined.

    :param metric: the name of the metric
    :param all: its value for the model of all fields
    :param alone: its value for the model of the single field
    """

    metric: str
    all: float | None
    alone: float | None


@dataclass(frozen=True)
class FieldComparison:
    """The comparison of the model of all fields with the model of a single field, on the same rows.

    :param all: the metric of the model of all fields
    :param alone: the metric of the model of the single field
    :param difference: the first minus the second
    :param error: the standard error of the difference
    :param p_better: the one-sided p value of "the model of all fields is better"
    :param p_worse: the one-sided p value of "the model of all fields is worse"
    :param rows: the number of rows
    :param test: the name of the test
    :param beside: the usual metric of the target; None = the models are judged by it
    """

    all: float
    alone: float
    difference: float
    error: float
    p_better: float
    p_worse: float
    rows: int
    test: str
    beside: UsualMetric | None = None

    def facts(self) -> dict[str, Any]:
        """Return the fields as plain data for ``metrics.json``, without ``beside`` if it is None."""
        facts = asdict(self)
        return facts if self.beside is not None else {name: value for name, value in facts.items() if name != "beside"}


@dataclass(frozen=True)
class TargetComparison:
    """The comparison of the model of all fields with all single fields for one target.

    :param metric: the name of the metric that judges
    :param why: the reason why another metric than the usual one judges; empty = the usual one judges
    :param best: the single field that looks best
    :param p: the p value of the verdict
    :param verdict: ``better than``, ``worse than`` or ``within noise of`` the best single field
    :param fields: the comparison with each single field
    """

    metric: str
    why: str
    best: str
    p: float
    verdict: str
    fields: Mapping[str, FieldComparison]

    def facts(self) -> dict[str, Any]:
        """Return the fields as plain data for ``metrics.json``, with those of the comparison with the best field among them."""
        by_field = {name: one.facts() for name, one in self.fields.items()}
        why = {"why_facts": self.why.facts()} if isinstance(self.why, Sentence) else {}
        return {"metric": self.metric, "why": self.why, "best": self.best, **by_field[self.best], "p": self.p,
                "verdict": self.verdict, "fields": by_field, **why}  # fmt: skip


def finding(
    prepared: Prepared, whole: Measured, alone: Mapping[str, Measured], untried: Sequence[str] = ()
) -> tuple[str, dict[str, TargetComparison]]:
    """Return a sentence for each target, one a line, and the comparison that each sentence states, by target.

    :param whole: the results of the model of all fields
    :param alone: by field, the results of the model of that field alone, on all or some of the rows of ``whole``
    :param untried: the fields that were not trained alone because the time was over
    :returns: ("", {}) if no field was trained alone, or no metric is defined
    """
    comparisons = {}
    cluster_N = clusters_of(prepared, prepared.valid) if alone else np.zeros(0, np.int64)
    for name, task in prepared.tasks.items():
        of_target = _target(name, task, whole, alone, cluster_N)
        if of_target is not None:
            comparisons[name] = of_target
    lines = [_sentence(name, of_target) for name, of_target in comparisons.items()]
    if lines and untried:
        lines[-1] += f"; {', '.join(map(repr, untried))} alone was not tried, for want of time"
    return "\n".join(lines), comparisons


def _target(name: str, task: Task, whole: Measured, alone: Mapping[str, Measured], cluster_N: np.ndarray) -> TargetComparison | None:
    """Return the comparison for one target; None if no field can be compared."""
    metric = task.judged_by
    sign, unit = task.sign(metric), task.bounds(metric) == (0.0, 1.0)
    fields: dict[str, FieldComparison] = {}
    tests: dict[str, Advantage] = {}
    for field, single in alone.items():
        at, of = same_rows(name, whole, single)
        if not len(at):
            continue
        target = whole.targets[name][at]
        row_values = [task.row_values(target, scores, metric) for scores in (whole.scores[name][at], single.scores[name][of])]
        if row_values[0] is None or row_values[1] is None:
            continue
        tests[field] = test = advantage(sign * row_values[0], sign * row_values[1], cluster_N[whole.rows[at]], unit)
        beside = None
        if metric != task.usual_metric:
            beside = UsualMetric(
                task.usual_metric,
                all=task.measure(target, whole.scores[name][at])[0][task.usual_metric],
                alone=task.measure(target, single.scores[name][of])[0][task.usual_metric],
            )
        fields[field] = FieldComparison(
            all=float(row_values[0].mean()), alone=float(row_values[1].mean()), difference=sign * test.mean, error=test.error,
            p_better=test.better, p_worse=test.worse, rows=len(at), test=test.test, beside=beside,
        )  # fmt: skip
    if not fields:
        return None
    best = min(tests, key=lambda field: (tests[field].mean, -tests[field].better))
    better = max(test.better for test in tests.values())
    worse = min(1.0, len(tests) * tests[best].worse)
    return TargetComparison(metric, task.judged_why, best, min(1.0, 2 * min(better, worse)), verdict(better, worse), fields)


def same_rows(name: str, whole: Measured, single: Measured) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions in ``whole`` and in ``single`` of the rows that both predicted and that have the target."""
    _, at, of = np.intersect1d(whole.rows, single.rows, return_indices=True)
    known = ~np.isnan(whole.targets[name][at]).any(1)
    known &= ~np.isnan(whole.scores[name][at]).any(1) & ~np.isnan(single.scores[name][of]).any(1)
    return at[known], of[known]


def _sentence(name: str, target: TargetComparison) -> str:
    """Return the sentence on one target."""
    best, why = target.fields[target.best], ""
    all_beside = alone_beside = ""
    if target.why:
        why = f"; judged by {target.metric}, since {target.why}"
    if best.beside is not None and best.beside.all is not None and best.beside.alone is not None:
        all_beside, alone_beside = (f" ({best.beside.metric} {value:.4f})" for value in (best.beside.all, best.beside.alone))
    return (
        f"{name}: all fields {target.metric} {best.all:.4f}{all_beside}, {target.verdict} the best single field, "
        f"{target.best!r} {best.alone:.4f}{alone_beside} (difference {best.difference:+.4f}, "
        f"standard error {best.error:.4f}, p {target.p:.2g}), on the same {best.rows:,} held-out rows{why}"
    )
