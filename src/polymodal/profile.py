"""The verbs that look: ``inspect`` says what is in a table, ``init`` writes the ``run.yaml`` for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.cells import cell_len, set_cell_size

from .cells import number
from .config import explain
from .data.sources import Source, open_source
from .disk import write_whole
from .errors import UserError
from .experiment import Experiment
from .inspection.columns import Column, Facts, look
from .inspection.infer import encoding_in, infer
from .inspection.suspects import LOOKED_AT, column_leak, path_leaks, picture_twins, text_twins, thumbnails
from .modalities import OF_FILES, Roots, is_empty
from .preparation import known_targets, roots_of, split_rows


@dataclass
class Profile:
    """What was found in a table: a line for each column, the experiment that would be run, and what to look at twice."""

    table: str
    rows: int
    columns: list[Column]
    targets: dict[str, str] = field(default_factory=dict)
    """What each target asks for, in a line."""
    suspicions: list[str] = field(default_factory=list)
    unreadable: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """By column: row (1 = first) and what is wrong, of the cells that were read."""
    looked_at: int = 0
    experiment: Experiment | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The profile, for people."""
        width = max([cell_len(column.name) for column in self.columns] + [6])
        lines = [f"{self.table}: {self.rows:,} rows, {len(self.columns)} columns", ""]
        lines.append(f"  {'column':{width}}  {'role':8}  {'modality':9}  {'missing':>7}  {'distinct':>9}  why")
        for column in self.columns:
            kind = column.options.get("type", column.modality) or "-"
            distinct = f"{'>' if column.capped else ''}{min(column.distinct, 10_000):,}"
            name = set_cell_size(column.name, width)
            lines.append(f"  {name}  {column.role:8}  {kind:9}  {column.missing:7.1%}  {distinct:>9}  {column.why}")
        for name, said in self.targets.items():
            lines += ["", f"target {name!r}: {said}"]
        if self.unreadable:
            lines += ["", "cells that cannot be read" + (f" (of {self.looked_at:,} rows read)" if self.looked_at < self.rows else "") + ":"]
            for name, faults in self.unreadable.items():
                lines += [f"  row {row}, column {name!r}: {fault}" for row, fault in faults[:10]]
                if len(faults) > 10:
                    lines.append(f"  ... and {len(faults) - 10:,} more in column {name!r}")
        lines += ["", "look twice:" if self.suspicions else "nothing suspicious found"]
        lines += [f"  - {suspicion}" for suspicion in self.suspicions]
        return "\n".join(lines)


def inspect(
    table: Any,
    *overrides: str,
    target: str | Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
    group: str | None = None,
    split: str | None = None,
    root: Sequence[str | Path] = (),
    seed: int = 0,
    time_limit: str | None = None,
    encoding: str | None = None,
) -> Profile:
    """Look at a table: what each column is, what is missing or unreadable, what gives the target away.

    Takes what ``train`` takes, ``encoding`` being that of a CSV or JSON file. Up to 5,000 rows' pictures and texts are read; memory
    does not grow with the rows.
    """
    overrides = (*overrides, *([f"data.encoding={encoding}"] if encoding is not None else []))
    source = open_source(table, encoding=encoding_in(overrides))
    source.check_rows()
    targets = [target] if isinstance(target, str) else list(target)
    facts = look(source, seed)
    base = {"data": {"root": [str(folder) for folder in root]}}
    overrides = (*overrides, f"seed={seed}", *([f"training.time_limit={time_limit}"] if time_limit else []))
    experiment, reasons, found = infer(
        source, targets, overrides, given=columns, ignore=ignore, group=group, split=split, tree=base, facts=facts
    )
    profile = Profile(source.name, source.rows, found, experiment=experiment, reasons=reasons)
    for name in targets:
        profile.targets[name] = _target_line(experiment, name, facts, reasons)
    side_N = None
    if targets:
        side_N = _sides(experiment, source)
    _suspect(profile, source, facts, roots_of(source, experiment.data.root), targets, side_N, seed)
    return profile


def init(
    table: Any,
    *overrides: str,
    target: str | Sequence[str],
    out: str | Path | None = "run.yaml",
    overwrite: bool = False,
    columns: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
    group: str | None = None,
    split: str | None = None,
    root: Sequence[str | Path] = (),
    seed: int | None = None,
    time_limit: str | None = None,
    encoding: str | None = None,
) -> str:
    """The full ``run.yaml`` for a table, each choice explained in a comment; written to ``out`` unless that is None.
    ``encoding`` is that of a CSV or JSON file; None = found out."""
    overrides = (*overrides, *([f"data.encoding={encoding}"] if encoding is not None else []))
    source = open_source(table, encoding=encoding_in(overrides))
    targets = [target] if isinstance(target, str) else list(target)
    path = None if out is None else Path(out)
    if path is not None and path.exists() and not overwrite:
        raise UserError(f"{path}: already there; choose another file (-o FILE), or replace it: --overwrite")
    base: dict[str, Any] = {"data": {"root": [_beside(folder, path) for folder in root]}}
    if isinstance(table, (str, Path)):
        base["data"]["table"] = _beside(table, path)
    overrides = (
        *overrides,
        *([f"seed={seed}"] if seed is not None else []),
        *([f"training.time_limit={time_limit}"] if time_limit else []),
    )
    experiment, reasons, found = infer(source, targets, overrides, given=columns, ignore=ignore, group=group, split=split, tree=base)
    left_out = [
        f"# column {column.name!r} is not used: {column.role}, {column.why}" for column in found if column.role not in ("feature", "target")
    ]
    head = [f"# polymodal train {path or 'run.yaml'}", f"# {source.name}: {source.rows:,} rows", *left_out]
    text = "\n".join(head) + "\n" + explain(experiment, reasons)
    if path is not None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, text.encode())
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror or error}); choose another file") from None
    return text


