"""Rows of rare classes, kept for training: a model knows no class that no row of its training has.

Shapes: ``N`` rows of the table, ``M`` pairs of a row and a class that it has.
"""

from __future__ import annotations

import numpy as np


class Keeping:
    """Moves units (rows, or groups of rows, by ``unit_N``; -1 = not used) from one part of a split to another, so that classes have rows
    to train on. ``row_M`` and ``class_M``: which row has which class."""

    def __init__(self, unit_N: np.ndarray, row_M: np.ndarray, class_M: np.ndarray) -> None:
        used = unit_N[row_M] >= 0
        order = np.argsort(class_M[used], kind="stable")
        self.unit_N, self.row_M, self.class_M = unit_N, row_M[used][order], class_M[used][order]
        self.classes = int(class_M.max()) + 1 if len(class_M) else 0
        self._start = np.searchsorted(self.class_M, np.arange(self.classes + 1))
        by_unit = np.argsort(unit_N, kind="stable")
        self._by_unit, self._unit_sorted = by_unit, unit_N[by_unit]

    def rows_of(self, label: int) -> np.ndarray:
        """The rows of a class, ascending."""
        return np.sort(self.row_M[self._start[label] : self._start[label + 1]])

    def unit(self, row: int) -> np.ndarray:
        """The rows of the unit that a row belongs to."""
        first, last = (np.searchsorted(self._unit_sorted, self.unit_N[row], side=side) for side in ("left", "right"))  # type: ignore[arg-type]
        return self._by_unit[first:last]

    def counts(self, rows_N: np.ndarray) -> np.ndarray:
        """Rows by class, of the rows where ``rows_N``."""
        return np.bincount(self.class_M[rows_N[self.row_M]], minlength=self.classes)

    def out_of(self, part_N: np.ndarray, part: int, least: int, left: int) -> None:
        """Move units from ``part`` to training (part 0), in place, until each class has ``least`` training rows; ``left`` units stay."""
        there = len(np.unique(self.unit_N[part_N == part]))
        held = self.counts(part_N == part)
        for label in np.flatnonzero((held > 0) & (self.counts(part_N == 0) < least)):
            rows = self.rows_of(int(label))
            for row in rows:
                if there <= left or int((part_N[rows] == 0).sum()) >= least:
                    break
                if part_N[row] == part:
                    part_N[self.unit(int(row))] = 0
                    there -= 1

    def over_folds(self, inside_N: np.ndarray, fold_N: np.ndarray, folds: int) -> None:
        """Change the folds of rows, in place, so that every member trains on a row of each class that has rows in two units."""
        total = self.counts(inside_N)
        for fold in range(folds):
            trained = self.counts(inside_N & (fold_N != fold))
            for label in np.flatnonzero((trained == 0) & (total > 1)):
                rows = self.rows_of(int(label))
                rows = rows[inside_N[rows]]
                units = np.unique(self.unit_N[rows])
                if len(units) > 1 and (fold_N[rows] == fold_N[rows[0]]).all():
                    moved = self.unit(int(rows[self.unit_N[rows] == units[-1]][0]))
                    fold_N[moved] = (fold + 1) % folds
