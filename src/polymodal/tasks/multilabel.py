"""Any number of labels at once: a logit and binary cross-entropy for each. A cell is a list, or text such as ``a;b``.

A cell that is empty has no target; a row known to have no label says so with an empty list, ``[]`` or ``;``.
"""

from __future__ import annotations

import ast
import contextlib
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
from torch import Tensor
from torch.nn import functional

from ..errors import ConfigError, DataError, Fault
from ..flow import Cell, State
from ..layers.elementwise import sigmoid
from . import classes as naming
from . import curves as drawing
from .binary import ClassMetric
from .metrics import Metrics, multilabel
from .task import Task, TaskConfig


class MultilabelConfig(TaskConfig):
    """Any number of labels at once."""

    kind: Literal["multilabel"] = "multilabel"
    metric: ClassMetric | None = None
    """The metric that picks when training stops; null = log_loss."""
    separator: str = ";"
    """What stands between labels in text."""

    def task(self) -> type[Task]:
        """``Multilabel``."""
        return Multilabel


class Multilabel(Task):
    """A logit for each label; ``scores`` are (N, C), each a probability of its own."""

    metric_names = ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "log_loss", "ece")
    default_metric = "log_loss"

    @property
    def outputs(self) -> int:
        """C, the labels."""
        return len(self.state["classes"])

    @property
    def target_width(self) -> int:
        """C."""
        return self.outputs

    @property
    def classes(self) -> list[Any]:
        """The labels in order."""
        return naming.typed(self.state["classes"])

    @classmethod
    def fit(cls, config: MultilabelConfig, cells: Iterable[Cell], place: str) -> State:
        """State: ``classes`` and ``counts``."""
        counts: Counter[str] = Counter()
        rows = 0
        for cell in cells:
            try:
                counts.update(labels_of(cell, config.separator))
            except Fault as fault:
                raise DataError(f"{place}: {fault}; set tasks.*.kind") from None
            rows += 1
            if len(counts) > 10_000:
                raise DataError(f"{place}: over 10,000 different labels; expected a list of labels")
        names = naming.ordered(counts)
        if not names:
            raise DataError(f"{place}: no label at all; expected cells such as 'a{config.separator}b'; choose another target")
        return {"classes": names, "counts": [counts[name] for name in names], "rows": rows}

    def check(self) -> None:
        """Names, counts and weights, as many of each."""
        naming.check(self.state, 1)

    def encode(self, cell: Cell) -> np.ndarray:
        """0 or 1 for each label; one not seen in training is left out."""
        labels = labels_of(cell, self.config.separator)
        return np.array([name in labels for name in self.state["classes"]], np.float32)

    def losses(self, logits_BC: Tensor, target_BT: Tensor) -> Tensor:
        """Mean of the labels' binary cross-entropies."""
        return functional.binary_cross_entropy_with_logits(logits_BC, target_BT.nan_to_num(0.0), reduction="none").mean(1)

    def scores(self, logits_NC: Tensor) -> Tensor:
        """Sigmoid."""
        return sigmoid(logits_NC)

    def log_chances(self, logits_NC: Tensor, label: int) -> tuple[Tensor, Tensor]:
        """Of one label, whatever the others are."""
        return functional.logsigmoid(logits_NC[:, label]), functional.logsigmoid(-logits_NC[:, label])

    def values(self, scores_NC: np.ndarray) -> np.ndarray:
        """A list of label names for each row."""
        out = np.empty(len(scores_NC), object)
        out[:] = [[name for name, score in zip(self.classes, row, strict=True) if score >= 0.5] for row in scores_NC]
        return out

    def measure(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[Metrics, dict[str, str]]:
        """Of many labels."""
        return multilabel(target_NT, scores_NC)

    def curves(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> drawing.Curves:
        """Of many labels."""
        return drawing.multilabel(self.classes, target_NT, scores_NC)

    def sureness(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of row-label pairs."""
        return drawing.label_sureness(target_NT, scores_NC)

    def errors(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """The mean over the labels of how far off the probability is."""
        return np.abs(target_NT - scores_NC).mean(1)

    def credits(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """1 where every label is right."""
        return ((scores_NC >= 0.5) == (target_NT > 0.5)).all(1).astype(np.float64)

    def sets(self, scores_NC: np.ndarray, bound: float, empty: bool = True) -> np.ndarray:
        """None: an answer is a set already."""
        raise ConfigError(
            f"target {self.config.column!r}: of kind multilabel, whose answers are sets already; expected classes or a number"
        )

    def describe(self) -> str:
        """The labels and their shares of the rows."""
        pairs = sorted(zip(self.state["classes"], self.state["counts"], strict=True), key=lambda pair: -pair[1])
        shown = ", ".join(f"{name} {count / max(self.state['rows'], 1):.0%}" for name, count in pairs[:6])
        return f"{len(pairs)} labels: {shown}{', ...' if len(pairs) > 6 else ''}"


def labels_of(cell: Cell, separator: str = ";") -> set[str]:
    """The labels that a cell names."""
    if isinstance(cell, str):
        text = cell.strip()
        parts: Iterable[Any] = text.split(separator)
        if text.startswith("[") and text.endswith("]"):
            parts = _listed(text)
    elif isinstance(cell, (list, tuple, set, np.ndarray)):
        parts = cell
    elif isinstance(cell, (bytes, dict)):
        raise Fault(f"found {type(cell).__name__}; expected a list of labels")
    else:
        parts = [cell]
    return {name for part in parts if part is not None and (name := naming.name_of(part))}


_LONGEST = 100_000


def _listed(text: str) -> list[Any]:
    """A list as JSON or as Python writes it."""
    if len(text) > _LONGEST:
        raise Fault(f"a list of {len(text):,} characters; expected at most {_LONGEST:,}")
    for read in (json.loads, ast.literal_eval):
        with contextlib.suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            found = read(text)
            if isinstance(found, list):
                return found
    return text[1:-1].split(",")
