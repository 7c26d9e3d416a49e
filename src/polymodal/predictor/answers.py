"""Predictions for the rows of a table with the model of a bundle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle import Bundle
from ..data.sources import Source, open_source
from ..errors import ConfigError, warn
from ..evaluation.conformal import Errors, scale_of, sets
from ..evaluation.measure import score
from ..flow import Prediction
from ..frozen import featured, through
from ..inference import Each, answers
from ..modalities import Modality, OnError, check_folders
from ..pages import ByTarget
from ..preparation import roots_of
from ..remote import is_remote
from ..request import Folders, listed
from ..tasks.classes import array_of
from ..training.devices import DeviceName, pick_device
from .importance import MOST_SAMPLED, Kind, check_arguments, importances
from .measuring import EvaluationResult, evaluate_rows
from .reading import ReadWindow, SelectedRows, TableReader, fields_there
from .report import RunReport, report_of
from .summary import ModelSummary, summary_of
from .tables import importance_table, leaderboard_table


class Predictor:
    """A trained model.

    The parameters of ``predict``, ``predict_proba``, ``predict_sets``, ``embed``, ``evaluate`` and ``predictions`` are:

    - ``table``: a path, a dataframe, an Arrow table, rows as dicts, columns as a dict of lists, or one row as a dict of single values.
    - ``on_error``: the action for a cell that cannot be read: "error", "skip" (the row) or "blank" (treat the cell as missing).
      None = as configured for each field; the default is "blank".
    - ``strict``: whether an absent column is an error.
    - ``root``: folders in which to look for the files of cells, in addition to those of the ``Predictor``.
    - ``encoding``: the encoding of a CSV or JSON file; None = detected.

    Any field may be missing in any row. An absent column counts as missing in every row and causes one warning, unless ``strict`` is True.
    After the last row, there is one warning for each column with numbers outside the range of the training rows, with new categories, or
    with many unreadable cells.

    Paths in the cells of a file are relative to its folder. Paths in a table in memory are relative to ``root``, or to the folder of the
    training table if that still exists. If there is no folder at all, such paths raise ``DataError`` unless ``on_error`` is given.

    Predictions for a row are identical to the last bit on one device, no matter which rows are predicted with it. On another device they
    agree within about 1e-5. With ``low_latency`` they also agree only within about 1e-5, since small tables are then computed in small
    blocks (see ``inference.answers``).

    :param bundle: the saved model, which is moved to the device
    :param root: folders in which to look for the files of cells
    :param run: the folder of the run that trained the model
    :param trained_in: the folders of the files that training read
    :param device: "cpu", "cuda" or "mps"; "auto" = the first of CUDA, MPS and CPU that is available
    :param low_latency: whether blocks of fewer than 32 rows or cells are not padded, so that a single row is answered sooner
    :raises ConfigError: the device is not available
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        root: Folders = (),
        run: Path | None = None,
        trained_in: Sequence[str | Path] = (),
        device: DeviceName = "auto",
        low_latency: bool = False,
    ) -> None:
        self.bundle = bundle
        self.device = pick_device(device, "device")
        """The device of predictions."""
        self.exact = not low_latency
        """Whether predictions for a row do not depend on the other rows, to the last bit."""
        bundle.to(self.device)
        self._made: tuple[list[str], dict[str, Modality]] | None = None
        self.root = listed(root)
        self.run = run
        """The folder of the run that trained the model, or None."""
        self.trained_in = [str(folder) for folder in trained_in]
        """The folders of the files that training read. A bundle does not contain them, because it may come from another machine."""
        self.each: Each = map
        """Computes the members of the ensemble: one after the other, or in a pool of threads."""
        self.baselines: dict[str, Bundle] = {}
        """After training: the baseline of each single field, by field."""

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The metrics that training measured: the content of ``metrics.json``."""
        return self.bundle.metrics

    def leaderboard(self, members: bool = False) -> Any:
        """Return what training measured by one metric on validation rows: the model, each of its votes by itself, and the model of each
        single field, the best first.

        :param members: whether the models of an ensemble follow, each measured on the validation rows that it predicts
        :returns: a list of dicts, which prints as a table, with ``name``, ``kind``, ``metric``, ``value``, ``error`` (its standard error),
            ``difference`` and ``difference_error`` (the model's value minus this one, on the same rows), ``verdict``, ``rows`` and
            ``seconds``; a dict of such lists by target if there are several targets. The list is empty if the model was not measured
        """
        return self._single({name: leaderboard_table(name, self.metrics, members) for name in self.bundle.tasks}, ByTarget)

    def summary(self) -> ModelSummary:
        """Return the summary of the model: its targets, fields, encoders, parameters, size, and how it was trained. It prints as text."""
        return summary_of(self.bundle, self.run)

    def report(self, language: str | None = None) -> RunReport:
        """Return the report of the run, which a notebook shows. Without the folder of the run, it has the metrics of the bundle only.

        :param language: "en", "zh" or "auto" (the locale's); None = ``report.language`` of the run
        :raises UserError: the model was not measured, or a file of the run cannot be read
        """
        return report_of(self.bundle, self.run, language)

    def __repr__(self) -> str:
        return self.summary().text()

    def _repr_html_(self) -> str:
        """Return the summary as HTML, for notebooks."""
        return self.summary()._repr_html_()

    @property
    def classes(self) -> Any:
        """The classes in the order of ``predict_proba``, None for regression; a dict by target if there are several targets."""
        return self._single({name: None if task.classes is None else array_of(task.classes) for name, task in self.bundle.tasks.items()})

    def predict(
        self,
        table: Any,
        *,
        on_error: OnError | None = None,
        strict: bool = False,
        root: Folders = (),
        encoding: str | None = None,
    ) -> Any:
        """Predict the targets of a table.

        :returns: class names, lists of labels, or numbers (N,); None for a skipped row; a dict by target if there are several targets
        """
        return self._single(self._joined(self._predictions(table, on_error, strict, root, encoding), "values"))

    def predict_proba(
        self,
        table: Any,
        *,
        on_error: OnError | None = None,
        strict: bool = False,
        root: Folders = (),
        encoding: str | None = None,
    ) -> Any:
        """Predict the probabilities of classes.

        :returns: probabilities (N, C) in the order of ``classes``; NaN for a skipped row; a dict by target if there are several targets,
            without those of regression
        :raises ConfigError: the only target is a number
        """
        for name, task in self.bundle.tasks.items():
            if not task.has_classes and len(self.bundle.tasks) == 1:
                raise ConfigError(f"target {name!r} is a number; it has no probabilities; use predict")
        scores = self._joined(self._predictions(table, on_error, strict, root, encoding), "scores")
        return self._single({name: value for name, value in scores.items() if self.bundle.tasks[name].has_classes})

    def predict_sets(
        self,
        table: Any,
        coverage: float = 0.9,
        *,
        empty: bool = True,
        on_error: OnError | None = None,
        strict: bool = False,
        root: Folders = (),
        encoding: str | None = None,
    ) -> Any:
        """Predict sets or intervals that contain the true value for a share ``coverage`` of new rows, by conformal prediction.

        The guarantee holds for rows from the distribution of the training table; ``evaluation.conformal`` describes the method and its
        guarantee.

        :param coverage: the share, between 0 and 1
        :param empty: whether a set may be empty. True: it is empty if no class is probable enough for that coverage, which happens if more
            predictions than ``coverage`` are correct. False: every set contains the most probable class, and more sets than ``coverage``
            contain the true class
        :returns: lists of classes (N,), the most probable first, or the ends of intervals (N, 2); an empty list or NaN for a skipped row;
            a dict by target if there are several targets
        :raises ConfigError: the model has too few validation rows for that coverage, or there are no sets for the kind of a target
        """
        errors = self.errors(coverage)
        made = self._open(table, on_error, strict, root, encoding, coverage=coverage, empty=empty)[1]
        parts = [part.sets for part in made]
        joined = {}
        for name in errors:
            none = np.zeros(0, object) if self.bundle.tasks[name].has_classes else np.zeros((0, 2))
            joined[name] = np.concatenate([part[name] for part in parts]) if parts else none
        return self._single(joined)

    def errors(self, coverage: float) -> dict[str, Errors]:
        """Return the errors on validation rows by task, from which sets are computed.

        :param coverage: a share between 0 and 1
        :raises ConfigError: sets of this coverage cannot be computed for a task
        """
        kept = self.metrics.get("conformal", {})
        errors = {}
        for name, task in self.bundle.tasks.items():
            if not task.has_sets:  # ``sets`` raises the error with the reason
                task.sets(np.zeros((0, task.outputs)), np.zeros((0, task.outputs), bool))
            errors[name] = Errors.of(kept.get(name), len(self.bundle.members), f"target {name!r}")
            errors[name].rank(coverage)  # raises an error for an invalid coverage
        return errors

    def embed(
        self, table: Any, *, on_error: OnError | None = None, strict: bool = False, root: Folders = (), encoding: str | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Return the shared representation h of each row, (N, D) float32. The representations of several members are concatenated."""
        source, parts = self._open(table, on_error, strict, root, encoding, embed=True)
        embeddings = [part.embedding for part in parts if part.embedding is not None]
        width = 0 if embeddings else sum(member.fusion.width_out or 0 for member in self.bundle.members)
        return np.concatenate(embeddings) if embeddings else np.zeros((source.rows, width), np.float32)

    def evaluate(
        self, table: Any, *, on_error: OnError | None = None, strict: bool = False, root: Folders = (), encoding: str | None = None,
    ) -> EvaluationResult:  # fmt: skip
        """Measure the model on a table with targets.

        Classes that the model does not know count as wrong predictions. Rows without a target are not measured.

        :returns: a dict, which prints as a table:
            ``{"rows": N, "tasks": {target: {metric: value}}, "hidden": {field: {target: {metric: value}}}}``, where ``"hidden"`` contains
            the metrics with one field hidden. A metric is None if it is undefined on these rows; ``"undefined"`` then states the reason.
            By target, ``"without_target"`` is the number of rows without a target, ``"unreadable"`` of those with a target that cannot be
            read, ``"measured"`` of those that were measured, and ``"unknown"`` are the unknown classes with their rows; each is absent if
            it has nothing to state. ``"trained_on"`` is True if the table is the file that trained the model
        """
        source = self.open(table, encoding)
        source.check_rows(" to measure on")
        source.check([task.config.column for task in self.bundle.tasks.values()])
        modalities = self._modalities(source, root)
        return evaluate_rows(self.bundle, source, modalities, self.fields_of(source, strict), self._windows(source, modalities, on_error),
                             on_error, self.exact, self.run)  # fmt: skip

    def feature_importance(
        self, table: Any, *, by: Kind | None = None, repeats: int = 5, max_rows: int = MOST_SAMPLED, seed: int = 0,
        on_error: OnError | None = None, strict: bool = False, root: Folders = (), encoding: str | None = None,
    ) -> Any:  # fmt: skip
        """Measure how much worse the model predicts a table with targets if the cells of a field, or of a column, are exchanged between its
        rows at random (Breiman 2001; Fisher, Rudin and Dominici 2019).

        The result describes the model on this table, not causes. Columns that state the same share their importance, so that each of
        them may seem unimportant, and exchanged cells may form rows that do not occur.

        :param by: "field" or "column"; None = both
        :param repeats: the number of permutations, whose mean is returned
        :param max_rows: the maximum number of rows with a target, sampled by ``seed``
        :param seed: the seed of the permutations; the same seed gives the same result
        :returns: a list of dicts, which prints as a table, fields first, the most important first: ``name``, ``kind``, ``fields`` (which
            read the column), ``metric``, ``importance`` (how much of the metric is lost), its standard ``error`` over rows and its
            ``spread`` (standard deviation) over permutations, ``loss_importance`` (how much the loss rises), ``loss_error``,
            ``loss_spread``, ``rows`` and ``repeats``; None = undefined. A dict of such lists by target if there are several targets
        :raises ConfigError: an argument is invalid
        """
        check_arguments(by, repeats, max_rows)
        source = self.open(table, encoding)
        source.check_rows(" to measure on")
        found = importances(self, source, self.fields_of(source, strict), by, repeats, max_rows, seed, on_error, root)
        return self._single({name: importance_table(name, records) for name, records in found.items()}, ByTarget)

    def save(self, path: str | Path) -> Path:
        """Save the bundle in a folder and return its path.

        :raises BundleError: the folder cannot be written
        """
        return self.bundle.save(path)

    def predictions(
        self, table: Any, *, on_error: OnError | None = None, strict: bool = False, root: Folders = (), encoding: str | None = None,
        embed: bool = False, coverage: float | None = None, hide: frozenset[str] = frozenset(),
    ) -> Iterator[Prediction]:  # fmt: skip
        """Yield the predictions of all rows in order, some hundred rows at a time. The memory used does not grow with the table.

        :param embed: whether predictions contain the shared representation
        :param coverage: the coverage of the sets that predictions contain (``predict_sets``), between 0 and 1; None = no sets
        :param hide: fields that are treated as missing in every row
        """
        return self._open(table, on_error, strict, root, encoding, embed, coverage, hide=hide)[1]

    def open(self, table: Any, encoding: str | None = None) -> Source:
        """Open a table for prediction.

        :raises DataError: the table cannot be opened
        """
        return open_source(table, encoding=encoding, columns=self.bundle.experiment.columns())

    def read(self, source: Source, rows: np.ndarray, on_error: OnError | None = None, root: Folders = ()) -> SelectedRows:
        """Read some rows of a table.

        :param rows: 0-based positions in ascending order, at most ``WINDOW``
        """
        modalities = self._modalities(source, root)
        return TableReader(source, modalities, self.bundle.experiment, on_error).select(rows)

    def fields_of(self, source: Source, strict: bool) -> list[str]:
        """Return the fields of which the table has at least one column; all fields if the table has no rows.

        Absent columns cause one warning.

        :raises DataError: a column is absent and ``strict`` is True, or the table has no column of any field
        """
        return fields_there(self.bundle.experiment, source, strict)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _single(self, by_task: Mapping[str, Any], several: type[dict[str, Any]] = dict) -> Any:
        """Return the value of the only task, or a dict of the type ``several`` by task if there are several."""
        return next(iter(by_task.values())) if len(self.bundle.tasks) == 1 else several(by_task)

    def _predictions(self, table: Any, on_error: OnError | None, strict: bool, root: Folders, encoding: str | None) -> list[Prediction]:
        """Return the predictions of all rows of a table."""
        return list(self._open(table, on_error, strict, root, encoding)[1])

    def _joined(self, parts: list[Prediction], what: str) -> dict[str, np.ndarray]:
        """Return an attribute of the predictions, ``scores`` or ``values``, of all rows together, by task."""
        joined = {}
        for name, task in self.bundle.tasks.items():
            none = score(task, [np.zeros((0, task.outputs), np.float32)])  # no rows: the shape and dtype of a prediction
            arrays = [getattr(part, what)[name] for part in parts]
            joined[name] = np.concatenate(arrays) if arrays else none if what == "scores" else task.values(none)
        return joined

    def _open(
        self, table: Any, on_error: OnError | None, strict: bool, root: Folders, encoding: str | None, embed: bool = False,
        coverage: float | None = None, empty: bool = True, hide: frozenset[str] = frozenset(),
    ) -> tuple[Source, Iterator[Prediction]]:  # fmt: skip
        """Open a table, check its columns, and return it with an iterator over its predictions."""
        source = self.open(table, encoding)
        self.fields_of(source, strict)
        return source, self._answer(source, on_error, root, embed, coverage, empty, hide)

    def _modalities(self, source: Source, root: Folders) -> dict[str, Modality]:
        """Return the modalities of the fields, which look for files in the folders of ``source`` and of ``root``."""
        check_folders(listed(root))
        trained_in = self.trained_in if source.folder is None else []
        found = [folder for folder in trained_in if is_remote(folder) or Path(folder).is_dir()]
        roots = roots_of(source, [*self.root, *listed(root), *found])
        kept = self._made  # read and set once, since threads may share a predictor
        if kept is None or kept[0] != roots.places:
            fields = self.bundle.experiment.fields
            made = {name: config.modality()(config, self.bundle.states[name], roots) for name, config in fields.items()}
            kept = self._made = roots.places, featured(made, self.bundle.backbones)
        return kept[1]

    def _answer(
        self, source: Source, on_error: OnError | None, root: Folders, embed: bool, coverage: float | None, empty: bool,
        hide: frozenset[str],
    ) -> Iterator[Prediction]:  # fmt: skip
        """Yield the predictions of the rows of a table, window by window."""
        modalities = self._modalities(source, root)
        errors = self.errors(coverage) if coverage is not None else {}
        represent = embed or any(one.spreads for one in errors.values())
        for part in self._windows(source, modalities, on_error):
            window = replace(part.window, index=part.window.without(hide))
            members = answers(self.bundle.members, modalities, window, represent=represent, exact=self.exact, each=self.each)
            given = [one for (one,) in members]
            skipped = np.flatnonzero(part.skipped)
            scores, values, kept = {}, {}, {}
            for name, task in self.bundle.tasks.items():
                logits = [one.logits[name] for one in given]
                scores[name] = score(task, logits)
                values[name] = task.values(scores[name])
                if name in errors:
                    assert coverage is not None
                    scale = scale_of(self.metrics, name)
                    unscaled = [one / scale for one in logits]
                    own = [score(task, unscaled)] if errors[name].is_pooled else [score(task, [one]) for one in unscaled]
                    spread_N = errors[name].spread(given, name, f"target {name!r}")
                    kept[name] = sets(task, errors[name], scores[name], own, coverage, empty, spread_N)
                    for at in skipped:
                        kept[name][at] = [] if task.has_classes else np.nan
                if len(skipped):
                    scores[name][skipped] = np.nan
                    values[name] = values[name].astype(object)
                    values[name][skipped] = None
            present = [[name for name in modalities if window.index[name][at] >= 0] for at in range(len(window.rows))]
            embedding = np.concatenate([one.fused_ND for one in given], 1) if embed else None
            yield Prediction(window.rows + 1, values, scores, present, part.fault_texts(), embedding, kept)

    def _windows(self, source: Source, modalities: Mapping[str, Modality], on_error: OnError | None) -> Iterator[ReadWindow]:
        """Yield the rows of a table as windows with their faults, after frozen backbones."""
        reader = TableReader(source, modalities, self.bundle.experiment, on_error)
        for part in reader.windows():
            yield replace(part, window=through(part.window, modalities, self.bundle.backbones, self.exact))
        for line in reader.lines(self.bundle.experiment.data.max_faults):
            warn(line)
