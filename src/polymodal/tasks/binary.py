"""Two classes: one logit, and binary cross-entropy with logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import DataError
from ..language import Sentence
from ..layers.elementwise import sigmoid
from . import classes as naming
from . import logistic
from .classification import ClassMetric, ClassTask
from .facts import TargetFacts
from .task import Task, TaskConfig

RARE = 0.2
"""Below this share of the rarer class, models of a target of two classes are compared by the area under the ROC curve."""


class BinaryConfig(TaskConfig):
    """The settings of a target of two classes."""

    kind: Literal["binary"] = "binary"
    metric: ClassMetric | None = None
    """The metric that decides when training stops; null = log_loss."""
    positive: str | int | float | bool | None = None
    """The positive class; null = the later of the two in order (yes, 1, True)."""
    class_weight: Literal["balanced"] | dict[str, float] | None = None
    """The weight of each class in the loss: null = all rows count alike, balanced = all classes count alike, or a weight by class."""

    @classmethod
    def task(cls) -> type[Task]:
        """Return the class of this task, ``Binary``."""
        return Binary


class Binary(ClassTask):
    """One logit of the positive class; ``scores`` are (N, 2), the positive class last."""

    one_output_a_class = True
    boosting = "logistic"
    outputs = 1

    @classmethod
    def recognise(cls, facts: TargetFacts) -> tuple[float, str]:
        """Return 0.5 for a column of two different values."""
        return (0.5, facts.classes_note) if len(facts.classes) == 2 else (0.0, "")

    @classmethod
    def in_order(cls, config: Any, names: Sequence[str], place: str) -> list[str]:
        """Return the name of the negative class and that of the positive class."""
        if len(names) > 2:
            raise DataError(f"{place}: {len(names)} classes; expected two for kind: binary; use kind: multiclass")
        if config.positive is None:
            return list(names)
        at = naming.position(list(names), config.positive, f"{place}, positive")
        return [names[1 - at], names[at]]

    def check(self) -> None:
        """Raise ``ValueError`` unless there are two classes, with names, counts, labels and weights."""
        super().check()
        if len(self.state["classes"]) != 2:
            raise ValueError(f"{len(self.state['classes'])} classes of a binary task")

    @property
    def judged_by(self) -> str:
        """The configured metric, otherwise accuracy; the area under the ROC curve if one of the classes is rare, because a constant
        prediction is then nearly always right and accuracy hardly differs between models."""
        return "roc_auc" if self.judged_why else super().judged_by

    @property
    def judged_why(self) -> str:
        """The share of the rarer class if it decides the metric, otherwise ""."""
        share = min(self.state["counts"]) / max(sum(self.state["counts"]), 1)
        if self.config.metric is not None or share >= RARE:
            return ""
        return Sentence("target.rare_class", share=100 * share)

    def losses(self, logits_BC: Tensor, target_BT: Tensor) -> Tensor:
        """Return the binary cross-entropy (B,), multiplied by the class weights."""
        truth_BT = self.filled(target_BT)
        losses_B = self.plain_losses(logits_BC, truth_BT)
        if self.state["class_weights"]:
            weights = torch.tensor(self.state["class_weights"], device=losses_B.device)
            losses_B = losses_B * weights[truth_BT[:, 0].long()]
        return losses_B

    def plain_losses(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """Return the binary cross-entropy (N,) of logits (N, 1) and targets (N, 1) of 0 and 1, without class weights."""
        return functional.binary_cross_entropy_with_logits(logits_NC[:, 0], target_NT[:, 0], reduction="none")

    def plain_gradient(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """Return the probability of the positive class minus the target, (N, 1)."""
        return logistic.gradient(logits_NC, target_NT)

    def plain_curvature(self, logits_NC: Tensor, target_NT: Tensor, slope_VNC: Tensor) -> Tensor:
        """Return the second derivatives (V, V), by p (1 - p) of each row, where p is the probability of the positive class."""
        return logistic.curvature(logits_NC, slope_VNC)

    def scores(self, logits_NC: Tensor) -> Tensor:
        """Return the probabilities of both classes, (N, 2)."""
        positive_N = sigmoid(logits_NC[:, 0])
        return torch.stack([1 - positive_N, positive_N], 1)

    def log_chances(self, logits_NC: Tensor, label: int) -> tuple[Tensor, Tensor]:
        """Return the logarithms of the probabilities of one of the two classes, and of the other one."""
        logit_N = logits_NC[:, 0] if label else -logits_NC[:, 0]
        return functional.logsigmoid(logit_N), functional.logsigmoid(-logit_N)

    def constant_logits(self, target_NT: Tensor) -> Tensor:
        """Return the logit of the share of the positive class, (1,)."""
        return target_NT.mean(0).logit(1e-6)