def _beside(path: str | Path, written: Path | None) -> str:
    """A path as a file at ``written`` would say it: relative to that file's folder where it lies below, else absolute."""
    resolved = Path(path).resolve()
    folder = (written.parent if written is not None else Path()).resolve()
    return str(resolved.relative_to(folder)) if resolved.is_relative_to(folder) else str(resolved)


def _target_line(experiment: Experiment, name: str, facts: Facts, reasons: Mapping[str, str]) -> str:
    config = experiment.tasks[name]
    counts = Counter({value: count for value, count in facts.counts[name].items() if value.strip()})
    total = max(sum(counts.values()), 1)
    line = f"{config.kind} ({reasons.get(f'tasks.{name}.kind', 'asked for')})"
    if config.kind in ("binary", "multiclass"):
        line += (
            "; "
            + ", ".join(f"{value} {count / total:.1%}" for value, count in counts.most_common(8))
            + (", ..." if len(counts) > 8 else "")
        )
    return line


def _sides(experiment: Experiment, source: Source) -> np.ndarray:
    """A number for the side of the split that each row (N,) is on."""
    part = split_rows(experiment, source, known_targets(source, experiment), False)
    return part.part_N.astype(np.int64) * 100 + part.fold_N


def _suspect(
    profile: Profile, source: Source, facts: Facts, roots: Roots, targets: Sequence[str], side_N: np.ndarray | None, seed: int
) -> None:
    rng = np.random.default_rng([seed, 5])
    chosen = np.sort(rng.permutation(source.rows)[:LOOKED_AT])
    profile.looked_at = len(chosen)
    labels = _labels(profile, facts, targets[0]) if targets else None
    for column in profile.columns:
        if column.role == "ignored" and column.why and not column.why.startswith("asked"):
            profile.suspicions.append(f"column {column.name!r} is left out: {column.why}")
        if column.role != "feature":
            continue
        if column.modality == "image":
            faults: list[tuple[int, str]] = []
            rows, thumbs = thumbnails(source, column.name, roots, chosen, faults)
            if faults:
                profile.unreadable[column.name] = faults
            if side_N is not None:
                _tell_twins(profile, column.name, picture_twins(rows, thumbs, side_N), "pictures", len(rows))
        elif column.modality == "text" and side_N is not None:
            _tell_twins(profile, column.name, text_twins(source, column.name, chosen, side_N), "texts", len(chosen))
        elif column.options.get("type") in ("number", "date"):
            bad = [
                (int(row) + 1, f"found {str(cell)[:40]!r}; expected a {column.options['type']}")
                for row, cell in zip(facts.sample_rows, facts.sample[column.name], strict=True)
                if column.options["type"] == "number" and not is_empty(cell) and number(cell) is None and _is_a_word(cell)
            ]
            if bad:
                profile.unreadable[column.name] = bad
        if labels is not None:
            _tell_leaks(profile, facts, column, labels, targets[0])
    if targets and labels is not None:
        counts = Counter(label for label in labels if label is not None)
        rare = [label for label, count in counts.items() if count < 5]
        if rare and profile.experiment is not None and profile.experiment.tasks[targets[0]].kind == "multiclass":
            profile.suspicions.append(
                f"target {targets[0]!r}: {len(rare)} classes have fewer than 5 of the {sum(counts.values()):,} rows looked at, such as "
                f"{rare[0]!r}"
            )


def _is_a_word(cell: Any) -> bool:
    from .modalities import is_missing_word

    return not is_missing_word(cell)


def _labels(profile: Profile, facts: Facts, target: str) -> list[str | None]:
    return [None if is_empty(cell) else str(cell) for cell in facts.sample[target]]


def _tell_twins(profile: Profile, name: str, pairs: list[tuple[int, int]], what: str, looked_at: int) -> None:
    if pairs:
        first = ", ".join(f"{left + 1} and {right + 1}" for left, right in pairs[:3])
        profile.suspicions.append(
            f"column {name!r}: {len(pairs):,} pairs of {what} that are (nearly) the same stand on different sides of the split "
            f"(rows {first}{', ...' if len(pairs) > 3 else ''}; {looked_at:,} rows compared): results may flatter; --group a column that "
            f"ties them"
        )


def _tell_leaks(profile: Profile, facts: Facts, column: Column, labels: Sequence[str | None], target: str) -> None:
    known = [at for at, label in enumerate(labels) if label is not None and not is_empty(facts.sample[column.name][at])]
    if len(known) < 20:
        return
    cells = [facts.sample[column.name][at] for at in known]
    texts = [str(labels[at]) for at in known]
    numbers: list[float] | None = None
    if profile.experiment is not None and profile.experiment.tasks[target].kind == "regression":
        values = [number(text) for text in texts]
        if any(value is None for value in values):
            return
        numbers = [float(value) for value in values if value is not None]
        ranks = np.searchsorted(np.quantile(numbers, [0.25, 0.5, 0.75]), numbers)
        texts = [str(rank) for rank in ranks]
    if column.modality in OF_FILES:
        for leak in path_leaks(cells, texts):
            profile.suspicions.append(f"column {column.name!r}: {leak}")
    elif not any(isinstance(cell, bytes) for cell in cells):
        told = column_leak(cells, texts, numbers)
        if told:
            profile.suspicions.append(f"column {column.name!r}: likely a leak: {told}")
