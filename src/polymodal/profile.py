"""Inspection of a table: ``inspect`` describes its content, ``init`` writes a ``run.yaml`` for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.cells import cell_len, set_cell_size

from .cells import Writing, category
from .config import explain, quote
from .data.class_notes import Unknown, class_notes
from .data.near_duplicates import LOOKED_AT, Twins, cells_in, picture_twins, sides, text_twins
from .data.reading import CellFault, Targets, examine_targets, fit_tasks, read_targets
from .data.sources import Source, open_source
from .data.splits import OUT, Split
from .errors import DataError, UserError
from .experiment import Experiment
from .flow import Folders, Names, listed
from .inspection.columns import Column, Facts, look
from .inspection.infer import encoding_in, infer
from .inspection.leakage import column_leak, path_leaks, thumbnails
from .inspection.targets import missing_line, places_line, target_columns
from .modalities import OF_FILES, Roots, is_empty, is_missing_word
from .modalities.tabular import no_value
from .preparation import roots_of, split_rows
from .storage import write_whole

_SEVERAL = 10
"""The least number of values of a column, or of cells, from which something is concluded."""


@dataclass
class Profile:
    """The result of ``inspect``: the role of each column, the experiment that would be run, and suspicious findings."""

    table: str
    rows: int
    columns: list[Column]
    targets: dict[str, str] = field(default_factory=dict)
    """By target, one line on its task."""
    together: list[str] = field(default_factory=list)
    """Notes on the rows that the split keeps in one part: copies, and rows that share a long text or a file."""
    suspicions: list[str] = field(default_factory=list)
    unreadable: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """By column, the row (1 = first) and the fault of each unreadable cell among the cells that were read."""
    looked_at: int = 0
    experiment: Experiment | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return the profile as text for a terminal."""
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
        if self.together:
            lines += ["", *self.together]
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
    target: Any = (),
    columns: Mapping[str, str] | None = None,
    ignore: Names = (),
    group: str | None = None,
    split: str | None = None,
    root: Folders = (),
    seed: int = 0,
    time_limit: str | None = None,
    encoding: str | None = None,
) -> Profile:
    """Inspect a table: the modality of each column, missing and unreadable cells, columns that leak the target, rare classes.

    The arguments are those of ``train``. The pictures and texts of at most 5,000 rows are read; memory use hardly grows with the number of
    rows.

    :param table: a file, a dataframe or a list of rows
    :param overrides: settings as ``path=value``
    :param target: one target column, or several
    :param encoding: the encoding of a CSV or JSON file; None = detected
    :raises UserError: the table or a setting is invalid
    """
    overrides = (*overrides, *([f"data.encoding={encoding}"] if encoding is not None else []))
    source = open_source(table, encoding=encoding_in(overrides))
    source.check_rows()
    targets = target_columns(source, target)
    facts = look(source, seed)
    base = {"data": {"root": listed(root)}}
    overrides = (*overrides, f"seed={seed}", *([f"training.time_limit={time_limit}"] if time_limit else []))
    experiment, reasons, found = infer(
        source, targets, overrides, given=columns, ignore=ignore, group=group, split=split, tree=base, facts=facts
    )
    profile = Profile(source.name, source.rows, found, experiment=experiment, reasons=reasons)
    side_N, held = None, None
    if targets:
        held = examine_targets(source, experiment.tasks)
        for name in targets:
            profile.targets[name] = _target_line(experiment, name, held, reasons)
        part, kept = split_rows(experiment, source, held.known_N, False, held.readings)
        side_N = sides(part)
        profile.together = kept.notes
        profile.suspicions += kept.warnings
        _read_targets(profile, source, held, part)
    _suspect(profile, source, facts, roots_of(source, experiment.data.root), targets, held, side_N, seed)
    return profile


