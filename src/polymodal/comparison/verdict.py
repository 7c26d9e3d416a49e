"""From the cells of a comparison to its figures and to a sentence: does fusing help here, by how much, and is it noise?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..evaluation.paired import Difference, against, chosen
from ..tasks import Task
from .contenders import Contender
from .course import Course
from .grid import Grid

_SMALL = 0.01
"""A difference of accuracy or r2 that hardly matters."""


def judged(grid: Grid, course: Course, contenders: Sequence[Contender], seed: int) -> dict[str, Any]:
    """By target: ``metric``, the best single field and the best fusion (by rows that do not measure), every contender's ``mean``,
    ``spread`` (over rounds) and ``difference`` to the best single field, ``change`` where it is another under other settings (the
    ``difference`` to the one that it is ``of``), and the ``sentence``."""
    choose = {name: float(np.mean([cells[name].worth for cells in course.rounds])) for name in course.last}
    alone = [one.name for one in contenders if one.field is not None and one.name in choose]
    fused = [one.name for one in contenders if one.field is None and one.name in choose]
    if not alone or not fused:
        return {"choose": choose, "best": None, "targets": {}}
    best_alone, best_fused = max(alone, key=choose.__getitem__), max(fused, key=choose.__getitem__)
    again = {one.name: one.of for one in contenders if one.of in choose and one.name in choose}
    sides, best = (alone, fused), (best_alone, best_fused)
    measured = {name: sum(len(grid.clusters(at, name)) for at in range(len(course.rounds))) for name in grid.prepared.tasks}
    targets = {
        name: _target(grid, course, name, task, sides, best, again, seed) for name, task in grid.prepared.tasks.items() if measured[name]
    }
    harms = bool(targets) and all(told["verdict"] == "harms" for told in targets.values())  # then the sentences say what to take
    return {"choose": choose, "best": best_alone if harms else max(choose, key=choose.__getitem__), "targets": targets}


def _target(
    grid: Grid,
    course: Course,
    name: str,
    task: Task,
    sides: tuple[list[str], list[str]],
    best: tuple[str, str],
    again: Mapping[str, str],
    seed: int,
) -> dict[str, Any]:
    (best_alone, best_fused), rounds = best, range(len(course.rounds))
    clusters = [grid.clusters(at, name) for at in rounds]
    credits = {one: [np.array(cells[one].credits[name], np.float64) for cells in course.rounds] for one in course.last}
    constant = [grid.constant(at)[name] for at in rounds]
    rows = len(np.unique(np.concatenate([grid.rounds.measure[at] for at in rounds])))
    differences = against({one: found for one, found in credits.items() if one != best_alone}, credits[best_alone], clusters, seed)
    told: dict[str, Any] = {}
    for one, found in credits.items():
        each = [float(part.mean()) for part in found if len(part)]
        metrics = {metric: _mean([cells[one].metrics[name].get(metric) for cells in course.rounds]) for metric in task.metric_names}
        difference = differences[one].facts() if one in differences else None
        told[one] = {
            "mean": float(np.concatenate(found).mean()), "spread": float(np.std(each, ddof=1)) if len(each) > 1 else None, "rounds": each,
            "difference": difference, "change": None, "metrics": metrics,
        }  # fmt: skip
    for one, of in again.items():
        change = against({one: credits[one]}, credits[of], clusters, seed)[one]
        told[one]["change"] = {"of": of, "difference": change.facts()} if len(course.rounds) > 1 else None
    alone, fused = ({one: credits[one] for one in side} for side in sides)
    worth = {one: [cells[one].worth for cells in course.rounds] for one in course.last}
    gain = chosen(fused, alone, worth, clusters, seed)
    both = {one: credits[one] for one in (best_alone, best_fused)}  # that these models know something is enough: no training in doubt
    learned = max(one.low for one in against(both, constant, clusters, seed, retrained=False).values())
    facts = {
        "metric": task.worth, "best_alone": best_alone, "best_fused": best_fused, "difference": gain.facts(), "measured": rows,
        "trainable": grid.rounds.most,
        "constant": float(np.concatenate(constant).mean()), "learned": learned > 0, "contenders": told,
    }  # fmt: skip
    return {**facts, "verdict": verdict(gain), "sentence": sentence(name, facts, gain, course)}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def verdict(difference: Difference) -> str:
    """``helps``, ``harms``, ``no difference`` or ``undecided``."""
    if difference.low > 0:
        return "helps"
    if difference.high < 0:
        return "harms"
    return "no difference" if max(-difference.low, difference.high) < _SMALL else "undecided"


def sentence(name: str, facts: Mapping[str, Any], difference: Difference, course: Course) -> str:
    """The answer in plain words, and what it rests on."""
    told, alone, fused = facts["contenders"], facts["best_alone"], facts["best_fused"]
    unit = 100 if facts["metric"] == "accuracy" else 1
    points = " points" if unit == 100 else ""

    def number(value: float, signed: bool = False) -> str:
        text = f"{unit * value:+.{1 if unit == 100 else 3}f}" if signed else f"{unit * value:.{1 if unit == 100 else 3}f}"
        return f"{text}{' %' if unit == 100 and not signed else ''}"

    means = f"{fused} {number(told[fused]['mean'])}, {alone} {number(told[alone]['mean'])}"
    by = f"{number(difference.mean, True)}{points}"
    span = f"95 % interval {number(difference.low, True)} to {number(difference.high, True)}" if len(course.rounds) > 1 else "no interval"
    heads = {
        "helps": f"fusing helps here, by {by}",
        "harms": f"fusing harms here, by {by}: take {alone}",
        "no difference": f"no evidence that fusing helps here: the difference is {by}, and {unit * _SMALL:g}{points} are ruled out",
        "undecided": f"undecided: no evidence that fusing helps or harms here; the difference, {by}, may be noise",
    }
    nothing = (
        "" if facts["learned"] else f"; no evidence that any field tells {name!r}: one constant answer has {number(facts['constant'])}"
    )
    cell = course.rounds[0][fused]
    trained = round(float(np.mean([cells[fused].rows for cells in course.rounds])))
    few = trained < 0.9 * facts["trainable"]
    of = f" of {facts['trainable']:,}" if few else ""
    more = " (a longer --time-limit trains on more)" if few else ""
    basis = (
        f"{len(course.rounds)} rounds, each trained with another seed on {trained:,}{of} rows for up to {cell.epochs} epochs{more}; "
        f"{facts['measured']:,} rows measured, none of which chose anything; "
        f"{course.trials} {'trial' if course.trials == 1 else 'trials'} of each contender on {course.search_rows:,} rows"
    )
    return f"{name}: {heads[verdict(difference)]} ({facts['metric']}: {means}; {span}){nothing}. It rests on {basis}."
