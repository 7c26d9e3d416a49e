"""``train`` and ``evaluate``: from what was asked for to a run."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..config import override, quote, read_tree
from ..data.sources import Source, open_source
from ..disk import Lock, sweep
from ..errors import ConfigError, DataError, UserError
from ..experiment import Experiment, with_encoders
from ..inspection.infer import encoding_in, infer
from ..modalities import OnError
from ..predictor import Predictor, load
from ..training.observers import Observer
from ..training.plan import Clock
from .ledger import Ledger
from .run import Run, differing


def train(
    table: Any,
    *overrides: str,
    target: str | Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
    group: str | None = None,
    split: str | None = None,
    valid: Any = None,
    test: Any = None,
    root: Sequence[str | Path] = (),
    on_error: OnError | None = None,
    seed: int | None = None,
    time_limit: str | float | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    observers: Sequence[Observer] = (),
    start: float | None = None,
) -> Predictor:
    """Train, measure, and save.

    :param table: a path, a dataframe, an Arrow table, rows as dicts, columns as a dict of lists; or a ``run.yaml``, or an
        ``Experiment`` (with ``data.table``)
    :param overrides: ``path=value`` settings, laid over everything else
    :param target: the column to predict, or several
    :param columns: what a column is taken for: image, text, tabular, number, category or date
    :param ignore: columns that are no features
    :param group: a column; rows with one value of it stay on one side of a split
    :param split: a column that says train, valid or test
    :param valid: a table of its own to validate on
    :param test: a table that is measured once, at the end
    :param root: more folders that file cells may name, beside the table's own
    :param on_error: what a cell that cannot be read does: error, skip or blank
    :param time_limit: seconds, or 90s, 5m, 1h30m, for the whole call
    :param out: folder of the run; None keeps nothing on disk
    :param overwrite: replace the run that is there
    :param start: the moment (``time.monotonic()``) that the time limit counts from; None = now
    :raises UserError: a mistake in what was given
    :raises Interrupted: Ctrl-C; what was trained by then is saved
    """
    clock = Clock(None, start)
    targets = [] if target is None else [target] if isinstance(target, str) else list(target)
    flags = _flags(root=root, on_error=on_error, seed=seed, time_limit=time_limit, valid=valid, test=test)
    asked: dict[str, Any] = {"columns": columns, "ignore": ignore, "group": group, "split": split}
    if isinstance(table, Experiment):
        source, experiment, reasons = _from_tree(table.tree(), Path(), "Experiment", targets, (*flags, *overrides), asked)
    elif isinstance(table, (str, Path)) and Path(table).suffix.lower() in (".yaml", ".yml"):
        path = Path(table)
        source, experiment, reasons = _from_tree(read_tree(path), path.parent, str(path), targets, (*flags, *overrides), asked)
    else:
        source, experiment, reasons = _from_table(table, targets, (*flags, *overrides), asked)
    clock.limit = experiment.training.time_limit
    encoding = experiment.data.encoding
    sources = [
        None if given is None and said is None else open_source(said if given is None else given, encoding=encoding)
        for given, said in ((valid, experiment.data.valid), (test, experiment.data.test))
    ]
    with _folder(out, overwrite, experiment) as folder:
        run = Run(experiment, source, sources[0], sources[1], folder, clock, observers, reasons, keep=out is not None)
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
    if not (folder / "run.yaml").is_file():
        mend = f"train one: polymodal train TABLE --target COL -o {folder}"
        raise UserError(f"{folder}: holds no run.yaml; expected the folder of a run; {mend}")
    with Lock(folder):
        for place in (folder, folder / "checkpoints", folder / "bundle"):
            sweep(place)
        ledger = Ledger.read(folder / "checkpoints" / "ledger.json")
        if ledger is not None and ledger.ended:
            return load(folder)
        tree, _ = override(read_tree(folder / "run.yaml"), overrides)
        experiment = Experiment.of(tree, place=str(folder / "run.yaml"), folder=folder)
        said = experiment.data
        given = {name: value for name, value in (("table", table), ("valid", valid), ("test", test)) if value is not None}
        moved = {name: str(Path(value).resolve()) for name, value in given.items() if isinstance(value, (str, Path))}
        experiment = experiment.model_copy(update={"data": said.model_copy(update=moved)})
        if said.table is None and table is None:
            mend = f"polymodal train TABLE --resume {folder} (table=...)"
            raise UserError(f"{folder}: its table came from memory; expected the table again: {mend}")
        if ledger is not None and not force:
            found = ledger.differences(experiment)
            if found:
                raise UserError(differing(folder, found))
        sources = [
            None if name not in given and path is None else open_source(given.get(name, path), encoding=said.encoding)
            for name, path in (("table", said.table), ("valid", said.valid), ("test", said.test))
        ]
        assert sources[0] is not None
        (folder / "checkpoints").mkdir(exist_ok=True)
        clock = Clock(experiment.training.time_limit, (time.monotonic() if start is None else start) - (ledger.spent if ledger else 0.0))
        return Run(experiment, sources[0], sources[1], sources[2], folder, clock, observers, {}, True, ledger, force).go()


def evaluate(
    model: Predictor | str | Path,
    table: Any,
    *,
    on_error: OnError | None = None,
    strict: bool = False,
    root: Sequence[str | Path] = (),
    trust: bool = False,
) -> dict[str, Any]:
    """Measure a model, a run or a bundle on a table that holds its target: see ``Predictor.evaluate``."""
    predictor = model if isinstance(model, Predictor) else load(model, trust=trust)
    return predictor.evaluate(table, on_error=on_error, strict=strict, root=root)


def _flags(*, root: Sequence[str | Path], valid: Any, test: Any, **settings: Any) -> list[str]:
    """What was said by name, as overrides; paths are relative to where the caller stands, and so become absolute."""
    places = {"on_error": "data.on_error", "seed": "seed", "time_limit": "training.time_limit"}
    said = {places[name]: value for name, value in settings.items() if value is not None}
    if root:
        said["data.root"] = [str(Path(folder).resolve()) for folder in root]
    for name, table in (("valid", valid), ("test", test)):
        if isinstance(table, (str, Path)):
            said[f"data.{name}"] = str(Path(table).resolve())
    return [f"{path}={json.dumps(value, ensure_ascii=False)}" for path, value in said.items()]


def _from_table(
    table: Any, targets: Sequence[str], overrides: Sequence[str], asked: Mapping[str, Any], tree: Mapping[str, Any] | None = None
) -> tuple[Source, Experiment, dict[str, str]]:
    """Everything that ``tree`` and ``overrides`` do not say is inferred from the table."""
    if not targets:
        raise ConfigError("no target; expected the column to predict: --target COL (target=...)")
    tree = dict(tree or {})
    data = dict(tree.get("data") or {})
    encoding = encoding_in(overrides) or data.get("encoding")
    source = open_source(table, encoding=encoding)
    if isinstance(table, (str, Path)):
        data["table"] = str(table)
    experiment, reasons, _ = infer(
        source, targets, overrides, given=asked["columns"], ignore=asked["ignore"], group=asked["group"], split=asked["split"],
        tree={**tree, "data": data},
    )  # fmt: skip
    if not experiment.fields:
        raise DataError(f"{source.name}: no column to learn from; expected one beside the target that is not constant, ignored or an id")
    return source, experiment, reasons


def _from_tree(
    tree: Mapping[str, Any], folder: Path, place: str, targets: Sequence[str], overrides: Sequence[str], asked: Mapping[str, Any]
) -> tuple[Source, Experiment, dict[str, str]]:
    """The experiment of a file. One that names fields is complete; of one that does not, the rest is inferred."""
    direct = [f"data.split.group={json.dumps(asked['group'])}"] if asked["group"] else []
    if asked["split"]:
        direct += ["data.split.kind=column", f"data.split.column={json.dumps(asked['split'])}"]
    laid, notes = override(tree, (*direct, *overrides))
    laid = _placed(laid, folder)
    table = dict(laid.get("data") or {}).get("table")
    if not isinstance(table, str):
        raise ConfigError(f"{place}: data.table: missing; expected the table to train on")
    if not laid.get("fields"):
        tasks = {name: dict(settings or {}) for name, settings in dict(laid.get("tasks") or {}).items()}
        said = [
            f"tasks.{quote(name)}.{key}={json.dumps(value, ensure_ascii=False)}"
            for name, settings in tasks.items()
            for key, value in settings.items()
            if key != "kind"
        ]
        return _from_table(table, list(targets) or list(tasks), (*said, *(text for text in overrides if not _is_a_path(text))), asked, laid)
    for flag, value in (("--target", targets), ("--column", asked["columns"]), ("--ignore", asked["ignore"])):
        if value:
            raise ConfigError(f"{place}: {flag} beside a file that names its fields; say it in the file, under fields and tasks")
    experiment = Experiment.of(laid, place=place)
    if not experiment.tasks:
        raise ConfigError(f"{place}: tasks: missing; expected a task for each target column")
    source = open_source(table, encoding=experiment.data.encoding)
    experiment, reasons = with_encoders(experiment, source.rows)
    return source, experiment, reasons | {f"override {at}": note for at, note in enumerate(notes)}


_PATHS = ("table", "valid", "test")


def _is_a_path(text: str) -> bool:
    return text.startswith(tuple(f"data.{name}=" for name in (*_PATHS, "root")))


def _placed(tree: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The tree of a file in ``folder``, its relative paths made so that they lead there from here."""
    data = tree.get("data")
    if not isinstance(data, Mapping):
        return dict(tree)
    placed = {name: str(folder / data[name]) for name in _PATHS if isinstance(data.get(name), str)}
    root = data.get("root")
    if isinstance(root, list):
        placed["root"] = [str(folder / str(part)) for part in root]  # type: ignore[assignment]
    return {**tree, "data": {**data, **placed}}


