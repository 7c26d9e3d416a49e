"""The base classes of tasks. A task holds what depends on the kind of a target: its encoding, the outputs of the head, the loss, the
metrics and the decoding of outputs into predictions.

The data flow is: fused representation -> head -> ``logits`` -> ``losses`` (training), or ``scores`` -> ``values`` (prediction).

Code outside this folder never tests the kind of a task. It reads the class attributes of ``Task`` and calls its methods. Every method that
is not abstract has a default, so a new task implements the abstract methods and overrides only what differs. ``ClassTask``
(``classification.py``) and ``NumberTask`` (``numeric.py``) implement most methods for one of several classes and for a number.

Shapes: ``B`` rows of a batch, ``N`` rows, ``T`` numbers that encode one target, ``C`` outputs of the head, ``C'`` columns of the scores.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field as Setting
from torch import Tensor

from ..config import Config
from ..errors import ConfigError
from ..flow import Cell, State
from ..language import Sentence
from . import classes as naming
from .curves import Curves
from .influence import jackknife
from .metrics import Metric, Metrics
from .reading import Reading

if TYPE_CHECKING:
    from .facts import TargetFacts

_MOST_WORDS = 1_000


class TaskConfig(Config):
    """The settings of every task."""

    column: str
    """The column of the target."""
    missing: list[str | int | float | bool] | None = None
    """Words that mean that a row has no target, besides empty cells; null = NA, None, -, ? and similar words, if every other value is a
    number; [] = no words: each is a class."""
    weight: float = Setting(1.0, ge=0)
    """The weight of the loss of this task, relative to those of other tasks."""

    @classmethod
    def task(cls) -> type[Task]:
        """Return the class of the task."""
        raise NotImplementedError


class Task(ABC):
    """One target of a model. It is built from its config and its fitted state, and has no other data.

    A subclass with ``has_classes`` also implements ``classes``, ``names``, ``class_counts`` and ``confidence``.

    :param config: the settings of the task
    :param state: the result of ``fit``, or the same data from a bundle
    """

    has_classes: ClassVar[bool] = False
    """Whether predictions are classes or labels. If so, ``classes`` lists them, ``scores`` are their probabilities, and multiplying the
    logits by a number calibrates them. Otherwise the first column of ``scores`` is a number, and the weights of votes sum to 1."""
    answers_are_lists: ClassVar[bool] = False
    """Whether a prediction is a list of any number of labels. A cell may then hold a 0 or a 1 for each label, by position."""
    cells_are_lists: ClassVar[bool] = False
    """Whether a cell lists labels or the answers of several people; otherwise it is one class or one number."""
    has_vocabulary: ClassVar[bool] = False
    """Whether the classes are a vocabulary from which rare answers are left out. Rows of rare classes are then neither kept for training
    nor reported."""
    one_output_a_class: ClassVar[bool] = False
    """Whether the head has one output for each of several mutually exclusive classes (one output in total for two), and a target is the
    index of a class. Fusions that collect evidence for classes require it."""
    has_sets: ClassVar[bool] = False
    """Whether conformal prediction applies: sets of classes if ``has_classes``, for which ``errors`` must be 1 - the probability of the
    true class; otherwise intervals, for which ``errors`` must be the distance between the predicted and the true number."""
    boosting: ClassVar[Literal["squared", "logistic", "softmax"] | None] = None
    """The loss with which boosted trees learn the logits: the squared error of the encoded target, the cross-entropy of each encoded 0 or
    1, or that of the index of a class. None = boosted trees do not learn this kind of target."""
    metrics: ClassVar[tuple[Metric, ...]]
    """The metrics, in the order in which they are shown. Larger values must be better for at least one of them."""
    default_metric: ClassVar[str]
    """The metric that decides when training stops, unless ``metric`` is configured. It must be defined on any rows that have a target."""

    def __init__(self, config: Any, state: State) -> None:
        self.config = config
        self.state = state

    def __init_subclass__(cls) -> None:
        metrics = cls.__dict__.get("metrics")
        if metrics is not None and not any(metric.larger_is_better for metric in metrics):
            raise TypeError(f"{cls.__name__}.metrics: found no metric of which larger values are better; expected one; add one, such as r2")

    # -- metrics ---------------------------------------------------------------------------------------------------

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names of the metrics."""
        return tuple(metric.name for metric in self.metrics)

    def about(self, metric: str) -> Metric:
        """Return the properties of a metric of this task."""
        return next(one for one in self.metrics if one.name == metric)

    @property
    def metric(self) -> str:
        """The metric that decides when training stops: the configured one, or ``default_metric``."""
        return getattr(self.config, "metric", None) or self.default_metric

    @property
    def usual_metric(self) -> str:
        """The metric that is usual for this kind of target: the first of which larger values are better.

        Fields are compared by it, and the contribution of each field is a part of it.
        """
        return next(metric.name for metric in self.metrics if metric.larger_is_better)

    @property
    def judged_by(self) -> str:
        """The metric by which models are compared: the configured one, or ``usual_metric``."""
        return getattr(self.config, "metric", None) or self.usual_metric

    @property
    def judged_why(self) -> str:
        """The reason why ``judged_by`` is neither the configured nor the usual metric; "" if it is one of them."""
        return ""

    def sign(self, metric: str) -> int:
        """Return 1 if larger values of a metric are better, otherwise -1."""
        return 1 if self.about(metric).larger_is_better else -1

    def bounds(self, metric: str) -> tuple[float, float]:
        """Return the smallest and the largest possible value of a metric."""
        return self.about(metric).low, self.about(metric).high

    def goodness(self, metric: str, value: float) -> float:
        """Return a value of a metric with its sign changed if smaller is better, and scaled so that targets of different units can be
        averaged."""
        return self.sign(metric) * value

    def monitor(self, metrics: Metrics) -> float:
        """Return the quantity that training minimises, of values of all metrics: 0 for a perfect model, comparable between tasks."""
        name = self.monitored(metrics)
        value = metrics.get(name)
        if value is None:
            return 1.0
        return 1.0 - value if self.about(name).larger_is_better else value

    def monitored(self, metrics: Metrics) -> str:
        """Return the name of ``metric``, or of ``default_metric`` where ``metric`` is undefined."""
        return self.metric if metrics.get(self.metric) is not None else self.default_metric

    # -- the target ------------------------------------------------------------------------------------------------

    @cached_property
    def reading(self) -> Reading:
        """How cells are read, as far as the state contains it. The state of an older model contains no words for missing values."""
        return Reading(missing=frozenset(self.state.get("missing", ())))

    @classmethod
    def recognise(cls, facts: TargetFacts) -> tuple[float, str]:
        """Return how well a column suits this kind of target, from 0 to 1, and the reason. The kind with the largest value is chosen where
        none is configured; the default 0 means that the kind must be configured.

        Answers and multilabel return 1.0, regression 0.9, and binary and multiclass 0.5 for columns that suit them. Of equal values, that
        of the kind that is first on the menu is chosen.

        :param facts: statistics of the cells of the column
        """
        return 0.0, ""

    @classmethod
    @abstractmethod
    def fit(cls, config: Any, cells: Iterable[Cell], place: str, reading: Reading | None = None) -> State:
        """Learn from training cells what encoding and decoding need (the classes, or the scale of a number), as JSON data.

        Cells that are missing, and single cells that cannot be read, are left out.

        :param place: the table and the column, for messages
        :param reading: how cells are read; None = as these cells by themselves suggest
        :raises DataError: nothing can be learned from these cells
        """

    @abstractmethod
    def check(self) -> None:
        """Raise ``ValueError`` for a state that ``fit`` cannot have made: a bundle may come from anyone. Call ``check_reading`` too."""

    def check_reading(self) -> None:
        """Raise ``ValueError`` unless the words for missing values in the state, if any, are words."""
        words = self.state.get("missing", [])
        if not isinstance(words, list) or len(words) > _MOST_WORDS or not all(isinstance(word, str) for word in words):
            raise ValueError("missing words that are no words")

    @property
    def classes(self) -> list[Any] | None:
        """The classes in the order of ``scores``, or None unless ``has_classes``."""
        return None

    @classmethod
    def names(cls, config: Any, reading: Reading, cell: Cell) -> Collection[str]:
        """Return the names of the classes or labels in a cell; none unless ``has_classes``. A split is stratified by them.

        :raises Fault: the cell cannot be read
        """
        return ()

    def unknown(self, cell: Cell) -> list[str]:
        """Return the names in a readable cell that are not classes of the model."""
        return []

    @property
    def target_width(self) -> int:
        """T, the number of values that encode one target."""
        return 1

    @abstractmethod
    def encode(self, cell: Cell) -> np.ndarray:
        """Return the target of a cell that is not missing, float32 (T,); NaN is reserved for missing targets.

        :raises Fault: the cell cannot be a target
        """

    def known(self, target_NT: np.ndarray) -> np.ndarray:
        """Return which rows have a target from which can be learned, bool (N,). The default is: all values are finite."""
        return np.asarray(np.isfinite(target_NT).all(1))

    def filled(self, target_BT: Tensor) -> Tensor:
        """Return targets in which each unknown one is replaced by a value that ``plain_losses`` accepts. The default is 0."""
        return target_BT.nan_to_num(0.0)

    def importance(self, target_NT: np.ndarray) -> np.ndarray | None:
        """Return the weight of each row in the loss of training, float64 (N,), besides its own; None = all count alike."""
        return None

    def class_counts(self, target_NT: np.ndarray) -> np.ndarray:
        """Return the number of rows of each class or label, (C',)."""
        raise NotImplementedError(f"{type(self).__name__} has no classes")

    # -- the loss --------------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def outputs(self) -> int:
        """C, the number of outputs of the head."""

    @abstractmethod
    def losses(self, logits_BC: Tensor, target_BT: Tensor) -> Tensor:
        """Return the loss of each row (B,), float32. The loss of a row whose target is NaN has weight 0, but must be finite (``filled``).

        The loss should be convex in the logits, because the weights of the votes are fitted by Newton's method.
        """

    def plain_losses(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """Return the loss of each row (N,) without what only regularises training: label smoothing and class weights.

        :param logits_NC: the logits, (N, C)
        :param target_NT: the targets, (N, T), none of them missing
        """
        return self.losses(logits_NC, target_NT)

    def plain_gradient(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """Return the gradient (N, C) of each row's ``plain_losses`` with respect to its logits. A formula is faster than this default."""
        with torch.enable_grad():
            logits_NC = logits_NC.detach().requires_grad_()
            return torch.autograd.grad(self.plain_losses(logits_NC, target_NT).sum(), logits_NC)[0]

    def plain_curvature(self, logits_NC: Tensor, target_NT: Tensor, slope_VNC: Tensor) -> Tensor:
        """Return the second derivatives (V, V) of the sum of ``plain_losses`` with respect to V numbers. A formula is faster than this
        default.

        :param slope_VNC: the derivatives of the logits with respect to each of these numbers, (V, N, C)
        """
        with torch.enable_grad():
            logits_NC = logits_NC.detach().requires_grad_()
            gradient_NC = torch.autograd.grad(self.plain_losses(logits_NC, target_NT).sum(), logits_NC, create_graph=True)[0]
            curved = [torch.autograd.grad(gradient_NC, logits_NC, slope_NC, retain_graph=True)[0] for slope_NC in slope_VNC]
        return slope_VNC.flatten(1) @ torch.stack(curved).flatten(1).T

    def constant_logits(self, target_NT: Tensor) -> Tensor:
        """Return the logits (C,) of the constant prediction that fits known targets best, float32. The default minimises the mean of
        ``plain_losses`` numerically."""
        with torch.enable_grad():
            logits_C = torch.zeros(self.outputs, dtype=torch.float64, requires_grad=True)
            optimiser = torch.optim.LBFGS([logits_C], max_iter=100, line_search_fn="strong_wolfe")

            def closure() -> Tensor:
                optimiser.zero_grad()
                loss = self.plain_losses(logits_C.expand(len(target_NT), -1), target_NT.double()).mean() + 1e-6 * logits_C.square().sum()
                loss.backward()
                return loss

            optimiser.step(closure)
        return logits_C.detach().float()

    # -- predictions -----------------------------------------------------------------------------------------------

    @abstractmethod
    def scores(self, logits_NC: Tensor) -> Tensor:
        """Return the probabilities of the classes (N, C'), or the prediction in the unit of the target (N, 1)."""

    def log_chances(self, logits_NC: Tensor, label: int) -> tuple[Tensor, Tensor]:
        """Return the logarithms of the probability of a class, and of anything but it, (N,) each. A formula in the logits is more exact
        than this default, which cannot distinguish probabilities closer to 1 than float64 can.

        :param label: the position of the class in ``classes``
        """
        chance_N = self.scores(logits_NC.double())[:, label]
        least = torch.finfo(chance_N.dtype).tiny
        return chance_N.clamp(min=least).log(), (1 - chance_N).clamp(min=least).log()

    @abstractmethod
    def values(self, scores_NC: np.ndarray) -> np.ndarray:
        """Return the predictions, (N,): classes, lists of labels, or numbers."""

    @property
    def unit(self) -> str:
        """The unit of a predicted number, "" if it is not configured."""
        return str(getattr(self.config, "unit", None) or "")

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the greatest value of a numeric target that are possible; intervals end there."""
        return -math.inf, math.inf

    def sets(self, scores_NC: np.ndarray, inside_NC: np.ndarray, empty: bool = True) -> np.ndarray:
        """Return the prediction set of each row: lists of classes (N,), the most probable first.

        :param inside_NC: which classes are in the set, bool (N, C')
        :param empty: whether a list may be empty; if not, the most probable class is in every list
        :raises ConfigError: there are no sets of classes for this kind of target
        """
        if not self.has_sets or self.classes is None:
            raise ConfigError(
                f"target {self.config.column!r}: found kind {self.config.kind}, which has no prediction sets; expected classes or a "
                f"number; use predict"
            )
        return naming.sets_of(self.classes, scores_NC, inside_NC, empty)

    def describe(self) -> str:
        """Return one line on the fitted target."""
        if self.classes is None:
            return Sentence("describe.a_number")
        return Sentence("describe.classes", count=len(self.classes), shown=", ".join(map(str, self.classes[:6])))

    # -- evaluation: of rows that have a target and a prediction -----------------------------------------------------

    @abstractmethod
    def measure(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[Metrics, dict[str, str]]:
        """Return the values of all ``metrics``, in their order, and the reason for each that is None because it is undefined."""

    def curves(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> Curves:
        """Return what a report plots, as plain data of bounded size (``curves.py``). The default is nothing."""
        return {}

    def confidence(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return whether each prediction is right, and its probability: calibration is measured from them."""
        raise NotImplementedError(f"{type(self).__name__} has no classes")

    @abstractmethod
    def errors(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """Return the error of each row (N,), 0 = right. A report shows the rows with the largest errors; ``has_sets`` needs them."""

    def row_values(self, target_NT: np.ndarray, scores_NC: np.ndarray, metric: str | None = None) -> np.ndarray | None:
        """Return the value of a metric for each row, float64 (N,); None if the metric is undefined on these rows.

        The mean of these values is the metric, and the variance of that mean is the variance of the metric: the value of a row is its own
        if the metric is a mean over rows, otherwise the metric plus the row's influence on it (``influence``).

        :param metric: one of ``metric_names``; None = ``judged_by``
        """
        metric = metric or self.judged_by
        value = self.measure(target_NT, scores_NC)[0][metric] if len(target_NT) else None
        return None if value is None else value + self.influence(metric, target_NT, scores_NC)

    def influence(self, metric: str, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """Return the influence of each row on a metric that is defined on these rows, float64 (N,), of mean 0. A formula is faster and more
        exact than this default, the jackknife."""
        return jackknife(lambda rows: self.measure(target_NT[rows], scores_NC[rows])[0][metric], len(target_NT))
