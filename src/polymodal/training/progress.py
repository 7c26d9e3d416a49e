"""Where a model's training stands, what was decided on the way, and what it leaves: plain data beside the weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..tasks.metrics import Metrics
from .checkpoint import Facts, below

INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Validated:
    """What a model answers to rows that training does not see.

    :param metrics: by task, over all of these rows
    :param own: the mean loss of each field's own vote there, of the fused one under "" (none of a field that has no vote)
    :param halves: by half of these rows, its metrics by task; None of a half that no row with a target is in; () = the rows are not halved
    """

    metrics: Mapping[str, Metrics]
    own: Mapping[str, float] = field(default_factory=dict)
    halves: Sequence[Mapping[str, Metrics] | None] = ()


@dataclass
class Best:
    """The weights of one epoch: the best one by some rows. What it reached there is ``monitor``, smaller for better."""

    weights: dict[str, Tensor] = field(default_factory=dict)
    epoch: int = 0
    monitor: float = float("inf")


@dataclass
class Fitted:
    """What ``fit`` leaves: the best epoch's weights, which epoch it was, its metrics, and every epoch's facts. ``halves``: the best epochs
    by each half of the rows that select, where they are halved."""

    weights: dict[str, Tensor] = field(default_factory=dict)
    epoch: int = 0
    monitor: float = float("inf")
    metrics: Mapping[str, Metrics] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    stopped: str = ""
    halves: list[Best] = field(default_factory=list)

    def facts(self) -> Facts:
        """Everything but the weights, as plain data."""
        return {"epoch": self.epoch, "monitor": self.monitor, "metrics": self.metrics, "history": self.history, "stopped": self.stopped,
                "halves": [{"epoch": half.epoch, "monitor": half.monitor} for half in self.halves]}  # fmt: skip

    def tensors(self) -> dict[str, Tensor]:
        """The weights of all epochs that are kept, each once."""
        found = {f"best.{key}": value for key, value in self.weights.items()}
        for at, half in enumerate(self.halves):
            if half.epoch not in (self.epoch, *(other.epoch for other in self.halves[:at])):
                found |= {f"half_{at}.{key}": value for key, value in half.weights.items()}
        return found

    @classmethod
    def of(cls, facts: Facts, tensors: Mapping[str, Tensor]) -> Fitted:
        """From ``facts`` and ``tensors``, among other tensors."""
        fitted = cls(below(tensors, "best."), **{**facts, "halves": []})
        by_epoch = {fitted.epoch: fitted.weights}
        for at, half in enumerate(facts["halves"]):
            weights = by_epoch.setdefault(half["epoch"], below(tensors, f"half_{at}."))
            fitted.halves.append(Best(weights, **half))
        return fitted


@dataclass
class Progress:
    """Where training stands, between two steps: what a checkpoint says beside its tensors."""

    epoch: int = 1
    at: int = 0
    """Steps done of this epoch."""
    step: int = 0
    """Steps done in all."""
    loss: float = 0.0
    """Sum over this epoch's rows."""
    rows: int = 0
    seconds: float = 0.0
    """Spent on this epoch, as is ``waited`` for batches."""
    waited: float = 0.0
    parts: int = 1
    """Parts that a batch is computed in."""
    mark: float = float("inf")
    """The last result that was better by more than a hair."""
    marked: int = 0
    """Its epoch."""
    bad: list[int] = field(default_factory=list)
    """Steps that were undone: their loss or gradient was not finite."""
    fields: dict[str, dict[str, float]] = field(default_factory=dict)
    """Sums over this epoch's steps of what each field did (``Watch``)."""


class NotFinite(Exception):
    """A loss, a gradient or an answer is not finite. Of a step: the model is as it was before it."""


@dataclass
class Replay:
    """What the clock and the memory decided in this model's training, to be decided alike when it is resumed."""

    stop: int | None = None
    """The step after which the time was over."""
    parts: dict[int, int] = field(default_factory=dict)
    """From which steps on a batch was computed in more parts, for want of memory."""
    decided: Callable[[Replay], None] = lambda _: None
    """Told of each new decision, before it takes effect."""
