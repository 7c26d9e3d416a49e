"""Suspicious findings about a table: unreadable cells, near duplicates across the split, columns that leak the target, rare classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ..cells import Writing
from ..config import quote
from ..data.class_notes import Unknown, class_notes
from ..data.near_duplicates import MOST_COMPARED, NearDuplicates, cells_in, picture_duplicates, text_duplicates
from ..data.reading import CellFault, Targets, fit_tasks, read_targets
from ..data.sources import Source
from ..data.splits import OUT, Split
from ..errors import DataError
from ..experiment import Experiment
from ..language import Sentence
from ..modalities import OF_FILES, Roots, is_empty, is_missing_word, modality_of
from ..modalities.tabular import no_value
from ..random_streams import Stream, generator
from ..tasks.classes import shares_text
from .columns import REQUESTED, Column, Facts
from .leakage import column_leak, path_leaks, thumbnails
from .profile import Profile
from .targets import missing_line

_SEVERAL = 10
"""The least number of values of a column, or of cells, from which something is concluded."""


def target_line(experiment: Experiment, name: str, content: Targets, reasons: Mapping[str, str]) -> str:
    """Return one line on a target: its task, the frequencies of its classes, and whether words such as "unknown" count as missing."""
    config, facts = experiment.tasks[name], content.facts[name]
    why = reasons.get(f"tasks.{quote(name)}.kind")
    if why is None:
        why = Sentence.joined([REQUESTED, *filter(None, [facts.places_note if config.task().answers_are_lists else ""])])
    line = Sentence("target.kind", kind=config.kind, why=why)
    if config.task().has_classes and not config.task().cells_are_lists:
        missing = content.readings[name].missing
        counts = Counter(facts.names)
        counts.update({facts.written[word]: rows for word, rows in facts.words.items() if word not in missing})
        shown = shares_text(counts.items(), sum(counts.values()), 8, ".1%")
        line = Sentence("target.classes", kind=config.kind, why=why, shown=shown)
    words = missing_line(facts, config.column, config.task())
    return Sentence.joined([line, words]) if words else line


def read_all_targets(profile: Profile, source: Source, content: Targets, part: Split) -> None:
    """Read the targets as training would, and record unreadable cells and rare or unknown classes."""
    assert profile.experiment is not None
    try:
        tasks = fit_tasks(source, profile.experiment.tasks, content.readings, part.fitting_N)
    except DataError as error:
        profile.suspicions.append(Sentence("suspicion.stops", error=str(error)))
        return
    unknown = Unknown()
    faults: list[CellFault] = []
    targets = read_targets(source, tasks, faults.append, unknown.listener(part.part_N))
    for column in dict.fromkeys(fault.column for fault in faults):
        profile.unreadable[column] = [(fault.row, fault.message) for fault in faults if fault.column == column]
    part.part_N[~np.logical_or.reduce([~np.isnan(target).any(1) for target in targets.values()])] = OUT
    members = [part.member(fold)[0] for fold in range(part.members)]
    profile.suspicions += class_notes(tasks, targets, part.part_N, members, unknown)


def without_target(known_N: np.ndarray) -> list[str]:
    """Return a line about the rows without a target, none if every row has one.

    :param known_N: (N,) whether each row has a target
    """
    count = int((~known_N).sum())
    return [Sentence("left_out.rows", count=count, rows=len(known_N))] if count else []


def add_suspicions(
    profile: Profile,
    source: Source,
    facts: Facts,
    roots: Roots,
    targets: Sequence[str],
    content: Targets | None,
    side_N: np.ndarray | None,
    seed: int,
) -> None:
    """Add what is suspicious about the columns to the profile: ignored columns, faults, near duplicates, and leaks of the first target.

    :param facts: a sample of the rows
    :param targets: the target columns
    :param content: the content of the target columns; None = there is no target
    :param side_N: (N,) the side of the split of each row (``near_duplicates.sides``); None = there is no target, or there are
        too few rows to split
    """
    rng = generator(Stream.SUSPECT_ROWS, seed)
    chosen = np.sort(rng.permutation(source.rows)[:MOST_COMPARED])
    profile.looked_at = len(chosen)
    profile.suspicions += [] if content is None else without_target(content.known_N)
    labels = None if content is None else _labels(profile, facts, targets[0], content)
    for column in profile.columns:
        if column.role == "ignored" and column.why and column.why != REQUESTED:
            profile.suspicions.append(Sentence("left_out", column=column.name, why=column.why))
        if column.role != "feature":
            continue
        near_duplicates = modality_of(column.modality).near_duplicates if column.modality is not None else ""
        if near_duplicates == "pixels":
            rows, thumbs, faults = thumbnails(source, column.name, roots, chosen)
            if faults:
                profile.unreadable[column.name] = [(fault.row, fault.message) for fault in faults]
            if side_N is not None:
                duplicates = NearDuplicates(column.name, "pictures", picture_duplicates(rows, thumbs, side_N), len(rows))
                profile.suspicions += filter(None, [duplicates.line()])
        elif near_duplicates == "words" and side_N is not None and column.second is None:
            duplicates = NearDuplicates(column.name, "texts", text_duplicates(cells_in(source, column.name, chosen), side_N), len(chosen))
            profile.suspicions += filter(None, [duplicates.line()])
        elif "writing" in column.options:
            _add_faults_of_writing(profile, facts, column)
        if labels is not None:
            assert content is not None
            _add_leaks(profile, facts, column, labels, targets[0], content)


def _add_faults_of_writing(profile: Profile, facts: Facts, column: Column) -> None:
    """Record cells that do not match the type of their column, notes on how its cells are read, and categories that do not recur."""
    writing: Writing = column.options["writing"]
    profile.suspicions += [Sentence("note.of_column", column=column.name, line=line) for line in writing.notes]
    if writing.type != "category":
        bad = [
            (int(row) + 1, no_value(writing, cell))
            for row, cell in zip(facts.sample_rows, facts.sample[column.name], strict=True)
            if not is_missing_word(cell) and writing.value(cell) is None and not writing.is_word(cell)
        ]
        if bad:
            profile.unreadable[column.name] = bad
        return
    names = facts.names(column.name)
    once = [name for name, count in names.items() if count == 1]
    if len(names) >= _SEVERAL and len(once) > 0.5 * len(names) and column.second is None:
        profile.suspicions.append(
            Sentence("suspicion.once", column=column.name, once=len(once), different=len(names), example=once[0][:40])
        )


def _labels(profile: Profile, facts: Facts, target: str, content: Targets) -> list[str | None]:
    """Return the target of each sampled row as text; None if it is missing, or if it is not a number and the task has no classes."""
    assert profile.experiment is not None
    reading, numbers = content.readings[target], not profile.experiment.tasks[target].task().has_classes
    return [None if reading.is_missing(cell) or (numbers and reading.number(cell) is None) else str(cell) for cell in facts.sample[target]]


def _add_leaks(profile: Profile, facts: Facts, column: Column, labels: Sequence[str | None], target: str, content: Targets) -> None:
    """Record whether a column leaks the target. Columns with fewer than 20 rows that have both are not examined.

    :param labels: the target of each sampled row as text, or None
    """
    known = [at for at, label in enumerate(labels) if label is not None and not is_empty(facts.sample[column.name][at])]
    if len(known) < 20:
        return
    cells = [facts.sample[column.name][at] for at in known]
    texts = [str(labels[at]) for at in known]
    numbers: list[float] | None = None
    if profile.experiment is not None and not profile.experiment.tasks[target].task().has_classes:
        values = [content.readings[target].number(facts.sample[target][at]) for at in known]
        known = [at for at, value in zip(known, values, strict=True) if value is not None]
        cells = [facts.sample[column.name][at] for at in known]
        numbers = [value for value in values if value is not None]
        if len(numbers) < _SEVERAL:
            return
        ranks = np.searchsorted(np.quantile(numbers, [0.25, 0.5, 0.75]), numbers)
        texts = [str(rank) for rank in ranks]
    if column.modality in OF_FILES:
        for leak in path_leaks(cells, texts):
            profile.suspicions.append(Sentence("note.of_column", column=column.name, line=leak))
    elif not any(isinstance(cell, bytes) for cell in cells):
        notes = column_leak(cells, texts, numbers, column.options.get("writing"))
        if notes:
            profile.suspicions.append(Sentence("note.leak", column=column.name, line=notes))
