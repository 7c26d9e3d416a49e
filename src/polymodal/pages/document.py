"""The HTML document of every page: one stylesheet, no scripts, no requests; and the escaping of text."""

from __future__ import annotations

from html import escape

NO_ICON = '<link rel="icon" href="data:,">'
"""HTML for the head of a page that may be served over HTTP: it keeps browsers from requesting an icon."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_HTML_LANGUAGES = {"en": "en", "zh": "zh-Hans"}
_STYLE = """
:root,:host{color-scheme:light dark;--ink:#1c2430;--soft:#5b6472;--line:#d8dde6;--back:#fff;--card:#f6f8fb;--bad:#b3261e;
--under:var(--back);--c0:#3366cc;--c1:#dc3912;--c2:#109618;--c3:#e08600;--c4:#990099;--c5:#0099c6;--c6:#dd4477;--c7:#66aa00;--c8:#8a3f1c;--c9:#316395}
@media(prefers-color-scheme:dark){:root,:host{--ink:#e6e9ef;--soft:#9aa4b5;--line:#39414f;--back:#14181f;--card:#1c222c;--bad:#ff9d94;
--c0:#6f9df0;--c1:#f2714f;--c2:#4cc354;--c3:#ffb03b;--c4:#d77fe0;--c5:#40c4e8;--c6:#f58ab0;--c7:#9ad13c;--c8:#d19a7b;--c9:#8fb6dc}}
*{box-sizing:border-box}body,.body{margin:0 auto;max-width:1120px;padding:24px;background:var(--back);color:var(--ink);
font:15px/1.5 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
h1{font-size:26px;margin:0;line-height:1.25}h2{font-size:19px;margin:34px 0 10px;border-bottom:1px solid var(--line);padding-bottom:4px}
h3{font-size:15px;margin:14px 0 6px}h4{font-size:14px;margin:10px 0 4px}h1,h2,h3,h4,p,pre,summary,.legend,.axis{overflow-wrap:anywhere}
small,.note{color:var(--soft);font-weight:400}
.lead{font-size:17px;background:var(--card);--under:var(--card);border-left:4px solid var(--c0);padding:10px 14px;border-radius:4px;
margin:8px 0}.lead p{margin:4px 0}.lead code{overflow-wrap:anywhere}
.helps{border-color:var(--c2)}.harms{border-color:var(--c1)}.undecided{border-color:var(--c3)}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(430px,100%),1fr));gap:18px;margin-bottom:18px}.columns>*{min-width:0}
.card{background:var(--card);--under:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px}
.card>h3:first-child,.card>p:first-child,.card>.scroll:first-child>table{margin-top:0}.card>p:last-child{margin-bottom:0}
.scroll{overflow-x:auto;background:linear-gradient(var(--under),var(--under)) right/16px 100% no-repeat local,
linear-gradient(270deg,rgba(128,128,128,.4),transparent) right/10px 100% no-repeat scroll}
.wide table{width:100%}.scroll td,.scroll th{white-space:nowrap}
.scroll tr>:first-child{position:sticky;left:0;background:var(--under);z-index:1}
.scroll tr>:first-child,.bars th{white-space:normal;min-width:7.6em;max-width:17em;overflow-wrap:anywhere;word-break:keep-all}
.scroll .text{white-space:normal;min-width:11em;max-width:34em;overflow-wrap:anywhere}.scroll td.row{min-width:3em}
table{border-collapse:collapse;font-size:13.5px;margin:6px 0}
td,th{padding:3px 9px;text-align:right;border-bottom:1px solid var(--line);font-weight:400}
th:first-child,td:first-child,.text,.labels td:nth-child(2),.labels th:nth-child(2){text-align:left}
thead th,.heads th{color:var(--soft)}.best td,.best th{font-weight:600}.mark{text-align:center!important}
.counts td,.counts thead th{text-align:center;min-width:27px;padding:3px 3px}
.scroll .counts tr>:first-child{white-space:nowrap;min-width:0;max-width:none;padding-right:8px}
.tall thead th{padding-bottom:6px;vertical-align:bottom}
.tall thead th span{writing-mode:vertical-rl;text-orientation:sideways;transform:rotate(180deg);display:inline-block}
.sum th,.sum td,.tall tr>.sum{border-top:2px solid var(--line)}
.bars,.facts{width:100%}.bars td:last-child{white-space:nowrap}.bars .bar{width:60%;min-width:70px}
.bars .bar div{height:12px;border-radius:3px}
.facts th{min-width:6.2em;white-space:normal}.facts td{overflow-wrap:anywhere}.shown{overflow-wrap:anywhere}
svg{vertical-align:middle;max-width:100%}td svg{max-width:none}svg.chart{width:100%;max-width:450px;height:auto;display:block}
svg text{font-size:11px;fill:var(--soft)}.axis{font-size:12.5px;color:var(--soft)}.across{text-align:right;max-width:450px}
svg .grid{stroke:var(--line)}svg .rule{stroke:var(--soft);stroke-dasharray:4 4}svg .line{fill:none;stroke-width:2}
.legend{font-size:12.5px}.legend span{display:inline-flex;align-items:baseline;max-width:100%;margin-right:14px}
.legend .key{margin-right:5px;flex:none}
.legend i{flex:none;width:11px;height:11px;border-radius:3px;margin-right:5px}.key path{stroke:var(--ink);stroke-width:2}
svg.interval{width:220px;height:16px;display:block;max-width:none}svg .zero{stroke:var(--soft);stroke-dasharray:3 3}
svg .span{stroke:var(--c0);stroke-width:3}svg.interval circle{fill:var(--c0)}svg .above{stroke:var(--c2)}
svg .above+circle{fill:var(--c2)}svg .below{stroke:var(--c1)}svg .below+circle{fill:var(--c1)}
.words{line-height:2}.words span{padding:2px 1px;border-radius:3px}svg.map{height:auto}image{image-rendering:pixelated}
.gray image{filter:grayscale(1)}
.examples{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(235px,100%),1fr));gap:12px}
.examples img{width:96px;height:auto;border-radius:4px}.examples .card{font-size:13px;overflow-wrap:anywhere}.examples b{color:var(--bad)}
pre{font-size:12px;white-space:pre-wrap}details{margin-top:10px}summary{cursor:pointer;color:var(--soft)}
@media(max-width:600px){body,.body{padding:14px}h1{font-size:22px}.lead{font-size:16px}.scroll tr>:first-child,.bars th{max-width:9.5em}
.scroll .text{min-width:9em}td,th{padding:3px 6px}}
"""


def document(title: str, body: str, language: str, head: str = "") -> str:
    """Return a complete HTML page. Its content security policy allows only its own style and its own pictures.

    :param title: plain text, escaped here
    :param body: HTML; everything in it that comes from data must have passed ``text``
    :param language: ``"en"`` or ``"zh"``, the language of the page
    :param head: HTML added to the head, under the same condition as ``body``
    """
    return (
        f'<!DOCTYPE html>\n<html lang="{_HTML_LANGUAGES[language]}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{text(title)}</title>{head}"
        f"<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def text(value: object) -> str:
    """Return a value as text that is escaped for HTML, including quotes."""
    return escape(str(value), quote=True)


def scroll(table: str, wide: bool = False) -> str:
    """Return a table (HTML) in a box of its own, which scrolls if the table is wider than the page. Its first column stays in view.

    :param wide: whether the table is at least as wide as the box
    """
    return f'<div class="scroll{" wide" if wide else ""}" tabindex="0">{table}</div>'


def number(value: float | None, signed: bool = False) -> str:
    """Return a number with four decimal places, or one if it is at least 1,000 in absolute value; a dash for None.

    :param signed: whether a positive number has a plus sign
    """
    if value is None:
        return "–"
    form = ",.1f" if abs(value) >= 1000 else "z.4f"
    return format(value, f"+{form}" if signed else form)
