"""The progress of a model's training, the decisions made in it, and its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from ..tasks.metrics import Metrics
from ..weights import below
from .checkpoint import Facts
from .events import EpochEvent

INTERRUPTED = "interrupted"
"""Why training of a model ended: the user or the process stopped it."""
TIME_LIMIT = "the time limit"


@dataclass(frozen=True)
class Validated:
    """The metrics of a model on rows that it is not trained on.

    :param metrics: metrics by task on all of these rows
    :param own: the mean loss of each field's vote, and of the fused vote under ``""``; fields without a vote are absent
    :param halves: metrics by task for each half of these rows; None for a half without targets; () = the rows are not halved
    """

    metrics: Mapping[str, Metrics]
    own: Mapping[str, float] = field(default_factory=dict)
    halves: Sequence[Mapping[str, Metrics] | None] = ()


@dataclass
class Best:
    """The weights of the best epoch by some rows, its number, and its monitored value (smaller is better)."""

    weights: dict[str, Tensor] = field(default_factory=dict)
    epoch: int = 0
    monitor: float = float("inf")


@dataclass
class Fitted:
    """The result of ``fit``.

    :param weights: the weights of the best epoch
    :param epoch: the number of that epoch
    :param monitor: its monitored value, smaller is better
    :param metrics: its metrics by task
    :param history: the events of every epoch
    :param stopped: the reason why training ended; empty = it has not ended
    :param halves: the best epochs by each half of the rows that select the epoch, if they are halved
    :param seconds: the seconds of training, validation and boosted trees; before a resumption, those of training
    """

    weights: dict[str, Tensor] = field(default_factory=dict)
    epoch: int = 0
    monitor: float = float("inf")
    metrics: Mapping[str, Metrics] = field(default_factory=dict)
    history: list[EpochEvent] = field(default_factory=list)
    stopped: str = ""
    halves: list[Best] = field(default_factory=list)
    seconds: float = 0.0

    def facts(self) -> Facts:
        """Return everything except the weights as plain data."""
        return {"epoch": self.epoch, "monitor": self.monitor, "metrics": self.metrics, "history": [one.facts() for one in self.history],
                "stopped": self.stopped, "seconds": self.seconds,
                "halves": [{"epoch": half.epoch, "monitor": half.monitor} for half in self.halves]}  # fmt: skip

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights of all epochs that are kept, each once."""
        tensors = {f"best.{key}": value for key, value in self.weights.items()}
        for at, half in enumerate(self.halves):
            if half.epoch not in (self.epoch, *(other.epoch for other in self.halves[:at])):
                tensors |= {f"half_{at}.{key}": value for key, value in half.weights.items()}
        return tensors

    @classmethod
    def of(cls, facts: Facts, tensors: Mapping[str, Tensor]) -> Fitted:
        """Return the instance of ``facts()`` and ``tensors()``. Other tensors are ignored."""
        fitted = cls(below(tensors, "best."), **{**facts, "history": [EpochEvent.of(one) for one in facts["history"]], "halves": []})
        by_epoch = {fitted.epoch: fitted.weights}
        for at, half in enumerate(facts["halves"]):
            weights = by_epoch.setdefault(half["epoch"], below(tensors, f"half_{at}."))
            fitted.halves.append(Best(weights, **half))
        return fitted


@dataclass
class Progress:
    """The progress of training between two steps, as stored in a checkpoint."""

    epoch: int = 1
    """The number of the current epoch."""
    at: int = 0
    """The number of completed steps of this epoch."""
    step: int = 0
    """The number of completed steps of training."""
    loss: float = 0.0
    """The sum of the loss over the rows of this epoch."""
    rows: int = 0
    """The number of rows in that sum."""
    seconds: float = 0.0
    """The seconds spent on this epoch."""
    waited: float = 0.0
    """The seconds of these spent waiting for batches."""
    parts: int = 1
    """The number of parts in which a batch is computed."""
    mark: float = float("inf")
    """The last monitored value that was a relevant improvement (by more than 0.5 %)."""
    marked: int = 0
    """The epoch of ``mark``."""
    bad: list[int] = field(default_factory=list)
    """The steps that were undone, because their loss or gradient was not finite."""
    fields: dict[str, dict[str, float]] = field(default_factory=dict)
    """Sums over the steps of this epoch by voter, see ``watch.count``."""


class NotFinite(Exception):
    """A loss, a gradient or a prediction is not finite. If it is raised in a step, the model is unchanged."""


@dataclass
class Replay:
    """The decisions that depended on time and memory in this model's training. A resumed training repeats them."""

    stop: int | None = None
    """The step after which the time limit was reached; None = it was not reached."""
    parts: dict[int, int] = field(default_factory=dict)
    """The number of parts of a batch, by the step from which it was used because memory was insufficient."""
    decided: Callable[[Replay], None] = lambda _: None
    """A function that is called with each new decision before it takes effect."""

    def facts(self) -> Facts:
        """Return the decisions as plain data."""
        return {"stop": self.stop, "parts": [list(pair) for pair in self.parts.items()]}

    @classmethod
    def of(cls, facts: Facts | None, decided: Callable[[Replay], None]) -> Replay:
        """Return the instance of ``facts()``, or one without decisions if ``facts`` is None."""
        return cls(decided=decided) if facts is None else cls(facts["stop"], dict(facts["parts"]), decided)


def listed_rows(rows: Sequence[int]) -> str:
    """Return numbers of rows for a message, at most ten of them."""
    return ", ".join(map(str, rows[:10])) + (f" and {len(rows) - 10:,} more" if len(rows) > 10 else "")
