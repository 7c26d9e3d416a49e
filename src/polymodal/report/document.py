"""The shell of every page that a run, an explanation or a comparison leaves: style inside, no script, no request; and text made safe."""

from __future__ import annotations

from html import escape

NO_ICON = '<link rel="icon" href="data:,">'
"""For the head of a page that may be served: no browser asks for an icon then."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def document(title: str, style: str, body: str, head: str = "") -> str:
    """A whole page. ``title`` is text; ``body`` and ``head`` are HTML, in which all that comes from data has passed ``text``. The
    page forbids itself everything but its own style and its own pictures."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{text(title)}</title>{head}"
        f"<style>{style}</style></head><body>\n{body}\n</body></html>\n"
    )


def text(value: object) -> str:
    """Anything as text that no browser takes for anything else."""
    return escape(str(value), quote=True)


def number(value: float | None, signed: bool = False) -> str:
    """Four digits, or a dash."""
    return "–" if value is None else f"{value:+.4f}" if signed else f"{value:.4f}"
