"""From the arguments of a command (a table or a file, flags, overrides) to an experiment and its opened tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bundle import find
from ..config import External, absolute, override, quote, read_tree, with_paths_at
from ..data.sources import Source, open_source
from ..errors import ConfigError, DataError
from ..experiment import DataConfig, Experiment, with_encoders
from ..flow import Folders, Names, listed
from ..inspection.infer import LeftOut, encoding_in, infer, left_out
from ..inspection.targets import target_columns
from ..modalities import OnError, check_folders
from ..model import ENCODER_CONTRACT, FUSION_CONTRACT

PATHS = ("table", "valid", "test")


@dataclass(frozen=True)
class Request:
    """A complete experiment, the reasons for its inferred settings, and its tables."""

    experiment: Experiment
    reasons: Mapping[str, str]
    source: Source
    valid: Source | None
    test: Source | None
    left_out: Sequence[LeftOut] = ()
    """The columns of the table that inference left out; none if the fields were given."""

    @property
    def guessed(self) -> list[str]:
        """The tasks whose kind was inferred."""
        return guessed(self.experiment, self.reasons)


_Found = tuple[Source, Experiment, dict[str, str], list[LeftOut]]


def guessed(experiment: Experiment, reasons: Mapping[str, str]) -> list[str]:
    """Return the tasks whose kind was inferred from the table, according to the reasons."""
    return [name for name in experiment.tasks if f"tasks.{quote(name)}.kind" in reasons]


def resolve(
    table: Any,
    overrides: Sequence[str],
    *,
    target: Any,
    columns: Mapping[str, str] | None,
    ignore: Names,
    group: str | None,
    split: str | None,
    valid: Any,
    test: Any,
    root: Folders,
    on_error: OnError | None,
    seed: int | None,
    time_limit: str | float | None,
    encoding: str | None = None,
) -> Request:
    """What ``train`` takes, as it will be run; ``UserError`` for what cannot be."""
    flags = _flags(root=root, on_error=on_error, seed=seed, time_limit=time_limit, encoding=encoding, valid=valid, test=test)
    request: dict[str, Any] = {"columns": columns, "ignore": ignore, "group": group, "split": split}
    path = Path(table) if isinstance(table, (str, Path)) and Path(table).suffix.lower() in (".yaml", ".yml") else None
    if isinstance(table, Experiment):
        found = _from_tree(table.tree(), "Experiment", target, (*flags, *overrides), request)
    elif path is not None:
        tree = with_paths_at(Experiment, read_tree(path), path.parent)
        found = _from_tree(tree, str(path), target, (*flags, *overrides), request)
    else:
        found = _from_table(table, target, (*flags, *overrides), request)
    source, experiment, reasons, left = found
    experiment = experiment.with_paths_at(Path())
    if experiment.training.init is not None:
        find(experiment.training.init)
    own = [(part, ENCODER_CONTRACT) for part in experiment.model.encoders.values()] + [(experiment.model.fusion, FUSION_CONTRACT)]
    for part, contract in own:
        if isinstance(part, External):  # a part that cannot be imported is reported before the table is read
            part.load([] if source.folder is None else [source.folder], contract)
    second, third = open_others(experiment.data, valid, test)
    return Request(experiment, reasons, source, second, third, left)


def open_others(data: DataConfig, valid: Any, test: Any) -> tuple[Source | None, Source | None]:
    """The tables to validate and to test on, given or said. Each has an encoding of its own; that of the training table is the first that
    is tried where one is not UTF-8."""
    valid_source, test_source = (
        None if given is None and said is None else open_source(said if given is None else given, fallback=data.encoding)
        for given, said in ((valid, data.valid), (test, data.test))
    )
    return valid_source, test_source


def _flags(*, root: Folders, valid: Any, test: Any, **settings: Any) -> list[str]:
    """Return the arguments that name a setting, as overrides. Paths are relative to the current folder, and are made absolute."""
    places = {"on_error": "data.on_error", "seed": "seed", "time_limit": "training.time_limit", "encoding": "data.encoding"}
    values = {places[name]: value for name, value in settings.items() if value is not None}
    if root:
        check_folders(listed(root))
        values["data.root"] = [absolute(folder) for folder in listed(root)]
    for name, table in (("valid", valid), ("test", test)):
        if isinstance(table, (str, Path)):
            values[f"data.{name}"] = absolute(table)
    return [f"{path}={json.dumps(value, ensure_ascii=False)}" for path, value in values.items()]


def _from_table(
    table: Any, target: Any, overrides: Sequence[str], request: Mapping[str, Any], tree: Mapping[str, Any] | None = None
) -> _Found:
    """Return the request of a table; settings that ``tree`` and ``overrides`` do not contain are inferred from the table."""
    tree = dict(tree or {})
    data = dict(tree.get("data") or {})
    encoding = encoding_in(overrides) or data.get("encoding")
    source = open_source(table, encoding=encoding)
    if _is_nothing(target):
        names = ", ".join(map(repr, source.columns[:30]))
        raise ConfigError(f"no target; expected the column to predict: --target COL (target=...); the columns are {names}")
    source.check_rows()
    targets = target_columns(source, target)
    if isinstance(table, (str, Path)):
        data["table"] = str(table)
    experiment, reasons, columns = infer(
        source, targets, overrides, given=request["columns"], ignore=request["ignore"], group=request["group"], split=request["split"],
        tree={**tree, "data": data},
    )  # fmt: skip
    if not experiment.fields:
        unread = "".join(f"; {one.line.partition(';')[0]}" for one in left_out(columns) if one.unread)
        raise DataError(
            f"{source.name}: no column to learn from{unread}; expected one beside the target that is not constant, ignored or an id"
        )
    return source, experiment, reasons, left_out(columns)


def _from_tree(tree: Mapping[str, Any], place: str, target: Any, overrides: Sequence[str], request: Mapping[str, Any]) -> _Found:
    """Return the request of an experiment file. If the file has no fields, the missing settings are inferred from the table."""
    direct = [f"data.split.group={json.dumps(request['group'])}"] if request["group"] else []
    if request["split"]:
        direct += ["data.split.kind=column", f"data.split.column={json.dumps(request['split'])}"]
    laid, notes = override(tree, (*direct, *overrides))
    Experiment.check_tree(laid, place)
    table = dict(laid.get("data") or {}).get("table")
    if not isinstance(table, str):
        raise ConfigError(f"{place}: data.table: missing; expected the table to train on; write data: {{table: PATH}}")
    if not laid.get("fields"):
        tasks = {name: dict(settings or {}) for name, settings in dict(laid.get("tasks") or {}).items()}
        of_tasks = [
            f"tasks.{quote(name)}.{key}={json.dumps(value, ensure_ascii=False)}"
            for name, settings in tasks.items()
            for key, value in settings.items()
            if key != "kind"
        ]
        return _from_table(table, list(tasks) if _is_nothing(target) else target, (*of_tasks, *overrides), request, laid)
    for flag, value in (("--target", not _is_nothing(target)), ("--column", request["columns"]), ("--ignore", request["ignore"])):
        if value:
            raise ConfigError(f"{place}: {flag} with a file that has fields; expected it in the file; set it under fields and tasks")
    experiment = Experiment.of(laid, place=place)
    if not experiment.tasks:
        raise ConfigError(f"{place}: tasks: missing; expected a task for each target column")
    source = open_source(table, encoding=experiment.data.encoding)
    experiment, reasons = with_encoders(experiment, source.rows)
    return source, experiment, reasons | {f"override {at}": note for at, note in enumerate(notes)}, []


def _is_nothing(target: Any) -> bool:
    """Return whether no target is given."""
    return target is None or (isinstance(target, (list, tuple)) and not target)
