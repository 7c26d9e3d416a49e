"""The result of ``inspect``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape

from rich.cells import cell_len, set_cell_size

from ..experiment import Experiment
from .columns import Column


@dataclass(repr=False)
class Profile:
    """The result of ``inspect``: the role of each column, the experiment that would be run, and suspicious findings."""

    table: str
    rows: int
    columns: list[Column]
    targets: dict[str, str] = field(default_factory=dict)
    """By target, one line on its task."""
    together: list[str] = field(default_factory=list)
    """Notes on the rows that the split keeps in one part: copies, and rows that share a long text or a file."""
    suspicions: list[str] = field(default_factory=list)
    unreadable: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """By column, the row (1 = first) and the fault of each unreadable cell among the cells that were read."""
    looked_at: int = 0
    experiment: Experiment | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return the profile as text for a terminal."""
        width = max([cell_len(column.name) for column in self.columns] + [6])
        lines = [f"{self.table}: {self.rows:,} rows, {len(self.columns)} columns", ""]
        lines.append(f"  {'column':{width}}  {'role':8}  {'modality':9}  {'missing':>7}  {'distinct':>9}  why")
        for column in self.columns:
            kind = column.options.get("type", column.modality) or "-"
            distinct = f"{'>' if column.capped else ''}{min(column.distinct, 10_000):,}"
            name = set_cell_size(column.name, width)
            lines.append(f"  {name}  {column.role:8}  {kind:9}  {column.missing:7.1%}  {distinct:>9}  {column.reason}")
        for name, line in self.targets.items():
            lines += ["", f"target {name!r}: {line}"]
        if self.together:
            lines += ["", *self.together]
        if self.unreadable:
            lines += ["", "cells that cannot be read" + (f" (of {self.looked_at:,} rows read)" if self.looked_at < self.rows else "") + ":"]
            for name, faults in self.unreadable.items():
                lines += [f"  row {row}, column {name!r}: {fault}" for row, fault in faults[:10]]
                if len(faults) > 10:
                    lines.append(f"  ... and {len(faults) - 10:,} more in column {name!r}")
        lines += ["", "to be checked:" if self.suspicions else "nothing suspicious found"]
        lines += [f"  - {suspicion}" for suspicion in self.suspicions]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        """Return the profile as HTML, for notebooks. All text is escaped."""
        return f'<pre style="overflow-x:auto">{escape(self.text())}</pre>'
