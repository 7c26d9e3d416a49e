"""``compare.html``: what a comparison found, as one page without script or request; all text from data is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..report.document import NO_ICON, document
from ..report.document import number as _number
from ..report.document import text as _text
from .sentences import left_out

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#667;--line:#d8dde6;--back:#fff;--card:#f6f8fb}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#9aa4b5;--line:#39414f;--back:#14181f;--card:#1c222c}}
body{margin:0 auto;max-width:1080px;padding:24px;background:var(--back);color:var(--ink);overflow-wrap:anywhere;
font:15px/1.5 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
h1{font-size:26px;margin:0}h2{font-size:19px;margin:30px 0 8px}small,.note{color:var(--soft)}
.lead{font-size:17px;background:var(--card);border-left:4px solid #3366cc;padding:10px 14px;border-radius:4px}
.helps{border-color:#109618}.harms{border-color:#dc3912}.undecided,.no{border-color:#ff9900}
table{border-collapse:collapse;font-size:13.5px;width:100%}td,th{padding:4px 9px;text-align:right;
border-bottom:1px solid var(--line);font-weight:400;white-space:nowrap}
th:first-child,td:first-child{text-align:left}thead th{color:var(--soft)}.best td{font-weight:600}.scroll{overflow-x:auto}
svg{width:220px;height:16px;display:block}svg .zero{stroke:var(--soft);stroke-dasharray:3 3}svg .span{stroke:#3366cc;stroke-width:3}
svg circle{fill:#3366cc}svg .sure{stroke:#109618}svg .sure+circle{fill:#109618}svg .worse{stroke:#dc3912}svg .worse+circle{fill:#dc3912}
"""
_WIDTH, _HEIGHT = 260, 16


def page(found: Mapping[str, Any]) -> str:
    """The page of what ``compare`` returns (as plain JSON data)."""
    title = f"Does fusing help? {found['table']}"
    parts = [f"<h1>{_text(title)} <small>融合有用吗？</small></h1>"]
    limit = "" if found["time_limit"] is None else f" of {found['time_limit']:,.0f}"
    parts.append(f'<p class="note">{found["rows"]:,} rows; {found["seconds"]:,.0f} s{limit}; seed {found["seed"]}</p>')
    parts += [_target(name, facts, found["contenders"]) for name, facts in found["targets"].items()]
    parts.append(_left(found))
    return document(title, _STYLE, "".join(parts), NO_ICON)


def _target(name: str, facts: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    metric = facts["metric"]
    spans = [one["difference"] for one in facts["contenders"].values() if one["difference"] and one["difference"]["low"] is not None]
    reach = max((abs(span[end]) for span in spans for end in ("low", "high")), default=1.0) or 1.0
    ranked = sorted(facts["contenders"].items(), key=lambda pair: pair[1]["mean"], reverse=facts["larger_is_better"])
    bold = (facts["best_alone"], facts["best_fused"])
    rows, more = [], []
    for one, figures in ranked:
        span = figures["difference"]
        shown = "the best single field" if span is None else f"{_number(span['mean'], True)} ({_ends(span)})"
        settings = _text(" ".join(about[one]["settings"]) or "as asked")
        of_one = [_number(figures["mean"]), _number(figures["spread"]), shown, _interval(span, reach)]
        cost = [f"{about[one]['seconds']:,.1f}", f"{about[one]['parameters']:,}"]
        rows.append(_row([_text(one), *of_one, *cost, settings], one in bold))
        more.append(_row([_text(one), *map(_number, figures["metrics"].values())], one in bold))
    heads = ["contender", metric, "± over rounds", "against the best single field", "95 % interval", "seconds", "parameters", "settings"]
    metrics = ["contender", *ranked[0][1]["metrics"]]
    return (
        f'<h2>{_text(name)}</h2><p class="lead {facts["verdict"].split()[0]}">{_text(facts["sentence"])}</p>'
        f"{_table(heads, rows)}"
        f'<p class="note">Bold: the best single field and the best fusion, chosen on rows that measure nothing. The intervals hold 95 % '
        f"each, one by one; of many contenders one will look good by chance. Above 0 is better than the best single "
        f"field. One constant answer has {_text(metric)} {_number(facts['constant'])}.{_changes(facts['contenders'])}</p>"
        f"<details><summary>every metric</summary>{_table(metrics, more)}</details>"
    )


def _changes(contenders: Mapping[str, Any]) -> str:
    """What other settings change in a fusion."""
    said = [(name, one["change"]["of"], one["change"]["difference"]) for name, one in contenders.items() if one["change"]]
    return "".join(f" {_text(name)} against {_text(of)}: {_number(span['mean'], True)} ({_ends(span)})." for name, of, span in said)


def _row(cells: Sequence[str], bold: bool) -> str:
    return f"<tr{' class=best' if bold else ''}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _table(heads: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f"<th>{_text(cell)}</th>" for cell in heads)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _ends(span: Mapping[str, Any]) -> str:
    return "–" if span["low"] is None else f"{_number(span['low'], True)} to {_number(span['high'], True)}"


def _interval(span: Mapping[str, Any] | None, reach: float) -> str:
    def x(value: float) -> float:
        return _WIDTH / 2 + value / reach * (_WIDTH / 2 - 8)

    if span is None or span["low"] is None:
        return ""
    kind = "sure" if span["low"] > 0 else "worse" if span["high"] < 0 else ""
    middle = _HEIGHT / 2
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"><path class="zero" d="M{_WIDTH / 2} 0V{_HEIGHT}"/>'
        f'<path class="span {kind}" d="M{x(span["low"]):.1f} {middle}H{x(span["high"]):.1f}"/>'
        f'<circle cx="{x(span["mean"]):.1f}" cy="{middle}" r="4"/></svg>'
    )


def _left(found: Mapping[str, Any]) -> str:
    """The contenders that were not measured, and why."""
    rows = []
    for name, about in found["contenders"].items():
        if about["failed"]:
            rows.append((name, f"training failed: {about['failed']}"))
        elif not about["rounds"]:
            rows.append((name, left_out(about)))
    rows += [(name, reason) for name, reason in found["refused"].items()]
    if not rows:
        return ""
    body = "".join(f"<tr><td>{_text(name)}</td><td style='text-align:left'>{_text(reason)}</td></tr>" for name, reason in rows)
    return f"<h2>Not measured</h2><table>{body}</table>"
