"""Rows that a split must keep together: copies, and rows that share a long text or a file.

If a training row has a copy among the validation rows, the measured results are better than on new rows. But equal rows need not be copies:
a table of one categorical column with five values has only five different rows, and new rows will equal them as well.

**The rule.** Rows that are equal in every column that fields read are copies if there are many more of them than chance explains (more than
ten times as many). The number of equal rows that chance explains is the largest of these expectations:

- all columns are independent: N times the product of the frequencies of the row's cells (as in the birthday problem);
- one column is independent of the rest, for each column in turn: the number of rows that differ from the row in that column alone, times
  the frequency of its cell. This explains columns that depend on one another, such as the answers of a questionnaire: if rows are equal by
  chance, others differ in a single column;
- the first columns are independent of the last, for several positions of the cut: this explains one-hot columns of a category;
- if no column has more than 20 values: half the number of rows that differ from the row in one column only. Correlated answers make some
  rows frequent, and similar rows as well; copies have no such neighbors.

For the whole table, all equal rows are copies if there are ten times as many as chance explains, and none are copies if those found by the
rule are less than three times as many as chance explains.

The frequency of a cell is its frequency among all rows for categories, short texts and numbers with few values: a column of these alone
never makes copies. Cells with more information (a phrase, a file, an array, a number with many values) have the frequency among *other*
rows. For a number it is at least the frequency with which numbers of its spacing coincide at uniform density: (smallest gap between values)
/ (2 x interquartile range). So a column of ages in years makes no copies, and one of measurements with decimals does. Of columns with the
same information (a code and its name, a number and its logarithm) only one counts.

**Limits.** Content that more than 5 % of the rows (at least 10) share is an intended repetition, and not a copy. A text in more than 50
rows is a standard phrase, and does not link rows either. A text is long if it has at least 60 characters and ten words (25 characters in
scripts without spaces). If chains of shared texts and files make a unit of more than 5 % of the rows, links by texts are removed first,
then links by files, then links by copies, and the most shared ones first in each case. The same happens if fewer units remain than a split
needs.

Shapes: ``N`` rows of the table, ``G`` different rows that occur several times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from ..language import Sentence
from ..modalities import FieldConfig, Roots
from .fingerprints import Fingerprints, Rows, fingerprints, salted
from .grouping import Links, units
from .sources import Source
from .splits import TEST, TRAIN, VALID

_BEYOND_CHANCE, _TOO_FEW = 10.0, 3.0
_SAMPLED = 2_000  # the number of rows from which the number of equal rows by chance is estimated
_COMMON, _COMMON_AT_LEAST, _SET_PHRASE = 0.05, 10, 50
_FEW_VALUES = 20
_ROUNDING = 1e-7  # gaps below this fraction of the interquartile range come from rounding
_CUTS = 8  # the maximum number of positions at which the columns are cut
_COPY, _FILE, _TEXT = 0, 1, 2
LEAST_UNITS = 10
"""The least number of units that remain to split."""


@dataclass(frozen=True)
class Together:
    """The rows that a split keeps together.

    :param unit_N: int64 (N,): rows with the same number stay in one part of the split; None = rows are independent
    :param copy_N: int64 (N,): rows with the same number are copies of each other, -1 = the row has no copy
    :param notes: messages about the rows that are kept together
    :param warnings: messages about the rows that could not be kept together
    """

    unit_N: np.ndarray | None
    copy_N: np.ndarray
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def across(self, part_N: np.ndarray, kind: str) -> Together:
        """Return the result for a split that does not keep rows together, with a warning if training rows have copies in other parts.

        :param part_N: the part of each row (N,)
        :param kind: what the split is made by, for the message
        """
        measured_N = np.isin(part_N, (VALID, TEST))
        trained = np.unique(self.copy_N[(part_N == TRAIN) & (self.copy_N >= 0)])
        copies = int((measured_N & np.isin(self.copy_N, trained)).sum())
        if not copies:
            return Together(None, self.copy_N)
        line = Sentence("copies.across", copies=copies, measured=int(measured_N.sum()), kind=kind)
        return Together(None, self.copy_N, warnings=[line])


def nothing_together(rows: int, group_N: np.ndarray | None = None) -> Together:
    """Return the result without copies: rows are independent, or stay with their group if ``group_N`` (N,) is given."""
    return Together(group_N, np.full(rows, -1, np.int64))


def copies_between(source: Source, other: Source, fields: Mapping[str, FieldConfig], roots: Roots) -> str:
    """Return a message about the rows of another table that are copies of rows of the training table; "" if there are none.

    Rows of tables with other columns are not compared. Nor are those of tables in two folders whose cells name files, since one name is
    then two files.

    :param source: the training table
    :param other: the table that is measured on
    :param fields: the fields, whose columns are compared
    :param roots: the folders of files
    """
    if any(column not in other.columns for config in fields.values() for column in config.sources):
        return ""
    if source.folder != other.folder and any(config.modality().of_files for config in fields.values()):
        return ""
    both = [fingerprints(table, fields, roots) for table in (source, other)]
    columns = [
        Fingerprints(one.column, one.role, np.concatenate([one.hash_N, two.hash_N]), np.concatenate([one.kind_N, two.kind_N]))
        for one, two in zip(both[0].columns, both[1].columns, strict=True)
    ]
    rows = Rows(columns, np.concatenate([one.whole_N for one in both]))
    copy_N = copies(rows, np.ones(len(rows.whole_N), bool))
    trained_N, measured_N = np.split(copy_N, [source.rows])
    count = int(np.isin(measured_N, trained_N[trained_N >= 0]).sum())
    return Sentence("copies.between", table=other.name, copies=count, rows=other.rows) if count else ""


def together(
    source: Source,
    fields: Mapping[str, FieldConfig],
    roots: Roots,
    used_N: np.ndarray,
    least: int,
    group_N: np.ndarray | None = None,
) -> Together:
    """Determine the rows that belong together: copies, rows that share a long text or a file, and rows of one group.

    :param source: the table
    :param fields: the fields, whose columns are compared
    :param roots: the folders of files
    :param used_N: which rows (N,) are split
    :param least: the least number of units that must remain
    :param group_N: the number of each row's group (N,); groups are never divided. None = no groups
    """
    row_fingerprints = fingerprints(source, fields, roots)
    copy_N = copies(row_fingerprints, used_N)
    count = int(used_N.sum())
    common = max(_COMMON_AT_LEAST, int(_COMMON * count))
    shared = [_Shared("", _COPY, copy_N, used_N & (copy_N >= 0), common)]
    for one in row_fingerprints.columns:
        if one.role == "file":
            shared.append(_Shared(one.column, _FILE, one.hash_N.view(np.int64), used_N & one.is_long, common))
        elif one.role == "text":
            shared.append(_Shared(one.column, _TEXT, one.hash_N.view(np.int64), used_N & one.is_long, min(common, _SET_PHRASE)))
    parts = [one.links(group_N) for one in shared]
    result = Together(group_N, copy_N)
    if any(len(part.rank_C) for part in parts):
        fixed = [] if group_N is None else [Links.of(group_N, used_N, None)]
        groups = count if group_N is None else len(np.unique(group_N[used_N]))
        links = Links.together([*parts, *fixed])
        unit_N, kept_C = units(links, len(used_N), used_N, common, min(least, groups))
        kept_C = kept_C[: sum(len(part.rank_C) for part in parts)]
        joined = _joined_rows(parts, kept_C, len(used_N))
        if kept_C.any():
            result = Together(unit_N, copy_N, [_note(shared, joined, count)])
    else:
        joined = [np.zeros(len(used_N), bool) for _ in parts]
    whole_N = row_fingerprints.whole_N[used_N]
    is_one = count > 1 and bool((whole_N == whole_N[0]).all())
    result.warnings.extend(_left_apart(shared, joined, group_N, count, is_one))
    return result


@dataclass(frozen=True)
class _Shared:
    """Content that rows share: a copy, a file or a long text.

    :param column: the column, empty for copies
    :param kind: ``_COPY``, ``_FILE`` or ``_TEXT``
    :param key_N: rows with the same key share content
    :param linked_N: which rows have such content
    :param most: the maximum number of rows with one key that are joined
    """

    column: str
    kind: int
    key_N: np.ndarray
    linked_N: np.ndarray
    most: int

    def links(self, group_N: np.ndarray | None) -> Links:
        """Return the links between rows of different groups; without groups, all links."""
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
    """Return, for each kind of shared content, the rows (N,) that are joined by it."""
    joined = []
    for part in parts:
        kept, kept_C = kept_C[: len(part.rank_C)], kept_C[len(part.rank_C) :]
        rows_N = np.zeros(rows, bool)
        rows_N[part.row_M[kept[part.content_M]]] = True
        joined.append(rows_N)
    return joined


def _note(shared: list[_Shared], joined: list[np.ndarray], count: int) -> str:
    """Return a message on the rows that stay together, and the reason."""
    columns = [Sentence("copies.file" if one.kind == _FILE else "copies.text", column=one.column)
               for one, rows_N in zip(shared, joined, strict=True) if one.column and rows_N.any()]  # fmt: skip
    why = [Sentence("copies.are")] if joined[0].any() else []
    why += [Sentence("copies.share", what=Sentence.joined(columns, "or"))] if columns else []
    rows_N = np.logical_or.reduce(joined)
    return Sentence("copies.together", rows=int(rows_N.sum()), count=count, why=Sentence.joined(why, "or"))


def _left_apart(shared: list[_Shared], joined: list[np.ndarray], group_N: np.ndarray | None, count: int, is_one: bool) -> list[str]:
    """Return a message for each kind of shared content whose rows could not be kept together. Shared texts are not reported."""
    if is_one:
        return [Sentence("copies.all", count=count)]
    lines: list[str] = []
    for one, rows_N in zip(shared, joined, strict=True):
        left_N = one.linked_N & ~rows_N
        _, counts = np.unique(one.key_N[left_N], return_counts=True)
        rows = int(counts[counts > 1].sum())
        if one.kind == _TEXT or not rows or group_N is not None:
            continue
        what = Sentence("copies.share_file", column=one.column) if one.column else Sentence("copies.are")
        lines.append(Sentence("copies.apart", rows=rows, count=count, what=what, different=int((counts > 1).sum())))
    return lines


# -- which rows are copies -------------------------------------------------------------------------------------------------


def copies(row_fingerprints: Rows, used_N: np.ndarray) -> np.ndarray:
    """Return the number of the group of copies (N,) that each row belongs to; -1 = no row equals it, or only by chance.

    :param row_fingerprints: the fingerprints of the rows
    :param used_N: which rows (N,) are compared
    """
    copy_N = np.full(len(used_N), -1, np.int64)
    rows = np.flatnonzero(used_N & (row_fingerprints.whole_N != 0))  # a row of empty cells is never a copy
    _, first, inverse, size = np.unique(row_fingerprints.whole_N[rows], return_index=True, return_inverse=True, return_counts=True)
    several = np.flatnonzero(size > 1)
    if not len(several):
        return copy_N
    columns = [Fingerprints(one.column, one.role, one.hash_N[rows], one.kind_N[rows]) for one in row_fingerprints.columns]
    sampled = np.unique(np.linspace(0, len(rows) - 1, _SAMPLED).astype(np.int64))
    row_G = np.concatenate([first[several], sampled])
    expected_G = _by_chance(columns, row_fingerprints.whole_N[rows], row_G, size[inverse[row_G]])
    expected_G, expected_S = np.split(expected_G, [len(several)])
    size_G, beyond = size[several], size[several] - 1 > _BEYOND_CHANCE * expected_G
    if size_G.sum() > _BEYOND_CHANCE * len(rows) * (1 - np.exp(-expected_S)).mean():
        beyond[:] = True
    by_chance = len(rows) * np.where(expected_S * _BEYOND_CHANCE < 1, 1 - np.exp(-expected_S), 0).mean()
    if size_G[beyond].sum() <= _TOO_FEW * by_chance:
        return copy_N
    copied = several[beyond]
    number = np.full(len(size), -1, np.int64)
    number[copied[np.argsort(first[copied])]] = np.arange(len(copied))
    copy_N[rows] = number[inverse]
    return copy_N


def _by_chance(columns: list[Fingerprints], whole_N: np.ndarray, row_G: np.ndarray, size_G: np.ndarray) -> np.ndarray:
    """Return the expected number of rows that equal each of some rows by chance (G,); see the docstring of the module.

    :param columns: the fingerprints by column
    :param whole_N: the fingerprint of each row
    :param row_G: the rows
    :param size_G: the number of occurrences of each of them
    """
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
    result: np.ndarray = np.max([rows * share_G, left_out_G, cut_G, next_G / 2 if few else cut_G], axis=0)
    return result


def _coded(hash_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each value in the order of first occurrence (N,), and the number of rows of each value."""
    _, first, inverse, count = np.unique(hash_N, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place[inverse], count[order]


def _is_known(one: Fingerprints, code_N: np.ndarray, known: set[bytes]) -> bool:
    """Return whether an earlier column has the same information: another code of the same values, or a monotonic function of its numbers.
    The column is added to ``known``."""
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
    """Return the number of rows with the hash of each of some rows (G,)."""
    ordered = np.sort(hash_N)
    hash_G = hash_N[row_G]
    result: np.ndarray = np.searchsorted(ordered, hash_G, side="right") - np.searchsorted(ordered, hash_G, side="left")
    return result


def _frequency(one: Fingerprints, code_N: np.ndarray, count: np.ndarray, row_G: np.ndarray, size_G: np.ndarray) -> np.ndarray:
    """Return the expected number of rows (G,) that have by chance the cell of each of some rows in a column."""
    everywhere_G = count[code_N[row_G]].astype(np.float64)
    elsewhere_G = everywhere_G - size_G
    frequency_G = np.where(one.is_phrase[row_G], elsewhere_G, everywhere_G)
    value_N = one.value_N
    number_G = ~np.isnan(value_N[row_G])
    values = np.unique(value_N[~np.isnan(value_N)])
    if np.isfinite(values).sum() > _FEW_VALUES and number_G.any():
        low, high = np.quantile(value_N[np.isfinite(value_N)], [0.25, 0.75])
        if high > low:  # otherwise more than half of the numbers are equal
            gaps = np.diff(values)
            gap = gaps[gaps > _ROUNDING * (high - low)].min(initial=np.inf)
            even = len(code_N) * gap / (2 * (high - low))
            frequency_G = np.where(number_G, np.minimum(np.maximum(elsewhere_G, even), everywhere_G), frequency_G)
    result: np.ndarray = frequency_G
    return result