@contextmanager
def _folder(out: str | Path | None, overwrite: bool, experiment: Experiment) -> Iterator[Path]:
    """The run's folder, made; a temporary one where nothing is to be kept. A user's mistake leaves none behind."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="polymodal-") as name:
            yield Path(name)
        return
    folder = Path(out)
    with ExitStack() as held:
        locked = _empty(folder, overwrite, experiment, held)
        try:
            (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder}: cannot be made ({error.strerror or error}); choose another folder (-o RUN)") from None
        if not locked:
            held.enter_context(Lock(folder))
        try:
            yield folder
        except UserError:
            if not (folder / "checkpoints" / "ledger.json").exists():
                shutil.rmtree(folder, ignore_errors=True)
            raise


def _empty(folder: Path, overwrite: bool, experiment: Experiment, held: ExitStack) -> bool:
    """Take away the run that is there, if that was asked for and nobody is training in it; whether its lock is ``held`` now."""
    if folder.exists():
        if not overwrite:
            again = f", or go on with it: --resume {folder}" if (folder / "checkpoints" / "ledger.json").exists() else ""
            raise UserError(f"{folder}: already there; choose another folder (-o RUN), or replace it: --overwrite{again}")
        if not folder.is_dir() or (any(folder.iterdir()) and not (folder / "log.jsonl").is_file()):
            raise UserError(f"{folder}: not a run, so it is not replaced; choose another folder (-o RUN)")
        for name in _PATHS:
            path = getattr(experiment.data, name)
            if path is not None and Path(path).resolve().is_relative_to(folder.resolve()):
                raise UserError(f"{folder}: holds {path}, so it is not replaced; choose another folder (-o RUN)")
        held.enter_context(Lock(folder))
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != Lock.NAME:
                path.unlink()
        return True
    return False
