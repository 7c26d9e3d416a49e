"""The names of classes: text, or the whole numbers and truth values that a table holds as text or as such."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..cells import is_writable, text_of
from ..errors import DataError, Fault, nearest
from ..flow import Cell, State

_LONGEST = 5_000
"""Characters of a class's name, at most."""


def name_of(cell: Cell) -> str:
    """The name under which a class is counted: 1, 1.0 and "1" are one class, True and "true" are another."""
    if isinstance(cell, (bool, np.bool_)):
        return "True" if cell else "False"
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer():
        return str(int(cell))
    if isinstance(cell, (bytes, bytearray, list, tuple, dict)):
        raise Fault(f"found {type(cell).__name__}; expected the name of a class")
    text = text_of(cell)
    if len(text) > _LONGEST:
        raise Fault(f"a name of {len(text):,} characters; expected the name of a class, of at most {_LONGEST:,}")
    text = unicodedata.normalize("NFC", text).strip()
    if not is_writable(text):
        raise Fault("a name that is no Unicode text (half of a character); expected the name of a class")
    if text in ("true", "TRUE", "false", "FALSE"):
        return text.capitalize()
    head, dot, tail = text.partition(".")
    if dot and tail.strip("0") == "" and re.fullmatch(r"-?[0-9]+", head):
        return head
    return text


def counted(cells: Iterable[Cell], place: str, limit: int = 10_000) -> Counter[str]:
    """How often each class occurs."""
    counts: Counter[str] = Counter()
    first: Fault | None = None
    for cell in cells:
        try:
            counts[name_of(cell)] += 1
        except Fault as fault:  # one cell is a line in faults.csv; where all are, there is nothing to learn
            first = first or fault
        if len(counts) > limit:
            raise DataError(f"{place}: over {limit:,} different values; expected classes; a number wants kind: regression")
    if first is not None and not counts:
        raise DataError(f"{place}: {first}; set tasks.*.kind") from None
    return counts


def ordered(names: Iterable[str]) -> list[str]:
    """Numbers by value, everything else by letters."""
    names = list(names)
    try:
        return sorted(names, key=lambda name: (int(name), name))
    except ValueError:
        return sorted(names)


def typed(names: list[str]) -> list[Any]:
    """The classes as a table reader would give them back: ints, bools, or text."""
    if all(re.fullmatch(r"0|-?[1-9][0-9]{0,17}", name) for name in names):
        return [int(name) for name in names]
    if set(names) <= {"True", "False"}:
        return [name == "True" for name in names]
    return names


def array_of(classes: list[Any], index_N: np.ndarray) -> np.ndarray:
    """Class names by index, as an array of their own type."""
    if all(isinstance(name, bool) for name in classes) or all(isinstance(name, int) for name in classes):
        return np.array(classes)[index_N]
    out = np.empty(len(index_N), object)
    out[:] = [classes[at] for at in index_N]
    return out


def sets_of(classes: list[Any], scores_NC: np.ndarray, bound: float, empty: bool) -> np.ndarray:
    """For each row the classes of probability 1 - ``bound`` or more, the most probable first; unless ``empty``, that one in any case."""
    out = np.empty(len(scores_NC), object)
    order_NC = np.argsort(-scores_NC, axis=1, kind="stable")
    kept_N = np.maximum((scores_NC >= 1 - bound - 1e-7).sum(1), 0 if empty else 1)
    out[:] = [[classes[at] for at in order[:kept]] for order, kept in zip(order_NC, kept_N, strict=True)]
    return out


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
    """``ValueError`` unless a state holds ``least`` different names, as many counts, and a weight for each class or none."""
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
