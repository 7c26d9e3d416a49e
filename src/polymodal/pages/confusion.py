"""The confusion matrix of a target as HTML. Of many classes, those with the most errors are shown and the others are summed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from unicodedata import east_asian_width

from ..language import Words
from .document import scroll, text

_LONGEST = 18
"""The largest width of a name in the matrix, in letters; a Chinese one counts as two."""
_UPRIGHT = 6
"""The largest number of classes, and of letters in their names, with which the heads of columns are horizontal."""


def matrix(translate: Words, confusion: Mapping[str, Any]) -> str:
    """Return a confusion matrix, and the most frequent confusions of many classes.

    :param confusion: ``classes`` (K), ``counts`` (K, K), the number ``of`` all classes, and if classes were summed, ``pairs``; then
        ``counts`` has a further row and column. The counts of runs of earlier versions are of the most frequent classes, without a sum
    """
    names, pairs, whole = list(map(str, confusion["classes"])), confusion.get("pairs"), confusion["of"]
    small, after = "", ""
    if pairs is not None:
        small = translate.html("run.most_confused", shown=len(names), classes=whole)
        names.append(translate("run.other_classes", count=whole - len(names)))
        after = f"<p><small>{translate.html('run.other_classes_note')}</small></p>{_pairs(translate, pairs)}"
    elif whole > len(names):
        small = translate.html("run.most_frequent", shown=len(names), classes=whole)
    title = f"<h3>{translate.html('run.confusion')}{f' <small>{small}</small>' if small else ''}</h3>"
    return title + scroll(_table(names, confusion["counts"], pairs is not None)) + after


def _table(names: Sequence[str], counts: Sequence[Sequence[int]], summed: bool) -> str:
    """Return the matrix: a row for each true class, a column for each predicted class. The larger a cell's share of its row, the darker
    the cell.

    :param summed: whether the last row and column are sums over other classes
    """
    upright = len(names) <= _UPRIGHT and all(sum(map(_width, name)) <= _UPRIGHT for name in names)
    heads = "".join(f'<th title="{text(name)}"><span>{text(shortened(name))}</span></th>' for name in names)
    rows = []
    for at, (name, row) in enumerate(zip(names, counts, strict=True)):
        total = max(sum(row), 1)
        cells = "".join(
            f'<td style="background:rgba(51,102,204,{count / total:.3f});{"color:#fff" if count / total > 0.55 else ""}">{count or ""}</td>'
            for count in row
        )
        last = ' class="sum"' if summed and at == len(names) - 1 else ""
        rows.append(f'<tr{last}><th title="{text(name)}">{text(shortened(name))}</th>{cells}</tr>')
    return f'<table class="counts{"" if upright else " tall"}"><thead><tr><td></td>{heads}</tr></thead>{"".join(rows)}</table>'


def _pairs(translate: Words, pairs: Sequence[Sequence[Any]]) -> str:
    """Return a table of the most frequent confusions, with the whole names of the classes."""
    if not pairs:
        return ""
    heads = ("run.truth", "run.prediction", "run.leaderboard_rows", "run.share_of_class")
    head = "".join(f"<th{' class=text' if at < 2 else ''}>{translate.html(key)}</th>" for at, key in enumerate(heads))
    rows = "".join(
        f'<tr><td class="text">{text(truth)}</td><td class="text">{text(answer)}</td>'
        f"<td>{count:,}</td><td>{count / max(of, 1):.0%}</td></tr>"
        for truth, answer, count, of in pairs
    )
    table = f"<table><thead><tr>{head}</tr></thead>{rows}</table>"
    return f"<h3>{translate.html('run.confusions')}</h3>{scroll(table, wide=True)}"


def shortened(name: str) -> str:
    """Return a name without its middle if it is long, so that names with the same beginning differ."""
    if sum(map(_width, name)) <= _LONGEST:
        return name
    half = (_LONGEST - 1) // 2
    return f"{_beginning(name, half)}…{_beginning(name[::-1], half)[::-1]}"


def _beginning(name: str, width: int) -> str:
    """Return the first letters of a name that have at most this width."""
    kept = ""
    for letter in name:
        width -= _width(letter)
        if width < 0:
            break
        kept += letter
    return kept


def _width(letter: str) -> int:
    """Return the width of a letter: 2 for Chinese and other wide ones."""
    return 2 if east_asian_width(letter) in "WF" else 1
