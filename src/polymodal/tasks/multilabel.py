"""Any number of labels at once: a logit and binary cross-entropy for each. A cell is a list of labels, or text such as ``a;b``. If all
cells of the column are lists of 0 and 1, each position is a label.

A row with an empty cell has no target. A row without any label has an empty list, ``[]`` or ``;``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import Field as Setting
from torch import Tensor
from torch.nn import functional

from ..cells import is_empty
from ..errors import ConfigError, DataError, Fault, counted
from ..flow import Cell, State
from ..language import Sentence
from ..layers.elementwise import sigmoid
from . import classes as naming
from . import curves as plotting
from . import influence, logistic
from .classes import shares_text
from .classification import ClassMetric
from .facts import TargetFacts, code_of, parts_of, reading_of
from .metrics import CLASS_METRICS, Metrics, multilabel
from .names import name_of
from .reading import Reading
from .task import Task, TaskConfig

_SOME = 0.1


class MultilabelConfig(TaskConfig):
    """The settings of a target of any number of labels."""

    kind: Literal["multilabel"] = "multilabel"
    metric: ClassMetric | None = None
    """The metric that decides when training stops; null = log_loss."""
    separator: str = Setting(";", min_length=1)
    """The separator of labels in text."""

    @classmethod
    def task(cls) -> type[Task]:
        """Return the class of this task, ``Multilabel``."""
        return Multilabel


class Multilabel(Task):
    """A logit for each label; ``scores`` are (N, C), each a probability of its own."""

    has_classes = True
    answers_are_lists = True
    cells_are_lists = True
    boosting = "logistic"
    metrics = CLASS_METRICS
    default_metric = "log_loss"

    @classmethod
    def recognise(cls, facts: TargetFacts) -> tuple[float, str]:
        """Return 1.0 for a column of lists, or of labels with a separator between them."""
        if facts.places is not None:
            return 1.0, facts.places_note
        if facts.are_lists:
            return 1.0, Sentence("target.lists")
        values = facts.values
        if values == facts.texts and facts.separated >= max(1, _SOME * values) and 2 * len(facts.labels) <= sum(facts.labels.values()) > 0:
            return 1.0, Sentence("target.separated", separator=facts.separator)
        return 0.0, ""

    @property
    def outputs(self) -> int:
        """The number of labels, C."""
        return len(self.state["classes"])

    @property
    def target_width(self) -> int:
        """T, the number of labels: a target contains a 0 or a 1 for each."""
        return self.outputs

    @property
    def classes(self) -> list[Any]:
        """The labels in order, of the type that the table gave; places are numbers from 0 on, unless the table names them."""
        return naming.labels_of_state(self.state)

    @cached_property
    def reading(self) -> Reading:
        """How cells are read, with the positions of the labels if a cell holds a 0 or a 1 for each."""
        return Reading(missing=frozenset(self.state.get("missing", ())), places=tuple(self.classes) if "places" in self.state else None)

    @classmethod
    def fit(cls, config: MultilabelConfig, cells: Iterable[Cell], place: str, reading: Reading | None = None) -> State:
        """Learn ``classes`` (the names of the labels), ``counts`` (rows of each), ``rows``, ``labels`` (what is predicted) and ``missing``;
        if cells hold a 0 or a 1 for each label, also ``places``, the number of positions."""
        reading, cells = reading_of(config, cells, reading)
        tally, rows = naming.Tally(reading.typed), 0
        first: Fault | None = None
        for cell in cells:
            try:
                if reading.places is not None:
                    tally.counts.update(cls.names(config, reading, cell))
                else:
                    for name, part in _named(cell, config.separator).items():
                        tally.add(name, part)
            except Fault as fault:  # single cells are reported in faults.csv; if all are faults, nothing can be learned
                first = first or fault
                continue
            rows += 1
            if len(tally.counts) > naming.MOST:
                raise DataError(f"{place}: over {naming.MOST:,} different labels; expected a list of labels")
        if first is not None and not rows:
            raise DataError(f"{place}: {first}; set tasks.*.kind")
        names = naming.ordered(tally.counts) if reading.places is None else [name_of(label) for label in reading.places]
        if not tally.counts:
            raise DataError(f"{place}: no label at all; expected cells such as 'a{config.separator}b'; choose another target")
        state = {
            "classes": names,
            "counts": [tally.counts[name] for name in names],
            "rows": rows,
            "labels": tally.labels(names) if reading.places is None else list(reading.places),
            "missing": sorted(reading.missing),
        }
        return state if reading.places is None else {**state, "places": len(names)}

    def check(self) -> None:
        """Raise ``ValueError`` unless names, counts and places (if any) are valid and as many."""
        naming.check(self.state, 1)
        self.check_reading()
        if "places" in self.state and (type(self.state["places"]) is not int or self.state["places"] != len(self.state["classes"])):
            raise ValueError(f"{self.state['places']} places of {len(self.state['classes'])} labels")

    def encode(self, cell: Cell) -> np.ndarray:
        """Return 0 or 1 for each label, float32 (T,). Labels that no training row has are left out."""
        labels = self.names(self.config, self.reading, cell)
        return np.array([name in labels for name in self.state["classes"]], np.float32)

    @classmethod
    def names(cls, config: MultilabelConfig, reading: Reading, cell: Cell) -> Collection[str]:
        """Return the names of the labels in a cell."""
        if reading.places is not None:
            return _at_places(cell, reading.places, config.separator)
        return labels_of(cell, config.separator)

    def unknown(self, cell: Cell) -> list[str]:
        """Return the labels that no training row has."""
        return sorted(set(self.names(self.config, self.reading, cell)).difference(self.state["classes"]))

    def class_counts(self, target_NT: np.ndarray) -> np.ndarray:
        """Count the rows of each label."""
        return np.asarray((target_NT > 0.5).sum(0), np.int64)  # NaN is not

    def losses(self, logits_BC: Tensor, target_BT: Tensor) -> Tensor:
        """Return the mean of the binary cross-entropies of the labels, (B,)."""
        return functional.binary_cross_entropy_with_logits(logits_BC, self.filled(target_BT), reduction="none").mean(1)

    def plain_gradient(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """Return the probability of each label minus its target, (N, C), divided by C as the loss is."""
        return logistic.gradient(logits_NC, target_NT)

    def plain_curvature(self, logits_NC: Tensor, target_NT: Tensor, slope_VNC: Tensor) -> Tensor:
        """Return the second derivatives (V, V), by p (1 - p) of each label, where p is its probability; divided by C as the loss is."""
        return logistic.curvature(logits_NC, slope_VNC)

    def constant_logits(self, target_NT: Tensor) -> Tensor:
        """Return the logit of the share of each label, (C,)."""
        return target_NT.mean(0).logit(1e-6)

    def scores(self, logits_NC: Tensor) -> Tensor:
        """Return the sigmoid of the logits."""
        return sigmoid(logits_NC)

    def log_chances(self, logits_NC: Tensor, label: int) -> tuple[Tensor, Tensor]:
        """Return the logarithms of the probability of one label, and of its absence."""
        return functional.logsigmoid(logits_NC[:, label]), functional.logsigmoid(-logits_NC[:, label])

    def values(self, scores_NC: np.ndarray) -> np.ndarray:
        """Return a list of labels for each row."""
        out = np.empty(len(scores_NC), object)
        out[:] = [[name for name, score in zip(self.classes, row, strict=True) if score >= 0.5] for row in scores_NC]
        return out

    def measure(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[Metrics, dict[str, str]]:
        """Return the metrics of a target of several labels a row."""
        return multilabel(target_NT, scores_NC)

    def curves(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> plotting.Curves:
        """Return the ROC, precision-recall and calibration curves."""
        return plotting.multilabel(self.classes, target_NT, scores_NC)

    def confidence(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return whether each label of each row is predicted correctly, and the probability of that prediction."""
        return plotting.label_confidence(target_NT, scores_NC)

    def errors(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """Return the mean over the labels of the absolute error of the probability, (N,)."""
        result: np.ndarray = np.abs(target_NT - scores_NC).mean(1)
        return result

    def influence(self, metric: str, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """Return the influence of each row on a metric of labels."""
        return influence.multilabel(metric, target_NT, scores_NC)

    def sets(self, scores_NC: np.ndarray, inside_NC: np.ndarray, empty: bool = True) -> np.ndarray:
        """Raise ``ConfigError``: a prediction is a set already."""
        raise ConfigError(
            f"target {self.config.column!r}: of kind multilabel, whose answers are sets already; expected classes or a number"
        )

    def describe(self) -> str:
        """Return the labels and their shares of the rows."""
        shown = shares_text(zip(self.state["classes"], self.state["counts"], strict=True), self.state["rows"])
        return Sentence("describe.labels", count=len(self.state["classes"]), shown=shown)


def labels_of(cell: Cell, separator: str = ";") -> set[str]:
    """Return the names of the labels in a cell.

    :raises Fault: the cell is not a list of labels
    """
    return set(_named(cell, separator))


def _named(cell: Cell, separator: str) -> dict[str, Any]:
    """Return the labels in a cell as they are written there, by name."""
    parts = parts_of(cell, separator)
    if isinstance(parts, dict):
        content = "a mapping" if isinstance(cell, str) else type(cell).__name__
        raise Fault(f"found {content}; expected a list of labels, or a text such as 'a{separator}b'")
    return {name: part for part in parts if not is_empty(part) and (name := name_of(part))}


def _at_places(cell: Cell, places: tuple[int | str, ...], separator: str) -> set[str]:
    """Return the names of the labels whose position in the cell contains a 1."""
    parts = parts_of(cell, separator)
    expected = f"expected {len(places)}, each 0 or 1"
    if isinstance(parts, dict):
        if set(parts) != set(map(str, places)):
            raise Fault(f"found values called {', '.join(map(str, parts))[:60]!r}; {expected}, called {', '.join(map(str, places))[:60]!r}")
        parts = [parts[str(name)] for name in places]
    if len(parts) != len(places):
        raise Fault(f"found {counted(len(parts), 'value')}; {expected}")
    codes = [code_of(part) for part in parts]
    if None in codes:
        raise Fault(f"found {str(parts[codes.index(None)])[:40]!r} at place {codes.index(None)}; {expected}")
    return {name_of(name) for name, code in zip(places, codes, strict=True) if code}
