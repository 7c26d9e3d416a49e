"""The configuration of a whole run: data, fields, tasks, model, training, seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field as Setting
from pydantic import model_validator

from .config import (
    Config,
    External,
    PathText,
    flow,
    override,
    paths_in,
    quote,
    read_tree,
    shaped,
    shortened,
    validate,
    with_absolute_paths,
    with_paths_at,
)
from .data.splits import SplitConfig
from .encoders import CONFIGS as ENCODERS
from .encoders import KINDS as ENCODER_KINDS
from .encoders import PRETRAINED, USUAL_MODELS, EncoderConfig, PretrainedModels
from .errors import ConfigError, nearest, nearest_of
from .flow import Form, State
from .fusions import KINDS as FUSION_KINDS
from .fusions import FusionConfig
from .modalities import COLUMN_TYPES, MODALITIES, AnyField, FieldConfig, OnError
from .modalities import KINDS as FIELD_KINDS
from .model import ModelConfig, check_tasks
from .tasks import KINDS as TASK_KINDS
from .tasks import RULES, AnyTask
from .training.config import TrainingConfig
from .zoo import ARCHITECTURES, PREFIX, encoder_of


class DataConfig(Config):
    """The tables, and the treatment of cells that cannot be read."""

    table: PathText | None = None
    """The training table; null = it is passed to the command or function. A relative path is relative to the file that contains it."""
    valid: PathText | None = None
    """A separate validation table, used instead of a split; null = none."""
    test: PathText | None = None
    """A test table, on which the model is measured once at the end; null = none."""
    root: list[PathText] = []
    """Additional folders that file cells may refer to, besides the folder of the table."""
    encoding: str | None = None
    """The character encoding of the training table, a CSV or JSON file; null = detected. Files from Chinese Windows are often gb18030."""
    split: SplitConfig = SplitConfig()
    """How rows are divided into training, validation and test rows."""
    on_error: OnError = "blank"
    """Treatment of an unreadable cell: error = stop, skip = leave the row out, blank = treat the field as missing in that row."""
    max_faults: float = Setting(0.05, ge=0, le=1)
    """The maximum fraction (0 to 1) of unreadable cells in a column; training stops if there are more. It applies to a target only if the
    kind of its task is configured."""
    weight: str | None = None
    """A column of non-negative numbers, the weight of each row in the loss; null = equal weights."""
    features_gb: float = Setting(4.0, ge=0, le=1e6)
    """Disk space in GiB for outputs of frozen encoders, kept between runs in the user's cache folder; 0 = none. It does not change
    results."""
    private: bool = False
    """Whether the rows are confidential. If true, the report shows none of them unless report.examples is set, and models keep no hashes of
    texts (model.trees.repeats)."""
    cache_gb: float = Setting(8.0, ge=0, le=1e6)
    """Disk space in GiB for samples during the run; samples beyond it are read again each time. It does not change results."""


class ReportConfig(Config):
    """The content of a run's report."""

    examples: bool | None = None
    """Whether report.html shows rows, cells and small pictures of the largest errors, and examples.json contains some for the page of
    polymodal serve; null = yes, unless there are medical pictures or data.private is set.
    """
    language: Literal["auto", "en", "zh"] = "auto"
    """Language of the HTML pages: en = English, zh = Chinese, auto = Chinese if the locale is Chinese, otherwise English. Does not change
    results.
    """


class BundleConfig(Config):
    """The content of a bundle besides the trained weights."""

    frozen: Literal["pack", "reference"] = "pack"
    """pack = save the weights of frozen encoders with the model; reference = save only their name and hash, and load them from their
    original place.
    """


