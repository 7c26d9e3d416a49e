"""Where a model's training stands, what was decided on the way, and what it leaves: plain data beside the weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..tasks.metrics import Metrics
from .checkpoint import Facts

INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Validated:
    """What a model says of rows that training does not see: metrics by task; and the mean loss of each field's own vote there, of the fused
    one under "" (none of a field where it has no vote)."""

    metrics: Mapping[str, Metrics]
    own: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Fitted:
    """What ``fit`` leaves: the best epoch's weights, when it was, what it measured, and every epoch's facts."""

    weights: dict[str, Tensor] = field(default_factory=dict)
    epoch: int = 0
    monitor: float = float("inf")
    metrics: Mapping[str, Metrics] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    stopped: str = ""

    def facts(self) -> Facts:
        """Everything but the weights, as plain data."""
        return {"epoch": self.epoch, "monitor": self.monitor, "metrics": self.metrics, "history": self.history, "stopped": self.stopped}


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
