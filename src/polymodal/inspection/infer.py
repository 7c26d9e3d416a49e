"""From a table to an experiment: fields, tasks and defaults, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..config import override, quote
from ..data.sources import Source
from ..data.splits import FEW_ROWS
from ..experiment import Experiment, usual_encoder, with_encoders
from ..modalities import OF_FILES, Roots
from ..model import ModelConfig
from ..training.config import usual_batch_size, usual_epochs
from .columns import Column, Facts, describe, guess_task, look


def infer(
    source: Source,
    targets: Sequence[str],
    overrides: Iterable[str] = (),
    *,
    given: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
    group: str | None = None,
    split: str | None = None,
    tree: Mapping[str, Any] | None = None,
    facts: Facts | None = None,
) -> tuple[Experiment, dict[str, str], list[Column]]:
    """The experiment for a table, why each setting is what it is (by path), and what each column was taken for.

    ``tree`` holds settings that are laid under what is inferred (paths of tables, roots); ``overrides`` are laid over it.
    """
    source.check_rows()
    source.check(targets)
    base = dict(tree or {})
    early, _ = override(base, overrides)
    data = dict(early.get("data") or {})
    weight = data.get("weight")
    roles = dict.fromkeys(ignore, "ignored")
    roles |= {name: role for name, role in ((group, "group"), (split, "split"), (weight, "weight")) if name is not None}
    given_split = dict(data.get("split") or {})
    for key, role in (("group", "group"), ("column", "split")):
        if given_split.get(key) is not None:
            roles.setdefault(given_split[key], role)
    facts = facts or look(source)
    folders = [source.folder] if source.folder is not None else []
    roots = Roots([*folders, *(data.get("root") or [])])
    columns = describe(source, facts, roots, targets, given or {}, roles)
    reasons: dict[str, str] = {}
    tasks = {}
    for name in targets:
        column = next(column for column in columns if column.name == name)
        asked = (early.get("tasks") or {}).get(name)
        if isinstance(asked, Mapping) and "kind" in asked:
            tasks[name] = {"kind": asked["kind"], "column": name}
        else:
            tasks[name], why = guess_task(column, facts, f"{source.name}, column {name!r}")
            reasons[f"tasks.{quote(name)}.kind"] = why
    fields = _fields(columns, reasons)
    tree_out = {**base, "fields": {**fields, **dict(base.get("fields") or {})}, "tasks": tasks}
    split_tree = {**dict(dict(base.get("data") or {}).get("split") or {})}
    if split is not None:
        split_tree |= {"kind": "column", "column": split}
        reasons["data.split.kind"] = f"column {split!r} says which rows train, validate and test"
    if group is not None:
        split_tree |= {"group": group}
    elif split is None and "group" not in given_split and given_split.get("kind") not in ("column", "time"):
        shared = _shared_files(columns, facts)
        if shared is not None:
            split_tree["group"] = shared.name
            many = facts.rows / shared.distinct
            reasons["data.split.group"] = (
                f"{many:.1f} rows share a file of {shared.name!r}: they stay on one side, or validation would flatter"
            )
    tree_out["data"] = {**dict(base.get("data") or {}), "split": split_tree}
    tree_out, notes = override(tree_out, overrides)
    experiment = Experiment.of(_with_kinds(tree_out, source.rows))
    experiment, chosen = with_encoders(experiment, source.rows)
    reasons |= chosen
    rows = source.rows
    if experiment.data.split.kind == "auto" and experiment.data.valid is None:
        what = (
            f"folds: under {FEW_ROWS:,} rows every row should train, and every row should validate"
            if rows < FEW_ROWS
            else f"random: {rows:,} rows are enough to hold some out"
        )
        reasons["data.split.kind"] = f"auto takes {what}"
    if experiment.training.epochs is None:
        reasons["training.epochs"] = f"null takes {usual_epochs(rows)} for {rows:,} rows"
    if experiment.training.batch_size is None:
        reasons["training.batch_size"] = f"null takes {usual_batch_size(rows)} for {rows:,} rows"
    reasons |= {f"override {at}": note for at, note in enumerate(notes)}
    return experiment, reasons, columns


def _with_kinds(tree: dict[str, Any], rows: int) -> dict[str, Any]:
    """Settings of a fusion or an encoder whose kind is not said are those of the default one."""
    model = tree.get("model")
    if not isinstance(model, Mapping):
        return tree
    fusion, encoders = model.get("fusion"), model.get("encoders")
    if isinstance(fusion, Mapping) and "kind" not in fusion:
        model = {**model, "fusion": {**ModelConfig().fusion.tree(), **fusion}}
    if isinstance(encoders, Mapping) and any(isinstance(said, Mapping) and "kind" not in said for said in encoders.values()):
        fields = Experiment.of({"fields": tree["fields"]}).fields
        preset = str(model.get("preset", "scratch"))
        usual = {name: usual_encoder(fields[name], rows, preset)[0].tree() for name in encoders if name in fields}
        bare = {name for name, said in encoders.items() if isinstance(said, Mapping) and "kind" not in said}
        model = {**model, "encoders": {name: {**usual.get(name, {}), **said} if name in bare else said for name, said in encoders.items()}}
    return {**tree, "model": model}


def encoding_in(overrides: Iterable[str]) -> str | None:
    """The encoding that overrides name, the last one: a table must be opened before anything else can be inferred."""
    said = [text.partition("=")[2].strip(" \"'") for text in overrides if text.startswith("data.encoding=")]
    return said[-1] if said and said[-1] not in ("", "null") else None


def _fields(columns: Sequence[Column], reasons: dict[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    taken = {column.name for column in columns}
    tabular = [column for column in columns if column.role == "feature" and column.modality == "tabular"]
    for column in columns:
        if column.role == "feature" and column.modality is not None and column.modality != "tabular":
            fields[column.name] = {"kind": column.modality, "column": column.name}
            reasons[f"fields.{quote(column.name)}"] = column.why
    if tabular:
        name = "columns"
        while name in taken:
            name += "_"
        types = {column.name: column.options["type"] for column in tabular if "type" in column.options}
        fields[name] = {"kind": "tabular", "columns": [column.name for column in tabular], "types": types}
        reasons[f"fields.{quote(name)}"] = "; ".join(f"{column.name}: {column.why}" for column in tabular)[:300]
    return fields


def _shared_files(columns: Sequence[Column], facts: Facts) -> Column | None:
    for column in columns:
        if column.role == "feature" and column.modality in OF_FILES and not column.capped:
            held = facts.rows - facts.missing[column.name]
            if column.distinct >= 10 and held / column.distinct >= 1.5:
                return column
    return None
