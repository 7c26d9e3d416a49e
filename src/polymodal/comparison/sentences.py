"""The results of a comparison as sentences, with numbers in the metric's own unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..evaluation.paired import FEWEST_ROUNDS, Difference
from ..tasks.metrics import Metric


@dataclass(frozen=True)
class Wording:
    """The notation of a metric's values: shares of rows in percent, errors of numbers with the target's unit.

    :param metric: the metric
    :param unit: the unit of the target; "" = none
    """

    metric: Metric
    unit: str = ""

    def value(self, value: float) -> str:
        """Return a value of the metric with its unit."""
        if self.metric.is_percentage:
            return f"{100 * value:.1f} %"
        return f"{self._plain(value)}{self._after}"

    def change(self, value: float) -> str:
        """Return a signed difference without its unit."""
        return f"{100 * value:+.1f}" if self.metric.is_percentage else self._plain(value, "+")

    def amount(self, value: float) -> str:
        """Return a signed difference with its unit."""
        return f"{self.change(value)} points" if self.metric.is_percentage else f"{self.change(value)}{self._after}"

    @property
    def _after(self) -> str:
        """The unit after a value, or ""."""
        return f" {self.unit}" if self.unit and self.metric.in_unit else ""

    def _plain(self, value: float, sign: str = "") -> str:
        """Return a number without a unit."""
        return f"{value:{sign}.4g}" if self.metric.in_unit else f"{value:{sign}.3f}"


def sentence(name: str, facts: Mapping[str, Any], difference: Difference, wordings: Mapping[str, Wording], basis: str) -> str:
    """Return the result of a target in words.

    :param name: the target
    :param facts: its results: see ``verdict.judged``
    :param difference: the difference between the chosen fusion and the chosen single field
    :param wordings: by metric in ``facts``, the notation of its values
    :param basis: the rounds, rows and trials that it is based on
    """
    wording = wordings[facts["metric"]]
    contenders, alone, fused = facts["contenders"], facts["best_alone"], facts["best_fused"]
    means = f"{fused} {wording.value(contenders[fused]['mean'])}, {alone} {wording.value(contenders[alone]['mean'])}"
    by = wording.amount(difference.mean)
    better = "" if facts["larger_is_better"] else f"; less {wording.metric.name} is better, and above 0 the fusion has less"
    few = facts["rounds"] < FEWEST_ROUNDS
    span = f"95 % interval {wording.change(difference.low)} to {wording.change(difference.high)}"
    if difference.low == -float("inf"):
        span = f"no interval, which takes {FEWEST_ROUNDS} rounds or more" if few else "no interval"
    small = wording.amount(facts["small"]).removeprefix("+")
    heads = {
        "helps": f"fusing helps here, by {by}",
        "harms": f"fusing harms here, by {by}: take {alone}",
        "no difference": f"no evidence that fusing helps here: the difference is {by}, and {small} are ruled out",
        "undecided": f"undecided: no evidence that fusing helps or harms here; the difference, {by}, may be noise",
    }
    why = f" Judged by {facts['metric']}, since {facts['why']}" if facts["why"] else ""
    if why and facts["beside"] is not None:
        beside, usual = facts["beside"], wordings[facts["beside"]["metric"]]
        means_beside = ", ".join(f"{one} {usual.value(beside['means'][one])}" for one in (fused, alone))
        why += f"; {beside['metric']} beside it: {means_beside}"
    other = facts["other_alone"]
    missed = f" {other}, which was not chosen, has {wording.value(contenders[other]['mean'])}." if other is not None else ""
    nothing = (
        ""
        if facts["learned"]
        else f"; no evidence that any field predicts {name!r}: a constant prediction has {wording.value(facts['constant'])}"
    )
    return (
        f"{name}: {heads[facts['verdict']]} ({facts['metric']} of the fusion and the single field that were chosen on the selection rows: "
        f"{means}; {span}{better}){nothing}.{missed}{why}{'.' if why else ''} It rests on {basis}."
    )
