"""The metrics of a run, as dataclasses. ``facts()`` returns them as plain data for ``metrics.json`` and the bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..ensemble.diagnosis import Diagnosis
from ..ensemble.finding import TargetComparison
from ..ensemble.leaderboard import Entry
from ..ensemble.metrics import ValidationMetrics
from ..ensemble.plan import Plan
from ..evaluation.conformal import KeptErrors
from ..tasks.metrics import Metrics


@dataclass(frozen=True)
class RowCounts:
    """The numbers of rows of a run.

    :param table: the rows of the training table
    :param training: the training rows of the first member
    :param selection: the rows that select the epoch and are not validation rows
    :param calibration: the rows on which the scale of the mean of several members is fitted
    :param without_target: the rows of the training table without the target, by task
    """

    table: int
    training: int
    selection: int
    calibration: int
    without_target: Mapping[str, int]


@dataclass(frozen=True)
class MemberMetrics:
    """The training of one member.

    :param epoch: the number of the epoch whose weights are kept
    :param epochs: the maximum number of epochs
    :param stopped: the reason why training ended
    """

    epoch: int
    epochs: int
    stopped: str


@dataclass(frozen=True)
class Seconds:
    """The seconds of a run.

    :param fused: until the model of all fields was trained and measured
    :param total: until the end; None = the run has not ended
    """

    fused: float
    total: float | None = None

    def facts(self) -> dict[str, float]:
        """Return the fields as plain data for ``metrics.json``, without ``total`` if the run has not ended."""
        return {"fused": self.fused} if self.total is None else {"fused": self.fused, "total": self.total}


@dataclass(frozen=True)
class BaselineMetrics:
    """The metrics of the model of a single field.

    :param validation: its metrics on validation rows
    :param folds: the number of its members
    :param seconds: the seconds that it took
    :param fused: the metrics of the model of all fields on the same rows, by task; None = both were measured on all validation rows
    """

    validation: ValidationMetrics
    folds: int
    seconds: float
    fused: Mapping[str, Metrics] | None = None

    def facts(self) -> dict[str, Any]:
        """Return the metrics as plain data for ``metrics.json``."""
        facts = {**self.validation.facts(), "folds": self.folds, "seconds": self.seconds}
        return facts if self.fused is None else {**facts, "fused": self.fused}


@dataclass(frozen=True)
class RunMetrics:
    """The metrics of a run. Parts that are not computed yet are None, and are not written.

    :param rows: the numbers of rows
    :param validation: the metrics of the model of all fields on validation rows
    :param conformal: by task, the errors from which prediction sets are made, and the ``scale`` of the mean of several members
    :param plan: the plan of the training
    :param seconds: the seconds that the run took
    :param members: the training of each member
    :param seed: the random seed
    :param baselines: the metrics of the model of each single field
    :param balance: the diagnosis of fields that stopped learning
    :param finding: a sentence for each target, one a line
    :param comparison: by task, the facts of these sentences
    :param test: the metrics on the test table or the test rows; None = there are none, or they could not be measured
    :param leaderboard: by task, the model, its votes and the models of single fields, the best first
    :param single: by task, each member of an ensemble of several on its own validation rows
    """

    rows: RowCounts
    validation: ValidationMetrics
    conformal: Mapping[str, KeptErrors]
    plan: Plan
    seconds: Seconds
    members: Sequence[MemberMetrics]
    seed: int
    baselines: Mapping[str, BaselineMetrics] = field(default_factory=dict)
    balance: Diagnosis | None = None
    finding: str | None = None
    comparison: Mapping[str, TargetComparison] | None = None
    test: Mapping[str, Any] | None = None
    leaderboard: Mapping[str, Sequence[Entry]] | None = None
    single: Mapping[str, Sequence[Entry]] | None = None

    def facts(self) -> dict[str, Any]:
        """Return the parts that were computed as plain data for ``metrics.json``."""
        facts: dict[str, Any] = {
            "rows": asdict(self.rows),
            "validation": self.validation.facts(),
            "baselines": {name: one.facts() for name, one in self.baselines.items()},
            "conformal": self.conformal,
            "plan": self.plan.facts(),
            "seconds": self.seconds.facts(),
            "members": [asdict(one) for one in self.members],
            "seed": self.seed,
        }
        if self.balance is not None:
            facts["balance"] = {name: {task: asdict(one) for task, one in by_task.items()} for name, by_task in self.balance.items()}
        if self.finding is not None:
            facts["finding"] = self.finding
        if self.comparison is not None:
            facts["comparison"] = {name: one.facts() for name, one in self.comparison.items()}
        if self.leaderboard is not None:
            facts["leaderboard"] = {name: [entry.facts() for entry in entries] for name, entries in self.leaderboard.items()}
        if self.single is not None:
            facts["leaderboard_members"] = {name: [entry.facts() for entry in entries] for name, entries in self.single.items()}
        if self.test is not None:
            facts["test"] = self.test
        return facts
