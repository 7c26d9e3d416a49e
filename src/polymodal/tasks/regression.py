"""A number: squared error on the standardised (and, if asked, logarithmic) target; answers in the target's own unit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..cells import Decimal, Writing, check_facts, text_of
from ..errors import DataError, Fault
from ..flow import Cell, State
from . import curves as drawing
from . import influence
from .facts import reading_of
from .metrics import CONSTANT, Metrics, regression
from .task import Reading, Task, TaskConfig

_HUGE = 1e100
_FAR = 1e30


class RegressionConfig(TaskConfig):
    """The settings of a numeric target."""

    kind: Literal["regression"] = "regression"
    metric: Literal["mae", "rmse", "r2"] | None = None
    """The metric that picks when training stops; null = rmse."""
    transform: Literal["log"] | None = None
    """log = learn log(1 + target): for prices and counts, which may not be negative."""
    unit: str | None = None
    """The target's unit, for people to read."""
    decimal: Decimal | None = None
    """The decimal sign of numbers, "." or ","; null = what the column's cells show together."""

    def task(self) -> type[Task]:
        """Return the class of this task, ``Regression``."""
        return Regression


class Regression(Task):
    """One output, in standard deviations from the training mean; ``scores`` are (N, 1) in the target's unit."""

    metric_names = ("mae", "rmse", "r2")
    default_metric = "rmse"
    worth = "r2"
    outputs = 1
    target_width = 1

    @classmethod
    def fit(cls, config: RegressionConfig, cells: Iterable[Cell], place: str, reading: Reading | None = None) -> State:
        """State: ``mean`` and ``std`` of the (transformed) target, ``low`` and ``high`` of it as it is, ``spread`` its
        standard deviation as it is, ``missing``."""
        reading, cells = reading_of(config, cells, reading)
        found = []
        first: Fault | None = None
        for cell in cells:
            try:
                found.append(value := _checked(cell, reading, config.transform))
                if abs(value) > _HUGE:
                    raise Fault(f"found {found.pop():g}; expected numbers up to {_HUGE:g}")
            except Fault as fault:  # one cell is a line in faults.csv; where no two numbers are left, there is nothing to learn
                first = first or fault
        if not found:
            said = f"{first}; mend the cells, or use kind: multiclass" if first is not None else "no value at all; choose another target"
            raise DataError(f"{place}: {said}")
        values_N = np.array(found, np.float64)
        inner_N = np.log1p(values_N) if config.transform == "log" else values_N
        std = float(inner_N.std())
        if std <= CONSTANT * float(abs(inner_N).max()):
            beside = f"{first}; beside such cells " if first is not None else ""
            raise DataError(f"{place}: {beside}every value is {values_N[0]:g}; expected numbers that differ; choose another target")
        return {"mean": float(inner_N.mean()), "std": std, "low": float(values_N.min()), "high": float(values_N.max()),
                "spread": float(values_N.std()), "missing": sorted(reading.missing),
                "writing": Writing("number", reading.numbers).facts()}  # fmt: skip

    @cached_property
    def reading(self) -> Reading:
        """How cells are read; a state of an older model has a decimal point and no unit."""
        return replace(super().reading, numbers=Writing.of_facts("number", self.state.get("writing")).numbers)

    def check(self) -> None:
        """Finite facts, and a spread."""
        self.check_reading()
        if "writing" in self.state:
            check_facts(self.state["writing"])
        facts = [self.state[name] for name in ("mean", "std", "low", "high", "spread")]
        if not all(type(fact) in (int, float) and math.isfinite(fact) for fact in facts) or self.state["std"] <= 0:
            raise ValueError(f"{facts} of a number")

    def encode(self, cell: Cell) -> np.ndarray:
        """Return the standardised target, float32 (1,)."""
        value = _checked(cell, self.reading, self.config.transform)
        if self.config.transform == "log":
            value = math.log1p(value)
        centred = (value - self.state["mean"]) / self.state["std"]
        if abs(centred) > _FAR:
            raise Fault(f"found {value:g}, {abs(centred):.0e} spreads from the mean; expected a number that float32 can hold")
        return np.array([centred], np.float32)

    def losses(self, logits_BC: Tensor, target_BT: Tensor) -> Tensor:
        """Squared error in standard deviations."""
        return (logits_BC[:, 0] - target_BT[:, 0].nan_to_num(0.0)) ** 2

    def plain_gradient(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """Twice the difference between the logit and the standardised target, (N, 1)."""
        return 2 * (logits_NC - target_NT)

    def plain_curvature(self, logits_NC: Tensor, target_NT: Tensor, slope_VNC: Tensor) -> Tensor:
        """The second derivatives (V, V): that of a squared error with respect to its logit is 2."""
        return 2 * slope_VNC.flatten(1) @ slope_VNC.flatten(1).T

    def scores(self, logits_NC: Tensor) -> Tensor:
        """Back in the target's unit."""
        inner = logits_NC[:, :1].double() * self.state["std"] + self.state["mean"]
        return torch.expm1(inner.clamp(max=700)) if self.config.transform == "log" else inner

    def values(self, scores_NC: np.ndarray) -> np.ndarray:
        """Return the predicted numbers in the unit of the target."""
        return scores_NC[:, 0]

    def measure(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> tuple[Metrics, dict[str, str]]:
        """In the target's unit."""
        truth = self.scores(torch.from_numpy(np.asarray(target_NT, np.float64))).numpy()[:, 0]
        return regression(truth, scores_NC[:, 0].astype(np.float64))

    def curves(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> drawing.Curves:
        """In the target's unit."""
        truth = self.scores(torch.from_numpy(np.asarray(target_NT, np.float64))).numpy()[:, 0]
        return drawing.regression(truth, scores_NC[:, 0].astype(np.float64))

    def errors(self, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """How far off, in the target's unit."""
        truth = self.scores(torch.from_numpy(np.asarray(target_NT, np.float64))).numpy()[:, 0]
        return np.abs(scores_NC[:, 0] - truth)

    def influence(self, metric: str, target_NT: np.ndarray, scores_NC: np.ndarray) -> np.ndarray:
        """In the target's unit."""
        truth_N = self.scores(torch.from_numpy(np.asarray(target_NT, np.float64))).numpy()[:, 0]
        return influence.regression(metric, truth_N, scores_NC[:, 0].astype(np.float64))

    def goodness(self, metric: str, value: float) -> float:
        """Errors in units of the target's spread."""
        return super().goodness(metric, value) / (self.state["spread"] if metric in ("mae", "rmse") else 1.0)

    def monitor(self, metrics: Metrics) -> float:
        """Errors in units of the target's spread."""
        value = super().monitor(metrics)
        return value / self.state["spread"] if self.monitored(metrics) in ("mae", "rmse") else value

    def describe(self) -> str:
        """Return the range of the target, in words."""
        unit = f" {self.config.unit}" if self.config.unit else ""
        return f"a number from {self.state['low']:g} to {self.state['high']:g}{unit}"


def _checked(cell: Cell, reading: Reading, transform: str | None) -> float:
    """The number in a cell; ``Fault`` for one that cannot be learned."""
    value = reading.number(cell)
    if value is None:
        raise Fault(f"found {text_of(cell)[:40]!r}; expected a finite number")
    if transform == "log" and value < 0:
        raise Fault(f"{value:g} is negative; expected 0 or more under transform: log")
    return value
