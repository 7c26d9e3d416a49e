"""The tables that a ``Predictor`` returns: what is shown of the leaderboard and of the importances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import counted
from ..language import Words
from ..pages import VERDICTS, Records, with_error


def leaderboard_table(target: str, metrics: Mapping[str, Any], members: bool) -> Records:
    """Return the leaderboard of a task. The verdict is that of the model over each entry.

    :param metrics: the content of ``metrics.json``
    :param members: whether the models of an ensemble follow
    """
    keys = ("leaderboard", "leaderboard_members") if members else ("leaderboard",)
    entries = [one for key in keys for one in metrics.get(key, {}).get(target, [])]
    metric = str(entries[0]["metric"]) if entries else "value"
    title = f"{target}: measured on validation rows, the best first"
    shown = {"": _name, metric: _value, "verdict": _verdict, "rows": _rows, "seconds": _seconds}
    return Records(entries, title, shown, Words("en")("legend.error"))


def importance_table(target: str, records: Sequence[Mapping[str, Any]]) -> Records:
    """Return the importances of fields and columns for a task."""
    metric, rows = (str(records[0]["metric"]), f", measured on {counted(records[0]['rows'], 'row')}") if records else ("metric", "")
    title = f"{target}: cells exchanged between rows{rows}"
    shown = {"": _name, "kind": _kind, f"{metric} lost": _importance, "loss added": _loss}
    return Records(records, title, shown, Words("en")("legend.error"))


def _name(row: Mapping[str, Any]) -> str:
    return str(row["name"])


def _kind(row: Mapping[str, Any]) -> str:
    return str(row["kind"])


def _value(row: Mapping[str, Any]) -> str:
    return with_error(row["value"], row["error"])


def _verdict(row: Mapping[str, Any]) -> str:
    return Words("en")(VERDICTS[row["verdict"]]) if row["verdict"] else ""


def _rows(row: Mapping[str, Any]) -> str:
    return f"{row['rows']:,}"


def _seconds(row: Mapping[str, Any]) -> str:
    return "" if row["seconds"] is None else f"{row['seconds']:,.1f}"


def _importance(row: Mapping[str, Any]) -> str:
    return with_error(row["importance"], row["error"])


def _loss(row: Mapping[str, Any]) -> str:
    return with_error(row["loss_importance"], row["loss_error"])