class Experiment(Config):
    """The configuration of a whole run."""

    data: DataConfig = DataConfig()
    fields: dict[str, AnyField] = {}
    """The inputs of the model: one field for each picture or text column, and one for all numbers and categories."""
    tasks: dict[str, AnyTask] = {}
    """The outputs of the model: one task for each target column."""
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    bundle: BundleConfig = BundleConfig()
    report: ReportConfig = ReportConfig()
    seed: int = Setting(0, ge=0, lt=2**63)
    """The random seed. The same seed, machine, versions and number of threads give bit-identical results."""

    @model_validator(mode="after")
    def _goes_together(self) -> Experiment:
        unknown = sorted(set(self.model.encoders) - set(self.fields))
        if unknown:
            hint = nearest(unknown[0], self.fields)
            raise ValueError(f"model.encoders.{quote(unknown[0])}: no such field{hint or '; the fields are ' + ', '.join(self.fields)}")
        for setting, names in self.training.named.items():
            for name in names:
                if name not in self.fields:
                    hint = nearest(name, self.fields) or "; the fields are " + ", ".join(self.fields)
                    raise ValueError(f"training.{setting}.{quote(name)}: no such field{hint}")
        self._can_be_balanced()
        for name, field in self.fields.items():
            encoder = self.model.encoders.get(name)
            if isinstance(encoder, EncoderConfig):
                try:
                    field.modality().check_form(encoder.form_for(field.modality().forms))
                except ConfigError as error:
                    raise ValueError(f"model.encoders.{quote(name)}: {error}") from None
        if self.fields and isinstance(self.model.fusion, FusionConfig):
            try:
                self.model.fusion.check(list(self.fields), self.model.width)
                self.model.fusion.check_forms({name: field.modality().forms for name, field in self.fields.items()})
                check_tasks(self.model.fusion, self.tasks)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        if "" in self.fields or "" in self.tasks:
            raise ValueError("fields and tasks: a name may not be empty")
        targets = {task.column: name for name, task in self.tasks.items()}
        for name, field in self.fields.items():
            targets_read = set(field.sources) & set(targets)
            if targets_read:
                raise ValueError(f"fields.{quote(name)}: reads the target {sorted(targets_read)[0]!r}; leave that column out of the fields")
        return self

    def _can_be_balanced(self) -> None:
        kind, fusion = self.training.balance.kind, self.model.fusion
        fused = not isinstance(fusion, FusionConfig) or RULES[fusion.voting].fused
        if kind != "none" and not self.model.votes and fused:
            raise ValueError(
                f"training.balance.kind: found {kind} with model.votes: false; it needs the vote of each field; "
                f"leave model.votes out, or balance manually (training.rates, training.freeze)"
            )
        if kind == "gradient_blending" and not fused:
            raise ValueError(
                f"training.balance.kind: found {kind} with model.fusion.kind: {fusion.kind}; expected a fusion with a loss of its own, "
                f"besides those of its fields; use ogm_ge, or another fusion"
            )

    @classmethod
    def advice(cls, path: Sequence[str], value: Any, data: Any) -> str | None:
        """Return a message for an invalid setting that its place explains (an unknown field, an unsuitable kind, a value where settings are
        expected), or None. The parameters are those of ``Config.advice``.
        """
        return _advice(path, value, data) if isinstance(data, Mapping) else None

    @classmethod
    def check_tree(cls, tree: Mapping[str, Any], place: str = "") -> None:
        """Raise ``ConfigError`` if nothing can be inferred from a tree: a value stands where settings are expected, or settings of ``data``
        are invalid.
        """
        shaped(cls, tree, place)
        validate(cls, {"data": tree.get("data") or {}}, place)

    @classmethod
    def read(cls, path: str | Path, overrides: Iterable[str] = ()) -> Experiment:
        """Return the experiment of a YAML or JSON file, with ``path=value`` overrides applied. Relative paths in the file are relative to
        its folder, those in overrides to the current folder.

        :raises ConfigError: the file or an override is invalid
        """
        path = Path(path)
        tree, _ = override(with_paths_at(cls, read_tree(path), path.parent), overrides)
        return cls.of(tree, place=str(path)).with_paths_at(Path())

    @classmethod
    def of(cls, tree: Mapping[str, Any], place: str = "") -> Experiment:
        """Return the experiment described by plain data.

        :param tree: settings as nested mappings
        :param place: where the settings come from, for messages
        :raises ConfigError: settings are invalid; the message lists every error
        """
        experiment: Experiment = validate(cls, dict(tree), place)
        return experiment

    def with_paths_at(self, folder: Path) -> Experiment:
        """Return a copy in which relative paths, which are relative to ``folder``, are valid in the current folder (``config.paths``)."""
        return self.of(with_paths_at(Experiment, self.tree(), folder))

    def with_absolute_paths(self) -> Experiment:
        """Return a copy in which every path is absolute, as in a file that is written."""
        return self.of(with_absolute_paths(Experiment, self.tree()))

    @property
    def paths(self) -> list[str]:
        """Every path that the experiment names: tables, folders, a run with initial weights, files of pretrained models."""
        return paths_in(Experiment, self.tree())

    def forms(self, states: Mapping[str, State]) -> dict[str, Form]:
        """Return the form of the samples of each field: "features" behind a frozen backbone, otherwise that of its state."""
        frozen = {name for name, encoder in self.model.encoders.items() if isinstance(encoder, EncoderConfig) and encoder.is_frozen}
        return {name: "features" if name in frozen else states[name]["form"] for name in self.fields}

    def columns(self) -> list[str]:
        """Return the columns that fields read, in order and without repetition."""
        return list(dict.fromkeys(column for field in self.fields.values() for column in field.sources))

    def columns_and_targets(self) -> list[str]:
        """Return the columns that fields read, then the columns of the targets, in order and without repetition."""
        return list(dict.fromkeys([*self.columns(), *(task.column for task in self.tasks.values())]))

    def on_error(self, field: str) -> OnError:
        """Return the ``on_error`` policy of a field."""
        return self.fields[field].on_error or self.data.on_error


