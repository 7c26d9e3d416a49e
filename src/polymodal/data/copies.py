"""Rows that a split must not part: copies of one another, and rows that share a long text or a file.

A row that trains and a copy of it that validates make any figure look better than on rows that nobody has seen. But a table of one category
of five values has five different rows, however many it has, and new rows are like them too: these are not copies.

**The rule.** Rows that are alike in every column that fields read are copies if there are many more of them than chance explains (more than
ten times as many). Chance is taken at its most generous, the largest of these expectations of how many rows are like a row:

- each column independent of all others: N times the product of the frequencies of the row's cells (the argument of the birthday problem);
- one column independent of the rest, for each column in turn: the rows that are like the row but for that column, times the frequency of
  its cell. This explains columns that depend on one another, such as the answers of a questionnaire: where rows are alike by chance, others
  differ in a single column;
- the first columns independent of the last, cut at some places: this explains columns of zeros and ones that spell one category;
- where no column has more than 20 values: half as many as differ from the row in one column only. Answers that go together make some rows
  frequent, and those next to them as well; next to copies there are none.

Of the whole table, all rows that are like another are copies if they are ten times as many as chance puts there; and none are if those that
seem to be are less than three times as many as chance puts there.

The frequency of a cell is that among all rows for categories, short texts and numbers of few values: a column of them alone never makes
copies. What says more (a phrase, a file, an array, a number of many values) is expected as often as *other* rows hold it; a number at least
as often as numbers of its spacing coincide where their density is even: (smallest gap between values) / (2 x interquartile range). So a
column of ages in years makes no copies, and one of measurements with decimals does. Of columns that say the same (a code and its name; a
number and its logarithm) one counts.

**Limits.** What more than 5 % of the rows (at least 10) have in common is a level that recurs by design, and no copy. Nor does a text in
more than 50 rows tell where a row comes from: it is a set phrase. A text is long from 60 characters and ten words on (25 characters of
scripts without spaces). Where chains of shared texts and files make a unit of more than 5 % of the rows, links of texts are given up before
those of files, and those of files before copies, the most shared first. So they are where fewer units are left than a split needs.

Shapes: ``N`` rows of the table, ``G`` different rows that occur several times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from ..modalities import FieldConfig, Roots
from .fingerprints import Fingerprints, Rows, fingerprints, salted
from .grouping import Links, units
from .sources import Source
from .splits import TEST, TRAIN, VALID

_BEYOND_CHANCE, _TOO_FEW = 10.0, 3.0
_SAMPLED = 2_000  # rows by which the number of copies by chance is estimated
_COMMON, _COMMON_AT_LEAST, _SET_PHRASE = 0.05, 10, 50
_FEW_VALUES = 20
_ROUNDING = 1e-7  # a gap of a smaller share of the interquartile range comes from rounding
_CUTS = 8  # places at which the columns are cut, at most
_COPY, _FILE, _TEXT = 0, 1, 2
LEAST_UNITS = 10
"""Fewer units than this are not left to split."""


@dataclass(frozen=True)
class Together:
    """``unit_N`` int64: rows of one number stay on one side of the split, None where none have to; ``copy_N`` int64: the number of the
    different row that a row is a copy of, -1 = none."""

    unit_N: np.ndarray | None
    copy_N: np.ndarray
    notes: list[str] = field(default_factory=list)
    """What was kept together, for people."""
    warnings: list[str] = field(default_factory=list)
    """What could not be kept together."""

    def across(self, part_N: np.ndarray, kind: str) -> Together:
        """Of a split by other means (``kind``), which keeps nothing together: a warning where rows that validate or test are copies of rows
        that train."""
        measured_N = np.isin(part_N, (VALID, TEST))
        trained = np.unique(self.copy_N[(part_N == TRAIN) & (self.copy_N >= 0)])
        copies = int((measured_N & np.isin(self.copy_N, trained)).sum())
        if not copies:
            return Together(None, self.copy_N)
        line = (
            f"{copies:,} of {int(measured_N.sum()):,} rows that validate or test are copies of a row that trains, since the split is by "
            f"{kind}: figures may not hold for new rows; leave the copies out of the table, or split otherwise (data.split.kind=auto)"
        )
        return Together(None, self.copy_N, warnings=[line])


def nothing_together(rows: int, group_N: np.ndarray | None = None) -> Together:
    """Every row by itself, or with its group."""
    return Together(group_N, np.full(rows, -1, np.int64))


def together(
    source: Source,
    fields: Mapping[str, FieldConfig],
    roots: Roots,
    used_N: np.ndarray,
    least: int,
    group_N: np.ndarray | None = None,
) -> Together:
    """Which rows where ``used_N`` belong together: copies, rows that share a long text or a file, and rows of one group, if any.

    :param least: how many units must be left
    :param group_N: the number of each row's group (N,), which is never parted
    """
    seen = fingerprints(source, fields, roots)
    copy_N = copies(seen, used_N)
    count = int(used_N.sum())
    common = max(_COMMON_AT_LEAST, int(_COMMON * count))
    shared = [_Shared("", _COPY, copy_N, used_N & (copy_N >= 0), common)]
    for one in seen.columns:
        if one.role == "file":
            shared.append(_Shared(one.column, _FILE, one.hash_N.view(np.int64), used_N & one.is_long, common))
        elif one.role == "text":
            shared.append(_Shared(one.column, _TEXT, one.hash_N.view(np.int64), used_N & one.is_long, min(common, _SET_PHRASE)))
    parts = [one.links(group_N) for one in shared]
    found = Together(group_N, copy_N)
    if any(len(part.rank_C) for part in parts):
        fixed = [] if group_N is None else [Links.of(group_N, used_N, None)]
        groups = count if group_N is None else len(np.unique(group_N[used_N]))
        links = Links.together([*parts, *fixed])
        unit_N, kept_C = units(links, len(used_N), used_N, common, min(least, groups))
        kept_C = kept_C[: sum(len(part.rank_C) for part in parts)]
        joined = _joined_rows(parts, kept_C, len(used_N))
        if kept_C.any():
            found = Together(unit_N, copy_N, [_note(shared, joined, count)])
    else:
        joined = [np.zeros(len(used_N), bool) for _ in parts]
    whole_N = seen.whole_N[used_N]
    is_one = count > 1 and bool((whole_N == whole_N[0]).all())
    found.warnings.extend(_left_apart(shared, joined, group_N, count, is_one))
    return found


@dataclass(frozen=True)
class _Shared:
    """What rows have in common: a copy's number, a file or a long text, by ``key_N``, where ``linked_N``. More than ``most`` rows of one
    key are not joined."""

    column: str
    kind: int
    key_N: np.ndarray
    linked_N: np.ndarray
    most: int

    def links(self, group_N: np.ndarray | None) -> Links:
        """Between rows of different groups."""
        rows = np.flatnonzero(self.linked_N)
        _, inverse, counts = np.unique(self.key_N[rows], return_inverse=True, return_counts=True)
        joins = counts <= self.most
        if group_N is not None and len(rows):
            order = np.argsort(inverse, kind="stable")
            starts = np.cumsum(counts) - counts
            lowest, highest = (ufunc.reduceat(group_N[rows[order]], starts) for ufunc in (np.minimum, np.maximum))
            joins &= lowest != highest
        linked_N = np.zeros(len(self.key_N), bool)
        linked_N[rows[joins[inverse]]] = True
        return Links.of(self.key_N, linked_N, self.kind)


def _joined_rows(parts: list[Links], kept_C: np.ndarray, rows: int) -> list[np.ndarray]:
    """By what is shared, the rows (N,) that are joined by it."""
    found = []
    for part in parts:
        kept, kept_C = kept_C[: len(part.rank_C)], kept_C[len(part.rank_C) :]
        rows_N = np.zeros(rows, bool)
        rows_N[part.row_M[kept[part.thing_M]]] = True
        found.append(rows_N)
    return found


def _note(shared: list[_Shared], joined: list[np.ndarray], count: int) -> str:
    """What stays together and why, in one line."""
    columns = [f"a {'file' if one.kind == _FILE else 'long text'} (column {one.column!r})"
               for one, rows_N in zip(shared, joined, strict=True) if one.column and rows_N.any()]  # fmt: skip
    why = ["are copies of another row"] if joined[0].any() else []
    why += [f"share {' or '.join(columns)} with another row"] if columns else []
    rows_N = np.logical_or.reduce(joined)
    return (
        f"{int(rows_N.sum()):,} of {count:,} rows {' or '.join(why)}; they stay on one side of the split "
        f"(data.split.copies=ignore splits them like any others)"
    )


def _left_apart(shared: list[_Shared], joined: list[np.ndarray], group_N: np.ndarray | None, count: int, is_one: bool) -> list[str]:
    """What could not be kept together, a line each. Set phrases are no matter."""
    if is_one:
        return [f"all {count:,} rows are alike in every column that fields read: no model can tell them apart; bring other columns"]
    lines = []
    for one, rows_N in zip(shared, joined, strict=True):
        left_N = one.linked_N & ~rows_N
        _, counts = np.unique(one.key_N[left_N], return_counts=True)
        rows = int(counts[counts > 1].sum())
        if one.kind == _TEXT or not rows or group_N is not None:
            continue
        what = f"share a file of column {one.column!r} with another row" if one.column else "are copies of another row"
        lines.append(
            f"{rows:,} of {count:,} rows {what}, of only {int((counts > 1).sum()):,} different ones: too few, or too often the same, to "
            f"stay on one side of the split; figures may not hold for new ones; name a column that ties rows (data.split.group)"
        )
    return lines


# -- which rows are copies -------------------------------------------------------------------------------------------------


def copies(seen: Rows, used_N: np.ndarray) -> np.ndarray:
    """The number (N,) of the different row that a row where ``used_N`` is a copy of, -1 = it is like no other, or only by chance."""
    copy_N = np.full(len(used_N), -1, np.int64)
    rows = np.flatnonzero(used_N & (seen.whole_N != 0))  # a row of empty cells alone is like no other
    _, first, inverse, size = np.unique(seen.whole_N[rows], return_index=True, return_inverse=True, return_counts=True)
    several = np.flatnonzero(size > 1)
    if not len(several):
        return copy_N
    columns = [Fingerprints(one.column, one.role, one.hash_N[rows], one.says_N[rows]) for one in seen.columns]
    sampled = np.unique(np.linspace(0, len(rows) - 1, _SAMPLED).astype(np.int64))
    row_G = np.concatenate([first[several], sampled])
    expected_G = _by_chance(columns, seen.whole_N[rows], row_G, size[inverse[row_G]])
    expected_G, expected_S = np.split(expected_G, [len(several)])
    alike, beyond = size[several], size[several] - 1 > _BEYOND_CHANCE * expected_G
    if alike.sum() > _BEYOND_CHANCE * len(rows) * (1 - np.exp(-expected_S)).mean():
        beyond[:] = True
    by_chance = len(rows) * np.where(expected_S * _BEYOND_CHANCE < 1, 1 - np.exp(-expected_S), 0).mean()
    if alike[beyond].sum() <= _TOO_FEW * by_chance:
        return copy_N
    copied = several[beyond]
    number = np.full(len(size), -1, np.int64)
    number[copied[np.argsort(first[copied])]] = np.arange(len(copied))
    copy_N[rows] = number[inverse]
    return copy_N


def _by_chance(columns: list[Fingerprints], whole_N: np.ndarray, row_G: np.ndarray, size_G: np.ndarray) -> np.ndarray:
    """How many rows chance makes like each of some rows (G,), which occur ``size_G`` times: see the module's docstring."""
    rows = len(whole_N)
    known: set[bytes] = set()
    share_G, left_out_G, next_G = np.ones(len(row_G)), np.zeros(len(row_G)), np.zeros(len(row_G))
    few = True
    parts: list[np.ndarray] = []
    for one in columns:
        part_N = salted(one.hash_N, one.column)
        parts.append(part_N)
        code_N, count = _coded(one.hash_N)
        if len(count) == 1 or (one.role == "cell" and _is_known(one, code_N, known)):
            continue
        chance_G = _frequency(one, code_N, count, row_G, size_G) / rows
        share_G *= chance_G
        but_one_G = _count(whole_N - part_N, row_G) - size_G
        left_out_G = np.maximum(left_out_G, but_one_G * chance_G)
        next_G += but_one_G
        few = few and len(count) <= _FEW_VALUES
    cut_G, head_N = np.zeros(len(row_G)), np.zeros(rows, np.uint64)
    cuts = set(np.linspace(0, len(parts), _CUTS + 2).astype(int).tolist()) - {0, len(parts)}
    for at, part_N in enumerate(parts, 1):
        head_N = head_N + part_N
        if at in cuts:
            head_G, tail_G = (_count(half_N, row_G) - size_G for half_N in (head_N, whole_N - head_N))
            cut_G = np.maximum(cut_G, head_G * tail_G / rows)
    return np.max([rows * share_G, left_out_G, cut_G, next_G / 2 if few else cut_G], axis=0)


