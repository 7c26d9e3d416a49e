"""Permutation importance: how much worse a model predicts rows of a table whose cells of a field or a column come from other rows.

The method is that of Breiman (2001, Random Forests, Machine Learning 45) for any model, with the loss of Fisher, Rudin and Dominici (2019,
arXiv:1801.01489) beside the metric. A field is permuted as a whole, missing cells included. A column is permuted by itself in every field
that reads it, and the other columns of these fields stay. All fields and columns of one repeat are permuted in the same order, so that a
field of one column has the importance of the column.

Rows are divided at random into parts, and permuted within each, so that memory does not grow with their number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from ..data.reading import read_distinct
from ..data.sources import Source
from ..errors import ConfigError
from ..evaluation.measure import measure, pool, score
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
        raise ConfigError(f"by: found {by!r}; expected 'field' or 'column'; leave it out for both")
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
        self._parts = 0

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
            for one, changed in zip(self.permuted, self._changed, strict=True):
                changed[repeat].add(_permute(sampled, index, one, order))
        self._parts += 1

    def records(self, name: str) -> list[dict[str, Any]]:
        """Return the importances for one task, fields first, the most important first (see ``Predictor.feature_importance``)."""
        task = self.tasks[name]
        target_NT = np.concatenate(self._targets[name])
        whole = _quality(task, target_NT, self._whole.logits[name])
        records = []
        for one, changed in zip(self.permuted, self._changed, strict=True):
            lost_R2 = np.array([whole - _quality(task, target_NT, by.logits[name]) for by in changed])
            importance, spread = _mean_and_spread(lost_R2[:, 0])
            loss, loss_spread = _mean_and_spread(lost_R2[:, 1])
            records.append({
                "name": one.name, "kind": one.kind, "fields": list(one.fields), "metric": task.judged_by, "importance": importance,
                "spread": spread, "loss_importance": loss, "loss_spread": loss_spread, "rows": int((~np.isnan(target_NT).any(1)).sum()),
                "repeats": self.repeats,
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


def _quality(task: Task, target_NT: np.ndarray, parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the metric by which models are compared, and the negative loss, both larger if better; NaN if undefined."""
    logits_NC = np.concatenate(parts)
    known = ~np.isnan(target_NT).any(1)
    metrics, _ = measure({"": task}, {"": score(task, [logits_NC])}, {"": target_NT})
    value = metrics[""][task.judged_by]
    known &= task.known(target_NT)
    loss = math.nan
    if known.any():
        losses_N = task.plain_losses(torch.from_numpy(logits_NC[known]), torch.from_numpy(target_NT[known]))
        loss = float(losses_N.double().mean())
    return np.array([math.nan if value is None else task.sign(task.judged_by) * value, -loss])


def _mean_and_spread(lost_R: np.ndarray) -> tuple[float | None, float | None]:
    """Return the mean of what was lost in each repeat, and its standard deviation; None for what is undefined."""
    if not np.isfinite(lost_R).all():
        return None, None
    return float(lost_R.mean()), float(lost_R.std(ddof=1)) if len(lost_R) > 1 else None
