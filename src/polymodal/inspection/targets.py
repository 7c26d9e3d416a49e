"""Determines the task of a target column, its name, and the treatment of words that may stand for a missing value."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Any

from ..cells import are_limits, are_words_among, writing_of
from ..config import quote
from ..data.sources import Source
from ..errors import DataError
from ..tasks import MOSTLY, TargetFacts

_CODES, _OFTEN, _SOME, _LOOKED_AT = 20, 5, 0.1, 100


def target_columns(source: Source, target: Any) -> list[str]:
    """Return the names of the target columns; an empty list for None.

    :param target: one column or several, each as text or as an object that prints as its name: a number, or a tuple of a frame's column
        index
    :raises DataError: no column has that name, or the table has no rows
    """
    if target is None:
        return []
    source.check_rows()
    several = isinstance(target, (list, set, frozenset)) or (isinstance(target, tuple) and str(target) not in source.columns)
    names = [str(name) for name in target] if several else [str(target)]
    source.check(names)
    return names


def target_facts(source: Source, column: str, settings: Mapping[str, Any]) -> TargetFacts:
    """Return statistics of a target column over all rows.

    :param settings: the settings under ``tasks.*``, not validated yet; only ``separator``, ``missing`` and ``decimal`` are used
    """
    separator, missing, decimal = (settings.get(name) for name in ("separator", "missing", "decimal"))
    words = missing if isinstance(missing, (list, tuple)) else None
    facts = TargetFacts(separator if isinstance(separator, str) and separator else ";", words, decimal if decimal in (".", ",") else None)
    for cell in source.cells([column]):
        facts.add(cell)
    return facts.close()


def guess_task(facts: TargetFacts, column: str, place: str) -> tuple[dict[str, Any], str]:
    """Return the settings of the task that suits a target column, and the reason.

    :param place: the table and the column, for messages
    :raises DataError: the column contains nothing that can be a target
    """
    kind, why = _guess(facts, column, place)
    return {"kind": kind, "column": column}, why


def _guess(facts: TargetFacts, column: str, place: str) -> tuple[str, str]:
    values = facts.values
    if not values and (facts.given is not None or not facts.words):
        raise DataError(f"{place}: every cell is empty; expected a target; choose another column")
    if sum(facts.foreign.values()) > _SOME * values:
        expected = "expected classes, numbers or lists of labels; correct those cells, or choose another target"
        raise DataError(f"{place}: {facts.foreign.most_common(1)[0][0]}; {expected}")
    if facts.places is not None:
        return "multilabel", places_line(facts)
    written = facts.listed + facts.left_out
    if facts.lists > _SOME * values or (2 * written > values and written + facts.garbled >= MOSTLY * values):
        return "multilabel", "its cells are lists"
    if values == facts.texts and facts.separated >= max(1, _SOME * values) and 2 * len(facts.labels) <= sum(facts.labels.values()) > 0:
        return "multilabel", f"its cells are labels with {facts.separator!r} between them"
    if _are_numbers(facts) and not _are_codes(facts):
        others = values - facts.numbers
        count = f"{'over ' if facts.capped else ''}{len(facts.number_names):,}"
        sign = "; the comma is read as the decimal sign" if facts.how.decimal == "," and facts.decimal is None else ""
        shown = ", ".join(repr(word[:30]) for word, _ in facts.others.most_common(3)) + (", ..." if len(facts.others) > 3 else "")
        words = f", and {others:,} cells that are no number ({shown}): those rows have no target" if others else ""
        return "regression", f"{count} different numbers{words}{sign}"
    return _classes(facts, column, place)


def _are_numbers(facts: TargetFacts) -> bool:
    """Return whether nine in ten values are numbers, or half of them are and the others are a few words such as "unknown"."""
    if facts.numbers >= max(1, MOSTLY * facts.values):
        return True
    words = sum(facts.others.values()) == facts.values - facts.numbers
    return 2 * facts.numbers >= facts.values and words and are_words_among(len(facts.number_names), facts.others)


def _are_codes(facts: TargetFacts) -> bool:
    """Return whether the numbers are names of classes: a few whole numbers that recur often, or limits such as ``<=50K`` and ``>50K``."""
    different = len(facts.number_names)
    if not facts.capped and are_limits(facts.names):
        return True
    return not facts.fractions and different <= _CODES and (facts.numbers >= _OFTEN * different or different <= 2)


def _classes(facts: TargetFacts, column: str, place: str) -> tuple[str, str]:
    names, missing = Counter(facts.names), facts.reading("multiclass").missing
    for word, rows in facts.words.items():
        if word not in missing:
            names[facts.written[word]] += rows
    total = sum(names.values())
    if facts.capped or (len(names) > 20 and len(names) > 0.5 * total):
        numbers = f"; {facts.numbers:,} of {facts.values:,} are numbers: correct the others" if 2 * facts.numbers > facts.values else ""
        if writing_of(list(islice(names, _LOOKED_AT))).type == "date":
            numbers = "; they are dates: to predict when, make a column of the days (or seconds) since a date, and choose that one"
        raise DataError(
            f"{place}: {'over ' if facts.capped else ''}{len(names):,} different values in {total:,} rows; expected classes that come "
            f"back, or numbers; choose another target{numbers}"
        )
    if len(names) < 2:
        fault = f" ({facts.fault})" if facts.fault else ""
        words = f"; {missing_line(facts, column, 'multiclass')}" if missing and facts.words else ""
        raise DataError(
            f"{place}: only one class, {next(iter(names), '')!r}{fault}; expected two classes or more; choose another target{words}"
        )
    chosen = "binary" if len(names) == 2 else "multiclass"
    return chosen, f"{len(names)} values, {total / len(names):.0f} rows each on average"


def places_line(facts: TargetFacts) -> str:
    """Return a note that labels are encoded by their position (lists of 0 and 1), or "" if they are not."""
    places = facts.places
    if places is None:
        return ""
    named = "" if isinstance(places[0], int) else ", by name"
    return f"{len(places)} labels by place: its cells are lists of 0 and 1{named}"


def missing_line(facts: TargetFacts, column: str, kind: str) -> str:
    """Return a note on words that may stand for a missing value: whether each is missing or a class, in how many rows, and the setting that
    changes it; "" if there are no such words."""
    if not facts.words:
        return ""
    missing = facts.reading(kind).missing
    setting = f"tasks.{quote(column)}.missing"
    said = []
    for are_missing in (True, False):
        words = {facts.written[word]: rows for word, rows in facts.words.items() if (word in missing) == are_missing}
        if not words:
            continue
        listing = ", ".join(f"{word!r} in {rows:,} rows" for word, rows in list(words.items())[:10])
        if facts.given is not None:
            said.append(f"{listing}: no target ({setting})")
        elif are_missing:
            every = "a number is expected" if kind == "regression" else "every other value is a number"
            said.append(f"{listing}: no target, since {every}; to make a class of each: {setting}=[]")
        else:
            classes = "a label" if kind == "multilabel" else "a class"
            override = json.dumps(list(words), ensure_ascii=False)
            said.append(f"{listing}: {classes}, since other values are words; to leave out those rows: {setting}={override}")
    return "; ".join(said)
