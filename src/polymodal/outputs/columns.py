"""The columns of a table of predictions: their names, and their types as aliases of Arrow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..evaluation.measure import score
from ..tasks import Task
from ..tasks.classes import array_of


@dataclass(frozen=True)
class ColumnNames:
    """The names of the columns of predictions.

    A prediction has the name of its target column. The probability of a class is named ``TARGET:CLASS``, a set ``TARGET:set``, and the
    ends of an interval ``TARGET:low`` and ``TARGET:high``. A name that is already taken gets underscores appended: target columns take
    their names first, then the classes, the sets and intervals, and last ``row``, ``present`` and ``faults``.
    """

    row: str
    """The number of the row; the first data row is 1."""
    present: str
    """The fields that the row has."""
    faults: str
    """The cells of the row that cannot be read."""
    scores: Mapping[str, list[str]]
    """By task, one column for the probability of each class; no columns for a number."""
    sets: Mapping[str, list[str]]
    """By task, one column of sets of classes, or two columns for the ends of an interval."""

    @classmethod
    def of(cls, tasks: Mapping[str, Task]) -> ColumnNames:
        """Return the column names for the tasks of a model, by task."""
        taken = {task.config.column for task in tasks.values()}

        def free(name: str) -> str:
            while name in taken:
                name += "_"
            taken.add(name)
            return name

        scores = {name: [free(f"{task.config.column}:{label}") for label in task.classes or []] for name, task in tasks.items()}
        ends = {name: ["set"] if task.has_classes else ["low", "high"] for name, task in tasks.items()}
        sets = {name: [free(f"{task.config.column}:{end}") for end in ends[name]] for name, task in tasks.items()}
        return cls(free("row"), free("present"), free("faults"), scores, sets)


def prediction_type(task: Task) -> str:
    """Return the type of one class or number that a task predicts: ``double``, ``int64``, ``bool`` or ``string``.

    It is ``string`` if the classes have several types, or are whole numbers beyond 64 bits.
    """
    nothing = score(task, [np.zeros((0, task.outputs), np.float32)])
    kind = (task.values(nothing) if task.classes is None else array_of(task.classes)).dtype.name
    return {"float64": "double", "float32": "double", "int64": "int64", "bool": "bool"}.get(kind, "string")


def column_types(tasks: Mapping[str, Task], names: ColumnNames, with_sets: list[str]) -> dict[str, str]:
    """Return the columns of predictions in order, each with its type; the type of a column of lists is ``list TYPE``.

    :param tasks: the tasks of a model by name
    :param names: the names of the columns
    :param with_sets: the tasks for which there are sets or intervals
    """
    columns = {names.row: "int64"}
    for name, task in tasks.items():
        kind = prediction_type(task)
        columns[task.config.column] = f"list {kind}" if task.answers_are_lists else kind
        columns |= dict.fromkeys(names.scores[name], "double")
    for name in with_sets:
        kind = f"list {prediction_type(tasks[name])}" if tasks[name].has_classes else "double"
        columns |= dict.fromkeys(names.sets[name], kind)
    return {**columns, names.present: "string", names.faults: "string"}
