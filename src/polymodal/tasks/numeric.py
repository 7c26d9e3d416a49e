"""The base class of targets that are a number: everything except the encoding, the head and the loss.

Shapes: ``N`` rows, ``T`` = 1.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import cached_property

import numpy as np

from ..cells import Writing, text_of
from ..errors import Fault
from ..flow import Cell
from . import curves as plotting
from . import influence
from .metrics import NUMBER_METRICS, Metrics, regression
from .reading import Reading
from .task import Task

_NAMES = frozenset(metric.name for metric in NUMBER_METRICS)


class NumberTask(Task):
    """A number; ``scores`` are the predictions in the unit of the target, (N, 1).

    A subclass implements ``fit``, ``check``, ``encode``, ``outputs``, ``losses`` and ``scores``, and ``truth`` where ``encode`` does not
    return the number itself. If its state contains ``spread``, the standard deviation of the target in its unit, errors of different
    targets can be averaged. If it contains ``writing`` (``Writing("number", reading.numbers).facts()``), later cells are read as the
    training cells were: with their decimal sign and unit.
    """

    has_sets = True
    metrics = NUMBER_METRICS
    default_metric = "rmse"

    @cached_property
    def reading(self) -> Reading:
        """How cells are read. The state of an older model has a decimal point and no unit."""
        return replace(super().reading, numbers=Writing.of_facts("number", self.state.get("writing")).numbers)

    @classmethod
    def number_in(cls, cell: Cell, reading: Reading) -> float:
        """Return the number in a cell.

        :raises Fault: the cell contains no finite number
        """
        value = reading.number(cell)
        if value is None:
            raise Fault(f"found {text_of(cell)[:40]!r}; expected a finite number")
        return value

    @abstractmethod
    def encode(self, cell: Cell) -> np.ndarray:
        """Return the target, float32 (1,)."""

    def truth(self, target_NT: np.ndarray) -> np.ndarray:
        """Return encoded targets as numbers in the unit of the target, float64 (N,). The default is the encoded number itself."""
        return np.asarray(target_NT[:, 0], np.float64)

    def values(self, scores_NC: np.ndarray) -> np.ndarray:
        """Return the predicted numbers in the unit of the target, (N,)."""
        return scores_NC[:, 0]

    def measure(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[Metrics, dict[str, str]]:
        """Return the values of ``NUMBER_METRICS``. A task with other metrics overrides this method."""
        return regression(self.truth(target_NT), scores_NC[:, 0].astype(np.float64))

    def curves(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> plotting.Curves:
        """Return true and predicted numbers of some rows."""
        return plotting.regression(self.truth(target_NT), scores_NC[:, 0].astype(np.float64))

    def errors(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """Return the absolute errors in the unit of the target, (N,)."""
        result: np.ndarray = np.abs(scores_NC[:, 0] - self.truth(target_NT))
        return result

    def influence(self, metric: str, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """Return the influence of each row on a metric: by a formula for ``NUMBER_METRICS``, by the jackknife for others."""
        if metric in _NAMES:
            return influence.regression(metric, self.truth(target_NT), scores_NC[:, 0].astype(np.float64))
        return super().influence(metric, target_NT, scores_NC)

    def goodness(self, metric: str, value: float) -> float:
        """Return a value of a metric with its sign changed if smaller is better; errors in standard deviations of the target."""
        return super().goodness(metric, value) / self._scale(metric)

    def monitor(self, metrics: Metrics) -> float:
        """Return the quantity that training minimises; errors in standard deviations of the target."""
        return super().monitor(metrics) / self._scale(self.monitored(metrics))

    def _scale(self, metric: str) -> float:
        """Return the number by which values of a metric are divided: the standard deviation of the target for errors in its unit."""
        return float(self.state.get("spread", 1.0)) if self.about(metric).in_unit else 1.0
