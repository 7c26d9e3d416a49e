"""``train`` and ``evaluate``: from what was asked for to a run."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..config import override, quote, read_tree
from ..data.source import Source, open_source
from ..errors import ConfigError, DataError, UserError
from ..experiment import Experiment, with_encoders
from ..inspection.infer import encoding_in, infer
from ..modalities import OnError
from ..predictor import Predictor, load
from ..training.observers import Observer
from ..training.plan import Clock
from .run import Run


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
    if folder.exists():
        if not overwrite:
            raise UserError(f"{folder}: already there; choose another folder (-o RUN), or replace it: --overwrite")
        if not folder.is_dir() or (any(folder.iterdir()) and not (folder / "log.jsonl").is_file()):
            raise UserError(f"{folder}: not a run, so it is not replaced; choose another folder (-o RUN)")
        for name in _PATHS:
            path = getattr(experiment.data, name)
            if path is not None and Path(path).resolve().is_relative_to(folder.resolve()):
                raise UserError(f"{folder}: holds {path}, so it is not replaced; choose another folder (-o RUN)")
        shutil.rmtree(folder)
    try:
        (folder / "checkpoints").mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror or error}); choose another folder (-o RUN)") from None
    try:
        yield folder
    except UserError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
