"""The result of a comparison: a dict that prints as a summary, in a terminal and in a notebook."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from ..language import Words
from ..pages import Records, Result, plain, with_error
from ..pages.document import number, text
from ..pages.records import WIDTH, Shown


class ComparisonResult(Result):
    """The result of ``compare``: the content of ``compare.json``. Every key is an attribute as well."""

    def tables(self) -> Iterator[tuple[Records, str]]:
        """Yield for each target a row for each contender, the best first, which print as a table; and the sentence on the target."""
        for target, facts in self["targets"].items():
            rows = [{"contender": name, **one} for name, one in facts["contenders"].items()]
            rows.sort(key=lambda row: row["mean"], reverse=facts["larger_is_better"])
            chosen = (facts["best_alone"], facts["best_fused"])
            shown: dict[str, Shown] = {
                "": partial(_name, chosen),
                f"{facts['metric']} ± over rounds": _mean,
                "difference": _difference,
                "95 % interval": _interval,
            }
            title = Words("en")("compare.measured", target=target, rows=facts["measured"], rounds=facts["rounds"])
            yield Records(rows, title, shown, Words("en")("legend.contenders")), facts["sentence"]

    def __repr__(self) -> str:
        """Return the summary as text of at most 80 columns."""
        parts = ["\n".join([table.text(), "", *textwrap.wrap(plain(sentence), WIDTH)]) for table, sentence in self.tables()]
        return "\n\n".join(parts) or Words("en")("compare.nothing")

    def _repr_html_(self) -> str:
        """Return the summary as HTML, for notebooks. All text is escaped."""
        parts = [f"{table._repr_html_()}<p>{text(plain(sentence))}</p>" for table, sentence in self.tables()]
        return "".join(parts) or f"<p>{text(Words('en')('compare.nothing'))}</p>"


def _name(chosen: tuple[str, str], row: Mapping[str, Any]) -> str:
    """Return the name of a contender, with a mark if it was chosen on the selection rows."""
    return f"{row['contender']} *" if row["contender"] in chosen else str(row["contender"])


def _mean(row: Mapping[str, Any]) -> str:
    """Return the mean of the metric with its standard deviation over rounds."""
    return with_error(row["mean"], row["spread"])


def _difference(row: Mapping[str, Any]) -> str:
    """Return the difference to the chosen single field; an empty text for that field."""
    return "" if row["difference"] is None else number(row["difference"]["mean"], True)


def _interval(row: Mapping[str, Any]) -> str:
    """Return the interval of the difference; an empty text if there is none."""
    span = row["difference"]
    return "" if span is None or span["low"] is None else f"{number(span['low'], True)} to {number(span['high'], True)}"