def _advice(path: Sequence[str], value: Any, data: Mapping[str, Any]) -> str | None:
    where = ".".join(map(quote, path))
    plain = isinstance(value, (str, int, float))
    if path[:2] == ["model", "encoders"]:
        fields = data.get("fields")
        return _of_encoder(path, value, data, fields if isinstance(fields, Mapping) else {})
    if path in (["fields"], ["tasks"]) and (plain or isinstance(value, list)):
        name, kind = quote(str(value if plain else next(iter(value), "NAME"))[:40]), "image" if path == ["fields"] else "multiclass"
        flag = "leave fields out, they are found in the table" if path == ["fields"] else "name the target by --target"
        instead = f"{where}: {{{name}: {{kind: {kind}, column: {name}}}}}"
        return f"{where}: found {shortened(value)}; expected settings by name; write {instead}, or {flag}"
    if path == ["training", "preset"] and plain:
        names = [*get_args(TrainingConfig.model_fields["preset"].annotation), *ARCHITECTURES]
        near = nearest(str(value), names) or nearest(f"{PREFIX}{value}", names)
        return f"{where}: found {shortened(value)}; expected one of {', '.join(names)}{near}"
    if path[:1] in (["fields"], ["tasks"]) and len(path) > 1:
        return _of_name(path, value, data)
    if path == ["data"] and isinstance(value, str):
        return f"data: found {shortened(value)}; expected settings; write data: {{table: {flow(value)}}}"
    if path == ["model"] and isinstance(value, str):
        encoder = nearest_of(value, ENCODER_KINDS) or "KIND"
        instead = f"model.fusion.kind={value}" if value in FUSION_KINDS else f"model.encoders.FIELD.kind={encoder}"
        return f"model: found {shortened(value)}; expected settings; write {instead}"
    return None


def _of_name(path: Sequence[str], value: Any, data: Mapping[str, Any]) -> str | None:
    """Return advice on a field or a task; a name without a column is most likely misspelled."""
    section, name = path[0], path[1]
    here = f"{section}.{quote(name)}"
    if len(path) == 2 and isinstance(value, str):
        kind = nearest_of(value, FIELD_KINDS if section == "fields" else TASK_KINDS) or "KIND"
        return f"{here}: found {shortened(value)}; expected settings; write {here}={{kind: {kind}, column: {quote(name)}}}"
    fields = data[section]
    settings = fields.get(name) if isinstance(fields, Mapping) else None
    if not isinstance(settings, Mapping):
        return None
    if section == "fields" and len(path) == 2 and nearest_of(str(settings.get("kind")), FIELD_KINDS) is None and "kind" in settings:
        return _of_kind(here, name, str(settings["kind"]))
    if {"column", "columns"} & set(settings):
        return None
    others = [other for other in fields if other != name]
    columns = {other: below.get("columns") for other in others if isinstance(below := fields[other], Mapping)}
    owner = next((other for other, names in columns.items() if isinstance(names, (list, tuple)) and name in names), None)
    if owner is not None:
        kind = next((settings[key] for key in ("kind", "type") if settings.get(key) in COLUMN_TYPES), COLUMN_TYPES[0])
        column = f"fields.{quote(owner)}.types.{quote(name)}={kind}"
        return f"{here}: no such field; {name!r} is a column of the field {owner!r}; write {column} (number, category or date)"
    near = nearest(name, others)
    if section == "tasks":
        return f"{here}: a task without a column{near}; a target is named by --target {quote(name)}, or by {here}.column=COL"
    return f"{here}: a field without a column{near}; a new field needs a kind and a column" if near else None


def _of_kind(here: str, name: str, kind: str) -> str | None:
    """Return advice if the kind of a field is the type of a column or the kind of an encoder."""
    if kind in COLUMN_TYPES:
        return f"{here}.kind: {kind!r} is the type of a column; write --column {name}={kind}"
    encoder = nearest_of(kind, ENCODER_KINDS)
    message = f"{here}.kind: {shortened(kind)} is not on the menu; expected one of {', '.join(FIELD_KINDS)}"
    return f"{message}; an encoder is chosen by model.encoders.{quote(name)}.kind={encoder}" if encoder is not None else None


