"""What all tasks share: a target, the head's outputs, a loss, metrics and decoding; they change together.

Its place on the line: fused -> head -> ``logits`` -> ``losses`` (training), ``scores`` -> ``values`` (predicting). Shapes:
``B`` rows of a batch, ``N`` rows, ``T`` numbers that encode one target, ``C`` outputs of the head.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field as Setting
from torch import Tensor

from ..cells import MISSING_WORDS, PLAIN, Numbers, is_empty
from ..config import Config
from ..errors import Fault
from ..flow import Cell, State
from .curves import Curves
from .influence import RANGES, SMALLER_IS_BETTER
from .metrics import Metrics
from .names import name_of
from .numbers import number_in

_LONGEST_WORD = 100
_MOST_WORDS = 1_000
_EMPTY = ("", "nan", "null")
_DIGITS = frozenset(("", *"0123456789"))


def empty_target(cell: Cell) -> bool:
    """Whether a cell of a target column is empty: nothing, NaN, NaT, blank, or the text "nan" or "null". An empty list is not: it says
    that the row has no label."""
    if type(cell) is str and cell[:1] in _DIGITS:  # most of a column of numbers
        return not cell
    return is_empty(cell) or (isinstance(cell, str) and len(cell) <= _LONGEST_WORD and cell.strip().casefold() in _EMPTY)


def word_of(cell: Cell) -> str | None:
    """A cell as it is compared with the words that stand for no target: "NA", "na" and " NA " are one, -999 and "-999.0" are one; None for
    what is no such word."""
    if isinstance(cell, str):
        if len(cell) > _LONGEST_WORD:
            return None
        text = cell.strip()
        if text.isascii() and not (text.endswith(("0", ".")) and "." in text):  # what ``name_of`` leaves as it is
            return text.casefold()
    try:
        return name_of(cell).casefold()
    except Fault:
        return None


@dataclass(frozen=True)
class Reading:
    """How the cells of a target column are read, decided on all rows of the training table. What predicting needs of it is kept in the
    task's state.

    :param typed: whether the table says which cells are text and which are numbers (a CSV does not)
    :param missing: words (``word_of``) that stand for no target, beside empty cells
    :param places: the names of the labels, where a cell is a 0 or a 1 for each label, by its place; None where a cell lists its labels
    :param numbers: how numbers are written
    """

    typed: bool = False
    missing: frozenset[str] = frozenset()
    places: tuple[int | str, ...] | None = None
    numbers: Numbers = PLAIN

    def number(self, cell: Cell) -> float | None:
        """The number in a cell, None for one that holds none."""
        return number_in(cell, self.numbers)

    def is_missing(self, cell: Cell) -> bool:
        """Whether a row with this cell has no target."""
        if not isinstance(cell, str):
            return is_empty(cell) or (self._has_codes and word_of(cell) in self.missing)
        if len(cell) > _LONGEST_WORD:
            return cell.isspace()
        word = cell.strip().casefold()
        return word in _EMPTY or word in self.missing or (self._has_codes and word_of(cell) in self.missing)

    @cached_property
    def _has_codes(self) -> bool:
        """Whether some of the words are no such words as tables are filled with by custom: numbers, for example."""
        return not self.missing <= MISSING_WORDS


class TaskConfig(Config):
    """What every task's config says."""

    column: str
    """The column of the target."""
    missing: list[str | int | float | bool] | None = None
    """Words that stand for no target, beside empty cells; null = NA, None, -, ? and the like, where every other value is a number; [] = no
    word: each is a class."""
    weight: float = Setting(1.0, ge=0)
    """How much this task's loss counts beside the others'."""

    def task(self) -> type[Task]:
        """The class that this config is of."""
        raise NotImplementedError


