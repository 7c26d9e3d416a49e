"""The notes that a run reports before training: its fields, encoders and targets, and the reasons for inferred settings."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import quote
from ..data.copies import copies_between
from ..data.sources import Source
from ..errors import DataError
from ..experiment import Experiment
from ..language import Sentence
from ..preparation import Prepared, roots_of


def settings_notes(experiment: Experiment, reasons: Mapping[str, str]) -> list[str]:
    """Return a note for each field, and for the reasons of encoders, columns, the split and overrides.

    :param reasons: why each setting has its value, by path
    """
    notes: list[str] = []
    for name, field in experiment.fields.items():
        encoder = experiment.model.encoders[name].kind
        why = reasons.get(f"fields.{quote(name)}", "")
        key = "note.field_why" if why else "note.field"
        notes.append(Sentence(key, field=name, kind=field.kind, encoder=encoder, **({"why": why} if why else {})))
    for path, reason in reasons.items():
        if path.startswith("model.encoders") and experiment.model.preset != "scratch":
            notes.append(Sentence("note.setting", path=path, why=reason))
        if path == "model.preset":
            notes.append(reason)
        if path.startswith("columns."):
            notes.append(Sentence("note.plain_column", column=path.removeprefix("columns."), why=reason))
        if path.startswith(("data.split", "override")):
            notes.append(Sentence("note.setting", path=path, why=reason) if path.startswith("data") else reason)
    return notes


def copies_of_training(experiment: Experiment, source: Source, other: Source) -> str:
    """Return a warning about the rows of a validation or test table that are copies of training rows; "" if there are none, if they cannot
    be read, which is reported where they are measured, or if ``data.split.copies`` is ``ignore``."""
    if experiment.data.split.copies == "ignore":
        return ""
    try:
        return copies_between(source, other, experiment.fields, roots_of(source, experiment.data.root))
    except DataError:
        return ""


def data_notes(prepared: Prepared, reasons: Mapping[str, str]) -> list[str]:
    """Return a note for each field and each target of the prepared data."""
    notes: list[str] = [Sentence("note.described", field=name, line=modality.describe()) for name, modality in prepared.modalities.items()]
    for name, task in prepared.tasks.items():
        count = prepared.unlabelled[name]
        key = "note.target_without" if count else "note.target"
        notes.append(Sentence(key, target=name, kind=task.config.kind, line=task.describe(), rows=count))
        if words := reasons.get(f"tasks.{quote(name)}.missing"):
            notes.append(Sentence("note.of_target", target=name, line=words))
    return notes
