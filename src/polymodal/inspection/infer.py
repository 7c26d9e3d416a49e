"""Infers an experiment from a table: fields, tasks and defaults, with the reason for each."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .. import zoo
from ..cells import Writing
from ..config import override, quote
from ..data.sources import Source
from ..data.splits import FEW_ROWS
from ..encoders import PretrainedModels
from ..errors import ConfigError, spelled
from ..experiment import DataConfig, Experiment, usual_encoder, with_encoders
from ..language import Sentence
from ..modalities import COLUMN_TYPES, OF_FILES, Roots, modality_of
from ..model import ModelConfig
from ..request import Names, listed
from ..tasks import class_of
from ..training.config import usual_batch_size, usual_epochs
from .columns import REQUESTED, Column, Facts, look
from .roles import describe
from .strings import TEXT, names_of_a_few_words
from .targets import guess_task, missing_line, target_facts

_FOLDED_ROWS = 50_000
"""The number of rows below which a table of cheap fields is split into folds within a time limit."""
_LONGEST_REASONS = 300
"""The length of the reasons for the columns of a field beyond which no further ones are listed."""
_FEWEST_FILES = 20  # fewer distinct files than this are likely the levels of a factor


def infer(
    source: Source,
    targets: Sequence[str],
    overrides: Iterable[str] = (),
    *,
    given: Mapping[str, str] | None = None,
    ignore: Names = (),
    group: str | None = None,
    split: str | None = None,
    tree: Mapping[str, Any] | None = None,
    facts: Facts | None = None,
) -> tuple[Experiment, dict[str, str], list[Column]]:
    """Return the experiment for a table, the reason for each inferred setting by its path, and the description of each column.

    :param targets: the names of the target columns
    :param overrides: settings as ``path=value``; they take precedence over inferred settings
    :param given: modality, or number, category or date, by column
    :param ignore: columns to leave out
    :param group: the column whose equal values stay in one part of the split
    :param split: the column that assigns rows to parts
    :param tree: settings with lower precedence than inferred ones (paths of tables, roots)
    :param facts: what ``look`` returned; None = the table is read
    :raises UserError: the table or a setting is invalid
    """
    source.check_rows()
    source.check(targets)
    base = dict(tree or {})
    overrides = list(overrides)
    named = [f"data.split.group={json.dumps(group)}"] if group is not None else []
    if split is not None:
        named += ["data.split.kind=column", f"data.split.column={json.dumps(split)}"]
    early, _ = override(base, (*named, *overrides))
    Experiment.check_tree(early)
    data = dict(early.get("data") or {})
    weight = data.get("weight")
    for name in set(given or {}) & set(targets):
        path = f"tasks.{quote(name)}.kind"
        place = spelled(f"--column {name}", f"columns: {name}")
        raise ConfigError(f"{place}: {name!r} is the target, whose kind is another setting; expected {path}, such as {path}=multiclass")
    roles = dict.fromkeys(listed(ignore), "ignored")
    roles |= {name: role for name, role in ((group, "group"), (split, "split"), (weight, "weight")) if name is not None}
    given_split = dict(data.get("split") or {})
    for key, role in (("group", "group"), ("column", "split")):
        if given_split.get(key) is not None:
            roles.setdefault(given_split[key], role)
    facts = facts or look(source)
    folders = [source.folder] if source.folder is not None else []
    roots = Roots([*folders, *listed(data.get("root") or [])])
    max_faults = DataConfig.model_validate({"max_faults": data["max_faults"]} if "max_faults" in data else {}).max_faults
    columns = describe(source, facts, roots, targets, given or {}, roles, max_faults)
    reasons: dict[str, str] = {}
    tasks = {}
    for name in targets:
        settings = (early.get("tasks") or {}).get(name)
        settings = settings if isinstance(settings, Mapping) else {}
        seen = target_facts(source, name, settings)
        if "kind" in settings:
            tasks[name] = {"kind": settings["kind"], "column": name}
        else:
            tasks[name], why = guess_task(seen, name, f"{source.name}, column {name!r}")
            reasons[f"tasks.{quote(name)}.kind"] = why
        if words := missing_line(seen, name, class_of(tasks[name]["kind"])):
            reasons[f"tasks.{quote(name)}.missing"] = words
    fields = _fields(columns, given or {}, reasons)
    tree_out = {**base, "fields": {**fields, **dict(base.get("fields") or {})}, "tasks": tasks}
    split_tree = {**dict(dict(base.get("data") or {}).get("split") or {})}
    if split is not None:
        split_tree |= {"kind": "column", "column": split}
        reasons["data.split.kind"] = Sentence("split.column", column=split)
    if group is not None:
        split_tree |= {"group": group}
    elif split is None and "group" not in given_split and given_split.get("kind") not in ("column", "time"):
        shared = _shared_files(columns, facts)
        if shared is not None:
            split_tree["group"] = shared.name
            reasons["data.split.group"] = Sentence("split.shared_file", many=facts.rows / shared.distinct, column=shared.name)
    tree_out["data"] = {**dict(base.get("data") or {}), "split": split_tree}
    if "model" in early:
        tree_out["model"] = zoo.with_settings(dict(base.get("model") or {}), early["model"])
    tree_out, notes = override(tree_out, overrides)
    tree_out = of_preset(tree_out, reasons)
    experiment = _with_ngrams(Experiment.of(_with_kinds(tree_out, source.rows)), fields, source.rows, reasons)
    _drop_reasons(fields, experiment, reasons)
    experiment, chosen = with_encoders(experiment, source.rows)
    reasons |= chosen
    rows = source.rows
    kind = _split_of_time(experiment, rows)
    if kind is not None:
        other = experiment.data.split.model_copy(update={"kind": kind[0]})
        experiment = experiment.model_copy(update={"data": experiment.data.model_copy(update={"split": other})})
        reasons["data.split.kind"] = kind[1]
    elif experiment.data.split.kind == "auto" and experiment.data.valid is None:
        what = Sentence("split.folds", rows=FEW_ROWS) if rows < FEW_ROWS else Sentence("split.random", rows=rows)
        reasons["data.split.kind"] = Sentence("split.auto", what=what)
    if experiment.training.epochs is None:
        reasons["training.epochs"] = Sentence("usual.number", number=usual_epochs(rows), rows=rows)
    if experiment.training.batch_size is None:
        reasons["training.batch_size"] = Sentence("usual.number", number=usual_batch_size(rows), rows=rows)
    reasons |= {f"override {at}": note for at, note in enumerate(notes)}
    return experiment, reasons, columns


def of_preset(tree: Mapping[str, Any], reasons: dict[str, str]) -> dict[str, Any]:
    """Return the settings of an experiment without the fields that its preset (``model.preset``) leaves out, and add the reason.

    :raises ConfigError: the preset cannot take the fields
    """
    model = dict(tree.get("model") or {})
    preset = str(model.get("preset"))
    if preset not in zoo.ARCHITECTURES:
        return dict(tree)
    fields = Experiment.of({"fields": tree["fields"]}).fields
    forms = {name: field.modality().forms for name, field in fields.items()}
    kept = zoo.taken(preset, forms, {name: field.sources for name, field in fields.items()})
    reasons["model.preset"] = zoo.described(preset, model, [name for name in fields if name not in kept])
    return {**tree, "fields": {name: tree["fields"][name] for name in kept}}


def _split_of_time(experiment: Experiment, rows: int) -> tuple[str, str] | None:
    """Return the kind of split that a preset or a time limit chooses in place of the default, and the reason; None = the default."""
    config = experiment.training
    if experiment.data.split.kind != "auto" or experiment.data.valid is not None:
        return None
    if config.preset == "fast":
        return "random", Sentence("split.fast")
    cheap = not any(field.modality().of_files for field in experiment.fields.values())
    if not cheap or not FEW_ROWS <= rows < _FOLDED_ROWS:
        return None
    if config.time_limit is not None:
        return "folds", Sentence("split.time", rows=rows)
    return ("folds", Sentence("split.best", rows=rows)) if config.preset == "best" else None


@dataclass(frozen=True)
class LeftOut:
    """A column that no field reads although the caller did not ask to leave it out, and the reason."""

    column: str
    why: str
    unread: bool
    """Whether no modality reads its cells, which may contain information; False for an id, a constant or an empty column."""

    @property
    def line(self) -> str:
        """One line of text: a warning if the column is ``unread``, otherwise a note."""
        if not self.unread:
            return Sentence("left_out", column=self.column, why=self.why)
        return Sentence("column.unused", column=self.column, why=self.why)


def left_out(columns: Iterable[Column]) -> list[LeftOut]:
    """Return the columns that were left out without a request, in order."""
    return [LeftOut(one.name, one.why, one.unread) for one in columns if one.role == "ignored" and one.why != REQUESTED]


def _with_kinds(tree: dict[str, Any], rows: int) -> dict[str, Any]:
    """Complete the settings of a fusion or an encoder without a kind by those of the default one."""
    model = tree.get("model")
    if not isinstance(model, Mapping):
        return tree
    fusion, encoders = model.get("fusion"), model.get("encoders")
    if isinstance(fusion, Mapping) and "kind" not in fusion:
        model = {**model, "fusion": {**ModelConfig().fusion.tree(), **fusion}}
    if isinstance(encoders, Mapping) and any(isinstance(settings, Mapping) and "kind" not in settings for settings in encoders.values()):
        fields = Experiment.of({"fields": tree["fields"]}).fields
        preset = str(model.get("preset", "scratch"))
        models = PretrainedModels.model_validate(model.get("pretrained") or {})
        usual = {name: usual_encoder(fields[name], rows, preset, models)[0].tree() for name in encoders if name in fields}
        bare = {name for name, settings in encoders.items() if isinstance(settings, Mapping) and "kind" not in settings}
        completed = {name: {**usual.get(name, {}), **settings} if name in bare else settings for name, settings in encoders.items()}
        model = {**model, "encoders": completed}
    return {**tree, "model": model}


def _with_ngrams(experiment: Experiment, fields: Mapping[str, Any], rows: int, reasons: dict[str, str]) -> Experiment:
    """Return the experiment with a field of n-grams beside each inferred text that a pretrained model reads.

    A pretrained model knows what words mean, and n-grams which words, names and codes the table repeats; neither replaces the other.

    :param fields: the settings of the inferred fields
    """
    if experiment.model.preset in zoo.ARCHITECTURES:
        return experiment
    more, encoders = dict(experiment.fields), dict(experiment.model.encoders)
    for name in fields:
        field = experiment.fields.get(name)
        if field is None or not field.modality().reads_strings or name in encoders:
            continue
        usual, _ = usual_encoder(field, rows, experiment.model.preset, experiment.model.pretrained)
        if not getattr(usual, "is_pretrained", False):
            continue
        beside = _free(f"{name}_ngrams", [*more, *experiment.columns_and_targets()])
        more[beside] = field
        encoders[beside], _ = usual_encoder(field, rows)
        reasons[f"fields.{quote(beside)}"] = Sentence("why.ngrams_beside", field=name)
    model = experiment.model.model_copy(update={"encoders": encoders})
    return experiment.model_copy(update={"fields": more, "model": model})


def encoding_in(overrides: Iterable[str]) -> str | None:
    """Return the encoding that the last matching override names, or None: a table must be opened before anything else is inferred."""
    encodings = [text.partition("=")[2].strip(" \"'") for text in overrides if text.startswith("data.encoding=")]
    return encodings[-1] if encodings and encodings[-1] not in ("", "null") else None


def _fields(columns: Sequence[Column], given: Mapping[str, str], reasons: dict[str, str]) -> dict[str, Any]:
    """Return the settings of the fields that read the feature columns, and add the reasons to ``reasons``."""
    fields: dict[str, Any] = {}
    taken = {column.name for column in columns}
    features = [column for column in columns if column.role == "feature" and column.modality is not None]
    joined = names_of_a_few_words(features)
    for column in features:
        if not _joins(column.modality) and column not in joined:
            fields[column.name] = {"kind": column.modality, "column": column.name, **column.options}
            reasons[f"fields.{quote(column.name)}"] = column.why
    tabular = [column for column in features if _joins(column.modality) or _joins(column.second)]
    if tabular:
        name = _free("columns", taken)
        place = f"fields.{quote(name)}"
        types = {column.name: given[column.name] for column in tabular if given.get(column.name) in COLUMN_TYPES}
        for column in tabular:
            _name_settings(column, f"{place}.")
            if column.contradicted:
                types[column.name] = column.options["type"]
                reasons[f"{place}.types.{quote(column.name)}"] = column.why
        kinds = (modality_of(kind).kind for column in tabular for kind in (column.modality, column.second) if kind and _joins(kind))
        fields[name] = {"kind": next(kinds), "columns": [column.name for column in tabular], "types": types}
        reasons[place] = _listing({column.name: column.why if _joins(column.modality) else column.second_why for column in tabular})
        for column in tabular:
            if notes := _notes(column):
                reasons[f"columns.{quote(column.name)}"] = Sentence.joined(notes)
    strings = [column for column in features if column in joined or (column.second is not None and not _joins(column.second))]
    if strings:  # after the tabular field, whose cells are compared as values when copies of rows are sought
        name = strings[0].name if len(strings) == 1 else _free("strings", taken)
        of_one = {"column": name} if len(strings) == 1 else {"columns": [column.name for column in strings]}
        fields[name] = {"kind": TEXT, **of_one}
        reasons[f"fields.{quote(name)}"] = _listing(
            {column.name: column.why if column in joined else column.second_why for column in strings}
        )
    return fields


def _drop_reasons(fields: Mapping[str, Any], experiment: Experiment, reasons: dict[str, str]) -> None:
    """Remove the reasons for inferred kinds of fields and types of columns that overrides have replaced."""
    for name, settings in fields.items():
        place, kept = f"fields.{quote(name)}", experiment.fields[name].tree() if name in experiment.fields else {}
        if kept.get("kind") != settings["kind"]:
            reasons.pop(place, None)
        for column, kind in settings.get("types", {}).items():
            if kept.get("types", {}).get(column) != kind:
                reasons.pop(f"{place}.types.{quote(column)}", None)


def _joins(kind: str | None) -> bool:
    """Return whether columns of a kind are read together as one field."""
    return kind is not None and modality_of(kind).joins_columns


def _listing(reasons: Mapping[str, str]) -> str:
    """Return the reasons for several columns as one text of at most 300 characters."""
    parts: list[str] = []
    left = _LONGEST_REASONS
    for column, why in reasons.items():
        parts.append(Sentence("of_column", column=column, why=why))
        left -= len(parts[-1]) + 2
        if left < 0:
            parts[-1] = "..."
            break
    return Sentence.joined(parts)


def _free(name: str, taken: Collection[str]) -> str:
    """Return a name of a field that no column has: ``name``, with underscores after it if necessary."""
    while name in taken:
        name += "_"
    return name


def _notes(column: Column) -> Sequence[str]:
    """Return the notes on how the cells of a column are read."""
    writing: Writing | None = column.options.get("writing")
    return () if writing is None else writing.notes


def _name_settings(column: Column, place: str) -> None:
    """Insert the path of a column's field into its notes; the path is not known when the cells are inspected."""
    writing: Writing | None = column.options.get("writing")
    if writing is not None:
        column.options["writing"] = replace(writing, notes=tuple(_placed(line, place) for line in writing.notes))


def _placed(line: str, place: str) -> str:
    """Return a note with the path of a field."""
    return Sentence(line.key, **{**line.values, "place": place}) if isinstance(line, Sentence) and "place" in line.values else line


def _shared_files(columns: Sequence[Column], facts: Facts) -> Column | None:
    """Return the first column of files of which each is in 1.5 rows or more on average, or None."""
    for column in columns:
        if column.role == "feature" and column.modality in OF_FILES and not column.capped:
            present = facts.rows - facts.missing[column.name]
            if column.distinct >= _FEWEST_FILES and present / column.distinct >= 1.5:
                return column
    return None
