"""Targets and weights of an estimator: their checks, and the classes of scikit-learn beside those of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_array, check_consistent_length, column_or_1d

from ..errors import DataError, Fault
from ..flow import Cell
from ..tasks.names import name_of

KINDS = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64")
"""The types of numeric classes that are saved."""


def checked(y: Any, rows: int, estimator: str) -> np.ndarray:
    """Return the targets of ``fit``, (N,).

    :param rows: the number of rows of ``X``
    :param estimator: the name of the class, for messages
    :raises ValueError: there are none, as many as there are rows, or one is missing or infinite
    """
    if y is None:
        raise ValueError(f"This {estimator} estimator requires y to be passed, but the target y is None.")
    y_N: np.ndarray = column_or_1d(y, warn=True)
    check_consistent_length(np.empty(rows), y_N)
    if rows < 2:
        raise ValueError(f"X: found n_samples = {rows}; {estimator} needs 2 rows or more, to train on some and validate on others.")
    assert_all_finite(y_N, input_name="y", estimator_name=estimator)
    if y_N.dtype.kind == "O" and any(value is None for value in y_N):
        raise ValueError(f"Input y contains None; {estimator} expects a target in every row.")
    return y_N


def weights(sample_weight: Any, rows: int) -> np.ndarray:
    """Return the weight of each row, (N,).

    :raises ValueError: there are not as many as there are rows, one is not a finite number of 0 or more, or all are 0
    """
    weight_N: np.ndarray = column_or_1d(check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"))
    check_consistent_length(np.empty(rows), weight_N)
    if (weight_N < 0).any():
        raise ValueError("Negative values in data passed to `sample_weight`.")
    if not weight_N.any():
        raise ValueError("sample_weight: every weight is zero; expected a positive weight for some rows")
    return weight_N


def classes_of(y_N: np.ndarray, weight_N: np.ndarray | None = None) -> tuple[np.ndarray, list[Cell], list[Cell]]:
    """Return the classes in the order of ``numpy.unique``, the cell that stands for each in a table, and the cell of each row.

    A cell is the class itself. If two classes would have one name in a table, or one would be an empty cell, cells are ``class 0``,
    ``class 1`` and so on.

    :param weight_N: the weight of each row; rows of weight 0 are not trained on
    :raises ValueError: the targets are not classes, or only one class occurs
    """
    check_classification_targets(y_N)
    classes, at_N = np.unique(y_N, return_inverse=True)
    found = len(np.unique(at_N if weight_N is None else at_N[weight_N > 0]))
    if found < 2:
        raise ValueError(f"The number of classes has to be greater than one; got {found} class")
    cells = classes.tolist()
    try:
        names = {name_of(cell) for cell in cells}
    except Fault:
        names = set()
    if len(names) < len(cells) or "" in names:
        cells = [f"class {at}" for at in range(len(cells))]
    return classes, cells, [cells[at] for at in at_N.tolist()]


def numbers_of(y_N: np.ndarray) -> list[Cell]:
    """Return the targets of a regression as numbers.

    :raises ValueError: a target is no number
    """
    numbers: list[Cell] = np.asarray(y_N, np.float64).tolist()
    return numbers


def facts_of(classes: np.ndarray | None) -> Any:
    """Return classes as plain data.

    :raises DataError: a class is neither text nor a number
    """
    if classes is None:
        return None
    values = classes.tolist()
    kind = "str" if classes.dtype.kind == "U" else "object" if classes.dtype.kind == "O" else classes.dtype.name
    if kind not in ("str", "object", *KINDS) or not all(type(value) in (str, int, float, bool) for value in values):
        raise DataError(f"classes: found {kind}; expected texts or numbers, which a file can contain; convert y")
    return {"type": kind, "values": values}


def classes_of_facts(facts: Any) -> np.ndarray:
    """Return classes from plain data, which may come from anyone.

    :raises ValueError: the data is not what ``facts_of`` returns
    """
    kind, values = (facts.get("type"), facts.get("values")) if isinstance(facts, Mapping) else (None, None)
    if not isinstance(values, list) or len(values) < 2 or not all(type(value) in (str, int, float, bool) for value in values):
        raise ValueError("classes that are no list of texts or numbers")
    if kind == "str" and all(type(value) is str for value in values):
        return np.array(values)
    if kind == "object":
        classes = np.empty(len(values), object)
        classes[:] = values
        return classes
    if kind not in KINDS or any(type(value) is str for value in values):
        raise ValueError("classes of an unknown type")
    return np.array(values, np.dtype(kind))


def in_order(scores_NK: np.ndarray, names: Sequence[str], cells: Sequence[Cell]) -> np.ndarray:
    """Return the probabilities of the classes of an estimator (N, C): 0 for a class that the model lacks, since no training row had it.

    :param scores_NK: the probabilities of the classes of the model
    :param names: the names of the classes of the model
    :param cells: the cell of each class of the estimator
    """
    places = {name: at for at, name in enumerate(names)}
    scores_NC = np.zeros((len(scores_NK), len(cells)), scores_NK.dtype)
    for at, cell in enumerate(cells):
        if (place := places.get(name_of(cell))) is not None:
            scores_NC[:, at] = scores_NK[:, place]
    return scores_NC
