"""One of several classes: softmax cross-entropy."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field as Setting
from torch import Tensor
from torch.nn import functional

from ..flow import Cell, State
from . import classes as naming
from . import curves as drawing
from . import influence
from .binary import ClassMetric, _shares
from .facts import reading_of
from .metrics import Metrics, classification
from .names import name_of
from .task import Reading, Task, TaskConfig


class MulticlassConfig(TaskConfig):
    """One of several classes."""

    kind: Literal["multiclass"] = "multiclass"
    metric: ClassMetric | None = None
    """The metric that picks when training stops; null = log_loss."""
    class_weight: Literal["balanced"] | dict[str, float] | None = None
    """How much each class counts in the loss: null = by its rows, balanced = all alike, or a weight by class."""
    label_smoothing: float = Setting(0.05, ge=0, lt=1)
    """Share of the target spread over all classes in training (Szegedy et al. 2016, arXiv:1512.00567)."""

    def task(self) -> type[Task]:
        """Return the class of this task, ``Multiclass``."""
        return Multiclass


class Multiclass(Task):
    """A logit for each class; ``scores`` are (N, C)."""

    metric_names = ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "log_loss", "ece")
    default_metric = "log_loss"
    target_width = 1

    @property
    def outputs(self) -> int:
        """The number of classes, C."""
        return len(self.state["classes"])

    @property
    def classes(self) -> list[Any]:
        """In order of number or of letters, of the type that the table gave."""
        return naming.labels_of_state(self.state)

    @classmethod
    def fit(cls, config: MulticlassConfig, cells: Iterable[Cell], place: str, reading: Reading | None = None) -> State:
        """State: ``classes``, ``counts``, ``class_weights``, ``labels`` (what is answered), ``missing``."""
        reading, cells = reading_of(config, cells, reading)
        tally = naming.counted(cells, place, reading.typed)
        counts, names = tally.counts, naming.ordered(tally.counts)
        naming.two_at_least(names, place)
        return {
            "classes": names,
            "counts": [counts[name] for name in names],
            "class_weights": naming.weights_of(config.class_weight, counts, names, f"{place}, class_weight"),
            "labels": tally.labels(names),
            "missing": sorted(reading.missing),
        }

    def check(self) -> None:
        """Names, counts and weights, as many of each."""
        naming.check(self.state, 2)
        self.check_reading()

    def encode(self, cell: Cell) -> np.ndarray:
        """The class's index; -1 for one not seen in training."""
        return np.array([self._index.get(name_of(cell), -1)], np.float32)

    @classmethod
    def names(cls, config: MulticlassConfig, reading: Reading, cell: Cell) -> Collection[str]:
        """Return the name of the class in a cell."""
        return [name_of(cell)]

    def unknown(self, cell: Cell) -> list[str]:
        """A class not seen in training."""
        name = name_of(cell)
        return [] if name in self._index else [name]

    @property
    def _index(self) -> dict[str, int]:
        table = self.__dict__.get("_table")
        if table is None:
            table = self.__dict__["_table"] = {name: at for at, name in enumerate(self.state["classes"])}
        return table

    def class_counts(self, target_NT: np.ndarray) -> np.ndarray:
        """Count the rows of each class."""
        return naming.rows_of(target_NT[:, 0], len(self.state["classes"]))

    def losses(self, logits_BC: Tensor, target_BT: Tensor) -> Tensor:
        """Cross-entropy against the smoothed target."""
        truth_B = target_BT[:, 0].nan_to_num(0.0).clamp(min=0).long()
        losses_B = functional.cross_entropy(logits_BC, truth_B, reduction="none", label_smoothing=self.config.label_smoothing)
        if self.state["class_weights"]:
            losses_B = losses_B * torch.tensor(self.state["class_weights"], device=losses_B.device)[truth_B]
        return losses_B

    def plain_losses(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """The cross-entropy (N,) of logits (N, C) and targets (N, 1), the places of the classes; without smoothing or class weights."""
        return functional.cross_entropy(logits_NC, target_NT[:, 0].long(), reduction="none")

    def plain_gradient(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """The probability of each class, (N, C), minus 1 for the class that is the target."""
        return logits_NC.softmax(1).scatter_add(1, target_NT.long(), logits_NC.new_full((len(logits_NC), 1), -1.0))

    def plain_curvature(self, logits_NC: Tensor, target_NT: Tensor, slope_VNC: Tensor) -> Tensor:
        """The second derivatives (V, V), by diag(p) - p p' of each row, where p are its probabilities."""
        weighted_VNC = slope_VNC * logits_NC.softmax(1)
        mean_VN = weighted_VNC.sum(2)
        return weighted_VNC.flatten(1) @ slope_VNC.flatten(1).T - mean_VN @ mean_VN.T

    def scores(self, logits_NC: Tensor) -> Tensor:
        """Return the softmax of the logits."""
        return logits_NC.softmax(-1)

    def log_chances(self, logits_NC: Tensor, label: int) -> tuple[Tensor, Tensor]:
        """Of one class among all."""
        logs_NC = logits_NC.log_softmax(1)
        others = [at for at in range(logs_NC.shape[1]) if at != label]
        return logs_NC[:, label], logs_NC[:, others].logsumexp(1)

    def values(self, scores_NC: np.ndarray) -> np.ndarray:
        """Return the name of the most probable class of each row."""
        return naming.array_of(self.classes, scores_NC.argmax(1))

    def measure(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[Metrics, dict[str, str]]:
        """Return the metrics of a target of several classes."""
        return classification(target_NT[:, 0], scores_NC)

    def curves(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> drawing.Curves:
        """Return the confusion matrix, and the ROC, precision-recall and calibration curves."""
        return drawing.classification(self.classes, target_NT[:, 0], scores_NC)

    def confidence(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return whether each answer is right, and the probability of the answered class."""
        return drawing.confidence(target_NT[:, 0], scores_NC)

    def errors(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """The probability that the truth was not given."""
        return drawing.doubt(target_NT[:, 0], scores_NC)

    def influence(self, metric: str, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """Return the influence of each row on a metric of classes."""
        return influence.classification(metric, target_NT[:, 0], scores_NC)

    def sets(self, scores_NC: np.ndarray, inside_NC: np.ndarray, empty: bool = True) -> np.ndarray:
        """Class names, the most probable first."""
        return naming.sets_of(self.classes, scores_NC, inside_NC, empty)

    def describe(self) -> str:
        """The classes and their shares."""
        return _shares(self.state)
