"""Permutation importance: how much worse a model predicts rows of a table whose cells of a field or a column come from other rows.

The method is that of Breiman (2001, Random Forests, Machine Learning 45) for any model, with the loss of Fisher, Rudin and Dominici (2019,
arXiv:1801.01489) beside the metric. A field is permuted as a whole, missing cells included. A column is permuted by itself in every field
that reads it, and the other columns of these fields stay. All fields and columns of one repeat are permuted in the same order, so that a
field of one column has the importance of the column.

Rows are divided at random into parts, and permuted within each, so that memory does not grow with their number.

The standard error of an importance is that of a sample of rows. Each row enters twice, as the row that receives a cell and as the row whose
cell another one receives, so that the importance is a U-statistic of pairs (Hoeffding 1948): its variance is that of the mean over rows of
both contributions. The standard deviation over permutations of the same rows would be 0 where no permutation changes a class, however few
the rows are.

Shapes: ``N`` rows of all parts, ``R`` repeats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch

from ..data.reading import read_distinct
from ..data.sources import Source
from ..errors import ConfigError, nearest
from ..evaluation.measure import pool, score
from ..evaluation.paired import variance
from ..inference import Cells, Encoded, device_of, logits_of
from ..modalities import FieldConfig, OnError
from ..random_streams import Stream, generator
from ..request import Folders
from ..tasks import Task
from .repeated import MOST_ROWS, SampledRows, parts_of, read_rows, read_targets_of, rows_with_target

if TYPE_CHECKING:
    from .answers import Predictor

MOST_SAMPLED = 1_000
"""The number of rows on which importance is measured unless another is requested."""
_KEPT_VALUES = 2**27
"""The most logits that are kept at a time; of targets of very many classes, fewer rows are measured."""

Kind = Literal["field", "column"]


@dataclass(frozen=True)
class Permuted:
    """What is permuted: a field as a whole, or a column by itself in each of the ``fields`` that read it."""

    kind: Kind
    name: str
    fields: Sequence[str]


@dataclass
class _Predicted:
    """The predictions of all parts, by task: logits (N, C) in the order of ``targets``."""

    logits: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def add(self, members: Sequence[Mapping[str, np.ndarray]]) -> None:
        """Add the logits of the members for the rows of a part."""
        for name in members[0]:
            self.logits.setdefault(name, []).append(pool([one[name] for one in members]))


def check_arguments(by: Kind | None, repeats: int, max_rows: int) -> None:
    """Raise ``ConfigError`` unless the arguments of ``feature_importance`` are valid."""
    if by not in (None, "field", "column"):
        near = nearest(str(by), get_args(Kind))
        raise ConfigError(f"by: found {by!r}; expected 'field' or 'column'{near or '; leave it out for both'}")
    for name, value, least in (("repeats", repeats, 1), ("max_rows", max_rows, 2)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ConfigError(f"{name}: found {value!r}; expected a whole number of {least} or more")


def permuted_of(fields: Mapping[str, FieldConfig], columns: Sequence[str], by: Kind | None) -> list[Permuted]:
    """Return what is permuted: fields, then columns.

    :param fields: the fields of which the table has a column
    :param columns: the columns of the table
    :param by: "field" or "column"; None = both
    """
    readers: dict[str, list[str]] = {}
    for name, config in fields.items():
        for column in dict.fromkeys(config.sources):
            readers.setdefault(column, []).append(name)
    found = [Permuted("field", name, [name]) for name in fields] if by != "column" else []
    return found + [Permuted("column", name, names) for name, names in readers.items() if name in columns and by != "field"]


def rows_to_measure(rows: int, tasks: Mapping[str, Task], permuted: int, repeats: int) -> int:
    """Return how many of ``rows`` rows can be measured while all predictions are kept, at least those of one part."""
    outputs = sum(task.outputs for task in tasks.values())
    return min(rows, max(MOST_ROWS, _KEPT_VALUES // (max(permuted, 1) * repeats * outputs)))


class Importance:
    """Collects the predictions for rows in parts, and measures them.

    :param tasks: the tasks of the model
    :param permuted: what is permuted
    :param repeats: the number of permutations of each
    :param seed: the seed of the permutations
    """

    def __init__(self, tasks: Mapping[str, Task], permuted: Sequence[Permuted], repeats: int, seed: int) -> None:
        self.tasks, self.permuted, self.repeats, self.seed = tasks, permuted, repeats, seed
        self._targets: dict[str, list[np.ndarray]] = {name: [] for name in tasks}
        self._whole = _Predicted()
        self._changed = [[_Predicted() for _ in range(repeats)] for _ in permuted]
        self._sources: list[list[np.ndarray]] = [[] for _ in range(repeats)]
        self._parts = self._rows = 0

    def add(self, sampled: SampledRows, fields: Sequence[str]) -> None:
        """Predict the rows of a part, as they are and with everything permuted in turn.

        :param fields: the fields of which the table has a column; the others are hidden
        """
        predictor = sampled.row_predictor
        index = predictor.window.without(frozenset(predictor.fields) - frozenset(fields))
        for name, target in sampled.targets.items():
            self._targets[name].append(target)
        self._whole.add(logits_of(predictor.members, index))
        for repeat in range(self.repeats):
            order = generator(Stream.IMPORTANCE, self.seed, self._parts, repeat).permutation(len(predictor.window.rows))
            self._sources[repeat].append(self._rows + order)
            for one, changed in zip(self.permuted, self._changed, strict=True):
                changed[repeat].add(_permute(sampled, index, one, order))
        self._parts += 1
        self._rows += len(predictor.window.rows)

    def records(self, name: str) -> list[dict[str, Any]]:
        """Return the importances for one task, fields first, the most important first (see ``Predictor.feature_importance``)."""
        task = self.tasks[name]
        target_NT = np.concatenate(self._targets[name])
        whole = _Quality.of(task, target_NT, self._whole.logits[name])
        source_RN = np.stack([np.concatenate(parts) for parts in self._sources])
        rows, unit = int((~np.isnan(target_NT).any(1)).sum()), task.bounds(task.judged_by) == (0.0, 1.0)
        records = []
        for one, changed in zip(self.permuted, self._changed, strict=True):
            parts = [_Quality.of(task, target_NT, by.logits[name]) for by in changed]
            importance, error, spread = _lost(whole.metric_N, [part.metric_N for part in parts], source_RN, unit)
            loss, loss_error, loss_spread = _lost(whole.loss_N, [part.loss_N for part in parts], source_RN)
            records.append({
                "name": one.name, "kind": one.kind, "fields": list(one.fields), "metric": task.judged_by, "importance": importance,
                "error": error, "spread": spread, "loss_importance": loss, "loss_error": loss_error, "loss_spread": loss_spread,
                "rows": rows, "repeats": self.repeats,
            })  # fmt: skip
        order: list[Kind] = ["field", "column"]
        return sorted(records, key=lambda one: (order.index(one["kind"]), -(one["importance"] or 0.0), -(one["loss_importance"] or 0.0)))


def importances(
    predictor: Predictor, source: Source, fields: Sequence[str], by: Kind | None, repeats: int, max_rows: int, seed: int,
    on_error: OnError | None, root: Folders,
) -> dict[str, list[dict[str, Any]]]:  # fmt: skip
    """Return the records of ``Predictor.feature_importance`` by task.

    :param fields: the fields of which the table has a column
    """
    bundle = predictor.bundle
    targets = read_targets_of(predictor, source, on_error)
    known = rows_with_target(source, targets)
    permuted = permuted_of({name: bundle.experiment.fields[name] for name in fields}, source.columns, by)
    importance = Importance(bundle.tasks, permuted, repeats, seed)
    for part in parts_of(known, seed, rows_to_measure(max_rows, bundle.tasks, len(permuted), repeats)):
        importance.add(read_rows(predictor, source, part, targets, on_error, root), fields)
    return {name: importance.records(name) for name in bundle.tasks}


def _permute(sampled: SampledRows, index: Mapping[str, np.ndarray], one: Permuted, order: np.ndarray) -> list[Mapping[str, np.ndarray]]:
    """Return the logits of the members for rows with a field or a column in another order."""
    predictor = sampled.row_predictor
    index, members = dict(index), list(predictor.members)
    for name in one.fields:
        sources = sampled.modalities[name].config.sources
        if one.kind == "field" or len(sources) == 1:
            index[name] = index[name][order]
        else:
            index[name], members = _with_column(sampled, name, sources.index(one.name), order, members)
    return logits_of(members, index)


def _with_column(
    sampled: SampledRows, name: str, at: int, order: np.ndarray, members: Sequence[Encoded]
) -> tuple[np.ndarray, list[Encoded]]:  # fmt: skip
    """Return the position of each row's sample, and the members, after one column of a field of several columns was permuted.

    :param at: the position of the column among the columns of the field
    """
    modality, cells = sampled.modalities[name], [tuple(cell) for cell in sampled.cells[name]]
    changed = [(*cell[:at], cells[other][at], *cell[at + 1 :]) for cell, other in zip(cells, order.tolist(), strict=True)]
    there = [row for row, cell in enumerate(changed) if not modality.is_missing(cell)]
    results, positions = read_distinct(modality, [changed[row] for row in there])
    place_U = np.cumsum([sample is not None for sample, _ in results]) - 1
    index = np.full(len(changed), -1, np.int64)
    for row, position in zip(there, positions, strict=True):
        if results[position][0] is not None:
            index[row] = place_U[position]
    samples = sampled.seen(name, [sample for sample, _ in results if sample is not None])
    encoded = Cells(modality, samples, device_of(members[0].model))
    return index, [member.given({name: member.encode(name, encoded)}) for member in members]


@dataclass(frozen=True)
class _Quality:
    """The values of rows, larger if better, whose mean is the metric by which models are compared, and the negative losses of rows: NaN
    for a row without a target; None if undefined."""

    metric_N: np.ndarray | None
    loss_N: np.ndarray | None

    @classmethod
    def of(cls, task: Task, target_NT: np.ndarray, parts: Sequence[np.ndarray]) -> _Quality:
        """Return the values of the rows.

        :param parts: the logits of each part, in the order of ``target_NT``
        """
        logits_NC = np.concatenate(parts)
        measured = ~np.isnan(target_NT).any(1)
        values = task.row_values(target_NT[measured], score(task, [logits_NC])[measured])
        known = measured & task.known(target_NT)
        metric_N, loss_N = np.full(len(measured), np.nan), np.full(len(measured), np.nan)
        if values is not None:
            metric_N[measured] = task.sign(task.judged_by) * values
        if known.any():
            losses = task.plain_losses(torch.from_numpy(logits_NC[known]), torch.from_numpy(target_NT[known]))
            loss_N[known] = -losses.double().numpy()
        return cls(None if values is None else metric_N, loss_N if known.any() else None)


def _lost(
    whole_N: np.ndarray | None, changed: Sequence[np.ndarray | None], source_RN: np.ndarray, unit: bool = False
) -> tuple[float | None, float | None, float | None]:
    """Return what is lost by permutation: the mean over the permutations, its standard error over rows, and the standard deviation over
    the permutations; None for what is undefined.

    :param whole_N: the values of the rows as they are, NaN for rows that are not measured
    :param changed: their values after each permutation
    :param source_RN: the row whose cell each row has received
    :param unit: whether the mean of the values is between 0 and 1 (see ``_error``)
    """
    known = [value_N for value_N in changed if value_N is not None]
    if whole_N is None or len(known) < len(changed):
        return None, None, None
    measured, changed_RN = ~np.isnan(whole_N), np.stack(known)
    if not np.isfinite(changed_RN[:, measured]).all() or not np.isfinite(whole_N[measured]).all():
        return None, None, None
    lost_R = whole_N[measured].mean() - changed_RN[:, measured].mean(1)
    mean = changed_RN[:, measured].mean()
    given_RN = np.empty_like(changed_RN)  # the value of the row that received the cell of each row
    np.put_along_axis(given_RN, source_RN, np.where(measured, changed_RN, mean), 1)
    return (
        float(lost_R.mean()),
        _error((whole_N - changed_RN - given_RN + mean)[:, measured], lost_R, unit),
        float(lost_R.std(ddof=1)) if len(lost_R) > 1 else None,
    )


def _error(contribution_RN: np.ndarray, lost_R: np.ndarray, unit: bool) -> float | None:
    """Return the standard error of an importance over rows and permutations; None for a single row.

    Its variance has two components: that of the rows, and that of the permutations, which is the variance of what each of them loses,
    divided by their number. The variance over rows of the mean contribution, which estimates the first one, also contains the variance of a
    row's contribution over permutations, which is subtracted.

    :param contribution_RN: the contribution of each row to what is lost, as the row that receives a cell and as the one that gives it
    :param lost_R: what is lost by each permutation
    :param unit: whether the metric is between 0 and 1; its variance is then never 0 (Bonett and Price 2012)
    """
    repeats, rows = contribution_RN.shape
    if rows < 2:
        return None
    mean_N = contribution_RN.mean(0)
    total, _ = variance((mean_N - mean_N.mean()) / rows, rows - 1)
    if repeats > 1:
        within = float(contribution_RN.var(0, ddof=1).mean()) / (rows * repeats)
        total = max(total - within, 0.0) + float(lost_R.var(ddof=1)) / repeats
    return math.sqrt(total + (2 / rows**2 if unit else 0.0))
