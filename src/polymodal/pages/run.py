"""Renders the data of a run as one HTML page, ``report.html``: inline style and charts, no scripts, no requests. All text from data is
escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..language import Sentence, Words
from ..storage import write_whole
from . import charts, fields, predictions
from .document import NO_ICON, document, number, scroll, text
from .progress import progress
from .run_folder import ENDED, read_run

FILE = "report.html"


def write(run: Path, language: str | None = None, state: str | None = None) -> Path:
    """Write ``report.html`` into a run's folder, replacing an existing one, and return its path.

    :param run: the folder of a run
    :param language: ``"en"``, ``"zh"`` or ``"auto"`` (the locale's); None = ``report.language`` of the run's ``run.yaml``
    :param state: the state of the run (see ``run_folder``); None = that of the folder
    :raises UserError: no report can be made of the folder (see ``read_run``), or the language is not known
    """
    path, content = run / FILE, read_run(run, measured=False)
    content["state"] = content["state"] if state is None else state
    write_whole(path, page(content, content["language"] if language is None else language).encode())
    return path


def page(content: Mapping[str, Any], language: str = "auto") -> str:
    """Return the report as one HTML page.

    :param content: what ``read_run`` returns
    :param language: ``"en"``, ``"zh"`` or ``"auto"`` (the locale's)
    """
    translate = Words.of(language)
    metrics, stored = content["metrics"], content["stored"]
    parts = [
        f"<h1>{text(content['name'])}</h1>{progress(translate, content)}",
        _head(translate, metrics, content["state"] == ENDED) if metrics else "",
        _metrics(translate, metrics) if metrics else "",
        _leaderboard(translate, metrics),
        _learning(translate, content["log"]),
        fields.curves(translate, content["log"]),
        fields.balance(translate, metrics),
        predictions.plots(translate, stored, metrics["validation"]) if metrics else "",
        predictions.guarantees(translate, metrics.get("conformal", {})),
        fields.contribution(translate, metrics) if metrics else "",
        predictions.examples(translate, stored),
        _faults(translate, content),
        _made(translate, content, metrics),
    ]
    return document(f"{content['name']} - polymodal", "".join(parts), translate.language, NO_ICON)


def _head(translate: Words, metrics: Mapping[str, Any], ended: bool) -> str:
    """Return the finding and the numbers of the run."""
    lead = "".join(f'<p class="lead">{text(line)}</p>' for line in finding_lines(translate, metrics, ended))
    facts = map(text, training_facts(translate, metrics))
    legend = p_legend(translate, metrics)
    tests = f'<p class="note">{text(legend)}</p>' if lead and legend else ""
    return f"{lead}{tests}<p><small>{translate('comma').join(facts)}</small></p>"


def training_facts(translate: Words, metrics: Mapping[str, Any]) -> list[str]:
    """Return the numbers of rows, the seed and, if they are known, the seconds of a run, each as plain text."""
    rows, seconds = metrics.get("rows", {}), metrics.get("seconds", {}).get("total")
    facts = [translate("run.rows", rows=rows.get("table", 0), training=rows.get("training", 0), seed=metrics.get("seed"))]
    return [*facts, translate("run.seconds", seconds=seconds)] if isinstance(seconds, (int, float)) else facts


def p_legend(translate: Words, metrics: Mapping[str, Any]) -> str:
    """Return what the p values of the finding are, as plain text; an empty text if there is no finding."""
    fields = max((len(one.get("fields", ())) for one in (metrics.get("comparison") or {}).values()), default=0)
    return "" if not fields else translate("legend.p") if fields == 1 else translate("legend.p_fields", fields=fields)


def finding_lines(translate: Words, metrics: Mapping[str, Any], ended: bool = True) -> list[str]:
    """Return the finding of the run, a sentence for each target: in English as it is stored, in Chinese made of its facts.

    :param ended: whether the run has ended, so that a field that was not trained alone lacked time
    """
    facts = metrics.get("comparison") or {}
    if translate.language == "en" or not facts:
        return str(metrics.get("finding") or "").splitlines()
    sentences = []
    for target, one in facts.items():
        other = one.get("beside") or {}
        both = other.get("all") is not None and other.get("alone") is not None
        beside = {
            side: translate.sentence("finding.beside", metric=other["metric"], value=other[side]) if both else ""
            for side in ("all", "alone")
        }
        keys = {"better than": "finding.better", "worse than": "finding.worse"}
        key = keys.get(one["verdict"], "finding.same")
        verdict = translate.sentence(key, best=one["best"], alone=one["alone"], beside=beside["alone"])
        values = {name: one[name] for name in ("metric", "all", "difference", "error", "p", "rows")}
        why = translate.sentence("finding.why", metric=one["metric"], why=fields.why_judged(translate, one)) if one.get("why") else ""
        sentences.append(translate.sentence("finding", target=target, verdict=verdict, all_beside=beside["all"], **values) + why)
    trained = metrics.get("baselines", {})
    untrained = [name for name in metrics["validation"].get("hidden", {}) if name not in trained]
    if untrained and ended:
        sentences[-1] += translate.sentence("finding.untried", fields=translate("enumeration").join(untrained))
    return [translate.sentence("finding.end", sentence=sentence) for sentence in sentences]


def _metrics(translate: Words, metrics: Mapping[str, Any]) -> str:
    """Return a table of metrics for each task: all fields, each field alone, all fields but one, calibration rows, test rows."""
    out = [f"<h2>{translate.html('run.metrics')}</h2>"]
    for task, whole in metrics["validation"]["tasks"].items():
        names = [name for name, value in whole.items() if value is not None]
        lines = [(translate("all_fields"), whole, True)]
        lines += [(translate("only", field=name), alone["tasks"][task], False) for name, alone in metrics.get("baselines", {}).items()]
        lines += [(translate("without", field=name), by[task], False) for name, by in metrics["validation"].get("hidden", {}).items()]
        if (pooled := metrics["validation"].get("pooled", {}).get(task)) and pooled["rows"]:
            lines.append((translate("run.pooled", rows=pooled["rows"]), pooled["metrics"], False))
            lines.append((translate("run.single_models"), pooled.get("single", {}), False))
        if metrics.get("test"):
            lines.append((translate("run.test_rows"), metrics["test"]["tasks"][task], True))
        head = "".join(f"<th>{text(name)}</th>" for name in names)
        body = "".join(
            f"<tr{' class=best' if best else ''}><th>{text(label)}</th>"
            + "".join(f"<td>{number(values.get(name))}</td>" for name in names)
            + "</tr>"
            for label, values, best in lines
        )
        rows = translate.html("run.validation_rows", rows=metrics["validation"]["rows"])
        out.append(f"<h3>{text(task)} <small>{rows}</small></h3>")
        table = f"<table><thead><tr><td></td>{head}</tr></thead>{body}</table>"
        out.append(f'<div class="card">{scroll(table)}</div>')
    return "".join(out)


VERDICTS = {"better than": "run.model_better", "worse than": "run.model_worse", "within noise of": "run.model_same"}
"""By the verdict of the model over an entry of the leaderboard, the key of the text that states it."""


def _leaderboard(translate: Words, metrics: Mapping[str, Any]) -> str:
    """Return a table for each task: the model, each of its votes and each model of a single field, with standard errors."""
    keys = ("run.value", "run.model_difference", "run.model_verdict", "run.leaderboard_rows", "run.leaderboard_seconds")
    head = "".join(f"<th>{translate.html(key)}</th>" for key in keys)
    out = []
    for task, entries in metrics.get("leaderboard", {}).items():
        if not entries:
            continue
        body = "".join(
            f"<tr{' class=best' if entry['kind'] == 'model' else ''}><th>{text(entry_name(translate, entry))}</th>"
            f"<td>{number(entry['value'])} ± {number(entry['error'])}</td><td>{_difference(entry)}</td>"
            f"<td>{translate.html(VERDICTS[entry['verdict']]) if entry['verdict'] else ''}</td><td>{entry['rows']:,}</td>"
            f"<td>{'' if entry['seconds'] is None else format(entry['seconds'], ',.0f')}</td></tr>"
            for entry in entries
        )
        title = translate.html("colon", name=task, value=entries[0]["metric"])
        table = f"<table><thead><tr><td></td>{head}</tr></thead>{body}</table>"
        out.append(f'<h3>{title}</h3><div class="card">{scroll(table)}</div>')
    note = f'<p class="note">{translate.html("legend.error")}</p>'
    return f"<h2>{translate.html('run.leaderboard')}</h2>{''.join(out)}{note}" if out else ""


def entry_name(translate: Words, entry: Mapping[str, Any]) -> str:
    """Return the name of an entry of the leaderboard in the language of the page."""
    name, kind = str(entry["name"]), entry["kind"]
    if kind == "model":
        return translate("all_fields")
    if kind == "trees":
        return translate("run.trees")
    if kind == "network":
        return translate("run.network", number=name.removeprefix("network"))
    return (
        translate("only", field=name.removeprefix("only "))
        if kind == "single field"
        else translate("run.vote_of", field=name.removeprefix("vote of "))
    )


def _difference(entry: Mapping[str, Any]) -> str:
    """Return the difference of the model to an entry of the leaderboard; empty for the model itself."""
    return "" if entry["difference"] is None else f"{number(entry['difference'], True)} ± {number(entry['difference_error'])}"


def _learning(translate: Words, log: Sequence[Mapping[str, Any]]) -> str:
    """Return the learning curves of every model of the run."""
    losses: dict[str, list[list[float]]] = {}
    monitored: dict[str, list[list[float]]] = {}
    families: dict[str, str] = {}
    folds: dict[str, str] = {}
    for event in log:
        if event.get("event") == "epoch" and isinstance(event.get("loss"), (int, float)):
            label, families[label] = fields.model_label(translate, str(event["name"]))
            if fold := fields.fold_label(translate, str(event["name"])):
                folds[label] = fold
            losses.setdefault(label, []).append([event["epoch"], event["loss"]])
            if isinstance(event.get("monitor"), (int, float)):
                monitored.setdefault(label, []).append([event["epoch"], event["monitor"]])
    if not losses:
        return ""
    across = translate("run.epoch")
    cards = "".join(
        f'<div class="card">{charts.lines(translate, series, across, translate(title), families=families, folds=folds)}</div>'
        for title, series in (("run.training_loss", losses), ("run.monitored", monitored))
    )
    return f'<h2>{translate.html("run.learning")}</h2><div class="columns">{cards}</div>'


def _faults(translate: Words, content: Mapping[str, Any]) -> str:
    """Return a table of the cells that could not be read."""
    faults = content["faults"]
    if not faults:
        return ""
    kinds = ("row", "text", "text")
    rows = "".join(
        "<tr>" + "".join(f'<td class="{kind}">{text(cell)}</td>' for kind, cell in zip(kinds, row, strict=False)) + "</tr>"
        for row in faults
    )
    some = len(faults) < content["fault_count"]
    more = f"<small>{translate.html('run.some_faults', shown=len(faults), faults=content['fault_count'])}</small>" if some else ""
    head = "".join(f'<th class="text">{translate.html(key)}</th>' for key in ("run.fault_row", "run.fault_column", "run.fault"))
    table = f"<table><thead><tr>{head}</tr></thead>{rows}</table>"
    return f'<h2>{translate.html("run.faults")}</h2><div class="card">{more}{scroll(table)}</div>'


def _made(translate: Words, content: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Return the command, the versions, the digest of the data, the plan and the whole configuration."""
    start: Mapping[str, Any] = next((event for event in content["log"] if event.get("event") in ("start", "resume")), {})
    facts = {name: start[name] for name in ("polymodal", "torch", "python") if name in start}
    facts |= {translate(key): start[name] for name, key in (("threads", "run.threads"), ("table", "run.table")) if name in start}
    stored = content["stored"]
    facts |= {translate(key): stored[name] for name, key in (("command", "run.command"), ("data", "run.data")) if stored.get(name)}
    if plan := _plan(translate, metrics.get("plan") or {}):
        facts[translate("run.plan")] = plan
    rows = "".join(f'<tr><th>{text(name)}</th><td class="text">{text(value)}</td></tr>' for name, value in facts.items())
    logged = [event for event in content["log"] if event.get("event") in ("note", "warning")]
    notes = "\n".join(translate.read(Sentence.read(str(event.get("text")), event.get("sentence"))) for event in logged)
    return (
        f'<h2>{translate.html("run.made")}</h2><div class="card"><table class="facts">{rows}</table></div>'
        f"<details><summary>{translate.html('run.notes')}</summary><pre>{text(notes)}</pre></details>"
        f"<details><summary>run.yaml</summary><pre>{text(content['config'])}</pre></details>"
    )


def _plan(translate: Words, plan: Mapping[str, Any]) -> str:
    """Return the plan of the training in words; empty if the run has none."""
    if not plan:
        return ""
    keys = ["run.plan_models", "run.plan_alone" if plan.get("baseline_members") else "run.plan_no_alone", "run.plan_epochs"]
    keys += ["run.plan_trees"] if plan.get("trees") else []
    values = {
        "members": plan["members"],
        "alone": plan.get("baseline_members", 0),
        "epochs": plan["epochs"],
        "trees": plan.get("trees", 0.0),
    }
    return translate("list_separator").join(translate(key, **values) for key in keys)
