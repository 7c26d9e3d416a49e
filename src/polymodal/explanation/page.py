"""Renders the result of ``explain`` as one self-contained HTML page (``explain.html``): no scripts, no requests, pictures inline.

All text from a table or a model is escaped by ``_text``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..report.document import document
from ..report.document import number as _number
from ..report.document import text as _text

_FOR, _AGAINST = "#1f6fb4", "#d9731a"  # distinguishable with red-green color blindness
_SIDE = 256  # side of a picture on the page, in pixels
_LEGEND = (
    "Shapley values of a row's fields sum to its answer beyond that of a row without any field. A word, a column or a place of a picture "
    "is worth what is lost when it alone is taken away. Blue speaks for the answer, orange against it."
)
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 60em; margin: 2em auto; padding: 0 1em; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: .5em 0 1em; } th, td { text-align: right; padding: .2em .7em; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; } h2 { margin-top: 2em; } .note { color: #666; }
.words { line-height: 2; } .words span { padding: .15em .1em; border-radius: .2em; } svg { vertical-align: middle; }
image { image-rendering: pixelated; } .grey image { filter: grayscale(1); }
"""


def page(found: Mapping[str, Any]) -> str:
    """Return the page for what ``explain`` returns (as plain JSON data)."""
    if "targets" in found:
        count = f"{found['asked']:,} of {found['with_target']:,} rows with a target (seed {found['seed']})"
        body = [f"<p>{_text(count)}.</p>", *(_target(name, facts) for name, facts in found["targets"].items())]
    else:
        body = [f'<p class="note">{_LEGEND}</p>', *(_row(row) for row in found["explained"])]
    members = f", {found['members']} models averaged" if found["members"] > 1 else ""
    title, count = f"What each field contributes: {found['table']}", f"{found['rows']:,} rows in the table{members}."
    head = f'<h1>{_text(title)}</h1><p class="note">{_text(count)}</p>'
    return document(title, _STYLE, "\n".join([head, *body]))


def _line(*cells: str, tag: str = "td") -> str:
    """Return a row of an HTML table; the cells are HTML already."""
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


def _shapley(one: Mapping[str, Any], largest: float) -> tuple[str, str]:
    """Return a value with its standard error, and its bar."""
    error = "" if one["error"] is None else f" ± {one['error']:.4f}"
    return _number(one["shapley"], True) + error, _bar(one["shapley"], largest)


def _largest(fields: Mapping[str, Mapping[str, Any]]) -> float:
    return max((abs(one["shapley"] or 0.0) for one in fields.values()), default=0.0)


def _target(name: str, facts: Mapping[str, Any]) -> str:
    metric, fields, additive = facts["metric"], facts["fields"], facts["additive"]
    lines = [
        f"<h2>{_text(name)}</h2>",
        f"<p>{_text(metric)} <b>{_number(facts['whole'])}</b> with all fields, {_number(facts['nothing'])} with none, "
        f"over {facts['rows']:,} rows.</p>",
        "<table>",
        _line("field", "share", "Shapley value", "", "alone", "without it", "permuted", "perceptual score", tag="th"),
    ]
    for field, one in fields.items():
        permuted = one["permuted"]
        share = "–" if one["share"] is None else f"{one['share']:.1%}"
        score = f"{_number(permuted['score'])} ± {_number(permuted['spread'])}"
        others = (_number(value) for value in (one["alone"], one["without"][metric], permuted["mean"]))
        lines.append(_line(_text(field), share, *_shapley(one, _largest(fields)), *others, score))
    lines.append("</table>")
    if additive is not None:
        error = "" if additive["error"] is None else f" ± {_number(additive['error'])}"
        lines.append(
            f"<p>The nearest sum of what each field says alone (EMAP, {additive['rows']:,} rows): {_text(metric)} "
            f"<b>{_number(additive['metric'])}</b>{error}, of {_number(additive['whole'])} with interaction.</p>"
        )
    if facts["orders"]:
        lines.append(f'<p class="note">Shapley values from {facts["orders"]} drawn orders, ± standard error.</p>')
    return "\n".join(lines)


