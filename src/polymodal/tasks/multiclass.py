"""One of several classes: softmax cross-entropy."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field as Setting
from torch import Tensor
from torch.nn import functional

from . import softmax
from .classification import ClassMetric, ClassTask
from .facts import TargetFacts
from .task import Task, TaskConfig


class MulticlassConfig(TaskConfig):
    """The settings of a target of several classes."""

    kind: Literal["multiclass"] = "multiclass"
    metric: ClassMetric | None = None
    """The metric that decides when training stops; null = log_loss."""
    class_weight: Literal["balanced"] | dict[str, float] | None = None
    """The weight of each class in the loss: null = all rows count alike, balanced = all classes count alike, or a weight by class."""
    label_smoothing: float = Setting(0.05, ge=0, lt=1)
    """The share of the target that is spread over all classes in training (Szegedy et al. 2016, arXiv:1512.00567)."""

    @classmethod
    def task(cls) -> type[Task]:
        """Return the class of this task, ``Multiclass``."""
        return Multiclass


class Multiclass(ClassTask):
    """A logit for each class; ``scores`` are (N, C)."""

    one_output_a_class = True
    boosting = "softmax"

    @property
    def outputs(self) -> int:
        """The number of classes, C."""
        return len(self.state["classes"])

    @classmethod
    def recognise(cls, facts: TargetFacts) -> tuple[float, str]:
        """Return 0.5 for a column of three or more values that recur."""
        return (0.5, facts.classes_note) if len(facts.classes) > 2 and facts.recurs else (0.0, "")

    def losses(self, logits_BC: Tensor, target_BT: Tensor) -> Tensor:
        """Return the cross-entropy with the smoothed target (B,), multiplied by the class weights."""
        truth_B = self.filled(target_BT)[:, 0].long()
        losses_B = functional.cross_entropy(logits_BC, truth_B, reduction="none", label_smoothing=self.config.label_smoothing)
        if self.state["class_weights"]:
            losses_B = losses_B * torch.tensor(self.state["class_weights"], device=losses_B.device)[truth_B]
        return losses_B

    def plain_losses(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """Return the cross-entropy (N,) of logits (N, C) and indices of classes (N, 1), without smoothing or class weights."""
        return functional.cross_entropy(logits_NC, target_NT[:, 0].long(), reduction="none")

    def plain_gradient(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """Return the probability of each class, (N, C), minus 1 for the class that is the target."""
        return logits_NC.softmax(1).scatter_add(1, target_NT.long(), logits_NC.new_full((len(logits_NC), 1), -1.0))

    def plain_curvature(self, logits_NC: Tensor, target_NT: Tensor, slope_VNC: Tensor) -> Tensor:
        """Return the second derivatives (V, V), by diag(p) - p p' of each row, where p are its class probabilities."""
        return softmax.curvature(logits_NC, slope_VNC)

    def scores(self, logits_NC: Tensor) -> Tensor:
        """Return the softmax of the logits."""
        return logits_NC.softmax(-1)

    def log_chances(self, logits_NC: Tensor, label: int) -> tuple[Tensor, Tensor]:
        """Return the logarithms of the probability of one class, and of all others together."""
        return softmax.log_chances(logits_NC, label)

    def constant_logits(self, target_NT: Tensor) -> Tensor:
        """Return the logarithm of the share of each class, (C,)."""
        return (torch.bincount(target_NT[:, 0].long(), minlength=self.outputs) / len(target_NT)).clamp(min=1e-6).log()