class Task(ABC):
    """Built from its config and its fitted state; holds nothing else."""

    rowwise: ClassVar[bool] = True
    """Whether a row's loss depends on that row alone."""
    metric_names: ClassVar[tuple[str, ...]]
    default_metric: ClassVar[str]
    has_sets: ClassVar[bool] = True
    """Whether an answer can be a set of classes, or an interval, with a stated coverage."""
    worth: ClassVar[str] = "accuracy"
    """The metric, larger for better answers, that is shared out among the fields to say what each contributes."""

    def __init__(self, config: Any, state: State) -> None:
        self.config = config
        self.state = state

    @property
    def metric(self) -> str:
        """The metric that picks when training stops."""
        return self.config.metric or self.default_metric

    @property
    def judged_by(self) -> str:
        """The metric by which models of this target are compared: the one that was set, else ``worth``."""
        return self.config.metric or self.worth

    @property
    def judged_why(self) -> str:
        """Why ``judged_by`` is another metric than the one that is usual for this kind of target; "" where it is not."""
        return ""

    @staticmethod
    def sign(metric: str) -> int:
        """1 where larger values of a metric are better, else -1."""
        return -1 if metric in SMALLER_IS_BETTER else 1

    @staticmethod
    def bounds(metric: str) -> tuple[float, float]:
        """The smallest and the largest possible value of a metric."""
        return RANGES.get(metric, (0.0, 1.0))

    def goodness(self, metric: str, value: float) -> float:
        """A value of a metric, turned so that larger is better, and scaled so that targets of different units can be averaged."""
        return self.sign(metric) * value

    @cached_property
    def reading(self) -> Reading:
        """How cells are read, as far as the state tells; a state without these facts is of a model that knew no missing words."""
        return Reading(missing=frozenset(self.state.get("missing", ())))

    @property
    @abstractmethod
    def outputs(self) -> int:
        """C, the width of the head."""

    @property
    @abstractmethod
    def target_width(self) -> int:
        """T, the numbers that encode one target."""

    @property
    def classes(self) -> list[Any] | None:
        """The classes in the order of ``scores``, or None for a number."""
        return None

    @classmethod
    @abstractmethod
    def fit(cls, config: Any, cells: Iterable[Cell], place: str, reading: Reading | None = None) -> State:
        """Learn the classes, or the target's scale, from training cells; cells that are missing, and single cells that cannot be read, are
        left out.

        :param place: the table and the column, for messages
        :param reading: how cells are read; None = as these cells by themselves suggest
        :raises DataError: there is nothing to learn from these cells
        """

    @abstractmethod
    def check(self) -> None:
        """``ValueError`` for a state that ``fit`` cannot have made: a bundle may come from anyone."""

    def check_reading(self) -> None:
        """``ValueError`` unless the missing words in the state, if any, are words."""
        words = self.state.get("missing", [])
        if not isinstance(words, list) or len(words) > _MOST_WORDS or not all(isinstance(word, str) for word in words):
            raise ValueError("missing words that are no words")

    @classmethod
    def names(cls, config: Any, reading: Reading, cell: Cell) -> Collection[str]:
        """The names of the classes (or labels) that a cell holds, none for a number; ``Fault`` when it cannot be read."""
        return ()

    def unknown(self, cell: Cell) -> list[str]:
        """The names in a cell that are no class of the model, though the cell can be read."""
        return []

    @abstractmethod
    def encode(self, cell: Cell) -> np.ndarray:
        """The target as float32 (T,), NaN where empty; ``Fault`` when it cannot be one."""

    def class_counts(self, target_NT: np.ndarray) -> np.ndarray:
        """How many rows have each class or label, (C,), among rows that have a target."""
        raise NotImplementedError(f"{type(self).__name__} has no classes")

    @abstractmethod
    def losses(self, logits_BC: Tensor, target_BT: Tensor) -> Tensor:
        """The loss of each row (B,); a row whose target is NaN may hold anything finite."""

    def plain_losses(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """The loss of each row (N,) without what only regularises training: label smoothing and class weights.

        :param logits_NC: the logits, (N, C)
        :param target_NT: the targets, (N, T), none of them missing
        """
        return self.losses(logits_NC, target_NT)

    def plain_gradient(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """The gradient (N, C) of each row's ``plain_losses`` with respect to its logits. A task may compute it by a formula."""
        with torch.enable_grad():
            logits_NC = logits_NC.detach().requires_grad_()
            return torch.autograd.grad(self.plain_losses(logits_NC, target_NT).sum(), logits_NC)[0]

    def plain_curvature(self, logits_NC: Tensor, target_NT: Tensor, slope_VNC: Tensor) -> Tensor:
        """The second derivatives (V, V) of the sum of ``plain_losses`` with respect to V numbers. A task may compute them by a formula.

        :param slope_VNC: how the logits change with each of these numbers, (V, N, C)
        """
        with torch.enable_grad():
            logits_NC = logits_NC.detach().requires_grad_()
            gradient_NC = torch.autograd.grad(self.plain_losses(logits_NC, target_NT).sum(), logits_NC, create_graph=True)[0]
            curved = [torch.autograd.grad(gradient_NC, logits_NC, slope_NC, retain_graph=True)[0] for slope_NC in slope_VNC]
        return slope_VNC.flatten(1) @ torch.stack(curved).flatten(1).T

    @abstractmethod
    def scores(self, logits_NC: Tensor) -> Tensor:
        """Probabilities (N, C'), or the answer in the target's unit (N, 1)."""

    def log_chances(self, logits_NC: Tensor, label: int) -> tuple[Tensor, Tensor]:
        """The logs of the probability of ``label`` (its place among ``classes``), and of anything but it, (N,) each: they tell a sure
        answer from a surer one where ``scores`` round both to 1."""
        raise NotImplementedError(f"{type(self).__name__} has no classes")

    @abstractmethod
    def values(self, scores_NC: np.ndarray) -> np.ndarray:
        """The answers, (N,): class names, lists of them, or numbers."""

    @abstractmethod
    def measure(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[Metrics, dict[str, str]]:
        """Metrics over rows that have a target, and why some of them are None."""

    @abstractmethod
    def curves(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> Curves:
        """What a report draws of rows that have a target, as plain data of bounded size."""

    def confidence(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whether each answer is right, and the probability it was given: what calibration is measured of."""
        raise NotImplementedError(f"{type(self).__name__} has no classes")

    @abstractmethod
    def errors(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """How wrong each row's answer is (N,), 0 = right: by it a report finds the worst."""

    def credits(self, target_NT: np.ndarray, scores_NC: np.ndarray, metric: str | None = None) -> np.ndarray | None:
        """What each row contributes to a metric, float64 (N,), None where the metric is undefined on these rows. Their mean is the metric,
        and the variance of that mean is the variance of the metric: the row's own value where the metric is a mean over rows, else the
        metric plus the row's influence on it (``influence``).

        :param metric: one of ``metric_names``; None = ``judged_by``
        """
        metric = metric or self.judged_by
        value = self.measure(target_NT, scores_NC)[0][metric] if len(target_NT) else None
        return None if value is None else value + self.influence(metric, target_NT, scores_NC)

    @abstractmethod
    def influence(self, metric: str, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """The influence of each row on a metric that is defined on these rows, float64 (N,), of mean 0."""

    def sets(self, scores_NC: np.ndarray, inside_NC: np.ndarray, empty: bool = True) -> np.ndarray:
        """The classes of each row's set: lists of class names (N,), the most probable first.

        :param inside_NC: bool (N, C), the classes that are in the set
        :param empty: whether a list may be empty; if not, the most probable class is in every list
        :raises ConfigError: answers of this kind have no sets
        """
        raise NotImplementedError(f"{type(self).__name__} has no classes")

    def monitor(self, metrics: Metrics) -> float:
        """What training makes small: the chosen metric, turned and scaled so that tasks can be averaged (0 = perfect)."""
        name = self.monitored(metrics)
        value = metrics.get(name)
        if value is None:
            return 1.0
        return value if name in SMALLER_IS_BETTER else 1.0 - value

    def monitored(self, metrics: Metrics) -> str:
        """The chosen metric, or the default one where the chosen one is undefined."""
        return self.metric if metrics.get(self.metric) is not None else self.default_metric

    def describe(self) -> str:
        """What was learned of the target, in one line."""
        return ""
