"""Metrics as lines of a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len, set_cell_size


def metric_lines(title: str, metrics: Sequence[str], rows: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Yield the lines of a table: a title, the names of the metrics, and a line for each row.

    :param metrics: the names of the metrics, one column each
    :param rows: labels, each with its metrics by name; a metric that is absent or None is shown as ``-``
    """
    width = max(cell_len(label) for label, _ in rows)
    yield title
    yield "  " + " " * width + "".join(f"  {metric:>17}" for metric in metrics)
    for label, values in rows:
        yield "  " + set_cell_size(label, width) + "".join(f"  {format_number(values.get(metric)):>17}" for metric in metrics)


def format_number(value: float | None) -> str:
    """Return a number with four decimals, or ``-`` for None."""
    return "-" if value is None else f"{value:z.4f}"


def leaderboard_lines(task: str, entries: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of the leaderboard of a task: the value and the standard error of each entry, the best first.

    :param entries: the entries in ``metrics.json``
    """
    if len(entries) < 2:
        return
    width = max(cell_len(entry["name"]) for entry in entries)
    rows = max(entry["rows"] for entry in entries)
    yield f"{task}, {entries[0]['metric']} by model and by vote, with standard errors:"
    for entry in entries:
        verdict = f"  all fields {entry['verdict']} it" if entry["verdict"] else ""
        if entry["rows"] < rows and entry["difference"] is not None:
            same = format_number(entry["value"] + entry["difference"])
            verdict += f" ({same} on its {entry['rows']:,} rows)"
        yield f"  {set_cell_size(entry['name'], width)}  {format_number(entry['value']):>11} ± {format_number(entry['error'])}{verdict}"
