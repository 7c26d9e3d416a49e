"""Renders the result of ``robustness`` as one HTML page (``robustness.html``) without scripts or requests. All text from data is
escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..language import Words
from .axes import Axis
from .charts import lines
from .document import NO_ICON, document, number, scroll, text

MISSING = "missing cells"
"""The corruption of a curve over the share of missing cells, as ``evaluation.robustness`` names it."""


def page(result: Mapping[str, Any], language: str = "auto") -> str:
    """Return the page for what ``robustness`` returns (as plain JSON data).

    :param language: ``"en"``, ``"zh"`` or ``"auto"`` (the locale's)
    """
    translate = Words.of(language)
    title = translate("robustness.title", table=result["table"])
    facts = [translate.html("sampled", sampled=result["asked"], with_target=result["with_target"], seed=result["seed"])]
    if result["against"] is not None:
        facts.append(translate.html("robustness.against", baseline=_baseline(translate, str(result["against"]))))
    legend = translate.html("robustness.legend")
    head = f'<h1>{text(title)}</h1><p>{translate("sentence_space").join(facts)}</p><p class="note">{legend}</p>'
    body = [head, *(_target(translate, name, target) for name, target in result["targets"].items())]
    return document(title, "\n".join(body), translate.language, NO_ICON)


def _baseline(translate: Words, name: str) -> str:
    """Return the name of the baseline: a run, or the model of a single field."""
    return translate("only", field=name.removeprefix("only ")) if name.startswith("only ") else translate.value("baseline", name)


def _field(translate: Words, field: str | None) -> str:
    """Return the name of a curve's field; None = all fields."""
    return translate("all_fields") if field is None else str(field)


def _target(translate: Words, name: str, facts: Mapping[str, Any]) -> str:
    """Return the charts and tables of one target."""
    metric, curves = facts["metric"], facts["curves"]
    whole = facts["whole"][metric]
    out = [f"<h2>{translate.html('colon', name=name, value=f'{metric} {number(whole)}')}</h2>", '<div class="columns">']
    heights = Axis.of(height for curve in curves for _, height in _points(curve, whole, metric))  # one range, to compare the panels
    for field in dict.fromkeys(curve["field"] for curve in curves):
        own = {
            translate.value("corruption", curve["corruption"]): curve
            for curve in curves
            if curve["field"] == field and curve["corruption"] != MISSING
        }
        out.append(_chart(translate, _field(translate, field), own, whole, metric, heights, translate("robustness.severity")))
    missing = {_field(translate, curve["field"]): curve for curve in curves if curve["corruption"] == MISSING}
    across = translate("robustness.share_missing")
    out += [_chart(translate, translate("robustness.missing"), missing, whole, metric, heights, across), "</div>"]
    for which, heads in ((False, range(1, 6)), (True, [f"{at / 10:g}" for at in range(1, 10)])):
        shown = [curve for curve in curves if (curve["corruption"] == MISSING) == which]
        out.append(_table(translate, heads, shown, metric))
    return "\n".join(out)


def _chart(
    translate: Words,
    title: str,
    curves: Mapping[str, Mapping[str, Any]],
    whole: float | None,
    metric: str,
    heights: Axis,
    across: str,
) -> str:
    """Return a chart of curves by name; empty if no metric is defined.

    :param heights: the vertical axis of all charts of the target
    """
    points = {name: _points(curve, whole, metric) for name, curve in curves.items()}
    chart = lines(translate, points, across, metric, heights=heights)
    return f'<div class="card"><h3>{text(title)}</h3>{chart}</div>' if chart else ""


def _points(curve: Mapping[str, Any], whole: float | None, metric: str) -> list[list[float]]:
    """Return the points of a curve, from the cells as they are to the strongest corruption, where the metric is defined."""
    heights = [whole, *(one[metric] for one in curve["metrics"])]
    return [[at, height] for at, height in zip([0, *curve["levels"]], heights, strict=True) if height is not None]


def _table(translate: Words, heads: Sequence[object] | range, curves: Sequence[Mapping[str, Any]], metric: str) -> str:
    """Return a table with a row for each curve; effective robustness is a column if there is a baseline."""
    has_effective = any(curve["effective"] is not None for curve in curves)
    ends = [translate("robustness.relative"), *([translate("robustness.effective")] if has_effective else [])]
    rows = [_line(translate("field"), translate("robustness.corruption"), *map(str, heads), *ends, tag="th")]
    for curve in curves:
        names = _field(translate, curve["field"]), translate.value("corruption", curve["corruption"])
        values = (number(one[metric]) for one in curve["metrics"])
        effective = [number(curve["effective"], True)] if has_effective else []
        rows.append(_line(*names, *values, number(curve["relative"]), *effective))
    return scroll(f'<table class="labels">{"".join(rows)}</table>', wide=True)


def _line(*cells: str, tag: str = "td") -> str:
    """Return a row of an HTML table; the cells are plain text."""
    return f"<tr{' class=heads' if tag == 'th' else ''}>" + "".join(f"<{tag}>{text(cell)}</{tag}>" for cell in cells) + "</tr>"
