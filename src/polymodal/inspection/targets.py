"""Determines the task of a target column, its name, and the treatment of words that may stand for a missing value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any

from ..cells import writing_of
from ..config import quote
from ..data.sources import Source
from ..errors import DataError, counted
from ..language import Sentence
from ..tasks import KINDS, TASKS, Multiclass, TargetFacts, Task

_SOME, _LOOKED_AT = 0.1, 100


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
    """Return the settings of the task that suits a target column best (``Task.recognise``), and the reason.

    :param place: the table and the column, for messages
    :raises DataError: the column contains nothing that can be a target
    """
    values = facts.values
    if not values and (facts.given is not None or not facts.words):
        raise DataError(f"{place}: every cell is empty; expected a target; choose another column")
    if sum(facts.foreign.values()) > _SOME * values:
        expected = "expected classes, numbers or lists of labels; correct those cells, or choose another target"
        raise DataError(f"{place}: {facts.foreign.most_common(1)[0][0]}; {expected}")
    suits = {kind: task.recognise(facts) for kind, task in zip(KINDS, TASKS, strict=True)}
    best = max(suits, key=lambda kind: suits[kind][0])
    if suits[best][0] <= 0:
        raise DataError(f"{place}: {_no_classes(facts, column)}")
    return {"kind": best, "column": column}, suits[best][1]


def _no_classes(facts: TargetFacts, column: str) -> str:
    """Return why the values of a column that suits no task cannot be classes."""
    names = facts.classes
    if not facts.recurs:
        numbers = f"; {facts.numbers:,} of {facts.values:,} are numbers: correct the others" if 2 * facts.numbers > facts.values else ""
        if writing_of(list(islice(names, _LOOKED_AT))).type == "date":
            numbers = "; they are dates: to predict when, make a column of the days (or seconds) since a date, and choose that one"
        found = f"{counted(len(names), 'different value')} in {counted(sum(names.values()), 'row')}"
        over = "over " if facts.capped else ""
        return f"{over}{found}; expected classes that come back, or numbers; choose another target{numbers}"
    fault = f" ({facts.fault})" if facts.fault else ""
    words = f"; {missing_line(facts, column, Multiclass)}" if facts.words and facts.reading(Multiclass).missing else ""
    return f"only one class, {next(iter(names), '')!r}{fault}; expected two classes or more; choose another target{words}"


def missing_line(facts: TargetFacts, column: str, task: type[Task]) -> str:
    """Return a note on words that may stand for a missing value: whether each is missing or a class, in how many rows, and the setting that
    changes it; "" if there are no such words.

    :param task: the class of the task of the column
    """
    if not facts.words:
        return ""
    missing = facts.reading(task).missing
    setting = f"tasks.{quote(column)}.missing"
    notes: list[str] = []
    for are_missing in (True, False):
        words = {facts.written[word]: rows for word, rows in facts.words.items() if (word in missing) == are_missing}
        if not words:
            continue
        listing = Sentence.joined(
            [Sentence("missing.word", word=word, rows=rows) for word, rows in list(words.items())[:10]], "enumeration"
        )
        if facts.given is not None:
            notes.append(Sentence("missing.set", words=listing, setting=setting))
        elif are_missing:
            key = "missing.beside_numbers" if task.has_classes else "missing.for_number"
            notes.append(Sentence(key, words=listing, setting=setting))
        else:
            key = "missing.label" if task.answers_are_lists else "missing.class"
            notes.append(Sentence(key, words=listing, setting=setting, override=json.dumps(list(words), ensure_ascii=False)))
    return Sentence.joined(notes)