def _row(row: Mapping[str, Any]) -> str:
    lines = [f"<h2>Row {row['row']:,}</h2>"]
    if row["faults"]:
        lines.append(f'<p class="note">Cannot be read: {_text(row["faults"])}</p>')
    if row["skipped"]:
        return "\n".join([*lines, "<p>Skipped: no answer.</p>"])
    for name, facts in row["targets"].items():
        label = "" if facts["label"] == facts["answer"] else f"{facts['label']}: "
        sure = "" if facts["label"] is None else f"; {label}probability {facts['score']:.4f}"
        lines += [
            f"<h3>{_text(name)}: {_text(facts['answer'])}{_text(sure)}</h3>",
            f'<p class="note">{_text(facts["unit"])} {_number(facts["whole"], True)}, '
            f"without any field {_number(facts['nothing'], True)}.</p>"
            "<table>",
        ]
        for field, one in facts["fields"].items():
            lines.append(_line(_text(field), *_shapley(one, _largest(facts["fields"])), _text(row["cells"][field]["shown"])))
        lines.append("</table>")
        for field, one in facts["fields"].items():
            if one["parts"] is not None:
                lines += [f"<h4>{_text(field)}</h4>", _parts(row["cells"][field]["parts"], one["parts"])]
    return "\n".join(lines)


def _parts(parts: Mapping[str, Any], worths: Sequence[float]) -> str:
    """Return the parts of a cell as HTML: words with a colored background, places over their picture, or a bar for each part. Blue supports
    the prediction, orange opposes it."""
    largest = max((abs(worth) for worth in worths), default=0.0)
    if parts["grid"] is not None:
        return _picture(parts, worths, largest)
    if parts["between"]:
        words = [_text(parts["between"][0])]
        for word, between, worth in zip(parts["names"], parts["between"][1:], worths, strict=True):
            color, strength = _color(worth, largest)
            words.append(f'<span style="background: {color}{round(strength * 160):02x}" title="{worth:+.4f}">{_text(word)}</span>')
            words.append(_text(between))
        return f'<p class="words">{"".join(words)}</p>'
    lines = (_line(_text(name), f"{worth:+.4f}", _bar(worth, largest)) for name, worth in zip(parts["names"], worths, strict=True))
    return f"<table>{''.join(lines)}</table>"


def _picture(parts: Mapping[str, Any], worths: Sequence[float], largest: float) -> str:
    rows, columns = parts["grid"]
    high, wide = _SIDE / rows, _SIDE / columns
    image = f'<image href="{_text(parts["picture"])}" width="{_SIDE}" height="{_SIDE}"/>'
    places = []
    for at, worth in enumerate(worths):
        color, strength = _color(worth, largest)
        row, column = divmod(at, columns)
        places.append(
            f'<rect x="{column * wide:g}" y="{row * high:g}" width="{wide:g}" height="{high:g}" fill="{color}" '
            f'fill-opacity="{0.7 * strength:.3f}"><title>{worth:+.4f}</title></rect>'
        )
    size = f'width="{_SIDE}" height="{_SIDE}"'
    return f'<p><svg {size}>{image}</svg> <svg class="grey" {size}>{image}{"".join(places)}</svg></p>'


def _bar(value: float | None, largest: float) -> str:
    color, strength = _color(value or 0.0, largest)
    return f'<svg width="120" height="12"><rect width="{120 * strength:.1f}" height="12" fill="{color}"/></svg>'


def _color(value: float, largest: float) -> tuple[str, float]:
    """Return the color of a value, and its strength from 0 to 1."""
    return (_FOR if value >= 0 else _AGAINST), abs(value) / largest if largest > 0 else 0.0
