"""``train`` and ``evaluate``: from what was asked for to a run."""

from __future__ import annotations

import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..data.sources import open_source
from ..errors import UserError
from ..experiment import Experiment
from ..flow import Folders, Names
from ..modalities import OnError
from ..predictor import Predictor, load
from ..storage import Lock, sweep
from ..training.checkpoint import Checkpoints
from ..training.clock import Clock
from ..training.observers import Observer
from .journal import ASIDE, differing
from .request import PATHS, open_others, resolve
from .resuming import experiment_of, journal_of
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
    """Train, measure, and save.

    :param table: a path, a dataframe, an Arrow table, rows as dicts, columns as a dict of lists; or a ``run.yaml``, or an
        ``Experiment`` (with ``data.table``). Behind a workbook or a zip archive, ``#`` and the name of a sheet or a member may follow
    :param overrides: ``path=value`` settings, laid over everything else
    :param target: the column to predict, or several; each as text, or as what prints as its name
    :param columns: what a column is taken for: image, text, tabular, number, category or date
    :param ignore: columns that are no features
    :param group: a column; rows with one value of it stay on one side of a split
    :param split: a column that says train, valid or test
    :param valid: a table of its own to validate on
    :param test: a table that is measured once, at the end
    :param root: more folders that file cells may name, beside the table's own
    :param on_error: what a cell that cannot be read does: error, skip or blank
    :param time_limit: seconds, or 90s, 5m, 1h30m, for the whole call
    :param encoding: of the training table, a CSV or JSON file (``data.encoding``); None = found out
    :param out: folder of the run; None keeps nothing on disk
    :param overwrite: replace the run that is there
    :param start: the moment (``time.monotonic()``) that the time limit counts from; None = now
    :raises UserError: a mistake in what was given
    :raises Interrupted: Ctrl-C; what was trained by then is saved
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
    """Go on with a run that was interrupted, killed or cut off, from its last checkpoint; it ends with the bits that it would have had.

    A run whose training had not begun begins; one that has ended is given back as it is.

    :param run: the run's folder
    :param overrides: ``path=value`` settings; those that change a result need ``force``
    :param table: the training table, where it came from memory or has moved; ``valid`` and ``test`` likewise
    :param force: go on although data, settings or code are not what they were
    :raises UserError: something differs, another process is training there, or there is no run
    :raises Interrupted: as ``train`` does
    """
    folder = Path(run)
    experiment_of(folder, ())  # before the folder is touched
    with Lock(folder):
        for place in (folder, folder / "checkpoints", folder / "bundle"):
            sweep(place)
        journal = journal_of(folder)
        checkpoints = Checkpoints(folder / "checkpoints")
        experiment = experiment_of(folder, overrides)
        said = experiment.data
        if journal is not None and journal.ended:
            changed = [one.line for one in journal.differences(experiment)] if overrides else []
            if changed or any(given is not None for given in (table, valid, test)):
                what = "; ".join(changed) or "another table"
                raise UserError(f"{folder}: training has ended, so nothing can be changed ({what}); train anew in another folder (-o RUN)")
            checkpoints.clear()
            return load(folder)
        if journal is None and (folder / "bundle" / "bundle.json").exists():
            fix = "use the bundle, or train anew in another folder (-o RUN)"
            raise UserError(f"{folder}: a bundle, and no checkpoints to go on with (checkpoints/ledger.json is gone); {fix}")
        given = {name: value for name, value in (("table", table), ("valid", valid), ("test", test)) if value is not None}
        moved = {name: str(Path(value).resolve()) for name, value in given.items() if isinstance(value, (str, Path))}
        experiment = experiment.model_copy(update={"data": said.model_copy(update=moved)})
        memory = journal.memory if journal is not None else ["table"] if said.table is None else []
        for name in memory:
            if name not in given:
                fix = f"polymodal train TABLE --resume {folder} ({name}=...)"
                raise UserError(f"{folder}: its {name} came from memory; expected it again: {fix}")
        if journal is not None:
            differing(folder, journal.differences(experiment), force)
        source = open_source(given.get("table", said.table), encoding=said.encoding)
        valid_source, test_source = open_others(said, given.get("valid"), given.get("test"))
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
    """Measure a model, a run or a bundle on a table that holds its target: see ``Predictor.evaluate``."""
    predictor = model if isinstance(model, Predictor) else load(model, trust=trust)
    return predictor.evaluate(table, on_error=on_error, strict=strict, root=root, encoding=encoding)


@contextmanager
def _folder(out: str | Path | None, overwrite: bool, experiment: Experiment) -> Iterator[Path]:
    """The run's folder, made; a temporary one where nothing is to be kept. A user's mistake leaves none behind."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="polymodal-") as name:
            yield Path(name)
        return
    folder = Path(out)
    with ExitStack() as held:
        try:
            locked = _empty(folder, overwrite, experiment, held)
            (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder}: cannot be made ({error.strerror or error}); choose another folder (-o RUN)") from None
        if not locked:
            held.enter_context(Lock(folder))
        try:
            yield folder
        except UserError:
            if not (folder / "checkpoints" / "ledger.json").exists():
                _take_back(folder)
            raise


def _empty(folder: Path, overwrite: bool, experiment: Experiment, held: ExitStack) -> bool:
    """Take away the run that is there, if that was asked for and nobody is training in it; whether its lock is ``held`` now."""
    if folder.exists():
        if not overwrite:
            again = f", or go on with it: --resume {folder}" if (folder / "checkpoints" / "ledger.json").exists() else ""
            raise UserError(f"{folder}: already there; choose another folder (-o RUN), or replace it: --overwrite{again}")
        begun = {Lock.NAME, ASIDE, "checkpoints"}  # all there is of a run that was killed in its first moments
        if not folder.is_dir() or not ((folder / "log.jsonl").is_file() or {path.name for path in folder.iterdir()} <= begun):
            raise UserError(f"{folder}: not a run, so it is not replaced; choose another folder (-o RUN)")
        needed = [getattr(experiment.data, name) for name in PATHS] + [experiment.training.init]
        for path in needed:
            if path is not None and Path(path).resolve().is_relative_to(folder.resolve()):
                raise UserError(f"{folder}: holds {path}, so it is not replaced; choose another folder (-o RUN)")
        held.enter_context(Lock(folder))
        _set_aside(folder)
        return True
    return False


def _set_aside(folder: Path) -> None:
    """Make room for another run; the one that is there stays below ``ASIDE``."""
    aside = folder / ASIDE
    if aside.exists() and not (folder / "checkpoints" / "ledger.json").exists():
        _clear(folder)  # a run that replaced another was killed before it trained: what was there first is kept
        return
    shutil.rmtree(aside, ignore_errors=True)
    kept = [path for path in folder.iterdir() if path.name != Lock.NAME]
    aside.mkdir()
    for path in kept:
        path.rename(aside / path.name)


def _take_back(folder: Path) -> None:
    """The folder as it was before: the run that was to be replaced, or nothing."""
    aside = folder / ASIDE
    if not aside.exists() or not any(aside.iterdir()):
        shutil.rmtree(folder, ignore_errors=True)
        return
    _clear(folder)
    for path in aside.iterdir():
        path.rename(folder / path.name)
    aside.rmdir()


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink() and path.name != ASIDE:
            shutil.rmtree(path)
        elif path.name not in (Lock.NAME, ASIDE):
            path.unlink()
