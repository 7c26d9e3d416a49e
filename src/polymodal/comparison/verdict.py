"""The results of a comparison from its cells: whether fusion helps, by how much, and whether the difference may be chance.

All differences are signed so that above 0 is better for every metric; means are in the metric's own unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import counted
from ..evaluation.measure import mean_of_known
from ..evaluation.paired import FEWEST_ROUNDS, Difference, against, chosen
from ..language import Sentence
from ..pages import trains_on_few
from ..tasks import Task
from .contenders import Contender
from .grid import Grid, judging
from .schedule import Course
from .sentences import Wording, sentence

_SMALL = 0.01
"""The largest negligible difference of a metric between 0 and 1 or of r2; of an error, as a share of the chosen single field's error."""


def judged(grid: Grid, course: Course, contenders: Sequence[Contender], seed: int) -> dict[str, Any]:
    """Return the results of a comparison: the mean score of each contender on the rows that choose, the ``best`` contender, and the results
    of each target.

    The results of a target are: the ``metric`` by which it is judged, and ``why``; ``best_alone`` and ``best_fused``, the single field and
    the fusion that are best on the selection rows, which do not measure; ``other_alone``, the single field that measured best if it is
    another one; for every contender its ``mean``, its ``spread`` over rounds, its ``difference`` to the chosen single field, and ``change``
    if it is another contender under other settings (the ``difference`` to the one that it is ``of``); ``beside``, the difference by the
    usual metric if another metric judges; and the ``sentence``.

    :param grid: the trained cells and their rows
    :param course: the trials and rounds that were completed
    :param contenders: all contenders
    :param seed: the seed of the intervals
    """
    choose = {name: float(np.mean([cells[name].goodness for cells in course.rounds])) for name in course.last}
    alone = [one.name for one in contenders if one.field is not None and one.name in choose]
    fused = [one.name for one in contenders if one.field is None and not one.trees and one.name in choose]
    if not alone or not fused:
        return {"choose": choose, "best": None, "targets": {}}
    again = {one.name: one.of for one in contenders if one.of in choose and one.name in choose}
    best = max(alone, key=choose.__getitem__), max(fused, key=choose.__getitem__)
    targets = {}
    for name, task in grid.prepared.tasks.items():
        metric = next((one for one in judging(task) if _defined(grid, course, name, one)), None)
        if metric is not None:
            targets[name] = _target(grid, course, name, task, metric, (alone, fused), best, again, seed)
    harms = bool(targets) and all(target["verdict"] == "harms" for target in targets.values())  # then a single field is recommended
    return {"choose": choose, "best": best[0] if harms else max(choose, key=choose.__getitem__), "targets": targets}


def _defined(grid: Grid, course: Course, name: str, metric: str) -> list[int]:
    """Return the rounds on whose rows a metric of a target is defined."""
    return [
        at for at, cells in enumerate(course.rounds)
        if len(grid.clusters(at, name)) and all(cell.row_values[name].get(metric) for cell in cells.values())
    ]  # fmt: skip


class _Judge:
    """The differences between contenders by one metric of one target, signed so that above 0 is better."""

    def __init__(self, grid: Grid, course: Course, name: str, task: Task, metric: str, seed: int) -> None:
        self.rounds, self.sign, self.seed = _defined(grid, course, name, metric), task.sign(metric), seed
        low, high = task.bounds(metric)
        self.settings: dict[str, Any] = {"overlap": grid.rounds.overlap, "bounds": (low, high) if self.sign > 0 else (-high, -low)}
        self.clusters = [grid.clusters(at, name) for at in self.rounds]
        self.row_values = {
            one: [self.sign * np.array(course.rounds[at][one].row_values[name][metric], np.float64) for at in self.rounds]
            for one in course.last
        }
        self.constant = [self.sign * np.array(grid.constant(at)[name][metric], np.float64) for at in self.rounds]
        self.goodness = {one: [course.rounds[at][one].goodness for at in self.rounds] for one in course.last}

    def means(self, one: str) -> tuple[float, list[float]]:
        """Return the metric of a contender over all rows, and by round, in its own unit."""
        parts = self.row_values[one]
        return self.sign * float(np.concatenate(parts).mean()), [self.sign * float(part.mean()) for part in parts]

    def against(self, names: Sequence[str], of: str) -> dict[str, Difference]:
        """Return the difference of each contender to the contender ``of``."""
        return against({one: self.row_values[one] for one in names}, self.row_values[of], self.clusters, self.seed, **self.settings)

    def gain(self, alone: Sequence[str], fused: Sequence[str]) -> Difference:
        """Return the difference of the chosen fusion to the chosen single field. Its interval takes the choice of both into account."""
        first, second = ({one: self.row_values[one] for one in side} for side in (fused, alone))
        return chosen(first, second, self.goodness, self.clusters, self.seed, **self.settings)

    def learned(self, names: Sequence[str]) -> bool:
        """Return whether one of these contenders, as it was trained, is better than a constant answer."""
        row_values = {one: self.row_values[one] for one in names}
        differences = against(row_values, self.constant, self.clusters, self.seed, retrained=False, **self.settings)
        return max(one.low for one in differences.values()) > 0


