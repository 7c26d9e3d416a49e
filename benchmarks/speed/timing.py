"""Times two ways of doing the same work in one run: interleaved, in wall time and in CPU seconds, as ratios."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from polymodal.training.events import EpochEvent, Event
from polymodal.training.observers import Observer

Seconds = tuple[float, float | None]
"""Wall time, and CPU time of this process; None = not measured."""


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
        required = f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}" if self.most is not None else ""
        return f"| {self.name} | {self.ratio:.2f} | {self.low:.2f} to {self.high:.2f} | {required} |"


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
    for _, name in turns(list(sides), repeats):
        times[name].append(timed(sides[name]))
    return times


def turns(sides: Sequence[str], repeats: int) -> Iterator[tuple[int, str]]:
    """Yield each repetition, from 0, with each side; every other repetition begins with the last side."""
    for at in range(repeats):
        for name in sides[:: 1 if at % 2 == 0 else -1]:
            yield at, name


class Epochs(Observer):
    """Collects the wall time of each epoch of a run."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        """The seconds of each epoch, without its validation."""

    def observe(self, event: Event) -> None:
        """Add the seconds of an epoch; other events are ignored."""
        if isinstance(event, EpochEvent):
            self.seconds.append(event.seconds)


def accuracy_facts(accuracies: Mapping[str, Sequence[float]], first: str, second: str) -> dict[str, float]:
    """Return the mean accuracy of each side, and the mean of ``second`` minus ``first`` with its standard error.

    :param accuracies: by side, the accuracy (0 to 1) of each seed, in the order of the seeds
    """
    means = {side: statistics.mean(values) for side, values in accuracies.items()}
    differences = [after - before for before, after in zip(accuracies[first], accuracies[second], strict=True)]
    error = statistics.stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else float("nan")
    return {**means, "difference": statistics.mean(differences), "standard error": error}


def figure(
    name: str, times: Mapping[str, list[Seconds]], over: str, under: str, *, least: float | None = None, most: float | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Figure:  # fmt: skip
    """Return the figure whose ratio is the wall time of ``over``, divided by that of ``under``, in the same repetition."""
    ratios = [above[0] / below[0] for above, below in zip(times[over], times[under], strict=True)]
    seconds = {}
    for side, of_side in times.items():
        cpu = [one[1] for one in of_side if one[1] is not None]
        seconds[side] = {"wall": statistics.median(one[0] for one in of_side), "cpu": statistics.median(cpu) if cpu else None}
    return Figure(
        name, statistics.median(ratios), min(ratios), max(ratios), least, most,
        {"seconds": seconds, "load": os.getloadavg()[0], **(facts or {})},
    )  # fmt: skip
