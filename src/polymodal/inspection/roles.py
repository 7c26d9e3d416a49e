"""Determines the modality and role of each column by reading its cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from ..cells import Writing, category, is_missing_word, writing_of
from ..data.sources import Source
from ..errors import ConfigError, nearest, spelled
from ..language import Sentence
from ..modalities import COLUMN_TYPES, KINDS, MODALITIES, Roots, is_empty, modality_of
from ..modalities.objects import described, is_empty_list, is_object
from .columns import FEWEST_IDS, REQUESTED, Column, Facts
from .strings import read_twice
from .whole_table import fall_back

_CODE = re.compile(r"(?=.*\d)[\w.:#/-]+")


def describe(
    source: Source,
    facts: Facts,
    roots: Roots,
    targets: Sequence[str],
    given: Mapping[str, str],
    roles: Mapping[str, str],
    max_faults: float = 0.05,
) -> list[Column]:
    """Return the role and the modality of every column.

    :param facts: what ``look`` returned
    :param roots: the folders that file cells may refer to
    :param targets: the names of the target columns
    :param given: modality, or number, category or date, by column, as requested by the caller
    :param roles: ignored, group, split or weight by column
    :param max_faults: the largest share of a column's cells, between 0 and 1, that may be unreadable
    :raises ConfigError: ``given`` is not a mapping, or a modality is unknown
    :raises DataError: a named column does not exist
    """
    if not isinstance(given, Mapping):
        raise ConfigError(f"columns: found {type(given).__name__}; expected a mapping such as {{'age': 'number'}}")
    source.check([*targets, *given, *roles])
    for name, modality in given.items():
        if modality not in (*KINDS, *COLUMN_TYPES):
            options = [*KINDS, *COLUMN_TYPES]
            place = spelled(f"--column {name}={modality}", f"columns: {name}={modality}")
            raise ConfigError(f"{place}: not a modality; expected one of {', '.join(options)}{nearest(modality, options)}")
    columns = []
    for name in source.columns:
        cells = [cell for cell in facts.sample[name] if not is_empty(cell)]
        column = Column(
            name, "feature", missing=facts.missing[name] / max(facts.rows, 1), distinct=len(facts.counts[name]),
            capped=name in facts.capped, cells=cells,
        )  # fmt: skip
        columns.append(column)
        if name in targets:
            column.role, column.why = "target", REQUESTED
        elif name in roles:
            column.role, column.why = roles[name], REQUESTED
        elif name in source.index and name not in given:
            column.role, column.why = "ignored", Sentence("why.index")
        elif name in given:
            kind = given[name]
            column.modality = modality_of(kind).kind
            column.requested, column.why = True, REQUESTED
            if modality_of(kind).joins_columns:
                writing = writing_of(cells, kind if kind in COLUMN_TYPES else None)  # type: ignore[arg-type]
                column.options = {"type": writing.type, "writing": writing}
                _count_missing(column, facts)
        else:
            _recognise(column, facts, roots)
    fall_back(source, columns, facts, max_faults)
    for column in columns:
        if column.role == "feature" and not column.requested:
            if modality_of(str(column.modality)).joins_columns:
                _count_missing(column, facts)
            _leave_out_ids(column, facts)
    read_twice(columns, facts)
    return columns


def _recognise(column: Column, facts: Facts, roots: Roots) -> None:
    """Determine the role and the modality of a column for which the caller gave neither."""
    present = facts.rows - facts.missing[column.name]
    if not column.cells or present == facts.words[column.name]:
        column.role, column.why = "ignored", Sentence("why.empty")
        return
    filled = [cell for cell in column.cells if not is_empty_list(cell)]
    cells = [cell for cell in filled if not is_object(cell)]
    if not cells or 2 * len(cells) < len(filled):  # if objects are a minority, each of them is a fault instead
        _leave_unread(column)
        return
    if column.distinct == 1 and present == facts.rows:
        column.role, column.why = "ignored", Sentence("why.same")
        return
    recognised = {modality.kind: modality.recognise(cells, roots) for modality in MODALITIES}
    best = max(recognised, key=lambda kind: recognised[kind].confidence)
    column.modality, column.options, column.why = best, dict(recognised[best].options), recognised[best].why
    if recognised[best].confidence <= 0:
        _leave_unread(column)


def _leave_out_ids(column: Column, facts: Facts) -> None:
    """Mark a column of ids as ignored: they carry no information about new rows."""
    if not modality_of(str(column.modality)).may_be_id:
        return
    present = facts.rows - facts.missing[column.name]
    unique = present >= FEWEST_IDS and (column.capped or column.distinct == present)
    if column.name in facts.ids and column.options.get("type") != "date":
        column.role, column.why = "ignored", Sentence("why.numbers_id")
    elif (
        unique
        and not column.contradicted
        and column.options.get("type") not in ("number", "date")
        and all(isinstance(cell, str) and _CODE.fullmatch(cell.strip()) for cell in column.cells)
        and len(set(column.cells)) == len(column.cells)
    ):
        column.role, column.why = "ignored", Sentence("why.code_id")


def _count_missing(column: Column, facts: Facts) -> None:
    """Count words that stand for a missing value as missing, in a column of numbers, dates or categories."""
    writing: Writing = column.options["writing"]
    words = {text: count for text, count in facts.counts[column.name].items() if is_missing_word(text) or writing.is_word(text)}
    if writing.type == "category" and not column.capped:
        column.distinct = len({category(text) for text in facts.counts[column.name] if text not in words})
    else:
        column.distinct -= len(words)
    others = sum(count for text, count in words.items() if not is_missing_word(text))
    column.missing = (facts.missing[column.name] + facts.words[column.name] + others) / max(facts.rows, 1)


def _leave_unread(column: Column) -> None:
    """Mark a column whose cells no modality reads as ignored, with the types of its cells as the reason."""
    kinds = [kind for kind, _ in Counter(map(described, column.cells)).most_common(4)]
    types = ", ".join(kinds[:3]) + (", ..." if len(kinds) > 3 else "")
    column.role, column.modality, column.options, column.unread = "ignored", None, {}, True
    column.why = Sentence("why.unread", types=types)
