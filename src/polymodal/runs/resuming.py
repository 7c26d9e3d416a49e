"""The folder of a run: when it may be made or replaced, and its content, from which ``resume`` continues and which ``check`` reports."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..bundle import Bundle, find
from ..errors import UserError, nearest_folder, spelled
from ..experiment import Experiment
from ..journal import JOURNAL_FILE, Journal
from ..language import Sentence
from ..storage import Lock, OutputFolder, busy, hint_of_runs
from ..training.checkpoint import LAST, PREVIOUS, Checkpoints


@dataclass
class State:
    """The content of a run's folder."""

    experiment: Experiment | None = None
    journal: Journal | None = None
    ended: bool = False
    """Whether training has ended."""
    stops: list[str] = field(default_factory=list)
    """The reasons why it cannot be resumed."""
    notes: list[str] = field(default_factory=list)
    """Further lines that are reported about it."""


def output_folder(folder: Path, experiment: Experiment) -> OutputFolder:
    """Return the policy for the folder that a run of ``experiment`` is written to."""
    return OutputFolder(
        folder, "a run", "-o RUN", marker="log.jsonl", begun=JOURNAL_FILE, folders=("checkpoints",), inputs=experiment.paths
    )


def experiment_of(folder: Path, overrides: Sequence[str]) -> Experiment:
    """Return the experiment of a run with overrides applied.

    :raises UserError: the folder contains no ``run.yaml``, or the file or an override is invalid
    """
    if not (folder / "run.yaml").is_file():
        near = (nearest_folder(folder) or hint_of_runs(folder))[2:]
        out = "RUN" if folder.is_file() else shlex.quote(str(folder)) + (" --overwrite" if folder.exists() else "")
        fix = near or f"train one: polymodal train TABLE --target COL -o {out}"
        raise UserError(f"{folder}: contains no run.yaml; expected the folder of a run; {fix}")
    return Experiment.read(folder / "run.yaml", overrides)


def journal_of(folder: Path) -> Journal | None:
    """Return the journal of a run, or None if training had not begun."""
    return Journal.read(folder / JOURNAL_FILE)


def look_at(folder: Path, overrides: Sequence[str]) -> State:
    """Return the content of a run's folder, from which ``resume`` would continue. Nothing is changed.

    :raises UserError: the folder contains no valid ``run.yaml``
    """
    state = State(experiment_of(folder, overrides))
    assert state.experiment is not None
    holder = Lock.holder(folder)
    if holder is not None:
        state.stops.append(busy(folder, holder))
    try:
        journal = journal_of(folder)
    except UserError as error:
        state.stops.append(str(error))
        return state
    if (folder / "bundle").exists():
        try:
            bundle = Bundle.load(find(folder / "bundle"), trust=False)
            targets = ", ".join(map(repr, bundle.experiment.tasks))
            state.notes.append(Sentence("check.bundle", models=len(bundle.members), targets=targets))
        except UserError as error:
            state.notes.append(Sentence("check.broken_bundle", error=str(error)))
    if journal is None:
        state.notes.append(Sentence("check.not_begun", command=f"polymodal train --resume {shlex.quote(str(folder))}"))
        return state
    state.journal, state.ended = journal, journal.ended
    if journal.ended:
        state.notes.append(Sentence("check.ended"))
        return state
    checkpoints = Checkpoints(folder / "checkpoints")
    current = next((checkpoint[1] for name in (LAST, PREVIOUS) if (checkpoint := checkpoints.read(name)) is not None), None)
    done = [path.stem for path in sorted((folder / "checkpoints").glob("*.safetensors")) if path.stem not in (LAST, PREVIOUS)]
    whole = [name for name in done if checkpoints.read(name) is not None]
    state.notes += checkpoints.notes
    if whole:
        state.notes.append(Sentence("check.trained", models=", ".join(whole)))
    if current is not None and current.get("unit") not in whole:
        at = current["progress"]
        state.notes.append(Sentence("check.in_training", unit=str(current["unit"]), epoch=at["epoch"], step=at["step"]))
    state.notes.append(Sentence("check.resume", command=f"polymodal train --resume {shlex.quote(str(folder))}"))
    if state.experiment.data.table is None:
        state.notes.append(Sentence("check.from_memory"))
    for one in journal.differences(state.experiment):
        fix = "undo it, or train anew" if one.another else f"undo it, or accept it: {spelled('--force', 'force=True')}"
        state.stops.append(f"not as it was when training began: {one.line}; {fix}")
    return state
