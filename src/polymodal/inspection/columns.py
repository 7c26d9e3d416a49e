"""Statistics of the columns of a table, from one pass over its cells."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..cells import LONGEST_MISSING_WORD, MISSING_WORDS, category, is_missing_word
from ..data.sources import Source
from ..data.sources.source import body_of
from ..flow import Cell
from ..language import Sentence
from ..modalities import is_empty
from ..random_streams import Stream, generator

SAMPLE = 1_000
"""The number of rows whose cells are kept for closer inspection."""
_HEAVY_SAMPLE = 64
_CHARS_SAMPLE = 20_000
_DISTINCT = 10_000
REQUESTED = Sentence("why.requested")
"""The reason for the role of a column that the caller gave."""
_WHOLE = re.compile(r"([+-]?[0-9]{1,38})(?:\.0*)?")
FEWEST_IDS = 20
"""The least number of different values of a column that may be ids."""
_GAPLESS, _MANY_IDS, _HALF_GAPLESS = 0.9, 1_000, 0.5
"""The least density of ids: the share of the whole numbers between the smallest and the largest id that occur. From ``_MANY_IDS`` ids on,
which may be a part of a larger table, ``_HALF_GAPLESS`` is enough."""


@dataclass
class Column:
    """The content of one column: its ``role`` (feature, target, ignored, group, split or weight), its modality, and statistics of its
    cells."""

    name: str
    role: str
    modality: str | None = None
    second: str | None = None
    """A second modality or type, as which the column is read besides the first: text for a category, category for a text; None = none."""
    second_why: str = ""
    """The reason for ``second``."""
    options: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    contradicted: bool = False
    """Whether the type that a sample of the cells suggested was replaced by category, because cells of the whole table contradict it."""
    unread: bool = False
    """Whether the column is ignored because no modality reads its cells, rather than because it carries no information."""
    missing: float = 0.0
    distinct: int = 0
    capped: bool = False
    requested: bool = False
    """Whether the modality was given by the caller rather than inferred."""
    cells: list[Cell] = field(default_factory=list, repr=False)

    @property
    def reason(self) -> str:
        """The reasons for the modality and for the second one."""
        if self.second is None:
            return self.why
        return Sentence("why.and_also", why=self.why, second=self.second, second_why=self.second_why)


@dataclass
class Facts:
    """Statistics of a table from one pass over it. By column: the number of empty cells (``missing``), the number of words that may stand
    for a missing value (``words``), the frequencies of its values (``counts``, incomplete for columns in ``capped``), and a sample of its
    cells. ``ids`` holds the columns of distinct whole numbers that look like ids."""

    rows: int
    missing: Counter[str]
    words: Counter[str]
    counts: Mapping[str, Counter[str]]
    capped: set[str]
    ids: set[str]
    sample_rows: np.ndarray
    sample: Mapping[str, list[Cell]]

    def names(self, column: str) -> Counter[str]:
        """Return the frequencies of the values of a column as categories, without words that stand for a missing value."""
        names: Counter[str] = Counter()
        for text, count in self.counts[column].items():
            if not is_missing_word(text):
                names[category(text)] += count
        return names


def look(source: Source, seed: int = 0) -> Facts:
    """Read a whole table once and return its statistics.

    Memory is bounded by the cells of ``SAMPLE`` rows, 10,000 values for each column, and 8 bytes a row for each column of whole numbers.
    """
    rng = generator(Stream.INSPECTED_CELLS, seed)
    chosen = np.sort(rng.permutation(source.rows)[:SAMPLE]) if source.rows > SAMPLE else np.arange(source.rows)
    missing: Counter[str] = Counter()
    words: Counter[str] = Counter()
    counts: dict[str, Counter[str]] = {name: Counter() for name in source.columns}
    capped: set[str] = set()
    whole = {name: _WholeNumbers() for name in source.columns}
    sample: dict[str, list[Cell]] = {name: [] for name in source.columns}
    heavy: dict[str, list[int]] = {name: [] for name in source.columns}
    met: Counter[str] = Counter()
    start = 0
    for part in source.slices(source.columns):
        rows = len(part[source.columns[0]])
        inside = chosen[(chosen >= start) & (chosen < start + rows)] - start
        for name, cells in part.items():
            for at in inside:
                sample[name].append(_cut(cells[at]))
                if _is_heavy(cells[at]):
                    met[name] += 1
                    _keep_some(sample[name], heavy[name], met[name], rng)
            for cell in cells:
                if is_empty(cell):
                    missing[name] += 1
                    continue
                if isinstance(cell, str) and len(cell) <= LONGEST_MISSING_WORD and cell.strip().casefold() in MISSING_WORDS:
                    words[name] += 1
                elif name in whole and not whole[name].add(cell):
                    del whole[name]
                if name not in capped:
                    counts[name][_value(cell)] += 1
                    if len(counts[name]) > _DISTINCT:
                        capped.add(name)
        start += rows
    ids = {name for name, numbers in whole.items() if numbers.are_ids()}
    return Facts(source.rows, missing, words, counts, capped, ids, chosen, sample)


class _WholeNumbers:
    """The whole numbers of a column, exact at any size, stored as differences from the first one."""

    def __init__(self) -> None:
        self._first: int | None = None
        self._away = array("q")

    def add(self, cell: Cell) -> bool:
        """Add one cell, and return whether it is a whole number close enough to the first one (64 bits) to be stored."""
        value = cell if type(cell) is int else _whole(cell)
        if value is None:
            return False
        if self._first is None:
            self._first = value
        try:
            self._away.append(value - self._first)
        except OverflowError:
            return False
        return True

    def are_ids(self) -> bool:
        """Return whether all numbers differ, and either increase from row to row or leave hardly any gaps."""
        away_N = np.frombuffer(self._away, np.int64) if len(self._away) else np.zeros(0, np.int64)
        if len(away_N) < FEWEST_IDS:
            return False
        if (away_N[1:] > away_N[:-1]).all():
            return True
        if len(np.unique(away_N)) < len(away_N):
            return False
        dense = len(away_N) / (float(away_N.max()) - float(away_N.min()) + 1)
        return dense >= (_HALF_GAPLESS if len(away_N) >= _MANY_IDS else _GAPLESS)


def _whole(cell: Cell) -> int | None:
    """Return the whole number in a cell, or None if it contains none."""
    if isinstance(cell, str):
        match = _WHOLE.fullmatch(cell.strip()) if len(cell) <= 64 else None
        return int(match[1]) if match else None
    if isinstance(cell, (bool, np.bool_)):
        return None
    if isinstance(cell, (int, np.integer)):
        return int(cell)
    return int(cell) if isinstance(cell, (float, np.floating)) and float(cell).is_integer() else None


def _keep_some(sample: list[Cell], kept: list[int], met: int, rng: np.random.Generator) -> None:
    """Keep a uniform sample of the large cells seen so far, of which the last is the ``met``-th (reservoir sampling, Vitter 1985)."""
    if len(kept) < _HEAVY_SAMPLE:
        kept.append(len(sample) - 1)
        return
    place = int(rng.integers(met))
    gone = len(sample) - 1
    if place < _HEAVY_SAMPLE:
        gone, kept[place] = kept[place], gone
    sample[gone] = None


def _cut(cell: Cell) -> Cell:
    """Return the beginning of a long text; a list written as text is kept whole, since it could not be parsed otherwise."""
    return cell[:_CHARS_SAMPLE] if isinstance(cell, str) and not cell.startswith("[") else cell


def _is_heavy(cell: Cell) -> bool:
    """Return whether a cell is large (a picture, a sound, a long series), so that only some such cells are kept."""
    if isinstance(cell, str):
        return len(cell) > _CHARS_SAMPLE and cell.startswith("[")
    if isinstance(cell, (list, tuple)) and any(isinstance(part, (bytes, bytearray, np.ndarray)) for part in cell):
        return True
    if isinstance(cell, np.ndarray):
        return cell.size > _HEAVY_SAMPLE
    return isinstance(cell, (bytes, bytearray)) or (isinstance(cell, (list, tuple)) and len(cell) > _HEAVY_SAMPLE)


def _value(cell: Cell) -> str:
    """Return a text of at most about 200 characters that equal cells share and different cells do not."""
    if isinstance(cell, (bytes, bytearray)):
        return f"bytes {hash(bytes(cell))}"
    if isinstance(cell, np.ndarray):
        return f"array {hash(body_of(cell))}"
    if isinstance(cell, (list, tuple)) and any(isinstance(part, np.ndarray) for part in cell):
        return f"list {hash(body_of(cell))}"
    try:
        text = str(cell)
    except ValueError:  # an integer with more digits than Python converts to text
        return f"{type(cell).__name__} {hash(body_of(cell))}"
    return text if len(text) <= 200 else f"{text[:100]} {hash(text)}"
