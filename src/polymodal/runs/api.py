"""``train``, ``resume`` and ``evaluate``: from the arguments of a call to a run."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Unpack

from ..config import absolute, request_of
from ..data.sources import open_source
from ..errors import ConfigError, UserError, spelled
from ..experiment import Experiment
from ..journal import JOURNAL_FILE, refuse
from ..modalities import OnError
from ..predictor import Predictor, as_predictor, load
from ..request import Folders, TrainingSettings, accepts
from ..storage import Lock, sweep
from ..tracking import TRACKERS
from ..training.checkpoint import Checkpoints
from ..training.clock import Clock
from ..training.console import observers_of
from ..training.observers import Observer
from .resolution import Resolved, open_others, resolve
from .resuming import experiment_of, journal_of, output_folder
from .run import Interrupted, Run


@accepts(TrainingSettings)
def train(
    table: Any,
    *overrides: str,
    out: str | Path | None = None,
    overwrite: bool = False,
    observers: Sequence[Observer] = (),
    verbose: bool | int | None = None,
    start: float | None = None,
    **settings: Unpack[TrainingSettings],
) -> Predictor:
    """Train a model on a table, measure it, and save it.

    :param table: a path, a dataframe, an Arrow table, rows as dicts, columns as a dict of lists; or a ``run.yaml``, or an
        ``Experiment`` (with ``data.table``). Behind a workbook or a zip archive, ``#`` and the name of a sheet or a member may follow
    :param overrides: ``path=value`` settings, which take precedence over everything else
    :settings:
    :param out: the folder of the run; None = nothing is kept on disk
    :param overwrite: whether an existing run in ``out`` is replaced
    :param observers: called with the events of the run
    :param verbose: what is shown of the progress: True or 1 = notes and a line for each model, with a bar on a terminal or in a notebook;
        2 = every epoch as well; False = nothing; None = 1 on a terminal and in a notebook, otherwise nothing
    :param start: the moment (``time.monotonic()``) from which the time limit counts; None = now
    :raises UserError: an argument, a setting or the data is invalid
    :raises Interrupted: the process received a signal (Ctrl-C); what was trained by then is saved
    """
    clock = Clock(None, start)
    resolved = resolve(request_of(Experiment, train, table, overrides, settings))
    for line in resolved.unread_lines:
        warnings.warn(line, UserWarning, stacklevel=2)
    clock.limit = resolved.experiment.training.time_limit
    return train_resolved(resolved, out, overwrite, clock, observers_of(verbose, observers))


def train_resolved(
    resolved: Resolved, out: str | Path | None, overwrite: bool, clock: Clock, observers: Sequence[Observer], tests: bool = True
) -> Predictor:
    """Train the model of a resolved request. The other parameters are those of ``train``.

    :param tests: whether the model is measured on the test rows
    """
    track = resolved.experiment.training.track
    if out is None and (lost := [name for name in track if TRACKERS[name].in_run]):
        raise ConfigError(f"track: {lost[0]} writes to the folder of the run; expected a run that is kept; give out=RUN")
    with _folder(out, overwrite, resolved.experiment) as folder:
        run = Run(
            resolved.experiment, resolved.source, resolved.valid, resolved.test, folder, clock, observers, resolved.reasons,
            keep=out is not None or bool(track), left_out=resolved.left_out, tests=tests,
        )  # fmt: skip
        try:
            predictor = run.go()
        except Interrupted as stopped:
            stopped.run = None if out is None else stopped.run
            raise
        if out is None:
            predictor.run = None  # the folder, which trackers read, is deleted
        return predictor


def resume(
    run: str | Path,
    *overrides: str,
    table: Any = None,
    valid: Any = None,
    test: Any = None,
    force: bool = False,
    observers: Sequence[Observer] = (),
    verbose: bool | int | None = None,
    start: float | None = None,
) -> Predictor:
    """Resume a run that was interrupted or killed from its last checkpoint. The result has the same bits as without the interruption.

    If training had not begun, it begins. If it has ended, the model is returned as it is.

    :param run: the folder of the run
    :param overrides: ``path=value`` settings; those that change a result need ``force``
    :param table: the training table, if it was not a file or has moved
    :param valid: the validation table, likewise
    :param test: the test table, likewise
    :param force: whether to resume although data, settings or code differ from what they were
    :param observers: called with the events of the run
    :param verbose: what is shown of the progress: True or 1 = notes and a line for each model, with a bar on a terminal or in a notebook;
        2 = every epoch as well; False = nothing; None = 1 on a terminal and in a notebook, otherwise nothing
    :param start: the moment (``time.monotonic()``) from which the time limit counts; None = now
    :raises UserError: something differs, another process is training in the folder, or it contains no run
    :raises Interrupted: as ``train``
    """
    given = {name: value for name, value in (("table", table), ("valid", valid), ("test", test)) if value is not None}
    return resume_run(Path(run), overrides, given, force, observers_of(verbose, observers), start)


def resume_run(
    folder: Path, overrides: Sequence[str], given: Mapping[str, Any], force: bool, observers: Sequence[Observer],
    start: float | None = None, tests: bool = True,
) -> Predictor:  # fmt: skip
    """Resume a run. The other parameters are those of ``resume``.

    :param given: the tables that were given: ``table``, ``valid``, ``test``
    :param tests: whether the model is measured on the test rows
    """
    experiment_of(folder, ())  # before the folder is touched
    with Lock(folder):
        for place in (folder, folder / "checkpoints", folder / "bundle"):
            sweep(place)
        journal = journal_of(folder)
        checkpoints = Checkpoints(folder / "checkpoints")
        experiment = experiment_of(folder, overrides)
        data = experiment.data
        if journal is not None and journal.ended:
            changed = [one.line for one in journal.differences(experiment)] if overrides else []
            if changed or given:
                what = "; ".join(changed) or "another table"
                raise UserError(
                    f"{folder}: training has ended, so nothing can be changed ({what}); expected no changes; train anew in another folder "
                    f"({spelled('-o RUN', 'out=...')})"
                )
            checkpoints.clear()
            return load(folder)
        if journal is None and (folder / "bundle" / "bundle.json").exists():
            fix = f"use the bundle, or train anew in another folder ({spelled('-o RUN', 'out=...')})"
            raise UserError(f"{folder}: a bundle without checkpoints; expected {JOURNAL_FILE}, from which to resume; {fix}")
        moved = {name: absolute(value) for name, value in given.items() if isinstance(value, (str, Path))}
        experiment = experiment.model_copy(update={"data": data.model_copy(update=moved)})
        memory = journal.memory if journal is not None else ["table"] if data.table is None else []
        for name in memory:
            if name not in given:
                fix = spelled(f"polymodal train TABLE --resume {folder}", f"polymodal.resume({str(folder)!r}, {name}=...)")
                raise UserError(f"{folder}: its {name} came from memory; expected it again: {fix}")
        if journal is not None:
            refuse(folder, journal.differences(experiment), force)
        source = open_source(given.get("table", data.table), encoding=data.encoding)
        valid_source, test_source = open_others(data, given.get("valid"), given.get("test"))
        (folder / "checkpoints").mkdir(exist_ok=True)
        spent = max(journal.spent if journal is not None else 0.0, checkpoints.spent())
        clock = Clock(experiment.training.time_limit, (time.monotonic() if start is None else start) - spent)
        return Run(experiment, source, valid_source, test_source, folder, clock, observers, {}, True, journal, force, tests=tests).go()


def evaluate(
    model: Predictor | str | Path,
    table: Any,
    *,
    on_error: OnError | None = None,
    strict: bool = False,
    root: Folders = (),
    trust: bool = False,
    encoding: str | None = None,
) -> dict[str, Any]:
    """Return the metrics of a model, a run or a bundle on a table that contains its target: see ``Predictor.evaluate``."""
    predictor = as_predictor(model, trust=trust)
    return predictor.evaluate(table, on_error=on_error, strict=strict, root=root, encoding=encoding)


@contextmanager
def _folder(out: str | Path | None, overwrite: bool, experiment: Experiment) -> Iterator[Path]:
    """Give the folder of a run: ``out`` by the policy for output folders, or a temporary one if nothing is to be kept."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="polymodal-") as name:
            yield Path(name)
    else:
        with output_folder(Path(out), experiment).claim(overwrite) as folder:
            yield folder
