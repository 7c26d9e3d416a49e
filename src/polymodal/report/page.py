"""Renders the collected data of a run as one HTML page: inline style and charts, no scripts, no requests. All text from data is escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..storage import write_whole
from . import charts, fields
from .document import NO_ICON, document
from .gather import gather

FILE = "report.html"
_STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#667;--line:#d8dde6;--back:#fff;--card:#f6f8fb}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#9aa4b5;--line:#39414f;--back:#14181f;--card:#1c222c}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1120px;padding:24px;background:var(--back);color:var(--ink);
font:15px/1.5 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
h1{font-size:26px;margin:0}h2{font-size:19px;margin:34px 0 10px;border-bottom:1px solid var(--line);padding-bottom:4px}
h3{font-size:15px;margin:14px 0 6px}h2 small,h3 small,p small{color:var(--soft);font-weight:400}.lead{font-size:17px;margin:8px 0}
.grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(430px,100%),1fr));gap:18px}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px;overflow-x:auto}
table{border-collapse:collapse;font-size:13.5px}td,th{padding:3px 9px;text-align:right;border-bottom:1px solid var(--line);font-weight:400}
th:first-child{text-align:left}thead th{color:var(--soft)}tr.best td,tr.best th{font-weight:600}.counts td{text-align:center;min-width:34px}
.bars{width:100%}.bars .bar{width:60%}.bars .bar div{height:12px;border-radius:3px}
svg{width:100%;height:auto;display:block}svg text{font-size:10.5px;fill:var(--soft)}svg .grid{stroke:var(--line)}
svg .rule{stroke:var(--soft);stroke-dasharray:4 4}.legend span{display:inline-block;margin-right:14px;font-size:12.5px}
.legend i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:5px}
.worst{display:grid;grid-template-columns:repeat(auto-fill,minmax(235px,1fr));gap:12px}.worst img{width:96px;height:auto;border-radius:4px}
.worst .card{font-size:13px;overflow-wrap:anywhere}.worst b{color:#c0392b}pre{overflow-x:auto;font-size:12px;white-space:pre-wrap}
details{margin-top:10px}summary{cursor:pointer;color:var(--soft)}
"""


def write(run: Path) -> Path:
    """Write ``report.html`` into a run's folder, replacing an existing one, and return its path.

    :raises UserError: no report can be made of the folder; see ``gather``
    """
    path = run / FILE
    write_whole(path, page(gather(run)).encode())
    return path


def page(found: Mapping[str, Any]) -> str:
    """Return the report as one HTML page.

    :param found: what ``gather`` returns
    """
    metrics, kept = found["metrics"], found["kept"]
    parts = [_head(found, metrics), _scores(metrics)]
    parts += [
        _learning(found["log"]),
        fields.curves(found["log"]),
        fields.balance(metrics),
        _answers(kept, metrics["validation"]),
        _guarantees(metrics.get("conformal", {})),
        _missing(metrics),
        _worst(kept),
        _faults(found),
        _how(found, metrics),
    ]
    return document(f"{found['name']} - polymodal", _STYLE, "".join(parts), NO_ICON)


def _heading(english: str, chinese: str) -> str:
    return f"<h2>{english} <small>{chinese}</small></h2>"


