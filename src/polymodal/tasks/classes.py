"""The classes of a target: their counts, their order, and the values that are predicted for them."""

from __future__ import annotations

import decimal
import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..cells import is_writable
from ..errors import DataError, Fault, nearest
from ..flow import Cell, State
from ..language import Sentence
from .names import RECURRING, name_of

MOST = 10_000
"""The maximum number of classes of a target."""
_WRITINGS = 20
_INT64 = 2**63

Label = str | int | float | bool
"""A class as it is predicted: a value of the type that it has in the table."""


class Tally:
    """The number of rows of each class by name, and the values by which the table writes it.

    :param typed: whether the table states which cells are text and which are numbers
    """

    def __init__(self, typed: bool) -> None:
        self.typed = typed
        self.counts: Counter[str] = Counter()
        self._writings: dict[str, Counter[tuple[type, Label]]] = {}

    def add(self, name: str, cell: Cell) -> None:
        """Count a row of the class ``name``, in whose cell the table has the value ``cell``."""
        self.counts[name] += 1
        if self.typed:
            seen = self._writings.setdefault(name, Counter())
            written = _written(cell, name)
            key = (type(written), written)
            if key in seen or len(seen) < _WRITINGS:
                seen[key] += 1

    def labels(self, names: list[str]) -> list[Label]:
        """Return the value that is predicted for each class: the most frequent one in a table with types, otherwise that of ``typed``."""
        if not self.typed:
            return typed(names)
        labels = [self._writings[name].most_common(1)[0][0][1] for name in names]
        if not any(type(label) is float and not label.is_integer() for label in labels):  # pandas makes ints floats where one is missing
            labels = [int(label) if type(label) is float and abs(label) < _INT64 else label for label in labels]
        return labels


def _written(cell: Cell, name: str) -> Label:
    """Return a cell as plain data, or its name if plain data cannot represent it."""
    label: Label = name
    if isinstance(cell, (bool, np.bool_)):
        label = bool(cell)
    elif isinstance(cell, (int, np.integer)):
        label = int(cell)
    elif isinstance(cell, (float, np.floating)) and math.isfinite(cell):
        label = float(cell)
    elif isinstance(cell, decimal.Decimal) and cell.is_finite() and cell == cell.to_integral_value() and abs(cell) < _INT64:
        label = int(cell)
    elif isinstance(cell, str):
        return str(cell)
    return label if name_of(label) == name else name


def counted(cells: Iterable[Cell], place: str, typed: bool = False) -> Tally:
    """Count the rows of each class. Cells that cannot be a class are left out.

    :param place: the table and the column, for messages
    :param typed: whether the table states which cells are text and which are numbers
    :raises DataError: no cell is a class, or there are more than ``MOST`` classes
    """
    tally = Tally(typed)
    names: dict[str | int, str] = {}
    first: Fault | None = None
    for cell in cells:
        name = names.get(cell) if type(cell) in RECURRING else None
        if name is None:
            try:
                name = name_of(cell)
            except Fault as fault:  # single cells are reported in faults.csv; if all are faults, nothing can be learned
                first = first or fault
                continue
            if type(cell) in RECURRING and len(names) < MOST:
                names[cell] = name
        tally.add(name, cell)
        if len(tally.counts) > MOST:
            raise DataError(f"{place}: over {MOST:,} different values; expected classes; a number wants kind: regression")
    if first is not None and not tally.counts:
        raise DataError(f"{place}: {first}; set tasks.*.kind") from None
    return tally


def ordered(names: Iterable[str]) -> list[str]:
    """Return names in numeric order if all of them are integers, otherwise in alphabetical order."""
    names = list(names)
    try:
        return sorted(names, key=lambda name: (int(name), name))
    except ValueError:
        return sorted(names)


def typed(names: list[str]) -> list[Any]:
    """Return the classes of a table without types as integers if all of them are integers, as truth values, or otherwise as text."""
    if all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", name) for name in names):
        return [int(name) for name in names]
    if set(names) <= {"True", "False"}:
        return [name == "True" for name in names]
    return names


def labels_of_state(state: State) -> list[Any]:
    """Return the value that is predicted for each class. The state of an older model lacks these values; those of ``typed`` are used."""
    return list(state["labels"]) if "labels" in state else typed(state["classes"])


