"""The rows of a table of predictions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError, spelled, warn
from ..flow import Prediction
from ..language import Sentence
from ..modalities import OnError
from ..predictor import Predictor
from ..request import Folders
from .columns import ColumnNames, column_types
from .files import check_path, write_rows


class PredictionTable:
    """Turns the predictions of a model into the rows that ``polymodal predict`` writes.

    A row is a dict from the name of a column to a value, in this order:

    - ``row``: the number of the row; the first data row is 1.
    - for each target, under its column's name, the prediction: a class, a number, or a list of labels. It is None for a skipped row, and
      where no class has the probability ``abstain_below``.
    - for each class of the target, ``TARGET:CLASS``: its probability as a float, or None for a skipped row.
    - if a coverage is given, ``TARGET:set``: the list of classes in the set, the most probable first; or ``TARGET:low`` and
      ``TARGET:high``: the ends of the interval as floats, which may be infinite. A skipped row has an empty list, or None.
    - ``present``: the names of the fields that the row has, joined by ``;``.
    - ``faults``: what could not be read in the row, or an empty string.

    ``ColumnNames`` states how names that occur twice are told apart. An instance does not change after it was made: several threads may
    use it, and it may be used for any number of tables.

    :param predictor: the model
    :param coverage: the coverage of the sets or intervals, between 0 and 1; None = no sets
    :param abstain_below: the least probability, from 0 to 1, of the most probable class or label; below it there is no prediction, but the
        probabilities remain. Targets that are numbers are always predicted. None = always predict
    :raises ConfigError: the model cannot state sets of this coverage; or ``abstain_below`` is no probability, or is given for a model
        without classes
    """

    def __init__(self, predictor: Predictor, *, coverage: float | None = None, abstain_below: float | None = None) -> None:
        self.predictor = predictor
        self.coverage = coverage
        self.abstain_below = abstain_below
        tasks = predictor.bundle.tasks
        self.names = ColumnNames.of(tasks)
        """The names of the columns."""
        self._with_sets = list(predictor.errors(coverage)) if coverage is not None else []
        place = spelled("--abstain-below", "abstain_below")
        if abstain_below is not None and not 0 <= abstain_below <= 1:
            raise ConfigError(f"{place}: found {abstain_below:g}; expected a probability from 0 to 1; write one such as 0.6")
        if abstain_below is not None and not any(task.has_classes for task in tasks.values()):
            raise ConfigError(
                f"{place}: every target is a number, which has no probability; expected a target with classes; "
                f"use {spelled('--coverage', 'coverage')}"
            )
        self.columns: Mapping[str, str] = column_types(tasks, self.names, self._with_sets)
        """The columns in the order of a file, each with its type: ``int64``, ``double``, ``bool``, ``string``, or ``list`` and one of
        these. Sets and intervals follow the predictions of all targets."""

    def predict(
        self,
        table: Any,
        *,
        on_error: OnError | None = None,
        strict: bool = False,
        root: Folders = (),
        encoding: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Predict a table and yield its rows in order. The memory used does not grow with the table.

        The parameters are those of ``Predictor.predict``. The table is opened, and its columns are checked, before the first row is
        requested. Warnings about the table, and about empty sets, are issued after the last row.

        :raises DataError: the table cannot be opened or lacks the columns; a cell cannot be read and ``on_error`` is "error"
        """
        predictions = self.predictor.predictions(
            table, on_error=on_error, strict=strict, root=root, encoding=encoding, coverage=self.coverage
        )
        return self.rows(predictions)

    def rows(self, predictions: Iterable[Prediction]) -> Iterator[dict[str, Any]]:
        """Yield the rows of predictions, and issue one warning for each target of which some sets are empty.

        :param predictions: what ``Predictor.predictions`` yields, with the coverage of this table
        :raises ConfigError: the predictions have no sets, but this table has a coverage
        """
        counts: Counter[str] = Counter()
        empty: Counter[str] = Counter()
        for part in predictions:
            if missing := [name for name in self._with_sets if name not in part.sets]:
                raise ConfigError(
                    f"target {missing[0]!r}: predictions without sets; expected sets of coverage {self.coverage:g}; "
                    f"make the predictions with coverage={self.coverage:g}"
                )
            for at in range(len(part.rows)):
                yield self._row(part, at)
            for name in self._with_sets:
                if self.predictor.bundle.tasks[name].has_classes:
                    answered = ~np.isnan(part.scores[name]).any(1)
                    counts[name] += int(answered.sum())
                    empty[name] += sum(not len(part.sets[name][at]) for at in np.flatnonzero(answered))
        for name, count in empty.items():
            if count:
                values = {"empty": count, "sets": counts[name], "coverage": self.coverage}
                warn(Sentence("predict.empty_sets", target=name, **values))

    def as_columns(self, rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
        """Return rows as columns: for each name in ``columns``, in that order, the list of its values."""
        columns: dict[str, list[Any]] = {name: [] for name in self.columns}
        for row in rows:
            for name, values in columns.items():
                values.append(row[name])
        return columns

    def write(self, path: str | Path, rows: Iterable[Mapping[str, Any]], *, overwrite: bool = False) -> int:
        """Write rows to a file in the format of its extension, ``.csv``, ``.jsonl`` or ``.parquet``, and return their number.

        The file appears, or is replaced, only after all rows are written.

        :param rows: the rows; they are consumed one after the other
        :param overwrite: whether a file that exists is replaced
        :raises UserError: the extension is not known, the file exists and ``overwrite`` is False, or it cannot be written
        """
        check_path(path, overwrite=overwrite)
        return write_rows(path, self.columns, rows)

    def _row(self, part: Prediction, at: int) -> dict[str, Any]:
        """Return row ``at`` of a part of the predictions."""
        row: dict[str, Any] = {self.names.row: int(part.rows[at])}
        for name, task in self.predictor.bundle.tasks.items():
            value, scores_C = part.values[name][at], part.scores[name][at]
            value = value.item() if isinstance(value, np.generic) else value
            if isinstance(value, float) and math.isnan(value):
                value = None
            if self.abstain_below is not None and task.has_classes and not float(np.max(scores_C)) >= self.abstain_below:
                value = None
            row[task.config.column] = value
            for column, score in zip(self.names.scores[name], map(float, scores_C), strict=False):  # a number has scores but no classes
                row[column] = None if math.isnan(score) else score
            if name not in self._with_sets:
                continue
            if not task.has_classes:
                ends = (None if math.isnan(end) else float(end) for end in part.sets[name][at])
                row |= dict(zip(self.names.sets[name], ends, strict=True))
            else:
                row[self.names.sets[name][0]] = list(part.sets[name][at])
        row[self.names.present] = ";".join(part.present[at])
        row[self.names.faults] = part.faults[at]
        return row
