"""The plan of a training: how many members, epochs and baselines fit in the available time.

With a time limit the plan follows from measured seconds, without one from a fixed rule. A run records its plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..flow import FUSED
from ..language import Sentence

USUAL_SECONDS = 420.0
"""The maximum time in seconds that a run without a time limit takes on two cores, as ``usual_plan`` estimates it."""
_PACE = 2.4e9
"""Multiply-adds per second at which two cores train."""
_ROW = 1e6
"""Multiply-adds that each row costs, whatever it contains."""
RESERVE = 0.06
"""The fraction of a time limit that is reserved for measuring and saving."""


LEAST_SECONDS = 1.0
"""The seconds that must be left within a time limit for models of a single field to be started."""
_TREES = 0.2
"""The fraction of a time limit that boosted trees get at most if there is no time for half of the epochs of a network beside them."""


@dataclass(frozen=True)
class Trial:
    """The measurements of some steps of one model.

    :param batch_size: the number of rows of a step
    :param step: the seconds of a step
    :param row: the seconds of validating one row
    :param size: the bytes of the weights
    """

    batch_size: int
    step: float
    row: float
    size: int

    def epoch(self, rows: int, validated: int) -> float:
        """Return the estimated seconds of an epoch over ``rows`` training rows, with validation on ``validated`` rows."""
        return 1.1 * (self.step * -(-rows // self.batch_size) + self.row * validated)


@dataclass(frozen=True)
class Plan:
    """The number of models to train, and the number of epochs of each.

    :param members: the number of models of all fields
    :param baseline_members: the number of models of each single field
    :param epochs: the maximum number of epochs of each model
    :param share: the estimated seconds of one epoch of one model, by single field, and under "" for all fields; {} = not estimated
    :param trees: the estimated seconds of the boosted trees of one model
    """

    members: int
    baseline_members: int
    epochs: int
    share: Mapping[str, float]
    trees: float = 0.0

    def facts(self) -> dict[str, Any]:
        """Return the fields as plain data for ``metrics.json``."""
        return asdict(self)

    def cost(self, name: str) -> float:
        """Return the estimated seconds of one model of a single field, or of all fields (``name`` = ""), over all epochs.

        Without an estimate, every epoch counts as one second.
        """
        return self.share.get(name, 1.0) * self.epochs

    def reserved(self, names: Iterable[str], models: int, pace: float = 1.0) -> float:
        """Return the seconds to leave for models of single fields that are trained later: their estimate, but enough to start each field.

        :param names: the fields
        :param models: the number of models of each field
        :param pace: the factor on the estimates (see ``Pace``)
        """
        return sum(max(pace * models * self.cost(name), 2 * LEAST_SECONDS) for name in names)


def plan_note(plan: Plan, members: int, rows: int) -> Sentence:
    """Return the plan in words.

    :param members: the number of folds, or 1
    :param rows: the number of training rows of one model
    """
    models = Sentence("plan.models", models=plan.members) if plan.members > 1 else Sentence("plan.one_model")
    epochs = Sentence("plan.one_epoch") if plan.epochs == 1 else Sentence("plan.epochs", epochs=plan.epochs)
    more: list[Sentence] = []
    if 0 < plan.baseline_members < plan.members:
        more.append(Sentence("plan.alone", models=plan.baseline_members))
    if plan.members < members:
        more.append(Sentence("plan.folds", folds=members))
    return Sentence.joined([Sentence("plan", models=models, rows=rows, epochs=epochs), *more])


class Pace:
    """The seconds that networks took, compared with their estimates, by which the estimates of the next networks are corrected."""

    def __init__(self) -> None:
        self._seconds = self._of_epochs = self._of_networks = 0.0

    def add(self, seconds: float, epochs: int, planned: int, share: float) -> None:
        """Add a trained network.

        :param seconds: the seconds of its training
        :param epochs: the number of epochs that it was trained for
        :param planned: the maximum number of epochs
        :param share: the estimated seconds of an epoch
        """
        self._seconds += seconds
        self._of_epochs += epochs * share
        self._of_networks += planned * share

    @property
    def network(self) -> float:
        """The seconds of a network divided by the estimate for all its epochs; 1 if no network has been trained."""
        return self._seconds / self._of_networks if self._of_networks > 0 else 1.0

    @property
    def epoch(self) -> float:
        """The seconds of an epoch divided by its estimate; 1 if no network has been trained."""
        return self._seconds / self._of_epochs if self._of_epochs > 0 else 1.0


def usual_plan(
    members: int, epochs: int, baselines: bool, rows: int, costs: Mapping[str, float], trees: float = 0.0, is_bounded: bool = True
) -> Plan:
    """Return the plan of a run without a time limit: the largest one that takes at most ``USUAL_SECONDS`` on two cores.

    Seconds are estimated by a fixed rule, not measured, so that the plan is the same on every machine. Epochs are never reduced.

    :param members: the number of folds, or 1
    :param baselines: whether models of single fields are trained
    :param rows: the number of training rows of one model
    :param costs: the multiply-adds of training on one row, by field (``Modality.cost_of_training``)
    :param trees: the seconds of the boosted trees of one model of all fields
    :param is_bounded: whether the time is bounded; if not, nothing is left out
    """
    seconds = usual_seconds(rows, costs)
    alone = _seconds_of_single_fields(seconds) if baselines else 0.0
    for all_fields, single_field in _choices(members):
        if not is_bounded or epochs * (all_fields * seconds[FUSED] + single_field * alone) <= USUAL_SECONDS:
            break
    return Plan(all_fields, single_field if baselines else 0, epochs, {}, trees)


def usual_seconds(rows: int, costs: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of one epoch by a fixed rule: under "" for all fields, and by single field.

    :param rows: the number of training rows of one model
    :param costs: the multiply-adds of training on one row, by field
    """
    return {name: rows * (cost + _ROW) / _PACE for name, cost in {FUSED: sum(costs.values()), **costs}.items()}


