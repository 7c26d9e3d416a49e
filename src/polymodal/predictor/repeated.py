"""Repeated prediction of the same rows with changed fields: rows with a target are sampled and read once, and their cells encoded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..backbones import Backbone
from ..data.reading import FaultBook, read_targets
from ..data.sources import Source
from ..errors import DataError, counted, spelled
from ..evaluation.measure import score
from ..flow import Cell, Sample
from ..frozen import Featured, features_of, through
from ..inference import Cells, Encoded, Window, device_of, logits_of
from ..modalities import Modality, OnError
from ..model import MultiModalModel
from ..random_streams import Stream, generator
from ..request import Folders
from ..tasks import Task

if TYPE_CHECKING:
    from .answers import Predictor

MOST_ROWS = 500
"""The maximum number of rows that are predicted repeatedly; at most ``inference.WINDOW``: their features are in memory together."""


class RowPredictor:
    """Predicts some rows repeatedly, with changed fields, by all members of a model.

    Rows are described by the position of each field's cell among the samples of ``window``, (N,) by field; -1 = the row lacks the field.

    :param members: the models, averaged as in every prediction
    :param window: the rows, after frozen backbones
    """

    def __init__(
        self, members: Sequence[MultiModalModel], modalities: Mapping[str, Modality], tasks: Mapping[str, Task], window: Window
    ) -> None:
        self.tasks, self.window, self.fields = tasks, window, list(modalities)
        device = device_of(members[0])
        cells = {name: Cells(modality, window.samples[name], device) for name, modality in modalities.items()}
        self.members = [Encoded(member, cells) for member in members]

    def scores(self, index: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the predictions by task: probabilities (N, C), or numbers (N, 1)."""
        return self.decoded(logits_of(self.members, index))

    def decoded(self, logits: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Return the predictions by task from the logits of all members, in the dtype of the logits."""
        return {name: score(task, [one[name] for one in logits]) for name, task in self.tasks.items()}

    def logits(self, index: Mapping[str, np.ndarray]) -> list[dict[str, np.ndarray]]:
        """Return the logits of each member by task, float64 (N, C)."""
        return [{task: logits.astype(np.float64) for task, logits in one.items()} for one in logits_of(self.members, index)]


@dataclass(frozen=True)
class SampledRows:
    """Sampled rows with a target. ``row_predictor`` predicts them repeatedly; ``cells`` by field (N,), ``targets`` by task (N, T),
    ``backbones`` by field that has a frozen one."""

    row_predictor: RowPredictor
    modalities: Mapping[str, Modality]
    cells: Mapping[str, Sequence[Cell]]
    targets: Mapping[str, np.ndarray]
    backbones: Mapping[str, Backbone]

    def seen(self, name: str, samples: Sequence[Sample]) -> Sequence[Sample]:
        """Return samples of a field as the model receives them: the features of its frozen backbone, if it has one."""
        modality = self.modalities[name]
        return features_of(self.backbones[name], modality.inner, samples) if isinstance(modality, Featured) else samples


def read_targets_of(predictor: Predictor, source: Source, on_error: OnError | None) -> dict[str, np.ndarray]:
    """Return the targets of all rows by task (N, T), NaN if a row has none.

    :raises DataError: a target column does not exist, or a cell is unreadable under ``on_error="error"``
    """
    bundle = predictor.bundle
    source.check([task.config.column for task in bundle.tasks.values()])
    return read_targets(source, bundle.tasks, FaultBook(source.name, lambda _: on_error or bundle.experiment.data.on_error).record)


def rows_with_target(source: Source, targets: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the rows (0-based) that have a target. Raises ``DataError`` if no row has one."""
    known = np.flatnonzero(np.any([~np.isnan(target).any(1) for target in targets.values()], axis=0))
    if not len(known):
        raise DataError(f"{source.name}: no row has a target; expected some to measure on, or rows to explain (explain --rows)")
    return known


def sample_of(rows: np.ndarray, seed: int) -> np.ndarray:
    """Return at most ``MOST_ROWS`` of the rows, sampled by ``seed``, in ascending order."""
    return parts_of(rows, seed, MOST_ROWS)[0]


def parts_of(rows: np.ndarray, seed: int, most: int) -> list[np.ndarray]:
    """Return at most ``most`` of the rows, sampled by ``seed`` and divided at random into equal parts of at most ``MOST_ROWS`` rows.

    :returns: the rows of each part in ascending order
    """
    sampled = generator(Stream.ANALYZED_ROWS, seed).permutation(rows)[:most]
    return [np.sort(part) for part in np.array_split(sampled, -(-len(sampled) // MOST_ROWS))]


def read_rows(
    predictor: Predictor, source: Source, rows: np.ndarray, targets: Mapping[str, np.ndarray], on_error: OnError | None,
    root: Folders,
) -> SampledRows:  # fmt: skip
    """Read rows as the model sees them, without those that are skipped. Raises ``DataError`` if every row is skipped."""
    bundle = predictor.bundle
    selected = predictor.read(source, rows, on_error, root)
    kept = np.flatnonzero(~selected.skipped)
    if not len(kept):
        fix = f"use {spelled('--on-error blank', 'on_error=blank')}"
        raise DataError(f"{source.name}: none of {counted(len(rows), 'row')} can be read; {fix}")
    window = selected.window
    window = Window(window.rows[kept], window.samples, {name: index[kept] for name, index in window.index.items()})
    row_predictor = RowPredictor(bundle.members, selected.modalities, bundle.tasks, through(window, selected.modalities, bundle.backbones))
    cells = {name: [of_field[at] for at in kept.tolist()] for name, of_field in selected.cells.items()}
    kept_targets = {name: target[window.rows] for name, target in targets.items()}
    return SampledRows(row_predictor, selected.modalities, cells, kept_targets, bundle.backbones)
