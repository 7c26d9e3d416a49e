"""The result of a search: a dict that prints as a summary, in a terminal and in a notebook."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..pages import Records, Result, html_table, plain, with_error
from ..pages.records import WIDTH, Shown

_SHOWN = 5
"""The number of trials in a printed summary."""


class TuneResult(Result):
    """The result of ``tune``: the content of ``tune.json``. Every key is an attribute as well."""

    @property
    def best(self) -> dict[str, Any]:
        """The best trial, with the names of its ``metrics`` by target and the folder of its ``run``, None if nothing is kept."""
        found: dict[str, Any] = self["best"]
        return found

    @property
    def trials(self) -> Records:
        """All trials as rows, which print as a table: ``number``, ``state``, ``goodness``, ``scores``, ``errors``, ``settings``,
        ``epochs``, ``seconds``, ``reason`` and ``repeats`` (the number of an earlier trial with the same settings)."""
        paths = [one["path"] for one in self["space"]]
        shown: dict[str, Shown] = {
            "trial": _number,
            **{self._heading(target): partial(_score, target) for target in self.best["metrics"]},
            **{path: partial(_setting, path) for path in paths},
            "state": _state,
        }
        return Records(self["trials"], shown=shown)

    @property
    def test(self) -> dict[str, Any] | None:
        """The metrics of the best trial on the test rows; None if there are none."""
        found: dict[str, Any] | None = self["test"]
        return found

    @property
    def statement(self) -> str:
        """What the figure of the best trial means, in words."""
        return str(self["statement"])

    def _heading(self, target: str) -> str:
        """Return the heading of the metric of a target."""
        metrics = self.best["metrics"]
        return f"{target} {metrics[target]}" if len(metrics) > 1 else str(metrics[target])

    def _ranked(self) -> Records:
        """Return the best trials, the best first."""
        trials = self.trials
        complete = [one for one in trials if one["state"] == "complete" and one["repeats"] is None]
        ranked = sorted(complete, key=lambda one: -one["goodness"])[:_SHOWN]
        title = f"{self['table']}: the best {len(ranked)} of {len(trials)} trials, each with its metric on validation rows"
        return Records(ranked, title, {name: show for name, show in trials.shown.items() if name != "state"})

    def _facts(self) -> dict[str, str]:
        """Return the lines below the table, by name."""
        best = ", ".join(f"{path}={value}" for path, value in self.best["settings"].items())
        run = {"run": str(self.best["run"])} if self.best["run"] is not None else {}
        return {"best": f"trial {self.best['number']}: {best}", **run, "": self.statement}

    def __repr__(self) -> str:
        """Return the summary as text of at most 80 columns."""
        lines = [self._ranked().text()]
        for name, value in self._facts().items():
            lines += textwrap.wrap(plain(f"{name}: {value}" if name else value), WIDTH, subsequent_indent="  ", break_long_words=False)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the summary as HTML, for notebooks. All text is escaped."""
        return self._ranked()._repr_html_() + html_table(["", ""], list(self._facts().items()))


def _score(target: str, row: Mapping[str, Any]) -> str:
    """Return the score of a target with its standard error."""
    return with_error(row["scores"].get(target), row["errors"].get(target))


def _setting(path: str, row: Mapping[str, Any]) -> str:
    """Return the value of a setting."""
    value = row["settings"].get(path)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number(row: Mapping[str, Any]) -> str:
    """Return the number of a trial."""
    return str(row["number"])


def _state(row: Mapping[str, Any]) -> str:
    """Return the state of a trial."""
    return str(row["state"]) if row["repeats"] is None else f"as trial {row['repeats']}"
