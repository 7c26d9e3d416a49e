"""Two classes: one logit, and the founding document's loss, binary cross-entropy with logits."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..errors import DataError
from ..flow import Cell, State
from ..layers.elementwise import sigmoid
from . import classes as naming
from . import curves as drawing
from . import influence, logistic
from .facts import reading_of
from .metrics import Metrics, classification
from .names import name_of
from .task import Reading, Task, TaskConfig

RARE = 0.2
"""Models of a target of two classes are compared by the area under the ROC curve where the rarer class has a smaller share."""

ClassMetric = Literal["accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "log_loss", "ece"]


class BinaryConfig(TaskConfig):
    """The settings of a target of two classes."""

    kind: Literal["binary"] = "binary"
    metric: ClassMetric | None = None
    """The metric that picks when training stops; null = log_loss."""
    positive: str | int | float | bool | None = None
    """The positive class; null = the later of the two in order (yes, 1, True)."""
    class_weight: Literal["balanced"] | dict[str, float] | None = None
    """How much each class counts in the loss: null = by its rows, balanced = all alike, or a weight by class."""

    def task(self) -> type[Task]:
        """Return the class of this task, ``Binary``."""
        return Binary


class Binary(Task):
    """One logit of the positive class; ``scores`` are (N, 2), the positive class last."""

    metric_names = ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "average_precision", "log_loss", "ece")
    default_metric = "log_loss"
    outputs = 1
    target_width = 1

    @property
    def classes(self) -> list[Any]:
        """Negative, positive, of the type that the table gave."""
        return naming.labels_of_state(self.state)

    @classmethod
    def fit(cls, config: BinaryConfig, cells: Iterable[Cell], place: str, reading: Reading | None = None) -> State:
        """State: ``classes`` (negative, positive), ``counts``, ``class_weights``, ``labels`` (what is answered), ``missing``."""
        reading, cells = reading_of(config, cells, reading)
        tally = naming.counted(cells, place, reading.typed)
        counts, names = tally.counts, naming.ordered(tally.counts)
        naming.two_at_least(names, place)
        if len(names) > 2:
            raise DataError(f"{place}: {len(names)} classes; expected two for kind: binary; use kind: multiclass")
        if config.positive is not None:
            at = naming.position(names, config.positive, f"{place}, positive")
            names = [names[1 - at], names[at]]
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
        if len(self.state["classes"]) != 2:
            raise ValueError(f"{len(self.state['classes'])} classes of a binary task")

    def encode(self, cell: Cell) -> np.ndarray:
        """0 or 1; -1 for a class not seen in training."""
        name = name_of(cell)
        return np.array([self.state["classes"].index(name) if name in self.state["classes"] else -1], np.float32)

    @classmethod
    def names(cls, config: BinaryConfig, reading: Reading, cell: Cell) -> Collection[str]:
        """Return the name of the class in a cell."""
        return [name_of(cell)]

    def unknown(self, cell: Cell) -> list[str]:
        """A class not seen in training."""
        name = name_of(cell)
        return [] if name in self.state["classes"] else [name]

    def class_counts(self, target_NT: np.ndarray) -> np.ndarray:
        """Count the rows of each class."""
        return naming.rows_of(target_NT[:, 0], len(self.state["classes"]))

    @property
    def judged_by(self) -> str:
        """The area under the ROC curve where no metric was set and one of the classes is rare: there a constant answer is nearly always
        right, and accuracy hardly tells one model from another."""
        return "roc_auc" if self.judged_why else super().judged_by

    @property
    def judged_why(self) -> str:
        """The share of the rarer class, where it decides the metric."""
        share = min(self.state["counts"]) / max(sum(self.state["counts"]), 1)
        if self.config.metric is not None or share >= RARE:
            return ""
        return f"{100 * share:.2g} % of the rows are of the rarer class"

    def losses(self, logits_BC: Tensor, target_BT: Tensor) -> Tensor:
        """Binary cross-entropy with logits."""
        truth_BT = target_BT.nan_to_num(0.0).clamp(min=0)
        losses_B = self.plain_losses(logits_BC, truth_BT)
        if self.state["class_weights"]:
            weights = torch.tensor(self.state["class_weights"], device=losses_B.device)
            losses_B = losses_B * weights[truth_BT[:, 0].long()]
        return losses_B

    def plain_losses(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """The binary cross-entropy (N,) of logits (N, 1) and targets (N, 1) of 0 and 1, without class weights."""
        return functional.binary_cross_entropy_with_logits(logits_NC[:, 0], target_NT[:, 0], reduction="none")

    def plain_gradient(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """The probability of the positive class minus the target, (N, 1)."""
        return logistic.gradient(logits_NC, target_NT)

    def plain_curvature(self, logits_NC: Tensor, target_NT: Tensor, slope_VNC: Tensor) -> Tensor:
        """The second derivatives (V, V), by p (1 - p) of each row, where p is the probability of the positive class."""
        return logistic.curvature(logits_NC, slope_VNC)

    def scores(self, logits_NC: Tensor) -> Tensor:
        """Return the probabilities of both classes, (N, 2)."""
        positive_N = sigmoid(logits_NC[:, 0])
        return torch.stack([1 - positive_N, positive_N], 1)

    def log_chances(self, logits_NC: Tensor, label: int) -> tuple[Tensor, Tensor]:
        """Of one of the two."""
        logit_N = logits_NC[:, 0] if label else -logits_NC[:, 0]
        return functional.logsigmoid(logit_N), functional.logsigmoid(-logit_N)

    def values(self, scores_NC: np.ndarray) -> np.ndarray:
        """Return the name of the more probable class of each row."""
        return naming.array_of(self.classes, scores_NC.argmax(1))

    def measure(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[Metrics, dict[str, str]]:
        """Return the metrics of a target of two classes."""
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


def _shares(state: State) -> str:
    total = max(sum(state["counts"]), 1)
    pairs = sorted(zip(state["classes"], state["counts"], strict=True), key=lambda pair: -pair[1])
    shown = ", ".join(f"{name} {count / total:.0%}" for name, count in pairs[:6])
    return f"{len(pairs)} classes: {shown}{', ...' if len(pairs) > 6 else ''}"
