"""The HTML document of every page: one stylesheet, no scripts, no requests; and the escaping of text."""

from __future__ import annotations

from html import escape

NO_ICON = '<link rel="icon" href="data:,">'
"""HTML for the head of a page that may be served over HTTP: it keeps browsers from requesting an icon."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_HTML_LANGUAGES = {"en": "en", "zh": "zh-Hans"}
_STYLE = """
:root,:host{color-scheme:light dark;--ink:#1c2430;--soft:#667;--line:#d8dde6;--back:#fff;--card:#f6f8fb;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root,:host{--ink:#e6e9ef;--soft:#9aa4b5;--line:#39414f;--back:#14181f;--card:#1c222c;--bad:#ff9d94}}
*{box-sizing:border-box}body,.body{margin:0 auto;max-width:1120px;padding:24px;background:var(--back);color:var(--ink);
font:15px/1.5 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
h1{font-size:26px;margin:0}h2{font-size:19px;margin:34px 0 10px;border-bottom:1px solid var(--line);padding-bottom:4px}
h3{font-size:15px;margin:14px 0 6px}h4{font-size:14px;margin:10px 0 4px}h1,h2,h3,h4,p,.values td:last-child{overflow-wrap:anywhere}
small,.note{color:var(--soft);font-weight:400}
.lead{font-size:17px;background:var(--card);border-left:4px solid #3366cc;padding:10px 14px;border-radius:4px;margin:8px 0}
.helps{border-color:#109618}.harms{border-color:#dc3912}.undecided{border-color:#ff9900}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(430px,100%),1fr));gap:18px}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px;overflow-x:auto}
.scroll{overflow-x:auto}.scroll table{width:100%}.scroll td,.scroll th{white-space:nowrap}
table{border-collapse:collapse;font-size:13.5px;margin:6px 0}
td,th{padding:3px 9px;text-align:right;border-bottom:1px solid var(--line);font-weight:400}
th:first-child,td:first-child,.text,.values td:last-child,.labels td:nth-child(2),.labels th:nth-child(2){text-align:left}
thead th,.heads th{color:var(--soft)}.best td,.best th{font-weight:600}.mark{text-align:center!important}
.counts td{text-align:center;min-width:34px}.bars{width:100%}.bars .bar{width:60%}.bars .bar div{height:12px;border-radius:3px}
svg{vertical-align:middle}svg.chart{width:100%;max-width:640px;height:auto;display:block}svg text{font-size:10.5px;fill:var(--soft)}
svg .grid{stroke:var(--line)}svg .rule{stroke:var(--soft);stroke-dasharray:4 4}
.legend span{display:inline-block;margin-right:14px;font-size:12.5px}
.legend i{display:inline-block;width:11px;height:11px;border-radius:3px;margin-right:5px}
svg.interval{width:220px;height:16px;display:block}svg .zero{stroke:var(--soft);stroke-dasharray:3 3}
svg .span{stroke:#3366cc;stroke-width:3}svg.interval circle{fill:#3366cc}svg .above{stroke:#109618}svg .above+circle{fill:#109618}
svg .below{stroke:#dc3912}svg .below+circle{fill:#dc3912}
.words{line-height:2}.words span{padding:2px 1px;border-radius:3px}image{image-rendering:pixelated}.gray image{filter:grayscale(1)}
.examples{display:grid;grid-template-columns:repeat(auto-fill,minmax(235px,1fr));gap:12px}
.examples img{width:96px;height:auto;border-radius:4px}.examples .card{font-size:13px;overflow-wrap:anywhere}.examples b{color:var(--bad)}
pre{overflow-x:auto;font-size:12px;white-space:pre-wrap}details{margin-top:10px}summary{cursor:pointer;color:var(--soft)}
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


def number(value: float | None, signed: bool = False) -> str:
    """Return a number with four decimal places, or a dash for None.

    :param signed: whether a positive number has a plus sign
    """
    return "–" if value is None else f"{value:+z.4f}" if signed else f"{value:z.4f}"
