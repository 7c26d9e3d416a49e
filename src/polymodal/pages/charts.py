"""Charts as inline SVG and HTML: lines, bars, confusion matrices, scatter plots. Text from data is escaped; the charts contain no scripts
and request no files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from .language import Words

COLORS = ("#3366cc", "#dc3912", "#109618", "#ff9900", "#990099", "#0099c6", "#dd4477", "#66aa00", "#b82e2e", "#316395")
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 460, 260, 60, 36, 10

Points = Sequence[Sequence[float]]


def lines(
    translate: Words,
    series: Mapping[str, Points],
    across: str,
    up: str,
    *,
    square: bool = False,
    dots: bool = True,
    families: Mapping[str, str] | None = None,
) -> str:
    """Return a line chart as HTML, or an empty string if no series has a point.

    :param translate: the texts in the language of the page
    :param series: points by name, each ``(x, y)`` or ``(x, y, rows)``; with ``rows``, the size of a dot grows with its share of all rows
    :param across: label of the horizontal axis
    :param up: label of the vertical axis
    :param square: whether both axes range from 0 to 1 and the diagonal is shown
    :param dots: whether each point has a dot; series of more than 60 points have none
    :param families: by name of a series, the name that its color stands for; series that it lacks stand for themselves
    """
    series = {name: points for name, points in series.items() if len(points)}
    if not series:
        return ""
    every = [point for points in series.values() for point in points]
    low_x, high_x = (0.0, 1.0) if square else _range([point[0] for point in every])
    low_y, high_y = (0.0, 1.0) if square else _range([point[1] for point in every])
    place = _Place(low_x, high_x, low_y, high_y)
    parts = [_axes(place, across, up)]
    if square:
        parts.append(f'<path d="M{place.x(0):.1f} {place.y(0):.1f}L{place.x(1):.1f} {place.y(1):.1f}" class="rule" fill="none"/>')
    family = {name: (families or {}).get(name, name) for name in series}
    colors = {one: COLORS[at % len(COLORS)] for at, one in enumerate(dict.fromkeys(family.values()))}
    for name, points in series.items():
        color = colors[family[name]]
        path = "L".join(f"{place.x(point[0]):.1f} {place.y(point[1]):.1f}" for point in points)
        parts.append(f'<path d="M{path}" fill="none" stroke="{color}" stroke-width="2"><title>{escape(name)}</title></path>')
        if dots and len(points) <= 60:
            rows = sum(point[2] for point in points if len(point) > 2)
            labels = [f" ({translate.html('rows_of_a_point', rows=point[2])})" if rows else "" for point in points]
            parts += [
                f'<circle cx="{place.x(point[0]):.1f}" cy="{place.y(point[1]):.1f}" r="{_radius(point, rows):.1f}" fill="{color}" '
                f'fill-opacity="{0.55 if rows else 1}"><title>{escape(name)}: {point[0]:g}, {point[1]:.4g}'
                f"{label}</title></circle>"
                for point, label in zip(points, labels, strict=True)
            ]
    return _figure("".join(parts), f"{up} / {across}") + _legend(colors)


def scatter(points: Points, across: str, up: str) -> str:
    """Return a scatter plot of ``(x, y)`` points as HTML, with the diagonal y = x. Both axes have the same range. Empty if there is no
    point.
    """
    if not points:
        return ""
    low, high = _range([number for point in points for number in point])
    place = _Place(low, high, low, high)
    dots = "".join(
        f'<circle cx="{place.x(x):.1f}" cy="{place.y(y):.1f}" r="2.5" fill="{COLORS[0]}" fill-opacity="0.5">'
        f"<title>{x:g}, {y:g}</title></circle>"
        for x, y in points
    )
    rule = f'<path d="M{place.x(low):.1f} {place.y(low):.1f}L{place.x(high):.1f} {place.y(high):.1f}" class="rule" fill="none"/>'
    return _figure(_axes(place, across, up) + rule + dots, f"{up} / {across}")


def bars(values: Mapping[str, float], best: float | None = None) -> str:
    """Return a horizontal bar for each name as HTML. Bars range from the smaller of 0 and the least value to the greatest value (or
    ``best``, if that is greater). Empty if there is no value.
    """
    if not values:
        return ""
    high, low = max([*values.values(), best or 0.0, 1e-9]), min([*values.values(), 0.0])
    rows = []
    for at, (name, value) in enumerate(values.items()):
        share = 100 * (value - low) / max(high - low, 1e-9)
        rows.append(
            f'<tr><th>{escape(name)}</th><td class="bar"><div style="width:{share:.1f}%;background:{COLORS[at % len(COLORS)]}"></div></td>'
            f"<td>{value:z.4f}</td></tr>"
        )
    return f'<table class="bars">{"".join(rows)}</table>'


def signed_bars(values: Mapping[str, tuple[float, str]]) -> str:
    """Return a horizontal bar for each name as HTML, to the right of a common 0 for positive values and to the left for negative ones.

    :param values: by name, the value and the text shown beside its bar
    """
    if not values:
        return ""
    low, high = min(0.0, *(value for value, _ in values.values())), max(0.0, *(value for value, _ in values.values()))
    whole = max(high - low, 1e-9)
    rows = []
    for name, (value, text) in values.items():
        start, width = 100 * (min(value, 0.0) - low) / whole, 100 * abs(value) / whole
        style = f"margin-left:{start:.1f}%;width:{width:.1f}%;background:{COLORS[0] if value >= 0 else COLORS[3]}"
        rows.append(f'<tr><th>{escape(name)}</th><td class="bar"><div style="{style}"></div></td><td>{escape(text)}</td></tr>')
    return f'<table class="bars">{"".join(rows)}</table>'


def counts(names: Sequence[str], table: Sequence[Sequence[int]]) -> str:
    """Return a confusion matrix as HTML: a row for each true class, a column for each predicted class. The larger a cell's share of its
    row, the darker the cell.

    :param names: the names of the classes (C)
    :param table: the counts (C, C), rows are the truth
    """
    head = "".join(f'<th title="{escape(name, quote=True)}">{escape(_short(name))}</th>' for name in names)
    rows = []
    for name, row in zip(names, table, strict=True):
        total = max(sum(row), 1)
        cells = "".join(
            f'<td style="background:rgba(51,102,204,{count / total:.3f});{"color:#fff" if count / total > 0.55 else ""}">{count or ""}</td>'
            for count in row
        )
        rows.append(f'<tr><th title="{escape(name, quote=True)}">{escape(_short(name))}</th>{cells}</tr>')
    return f'<table class="counts"><tr><td></td>{head}</tr>{"".join(rows)}</table>'


class _Place:
    """Map from data coordinates to pixels of the chart."""

    def __init__(self, low_x: float, high_x: float, low_y: float, high_y: float) -> None:
        self.low_x, self.high_x, self.low_y, self.high_y = low_x, high_x, low_y, high_y

    def x(self, value: float) -> float:
        """Return the distance from the left edge in pixels."""
        return _LEFT + (value - self.low_x) / max(self.high_x - self.low_x, 1e-12) * (_WIDTH - _LEFT - 12)

    def y(self, value: float) -> float:
        """Return the distance from the top edge in pixels."""
        return _HEIGHT - _BOTTOM - (value - self.low_y) / max(self.high_y - self.low_y, 1e-12) * (_HEIGHT - _BOTTOM - _TOP)


def _radius(point: Sequence[float], rows: float) -> float:
    return 2 + 7 * (point[2] / rows) ** 0.5 if rows else 2.5


def _range(numbers: Sequence[float]) -> tuple[float, float]:
    low, high = min(numbers), max(numbers)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _ticks(low: float, high: float) -> dict[float, str]:
    """Return 2 to 8 round numbers between the bounds, with their texts: multiples of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10((high - low) / 7))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power, 20 * power) if (high - low) / step <= 7)
    ticks = [at * step for at in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
    short = [_short_number(tick) for tick in ticks]
    return dict(zip(ticks, short if len(set(short)) == len(short) else [f"{tick:.9g}" for tick in ticks], strict=True))


def _short_number(value: float) -> str:
    """Return a number as text: 1.5M for 1,500,000."""
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if max(unit, 1e4) <= abs(value) < 1e12:
            return f"{value / unit:.4g}{letter}"
    return f"{value:.4g}"


def _axes(place: _Place, across: str, up: str) -> str:
    parts = []
    for y, label in _ticks(place.low_y, place.high_y).items():
        parts.append(f'<path d="M{_LEFT} {place.y(y):.1f}H{_WIDTH - 12}" class="grid"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{place.y(y) + 4:.1f}" text-anchor="end">{label}</text>')
    for x, label in _ticks(place.low_x, place.high_x).items():
        parts.append(f'<text x="{place.x(x):.1f}" y="{_HEIGHT - _BOTTOM + 15}" text-anchor="middle">{label}</text>')
    parts.append(f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 4}" text-anchor="middle">{escape(across)}</text>')
    parts.append(f'<text transform="translate(11 {_HEIGHT / 2}) rotate(-90)" text-anchor="middle">{escape(up)}</text>')
    return "".join(parts)


def _figure(inside: str, label: str) -> str:
    return f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label, quote=True)}">{inside}</svg>'


def _legend(colors: Mapping[str, str]) -> str:
    keys = "".join(f'<span><i style="background:{color}"></i>{escape(name)}</span>' for name, color in colors.items())
    return f'<div class="legend">{keys}</div>'


def _short(name: str) -> str:
    return name if len(name) <= 12 else name[:11] + "…"
