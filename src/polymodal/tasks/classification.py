"""The base class of targets that are one of several mutually exclusive classes: everything except the outputs of the head and the loss.

Shapes: ``B`` rows of a batch, ``N`` rows, ``T`` = 1, ``C`` outputs of the head, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from torch import Tensor

from ..flow import Cell, State
from ..language import Sentence
from . import classes as naming
from . import curves as plotting
from . import influence
from .classes import shares_text
from .facts import reading_of
from .metrics import CLASS_METRICS, Metrics, classification
from .names import name_of
from .reading import Reading
from .task import Task

ClassMetric = Literal["accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "log_loss", "ece"]
"""The names of ``CLASS_METRICS``, for settings."""
_NAMES = frozenset(metric.name for metric in CLASS_METRICS)


class ClassTask(Task):
    """One of several mutually exclusive classes. ``scores`` are the probabilities of the classes (N, K), and the most probable class is
    predicted. A target is the index of a class; -1 is a class that no training row has.

    A subclass implements ``outputs``, ``losses`` and ``scores``. Its loss must accept -1 and NaN (``filled``).
    """

    has_classes = True
    has_sets = True
    metrics = CLASS_METRICS
    default_metric = "log_loss"

    @property
    def classes(self) -> list[Any]:
        """The classes in the order of ``scores``, of the type that the table gave."""
        return naming.labels_of_state(self.state)

    @classmethod
    def in_order(cls, config: Any, names: Sequence[str], place: str) -> list[str]:
        """Return the names of the classes in the order of ``scores``. The default is numeric order, or alphabetical if some are no numbers.

        :param names: the names that occur in training cells, at least two
        :param place: the table and the column, for messages
        :raises DataError: these classes do not suit the kind of the task or its config
        """
        return list(names)

    @classmethod
    def fit(cls, config: Any, cells: Iterable[Cell], place: str, reading: Reading | None = None) -> State:
        """Learn ``classes`` (their names), ``counts`` (rows of each), ``class_weights``, ``labels`` (what is predicted) and ``missing``."""
        reading, cells = reading_of(config, cells, reading)
        tally = naming.counted(cells, place, reading.typed)
        counts, names = tally.counts, naming.ordered(tally.counts)
        naming.two_at_least(names, place)
        names = cls.in_order(config, names, place)
        return {
            "classes": names,
            "counts": [counts[name] for name in names],
            "class_weights": naming.weights_of(getattr(config, "class_weight", None), counts, names, f"{place}, class_weight"),
            "labels": tally.labels(names),
            "missing": sorted(reading.missing),
        }

    def check(self) -> None:
        """Raise ``ValueError`` unless names, counts, labels and weights are valid and as many."""
        naming.check(self.state, 2)
        self.check_reading()

    def encode(self, cell: Cell) -> np.ndarray:
        """Return the index of the class, float32 (1,); -1 for a class that no training row has."""
        return np.array([self._index.get(name_of(cell), -1)], np.float32)

    @classmethod
    def names(cls, config: Any, reading: Reading, cell: Cell) -> Collection[str]:
        """Return the name of the class in a cell."""
        return [name_of(cell)]

    def unknown(self, cell: Cell) -> list[str]:
        """Return the name of a class that no training row has."""
        name = name_of(cell)
        return [] if name in self._index else [name]

    @cached_property
    def _index(self) -> dict[str, int]:
        """The index of each class by name."""
        return {name: at for at, name in enumerate(self.state["classes"])}

    def known(self, target_NT: np.ndarray) -> np.ndarray:
        """Return which rows have a class that some training row has, bool (N,)."""
        return np.asarray((target_NT > -1).all(1))  # NaN is not

    def filled(self, target_BT: Tensor) -> Tensor:
        """Return targets in which missing and unknown classes are replaced by the first class."""
        return target_BT.nan_to_num(0.0).clamp(min=0)

    def importance(self, target_NT: np.ndarray) -> np.ndarray | None:
        """Return the class weight of each row (N,); None without class weights."""
        weights = self.state.get("class_weights")
        return None if not weights else np.array(weights, np.float64)[np.nan_to_num(target_NT[:, 0]).clip(0).astype(np.int64)]

    def class_counts(self, target_NT: np.ndarray) -> np.ndarray:
        """Return the number of rows of each class, (K,)."""
        return naming.rows_of(target_NT[:, 0], len(self.state["classes"]))

    def values(self, scores_NC: np.ndarray) -> np.ndarray:
        """Return the most probable class of each row, (N,)."""
        return naming.array_of(self.classes, scores_NC.argmax(1))

    def measure(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[Metrics, dict[str, str]]:
        """Return the values of ``CLASS_METRICS``. A task with other metrics overrides this method."""
        return classification(target_NT[:, 0], scores_NC)

    def curves(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> plotting.Curves:
        """Return the confusion matrix, and the ROC, precision-recall and calibration curves."""
        return plotting.classification(self.classes, target_NT[:, 0], scores_NC)

    def confidence(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return whether each prediction is right, and the probability of the predicted class."""
        return plotting.confidence(target_NT[:, 0], scores_NC)

    def errors(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """Return 1 - the probability of the true class, (N,)."""
        return plotting.doubt(target_NT[:, 0], scores_NC)

    def influence(self, metric: str, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """Return the influence of each row on a metric: by a formula for ``CLASS_METRICS``, by the jackknife for others."""
        if metric in _NAMES:
            return influence.classification(metric, target_NT[:, 0], scores_NC)
        return super().influence(metric, target_NT, scores_NC)

    def describe(self) -> str:
        """Return the classes and their shares of the rows."""
        counts = self.state["counts"]
        shown = shares_text(zip(self.state["classes"], counts, strict=True), sum(counts))
        return Sentence("describe.classes", count=len(counts), shown=shown)
