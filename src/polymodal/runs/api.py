"""``train``, ``resume`` and ``evaluate``: from the arguments of a call to a run."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..config import absolute
from ..data.sources import open_source
from ..errors import UserError
from ..experiment import Experiment
from ..flow import Folders, Names
from ..journal import JOURNAL_FILE, refuse
from ..modalities import OnError
from ..predictor import Predictor, load
from ..storage import Lock, sweep
from ..training.checkpoint import Checkpoints
from ..training.clock import Clock
from ..training.observers import Observer
from .request import open_others, resolve
from .resuming import experiment_of, journal_of, output_folder
from .run import Run


def train(
    table: Any,
    *overrides: str,
    target: Any = None,
    columns: Mapping[str, str] | None = None,
    ignore: Names = (),
    group: str | None = None,
    split: str | None = None,
    valid: Any = None,
    test: Any = None,
    root: Folders = (),
    on_error: OnError | None = None,
    seed: int | None = None,
    time_limit: str | float | None = None,
    encoding: str | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    observers: Sequence[Observer] = (),
    start: float | None = None,
) -> Predictor:
    """Train a model on a table, measure it, save it, and return it.

    Paths in a ``run.yaml`` are relative to its folder. Paths in arguments and overrides are relative to the current folder.

    :param table: a path, a dataframe, an Arrow table, rows as dicts, columns as a dict of lists; or a ``run.yaml``, or an
        ``Experiment`` (with ``data.table``). After the path of a workbook or a zip archive, ``#`` and the name of a sheet or a member may
        follow
    :param overrides: ``path=value`` settings, which take precedence over all others
    :param target: the column to predict, or several; each as text, or as an object that prints as its name
    :param columns: the type of a column, by its name: image, text, tabular, number, category or date
    :param ignore: columns that are not used as features
    :param group: a column; rows with the same value in it stay on the same side of a split
    :param split: a column with the values train, valid and test
    :param valid: a separate validation table
    :param test: a table on which the model is measured once, at the end
    :param root: additional folders that file cells may refer to, besides the folder of the table
    :param on_error: the treatment of unreadable cells: error, skip or blank
    :param seed: the random seed; None = that of the settings
    :param time_limit: the time limit of the whole call, in seconds, or as 90s, 5m, 1h30m
    :param encoding: the encoding of the training table, a CSV or JSON file (``data.encoding``); None = detected
    :param out: the folder of the run; None = nothing is kept on disk
    :param overwrite: whether an existing run in ``out`` is replaced
    :param observers: called with the events of the run
    :param start: the moment (``time.monotonic()``) from which the time limit counts; None = now
    :raises UserError: an argument, a setting or the data is invalid
    :raises Interrupted: the process received a signal (Ctrl-C); what was trained by then is saved
    """
    clock = Clock(None, start)
    request = resolve(
        table, overrides, target=target, columns=columns, ignore=ignore, group=group, split=split, valid=valid, test=test, root=root,
        on_error=on_error, seed=seed, time_limit=time_limit, encoding=encoding,
    )  # fmt: skip
    for one in request.left_out:
        if one.unread:
            warnings.warn(f"{request.source.name}, {one.line}", UserWarning, stacklevel=2)
    clock.limit = request.experiment.training.time_limit
    with _folder(out, overwrite, request.experiment) as folder:
        run = Run(
            request.experiment, request.source, request.valid, request.test, folder, clock, observers, request.reasons,
            keep=out is not None, left_out=request.left_out,
        )  # fmt: skip
        return run.go()


def resume(
    run: str | Path,
    *overrides: str,
    table: Any = None,
    valid: Any = None,
    test: Any = None,
    force: bool = False,
    observers: Sequence[Observer] = (),
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
    :param start: the moment (``time.monotonic()``) from which the time limit counts; None = now
    :raises UserError: something differs, another process is training in the folder, or it contains no run
    :raises Interrupted: as ``train``
    """
    folder = Path(run)
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
            if changed or any(given is not None for given in (table, valid, test)):
                what = "; ".join(changed) or "another table"
                raise UserError(
                    f"{folder}: training has ended, so nothing can be changed ({what}); expected no changes; train anew in another folder "
                    f"(-o RUN)"
                )
            checkpoints.clear()
            return load(folder)
        if journal is None and (folder / "bundle" / "bundle.json").exists():
            fix = "use the bundle, or train anew in another folder (-o RUN)"
            raise UserError(f"{folder}: a bundle without checkpoints; expected {JOURNAL_FILE}, from which to resume; {fix}")
        given = {name: value for name, value in (("table", table), ("valid", valid), ("test", test)) if value is not None}
        moved = {name: absolute(value) for name, value in given.items() if isinstance(value, (str, Path))}
        experiment = experiment.model_copy(update={"data": data.model_copy(update=moved)})
        memory = journal.memory if journal is not None else ["table"] if data.table is None else []
        for name in memory:
            if name not in given:
                fix = f"polymodal train TABLE --resume {folder} ({name}=...)"
                raise UserError(f"{folder}: its {name} came from memory; expected it again: {fix}")
        if journal is not None:
            refuse(folder, journal.differences(experiment), force)
        source = open_source(given.get("table", data.table), encoding=data.encoding)
        valid_source, test_source = open_others(data, given.get("valid"), given.get("test"))
        (folder / "checkpoints").mkdir(exist_ok=True)
        spent = max(journal.spent if journal is not None else 0.0, checkpoints.spent())
        clock = Clock(experiment.training.time_limit, (time.monotonic() if start is None else start) - spent)
        return Run(experiment, source, valid_source, test_source, folder, clock, observers, {}, True, journal, force).go()


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
    predictor = model if isinstance(model, Predictor) else load(model, trust=trust)
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
