"""Charts as inline SVG and HTML: lines, scatter plots, bars. Text from data is escaped; the charts contain no scripts and request no
files.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..language import Words
from .axes import HEIGHT, UNIT, WIDTH, Axis, Place
from .document import number, text

COLORS = tuple(f"var(--c{at})" for at in range(10))
"""The colors of series: variables of the stylesheet, which has brighter ones for dark pages."""
_DASHES = ("", "7 3", "2 2", "9 3 2 3", "14 4", "1 5", "9 2 2 2 2 2", "4 7", "16 3 4 3", "4 2")
"""The dashes of the lines of folds."""

Points = Sequence[Sequence[float]]


def lines(
    translate: Words,
    series: Mapping[str, Points],
    across: str,
    up: str,
    *,
    square: bool = False,
    rule: bool = False,
    dots: bool = True,
    heights: Axis | None = None,
    families: Mapping[str, str] | None = None,
    folds: Mapping[str, str] | None = None,
) -> str:
    """Return a line chart as HTML, or an empty string if no series has a point.

    :param translate: the texts in the language of the page
    :param series: points by name, each ``(x, y)`` or ``(x, y, rows)``; with ``rows``, the size of a dot grows with its share of all rows
    :param across: label of the horizontal axis
    :param up: label of the vertical axis
    :param square: whether both axes range from 0 to 1
    :param rule: whether the diagonal is shown
    :param dots: whether each point has a dot; series of more than 60 points have none
    :param heights: the vertical axis; None = that of the points
    :param families: by name of a series, the name that its color stands for; series that it lacks stand for themselves
    :param folds: by name of a series, the name that the dashes of its line stand for; series that it lacks have a solid line
    """
    series = {name: [point for point in points if all(map(math.isfinite, point))] for name, points in series.items()}
    series = {name: points for name, points in series.items() if points}
    if not series:
        return ""
    every = [point for points in series.values() for point in points]
    x_axis = UNIT if square else Axis.of(point[0] for point in every)
    place = Place(x_axis, UNIT if square else heights or Axis.of(point[1] for point in every))
    parts = [place.svg(), _diagonal(place) if rule else ""]
    families, folds = {name: name for name in series} | dict(families or {}), folds or {}
    colors = {one: COLORS[at % len(COLORS)] for at, one in enumerate(dict.fromkeys(families[name] for name in series))}
    dashes = {one: _DASHES[at % len(_DASHES)] for at, one in enumerate(dict.fromkeys(folds[name] for name in series if name in folds))}
    for name, points in series.items():
        color, dash = colors[families[name]], dashes.get(folds.get(name, ""), "")
        path = "L".join(f"{place.x(point[0]):.1f} {place.y(point[1]):.1f}" for point in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        parts.append(f'<path d="M{path}" class="line" style="stroke:{color}"{dashed}><title>{text(name)}</title></path>')
        if dots and len(points) <= 60:
            rows = sum(point[2] for point in points if len(point) > 2)
            labels = [f" ({translate.html('rows_of_a_point', rows=point[2])})" if rows else "" for point in points]
            parts += [
                f'<circle cx="{place.x(point[0]):.1f}" cy="{place.y(point[1]):.1f}" r="{_radius(point, rows):.1f}" style="fill:{color}" '
                f'fill-opacity="{0.55 if rows else 1}"><title>{text(name)}: {point[0]:g}, {point[1]:.4g}'
                f"{label}</title></circle>"
                for point, label in zip(points, labels, strict=True)
            ]
    keys = (
        {name: f'<i style="background:{color}"></i>' for name, color in colors.items()} if len(colors) > 1 or colors.keys() != {up} else {}
    )
    return _figure("".join(parts), across, up) + _legend(keys) + _legend(_samples(dashes))


def scatter(points: Points, across: str, up: str) -> str:
    """Return a scatter plot of ``(x, y)`` points as HTML, with the diagonal y = x. Both axes have the same range. Empty if there is no
    point.
    """
    points = [point for point in points if all(map(math.isfinite, point))]
    if not points:
        return ""
    axis = Axis.of(number for point in points for number in point)
    place = Place(axis, axis)
    dots = "".join(
        f'<circle cx="{place.x(x):.1f}" cy="{place.y(y):.1f}" r="2.5" style="fill:{COLORS[0]}" fill-opacity="0.5">'
        f"<title>{x:g}, {y:g}</title></circle>"
        for x, y in points
    )
    return _figure(place.svg() + _diagonal(place) + dots, across, up)


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
            f'<tr><th>{text(name)}</th><td class="bar"><div style="width:{share:.1f}%;background:{COLORS[at % len(COLORS)]}"></div></td>'
            f"<td>{number(value)}</td></tr>"
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
    for name, (value, beside) in values.items():
        start, width = 100 * (min(value, 0.0) - low) / whole, 100 * abs(value) / whole
        style = f"margin-left:{start:.1f}%;width:{width:.1f}%;background:{COLORS[0] if value >= 0 else COLORS[3]}"
        rows.append(f'<tr><th>{text(name)}</th><td class="bar"><div style="{style}"></div></td><td>{text(beside)}</td></tr>')
    return f'<table class="bars">{"".join(rows)}</table>'


def _radius(point: Sequence[float], rows: float) -> float:
    return 2 + 7 * (point[2] / rows) ** 0.5 if rows else 2.2


def _diagonal(place: Place) -> str:
    """Return the line of y = x, where both axes have the same range."""
    low, high = place.across.low, place.across.high
    return f'<path d="M{place.x(low):.1f} {place.y(low):.1f}L{place.x(high):.1f} {place.y(high):.1f}" class="rule" fill="none"/>'


def _figure(inside: str, across: str, up: str) -> str:
    """Return a chart with the labels of its axes as text above and below it, which wraps and keeps its size on a narrow screen."""
    svg = f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(f"{up} / {across}")}">{inside}</svg>'
    return f'<div class="axis">{text(up)}</div>{svg}<div class="axis across">{text(across)}</div>'


def _samples(dashes: Mapping[str, str]) -> dict[str, str]:
    """Return a short line for each name as SVG; none for a single name."""
    if len(dashes) < 2:
        return {}
    return {
        name: f'<svg class="key" width="30" height="8" aria-hidden="true"><path d="M0 4H30" stroke-dasharray="{dash or "none"}"/></svg>'
        for name, dash in dashes.items()
    }


def _legend(samples: Mapping[str, str]) -> str:
    """Return the meaning of samples (HTML) by name; empty if there is none."""
    keys = "".join(f"<span>{sample}{text(name)}</span>" for name, sample in samples.items())
    return f'<div class="legend">{keys}</div>' if keys else ""
