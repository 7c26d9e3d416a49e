"""A number: squared error on the standardised (and optionally logarithmic) target; predictions are in the unit of the target."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..cells import Decimal, Writing, are_limits, are_words_among, check_facts
from ..errors import DataError, Fault
from ..flow import Cell, State
from ..language import Sentence
from .facts import MOSTLY, TargetFacts, reading_of
from .metrics import CONSTANT
from .numeric import NumberTask
from .reading import Reading
from .task import Task, TaskConfig

_HUGE = 1e100
_FAR = 1e30
_CODES, _OFTEN = 20, 5


class RegressionConfig(TaskConfig):
    """The settings of a numeric target."""

    kind: Literal["regression"] = "regression"
    metric: Literal["mae", "rmse", "r2"] | None = None
    """The metric that decides when training stops; null = rmse."""
    transform: Literal["log"] | None = None
    """log = learn log(1 + target): for prices and counts, which may not be negative."""
    unit: str | None = None
    """The unit of the target, which reports show."""
    decimal: Decimal | None = None
    """The decimal sign of numbers, "." or ","; null = detected from the cells of the column."""

    @classmethod
    def task(cls) -> type[Task]:
        """Return the class of this task, ``Regression``."""
        return Regression


class Regression(NumberTask):
    """One output, in standard deviations from the training mean; ``scores`` are (N, 1) in the unit of the target."""

    boosting = "squared"
    outputs = 1

    @property
    def limits(self) -> tuple[float, float]:
        """(0, infinity) under ``transform: log``, infinite otherwise."""
        return (0.0, math.inf) if self.config.transform == "log" else super().limits

    @classmethod
    def recognise(cls, facts: TargetFacts) -> tuple[float, str]:
        """Return 0.9 for a column of numbers that are not the names of classes."""
        if not _are_numbers(facts) or _are_codes(facts):
            return 0.0, ""
        others = facts.values - facts.numbers
        parts: list[str] = [Sentence("target.over_numbers" if facts.capped else "target.numbers", count=len(facts.number_names))]
        shown = ", ".join(repr(word[:30]) for word, _ in facts.others.most_common(3)) + (", ..." if len(facts.others) > 3 else "")
        if others:
            parts = [Sentence("target.no_numbers", numbers=parts[0], others=others, shown=shown)]
        if facts.how.decimal == "," and facts.decimal is None:
            parts.append(Sentence("target.comma"))
        return 0.9, Sentence.joined(parts)

    @classmethod
    def fit(cls, config: RegressionConfig, cells: Iterable[Cell], place: str, reading: Reading | None = None) -> State:
        """Learn ``mean`` and ``std`` of the (transformed) target, ``low``, ``high`` and ``spread`` (the standard deviation) of the target
        itself, ``missing`` words, and the ``writing`` of numbers."""
        reading, cells = reading_of(config, cells, reading)
        numbers = []
        first: Fault | None = None
        for cell in cells:
            try:
                numbers.append(value := _checked(cell, reading, config.transform))
                if abs(value) > _HUGE:
                    raise Fault(f"found {numbers.pop():g}; expected numbers up to {_HUGE:g}")
            except Fault as fault:  # one cell is a line in faults.csv; where no two numbers are left, there is nothing to learn
                first = first or fault
        if not numbers:
            reason = (
                f"{first}; correct the cells, or use kind: multiclass" if first is not None else "no value at all; choose another target"
            )
            raise DataError(f"{place}: {reason}")
        values_N = np.array(numbers, np.float64)
        inner_N = np.log1p(values_N) if config.transform == "log" else values_N
        std = float(inner_N.std())
        if std <= CONSTANT * float(abs(inner_N).max()):
            beside = f"{first}; beside such cells " if first is not None else ""
            raise DataError(f"{place}: {beside}every value is {values_N[0]:g}; expected numbers that differ; choose another target")
        return {"mean": float(inner_N.mean()), "std": std, "low": float(values_N.min()), "high": float(values_N.max()),
                "spread": float(values_N.std()), "missing": sorted(reading.missing),
                "writing": Writing("number", reading.numbers).facts()}  # fmt: skip

    def check(self) -> None:
        """Raise ``ValueError`` unless all numbers are finite and the standard deviation is positive."""
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
        """Return the squared error in standard deviations, (B,)."""
        return (logits_BC[:, 0] - self.filled(target_BT)[:, 0]) ** 2

    def plain_gradient(self, logits_NC: Tensor, target_NT: Tensor) -> Tensor:
        """Return twice the difference between the logit and the standardised target, (N, 1)."""
        return 2 * (logits_NC - target_NT)

    def plain_curvature(self, logits_NC: Tensor, target_NT: Tensor, slope_VNC: Tensor) -> Tensor:
        """Return the second derivatives (V, V): that of a squared error with respect to its logit is 2."""
        return 2 * slope_VNC.flatten(1) @ slope_VNC.flatten(1).T

    def constant_logits(self, target_NT: Tensor) -> Tensor:
        """Return the mean of the standardised target, (1,)."""
        return target_NT.mean(0)

    def scores(self, logits_NC: Tensor) -> Tensor:
        """Return the predictions in the unit of the target, float64 (N, 1)."""
        inner = logits_NC[:, :1].double() * self.state["std"] + self.state["mean"]
        return torch.expm1(inner.clamp(max=700)) if self.config.transform == "log" else inner

    def truth(self, target_NT: np.ndarray) -> np.ndarray:
        """Return standardised targets in the unit of the target, float64 (N,)."""
        return self.scores(torch.from_numpy(np.asarray(target_NT, np.float64))).numpy()[:, 0]

    def describe(self) -> str:
        """Return the range of the target, in words."""
        unit = f" {self.config.unit}" if self.config.unit else ""
        return Sentence("describe.number", low=self.state["low"], high=self.state["high"], unit=unit)


def _checked(cell: Cell, reading: Reading, transform: str | None) -> float:
    """Return the number in a cell; raise ``Fault`` for one that cannot be learned."""
    value = Regression.number_in(cell, reading)
    if transform == "log" and value < 0:
        raise Fault(f"{value:g} is negative; expected 0 or more under transform: log")
    return value


def _are_numbers(facts: TargetFacts) -> bool:
    """Return whether nine in ten values are numbers, or half of them are and the others are a few words such as "unknown"."""
    if facts.numbers >= max(1, MOSTLY * facts.values):
        return True
    words = sum(facts.others.values()) == facts.values - facts.numbers
    return 2 * facts.numbers >= facts.values and words and are_words_among(len(facts.number_names), facts.others)


def _are_codes(facts: TargetFacts) -> bool:
    """Return whether the numbers are names of classes: a few whole numbers that recur often, or limits such as ``<=50K`` and ``>50K``."""
    different = len(facts.number_names)
    if not facts.capped and are_limits(facts.names):
        return True
    return not facts.fractions and different <= _CODES and (facts.numbers >= _OFTEN * different or different <= 2)
