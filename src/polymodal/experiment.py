"""The configuration of a whole run: data, fields, tasks, model, training, seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field as Setting
from pydantic import model_validator

from .config import Config, External, flow, override, quote, read_tree, shaped, shortened, validate
from .data.splits import SplitConfig
from .encoders import CONFIGS as ENCODERS
from .encoders import KINDS as ENCODER_KINDS
from .encoders import BagConfig, EncoderConfig, FramesConfig, PretrainedConfig, TextTransformerConfig
from .errors import ConfigError, nearest, nearest_of
from .flow import Form
from .fusions import KINDS as FUSION_KINDS
from .fusions import FusionConfig
from .modalities import KINDS as FIELD_KINDS
from .modalities import MODALITIES, AnyField, FieldConfig, OnError
from .model import ModelConfig, check_tasks
from .tasks import KINDS as TASK_KINDS
from .tasks import RULES, AnyTask
from .training.config import TrainingConfig

SOME_ROWS = 10_000
"""Below this number of rows, a bag of n-grams has stronger dropout and a higher learning rate."""
MANY_ROWS = 1_000_000
"""From this number of rows, the default encoder for text is a transformer. Up to several hundred thousand rows, n-grams outperform networks
trained from scratch (Zhang et al. 2015, arXiv:1509.01626)."""


PRETRAINED: Mapping[Form, tuple[str, int]] = {
    "pixels": ("facebook/dinov2-small", 88),
    "tokens": ("sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", 471),
    "waveform": ("openai/whisper-tiny", 151),
}
"""The model that ``model.preset: pretrained`` uses for each form: its name on the Hugging Face hub, and the size of its weights in
megabytes.
"""


class DataConfig(Config):
    """The tables, and the treatment of cells that cannot be read."""

    table: str | None = None
    """The training table. A relative path is relative to the file that contains it."""
    valid: str | None = None
    """A separate validation table, used instead of a split."""
    test: str | None = None
    """A test table, measured once at the end."""
    root: list[str] = []
    """Additional folders that file cells may refer to, besides the folder of the table."""
    encoding: str | None = None
    """Encoding of the training table, a CSV or JSON file; null = detected. Files from Chinese Windows are often gb18030."""
    split: SplitConfig = SplitConfig()
    """How rows are divided into training, validation and test rows."""
    on_error: OnError = "blank"
    """Treatment of an unreadable cell: error = stop, skip = leave the row out, blank = treat the field as missing in that row."""
    max_faults: float = Setting(0.05, ge=0, le=1)
    """Training stops if a larger share of a column's cells is unreadable; for a target, only if the kind of its task is configured."""
    weight: str | None = None
    """A column of non-negative numbers: the weight of each row in the loss."""
    features_gb: float = Setting(4.0, ge=0, le=1e6)
    """Disk space in GiB for outputs of frozen encoders, kept between runs in the user's cache folder; 0 = none. Does not change results."""
    private: bool = False
    """Whether the rows are confidential: the report then shows none of them (unless report.examples is set)."""
    cache_gb: float = Setting(8.0, ge=0, le=1e6)
    """Disk space in GiB for samples during the run; samples beyond it are read again each time. Does not change results."""


