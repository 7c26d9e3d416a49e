"""The predictions of a run on its validation rows: curves, calibration, the guarantees of sets and intervals, and single rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..language import Words
from . import charts, confusion
from .document import number, scroll, text

FEWEST_ROWS = 19
"""The least number of rows for sets and intervals with a guarantee, as in ``evaluation.conformal``."""


def plots(translate: Words, stored: Mapping[str, Any], validation: Mapping[str, Any]) -> str:
    """Return the curves of each task's predictions as HTML. Empty if none are stored.

    :param stored: the content of ``report.json``
    :param validation: the metrics of the validation rows
    """
    out = []
    for task, plotted in stored.get("curves", {}).items():
        cards = []
        if "confusion" in plotted:
            cards.append(confusion.matrix(translate, plotted["confusion"]))
        if plotted.get("calibration"):
            scaled = stored.get("reliability", {}).get(task)
            cards.append(
                _calibration(translate, plotted["calibration"], scaled, validation.get("calibration", {}).get(task))
                + _pooled(translate, validation.get("pooled", {}).get(task))
            )
        if plotted.get("curves"):
            roc = {curve["class"]: curve["roc"] for curve in plotted["curves"]}
            recall = {curve["class"]: curve["precision_recall"] for curve in plotted["curves"]}
            for title, series, across, up, rule in (
                (translate("run.roc"), roc, translate("run.false_positives"), translate("run.true_positives"), True),
                (translate("run.precision_recall"), recall, translate("run.recall"), translate("run.precision"), False),
            ):
                cards.append(f"<h3>{text(title)}</h3>{charts.lines(translate, series, across, up, square=True, rule=rule, dots=False)}")
        if plotted.get("scatter"):
            chart = charts.scatter(plotted["scatter"], translate("run.truth"), translate("run.prediction"))
            cards.append(f"<h3>{translate.html('run.scatter')}</h3>{chart}")
        out.append(
            f"<h3>{text(task)}</h3>" + '<div class="columns">' + "".join(f'<div class="card">{one}</div>' for one in cards) + "</div>"
        )
    return f"<h2>{translate.html('run.predictions')}</h2>" + "".join(out) if out else ""


def _calibration(
    translate: Words,
    used: Sequence[Sequence[float]],
    scaled: Mapping[str, Sequence[Sequence[float]]] | None,
    result: Mapping[str, Any] | None,
) -> str:
    """Return the reliability curve of one task, before and after scaling if the votes were scaled (each half of the rows with the scale
    fitted on the other half).
    """
    axes = translate("run.confidence"), translate("run.accuracy")
    if not scaled or not result:
        chart = charts.lines(translate, {translate("run.accuracy"): used}, *axes, square=True, rule=True)
        return f"<h3>{translate.html('run.calibration')}</h3>{chart}"
    both = (translate("run.before"), "before"), (translate("run.after"), "after")
    curves = {label: scaled[name] for label, name in both}
    rows = ""
    for metric in ("ece", "log_loss"):
        cells = "".join(f"<td>{number(result[name][metric])}</td>" for _, name in both)
        rows += f"<tr><th>{metric}</th>{cells}</tr>"
    head = "".join(f"<th>{text(label)}</th>" for label, _ in both)
    note = translate.html("run.scaled", **{name: result[name] for name in ("scale", "rows", "chance")})
    return (
        f"<h3>{translate.html('run.calibration_both')}</h3>{charts.lines(translate, curves, *axes, square=True, rule=True)}"
        f"{scroll(f'<table><thead><tr><td></td>{head}</tr></thead>{rows}</table>')}<p><small>{note}</small></p>"
    )


def _pooled(translate: Words, pooled: Mapping[str, Any] | None) -> str:
    """Return a note on the mean of several models on the calibration rows; the figures above it describe single models."""
    if pooled is None:
        return ""
    notes = [translate.html("run.pooled_scale", scale=pooled["scale"], rows=pooled["rows"])]
    if (result := pooled["calibration"]) is not None:
        before, after = result["before"], result["after"]
        notes.append(
            translate.html(
                "run.pooled_calibration",
                chance=result["chance"],
                ece_before=number(before["ece"]),
                log_before=number(before["log_loss"]),
                ece_after=number(after["ece"]),
                log_after=number(after["log_loss"]),
            )
        )
    return f"<p><small>{translate('sentence_space').join(notes)}</small></p>"


def guarantees(translate: Words, conformal: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the coverage guarantee of the sets or intervals of each task as HTML. Empty if the run has no such sets."""
    lines = [f"<p>{translate.html('colon', name=task, value=one)}</p>" for task, one in guarantee_texts(translate, conformal).items()]
    return f'<h2>{translate.html("run.sets")}</h2><div class="card">{"".join(lines)}</div>' if lines else ""


def guarantee_texts(translate: Words, conformal: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the coverage guarantee as plain text, by task; a task without sets or intervals, or with too few rows for them, is left out.

    :param conformal: ``conformal`` of ``metrics.json``: the facts of the sets by task
    """
    methods = {"split": "run.split_conformal"}
    return {
        task: translate(methods.get(one["method"], "run.cv_plus"), rows=one["rows"])
        for task, one in conformal.items()
        if one.get("rows", 0) >= FEWEST_ROWS and "method" in one
    }


def examples(translate: Words, stored: Mapping[str, Any]) -> str:
    """Return the rows with the largest errors of each task as HTML. Empty if none are stored."""
    out = []
    for task, rows in stored.get("worst", {}).items():
        cards = "".join(_example(translate, row) for row in rows)
        if cards:
            out.append(f'<h3>{text(task)}</h3><div class="examples">{cards}</div>')
    return f"<h2>{translate.html('run.largest_errors')}</h2>" + "".join(out) if out else ""


def _example(translate: Words, row: Mapping[str, Any]) -> str:
    """Return one row: its prediction, its truth and its cells."""
    cells = "".join(
        f"<div><small>{text(name)}</small><br>"
        + (f'<img alt="" src="data:image/png;base64,{text(cell["png"])}">' if "png" in cell else text(cell["text"]))
        + "</div>"
        for name, cell in row["cells"].items()
    )
    answers = row["answer"] if isinstance(row["answer"], list) else [row["answer"]]
    prediction = ", ".join(f"{one:.9g}" if isinstance(one, float) else str(one) for one in answers)
    tag = "i" if prediction == row["truth"] else "b"
    confidence = "" if row["sure"] is None else f" <small>{translate.html('run.probability', share=row['sure'])}</small>"
    lines = (
        f"<small>{translate.html('run.row', row=row['row'])}</small>",
        f"<small>{translate.html('run.predicted')}</small> <{tag}>{text(prediction)}</{tag}>{confidence}",
        f"<small>{translate.html('run.truth')}</small> {text(row['truth'])}",
    )
    return f'<div class="card">{"<br>".join(lines)}{cells}</div>'
