"""Times two ways of doing the same work in one run: interleaved, in wall time and in CPU seconds, as ratios."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Seconds = tuple[float, float]
"""Wall time and CPU time of this process."""


@dataclass(frozen=True)
class Figure:
    """One figure of the table that ``benchmarks/bench.py`` prints.

    :param name: what is compared
    :param ratio: the median ratio; its meaning is in the name
    :param low: the smallest ratio of one repetition
    :param high: the largest one
    :param least: the ratio that is required at least; None = see ``most``
    :param most: the ratio that is required at most
    :param facts: wall and CPU seconds of both sides, and other values
    """

    name: str
    ratio: float
    low: float
    high: float
    least: float | None = None
    most: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return the figure as JSON data."""
        return asdict(self)

    def line(self) -> str:
        """Return a row of the table."""
        asked = f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}" if self.most is not None else ""
        return f"| {self.name} | {self.ratio:.2f} | {self.low:.2f} to {self.high:.2f} | {asked} |"


def timed(work: Callable[[], object]) -> Seconds:
    """Return how long a function takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def interleaved(sides: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[Seconds]]:
    """Return the times of each side, once for each repetition, after one call of each that is not counted.

    The sides take turns, and every other repetition begins with the last one, so that a change of the machine's speed affects all alike.
    """
    for work in sides.values():
        work()
    times: dict[str, list[Seconds]] = {name: [] for name in sides}
    for at in range(repeats):
        for name in list(sides)[:: 1 if at % 2 == 0 else -1]:
            times[name].append(timed(sides[name]))
    return times


def figure(
    name: str, times: Mapping[str, list[Seconds]], over: str, under: str, *, least: float | None = None, most: float | None = None,
    facts: Mapping[str, Any] | None = None, by_cpu: bool = False,
) -> Figure:  # fmt: skip
    """Return the figure whose ratio is the time of ``over``, divided by that of ``under``, in the same repetition.

    :param by_cpu: whether CPU seconds are divided instead of wall time
    """
    pairs = zip(times[over], times[under], strict=True)
    ratios = [above[by_cpu] / below[by_cpu] for above, below in pairs]
    seconds = {
        side: {"wall": statistics.median(one[0] for one in of_side), "cpu": statistics.median(one[1] for one in of_side)}
        for side, of_side in times.items()
    }  # fmt: skip
    return Figure(
        name, statistics.median(ratios), min(ratios), max(ratios), least, most,
        {"seconds": seconds, "load": os.getloadavg()[0], **(facts or {})},
    )  # fmt: skip