class ReportConfig(Config):
    """The content of a run's report."""

    examples: bool | None = None
    """Whether report.html shows rows: cells and small pictures of the largest errors; null = yes, unless there are medical pictures or
    data.private is set.
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
                check_tasks(self.model.fusion, {name: task.kind for name, task in self.tasks.items()})
            except ConfigError as error:
                raise ValueError(str(error)) from None
        if "" in self.fields or "" in self.tasks:
            raise ValueError("fields and tasks: a name may not be empty")
        targets = {task.column: name for name, task in self.tasks.items()}
        for name, field in self.fields.items():
            seen = set(field.sources) & set(targets)
            if seen:
                raise ValueError(f"fields.{quote(name)}: reads the target {sorted(seen)[0]!r}; leave that column out of the fields")
        return self

    def _can_be_balanced(self) -> None:
        kind, fusion = self.training.balance.kind, self.model.fusion
        fused = not isinstance(fusion, FusionConfig) or RULES[fusion.voting].fused
        if kind != "none" and not self.model.votes and fused:
            raise ValueError(
                f"training.balance.kind: found {kind} under model.votes: false; it goes by what each field's own vote says; "
                f"leave model.votes out, or balance by hand (training.rates, training.freeze)"
            )
        if kind == "gradient_blending" and not fused:
            raise ValueError(
                f"training.balance.kind: found {kind} under model.fusion.kind: {fusion.kind}; expected a fusion with a loss of its own to "
                f"weigh beside those of its fields; take ogm_ge, or another fusion"
            )

    @classmethod
    def advice(cls, path: Sequence[str], found: Any, data: Any) -> str | None:
        """Return a message for an invalid setting that its place explains (an unknown field, a kind that does not suit it, a value where
        settings are expected), or None.
        """
        return _advice(path, found, data) if isinstance(data, Mapping) else None

    @classmethod
    def check_tree(cls, tree: Mapping[str, Any], place: str = "") -> None:
        """Raise ``ConfigError`` if nothing can be inferred from a tree: a value stands where settings are expected, or settings of ``data``
        are invalid.
        """
        shaped(cls, tree, place)
        validate(cls, {"data": tree.get("data") or {}}, place)

    @classmethod
    def read(cls, path: str | Path, overrides: Iterable[str] = ()) -> Experiment:
        """Return the experiment of a YAML or JSON file, with ``path=value`` overrides applied. Relative paths are relative to the file.

        :raises ConfigError: the file or an override is invalid
        """
        path = Path(path)
        tree, _ = override(read_tree(path), overrides)
        return cls.of(tree, place=str(path), folder=path.parent)

    @classmethod
    def of(cls, tree: Mapping[str, Any], place: str = "", folder: Path | None = None) -> Experiment:
        """Return the experiment described by plain data.

        :param tree: settings as nested mappings
        :param place: where the settings come from, for messages
        :param folder: the folder that relative paths are relative to; None = paths stay as they are
        :raises ConfigError: settings are invalid; the message lists every error
        """
        experiment: Experiment = validate(cls, dict(tree), place)
        if folder is None:
            return experiment
        data = experiment.data
        placed = {name: str(folder / value) for name in ("table", "valid", "test") if (value := getattr(data, name)) is not None}
        placed_roots = [str(folder / root) for root in data.root]
        experiment = experiment.with_models_at(folder)
        training = experiment.training
        if training.init is not None:
            training = training.model_copy(update={"init": str(folder / training.init)})
        return experiment.model_copy(update={"data": data.model_copy(update={**placed, "root": placed_roots}), "training": training})

    def with_models_at(self, folder: Path) -> Experiment:
        """Return a copy in which files of pretrained models below ``folder`` have their full paths."""
        encoders = {name: config if isinstance(config, External) else config.placed(folder) for name, config in self.model.encoders.items()}
        return self.model_copy(update={"model": self.model.model_copy(update={"encoders": encoders})})

    def columns(self) -> list[str]:
        """Return the columns that fields read, in order and without repetition."""
        return list(dict.fromkeys(column for field in self.fields.values() for column in field.sources))

    def columns_and_targets(self) -> list[str]:
        """Return the columns that fields read, then the columns of the targets, in order and without repetition."""
        return list(dict.fromkeys([*self.columns(), *(task.column for task in self.tasks.values())]))

    def on_error(self, field: str) -> OnError:
        """Return the ``on_error`` policy of a field."""
        return self.fields[field].on_error or self.data.on_error


def _advice(path: Sequence[str], found: Any, data: Mapping[str, Any]) -> str | None:
    where = ".".join(map(quote, path))
    plain = isinstance(found, (str, int, float))
    if path[:2] == ["model", "encoders"]:
        fields = data.get("fields")
        return _of_encoder(path, found, data, fields if isinstance(fields, Mapping) else {})
    if path in (["fields"], ["tasks"]) and (plain or isinstance(found, list)):
        name, kind = quote(str(found if plain else next(iter(found), "NAME"))[:40]), "image" if path == ["fields"] else "multiclass"
        flag = "leave fields out, they are found in the table" if path == ["fields"] else "name the target by --target"
        instead = f"{where}: {{{name}: {{kind: {kind}, column: {name}}}}}"
        return f"{where}: found {shortened(found)}; expected settings by name; write {instead}, or {flag}"
    if path[:1] in (["fields"], ["tasks"]) and len(path) > 1:
        return _of_name(path, found, data)
    if path == ["data"] and isinstance(found, str):
        return f"data: found {shortened(found)}; expected settings; write data: {{table: {flow(found)}}}"
    if path == ["model"] and isinstance(found, str):
        encoder = nearest_of(found, ENCODER_KINDS) or "KIND"
        instead = f"model.fusion.kind={found}" if found in FUSION_KINDS else f"model.encoders.FIELD.kind={encoder}"
        return f"model: found {shortened(found)}; expected settings; write {instead}"
    return None


def _of_name(path: Sequence[str], found: Any, data: Mapping[str, Any]) -> str | None:
    """Return advice on a field or a task; a name without a column is most likely misspelled."""
    room, name = path[0], path[1]
    here = f"{room}.{quote(name)}"
    if len(path) == 2 and isinstance(found, str):
        kind = nearest_of(found, FIELD_KINDS if room == "fields" else TASK_KINDS) or "KIND"
        return f"{here}: found {shortened(found)}; expected settings; write {here}={{kind: {kind}, column: {quote(name)}}}"
    fields = data[room]
    said = fields.get(name) if isinstance(fields, Mapping) else None
    if not isinstance(said, Mapping):
        return None
    if room == "fields" and len(path) == 2 and nearest_of(str(said.get("kind")), FIELD_KINDS) is None and "kind" in said:
        return _of_kind(here, name, str(said["kind"]))
    if {"column", "columns"} & set(said):
        return None
    others = [other for other in fields if other != name]
    columns = {other: below.get("columns") for other in others if isinstance(below := fields[other], Mapping)}
    holder = next((other for other, held in columns.items() if isinstance(held, (list, tuple)) and name in held), None)
    if holder is not None:
        kind = next((said[key] for key in ("kind", "type") if said.get(key) in ("number", "category", "date")), "number")
        column = f"fields.{quote(holder)}.types.{quote(name)}={kind}"
        return f"{here}: no such field; {name!r} is a column of the field {holder!r}; write {column} (number, category or date)"
    near = nearest(name, others)
    if room == "tasks":
        return f"{here}: a task without a column{near}; a target is named by --target {quote(name)}, or by {here}.column=COL"
    return f"{here}: a field without a column{near}; a new field says its kind and its column" if near else None


def _of_kind(here: str, name: str, kind: str) -> str | None:
    """Return advice if the kind of a field is the type of a column or the kind of an encoder."""
    if kind in ("number", "category", "date"):
        return f"{here}.kind: {kind!r} is the type of a column; write --column {name}={kind}"
    encoder = nearest_of(kind, ENCODER_KINDS)
    message = f"{here}.kind: {shortened(kind)} is not on the menu; expected one of {', '.join(FIELD_KINDS)}"
    return f"{message}; an encoder is chosen by model.encoders.{quote(name)}.kind={encoder}" if encoder is not None else None


def _of_encoder(path: Sequence[str], found: Any, data: Mapping[str, Any], fields: Mapping[str, Any]) -> str | None:
    """Return advice on ``model.encoders`` and the settings below it."""
    if len(path) == 2:
        name, kind = quote(str(next(iter(fields), "FIELD"))), nearest_of(str(found), ENCODER_KINDS) or "KIND"
        message = f"model.encoders: found {shortened(found)}; expected an encoder for each field; write model.encoders.{name}.kind={kind}"
        return message if isinstance(found, str) else None
    name, here = path[2], f"model.encoders.{quote(path[2])}"
    if name not in fields:
        return f"{here}: no such field{nearest(name, fields) or '; the fields are ' + ', '.join(map(str, fields))}" if fields else None
    said = found.get("kind") if isinstance(found, Mapping) else found
    of = fields[name].get("kind") if isinstance(fields[name], Mapping) else None
    modality = next((one for one in MODALITIES if one.kind == of), None)
    on_menu = isinstance(found, Mapping) and said in ENCODER_KINDS
    if path[3:] == ["model"] and modality is not None and isinstance(found, Mapping) and "model" not in found:
        return f"{here}.model: missing; expected a pretrained model; write {here}.model=NAME{_such_as(modality.forms)}"
    if len(path) > 3 or modality is None or not isinstance(said, str) or ":" in said or on_menu:
        return None
    suits = encoders_of(modality.forms)
    if said in suits:
        return f"{here}: found {shortened(said)}; expected settings with a kind; write {here}.kind={said}"
    scratch = [one for one in suits if one != PretrainedConfig.model_fields["kind"].default]
    message = (
        f"{here}.kind: {shortened(said)} is not on the menu; expected, of a field of kind {of}, one of {', '.join(suits)}, module:Class; "
    )
    message += f"write {here}.kind={nearest_of(said, scratch) or scratch[0]}"
    if scratch == suits:
        return message
    return f"{message} (trained from scratch), or {here}.kind=pretrained {here}.model=NAME{_such_as(modality.forms)}"


def _such_as(forms: Sequence[Form]) -> str:
    """Return an example of a pretrained model for a modality that makes these forms."""
    return next((f" (such as {PRETRAINED[form][0]})" for form in forms if form in PRETRAINED), "")


def encoders_of(forms: Sequence[Form]) -> list[str]:
    """Return the kinds of encoders that accept one of these forms, in the order of the menu."""
    bare: list[Any] = [config.model_construct for config in ENCODERS]
    return [kind for kind, make in zip(ENCODER_KINDS, bare, strict=True) if make().form_for(forms) in forms]


def usual_encoder(field: FieldConfig, rows: int, preset: str = "scratch") -> tuple[EncoderConfig | External, str]:
    """Return the default encoder of a field, and the reason for it.

    It is the first encoder on the menu that accepts the modality's first form; for text it depends on the number of rows.

    :param field: the configuration of the field
    :param rows: the number of rows of the table
    :param preset: ``"scratch"``, or ``"pretrained"`` for a frozen pretrained encoder where there is one
    """
    modality = field.modality()
    if preset == "pretrained" and (form := next((form for form in PRETRAINED if form in modality.forms), None)) is not None:
        model, megabytes = PRETRAINED[form]
        why = f"pretrained and frozen: {model}, {megabytes} MB, fetched from the Hugging Face hub unless it is on this machine"
        return PretrainedConfig(model=model, download=True), why
    if preset == "pretrained" and modality.forms[0] == FramesConfig.form:
        model, megabytes = PRETRAINED["pixels"]
        why = (
            f"each picture by a pretrained, frozen {model}, {megabytes} MB, fetched from the Hugging Face hub unless it is on this machine"
        )
        return FramesConfig(each=PretrainedConfig(model=model, download=True)), why
    if modality.forms[0] == BagConfig.form:
        if rows < SOME_ROWS:
            return BagConfig(lr_scale=5.0, dropout=0.3), f"a bag of n-grams, learning fast and much dropped out: {rows:,} rows are few"
        if rows < MANY_ROWS:
            return BagConfig(
                lr_scale=0.5
            ), f"a bag of n-grams: {rows:,} rows are too few to learn a language from ({MANY_ROWS:,} are enough)"
        return TextTransformerConfig(), f"a transformer: {rows:,} rows are enough to learn one from"
    config: Any = next(config for config in ENCODERS if config.form == modality.forms[0])
    return config(), " ".join((config.__doc__ or "").split("\n")[0].split()).rstrip(".").lower()


def with_encoders(experiment: Experiment, rows: int) -> tuple[Experiment, dict[str, str]]:
    """Return the experiment with an encoder for every field, and the reason for each default by its path.

    :param rows: the number of rows of the table
    """
    encoders, reasons = {}, {}
    for name, field in experiment.fields.items():
        if name in experiment.model.encoders:
            encoders[name] = experiment.model.encoders[name]
        else:
            encoders[name], reasons[f"model.encoders.{quote(name)}"] = usual_encoder(field, rows, experiment.model.preset)
    model = experiment.model.model_copy(update={"encoders": encoders})
    return experiment.model_copy(update={"model": model}), reasons


__all__ = ["DataConfig", "Experiment", "usual_encoder", "with_encoders"]
