"""The fields of a run: their training, their votes compared with models of single fields, and the metrics when fields are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..language import Sentence, Words, model_parts
from . import charts
from .document import number, scroll, text


def curves(translate: Words, log: Sequence[Mapping[str, Any]]) -> str:
    """Return charts of each field's own loss and share of the gradient as HTML, for every model with at least two fields. Empty if the log
    has no such figures.

    :param log: the events of ``log.jsonl``
    """
    titles = {"loss": translate("run.own_loss"), "held_out": translate("run.own_validation_loss"), "gradient": translate("run.gradient")}
    charted: dict[str, dict[str, list[list[float]]]] = {figure: {} for figure in titles}
    families: dict[str, str] = {}
    folds: dict[str, str] = {}
    for event in log:
        by_field = event.get("fields")
        if event.get("event") != "epoch" or not isinstance(by_field, Mapping) or len(by_field) < 2:
            continue
        model, _ = model_label(translate, str(event["name"]))
        fold = fold_label(translate, str(event["name"]))
        for name, facts in by_field.items():
            label = translate("colon", name=model, value=name)
            families[label] = str(name)
            folds |= {label: fold} if fold else {}
            for figure, series in charted.items():
                if isinstance(facts.get(figure), (int, float)):
                    series.setdefault(label, []).append([event["epoch"], facts[figure]])
    across = translate("run.epoch")
    cards = "".join(
        f'<div class="card">{charts.lines(translate, series, across, titles[figure], families=families, folds=folds)}</div>'
        for figure, series in charted.items()
        if series
    )
    return f'<h3>{translate.html("run.fields_in_training")}</h3><div class="columns">{cards}</div>' if cards else ""


def model_label(translate: Words, name: str) -> tuple[str, str]:
    """Return the label of a model of the log, and the label without its fold."""
    return translate.model(name), translate.model(model_parts(name)[0])


def fold_label(translate: Words, name: str) -> str:
    """Return the label of the fold of a model of the log; empty if it has none."""
    _, fold = model_parts(name)
    return translate("run.fold_of", fold=fold) if fold else ""


def balance(translate: Words, metrics: Mapping[str, Any]) -> str:
    """Return a table as HTML that compares the vote of each field in the fused model with a model of that field alone and with a constant.
    Empty if the run has no such metrics.
    """
    columns = {"alone": translate("run.alone"), "vote": translate("run.vote"), "constant": translate("run.constant")}
    rows = []
    for name, by_task in metrics.get("balance", {}).items():
        for task, facts in by_task.items():
            values = "".join(f"<td>{number(facts[key])}</td>" for key in columns)
            stopped = f"<b>{translate.html('run.stopped')}</b>" if facts["stopped"] else ""
            of = translate.html("colon", name=task, value=facts["metric"])
            rows.append(f"<tr><th>{text(name)} <small>{of}</small></th>{values}<td>{stopped}</td></tr>")
    if not rows:
        return ""
    head = "".join(f"<th>{text(title)}</th>" for title in columns.values())
    table = f"<table><thead><tr><td></td>{head}<td></td></tr></thead>{''.join(rows)}</table>"
    return f'<h3>{translate.html("run.balance")}</h3><div class="card">{scroll(table)}</div>'


def contribution(translate: Words, metrics: Mapping[str, Any]) -> str:
    """Return as HTML how the metrics change when fields are missing: for every set of fields, and by the share of missing cells. Empty if
    that was not measured.
    """
    hidden, alone = metrics["validation"].get("hidden", {}), metrics.get("baselines", {})
    if not hidden:
        return ""
    out = [f"<h2>{translate.html('run.contribution')}</h2>"]
    for task, whole in metrics["validation"]["tasks"].items():
        metric = next((name for name in ("accuracy", "r2", "mae", *whole) if whole.get(name) is not None), None)
        if metric is None:
            continue
        values = {translate("all_fields"): whole[metric]}
        values |= {translate("only", field=name): one["tasks"][task].get(metric) for name, one in alone.items()}
        values |= {translate("without", field=name): by[task].get(metric) for name, by in hidden.items()}
        known = {name: value for name, value in values.items() if value is not None}
        cards = [f"<h3>{translate.html('colon', name=task, value=metric)}</h3>{charts.bars(known)}"]
        cards += _shapley(translate, metrics["validation"].get("shapley", {}).get(task), task, len(hidden))
        cards += _sets(translate, metrics["validation"].get("present", []), task, metric)
        out.append(f'<div class="columns">{"".join(f"<div class=card>{card}</div>" for card in cards)}</div>')
    return "".join(out)


def _shapley(translate: Words, result: Mapping[str, Any] | None, task: str, fields: int) -> list[str]:
    """Return the metric gained over a model without any field, divided among the fields by Shapley values (Shapley 1953)."""
    title = f"<h3>{translate.html('colon', name=task, value=translate('run.shapley'))}</h3>"
    if result is None:
        return [f"{title}<p><small>{translate.html('run.too_many_fields', fields=fields)}</small></p>"]
    values = {
        name: (one["value"], number(one["value"], True) + ("" if one["share"] is None else f" ({one['share']:z.0%})"))
        for name, one in sorted(result["fields"].items(), key=lambda pair: -(pair[1]["value"] or 0.0))
        if one["value"] is not None
    }
    if not values:
        return []
    note = translate.html("run.shapley_sum", **{name: result[name] for name in ("metric", "nothing", "whole")})
    return [f"{title}{charts.signed_bars(values)}<p><small>{note}</small></p>"]


def _sets(translate: Words, present: Sequence[Mapping[str, Any]], task: str, metric: str) -> list[str]:
    """Return a table of the metric by set of fields, and, for a mean over rows, a chart of it by share of missing cells."""
    by_set = {frozenset(one["fields"]): one["tasks"][task].get(metric) for one in present}
    if not by_set or any(value is None for value in by_set.values()):
        return []
    fields = max(by_set, key=len)
    names = sorted(fields)
    head = "".join(f'<th class="mark">{text(name)}</th>' for name in names)
    lines = [
        "".join(f'<td class="mark">{"●" if name in some else ""}</td>' for name in names) + f"<td>{number(value)}</td>"
        for some, value in sorted(by_set.items(), key=lambda pair: (-len(pair[0]), sorted(pair[0])))
    ]
    rows = "".join(f"<tr>{line}</tr>" for line in lines)
    title = translate.html("colon", name=task, value=translate("run.present"))
    table = f"<table><thead><tr>{head}<th>{text(metric)}</th></tr></thead>{rows}</table>"
    cards = [f"<h3>{title}</h3>{scroll(table)}"]
    if metric in ("accuracy", "mae"):  # means over rows: with cells missing at random, expected to be a mean over the sets
        total = len(fields)
        curve = [
            [rate, sum(value * (1 - rate) ** len(some) * rate ** (total - len(some)) for some, value in by_set.items())]
            for rate in (at / 20 for at in range(21))
        ]
        chart = charts.lines(translate, {metric: curve}, translate("run.share_missing"), metric)
        cards.append(f"<h3>{translate.html('colon', name=task, value=translate('run.by_missing'))}</h3>{chart}")
    return cards


def why_judged(translate: Words, facts: Mapping[str, Any]) -> str:
    """Return in Chinese why another metric than the usual one judges a target.

    :param facts: the facts of the target, with the English sentence ``why`` and, but for results of earlier versions, ``why_facts``
    """
    why = Sentence.read(str(facts["why"]), facts.get("why_facts"))
    return translate.read(why) if isinstance(why, Sentence) else translate.sentence("rare_class")