def fewest_epochs(epochs: int) -> int:
    """Return the minimum number of epochs to which a limited time may shorten a model of so many epochs, unless it is the only one."""
    return min(epochs, max(5, -(-epochs // 2)))


def _choices(members: int) -> list[tuple[int, int]]:
    """Return the numbers of models of all fields and of each single field, in descending order. Baselines are reduced first."""
    few = min(3, members)
    return [(members, members), (members, 1), (few, 1), (1, 1)]


def _seconds_of_single_fields(seconds: Mapping[str, float]) -> float:
    """Return the seconds of one epoch of every single field."""
    return sum(value for name, value in seconds.items() if name != FUSED)


def make_plan(members: int, epochs: int, baselines: bool, seconds: Mapping[str, float], budget: float, trees: float = 0.0) -> Plan:
    """Return the largest plan that fits a number of seconds.

    The number of models of single fields is reduced first, then that of models of all fields, then the number of epochs, and below half
    of the epochs the time of the boosted trees, which stop at a deadline.

    :param members: the number of folds, or 1
    :param baselines: whether models of single fields are trained
    :param seconds: the seconds of one epoch, by single field, and under "" for all fields
    :param budget: the available seconds
    :param trees: the seconds of the boosted trees of one model of all fields
    """
    alone = _seconds_of_single_fields(seconds) if baselines else 0.0

    def an_epoch(all_fields: int, single_field: int) -> float:
        return all_fields * seconds[FUSED] + single_field * alone

    few = min(3, members)
    for all_fields, choice in _choices(members)[:3]:
        single_field = choice if baselines else 0
        if epochs * an_epoch(all_fields, single_field) + all_fields * trees <= budget:
            return Plan(all_fields, single_field, epochs, dict(seconds), trees)
    single_field = 1 if baselines else 0
    fewest = fewest_epochs(epochs)

    def fitting(all_fields: int, trees: float) -> int:
        return int((budget - all_fields * trees) / max(an_epoch(all_fields, single_field), 1e-9))

    if fitting(few, trees) >= fewest:
        return Plan(few, single_field, min(epochs, fitting(few, trees)), dict(seconds), trees)
    trees = max(0.0, min(trees, max(_TREES * budget, budget - fewest * an_epoch(1, single_field))))
    return Plan(1, single_field, max(1, min(epochs, fitting(1, trees))), dict(seconds), trees)
