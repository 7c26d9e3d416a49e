"""The metrics of a trained model on the test table or on the test rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..collection import collect
from ..data.class_notes import unknown_line
from ..data.sources import Source
from ..data.splits import TEST
from ..errors import UserError
from ..evaluation.measure import measure, score
from ..experiment import Experiment
from ..inference import windows
from ..journal import Journal
from ..language import Sentence
from ..predictor import Predictor
from ..preparation import Prepared, prepare
from ..training.events import WarningEvent
from ..training.observers import Observer


def measure_test(predictor: Predictor, prepared: Prepared, source: Source | None, observer: Observer) -> dict[str, Any] | None:
    """Return the metrics on the test table or on the test rows; None if there are none, or the test table cannot be measured.

    :param source: the test table; None = the split provides test rows, or there are none
    """
    return _on_rows(predictor, prepared) if source is None else _on_table(predictor, source, observer)


def measure_test_later(
    predictor: Predictor, experiment: Experiment, sources: tuple[Source, Source | None, Source | None], folder: Path, journal: Journal,
    observer: Observer,
) -> dict[str, Any] | None:  # fmt: skip
    """Return the test metrics of a run that has ended without them.

    :param experiment: the experiment of the run
    :param sources: its training table, its validation table and its test table; None = there is none
    :param folder: its folder
    :param journal: its journal
    """
    source, valid, test = sources
    if test is not None:
        return _on_table(predictor, test, observer)
    if not experiment.data.split.has_test_rows:
        return None
    with torch.random.fork_rng(devices=[]):
        prepared = prepare(experiment, source, valid, folder, journal.states)
        try:
            return _on_rows(predictor, prepared)
        finally:
            prepared.close()


def _on_table(predictor: Predictor, source: Source, observer: Observer) -> dict[str, Any] | None:
    """Return the metrics on a test table; None if it cannot be measured."""
    try:
        measured = predictor.evaluate(source)
    except UserError as error:  # the model is trained and saved, so that a fault of the test table must not stop the run
        observer.observe(WarningEvent(Sentence("warning.no_test", error=str(error))))
        return None
    for name, counts in measured.get("unknown", {}).items():
        observer.observe(WarningEvent(Sentence("note.of_target", target=name, line=unknown_line({"test": counts}))))
    return measured


def _on_rows(predictor: Predictor, prepared: Prepared) -> dict[str, Any] | None:
    """Return the metrics on the test rows; None if there are none."""
    rows = np.flatnonzero(prepared.split.part_N == TEST)
    if not len(rows):
        return None
    store = prepared.train.store
    collected = [collect(member, store.modalities, windows(store, rows)) for member in predictor.bundle.members]
    scores = {name: score(task, [one.answers[0].logits[name] for one in collected]) for name, task in prepared.tasks.items()}
    tasks, _ = measure(prepared.tasks, scores, {name: target[rows] for name, target in prepared.train.targets.items()})
    return {"rows": len(rows), "tasks": tasks}