def init(
    table: Any,
    *overrides: str,
    target: Any,
    out: str | Path | None = "run.yaml",
    overwrite: bool = False,
    columns: Mapping[str, str] | None = None,
    ignore: Names = (),
    group: str | None = None,
    split: str | None = None,
    root: Folders = (),
    seed: int | None = None,
    time_limit: str | None = None,
    encoding: str | None = None,
) -> str:
    """Return the full ``run.yaml`` for a table, with a comment for each inferred setting, and write it to a file.

    :param table: a file, a dataframe or a list of rows
    :param target: one target column, or several
    :param out: the file to write; None = none is written
    :param overwrite: whether an existing file is replaced
    :param encoding: the encoding of a CSV or JSON file; None = detected
    :raises UserError: the table or a setting is invalid, or the file exists or cannot be written
    """
    overrides = (*overrides, *([f"data.encoding={encoding}"] if encoding is not None else []))
    source = open_source(table, encoding=encoding_in(overrides))
    targets = target_columns(source, target)
    path = None if out is None else Path(out)
    if path is not None and path.exists() and not overwrite:
        raise UserError(f"{path}: already there; choose another file (-o FILE), or replace it: --overwrite")
    base: dict[str, Any] = {"data": {"root": [_beside(folder, path) for folder in listed(root)]}}
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
    """Return a path as it is written in the file ``written``: relative to that file's folder if it is below it, otherwise absolute."""
    resolved = Path(path).resolve()
    folder = (written.parent if written is not None else Path()).resolve()
    return str(resolved.relative_to(folder)) if resolved.is_relative_to(folder) else str(resolved)


def _target_line(experiment: Experiment, name: str, held: Targets, reasons: Mapping[str, str]) -> str:
    """Return one line on a target: its task, the frequencies of its classes, and whether words such as "unknown" count as missing."""
    config, facts = experiment.tasks[name], held.facts[name]
    why = reasons.get(f"tasks.{quote(name)}.kind")
    if why is None:
        why = "; ".join(filter(None, ["asked for", places_line(facts) if config.kind == "multilabel" else ""]))
    line = f"{config.kind} ({why})"
    if config.kind in ("binary", "multiclass"):
        missing = held.readings[name].missing
        counts = Counter(facts.names)
        counts.update({facts.written[word]: rows for word, rows in facts.words.items() if word not in missing})
        total = max(sum(counts.values()), 1)
        shown = ", ".join(f"{value} {count / total:.1%}" for value, count in counts.most_common(8))
        line += f"; {shown}{', ...' if len(counts) > 8 else ''}"
    words = missing_line(facts, config.column, config.kind)
    return f"{line}; {words}" if words else line


def _read_targets(profile: Profile, source: Source, held: Targets, part: Split) -> None:
    """Read the targets as training would, and record unreadable cells and rare or unknown classes."""
    assert profile.experiment is not None
    fitting_N = np.zeros(source.rows, bool)
    fitting_N[part.fitting] = True
    try:
        tasks = fit_tasks(source, profile.experiment.tasks, held.readings, fitting_N)
    except DataError as error:
        profile.suspicions.append(f"training would stop: {error}")
        return
    unknown = Unknown()
    faults: list[CellFault] = []
    targets = read_targets(source, tasks, faults.append, unknown.listener(part.part_N))
    for column in dict.fromkeys(fault.column for fault in faults):
        profile.unreadable[column] = [(fault.row, fault.message) for fault in faults if fault.column == column]
    part.part_N[~np.logical_or.reduce([~np.isnan(target).any(1) for target in targets.values()])] = OUT
    members = [part.member(fold)[0] for fold in range(part.members)]
    profile.suspicions += class_notes(tasks, targets, part.part_N, members, unknown)


