"""What each column is: its modality and role, found by reading cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..cells import number, type_of
from ..data.sources import Source
from ..data.sources.source import body_of
from ..errors import ConfigError, DataError, Fault, nearest
from ..flow import Cell
from ..modalities import KINDS, MODALITIES, Roots, is_empty, is_missing_word
from ..modalities.objects import Unreadable, described, is_empty_list, is_object
from ..tasks import labels_of
from ..tasks.classes import name_of

SAMPLE = 1_000
"""Rows whose cells are kept for a closer look."""
_HEAVY_SAMPLE = 64
_CHARS_SAMPLE = 20_000
_DISTINCT = 10_000
TABULAR_TYPES = ("number", "category", "date")
_CODE = re.compile(r"(?=.*\d)[\w.:#/-]+")


@dataclass
class Column:
    """What one column holds. ``role``: feature, target, ignored, group, split or weight."""

    name: str
    role: str
    modality: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    unread: bool = False
    """Whether it is ignored because no modality reads its cells, and not since it says nothing."""
    missing: float = 0.0
    distinct: int = 0
    capped: bool = False
    cells: list[Cell] = field(default_factory=list, repr=False)


@dataclass
class Facts:
    """One pass over the table: for each column, how many cells are empty, how many differ, and a sample of them."""

    rows: int
    missing: Counter[str]
    counts: Mapping[str, Counter[str]]
    capped: set[str]
    rising: set[str]
    sample_rows: np.ndarray
    sample: Mapping[str, list[Cell]]


def look(source: Source, seed: int = 0) -> Facts:
    """Read the whole table once; memory is bounded by ``SAMPLE`` rows and 10,000 values a column."""
    rng = np.random.default_rng([seed, 3])
    chosen = np.sort(rng.permutation(source.rows)[:SAMPLE]) if source.rows > SAMPLE else np.arange(source.rows)
    missing: Counter[str] = Counter()
    counts: dict[str, Counter[str]] = {name: Counter() for name in source.columns}
    capped: set[str] = set()
    last: dict[str, float] = {}
    rising = set(source.columns)
    sample: dict[str, list[Cell]] = {name: [] for name in source.columns}
    start = 0
    for part in source.slices(source.columns):
        rows = len(part[source.columns[0]])
        inside = chosen[(chosen >= start) & (chosen < start + rows)] - start
        for name, cells in part.items():
            for at in inside:
                keep = not _is_heavy(cells[at]) or len(sample[name]) < _HEAVY_SAMPLE
                sample[name].append(_cut(cells[at]) if keep else None)
            for cell in cells:
                if is_empty(cell):
                    missing[name] += 1
                    continue
                if name in rising:
                    value = number(cell) if not isinstance(cell, (bytes, list, dict, np.ndarray)) else None
                    if value is None or not value.is_integer() or value <= last.get(name, -np.inf):
                        rising.discard(name)
                    else:
                        last[name] = value
                if name not in capped:
                    counts[name][_value(cell)] += 1
                    if len(counts[name]) > _DISTINCT:
                        capped.add(name)
        start += rows
    return Facts(source.rows, missing, counts, capped, rising, chosen, sample)


def _cut(cell: Cell) -> Cell:
    """The beginning of a long text; a list written as text is kept whole, or it would be none."""
    return cell[:_CHARS_SAMPLE] if isinstance(cell, str) and not cell.startswith("[") else cell


def _is_heavy(cell: Cell) -> bool:
    """A picture, a sound, a long series: some of them are enough to see what they are."""
    if isinstance(cell, str):
        return len(cell) > _CHARS_SAMPLE and cell.startswith("[")
    if isinstance(cell, (list, tuple)) and any(isinstance(part, (bytes, bytearray, np.ndarray)) for part in cell):
        return True
    if isinstance(cell, np.ndarray):
        return cell.size > _HEAVY_SAMPLE
    return isinstance(cell, (bytes, bytearray)) or (isinstance(cell, (list, tuple)) and len(cell) > _HEAVY_SAMPLE)


def _value(cell: Cell) -> str:
    if isinstance(cell, (bytes, bytearray)):
        return f"bytes {hash(bytes(cell))}"
    if isinstance(cell, np.ndarray):
        return f"array {hash(body_of(cell))}"
    if isinstance(cell, (list, tuple)) and any(isinstance(part, np.ndarray) for part in cell):
        return f"list {hash(body_of(cell))}"
    try:
        text = str(cell)
    except ValueError:  # an integer of more digits than Python writes
        return f"{type(cell).__name__} {hash(body_of(cell))}"
    return text if len(text) <= 200 else f"{text[:100]} {hash(text)}"


def describe(
    source: Source,
    facts: Facts,
    roots: Roots,
    targets: Sequence[str],
    given: Mapping[str, str],
    roles: Mapping[str, str],
) -> list[Column]:
    """Every column's role and modality. ``given``: modality (or number, category, date) by column; ``roles``: ignored,
    group, split or weight by column."""
    source.check([*targets, *given, *roles])
    for name, modality in given.items():
        if modality not in (*KINDS, *TABULAR_TYPES):
            options = [*KINDS, *TABULAR_TYPES]
            raise ConfigError(
                f"--column {name}={modality}: not a modality; expected one of {', '.join(options)}{nearest(modality, options)}"
            )
    columns = []
    for name in source.columns:
        cells = [cell for cell in facts.sample[name] if not is_empty(cell)]
        column = Column(
            name, "feature", missing=facts.missing[name] / max(facts.rows, 1), distinct=len(facts.counts[name]),
            capped=name in facts.capped, cells=cells,
        )  # fmt: skip
        columns.append(column)
        if name in targets:
            column.role, column.why = "target", "asked for"
        elif name in roles:
            column.role, column.why = roles[name], "asked for"
        elif name in given:
            kind = given[name]
            column.modality = "tabular" if kind in TABULAR_TYPES else kind
            column.options = {"type": kind} if kind in TABULAR_TYPES else {}
            column.why = "asked for"
        else:
            _recognise(column, facts, roots)
    return columns


def _recognise(column: Column, facts: Facts, roots: Roots) -> None:
    held = facts.rows - facts.missing[column.name]
    if not column.cells:
        column.role, column.why = "ignored", "every cell is empty"
        return
    filled = [cell for cell in column.cells if not is_empty_list(cell)]
    cells = [cell for cell in filled if not is_object(cell)]
    if not cells or 2 * len(cells) < len(filled):  # of fewer, each such cell is a fault of its own
        _leave_unread(column)
        return
    if column.distinct == 1 and held == facts.rows:
        column.role, column.why = "ignored", "every cell is the same"
        return
    found = {modality.kind: modality.recognise(cells, roots) for modality in MODALITIES}
    best = max(found, key=lambda kind: found[kind].confidence)
    column.modality, column.options, column.why = best, dict(found[best].options), found[best].why
    if found[best].confidence <= 0:
        _leave_unread(column)
        return
    unique = held >= 20 and (column.capped or column.distinct == held)
    if not next(modality for modality in MODALITIES if modality.kind == best).may_be_id:
        return
    if unique and column.name in facts.rising and column.options.get("type") == "number":
        column.role, column.why = "ignored", "whole numbers that rise from row to row: an id"
    elif (
        unique
        and all(isinstance(cell, str) and _CODE.fullmatch(cell.strip()) for cell in column.cells)
        and column.options.get("type") not in ("number", "date")
    ):
        column.role, column.why = "ignored", "a different code in every row: an id"


def _leave_unread(column: Column) -> None:
    """Ignore a column whose cells no modality reads, and say what they are."""
    kinds = [kind for kind, _ in Counter(map(described, column.cells)).most_common(4)]
    told = ", ".join(kinds[:3]) + (", ..." if len(kinds) > 3 else "")
    column.role, column.modality, column.options, column.unread = "ignored", None, {}, True
    column.why = f"cells of {told}: no modality reads them"


def guess_task(column: Column, facts: Facts, place: str) -> tuple[dict[str, Any], str]:
    """The task that a target column asks for, and why."""
    cells = [cell for cell in column.cells if not is_missing_word(cell)]
    counts = facts.counts[column.name]
    if not cells:
        raise DataError(f"{place}: every cell is empty; expected a target; choose another column")
    strange = next((cell for cell in cells if isinstance(cell, (bytes, dict, Unreadable))), None)
    if strange is not None:
        raise DataError(f"{place}: found {described(strange)}; expected classes, numbers or lists of labels; choose another target")
    if any(isinstance(cell, (list, tuple, np.ndarray)) for cell in cells):
        return {"kind": "multilabel", "column": column.name}, "its cells are lists"
    texts = [cell for cell in cells if isinstance(cell, str)]
    if len(texts) == len(cells) and all(text.strip().startswith("[") and text.strip().endswith("]") for text in texts):
        return {"kind": "multilabel", "column": column.name}, "its cells are lists"
    if len(texts) == len(cells) and sum(";" in text for text in texts) >= 0.1 * len(texts):
        labels = Counter(label for text in texts for label in labels_of(text))
        if labels and len(labels) <= 0.5 * sum(labels.values()):
            return {"kind": "multilabel", "column": column.name}, "its cells are labels with ';' between them"
    names = Counter[str]()
    for text, count in counts.items():
        if not is_missing_word(text):
            try:
                names[name_of(text)] += count
            except Fault as fault:
                raise DataError(f"{place}: found {text[:40]!r}, {fault}; mend those cells, or choose another target") from None
    kind, share = type_of(cells)
    if kind == "number" and share == 1.0:
        values = [number(cell) for cell in cells]
        whole = all(value is not None and value.is_integer() for value in values)
        often = sum(names.values()) / max(len(names), 1)
        if not (whole and len(names) <= 20 and (often >= 5 or len(names) <= 2)):
            return {"kind": "regression", "column": column.name}, f"{len(names):,} different numbers"
    if column.capped or (len(names) > 20 and len(names) > 0.5 * sum(names.values())):
        raise DataError(
            f"{place}: {len(names):,} different values in {sum(names.values()):,} rows; expected classes that come back, or numbers; "
            f"choose another target"
        )
    if len(names) < 2:
        only = next(iter(names), "")
        raise DataError(f"{place}: only one class, {only!r}; expected two classes or more; choose another target")
    chosen = "binary" if len(names) == 2 else "multiclass"
    return {"kind": chosen, "column": column.name}, f"{len(names)} values, {sum(names.values()) / len(names):.0f} rows each on average"
