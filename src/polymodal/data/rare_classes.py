"""Keep rows of rare classes in training, since a model cannot predict a class without training rows.

Shapes: ``N`` rows of the table, ``M`` pairs of a row and a class of that row.
"""

from __future__ import annotations

import numpy as np


class RareClasses:
    """Moves units from one part of a split to another, so that each class has training rows. A unit is a row or a group of rows.

    :param unit_N: the number of each row's unit (N,), -1 = the row is not used
    :param row_M: the row of each pair (M,)
    :param class_M: the class of each pair (M,)
    """

    def __init__(self, unit_N: np.ndarray, row_M: np.ndarray, class_M: np.ndarray) -> None:
        used = unit_N[row_M] >= 0
        order = np.argsort(class_M[used], kind="stable")
        self.unit_N, self.row_M, self.class_M = unit_N, row_M[used][order], class_M[used][order]
        self.classes = int(class_M.max()) + 1 if len(class_M) else 0
        self._start = np.searchsorted(self.class_M, np.arange(self.classes + 1))
        by_unit = np.argsort(unit_N, kind="stable")
        self._by_unit, self._unit_sorted = by_unit, unit_N[by_unit]

    def rows_of(self, label: int) -> np.ndarray:
        """Return the rows of a class in ascending order."""
        return np.sort(self.row_M[self._start[label] : self._start[label + 1]])

    def unit(self, row: int) -> np.ndarray:
        """Return the rows of the unit of a row."""
        first, last = (np.searchsorted(self._unit_sorted, self.unit_N[row], side=side) for side in ("left", "right"))
        return self._by_unit[first:last]

    def counts(self, rows_N: np.ndarray) -> np.ndarray:
        """Return the number of rows of each class among the rows where ``rows_N`` (N,) is true."""
        return np.bincount(self.class_M[rows_N[self.row_M]], minlength=self.classes)

    def move_to_training(self, part_N: np.ndarray, part: int, least: int, left: int) -> None:
        """Move units from a part to training (part 0), in place, until each class of that part has enough training rows.

        :param part_N: the part of each row (N,)
        :param part: the part that units are moved from
        :param least: the number of training rows that each class should have
        :param left: the number of units that stay in ``part`` in any case
        """
        remaining = len(np.unique(self.unit_N[part_N == part]))
        counts = self.counts(part_N == part)
        for label in np.flatnonzero((counts > 0) & (self.counts(part_N == 0) < least)):
            rows = self.rows_of(int(label))
            for row in rows:
                if remaining <= left or int((part_N[rows] == 0).sum()) >= least:
                    break
                if part_N[row] == part:
                    part_N[self.unit(int(row))] = 0
                    remaining -= 1

    def spread_over_folds(self, inside_N: np.ndarray, fold_N: np.ndarray, folds: int) -> None:
        """Change the folds of rows, in place, so that every member is trained on each class that has rows in two or more units.

        :param inside_N: which rows (N,) have a fold
        :param fold_N: the fold of each row (N,)
        :param folds: the number of folds
        """
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
