"""Renders the result of ``robustness`` as one HTML page (``robustness.html``) without scripts or requests. All text from data is
escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .charts import lines
from .document import document, number, text
from .language import Words

MISSING = "missing cells"
"""The corruption of a curve over the share of missing cells, as ``evaluation.robustness`` names it."""


def page(result: Mapping[str, Any], language: str = "auto") -> str:
    """Return the page for what ``robustness`` returns (as plain JSON data).

    :param language: ``"en"``, ``"zh"`` or ``"auto"`` (the locale's)
    """
    say = Words.of(language)
    title = say("robustness.title", table=result["table"])
    facts = [say.html("sampled", sampled=result["asked"], with_target=result["with_target"], seed=result["seed"])]
    if result["against"] is not None:
        facts.append(say.html("robustness.against", baseline=_baseline(say, str(result["against"]))))
    head = f'<h1>{text(title)}</h1><p>{say("sentence_space").join(facts)}</p><p class="note">{say.html("robustness.legend")}</p>'
    body = [head, *(_target(say, name, target) for name, target in result["targets"].items())]
    return document(title, "\n".join(body), say.language)


def _baseline(say: Words, name: str) -> str:
    """Return the name of the baseline: a run, or the model of a single field."""
    return say("only", field=name.removeprefix("only ")) if name.startswith("only ") else say.value("baseline", name)


def _field(say: Words, field: str | None) -> str:
    """Return the name of a curve's field; None = all fields."""
    return say("all_fields") if field is None else str(field)


def _target(say: Words, name: str, facts: Mapping[str, Any]) -> str:
    """Return the charts and tables of one target."""
    metric, curves = facts["metric"], facts["curves"]
    whole = facts["whole"][metric]
    out = [f"<h2>{say.html('colon', name=name, value=f'{metric} {number(whole)}')}</h2>", '<div class="columns">']
    for field in dict.fromkeys(curve["field"] for curve in curves):
        own = {
            say.value("corruption", curve["corruption"]): curve
            for curve in curves
            if curve["field"] == field and curve["corruption"] != MISSING
        }
        out.append(_chart(say, _field(say, field), own, whole, metric, say("robustness.severity")))
    missing = {_field(say, curve["field"]): curve for curve in curves if curve["corruption"] == MISSING}
    out += [_chart(say, say("robustness.missing"), missing, whole, metric, say("robustness.share_missing")), "</div>"]
    for which, heads in ((False, range(1, 6)), (True, [f"{at / 10:g}" for at in range(1, 10)])):
        shown = [curve for curve in curves if (curve["corruption"] == MISSING) == which]
        out.append(_table(say, heads, shown, metric))
    return "\n".join(out)


def _chart(say: Words, title: str, curves: Mapping[str, Mapping[str, Any]], whole: float | None, metric: str, across: str) -> str:
    """Return a chart of curves by name; empty if no metric is defined."""
    chart = lines(say, {name: _points(curve, whole, metric) for name, curve in curves.items()}, across, metric)
    return f"<div><h3>{text(title)}</h3>{chart}</div>" if chart else ""


def _points(curve: Mapping[str, Any], whole: float | None, metric: str) -> list[list[float]]:
    """Return the points of a curve, from the cells as they are to the strongest corruption, where the metric is defined."""
    heights = [whole, *(one[metric] for one in curve["metrics"])]
    return [[at, height] for at, height in zip([0, *curve["levels"]], heights, strict=True) if height is not None]


def _table(say: Words, heads: Sequence[object] | range, curves: Sequence[Mapping[str, Any]], metric: str) -> str:
    """Return a table with a row for each curve."""
    ends = say("robustness.relative"), say("robustness.effective")
    rows = [_line(say("field"), say("robustness.corruption"), *map(str, heads), *ends, tag="th")]
    for curve in curves:
        names = _field(say, curve["field"]), say.value("corruption", curve["corruption"])
        values = (number(one[metric]) for one in curve["metrics"])
        rows.append(_line(*names, *values, number(curve["relative"]), number(curve["effective"], True)))
    return f'<div class="scroll"><table class="labels">{"".join(rows)}</table></div>'


def _line(*cells: str, tag: str = "td") -> str:
    """Return a row of an HTML table; the cells are plain text."""
    return f"<tr{' class=heads' if tag == 'th' else ''}>" + "".join(f"<{tag}>{text(cell)}</{tag}>" for cell in cells) + "</tr>"
