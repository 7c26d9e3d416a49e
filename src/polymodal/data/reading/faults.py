"""The record of the cells of a table that cannot be read: the policy that applies to them, their number by column, and ``faults.csv``."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from ...errors import DataError, counted, spelled
from ...language import Sentence
from ...modalities import NO_FOLDER, OnError
from ...storage import no_formula
from .cells import CellFault


class FaultBook:
    """Records the unreadable cells of one table.

    :param table: the name of the table, for messages
    :param policy: a function from the name of a field (None = a target) to its policy: ``"error"`` raises ``DataError`` at the first fault;
        ``"skip"`` and ``"blank"`` only record it, and the caller leaves out the row or the cell
    :param path: the CSV file to which every fault is written as row, column and fault; None = no file
    :param fix: the end of the message that is raised under ``"error"``
    """

    def __init__(
        self,
        table: str,
        policy: Callable[[str | None], OnError],
        *,
        path: Path | None = None,
        fix: str = "set data.on_error: blank to treat it as missing",
    ) -> None:
        self._file = path.open("w", encoding="utf-8", errors="backslashreplace", newline="") if path else None
        self._writer = csv.writer(self._file) if self._file else None
        if self._writer:
            self._writer.writerow(["row", "column", "fault"])
        self.table, self.policy, self.fix = table, policy, fix
        self.counts: Counter[str] = Counter()
        """By column, the number of faults."""
        self.first: dict[str, CellFault] = {}
        """By column, the fault that was recorded first."""

    def record(self, fault: CellFault) -> None:
        """Record one unreadable cell.

        :raises DataError: the policy is ``"error"``
        """
        if self.policy(fault.field) == "error":
            raise DataError(f"{self.table} row {fault.row}, column {fault.column!r}: {fault.message}; {self.fix}")
        self.counts[fault.column] += 1
        self.first.setdefault(fault.column, fault)
        if self._writer:
            self._writer.writerow([fault.row, no_formula(fault.column), no_formula(fault.message)])

    def exceeds(self, column: str, cells: int, limit: float) -> bool:
        """Return whether too many cells of a column cannot be read.

        :param cells: the number of cells of the column that are not missing
        :param limit: the largest share of them, between 0 and 1, that may be unreadable
        """
        return self.counts[column] > limit * max(cells, 1)

    def line(self, column: str, cells: int) -> str:
        """Return how many of the ``cells`` of a column that are not missing cannot be read, with the first fault; "" if all can be."""
        if not self.counts[column]:
            return ""
        first = self.first[column]
        values = {"count": self.counts[column], "cells": cells, "row": first.row, "message": str(first.message)}
        return Sentence("faults", table=self.table, column=column, **values)

    def refusal(self, column: str, cells: int, limit: float) -> str:
        """Return the message about a column of which too many cells cannot be read (see ``exceeds``).

        If they are paths without a folder that they could be relative to, it states how the folder is given.
        """
        if self.first[column].message.startswith(NO_FOLDER):
            found = f"{paths_among(self.counts[column], cells)}, and a table in memory has no folder"
            fix = "expected root=... (--root), the folder that they are relative to; write root='.' for the current folder"
            return f"{self.table}, column {column!r}: {found}; {fix}"
        fix = f"fix them, leave the column out ({spelled('--ignore', 'ignore=...')}), or raise data.max_faults"
        return f"{self.line(column, cells)}; expected at most {limit:.0%}; {fix}"

    def close(self) -> None:
        """Close the CSV file."""
        if self._file:
            self._file.close()


def paths_among(count: int, cells: int) -> str:
    """Return the beginning of a message about cells that are paths.

    :param count: the number of paths
    :param cells: the number of cells of the column
    """
    return f"{count:,} of {counted(cells, 'cell')} {'is a path' if count == 1 else 'are paths'}"
