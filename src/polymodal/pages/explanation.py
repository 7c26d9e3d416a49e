"""Renders the result of ``explain`` as one self-contained HTML page (``explain.html``): no scripts, no requests, pictures inline.

All text from a table or a model is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..language import Words
from .document import NO_ICON, document, number, scroll, text

_FOR, _AGAINST = "#1f6fb4", "#d9731a"  # distinguishable with red-green color blindness
_SIDE = 256  # side of a square picture on the page, in pixels; other pictures have the same area


def page(result: Mapping[str, Any], language: str = "auto") -> str:
    """Return the page for what ``explain`` returns (as plain JSON data).

    :param language: ``"en"``, ``"zh"`` or ``"auto"`` (the locale's)
    """
    translate = Words.of(language)
    if "targets" in result:
        count = translate.html("sampled", sampled=result["asked"], with_target=result["with_target"], seed=result["seed"])
        body = [f"<p>{count}</p>", *(_target(translate, name, facts) for name, facts in result["targets"].items())]
    else:
        body = [f'<p class="note">{translate.html("explain.legend")}</p>', *(_row(translate, row) for row in result["explained"])]
    title, members = translate("explain.title", table=result["table"]), result["members"]
    rows = translate("explain.members" if members > 1 else "explain.rows", rows=result["rows"], members=members)
    head = f'<h1>{text(title)}</h1><p class="note">{text(rows)}</p>'
    return document(title, "\n".join([head, *body]), translate.language, NO_ICON)


def _line(*cells: str, tag: str = "td") -> str:
    """Return a row of an HTML table; the cells are HTML already."""
    return f"<tr{' class=heads' if tag == 'th' else ''}>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


def _with_error(value: float | None, error: float | None, signed: bool = False) -> str:
    """Return a number, with its standard error if there is one."""
    return number(value, signed) + ("" if error is None else f" ± {number(error)}")


def _largest(fields: Mapping[str, Mapping[str, Any]]) -> float:
    """Return the largest absolute Shapley value of some fields."""
    return max((abs(one["shapley"] or 0.0) for one in fields.values()), default=0.0)


def _target(translate: Words, name: str, facts: Mapping[str, Any]) -> str:
    """Return the contributions of the fields to the metric of one target."""
    metric, fields, additive = facts["metric"], facts["fields"], facts["additive"]
    keys = ("explain.share", "explain.shapley", "explain.alone", "explain.without", "explain.permuted", "explain.perceptual")
    heads = list(map(translate.html, keys))
    whole, nothing = number(facts["whole"]), number(facts["nothing"])
    lines = [
        f"<h2>{text(name)}</h2>",
        f"<p>{translate.html('explain.metric', metric=metric, whole=whole, nothing=nothing, rows=facts['rows'])}</p>",
    ]
    rows = [_line(translate.html("field"), *heads[:2], "", *heads[2:], tag="th")]
    for field, one in fields.items():
        permuted = one["permuted"]
        share = "–" if one["share"] is None else f"{one['share']:.1%}"
        value, bar = _with_error(one["shapley"], one["error"], True), _bar(one["shapley"], _largest(fields))
        others = (number(each) for each in (one["alone"], one["without"][metric], permuted["mean"]))
        rows.append(_line(text(field), share, value, bar, *others, f"{number(permuted['score'])} ± {number(permuted['spread'])}"))
    lines.append(scroll(f"<table>{''.join(rows)}</table>", wide=True))
    if additive is not None:
        value, whole = _with_error(additive["metric"], additive["error"]), number(additive["whole"])
        lines.append(f"<p>{translate.html('explain.additive', rows=additive['rows'], metric=metric, value=value, whole=whole)}</p>")
    if facts["orders"]:
        lines.append(f'<p class="note">{translate.html("explain.orders", orders=facts["orders"])}</p>')
    return "\n".join(lines)


def _row(translate: Words, row: Mapping[str, Any]) -> str:
    """Return the contributions of the fields, and of the parts of their cells, to the predictions of one row."""
    lines = [f"<h2>{translate.html('explain.row', row=row['row'])}</h2>"]
    if row["faults"]:
        lines.append(f'<p class="note">{translate.html("explain.faults", faults=row["faults"])}</p>')
    if row["skipped"]:
        return "\n".join([*lines, f"<p>{translate.html('explain.skipped')}</p>"])
    for name, facts in row["targets"].items():
        whole, nothing = number(facts["whole"], True), number(facts["nothing"], True)
        unit = facts["unit"] if facts["label"] is None else translate.value("unit", facts["unit"])
        lines += [
            f"<h3>{translate.html('colon', name=name, value=_prediction(translate, facts))}</h3>",
            f'<p class="note">{translate.html("explain.whole", unit=unit, whole=whole, nothing=nothing)}</p>',
        ]
        rows = []
        for field, one in facts["fields"].items():
            value, bar = _with_error(one["shapley"], one["error"], True), _bar(one["shapley"], _largest(facts["fields"]))
            shown = f'<br><small class="shown">{text(row["cells"][field]["shown"])}</small>'
            rows.append(_line(text(field) + shown, value, bar))
        lines.append(scroll(f"<table>{''.join(rows)}</table>"))
        for field, one in facts["fields"].items():
            if one["parts"] is not None:
                lines += [f"<h4>{text(field)}</h4>", _parts(row["cells"][field]["parts"], one["parts"])]
    return "\n".join(lines)


def _prediction(translate: Words, facts: Mapping[str, Any]) -> str:
    """Return the prediction of a target, with the probability of its class if it has one."""
    prediction, label = facts["answer"], facts["label"]
    if label is None:
        return number(prediction) if isinstance(prediction, float) else str(prediction)
    if isinstance(prediction, list | tuple):
        prediction = translate("enumeration").join(map(str, prediction)) or "–"
    if label == prediction:
        return translate("explain.probability", prediction=prediction, score=facts["score"])
    return translate("explain.label_probability", prediction=prediction, label=label, score=facts["score"])


def _parts(parts: Mapping[str, Any], values: Sequence[float]) -> str:
    """Return the parts of a cell as HTML: words with a colored background, places over their picture, or a bar for each part. Blue supports
    the prediction, orange opposes it.
    """
    largest = max((abs(value) for value in values), default=0.0)
    if parts["grid"] is not None:
        return _picture(parts, values, largest)
    if parts["between"]:
        words = [text(parts["between"][0])]
        for word, between, value in zip(parts["names"], parts["between"][1:], values, strict=True):
            color, strength = _color(value, largest)
            words.append(f'<span style="background: {color}{round(strength * 160):02x}" title="{value:+z.4f}">{text(word)}</span>')
            words.append(text(between))
        return f'<p class="words">{"".join(words)}</p>'
    lines = (_line(text(name), number(value, True), _bar(value, largest)) for name, value in zip(parts["names"], values, strict=True))
    return scroll(f"<table>{''.join(lines)}</table>")


def _picture(parts: Mapping[str, Any], values: Sequence[float], largest: float) -> str:
    """Return a picture twice: as it is, and in gray with a colored rectangle over each place."""
    rows, columns = parts["grid"]
    height, width = parts["size"]
    height, width = round(_SIDE * math.sqrt(height / width)), round(_SIDE * math.sqrt(width / height))
    high, wide = height / rows, width / columns
    size = f'width="{width}" height="{height}"'
    shape = f'{size} viewBox="0 0 {width} {height}"'
    image = f'<image href="{text(parts["picture"])}" {size}/>'
    places = []
    for at, value in enumerate(values):
        color, strength = _color(value, largest)
        row, column = divmod(at, columns)
        places.append(
            f'<rect x="{column * wide:g}" y="{row * high:g}" width="{wide:g}" height="{high:g}" fill="{color}" '
            f'fill-opacity="{0.7 * strength:.3f}"><title>{value:+z.4f}</title></rect>'
        )
    return f'<p><svg class="map" {shape}>{image}</svg> <svg class="map gray" {shape}>{image}{"".join(places)}</svg></p>'


def _bar(value: float | None, largest: float) -> str:
    """Return a horizontal bar, whose width is the share of the largest value."""
    color, strength = _color(value or 0.0, largest)
    return f'<svg width="120" height="12"><rect width="{120 * strength:.1f}" height="12" fill="{color}"/></svg>'


def _color(value: float, largest: float) -> tuple[str, float]:
    """Return the color of a value, and its strength from 0 to 1."""
    return (_FOR if value >= 0 else _AGAINST), abs(value) / largest if largest > 0 else 0.0