def _suspect(
    profile: Profile,
    source: Source,
    facts: Facts,
    roots: Roots,
    targets: Sequence[str],
    held: Targets | None,
    side_N: np.ndarray | None,
    seed: int,
) -> None:
    rng = np.random.default_rng([seed, 5])
    chosen = np.sort(rng.permutation(source.rows)[:LOOKED_AT])
    profile.looked_at = len(chosen)
    labels = None if held is None else _labels(profile, facts, targets[0], held)
    for column in profile.columns:
        if column.role == "ignored" and column.why and not column.why.startswith("asked"):
            profile.suspicions.append(f"column {column.name!r} is left out: {column.why}")
        if column.role != "feature":
            continue
        if column.modality == "image":
            rows, thumbs, faults = thumbnails(source, column.name, roots, chosen)
            if faults:
                profile.unreadable[column.name] = [(fault.row, fault.message) for fault in faults]
            if side_N is not None:
                twins = Twins(column.name, "pictures", picture_twins(rows, thumbs, side_N), len(rows))
                profile.suspicions += filter(None, [twins.line()])
        elif column.modality == "text" and side_N is not None:
            twins = Twins(column.name, "texts", text_twins(cells_in(source, column.name, chosen), side_N), len(chosen))
            profile.suspicions += filter(None, [twins.line()])
        elif "writing" in column.options:
            _tell_writing(profile, facts, column)
        if labels is not None:
            assert held is not None
            _tell_leaks(profile, facts, column, labels, targets[0], held)


def _tell_writing(profile: Profile, facts: Facts, column: Column) -> None:
    """Record cells that do not match the type of their column, notes on how its cells are read, and categories that do not recur."""
    writing: Writing = column.options["writing"]
    profile.suspicions += [f"column {column.name!r}: {line}" for line in writing.notes]
    if writing.type != "category":
        bad = [
            (int(row) + 1, no_value(writing, cell))
            for row, cell in zip(facts.sample_rows, facts.sample[column.name], strict=True)
            if not is_missing_word(cell) and writing.value(cell) is None and not writing.is_word(cell)
        ]
        if bad:
            profile.unreadable[column.name] = bad
        return
    names = Counter[str]()
    for text, count in facts.counts[column.name].items():
        if not is_missing_word(text):
            names[category(text)] += count
    once = sum(count == 1 for count in names.values())
    if len(names) >= _SEVERAL and once > 0.5 * len(names):
        profile.suspicions.append(
            f"column {column.name!r}: {once:,} of {len(names):,} different values occur once, such as {next(iter(names))[:40]!r}: as "
            f"categories they say nothing of new rows; if they are numbers or dates, write them in one way; take them as text with "
            f"--column {column.name}=text, or leave them out (--ignore)"
        )


def _labels(profile: Profile, facts: Facts, target: str, held: Targets) -> list[str | None]:
    """Return the target of each sampled row as text; None if it is missing, or if it is not a number and the task is regression."""
    assert profile.experiment is not None
    reading, numbers = held.readings[target], profile.experiment.tasks[target].kind == "regression"
    return [None if reading.is_missing(cell) or (numbers and reading.number(cell) is None) else str(cell) for cell in facts.sample[target]]


def _tell_leaks(profile: Profile, facts: Facts, column: Column, labels: Sequence[str | None], target: str, held: Targets) -> None:
    known = [at for at, label in enumerate(labels) if label is not None and not is_empty(facts.sample[column.name][at])]
    if len(known) < 20:
        return
    cells = [facts.sample[column.name][at] for at in known]
    texts = [str(labels[at]) for at in known]
    numbers: list[float] | None = None
    if profile.experiment is not None and profile.experiment.tasks[target].kind == "regression":
        values = [held.readings[target].number(facts.sample[target][at]) for at in known]
        known = [at for at, value in zip(known, values, strict=True) if value is not None]
        cells = [facts.sample[column.name][at] for at in known]
        numbers = [value for value in values if value is not None]
        if len(numbers) < _SEVERAL:
            return
        ranks = np.searchsorted(np.quantile(numbers, [0.25, 0.5, 0.75]), numbers)
        texts = [str(rank) for rank in ranks]
    if column.modality in OF_FILES:
        for leak in path_leaks(cells, texts):
            profile.suspicions.append(f"column {column.name!r}: {leak}")
    elif not any(isinstance(cell, bytes) for cell in cells):
        notes = column_leak(cells, texts, numbers, column.options.get("writing"))
        if notes:
            profile.suspicions.append(f"column {column.name!r}: likely a leak: {notes}")
