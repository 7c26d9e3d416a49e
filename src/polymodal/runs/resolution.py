"""Resolution of a request: a complete experiment and its opened tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import zoo
from ..bundle import find
from ..config import External, absolute, override, quote, read_tree, with_paths_at
from ..data.sources import Source, open_source
from ..errors import ConfigError, DataError, spelled
from ..experiment import DataConfig, Experiment, with_encoders
from ..inspection.columns import REQUESTED
from ..inspection.infer import LeftOut, encoding_in, infer, left_out, of_preset
from ..inspection.targets import target_columns
from ..language import Sentence
from ..modalities import OF_FILES, check_folders
from ..model import ENCODER_CONTRACT, FUSION_CONTRACT
from ..request import Request, TrainingSettings, is_nothing, listed
from ..tracking import check_installed

PATHS = ("table", "valid", "test")


@dataclass(frozen=True)
class Resolved:
    """A request as it will be run: a complete ``experiment``, the ``reasons`` for inferred settings by path, and the opened tables."""

    experiment: Experiment
    reasons: Mapping[str, str]
    source: Source
    valid: Source | None
    test: Source | None
    left_out: Sequence[LeftOut] = ()
    """Columns of the table that were left out by inference; empty if the fields were given."""

    @property
    def unread_lines(self) -> list[str]:
        """A warning about each column that was left out because no modality reads its cells."""
        return [Sentence("table.line", table=self.source.name, line=one.line) for one in self.left_out if one.unread]

    @property
    def guessed(self) -> list[str]:
        """The tasks whose kind was inferred."""
        return guessed(self.experiment, self.reasons)

    @property
    def guessed_columns(self) -> dict[str, set[str]]:
        """By field, the columns whose kind or type was inferred."""
        return guessed_columns(self.experiment, self.reasons)


_Inferred = tuple[Source, Experiment, dict[str, str], list[LeftOut]]


def guessed(experiment: Experiment, reasons: Mapping[str, str]) -> list[str]:
    """Return the tasks whose kind was inferred from the table, according to the reasons."""
    return [name for name in experiment.tasks if f"tasks.{quote(name)}.kind" in reasons]


def guessed_columns(experiment: Experiment, reasons: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the columns whose kind or type was inferred from their cells, by field, according to the reasons.

    Columns of files are left out: that a file cannot be read says nothing about the kind of its column.
    """
    columns: dict[str, set[str]] = {}
    for name, field in experiment.fields.items():
        place = f"fields.{quote(name)}"
        if reasons.get(place, REQUESTED) != REQUESTED and field.modality().kind not in OF_FILES:
            types = getattr(field, "types", {})
            columns[name] = {one for one in field.sources if one not in types or f"{place}.types.{quote(one)}" in reasons}
    return columns


def resolve(request: Request) -> Resolved:
    """Return a request as it will be run.

    :raises UserError: the request cannot be run: a setting is invalid, or a table cannot be read
    """
    table, settings = request.table, request.settings
    overrides = (*_lines(request), *request.overrides)
    path = Path(table) if isinstance(table, (str, Path)) and Path(table).suffix.lower() in (".yaml", ".yml") else None
    if isinstance(table, Experiment):
        inferred = _from_tree(table.tree(), "Experiment", overrides, settings)
    elif path is not None:
        inferred = _from_tree(with_paths_at(Experiment, read_tree(path), path.parent), str(path), overrides, settings)
    else:
        inferred = _from_table(table, settings.get("target"), overrides, settings)
    source, experiment, reasons, left = inferred
    experiment = experiment.with_paths_at(Path())
    check_installed(experiment.training.track)
    if experiment.training.init is not None:
        find(experiment.training.init)
    own = [(part, ENCODER_CONTRACT) for part in experiment.model.encoders.values()] + [(experiment.model.fusion, FUSION_CONTRACT)]
    for part, contract in own:
        if isinstance(part, External):  # a class that cannot be imported is reported before the table is read
            part.load([source.folder] if isinstance(source.folder, Path) else [], contract)
    valid, test = open_others(experiment.data, settings.get("valid"), settings.get("test"))
    return Resolved(experiment, reasons, source, valid, test, left)


def open_others(data: DataConfig, valid: Any, test: Any) -> tuple[Source | None, Source | None]:
    """Open the validation table and the test table.

    Each table has its own encoding. A table that is not UTF-8 is first read in the encoding of the training table.

    :param valid: the validation table; None = the one in ``data``, if there is one
    :param test: the test table, likewise
    """
    valid_source, test_source = (
        None if given is None and configured is None else open_source(configured if given is None else given, fallback=data.encoding)
        for given, configured in ((valid, data.valid), (test, data.test))
    )
    return valid_source, test_source


