"""Verdicts of comparisons with given scores."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from polymodal.comparison.contenders import Contender
from polymodal.comparison.grid import Cell, judging
from polymodal.comparison.schedule import Course
from polymodal.comparison.verdict import judged


def judged_from(
    alone: np.ndarray, fused: np.ndarray, task: Any = None, target: np.ndarray | None = None, other: np.ndarray | None = None
) -> dict[str, Any]:
    """The verdict of rounds (R, N) in which the rows that choose prefer the fusion, from the scores of the positive class, or the answers,
    on the measured rows; of labels that are all positive where no ``target`` is given. ``other`` are the scores of a second single field,
    which the rows that choose do not prefer."""
    from builders.tasks import binary

    task = task or binary(["a", "b"], metric="accuracy")
    target_RN = np.ones(alone.shape) if target is None else target
    every = [Contender("only say", "say"), Contender("concat"), *([Contender("only size", "size")] if other is not None else [])]
    scores = [alone, fused, *([other] if other is not None else [])]
    course = Course(trials=1, search_rows=100)

    def row_values(scores_N: np.ndarray, at: int) -> dict[str, list[float]]:
        scores = scores_N[:, None] if task.classes is None else np.stack([1 - scores_N, scores_N], 1)
        found = {metric: task.row_values(target_RN[at][:, None], scores, metric) for metric in judging(task)}
        return {metric: [] if one is None else one.tolist() for metric, one in found.items()}

    for at in range(len(alone)):
        cells = {}
        for one, goodness, score_RN in zip(every, (0.6, 0.7, 0.5)[: len(every)], scores, strict=True):
            values = {"label": row_values(score_RN[at], at)}
            cells[one.name] = Cell(one.name, "round", 0, at, rows=100, goodness=goodness, metrics={"label": {}}, row_values=values)
        course.rounds.append(cells)
    constant = 0.0 if task.classes is None else 0.4
    grid: Any = SimpleNamespace(
        prepared=SimpleNamespace(tasks={"label": task}), clusters=lambda at, name: np.arange(alone.shape[1]) + at * alone.shape[1],
        constant=lambda at: {"label": row_values(np.full(alone.shape[1], constant), at)},
        rounds=SimpleNamespace(measure=list(np.arange(alone.size).reshape(alone.shape)), most=100, choose=np.arange(40),
                               overlap=1 / max(len(alone) - 1, 1)),
    )  # fmt: skip
    return judged(grid, course, every, 0)
