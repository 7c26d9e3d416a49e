"""What a table that was written from a data set contains, and the commands that train on it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError
from .shards import SPLIT

PARTS = ("train", "valid", "test")
"""The splits by which training divides a table."""
TARGET = "TARGET"
"""What a command contains where the data set does not state what a model predicts."""
_TARGETS = ("label", "labels", "cls", "class", "target", "category", "image_class_label")
NO_FEATURES = ("__key__", "__url__", "image_id", SPLIT)
"""Columns of names, which are no features, and of the split."""
_MOST_COLUMNS, _MOST_SPLITS = 10_000, 100


class Contents:
    """What was met in the rows of a table."""

    def __init__(self) -> None:
        self.rows = 0
        self.parts: Counter[str] = Counter()
        """The number of rows of each split; "" = rows without a split."""
        self.lists: dict[str, bool] = {}
        """Whether each column contains lists."""
        self.splits: defaultdict[str, set[str]] = defaultdict(set)
        """The splits of the rows in which each column has a value; "" = a row without a split."""

    def see(self, row: Mapping[str, Any]) -> None:
        """Add a row.

        :raises DataError: there are too many columns
        """
        self.rows += 1
        split = row.get(SPLIT)
        split = split if isinstance(split, str) else ""
        if split in self.parts or len(self.parts) < _MOST_SPLITS:
            self.parts[split] += 1
        for name, cell in row.items():
            self.lists[name] = self.lists.get(name, False) or isinstance(cell, list)
            known = self.splits[name]
            if split not in known and cell is not None and cell != "" and cell != [] and len(known) < _MOST_SPLITS:
                known.add(split)
        if len(self.lists) > _MOST_COLUMNS:
            raise DataError(f"row {self.rows}: more than {_MOST_COLUMNS:,} columns; expected rows with the same keys")

    def written(self, folder: Path | None = None) -> Written:
        """Return what is in the table of these rows.

        :param folder: the folder beside it that contains the files of its cells
        """
        return Written(self.rows, self.parts, list(self.lists), self.splits, folder)

    def of(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Yield rows, and add each."""
        for row in rows:
            self.see(row)
            yield row


@dataclass(frozen=True)
class Written:
    """What is in a table that was written.

    :param rows: the number of rows
    :param parts: the number of rows of each split, of at most a hundred; "" = rows without a split
    :param columns: the names of the columns
    :param splits: the splits of the rows in which each column has a value, at most a hundred; "" = rows without a split
    :param folder: the folder beside the table that contains the files of its cells; None = none were written
    """

    rows: int
    parts: Mapping[str, int]
    columns: list[str]
    splits: Mapping[str, set[str]]
    folder: Path | None = None


@dataclass(frozen=True)
class Usage:
    """How a model is trained on a table.

    :param target: the column that it predicts
    :param root: the folder that file cells are relative to; None = that of the table
    :param group: the column whose rows stay in one part of a split; "" = none
    :param ignored: the columns that are not features
    :param settings: further words of the command, such as ``--column plot=text``
    """

    target: str
    root: str | None = None
    group: str = ""
    ignored: Sequence[str] = ()
    settings: Sequence[str] = ()


def usual(written: Written, root: str | None) -> Usage:
    """Return how a table of a general format is used: the target is a column with one of the usual names, and names are no features."""
    folded = {name.casefold(): name for name in written.columns}
    return Usage(next((folded[name] for name in _TARGETS if name in folded), TARGET), root, ignored=NO_FEATURES)


def training_commands(table: str, convert: Sequence[str], written: Written, usage: Usage) -> list[list[str]]:
    """Return the words of the commands that train on a table.

    The split of the data set is used if it has rows with the target in ``train`` and in another part. With ``train`` and ``valid``, and
    no other splits than ``PARTS``, one command divides the table by its column; otherwise each part is first written as a table of its
    own. Without such parts, training divides the rows, and the rows of a group stay in one part.

    :param table: the path of the table
    :param convert: the words of the command that wrote it, without its output
    :param written: what is in the table
    :param usage: how it is used
    """
    if SPLIT not in written.columns or usage.target == SPLIT:
        return [_train(table, written, usage, _group(written, usage))]
    stated = written.splits[SPLIT] | ({""} if written.splits.get(usage.target, set()) & {""} else set())
    with_target = written.splits.get(usage.target, set()) if usage.target in written.columns else stated
    if {"train", "valid"} <= with_target and stated <= set(PARTS):
        return [_train(table, written, usage, ["--split", SPLIT], ignored=[usage.group])]
    others = [name for name in ("valid", "test") if name in with_target] or sorted(with_target - {"train", ""})[:1]
    if "train" not in with_target or not others:
        return [_train(table, written, usage, [*_group(written, usage), "--ignore", SPLIT])]
    path = Path(table)
    tables = {name: str(path.with_name(f"{path.stem}_{name}{path.suffix}")) for name in ("train", *others)}
    conversions = [[*convert, "--only", name, "-o", out] for name, out in tables.items()]
    flags = [word for name in others for word in (f"--{name}" if name in PARTS else "--test", tables[name])]
    return [*conversions, _train(tables["train"], written, usage, [*_group(written, usage), "--ignore", SPLIT], flags)]


def _group(written: Written, usage: Usage) -> list[str]:
    return ["--group", usage.group] if usage.group in written.columns else []


def _train(
    table: str, written: Written, usage: Usage, split: Sequence[str], flags: Sequence[str] = (), ignored: Sequence[str] = ()
) -> list[str]:
    """Return the words of a command that trains.

    :param split: the words that divide the rows
    :param flags: the words that name further tables
    :param ignored: further columns that are not features
    """
    left_out = [name for name in (*usage.ignored, *ignored) if name in written.columns and name not in (usage.target, SPLIT)]
    return [
        "polymodal", "train", table, *flags, *(["--root", usage.root] if usage.root is not None else []), "--target", usage.target,
        *usage.settings, *split, *(word for name in dict.fromkeys(left_out) for word in ("--ignore", name)),
    ]  # fmt: skip
