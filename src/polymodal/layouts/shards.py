"""Files of which a data set consists: their order, the split that their names state, and shards that are absent."""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from ..errors import DataError
from ..language import Sentence
from .folders import Folder
from .json_stream import Record

SPLIT = "split"
"""The column that names the part of each row: train, valid, test, or a name of the data set."""
_SPLITS = {
    **dict.fromkeys(("train", "training", "trn", "训练", "训练集"), "train"),
    **dict.fromkeys(("valid", "validation", "val", "dev", "验证", "验证集"), "valid"),
    **dict.fromkeys(("test", "testing", "tst", "测试", "测试集"), "test"),
}
"""The words that name a split."""
_SHARD = re.compile(r"(?P<prefix>.*?)-?(?P<number>\d{5,6})-of-(?P<count>\d{5,6})(?P<rest>.*)")
_MOST_FILES = 1_000_000


def split_name(name: str) -> str:
    """Return the name of a split as the column ``split`` contains it: train, valid or test for their synonyms, another name unchanged."""
    return _SPLITS.get(name.casefold(), name)


def split_of(path: str) -> str:
    """Return the split that a path states by a word of the file name, or else by the name of its folder or of the one above; "" if it
    states none."""
    parts = PurePath(path).parts
    for word in re.findall(r"[^\W\d_]+", parts[-1]) if parts else ():
        if word.casefold() in _SPLITS:
            return _SPLITS[word.casefold()]
    return next((split for part in parts[-2:-4:-1] if (split := split_folder(part))), "")


def split_folder(name: str) -> str:
    """Return the split that a folder states by its name, such as ``train`` or ``val2017``; "" if it states none."""
    return _SPLITS.get(name.strip("0123456789_-. ").casefold(), "")


def in_split(row: Record, split: str) -> Record:
    """Return a row with its split. A column of this name that the data set itself has is kept."""
    return {**row, SPLIT: split} if split and SPLIT not in row else row


def only_splits(rows: Iterable[Record], splits: Sequence[str], place: str) -> Iterator[Record]:
    """Yield the rows of some splits; all if none are given.

    :param place: the name of the data set, for messages
    :raises DataError: there is no row, or none of a split that is given
    """
    wanted, found = {split_name(split) for split in splits}, set()
    for row in rows:
        split = row.get(SPLIT, "")
        found.add(str(split))
        if not wanted or split in wanted:
            yield row
    if not found:
        raise DataError(f"{place}: no rows; expected at least one; name the folder of another data set")
    if wanted - found:
        shown = ", ".join(map(repr, sorted(filter(None, found)))) or "none"
        raise DataError(f"{place}: no rows of split {min(wanted - found)!r}; the splits are {shown}; name one of them")


def flattened(value: Record, prefix: str = "", depth: int = 4) -> Record:
    """Return the values of an object by their keys; those of objects in it have the keys ``OUTER_INNER``.

    :param prefix: what precedes every key
    :param depth: the number of levels of objects that become columns
    """
    cells: Record = {}
    for key, inner in value.items():
        name = f"{prefix}_{key}" if prefix else str(key)
        cells |= flattened(inner, name, depth - 1) if isinstance(inner, dict) and inner and depth else {name: inner}
    return cells


def files_below(folder: Folder, extensions: Sequence[str] = (), depth: int = 8) -> Iterator[str]:
    """Yield the files of a folder and of its subfolders, sorted, by their paths relative to the folder. Hidden files, and links that lead
    out of the folder, are left out.

    :param extensions: the extensions in lower case; none = any
    :param depth: the number of levels of subfolders
    :raises DataError: the folder cannot be read, or contains too many files
    """
    count = 0
    waiting: list[tuple[PurePath, int]] = [(PurePath(), 0)]
    while waiting:
        here, level = waiting.pop()
        try:
            entries = sorted((folder.path / here).iterdir(), key=lambda entry: entry.name)
        except OSError as error:
            raise DataError(f"{folder.path / here}: cannot be read ({error.strerror or error}); expected a folder") from None
        for entry in reversed(entries):
            if level < depth and not entry.name.startswith(".") and entry.is_dir() and not entry.is_symlink():
                waiting.append((here / entry.name, level + 1))
        for entry in entries:
            name = (here / entry.name).as_posix()
            if entry.name.startswith(".") or (extensions and entry.suffix.lower() not in extensions) or not folder.there(name):
                continue
            count += 1
            if count > _MOST_FILES:
                raise DataError(f"{folder.path}: more than {_MOST_FILES:,} files; expected fewer; name a folder in it")
            yield name


def warn_absent(folder: Path, names: Iterable[str]) -> None:
    """Issue a warning for each file of several shards (``-00000-of-00004``) of which some are absent."""
    numbers: dict[tuple[str, str, int], set[int]] = defaultdict(set)
    for name in names:
        shard = _SHARD.fullmatch(name)
        if shard is not None:
            numbers[shard["prefix"], shard["rest"], int(shard["count"])].add(int(shard["number"]))
    for (prefix, _, count), found in numbers.items():
        if len(found) < count:
            first = next(number for number in range(count) if number not in found)
            text = Sentence("layout.shards", place=str(folder / prefix), absent=count - len(found), count=count, first=first)
            warnings.warn(text, UserWarning, stacklevel=4)
