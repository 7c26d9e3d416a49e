"""The axes of charts: ranges that end at round numbers, ticks at multiples of 1, 2 or 5 times a power of ten, and their SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

WIDTH, HEIGHT = 380, 230
"""The size of a chart in its own units."""
_RIGHT, _BOTTOM, _TOP = 16, 22, 10
_LETTER = 6.6
"""The width of a digit in these units."""
_STEPS = 6
"""The maximum number of steps between the ticks of an axis."""


@dataclass(frozen=True)
class Axis:
    """The range of an axis, which begins and ends at a tick."""

    low: float
    high: float
    ticks: dict[float, str]
    """The texts of the ticks by their position, in ascending order."""

    @classmethod
    def of(cls, numbers: Iterable[float]) -> Axis:
        """Return the smallest axis with round ticks that contains the numbers. If all of them are whole, so are the ticks.

        Numbers that are not finite are ignored. An axis over one number, or over none, begins or ends at 0.
        """
        finite = [number for number in numbers if math.isfinite(number)] or [0.0]
        low, high = max(min(finite), -1e300), min(max(finite), 1e300)
        if high - low <= max(1e-12 * max(abs(low), abs(high)), 1e-290):
            low, high = (0.0, 1.0) if abs(high) < 1e-280 else (min(0.0, low), max(0.0, high))
        step = _step(high - low)
        if all(number == int(number) for number in finite):
            step = max(step, 1.0)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        places = [at * step for at in range(first, last + 1)]
        short = [_short(place) for place in places]
        texts = short if len(set(short)) == len(short) else [f"{place:.9g}" for place in places]
        return cls(places[0], places[-1], dict(zip(places, texts, strict=True)))


class Place:
    """The map from data to the units of a chart, with room for the texts of the vertical axis."""

    def __init__(self, across: Axis, up: Axis) -> None:
        self.across, self.up = across, up
        self.left = 10 + _LETTER * max(map(len, up.ticks.values()))

    def x(self, value: float) -> float:
        """Return the distance from the left edge."""
        return self.left + (value - self.across.low) / (self.across.high - self.across.low) * (WIDTH - self.left - _RIGHT)

    def y(self, value: float) -> float:
        """Return the distance from the top edge."""
        return HEIGHT - _BOTTOM - (value - self.up.low) / (self.up.high - self.up.low) * (HEIGHT - _BOTTOM - _TOP)

    def svg(self) -> str:
        """Return the ticks of both axes, and the lines of the vertical one, as SVG."""
        parts = []
        for y, label in self.up.ticks.items():
            parts.append(f'<path d="M{self.left:.1f} {self.y(y):.1f}H{WIDTH - _RIGHT}" class="grid"/>')
            parts.append(f'<text x="{self.left - 6:.1f}" y="{self.y(y) + 4:.1f}" text-anchor="end">{label}</text>')
        for x, label in self.across.ticks.items():
            parts.append(f'<text x="{self.x(x):.1f}" y="{HEIGHT - 5}" text-anchor="middle">{label}</text>')
        return "".join(parts)


def _step(width: float) -> float:
    """Return the smallest step of 1, 2 or 5 times a power of ten by which a width has at most ``_STEPS`` steps."""
    power = 10.0 ** math.floor(math.log10(width / _STEPS))
    return next(step for step in (power, 2 * power, 5 * power, 10 * power, 20 * power) if width / step <= _STEPS + 1e-9)


def _short(value: float) -> str:
    """Return a number as text: 1.5M for 1,500,000."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if max(unit, 1e4) <= abs(value) < 1e12:
            return f"{value / unit:.4g}{letter}"
    return f"{value:.4g}"


UNIT = Axis.of([0, 0.5, 1])
"""The axis from 0 to 1."""