def _of_encoder(path: Sequence[str], value: Any, data: Mapping[str, Any], fields: Mapping[str, Any]) -> str | None:
    """Return advice on ``model.encoders`` and the settings below it."""
    if len(path) == 2:
        name, kind = quote(str(next(iter(fields), "FIELD"))), nearest_of(str(value), ENCODER_KINDS) or "KIND"
        message = f"model.encoders: found {shortened(value)}; expected an encoder for each field; write model.encoders.{name}.kind={kind}"
        return message if isinstance(value, str) else None
    name, here = path[2], f"model.encoders.{quote(path[2])}"
    if name not in fields:
        return f"{here}: no such field{nearest(name, fields) or '; the fields are ' + ', '.join(map(str, fields))}" if fields else None
    encoder = value.get("kind") if isinstance(value, Mapping) else value
    of = fields[name].get("kind") if isinstance(fields[name], Mapping) else None
    modality = next((one for one in MODALITIES if one.kind == of), None)
    on_menu = isinstance(value, Mapping) and encoder in ENCODER_KINDS
    if path[3:] == ["model"] and modality is not None and isinstance(value, Mapping) and "model" not in value:
        return f"{here}.model: missing; expected a pretrained model; write {here}.model=NAME{_such_as(modality.forms)}"
    if len(path) > 3 or modality is None or not isinstance(encoder, str) or ":" in encoder or on_menu:
        return None
    suits = encoders_of(modality.forms)
    if encoder in suits:
        return f"{here}: found {shortened(encoder)}; expected settings with a kind; write {here}.kind={encoder}"
    configs: Mapping[str, Any] = dict(zip(ENCODER_KINDS, ENCODERS, strict=True))
    pretrained = [one for one in suits if configs[one].is_pretrained]
    scratch = [one for one in suits if one not in pretrained]
    message = (
        f"{here}.kind: {shortened(encoder)} is not on the menu; expected, for a field of kind {of}, one of {', '.join(suits)}, "
        f"module:Class; write {here}.kind={nearest_of(encoder, scratch) or scratch[0]}"
    )
    if not pretrained:
        return message
    return f"{message} (trained from scratch), or {here}.kind={pretrained[0]} {here}.model=NAME{_such_as(modality.forms)}"


def _such_as(forms: Sequence[Form]) -> str:
    """Return an example of a pretrained model for a modality that makes these forms."""
    return next((f" (such as {PRETRAINED[form][0]})" for form in forms if form in PRETRAINED), "")


def encoders_of(forms: Sequence[Form]) -> list[str]:
    """Return the kinds of encoders that accept one of these forms, in the order of the menu."""
    bare: list[Any] = [config.model_construct for config in ENCODERS]
    return [kind for kind, make in zip(ENCODER_KINDS, bare, strict=True) if make().form_for(forms) in forms]


def usual_encoder(
    field: FieldConfig, rows: int, preset: str = "scratch", models: PretrainedModels = USUAL_MODELS
) -> tuple[EncoderConfig | External, str]:
    """Return the default encoder of a field, and the reason for it.

    It is the first encoder on the menu that accepts the modality's first form and suits the number of rows (``EncoderConfig.usual``).

    :param field: the configuration of the field
    :param rows: the number of rows of the table
    :param preset: ``"scratch"``, ``"pretrained"`` for a frozen pretrained encoder where there is one, or a model of MMF
    :param models: the pretrained models
    :raises ConfigError: no encoder on the menu accepts a form that the modality makes
    """
    forms = field.modality().forms
    own = encoder_of(preset, forms, models.model_dump())
    if own is not None:
        config: type[EncoderConfig] = ENCODERS[ENCODER_KINDS.index(own[0]["kind"])]
        usual = config.usual(rows) if set(own[0]) == {"kind"} else None
        return (usual or (config.model_validate(own[0]), ""))[0], own[1]
    choices = (config.usual_pretrained(forms, models) for config in ENCODERS) if preset == "pretrained" else ()
    pretrained = [choice for choice in choices if choice is not None]
    scratch = (config.usual(rows) for form in forms for config in ENCODERS if config.form == form)
    suits = [*pretrained, next((choice for choice in scratch if choice is not None), None)]
    if suits[0] is None:
        raise ConfigError(f"a field that makes {', '.join(forms)}: no encoder accepts it; expected one on the menu; add one to encoders/")
    return suits[0]


def with_encoders(experiment: Experiment, rows: int) -> tuple[Experiment, dict[str, str]]:
    """Return the experiment with an encoder for every field, and the reason for each default by its path.

    :param rows: the number of rows of the table
    """
    encoders, reasons, config = {}, {}, experiment.model
    for name, field in experiment.fields.items():
        if name in experiment.model.encoders:
            encoders[name] = experiment.model.encoders[name]
        else:
            encoders[name], reasons[f"model.encoders.{quote(name)}"] = usual_encoder(field, rows, config.preset, config.pretrained)
    model = experiment.model.model_copy(update={"encoders": encoders})
    return experiment.model_copy(update={"model": model}), reasons


__all__ = ["DataConfig", "Experiment", "usual_encoder", "with_encoders"]