def _lines(request: Request) -> list[str]:
    """Return the settings of a request as overrides. Paths are relative to the current folder, and become absolute."""
    paths: dict[str, Any] = {}
    if root := listed(request.settings.get("root", ())):
        check_folders(root)
        paths["data.root"] = [absolute(folder) for folder in root]
    for name in ("valid", "test"):
        table = request.settings.get(name)
        if isinstance(table, (str, Path)):
            paths[f"data.{name}"] = absolute(table)
    return [*request.lines(), *(f"{path}={json.dumps(value, ensure_ascii=False)}" for path, value in paths.items())]


def _from_table(
    table: Any, target: Any, overrides: Sequence[str], settings: TrainingSettings, tree: Mapping[str, Any] | None = None
) -> _Inferred:
    """Return the experiment of a table. What ``tree`` and ``overrides`` do not set is inferred from the table."""
    tree = dict(tree or {})
    data = dict(tree.get("data") or {})
    encoding = encoding_in(overrides) or data.get("encoding")
    source = open_source(table, encoding=encoding)
    if is_nothing(target):
        names = ", ".join(map(repr, source.columns[:30]))
        raise ConfigError(f"no target; expected the column to predict: {spelled('--target COL', 'target=...')}; the columns are {names}")
    source.check_rows()
    targets = target_columns(source, target)
    if isinstance(table, (str, Path)):
        data["table"] = str(table)
    experiment, reasons, columns = infer(
        source, targets, overrides, given=settings.get("columns"), ignore=settings.get("ignore", ()), group=settings.get("group"),
        split=settings.get("split"), tree={**tree, "data": data},
    )  # fmt: skip
    if not experiment.fields:
        unread = "".join(f"; {one.line.partition(';')[0]}" for one in left_out(columns) if one.unread)
        raise DataError(
            f"{source.name}: no column to learn from{unread}; expected one beside the target that is not constant, ignored or an id"
        )
    return source, experiment, reasons, left_out(columns)


def _from_tree(tree: Mapping[str, Any], place: str, overrides: Sequence[str], settings: TrainingSettings) -> _Inferred:
    """Return the experiment of a file. If the file names no fields, what it does not set is inferred from its table."""
    target, group, split = settings.get("target"), settings.get("group"), settings.get("split")
    direct = [f"data.split.group={json.dumps(group)}"] if group else []
    if split:
        direct += ["data.split.kind=column", f"data.split.column={json.dumps(split)}"]
    laid, notes = override(tree, (*direct, *overrides))
    Experiment.check_tree(laid, place)
    table = dict(laid.get("data") or {}).get("table")
    if not isinstance(table, str):
        raise ConfigError(f"{place}: data.table: missing; expected the table to train on; write data: {{table: PATH}}")
    if not laid.get("fields"):
        tasks = {name: dict(settings or {}) for name, settings in dict(laid.get("tasks") or {}).items()}
        lines = [
            f"tasks.{quote(name)}.{key}={json.dumps(value, ensure_ascii=False)}"
            for name, settings in tasks.items()
            for key, value in settings.items()
            if key != "kind"
        ]
        return _from_table(table, list(tasks) if is_nothing(target) else target, (*lines, *overrides), settings, laid)
    for flag, name in (("--target", "target"), ("--column", "columns"), ("--ignore", "ignore")):
        if name in settings:
            raise ConfigError(f"{place}: {flag} beside a file that names its fields; set it in the file, under fields and tasks")
    _check_preset(tree, laid, settings, place)
    laid["model"] = zoo.with_settings(dict(laid.get("model") or {}), dict(laid.get("model") or {}))
    of_fields: dict[str, str] = {}
    experiment = Experiment.of(of_preset(laid, of_fields), place=place)
    if not experiment.tasks:
        raise ConfigError(f"{place}: tasks: missing; expected a task for each target column")
    source = open_source(table, encoding=experiment.data.encoding)
    experiment, reasons = with_encoders(experiment, source.rows)
    return source, experiment, reasons | of_fields | {f"override {at}": note for at, note in enumerate(notes)}, []


def _check_preset(tree: Mapping[str, Any], laid: Mapping[str, Any], settings: TrainingSettings, place: str) -> None:
    """Check that a requested preset of the model does not meet the encoders or the fusion of another model in a file.

    :param tree: the settings of the file
    :param laid: the same with overrides
    :raises ConfigError: the file names them
    """
    model, preset = dict(tree.get("model") or {}), dict(laid.get("model") or {}).get("preset")
    if preset in (None, model.get("preset")):
        return
    if preset in zoo.ARCHITECTURES:
        named = [name for name in ("encoders", "fusion") if model.get(name)]
    else:  # it fills the encoders that the file leaves out
        named = ["encoders"] if set(laid["fields"]) <= set(model.get("encoders") or {}) else []
    if named:
        how = f"--preset {preset}" if preset == settings.get("preset") else f"model.preset={preset}"
        raise ConfigError(
            f"{place}: {how} beside a file that sets model.{named[0]}; expected one of them; leave it out of the file, or train on the "
            f"table itself"
        )
