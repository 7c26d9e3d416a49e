"""The classes of a target: how often each occurs, in which order they stand, and how each is given back to the user."""

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
from .names import RECURRING, name_of

MOST = 10_000
"""Classes of a target, at most."""
_WRITINGS = 20
_INT64 = 2**63

Label = str | int | float | bool
"""A class as it is given back: of the type that the table gave."""


class Tally:
    """How often each class occurs, by name, and how it is written."""

    def __init__(self, typed: bool) -> None:
        self.typed = typed
        self.counts: Counter[str] = Counter()
        self._writings: dict[str, Counter[tuple[type, Label]]] = {}

    def add(self, name: str, cell: Cell) -> None:
        """One more row of a class, written like this."""
        self.counts[name] += 1
        if self.typed:
            seen = self._writings.setdefault(name, Counter())
            written = _written(cell, name)
            key = (type(written), written)
            if key in seen or len(seen) < _WRITINGS:
                seen[key] += 1

    def labels(self, names: list[str]) -> list[Label]:
        """What each class is given back as: as the table most often writes it where the table has types, else as ``typed``."""
        if not self.typed:
            return typed(names)
        labels = [self._writings[name].most_common(1)[0][0][1] for name in names]
        if not any(type(label) is float and not label.is_integer() for label in labels):  # pandas makes ints floats where one is missing
            labels = [int(label) if type(label) is float and abs(label) < _INT64 else label for label in labels]
        return labels


def _written(cell: Cell, name: str) -> Label:
    """A cell as plain data, or its name where plain data cannot hold it."""
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
    """How often each class occurs. A cell that is no class is left out; ``DataError`` where there is nothing else."""
    tally = Tally(typed)
    names: dict[str | int, str] = {}
    first: Fault | None = None
    for cell in cells:
        name = names.get(cell) if type(cell) in RECURRING else None
        if name is None:
            try:
                name = name_of(cell)
            except Fault as fault:  # one cell is a line in faults.csv; where all are, there is nothing to learn
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
    """Numbers by value, everything else by letters."""
    names = list(names)
    try:
        return sorted(names, key=lambda name: (int(name), name))
    except ValueError:
        return sorted(names)


def typed(names: list[str]) -> list[Any]:
    """The classes of a table without types as a reader of such tables would give them back: ints, truth values, or text."""
    if all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", name) for name in names):
        return [int(name) for name in names]
    if set(names) <= {"True", "False"}:
        return [name == "True" for name in names]
    return names


def labels_of_state(state: State) -> list[Any]:
    """What each class is given back as. A state that does not say is of a model that gave numbers for text that holds numbers."""
    return list(state["labels"]) if "labels" in state else typed(state["classes"])


def array_of(classes: list[Any], index_N: np.ndarray | None = None) -> np.ndarray:
    """Classes as an array of their own type; of objects where they are text, of several types, or whole numbers beyond 64 bits.

    :param index_N: which of them, in which order; None = all
    """
    kinds = {type(label) for label in classes}
    if kinds in ({bool}, {float}) or (kinds == {int} and all(-_INT64 <= label < _INT64 for label in classes)):
        found = np.array(classes)
    else:
        found = np.empty(len(classes), object)
        found[:] = classes
    return found if index_N is None else found[index_N]


def sets_of(classes: list[Any], scores_NC: np.ndarray, inside_NC: np.ndarray, empty: bool) -> np.ndarray:
    """For each row the classes where ``inside_NC``, the most probable first; unless ``empty``, the most probable one in any case."""
    order_NC = np.argsort(-scores_NC, axis=1, kind="stable")
    if not empty:
        inside_NC = inside_NC.copy()
        np.put_along_axis(inside_NC, order_NC[:, :1], True, 1)
    out = np.empty(len(scores_NC), object)
    out[:] = [[classes[at] for at in order if inside[at]] for order, inside in zip(order_NC, inside_NC, strict=True)]
    return out


def rows_of(index_N: np.ndarray, classes: int) -> np.ndarray:
    """How many rows have each class, (C,); -1 is a class not seen in training, NaN none at all."""
    return np.bincount(index_N[index_N >= 0].astype(np.int64), minlength=classes)


def two_at_least(names: list[str], place: str) -> None:
    """``DataError`` unless there are two classes to tell apart."""
    if len(names) < 2:
        found = f"only one class, {names[0]!r}" if names else "no value at all"
        raise DataError(f"{place}: {found}; expected two classes or more; choose another target")


def position(names: list[str], wanted: Any, place: str) -> int:
    """Where a class stands among ``names``; ``DataError`` with the nearest one otherwise."""
    name = name_of(wanted)
    if name not in names:
        raise DataError(f"{place}: {wanted!r} is no class of the target; the classes are {', '.join(names[:20])}{nearest(name, names)}")
    return names.index(name)


def weights_of(setting: Any, counts: dict[str, int], names: list[str], place: str) -> list[float] | None:
    """Class weights of mean 1 over the rows: None, ``"balanced"`` (n / (classes * count)), or a mapping."""
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
    """``ValueError`` unless a state holds ``least`` different names, as many counts, a label for each class or no labels, and a weight for
    each class or no weights."""
    names, counts, weights = state["classes"], state["counts"], state.get("class_weights")
    if (
        not isinstance(names, list)
        or not all(isinstance(name, str) and is_writable(name) for name in names)
        or not least <= len(set(names)) == len(names) == len(counts)
    ):
        raise ValueError("classes that are no names, or not as many as their counts")
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError("counts that are none")
    if weights is not None and (len(weights) != len(names) or not all(type(weight) in (int, float) and weight >= 0 for weight in weights)):
        raise ValueError("class weights that are none")
    if "labels" in state:
        labels = state["labels"]
        if not isinstance(labels, list) or len(labels) != len(names) or not all(map(_is_label, labels, names)):
            raise ValueError("labels that are not those of the classes")


def _is_label(label: Any, name: str) -> bool:
    """Whether a class can be given back so."""
    if type(label) is float and not math.isfinite(label):
        return False
    try:
        return type(label) in (str, int, float, bool) and name_of(label) == name and is_writable(str(label))
    except (Fault, ValueError):
        return False
