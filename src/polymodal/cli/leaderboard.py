"""The leaderboard of a run, as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..language import Words
from ..pages import VERDICTS, decimals, entry_name
from .output import Line, Table, legend_lines, table_lines, text_lines


def leaderboard_lines(words: Words, task: str, entries: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Return the lines of the leaderboard of a task: the value and the standard error of each entry, the best first.

    :param entries: the entries in ``metrics.json``
    """
    if len(entries) < 2:
        return []
    metric, most = entries[0]["metric"], max(entry["rows"] for entry in entries)
    rows = []
    for entry in entries:
        verdict = words(VERDICTS[entry["verdict"]]) if entry["verdict"] else ""
        if entry["rows"] < most and entry["difference"] is not None:
            same = decimals(entry["value"] + entry["difference"])
            verdict = words("train.same_rows", verdict=verdict, value=same, rows=entry["rows"])
        seconds = "" if entry.get("seconds") is None else f"{entry['seconds']:,.0f}"
        value = f"{decimals(entry['value'])} ± {decimals(entry['error'])}"
        rows.append([entry_name(words, entry), value, seconds, verdict])
    heads = ["", metric, words("run.leaderboard_seconds"), words("run.model_verdict")]
    lines = text_lines(words("train.leaderboard", target=task, metric=metric), "bold") + table_lines(Table(heads, rows, rest=True))
    return lines + legend_lines(words("legend.error"), words("legend.verdict"))
