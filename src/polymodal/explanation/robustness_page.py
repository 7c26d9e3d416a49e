"""Renders the result of ``robustness`` as one HTML page (``robustness.html``) without scripts or requests. All text from data is
escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..evaluation.robustness import MISSING
from ..report.charts import lines
from ..report.document import document
from ..report.document import text as _text

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 70em; margin: 2em auto; padding: 0 1em; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: .5em 0 1em; } th, td { text-align: right; padding: .2em .7em; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; } h2 { margin-top: 2em; } .note { color: #666; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(21em, 1fr)); gap: 1.5em; } svg { width: 100%; height: auto; }
svg text { font-size: 10.5px; fill: #667; } svg .grid { stroke: #d8dde6; } .legend span { margin-right: 1em; font-size: .85em; }
.legend i { display: inline-block; width: .8em; height: .8em; margin-right: .3em; }
"""
_LEGEND = (
    "Severity 0 is the cells as they are. Relative robustness is the area under a curve over its width: the metric, on average over "
    "severities. Effective robustness is how much less is lost than by the baseline. Corruptions of one field leave the others as they are."
)


def page(found: Mapping[str, Any]) -> str:
    """Return the page for what ``robustness`` returns (as plain JSON data)."""
    title = f"What is left when cells go bad: {found['table']}"
    count = f"{found['asked']:,} of {found['with_target']:,} rows with a target (seed {found['seed']})"
    against = "" if found["against"] is None else f"; the baseline: {found['against']}"
    head = f'<h1>{_text(title)}</h1><p>{_text(count)}{_text(against)}.</p><p class="note">{_LEGEND}</p>'
    return document(title, _STYLE, "\n".join([head, *(_target(name, facts) for name, facts in found["targets"].items())]))


def name_of(curve: Mapping[str, Any]) -> str:
    """Return the field of a curve, or "all fields"."""
    return "all fields" if curve["field"] is None else str(curve["field"])


def number(value: float | None) -> str:
    """Return a number with four decimal places, or "-" for None."""
    return "-" if value is None else f"{value:.4f}"


def _target(name: str, facts: Mapping[str, Any]) -> str:
    metric, curves = facts["metric"], facts["curves"]
    whole = facts["whole"][metric]
    out = [f"<h2>{_text(name)}: {_text(metric)} {number(whole)}</h2>", '<div class="charts">']
    for field in dict.fromkeys(curve["field"] for curve in curves):
        mine = [curve for curve in curves if curve["field"] == field and curve["corruption"] != MISSING]
        out.append(_chart(name_of({"field": field}), {curve["corruption"]: curve for curve in mine}, whole, metric, "severity"))
    missing = {name_of(curve): curve for curve in curves if curve["corruption"] == MISSING}
    out += [_chart("missing cells", missing, whole, metric, "share of cells that are missing"), "</div>"]
    for which, heads in ((False, range(1, 6)), (True, [f"{at / 10:g}" for at in range(1, 10)])):
        shown = [curve for curve in curves if (curve["corruption"] == MISSING) == which]
        out.append(_table(heads, shown, metric))
    return "\n".join(out)


def _chart(title: str, curves: Mapping[str, Mapping[str, Any]], whole: float | None, metric: str, across: str) -> str:
    plotted = {name: _points(curve, whole, metric) for name, curve in curves.items()}
    drawing = lines(plotted, across, metric)
    return f"<div><h3>{_text(title)}</h3>{drawing}</div>" if drawing else ""


def _points(curve: Mapping[str, Any], whole: float | None, metric: str) -> list[list[float]]:
    heights = [whole, *(one[metric] for one in curve["metrics"])]
    return [[at, height] for at, height in zip([0, *curve["levels"]], heights, strict=True) if height is not None]


def _table(heads: Sequence[object] | range, curves: Sequence[Mapping[str, Any]], metric: str) -> str:
    rows = [_line("field", "corruption", *map(str, heads), "relative", "effective", tag="th")]
    for curve in curves:
        values = (number(one[metric]) for one in curve["metrics"])
        effective = "-" if curve["effective"] is None else f"{curve['effective']:+.4f}"
        rows.append(_line(name_of(curve), curve["corruption"], *values, number(curve["relative"]), effective))
    return f"<table>{''.join(rows)}</table>"


def _line(*cells: str, tag: str = "td") -> str:
    return "<tr>" + "".join(f"<{tag}>{_text(cell)}</{tag}>" for cell in cells) + "</tr>"
