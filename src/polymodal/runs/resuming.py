"""The state of a run's folder: what ``resume`` goes on with, and what ``check`` says of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..bundle import Bundle, find
from ..config import override, read_tree
from ..errors import UserError, nearest_folder
from ..experiment import Experiment
from ..storage import Lock
from ..training.checkpoint import LAST, PREVIOUS, Checkpoints
from .journal import Journal


@dataclass
class State:
    """What stands in a run's folder."""

    experiment: Experiment | None = None
    journal: Journal | None = None
    ended: bool = False
    stops: list[str] = field(default_factory=list)
    """Why it could not go on."""
    notes: list[str] = field(default_factory=list)


def experiment_of(folder: Path, overrides: Sequence[str]) -> Experiment:
    """The run's experiment, paths absolute, with overrides laid over it; ``UserError`` where there is none."""
    if not (folder / "run.yaml").is_file():
        fix = (
            nearest_folder(folder)[2:]
            or f"train one: polymodal train TABLE --target COL -o {folder}{' --overwrite' if folder.exists() else ''}"
        )
        raise UserError(f"{folder}: holds no run.yaml; expected the folder of a run; {fix}")
    tree, _ = override(read_tree(folder / "run.yaml"), overrides)
    return Experiment.of(tree, place=str(folder / "run.yaml"), folder=folder)


def journal_of(folder: Path) -> Journal | None:
    """What the run remembers, None where training had not begun."""
    return Journal.read(folder / "checkpoints" / "ledger.json")


def look_at(folder: Path, overrides: Sequence[str]) -> State:
    """Everything that ``resume`` would find; nothing is changed."""
    state = State(experiment_of(folder, overrides))
    assert state.experiment is not None
    holder = Lock.holder(folder)
    if holder is not None:
        state.stops.append(f"{folder}: another process{holder} is training here; wait for it or stop it")
    try:
        journal = journal_of(folder)
    except UserError as error:
        state.stops.append(str(error))
        return state
    if (folder / "bundle").exists():
        try:
            bundle = Bundle.load(find(folder / "bundle"), trust=False)
            state.notes.append(f"bundle: whole, {len(bundle.members)} models, answers {', '.join(map(repr, bundle.experiment.tasks))}")
        except UserError as error:
            state.notes.append(f"bundle: {error}")
    if journal is None:
        state.notes.append(f"training had not begun; it would begin: polymodal train --resume {shlex.quote(str(folder))}")
        return state
    state.journal, state.ended = journal, journal.ended
    if journal.ended:
        state.notes.append("training has ended: there is nothing to go on with")
        return state
    checkpoints = Checkpoints(folder / "checkpoints")
    going_on = next((found[1] for name in (LAST, PREVIOUS) if (found := checkpoints.read(name)) is not None), None)
    done = [path.stem for path in sorted((folder / "checkpoints").glob("*.safetensors")) if path.stem not in (LAST, PREVIOUS)]
    whole = [name for name in done if checkpoints.read(name) is not None]
    state.notes += checkpoints.notes
    if whole:
        state.notes.append(f"trained to their end: {', '.join(whole)}")
    if going_on is not None and going_on.get("unit") not in whole:
        at = going_on["progress"]
        state.notes.append(f"in training: {going_on['unit']}, epoch {at['epoch']}, after step {at['step']:,}")
    state.notes.append(f"it would go on: polymodal train --resume {shlex.quote(str(folder))}")
    if state.experiment.data.table is None:
        state.notes.append("its table came from memory: give it again (polymodal train TABLE --resume RUN)")
    for one in journal.differences(state.experiment):
        fix = "mend it, or train anew" if one.another else "mend it, or resume all the same: --force"
        state.stops.append(f"not as it was when training began: {one.line}; {fix}")
    return state
