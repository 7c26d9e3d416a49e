"""The training of each field: its own loss, its share of the gradient, and its vote compared with a model of that field alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from . import charts

_SHOWN = {
    "loss": "own loss, training rows 训练行",
    "held_out": "own loss, held-out rows 留出行",
    "gradient": "share of the gradient 梯度份额",
}
_COLUMNS = {"alone": "alone 单独训练", "vote": "its vote 融合模型中的投票", "constant": "a constant 常数"}


def curves(log: Sequence[Mapping[str, Any]]) -> str:
    """Return a chart for each of these figures as HTML, for every model with at least two fields. Empty if the log has no such figures.

    :param log: the events of ``log.jsonl``
    """
    found: dict[str, dict[str, list[list[float]]]] = {figure: {} for figure in _SHOWN}
    for event in log:
        fields = event.get("fields")
        if event.get("event") != "epoch" or not isinstance(fields, Mapping) or len(fields) < 2:
            continue
        fold = str(event["name"]).removeprefix("fused")
        for name, facts in fields.items():
            for figure, series in found.items():
                if isinstance(facts.get(figure), (int, float)):
                    series.setdefault(f"{name}{fold}", []).append([event["epoch"], facts[figure]])
    cards = "".join(
        f'<div class="card"><h3>{escape(_SHOWN[figure])}</h3>{charts.lines(series, "epoch", escape(figure))}</div>'
        for figure, series in found.items()
        if series
    )
    return f'<h3>Each field in training 训练中的各字段</h3><div class="grid2">{cards}</div>' if cards else ""


def balance(metrics: Mapping[str, Any]) -> str:
    """Return a table as HTML that compares the vote of each field in the fused model with a model of that field alone and with a constant.
    Empty if the run has no such metrics.
    """
    rows = []
    for name, by_task in metrics.get("balance", {}).items():
        for task, facts in by_task.items():
            values = "".join(f"<td>{'-' if facts[key] is None else f'{facts[key]:.4f}'}</td>" for key in _COLUMNS)
            stopped = "<b>stopped learning 停止学习</b>" if facts["stopped"] else ""
            rows.append(
                f"<tr><th>{escape(name)} <small>{escape(task)}: {escape(facts['metric'])}</small></th>{values}<td>{stopped}</td></tr>"
            )
    if not rows:
        return ""
    head = "".join(f"<th>{title}</th>" for title in _COLUMNS.values())
    title = "<h3>What each field learned beside the others 各字段在融合模型中学到了多少</h3>"
    return f'{title}<div class="card"><table><thead><tr><th></th>{head}<th></th></tr></thead>{"".join(rows)}</table></div>'
