"""A folder of Parquet files as one table: the parts that Spark, Dask, polars or a data set on a hub write, in the order of their names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import pyarrow as pa

from ...errors import DataError
from ...flow import Cell
from ...remote import Remote, is_remote
from .arrow import ParquetSource
from .source import Slice, Source, unique

EXTENSIONS = (".parquet", ".pq")
_MOST_FILES = 100_000
_SPLITS = {
    "train": "training", "training": "training", "test": "test", "testing": "test", "valid": "validation", "validation": "validation",
    "val": "validation", "dev": "validation", "eval": "validation", "holdout": "test",
}  # fmt: skip
"""The words that file names of the parts of a split begin with."""
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


class ParquetFolderSource(Source):
    """The source of a folder of Parquet files with the same columns.

    Files are read in the order of their names. A subfolder ``NAME=VALUE`` (as Hive and Spark write them) adds the column ``NAME`` to the
    rows of its files: whole numbers if all its values are, otherwise text.

    :param name: the path or the URL of the folder
    :param files: the files by their paths relative to the folder
    :raises DataError: a file cannot be read, or has other columns or types than the first one
    """

    def __init__(self, name: str, files: Mapping[PurePosixPath, Path | Remote]) -> None:
        self.name = name
        relative = sorted(files, key=lambda file: file.parts)
        _check_splits(name, relative)
        self._parts = [ParquetSource(files[file]) for file in relative]
        first = self._parts[0]
        types = dict(first.types)
        for part in self._parts[1:]:
            _check_same(first, part, types)
        keys = [_keys_of(file) for file in relative]
        for part, of_file in zip(self._parts, keys, strict=True):
            if list(of_file) != list(keys[0]):
                raise DataError(
                    f"{part.path}: in folders {', '.join(of_file) or 'without a name and a value'}; expected "
                    f"{', '.join(keys[0]) or 'none'}, as for {first.path}; move it, or name a single file"
                )
        self._values = _typed(keys)
        self.columns = unique([*first.columns, *keys[0]], self.name)
        self.index = first.index
        self.rows = sum(part.rows for part in self._parts)

    def slices(self, columns: Sequence[str]) -> Iterator[Slice]:
        """Yield the rows in order, some at a time, file by file. Only the requested columns are read."""
        for part, values in zip(self._parts, self._values, strict=True):
            own = [name for name in columns if name not in values] or part.columns[:1]  # one column states the number of rows
            if not own:
                yield {name: [values[name]] * part.rows for name in columns}
                continue
            for cells in part.slices(own):
                rows = len(cells[own[0]])
                yield {name: cells[name] if name not in values else [values[name]] * rows for name in columns}


Listing = Callable[[PurePosixPath], Iterable[tuple[str, bool]]]
"""A function that returns the entries of a folder below a table's folder: their names, and whether each is a folder."""


def parquet_files(name: str, listing: Listing) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    """Return the Parquet files of a folder and of its subfolders ``NAME=VALUE``, and the other files there, by their paths relative to the
    folder. Names that begin with a dot or an underscore are left out.

    :param name: the name of the folder, for messages
    :raises DataError: there are more than ``_MOST_FILES`` files
    """
    parts: list[PurePosixPath] = []
    others: list[PurePosixPath] = []
    folders = [PurePosixPath()]
    while folders:
        here = folders.pop()
        for entry, is_folder in listing(here):
            if not entry:
                raise DataError(f"{name}: a file without a name in {here}; expected a table; name a single file")
            if entry.startswith((".", "_")):
                continue
            if is_folder:
                folders += [here / entry] if "=" in entry else []
            else:
                (parts if PurePosixPath(entry).suffix.lower() in EXTENSIONS else others).append(here / entry)
            if len(parts) + len(others) + len(folders) > _MOST_FILES:
                raise DataError(f"{name}: more than {_MOST_FILES:,} files; expected a table; write fewer, larger files")
    return parts, others


def local_listing(folder: Path) -> Listing:
    """Return the listing of a local folder.

    :raises DataError: a subfolder ``NAME=VALUE`` is a link
    """

    def entries(below: PurePosixPath) -> Iterator[tuple[str, bool]]:
        for one in (folder / below).iterdir():
            is_folder = one.is_dir()
            if is_folder and one.is_symlink() and "=" in one.name:
                raise DataError(f"{one}: a link; expected a folder of Parquet files; copy it, or name a single file")
            yield one.name, is_folder or not one.is_file()

    return entries


def _check_splits(name: str, files: Sequence[PurePosixPath]) -> None:
    """Raise ``DataError`` if the names of files are those of different parts of a split, such as train and test rows."""
    kinds = {_SPLITS.get(re.split(r"[^a-z]", file.stem.casefold())[0], ""): file.name for file in files}
    if len(kinds) > 1:
        shown = ", ".join(map(repr, kinds.values()))
        command = shlex.join(["polymodal", "table", "huggingface", name, "-o", "table.csv"])
        fix = "move the others" if is_remote(name) else f"write one table with a column of the split: {command}"
        raise DataError(f"{name}: a folder of {' and '.join(kind or 'other' for kind in kinds)} rows ({shown}); expected the parts of one "
                        f"table; name a single file, or {fix}")  # fmt: skip


def _check_same(first: ParquetSource, other: ParquetSource, types: dict[str, pa.DataType]) -> None:
    """Raise ``DataError`` if a file has other columns or types. A column that is empty throughout has any type.

    :param types: the types of the columns of the files before, to which those of empty columns are added
    """
    if set(other.types) != set(first.types):
        missing, further = sorted(set(first.types) - set(other.types)), sorted(set(other.types) - set(first.types))
        found = [*(f"no column {name!r}" for name in missing[:3]), *(f"a further column {name!r}" for name in further[:3])]
        raise DataError(f"{other.path}: {', '.join(found)}; expected the columns of {first.path}; write all files with the same columns")
    for name, kind in types.items():
        found = other.types[name]
        if pa.types.is_null(kind):
            types[name] = found
        elif _plain(found) != _plain(kind) and not pa.types.is_null(found):
            raise DataError(
                f"{other.path}, column {name!r}: {_plain(found)}; expected {_plain(kind)}, as in the files before; write all files with "
                f"the same types"
            )


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return a type without the differences that cells do not show: the width of whole numbers, and how texts and bytes are stored."""
    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_list_view(kind):
        return pa.list_(_plain(kind.value_type))
    return kind


def _keys_of(relative: PurePosixPath) -> dict[str, str]:
    """Return the values that the folders of a file name, by column."""
    pairs = [part.partition("=") for part in relative.parts[:-1]]
    return {unquote(name): unquote(value) for name, _, value in pairs}


def _typed(keys: Sequence[Mapping[str, str]]) -> list[dict[str, Cell]]:
    """Return the values by file as cells: whole numbers where all values of a column are; None = missing."""
    values: list[dict[str, Cell]] = [{name: None if value == _NO_VALUE else value for name, value in of_file.items()} for of_file in keys]
    for name in keys[0]:
        known = {value[name] for value in values if value[name] is not None}
        if all(re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", str(one)) for one in known):
            for value in values:
                value[name] = None if value[name] is None else int(value[name])
    return values
