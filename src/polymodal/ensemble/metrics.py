"""The metrics of an ensemble on validation rows, as dataclasses. ``facts()`` returns them as plain data for ``metrics.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..evaluation.calibration import Calibration, PooledScale
from ..tasks.metrics import Metrics


@dataclass(frozen=True)
class PresentMetrics:
    """The metrics of a model with some of its fields; the others are hidden.

    :param fields: the fields that are present
    :param tasks: the metrics by task
    """

    fields: Sequence[str]
    tasks: Mapping[str, Metrics]

    def facts(self) -> dict[str, Any]:
        """Return the fields as plain data for ``metrics.json``."""
        return {"fields": list(self.fields), "tasks": self.tasks}


@dataclass(frozen=True)
class ValidationMetrics:
    """The metrics of an ensemble on validation rows. Parts that were not computed are None, and are not written.

    :param rows: the number of rows
    :param tasks: the metrics by task
    :param hidden: by field, the metrics by task if this field is hidden
    :param present: the metrics of every set of fields, if there are few enough fields
    :param shapley: by task, the metric divided among the fields (``evaluation.shapley.shares_of_metrics``), likewise
    :param calibration: by task, the calibration without and with the scale of the vote weights
    :param pooled: by task, the scale of the mean of several members, and its metrics on the calibration rows
    """

    rows: int
    tasks: Mapping[str, Metrics]
    hidden: Mapping[str, Mapping[str, Metrics]] | None = None
    present: Sequence[PresentMetrics] | None = None
    shapley: Mapping[str, Any] | None = None
    calibration: Mapping[str, Calibration] | None = None
    pooled: Mapping[str, PooledScale] | None = None

    def facts(self) -> dict[str, Any]:
        """Return the parts that were computed as plain data for ``metrics.json``."""
        facts: dict[str, Any] = {"rows": self.rows, "tasks": self.tasks}
        if self.hidden is not None:
            facts["hidden"] = self.hidden
        if self.present is not None:
            facts["present"] = [one.facts() for one in self.present]
        if self.shapley is not None:
            facts["shapley"] = self.shapley
        if self.calibration is not None:
            facts["calibration"] = {name: one.facts for name, one in self.calibration.items()}
        if self.pooled is not None:
            facts["pooled"] = {name: scale.facts() for name, scale in self.pooled.items()}
        return facts
