"""The notes that a run reports before training: its fields, encoders and targets, and the reasons for inferred settings."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import quote
from ..experiment import Experiment
from ..preparation import Prepared


def settings_notes(experiment: Experiment, reasons: Mapping[str, str]) -> list[str]:
    """Return a note for each field, and for the reasons of encoders, columns, the split and overrides.

    :param reasons: why each setting has its value, by path
    """
    notes = []
    for name, field in experiment.fields.items():
        encoder = experiment.model.encoders[name].kind
        why = reasons.get(f"fields.{quote(name)}", "")
        notes.append(f"field {name!r}: {field.kind}, encoder {encoder}{f' ({why})' if why else ''}")
    for path, reason in reasons.items():
        if path.startswith("model.encoders") and experiment.model.preset != "scratch":
            notes.append(f"{path}: {reason}")
        if path == "model.preset":
            notes.append(reason)
        if path.startswith("columns."):
            notes.append(f"column {path.removeprefix('columns.')}: {reason}")
        if path.startswith(("data.split", "override")):
            notes.append(f"{path}: {reason}" if path.startswith("data") else reason)
    return notes


def data_notes(prepared: Prepared, reasons: Mapping[str, str]) -> list[str]:
    """Return a note for each field and each target of the prepared data."""
    notes = [f"field {name!r}: {modality.describe()}" for name, modality in prepared.modalities.items()]
    for name, task in prepared.tasks.items():
        count = prepared.unlabelled[name]
        notes.append(f"target {name!r}: {task.config.kind}, {task.describe()}{f'; {count:,} rows without' if count else ''}")
        if words := reasons.get(f"tasks.{quote(name)}.missing"):
            notes.append(f"target {name!r}: {words}")
    return notes
