"""Notes on the classes of targets: classes of few rows, classes that some folds do not train on, and classes unknown to the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..language import Sentence
from ..tasks import Task
from .reading.targets import OnUnknown
from .splits import CALIBRATE, OUT, SELECT, TEST, TRAIN, VALID

FEW = 5
"""A class of fewer rows than this is reported, because a model hardly learns it."""
_PARTS = {TRAIN: "training", SELECT: "selection", CALIBRATE: "calibration", VALID: "validation", TEST: "test"}
_NAMED, _KEPT = 10, 10_000


@dataclass
class Unknown:
    """Counts the rows of classes that a model does not know.

    ``counts`` by task, by part of the data (such as ``"test"``), by class.
    """

    counts: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)

    def add(self, task: str, part: str, names: Sequence[str]) -> None:
        """Add one row with unknown classes."""
        by_part = self.counts.setdefault(task, {})
        counts = by_part.setdefault(part, Counter())
        for name in names:
            if name in counts or len(counts) < _KEPT:
                counts[name] += 1

    def listener(self, part_N: np.ndarray) -> OnUnknown:
        """Return a function that adds the rows that ``read_targets`` reports.

        :param part_N: the part of each row (N,); rows that are ``OUT`` are not counted
        """
        return lambda row, task, names: self.add(task, _PARTS[int(part_N[row - 1])], names) if part_N[row - 1] != OUT else None


def unknown_line(by_part: Mapping[str, Mapping[str, int]]) -> str:
    """Return one line that lists the unknown classes of a task with their rows; "" if there are none.

    :param by_part: by part of the data, the rows of each class
    """
    parts = [
        Sentence("classes.in_part", classes=_listing(counts), part=Sentence(f"classes.part.{part}"))
        for part, counts in by_part.items()
        if counts
    ]
    return Sentence("classes.unknown", classes=Sentence.joined(parts)) if parts else ""


def class_notes(
    tasks: Mapping[str, Task], targets: Mapping[str, np.ndarray], part_N: np.ndarray, members: Sequence[np.ndarray], unknown: Unknown
) -> list[str]:
    """Return a line for each target with classes that are rare, that some member does not train on, or that the model does not know.

    :param targets: the targets of the training table by task (N, T)
    :param part_N: the part of each row of the training table, ``OUT`` for rows that are not used
    :param members: the rows (0-based) that each member trains on
    """
    lines: list[str] = []
    for name, task in tasks.items():
        if not task.has_classes or task.has_vocabulary:
            continue
        names = list(map(str, task.classes or ()))
        totals = task.class_counts(targets[name][part_N != OUT])
        rare = {label: int(count) for label, count in zip(names, totals, strict=True) if count < FEW}
        parts: list[str] = []
        if rare:
            parts.append(Sentence("classes.rare", few=FEW, classes=_listing(rare)))
        if len(members) > 1:
            trained = np.array([task.class_counts(targets[name][rows]) for rows in members])
            absent = {label: int(totals[at]) for at, label in enumerate(names) if (trained[:, at] == 0).any()}
            if absent:
                parts.append(Sentence("classes.untrained", classes=_listing(absent)))
        if line := unknown_line(unknown.counts.get(name, {})):
            parts.append(line)
        if parts:
            lines.append(Sentence("classes.advice", target=name, lines=Sentence.joined(parts)))
    return lines


def _listing(counts: Mapping[str, int]) -> str:
    """Return names with their rows, the rarest first."""
    ordered = sorted(counts.items(), key=lambda pair: (pair[1], pair[0]))
    shown = ", ".join(f"{name[:40]!r} ({count:,})" for name, count in ordered[:_NAMED])
    return Sentence("classes.more", classes=shown, more=len(ordered) - _NAMED) if len(ordered) > _NAMED else shown
