"""A bar chart of the accuracies that an example prints, as SVG.

python examples/medicine/example.py --small | python docs/picture.py docs/images/medicine.svg
"""

from __future__ import annotations

import re
import sys
from html import escape
from pathlib import Path

_ROW, _LEFT, _BAR, _TOP = 30, 150, 400, 20
_COLORS = {"all": "#3366cc", "only": "#8899aa", "without": "#c9d1d9"}


def chart(text: str) -> str:
    """Return the chart of the lines ``NAME accuracy NUMBER`` of a text."""
    rows = [(name.strip(), float(value)) for name, value in re.findall(r"^(.+?) +accuracy ([\d.]+)$", text, flags=re.MULTILINE)]
    width, height = _LEFT + _BAR + 70, _TOP + _ROW * len(rows) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="14">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for at, (name, value) in enumerate(rows):
        top = _TOP + at * _ROW
        label = "all fields" if name == "all" else name
        parts += [
            f'<text x="{_LEFT - 10}" y="{top + 17}" text-anchor="end" fill="#222222">{escape(label)}</text>',
            f'<rect x="{_LEFT}" y="{top + 3}" width="{_BAR * value:.1f}" height="20" rx="2" fill="{_COLORS[name.split()[0]]}"/>',
            f'<text x="{_LEFT + _BAR * value + 8:.1f}" y="{top + 18}" fill="#222222">{value:.3f}</text>',
        ]
    axis = _TOP + _ROW * len(rows) + 18
    parts += [f'<text x="{_LEFT}" y="{axis}" fill="#555555" font-size="12">accuracy on new rows</text>', "</svg>"]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(chart(sys.stdin.read()), encoding="utf-8")