def _coded(hash_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A number for each value, in the order in which they first occur (N,), and how many rows have it."""
    _, first, inverse, count = np.unique(hash_N, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place[inverse], count[order]


def _is_known(one: Fingerprints, code_N: np.ndarray, known: set[bytes]) -> bool:
    """Whether a column says what one before it says: another code for the same values, or numbers that rise (or fall) with its numbers.
    Remembers it."""
    value_N = one.value_N
    if not np.isnan(value_N).any():
        code_N = np.unique(value_N, return_inverse=True)[1]
        code_N = max(code_N, code_N.max() - code_N, key=lambda code: code.tobytes())
    digest = blake2b(code_N.astype(np.int64).tobytes(), digest_size=16).digest()
    if digest in known:
        return True
    known.add(digest)
    return False


def _count(hash_N: np.ndarray, row_G: np.ndarray) -> np.ndarray:
    """In how many rows the hash of each of some rows occurs."""
    ordered = np.sort(hash_N)
    wanted = hash_N[row_G]
    return np.searchsorted(ordered, wanted, side="right") - np.searchsorted(ordered, wanted, side="left")


def _frequency(one: Fingerprints, code_N: np.ndarray, count: np.ndarray, row_G: np.ndarray, size_G: np.ndarray) -> np.ndarray:
    """In how many rows chance puts the cell that each of some rows (G,) has in a column."""
    everywhere_G = count[code_N[row_G]].astype(np.float64)
    elsewhere_G = everywhere_G - size_G
    frequency_G = np.where(one.is_phrase[row_G], elsewhere_G, everywhere_G)
    value_N = one.value_N
    number_G = ~np.isnan(value_N[row_G])
    values = np.unique(value_N[~np.isnan(value_N)])
    if np.isfinite(values).sum() > _FEW_VALUES and number_G.any():
        low, high = np.quantile(value_N[np.isfinite(value_N)], [0.25, 0.75])
        if high > low:  # else more than half of the numbers are one and the same
            gaps = np.diff(values)
            gap = gaps[gaps > _ROUNDING * (high - low)].min(initial=np.inf)
            even = len(code_N) * gap / (2 * (high - low))
            frequency_G = np.where(number_G, np.minimum(np.maximum(elsewhere_G, even), everywhere_G), frequency_G)
    return frequency_G
