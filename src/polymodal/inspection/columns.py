"""What each column is: its modality and role, found by reading cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..cells import number
from ..data.sources import Source
from ..data.sources.source import body_of
from ..errors import ConfigError, nearest
from ..flow import Cell
from ..modalities import KINDS, MODALITIES, Roots, is_empty

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
                    value = number(cell) if not isinstance(cell, (bytes, list, dict)) else None
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
    if isinstance(cell, (list, tuple)) and any(isinstance(part, (bytes, bytearray)) for part in cell):
        return True
    if isinstance(cell, np.ndarray):
        return cell.ndim > 0 and len(cell) > _HEAVY_SAMPLE
    return isinstance(cell, (bytes, bytearray)) or (isinstance(cell, (list, tuple)) and len(cell) > _HEAVY_SAMPLE)


def _value(cell: Cell) -> str:
    if isinstance(cell, (bytes, bytearray)):
        return f"bytes {hash(bytes(cell))}"
    if isinstance(cell, np.ndarray):
        return f"array {hash(body_of(cell))}"
    text = str(cell)
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
    if column.distinct == 1 and held == facts.rows:
        column.role, column.why = "ignored", "every cell is the same"
        return
    found = {modality.kind: modality.recognise(column.cells, roots) for modality in MODALITIES}
    best = max(found, key=lambda kind: found[kind].confidence)
    column.modality, column.options, column.why = best, dict(found[best].options), found[best].why
    if found[best].confidence <= 0:
        kinds = sorted({type(cell).__name__ for cell in column.cells})
        column.role, column.modality, column.why = "ignored", None, f"cells of {', '.join(kinds)}: no modality reads them"
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
