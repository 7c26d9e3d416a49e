"""Renders the result of ``compare`` as one HTML page (``compare.html``) without scripts or requests. All text from data is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..language import Words
from .document import NO_ICON, document, number, scroll, text
from .fields import why_judged

_WIDTH, _HEIGHT = 260, 16
_PERCENT = ("accuracy", "balanced_accuracy", "vqa_accuracy")
_ERRORS = ("mae", "rmse")


def page(result: Mapping[str, Any], language: str = "auto") -> str:
    """Return the page for what ``compare`` returns (as plain JSON data).

    :param language: ``"en"``, ``"zh"`` or ``"auto"`` (the locale's)
    """
    translate = Words.of(language)
    title = translate("compare.title", table=result["table"])
    facts = {name: result[name] for name in ("rows", "seconds", "seed")}
    limit = result["time_limit"]
    line = translate.html("compare.facts", **facts) if limit is None else translate.html("compare.facts_limited", limit=limit, **facts)
    parts = [f'<h1>{text(title)}</h1><p class="note">{line}</p>']
    parts += [_target(translate, name, target, result) for name, target in result["targets"].items()]
    parts.append(_not_measured(translate, result))
    return document(title, "".join(parts), translate.language, NO_ICON)


def _target(translate: Words, name: str, facts: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """Return the sentence, the table of contenders and every metric of one target."""
    metric, about = facts["metric"], result["contenders"]
    spans = [one["difference"] for one in facts["contenders"].values() if one["difference"] and one["difference"]["low"] is not None]
    reach = max((abs(span[end]) for span in spans for end in ("low", "high")), default=1.0) or 1.0
    ranked = sorted(facts["contenders"].items(), key=lambda pair: pair[1]["mean"], reverse=facts["larger_is_better"])
    bold = (facts["best_alone"], facts["best_fused"])
    rows, more = [], []
    for one, figures in ranked:
        span, label = figures["difference"], text(label_of(translate, one, about) + (" *" if one in bold else ""))
        ends = None if span is None else _ends(translate, span)
        difference = translate.html("compare.best_alone") if span is None else f"{number(span['mean'], True)} ({text(ends)})"
        settings = text(" ".join(about[one]["settings"]) or translate("compare.as_configured"))
        values = [number(figures["mean"]), number(figures["spread"]), difference, _interval(span, reach)]
        cost = [f"{about[one]['seconds']:,.1f}", f"{about[one]['parameters']:,}"]
        rows.append(_row([label, *values, *cost, settings], one in bold))
        more.append(_row([label, *map(number, figures["metrics"].values())], one in bold))
    keys = ("compare.spread", "compare.difference", "compare.interval", "compare.seconds", "compare.parameters", "compare.settings")
    heads = [translate("compare.contender"), metric, *map(translate, keys)]
    metrics = [translate("compare.contender"), *ranked[0][1]["metrics"]]
    note = [translate.html("compare.note", metric=metric, constant=number(facts["constant"])), *_changes(translate, facts["contenders"])]
    verdict = facts["verdict"] if facts["verdict"] in ("helps", "harms") else "undecided"
    return (
        f'<h2>{text(name)}</h2><p class="lead {verdict}">{text(sentence_of(translate, name, facts, result))}</p>{_table(heads, rows)}'
        f'<p class="note">{translate("sentence_space").join(note)}</p>'
        f"<details><summary>{translate.html('compare.every_metric')}</summary>{_table(metrics, more)}</details>"
    )


def label_of(translate: Words, contender: str, about: Mapping[str, Any]) -> str:
    """Return the name of a contender; of a single field, in the language of the page."""
    field = about[contender]["field"]
    return contender if field is None else translate("only", field=field)


def sentence_of(translate: Words, name: str, facts: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """Return the sentence of a target: in English as it is stored, in Chinese made of its facts."""
    if translate.language == "en":
        return str(facts["sentence"])
    metric, difference, contenders, about = facts["metric"], facts["difference"], facts["contenders"], result["contenders"]
    unit = f" {facts['unit']}" if facts.get("unit") else ""
    by = _change(translate, metric, difference["mean"], unit)
    small = _change(translate, metric, facts["small"], unit).removeprefix("+")
    alone, fused = (label_of(translate, facts[side], about) for side in ("best_alone", "best_fused"))
    keys = {"helps": "compare.helps", "harms": "compare.harms", "no difference": "compare.same"}
    head = translate.sentence(keys.get(facts["verdict"], "compare.undecided"), by=by, small=small, alone=alone)
    low, high = difference["low"], difference["high"]
    interval = translate.sentence("compare.no_interval")
    if low is None and facts.get("rounds", 0) < facts.get("fewest_rounds", 0):
        interval = translate.sentence("compare.few_rounds", rounds=facts["fewest_rounds"])
    if low is not None and high is not None:
        interval = translate.sentence("compare.interval", low=_number(metric, low), high=_change(translate, metric, high, unit))
    smaller = "" if facts["larger_is_better"] else translate.sentence("compare.smaller", metric=metric)
    values = {
        "fused": fused,
        "alone": alone,
        "fused_value": _value(metric, contenders[facts["best_fused"]]["mean"], unit),
        "alone_value": _value(metric, contenders[facts["best_alone"]]["mean"], unit),
    }
    parts = [translate.sentence("compare.sentence", target=name, head=head, metric=metric, interval=interval, smaller=smaller, **values)]
    if facts["other_alone"] is not None:
        other, mean = label_of(translate, facts["other_alone"], about), contenders[facts["other_alone"]]["mean"]
        parts.append(translate.sentence("compare.other_alone", field=other, value=_value(metric, mean, unit)))
    if not facts["learned"]:
        parts.append(translate.sentence("compare.constant", target=name, metric=metric, value=_value(metric, facts["constant"], unit)))
    if facts["why"]:
        parts.append(translate.sentence("compare.why", metric=metric, why=why_judged(translate, facts)))
        if facts["beside"] is not None:
            other, means = facts["beside"]["metric"], facts["beside"]["means"]
            both = {f"{side}_value": _value(other, means[facts[f"best_{side}"]], unit) for side in ("fused", "alone")}
            parts.append(translate.sentence("compare.beside", metric=other, fused=fused, alone=alone, **both))
    searched = about[facts["best_fused"]]["search_rows"]
    basis = {name: facts[name] for name in ("measured", "trained", "selecting")}
    basis |= {"rounds": result["rounds"], "trials": result["trials"], "search_rows": searched}
    basis["of"] = translate.sentence("compare.of_trainable", rows=facts["trainable"]) if trains_on_few(facts) else ""
    basis["epochs"] = translate.sentence("compare.epochs", epochs=facts["epochs"]) if "epochs" in facts else ""
    return "".join([*parts, translate.sentence("compare.basis", **basis)])


def trains_on_few(facts: Mapping[str, Any]) -> bool:
    """Return whether the contenders were trained on clearly fewer rows than there are, for want of time.

    :param facts: the results of a target
    """
    return bool(facts["trained"] < 0.9 * facts.get("trainable", 0))


def _value(metric: str, value: float, unit: str) -> str:
    """Return a value of a metric: a share of rows in percent, an error with four digits and its unit, another metric with three decimal
    places."""
    if metric in _PERCENT:
        return f"{100 * value:.1f}%"
    return f"{value:.4g}{unit}" if metric in _ERRORS else f"{value:.3f}"


def _number(metric: str, value: float) -> str:
    """Return a signed difference of a metric without its unit."""
    if metric in _PERCENT:
        return f"{100 * value:+.1f}"
    return f"{value:+.4g}" if metric in _ERRORS else f"{value:+.3f}"


def _change(translate: Words, metric: str, value: float, unit: str) -> str:
    """Return a signed difference of a metric, of a share of rows in percentage points, of an error with its unit."""
    difference = _number(metric, value)
    if metric in _PERCENT:
        return translate.sentence("compare.points", value=difference)
    return f"{difference}{unit}" if metric in _ERRORS else difference


def _changes(translate: Words, contenders: Mapping[str, Any]) -> list[str]:
    """Return what other settings change in a fusion, a sentence for each contender that has other settings."""
    lines = []
    for name, one in contenders.items():
        if one["change"]:
            span = one["change"]["difference"]
            values = {"difference": number(span["mean"], True), "ends": _ends(translate, span)}
            lines.append(translate.html("compare.change", contender=name, other=one["change"]["of"], **values))
    return lines


def _row(cells: Sequence[str], bold: bool) -> str:
    """Return a row of an HTML table; the cells are HTML already."""
    return f"<tr{' class=best' if bold else ''}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _table(heads: Sequence[str], rows: Sequence[str]) -> str:
    """Return a table with these heads (plain text) and rows (HTML)."""
    head = "".join(f"<th>{text(cell)}</th>" for cell in heads)
    return scroll(f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>", wide=True)


def _ends(translate: Words, span: Mapping[str, Any]) -> str:
    """Return the two ends of an interval as plain text, or a dash if there is none."""
    if span["low"] is None:
        return "–"
    return translate("compare.ends", low=number(span["low"], True), high=number(span["high"], True))


def _interval(span: Mapping[str, Any] | None, reach: float) -> str:
    """Return a drawing of an interval, its mean and 0, beside their numbers; ``reach`` is the largest absolute end of all intervals."""

    def x(value: float) -> float:
        return _WIDTH / 2 + value / reach * (_WIDTH / 2 - 8)

    if span is None or span["low"] is None:
        return ""
    kind = "above" if span["low"] > 0 else "below" if span["high"] < 0 else ""
    middle = _HEIGHT / 2
    return (
        f'<svg class="interval" viewBox="0 0 {_WIDTH} {_HEIGHT}" aria-hidden="true"><path class="zero" d="M{_WIDTH / 2} 0V{_HEIGHT}"/>'
        f'<path class="span {kind}" d="M{x(span["low"]):.1f} {middle}H{x(span["high"]):.1f}"/>'
        f'<circle cx="{x(span["mean"]):.1f}" cy="{middle}" r="4"/></svg>'
    )


def _not_measured(translate: Words, result: Mapping[str, Any]) -> str:
    """Return the contenders that were not measured, and the reason of each."""
    rows = []
    for name, about in result["contenders"].items():
        label = label_of(translate, name, result["contenders"])
        if about["failed"]:
            rows.append((label, translate("compare.failed", reason=about["failed"])))
        elif not about["rounds"]:
            rows.append((label, left_out(translate, about)))
    rows += list(result["refused"].items())
    if not rows:
        return ""
    body = "".join(f'<tr><td>{text(name)}</td><td class="text">{text(reason)}</td></tr>' for name, reason in rows)
    return f"<h2>{translate.html('compare.not_measured')}</h2>{scroll(f'<table>{body}</table>')}"


def left_out(translate: Words, about: Mapping[str, Any]) -> str:
    """Return why a contender was left out: its scores in the search, beside the best of the same stage. They are of other rows than those
    of the rounds, and of models trained on fewer rows.
    """
    scores = translate("list_separator").join(
        translate("compare.search_score", target=target, score=number(score), best=number(about["search_best"].get(target)))
        for target, score in about["search_scores"].items()
    )
    return translate("compare.left_out", scores=scores or translate("compare.no_scores"), rows=about["search_rows"])
