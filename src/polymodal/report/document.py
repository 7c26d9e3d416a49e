"""The HTML document shared by the pages of runs, explanations and comparisons (inline style, no scripts, no requests), and the escaping of
text.
"""

from __future__ import annotations

from html import escape

NO_ICON = '<link rel="icon" href="data:,">'
"""HTML for the head of a page that may be served over HTTP: it keeps browsers from requesting an icon."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def document(title: str, style: str, body: str, head: str = "") -> str:
    """Return a complete HTML page. Its content security policy allows only its own style and its own pictures.

    :param title: plain text, escaped here
    :param style: CSS
    :param body: HTML; everything in it that comes from data must have passed ``text``
    :param head: HTML added to the head, under the same condition
    """
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{text(title)}</title>{head}"
        f"<style>{style}</style></head><body>\n{body}\n</body></html>\n"
    )


def text(value: object) -> str:
    """Return a value as text that is escaped for HTML, including quotes."""
    return escape(str(value), quote=True)


def number(value: float | None, signed: bool = False) -> str:
    """Return a number with four decimal places, or a dash for None.

    :param signed: whether a positive number has a plus sign
    """
    return "–" if value is None else f"{value:+.4f}" if signed else f"{value:.4f}"
