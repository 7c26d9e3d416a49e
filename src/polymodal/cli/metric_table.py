"""Metrics as tables for the terminal: a row for each metric, and a column for each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..language import Words
from ..pages import entry_name
from .output import Line, Table, legend_lines, table_lines, text_lines

Measured = tuple[str, Mapping[str, Any]]
"""A label, and metrics by name; a metric that is absent or None is undefined."""
_VERDICTS = {"better than": "run.model_better", "worse than": "run.model_worse", "within noise of": "run.model_same"}


def metric_lines(
    words: Words, title: str, metrics: Sequence[str], groups: Sequence[Sequence[Measured]], smaller: Sequence[str]
) -> list[Line]:
    """Return the lines of a title, of a table for each group of models, and of the explanation of symbols.

    :param metrics: the names of the metrics, one row each
    :param groups: the models that are shown beside one another
    :param smaller: the metrics of which smaller values are better
    """
    lines = text_lines(title, "bold")
    for at, group in enumerate(groups):
        rows = [[metric, *(format_number(values.get(metric)) for _, values in group)] for metric in metrics]
        lines += [("", "")] if at else []
        lines += table_lines(Table(["", *(label for label, _ in group)], rows))
    shown = [values.get(metric) for group in groups for _, values in group for metric in metrics]
    names = words("enumeration").join(name for name in metrics if name in smaller)
    smaller_text = words("legend.smaller", names=names) if names else ""
    return lines + legend_lines(smaller_text, words("legend.undefined") if None in shown else "")


def format_number(value: float | None) -> str:
    """Return a number with four decimals, or ``-`` for None."""
    return "-" if value is None else f"{value:z.4f}"


def leaderboard_lines(words: Words, task: str, entries: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Return the lines of the leaderboard of a task: the value and the standard error of each entry, the best first.

    :param entries: the entries in ``metrics.json``
    """
    if len(entries) < 2:
        return []
    metric, most = entries[0]["metric"], max(entry["rows"] for entry in entries)
    rows = []
    for entry in entries:
        verdict = words(_VERDICTS[entry["verdict"]]) if entry["verdict"] else ""
        if entry["rows"] < most and entry["difference"] is not None:
            same = format_number(entry["value"] + entry["difference"])
            verdict = words("train.same_rows", verdict=verdict, value=same, rows=entry["rows"])
        seconds = "" if entry.get("seconds") is None else f"{entry['seconds']:,.0f}"
        value = f"{format_number(entry['value'])} ± {format_number(entry['error'])}"
        rows.append([entry_name(words, entry), value, seconds, verdict])
    heads = ["", metric, words("run.leaderboard_seconds"), words("run.model_verdict")]
    lines = text_lines(words("train.leaderboard", target=task, metric=metric), "bold") + table_lines(Table(heads, rows, rest=True))
    return lines + legend_lines(words("legend.error"), words("legend.verdict"))