def _target(
    grid: Grid, course: Course, name: str, task: Task, metric: str, sides: tuple[list[str], list[str]], best: tuple[str, str],
    again: Mapping[str, str], seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Return the results of one target by one metric.

    :param sides: the names of the single fields and of the fusions
    :param best: the single field and the fusion that were chosen on the selection rows
    :param again: by the name of a fusion that takes part once more, the name of the original
    """
    (alone, fused), (best_alone, best_fused) = sides, best
    judge = _Judge(grid, course, name, task, metric, seed)
    differences = judge.against([one for one in course.last if one != best_alone], best_alone)
    contenders: dict[str, Any] = {}
    for one in course.last:
        mean, each = judge.means(one)
        contenders[one] = {
            "mean": mean, "spread": float(np.std(each, ddof=1)) if len(each) > 1 else None, "rounds": each,
            "difference": differences[one].facts() if one in differences else None, "change": None,
            "metrics": {
                other: mean_of_known([cells[one].metrics[name].get(other) for cells in course.rounds]) for other in task.metric_names
            },
        }  # fmt: skip
    for one, of in again.items():
        contenders[one]["change"] = {"of": of, "difference": judge.against([one], of)[one].facts()} if len(judge.rounds) > 1 else None
    measured_best = max(alone, key=lambda one: judge.sign * contenders[one]["mean"])
    is_missed = judge.sign * (contenders[measured_best]["mean"] - contenders[best_alone]["mean"]) > 0
    gain, beside = judge.gain(alone, fused), None
    constant = judge.sign * float(np.concatenate(judge.constant).mean())
    if metric != task.usual_metric and _defined(grid, course, name, task.usual_metric):
        usual = _Judge(grid, course, name, task, task.usual_metric, seed)
        means = {one: usual.means(one)[0] for one in (best_alone, best_fused)}
        beside = {"metric": task.usual_metric, "means": means, "difference": usual.against([best_fused], best_alone)[best_fused].facts()}
    # A calibration error is small for any constant answer: whether a field is informative is measured by the usual metric.
    informed = _Judge(grid, course, name, task, task.usual_metric, seed) if not task.about(metric).rewards_learning else judge
    small = _SMALL * (max(abs(contenders[best_alone]["mean"]), 1e-300) if task.about(metric).in_unit else 1.0)
    facts = {
        "metric": metric, "why": task.judged_why if metric == task.judged_by else "", "larger_is_better": judge.sign > 0,
        "best_alone": best_alone, "best_fused": best_fused, "other_alone": measured_best if is_missed else None,
        "difference": gain.facts(),
        "verdict": verdict(gain, small), "beside": beside, "small": small,
        "measured": len(np.unique(np.concatenate([grid.rounds.measure[at] for at in range(len(course.rounds))]))),
        "rounds": len(judge.rounds), "trainable": grid.rounds.most, "selecting": len(grid.rounds.choose),
        "trained": round(float(np.mean([cells[best_fused].rows for cells in course.rounds]))),
        "constant": constant, "learned": informed.learned([best_alone, best_fused]), "contenders": contenders,
    }  # fmt: skip
    if isinstance(task.judged_why, Sentence):
        facts["why_facts"] = task.judged_why.facts()
    facts |= {"unit": task.unit, "fewest_rounds": FEWEST_ROUNDS, "epochs": course.rounds[0][best_fused].epochs}
    wordings = {one: Wording(task.about(one), task.unit) for one in judging(task)}
    return {**facts, "sentence": sentence(name, facts, gain, wordings, _basis(course, facts))}


def verdict(difference: Difference, small: float = _SMALL) -> str:
    """Return ``helps``, ``harms``, ``no difference`` (the interval excludes differences of ``small``) or ``undecided``."""
    if difference.low > 0:
        return "helps"
    if difference.high < 0:
        return "harms"
    return "no difference" if max(-difference.low, difference.high) < small else "undecided"


def _basis(course: Course, facts: Mapping[str, Any]) -> str:
    """Return the rounds, rows and trials on which the sentence is based, as text."""
    trained, epochs, trials = facts["trained"], facts["epochs"], course.trials
    few = trains_on_few(facts)
    of = f" of {facts['trainable']:,}" if few else ""
    more = " (a longer --time-limit trains on more)" if few else ""
    return (
        f"{counted(len(course.rounds), 'round')}, in each of which all contenders are trained with another seed on {trained:,}{of} rows "
        f"for up to {counted(epochs, 'epoch')}{more} and measured on others: {counted(facts['measured'], 'row')} in all rounds together, "
        f"none of which selected anything. {counted(facts['selecting'], 'further row')} selected epochs and contenders, and the settings "
        f"of each contender out of {counted(trials, 'trial')} on {counted(course.search_rows, 'row')}"
    )
