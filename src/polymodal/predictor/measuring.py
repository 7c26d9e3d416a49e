"""The result of measuring a model on a table with targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle import Bundle
from ..data.class_notes import Unknown
from ..data.reading import FaultBook, read_targets
from ..data.sources import Source
from ..data.splits import TEST
from ..evaluation.measure import hidden_sets, measure, score
from ..inference import answers
from ..language import Words
from ..modalities import Modality, OnError
from ..pages import Result, Section, metric_sections
from ..tasks import Task
from .reading import ReadWindow
from .run_data import is_training_table


class EvaluationResult(Result):
    """The result of ``Predictor.evaluate``, which prints as a table of metrics for each target. Every key is an attribute as well.

    :param values: the result
    :param smaller: by target, the metrics of which smaller values are better
    """

    def __init__(self, values: Mapping[str, Any], smaller: Mapping[str, Sequence[str]]) -> None:
        super().__init__(values)
        self.smaller = smaller

    def sections(self, words: Words) -> Iterator[Section]:
        """Yield the metrics of each target, with all fields and without each of them."""
        for target, metrics in self["tasks"].items():
            rows = self.get("measured", {}).get(target, self["rows"])
            of = words("evaluate.rows", rows=rows)
            if rows != self["rows"]:
                of = words("evaluate.some_rows", measured=rows, rows=self["rows"])
            hidden = [(words("without", field=field), by_task[target]) for field, by_task in self["hidden"].items()]
            groups = [(words("evaluate.title", target=target, rows=of), [(words("all_fields"), metrics), *hidden])]
            yield from metric_sections(words, groups, list(metrics), self.smaller[target])
        if self.get("trained_on"):
            yield Section(notes=[words("evaluate.trained_on")])


def evaluate_rows(
    bundle: Bundle, source: Source, modalities: Mapping[str, Modality], fields: Sequence[str], windows: Iterable[ReadWindow],
    on_error: OnError | None, exact: bool, run: Path | None,
) -> EvaluationResult:  # fmt: skip
    """Return the result of ``Predictor.evaluate``.

    :param fields: the fields of which the table has a column
    :param windows: the rows of the table, after frozen backbones
    :param on_error: the action for a target that cannot be read; None = as configured
    :param exact: as for ``answers``
    :param run: the folder of the run that trained the model; None = unknown
    """
    book = FaultBook(source.name, lambda _: on_error or bundle.experiment.data.on_error)
    unknown = Unknown()
    listener = unknown.listener(np.full(source.rows, TEST, np.uint8))
    targets: dict[str, np.ndarray] = {}
    unreadable: dict[str, int] = {}
    for name, task in bundle.tasks.items():
        before = book.counts[task.config.column]
        targets |= read_targets(source, {name: task}, book.record, listener)
        unreadable[name] = book.counts[task.config.column] - before
    hidden = hidden_sets(fields)
    scores: list[dict[str, list[np.ndarray]]] = [{name: [] for name in bundle.tasks} for _ in hidden]
    skipped: list[int] = []
    for part in windows:
        members = answers(bundle.members, modalities, part.window, hidden, exact=exact)
        for at, into in enumerate(scores):
            for name, task in bundle.tasks.items():
                into[name].append(score(task, [member[at].logits[name] for member in members]))
        skipped += part.window.rows[part.skipped].tolist()
    joined = [{name: np.concatenate(parts) for name, parts in into.items()} for into in scores]
    for by_task in joined:
        for values in by_task.values():
            values[skipped] = np.nan
    result = measured_on(bundle.tasks, joined, hidden, targets, unreadable, unknown)
    if is_training_table(source, run):
        result["trained_on"] = True
    return result


def measured_on(
    tasks: Mapping[str, Task],
    scores: Sequence[Mapping[str, np.ndarray]],
    hidden: Sequence[frozenset[str]],
    targets: Mapping[str, np.ndarray],
    unreadable: Mapping[str, int],
    unknown: Unknown,
) -> EvaluationResult:
    """Return the result of ``Predictor.evaluate``.

    :param scores: by set of hidden fields and by task, the predictions (N, C); NaN for a skipped row
    :param hidden: the sets of hidden fields; the first one is empty, each of the others contains one field
    :param targets: by task (N, T), NaN where a row has none
    :param unreadable: by task, the number of rows with a target that cannot be read
    :param unknown: the classes of the table that the model does not know
    """
    rows = len(next(iter(targets.values())))
    metrics, undefined = measure(tasks, scores[0], targets)
    result: dict[str, Any] = {"rows": rows, "tasks": metrics, "hidden": {}}
    for fields, by_task in zip(hidden[1:], scores[1:], strict=True):
        result["hidden"][next(iter(fields))] = measure(tasks, by_task, targets)[0]
    if undefined:
        result["undefined"] = undefined
    empty = {name: np.isnan(target).any(1) for name, target in targets.items()}
    measured = {name: int((~empty[name] & ~np.isnan(scores[0][name]).any(1)).sum()) for name in targets}
    unlabelled = {name: int(lacking.sum()) - unreadable[name] for name, lacking in empty.items()}
    if any(unlabelled.values()):
        result["without_target"] = unlabelled
    if any(unreadable.values()):
        result["unreadable"] = dict(unreadable)
    if any(count != rows for count in measured.values()):
        result["measured"] = measured
    if unknown.counts:
        result["unknown"] = {name: dict(by_part["test"]) for name, by_part in unknown.counts.items()}
    smaller = {name: [metric for metric in task.metric_names if task.sign(metric) < 0] for name, task in tasks.items()}
    return EvaluationResult(result, smaller)