def _head(found: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    rows = metrics.get("rows", {})
    lead = "".join(f'<p class="lead">{escape(line)}</p>' for line in str(metrics.get("finding") or "").splitlines())
    seconds = metrics.get("seconds", {}).get("total")
    took = f", {seconds:,.0f} s" if isinstance(seconds, (int, float)) else ""
    return (
        f"<h1>{escape(found['name'])}</h1>{lead}<p><small>{rows.get('table', 0):,} rows, "
        f"{rows.get('training', 0):,} to train one model on, seed {escape(str(metrics.get('seed')))}{took}</small></p>"
    )


def _scores(metrics: Mapping[str, Any]) -> str:
    """Return a table of metrics for each task: all fields, each field alone, all fields but one, calibration rows, test rows."""
    out = [_heading("How well", "效果")]
    for task, whole in metrics["validation"]["tasks"].items():
        names = [name for name, value in whole.items() if value is not None]
        lines = [("all fields 全部字段", whole, True)]
        lines += [(f"only 只用 {name}", alone["tasks"][task], False) for name, alone in metrics.get("baselines", {}).items()]
        lines += [(f"without 去掉 {name}", by[task], False) for name, by in metrics["validation"].get("hidden", {}).items()]
        if (pooled := metrics["validation"].get("pooled", {}).get(task)) and pooled["rows"]:
            lines.append((f"mean of all models, {pooled['rows']:,} calibration rows 所有模型的平均，校准行", pooled["metrics"], False))
            lines.append(("single models, these rows 单个模型，同样的行", pooled.get("single", {}), False))
        if metrics.get("test"):
            lines.append(("all fields, test rows 测试行", metrics["test"]["tasks"][task], True))
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        body = "".join(
            f'<tr class="{"best" if best else "part"}"><th>{escape(label)}</th>'
            + "".join(f"<td>{'-' if values.get(name) is None else f'{values[name]:.4f}'}</td>" for name in names)
            + "</tr>"
            for label, values, best in lines
        )
        out.append(f"<h3>{escape(task)} <small>{metrics['validation']['rows']:,} held-out rows 留出的行</small></h3>")
        out.append(f'<div class="card"><table><thead><tr><th></th>{head}</tr></thead>{body}</table></div>')
    return "".join(out)


def _learning(log: Sequence[Mapping[str, Any]]) -> str:
    losses: dict[str, list[list[float]]] = {}
    held: dict[str, list[list[float]]] = {}
    for event in log:
        if event.get("event") == "epoch" and isinstance(event.get("loss"), (int, float)):
            losses.setdefault(str(event["name"]), []).append([event["epoch"], event["loss"]])
            if isinstance(event.get("monitor"), (int, float)):
                held.setdefault(str(event["name"]), []).append([event["epoch"], event["monitor"]])
    if not losses:
        return ""
    return (
        _heading("Learning", "学习曲线") + '<div class="grid2">'
        f'<div class="card">{charts.lines(losses, "epoch", "training loss 训练损失")}</div>'
        f'<div class="card">{charts.lines(held, "epoch", "held-out, 0 = perfect 留出行")}</div></div>'
    )


def _answers(kept: Mapping[str, Any], validation: Mapping[str, Any]) -> str:
    out = []
    for task, plotted in kept.get("curves", {}).items():
        cards = []
        if "confusion" in plotted:
            confusion = plotted["confusion"]
            of = (
                f" <small>{len(confusion['classes'])} most frequent of {confusion['of']}</small>"
                if confusion["of"] > len(confusion["classes"])
                else ""
            )
            title = f"<h3>Confusion: rows are the truth 混淆矩阵：行是真值{of}</h3>"
            cards.append(title + charts.counts(confusion["classes"], confusion["counts"]))
        if plotted.get("calibration"):
            cards.append(
                _calibration(plotted["calibration"], kept.get("reliability", {}).get(task), validation.get("calibration", {}).get(task))
                + _pooled(validation.get("pooled", {}).get(task))
            )
        if plotted.get("curves"):
            roc = {curve["class"]: curve["roc"] for curve in plotted["curves"]}
            precision = {curve["class"]: curve["precision_recall"] for curve in plotted["curves"]}
            cards.append("<h3>ROC</h3>" + charts.lines(roc, "false positives 假阳性率", "true positives", square=True, dots=False))
            cards.append(
                "<h3>Precision and recall 查准率与查全率</h3>" + charts.lines(precision, "recall", "precision", square=True, dots=False)
            )
        if plotted.get("scatter"):
            cards.append("<h3>Answer against truth 预测与真值</h3>" + charts.scatter(plotted["scatter"], "truth 真值", "answer"))
        out.append(
            f"<h3>{escape(task)}</h3>" + '<div class="grid2">' + "".join(f'<div class="card">{card}</div>' for card in cards) + "</div>"
        )
    return _heading("Answers to held-out rows", "对留出行的回答") + "".join(out) if out else ""


def _calibration(
    used: Sequence[Sequence[float]], scaled: Mapping[str, Sequence[Sequence[float]]] | None, result: Mapping[str, Any] | None
) -> str:
    """Return the reliability curve of one task, before and after scaling if the votes were scaled (each half of the rows with the scale
    fitted on the other half).
    """
    if not scaled or not result:
        return "<h3>Calibration 校准</h3>" + charts.lines({"share right 正确率": used}, "confidence 置信度", "share right", square=True)
    curves = {"before scaling 缩放前": scaled["before"], "after 缩放后": scaled["after"]}
    rows = ""
    for name, metric in (("ECE", "ece"), ("log loss", "log_loss")):
        cells = "".join(f"<td>{'-' if one[metric] is None else f'{one[metric]:.4f}'}</td>" for one in (result["before"], result["after"]))
        rows += f"<tr><th>{name}</th>{cells}</tr>"
    note = (
        f"votes scaled by {result['scale']:.2f}; each of {result['rows']:,} validation rows by a scale that was fitted on other rows "
        f"交叉拟合; ECE of perfect calibration on so many rows, by chance 偶然值: {result['chance']:.4f}"
    )
    return (
        "<h3>Calibration before and after 校准前后</h3>"
        + charts.lines(curves, "confidence 置信度", "share right 正确率", square=True)
        + f"<table><thead><tr><th></th><th>before</th><th>after</th></tr></thead>{rows}</table><p><small>{note}</small></p>"
    )


def _pooled(found: Mapping[str, Any] | None) -> str:
    """Return a note on the mean of several models on the calibration rows; the figures above it describe single models."""
    if found is None:
        return ""
    text = (
        f"These are single models 单个模型. The mean of all models 所有模型的平均 is multiplied by {found['scale']:.2f}, fitted on "
        f"{found['rows']:,} calibration rows that no model was trained on 校准行"
    )
    if (result := found["calibration"]) is not None:
        before, after = (f"ECE {one['ece']:.4f}, log loss {one['log_loss']:.4f}" for one in (result["before"], result["after"]))
        text += f"; on these rows without it 缩放前 {before}, with it 缩放后 {after} (by chance 偶然值 {result['chance']:.4f})"
    return f"<p><small>{text}</small></p>"


def _guarantees(conformal: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the coverage guarantee of the sets or intervals of each task."""
    lines = [f"<p>{escape(task)}: {_guarantee(kept)}</p>" for task, kept in conformal.items() if kept.get("rows") and "method" in kept]
    return _heading("Sets and intervals", "集合与区间") + f'<div class="card">{"".join(lines)}</div>' if lines else ""


def _guarantee(kept: Mapping[str, Any]) -> str:
    """Return the guarantee of the conformal method with which the sets were made."""
    rows = f"{kept['rows']:,}"
    if kept["method"] == "split":
        return (
            f"split conformal prediction, on {rows} rows that no model was trained on: a set of coverage c contains the truth of "
            "a new row of the same distribution with probability c at least "
            f"分裂共形预测（{rows} 行校准）：覆盖率为 c 的集合以至少 c 的概率包含新样本的真值"
        )
    return (
        f"CV+, on {rows} rows, each answered by the model that was not trained on it: a set of coverage c contains the "
        "truth of a new row of the same distribution with probability 2c - 1 at least, and about c or more in practice "
        f"CV+（{rows} 行交叉验证）：覆盖率为 c 的集合以至少 2c - 1 的概率包含新样本的真值，实际约为 c 或更高"
    )


def _missing(metrics: Mapping[str, Any]) -> str:
    """Return how the metrics change when fields are missing: for every set of fields, and by the share of missing cells."""
    hidden, alone = metrics["validation"].get("hidden", {}), metrics.get("baselines", {})
    if not hidden:
        return ""
    out = [_heading("What each field brings", "各字段的作用")]
    for task, whole in metrics["validation"]["tasks"].items():
        metric = next((name for name in ("accuracy", "r2", "mae", *whole) if whole.get(name) is not None), None)
        if metric is None:
            continue
        found = {"all fields 全部字段": whole[metric]}
        found |= {f"only 只用 {name}": one["tasks"][task].get(metric) for name, one in alone.items()}
        found |= {f"without 去掉 {name}": by[task].get(metric) for name, by in hidden.items()}
        values = {name: value for name, value in found.items() if value is not None}
        cards = [f"<h3>{escape(task)}: {escape(metric)}</h3>{charts.bars(values)}"]
        cards += _shares(metrics["validation"].get("shapley", {}).get(task), task, len(hidden))
        cards += _grid(metrics["validation"].get("present", []), task, metric)
        out.append(f'<div class="grid2">{"".join(f"<div class=card>{card}</div>" for card in cards)}</div>')
    return "".join(out)


def _shares(result: Mapping[str, Any] | None, task: str, fields: int) -> list[str]:
    """Return the metric gained over a model without any field, divided among the fields by Shapley values (Shapley 1953)."""
    title = f"<h3>{escape(task)}: what each contributes 各字段的贡献 <small>Shapley</small></h3>"
    if result is None:
        return [
            f"{title}<p><small>Of {fields} fields not every set was measured; polymodal explain RUN TABLE shares out what they "
            "contribute 字段较多时用 polymodal explain 计算</small></p>"
        ]
    values = {
        name: (one["value"], f"{one['value']:+.4f}" + ("" if one["share"] is None else f" ({one['share']:z.0%})"))
        for name, one in sorted(result["fields"].items(), key=lambda pair: -(pair[1]["value"] or 0.0))
        if one["value"] is not None
    }
    if not values:
        return []
    note = (
        f"{escape(result['metric'])} {result['nothing']:.4f} without any field 没有任何字段, {result['whole']:.4f} with all of them "
        "全部字段: the bars sum to the difference 各条之和为其差"
    )
    return [f"{title}{charts.signed_bars(values)}<p><small>{note}</small></p>"]


def _grid(present: Sequence[Mapping[str, Any]], task: str, metric: str) -> list[str]:
    found = {frozenset(one["fields"]): one["tasks"][task].get(metric) for one in present}
    if not found or any(value is None for value in found.values()):
        return []
    fields = max(found, key=len)
    names = sorted(fields)
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    lines = [
        "".join(f'<td style="text-align:center">{"●" if name in some else ""}</td>' for name in names) + f"<td>{value:.4f}</td>"
        for some, value in sorted(found.items(), key=lambda pair: (-len(pair[0]), sorted(pair[0])))
    ]
    rows = "".join(f"<tr>{line}</tr>" for line in lines)
    title = f"<h3>{escape(task)}: which fields are there 有哪些字段</h3>"
    cards = [f"{title}<table><thead><tr>{head}<th>{escape(metric)}</th></tr></thead>{rows}</table>"]
    if metric in ("accuracy", "mae"):  # means over rows: with cells missing at random, expected to be a mean over the sets
        total = len(fields)
        curve = [
            [rate, sum(value * (1 - rate) ** len(some) * rate ** (total - len(some)) for some, value in found.items())]
            for rate in (at / 20 for at in range(21))
        ]
        chart = charts.lines({metric: curve}, "share of cells missing 缺失比例", metric)
        cards.append(f"<h3>{escape(task)}: by how much is missing 随缺失比例</h3>{chart}")
    return cards


def _worst(kept: Mapping[str, Any]) -> str:
    out = []
    for task, rows in kept.get("worst", {}).items():
        cards = []
        for row in rows:
            cells = "".join(
                f"<div><small>{escape(name)}</small><br>"
                + (f'<img alt="" src="data:image/png;base64,{escape(cell["png"], quote=True)}">' if "png" in cell else escape(cell["text"]))
                + "</div>"
                for name, cell in row["cells"].items()
            )
            sure = "" if row["sure"] is None else f" ({row['sure']:.0%})"
            answer = ", ".join(map(str, row["answer"])) if isinstance(row["answer"], list) else str(row["answer"])
            tag = "i" if answer == row["truth"] else "b"
            said = f"answered 回答 <{tag}>{escape(answer)}</{tag}>{sure}<br>truth 真值 {escape(row['truth'])}"
            cards.append(f'<div class="card"><small>row 第 {row["row"]:,} 行</small><br>{said}{cells}</div>')
        if cards:
            out.append(f"<h3>{escape(task)}</h3>" + f'<div class="worst">{"".join(cards)}</div>')
    return _heading("Wrong, or least sure", "答错的或最没有把握的行") + "".join(out) if out else ""


def _faults(found: Mapping[str, Any]) -> str:
    if not found["faults"]:
        return ""
    rows = "".join(
        "<tr>" + "".join(f"<td style=text-align:left>{escape(str(cell))}</td>" for cell in row[:3]) + "</tr>" for row in found["faults"]
    )
    more = (
        f" <small>{len(found['faults']):,} of {found['faults_in_all']:,}</small>" if found["faults_in_all"] > len(found["faults"]) else ""
    )
    return (
        _heading("Cells that could not be read", "读不出来的单元格")
        + f'<div class="card">{more}<table><thead><tr><th>row</th><th>column</th><th>fault</th></tr></thead>{rows}</table></div>'
    )


def _how(found: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Return the command, the versions, the digest of the data, the plan and the whole configuration."""
    start: Mapping[str, Any] = next((event for event in found["log"] if event.get("event") in ("start", "resume")), {})
    facts = {name: start[name] for name in ("polymodal", "torch", "python", "threads", "table") if name in start}
    facts |= {name: found["kept"][name] for name in ("command", "data") if name in found["kept"]}
    facts["plan"] = json.dumps({name: value for name, value in metrics.get("plan", {}).items() if name != "share"})
    rows = "".join(
        f"<tr><th>{escape(str(name))}</th><td style=text-align:left>{escape(str(value))}</td></tr>" for name, value in facts.items()
    )
    notes = "\n".join(str(event.get("text")) for event in found["log"] if event.get("event") in ("note", "warning"))
    return (
        _heading("How it was made", "如何得到") + f'<div class="card"><table>{rows}</table></div>'
        f"<details><summary>notes 记录</summary><pre>{escape(notes)}</pre></details>"
        f"<details><summary>run.yaml</summary><pre>{escape(found['config'])}</pre></details>"
    )