def array_of(classes: list[Any], index_N: np.ndarray | None = None) -> np.ndarray:
    """Return classes as an array of their type; of objects if they are text, of several types, or integers of more than 64 bits.

    :param classes: the classes
    :param index_N: the positions of the classes in the result; None = all in their order
    """
    kinds = {type(label) for label in classes}
    if kinds in ({bool}, {float}) or (kinds == {int} and all(-_INT64 <= label < _INT64 for label in classes)):
        array = np.array(classes)
    else:
        array = np.empty(len(classes), object)
        array[:] = classes
    return array if index_N is None else array[index_N]


def sets_of(classes: list[Any], scores_NC: np.ndarray, inside_NC: np.ndarray, empty: bool) -> np.ndarray:
    """Return a list of classes for each row, the most probable first.

    :param inside_NC: which classes are in the list of each row
    :param empty: whether a list may be empty; if not, the most probable class is in every list
    """
    order_NC = np.argsort(-scores_NC, axis=1, kind="stable")
    if not empty:
        inside_NC = inside_NC.copy()
        np.put_along_axis(inside_NC, order_NC[:, :1], True, 1)
    out = np.empty(len(scores_NC), object)
    out[:] = [[classes[at] for at in order if inside[at]] for order, inside in zip(order_NC, inside_NC, strict=True)]
    return out


def rows_of(index_N: np.ndarray, classes: int) -> np.ndarray:
    """Return the number of rows of each class, (C,). An index of -1 is a class not seen in training, NaN a missing target."""
    return np.bincount(index_N[index_N >= 0].astype(np.int64), minlength=classes)


def two_at_least(names: list[str], place: str) -> None:
    """Raise ``DataError`` unless there are two classes or more."""
    if len(names) < 2:
        content = f"only one class, {names[0]!r}" if names else "no value at all"
        raise DataError(f"{place}: {content}; expected two classes or more; choose another target")


def position(names: list[str], wanted: Any, place: str) -> int:
    """Return the position of a class among ``names``.

    :raises DataError: it is not among them; the message suggests the nearest name
    """
    name = name_of(wanted)
    if name not in names:
        raise DataError(f"{place}: {wanted!r} is no class of the target; the classes are {', '.join(names[:20])}{nearest(name, names)}")
    return names.index(name)


def weights_of(setting: Any, counts: dict[str, int], names: list[str], place: str) -> list[float] | None:
    """Return the weights of the classes, or None for no weights.

    :param setting: None; ``"balanced"`` for n / (classes * count), whose mean over the rows is 1; or weights by class, 1 for others
    :param counts: the number of rows of each class
    :param names: the classes
    :param place: the setting, for messages
    :raises DataError: ``setting`` contains an unknown class
    """
    if setting is None:
        return None
    total = sum(counts[name] for name in names)
    if setting == "balanced":
        return [total / (len(names) * counts[name]) for name in names]
    weights = [1.0] * len(names)
    for name, weight in setting.items():
        weights[position(names, name, place)] = float(weight)
    return weights


def check(state: State, least: int) -> None:
    """Raise ``ValueError`` unless a state contains at least ``least`` different names, as many counts, a label for each class or no labels,
    and a weight for each class or no weights."""
    names, counts, weights = state["classes"], state["counts"], state.get("class_weights")
    if (
        not isinstance(names, list)
        or not all(isinstance(name, str) and is_writable(name) for name in names)
        or not least <= len(set(names)) == len(names) == len(counts)
    ):
        raise ValueError("invalid names of classes, or another number of counts")
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError("invalid counts of classes")
    if weights is not None and (len(weights) != len(names) or not all(type(weight) in (int, float) and weight >= 0 for weight in weights)):
        raise ValueError("invalid class weights")
    if "labels" in state:
        labels = state["labels"]
        if not isinstance(labels, list) or len(labels) != len(names) or not all(map(_is_label, labels, names)):
            raise ValueError("labels that differ from the classes")


def _is_label(label: Any, name: str) -> bool:
    """Return whether a value can be predicted for the class ``name``."""
    if type(label) is float and not math.isfinite(label):
        return False
    try:
        return type(label) in (str, int, float, bool) and name_of(label) == name and is_writable(str(label))
    except (Fault, ValueError):
        return False


def shares_text(counts: Iterable[tuple[Any, int]], rows: int, most: int = 6, form: str = ".0%") -> Sentence:
    """Return the most frequent classes with their shares of the rows, as text.

    :param counts: the classes with their numbers of rows
    :param rows: the number of rows
    :param most: the number of classes that are named
    :param form: the format of a share
    """
    pairs = sorted(counts, key=lambda pair: -pair[1])
    texts = [f"{name} {count / max(rows, 1):{form}}" for name, count in pairs[:most]]
    return Sentence.joined([*texts, *(["..."] if len(pairs) > most else [])], "enumeration")
