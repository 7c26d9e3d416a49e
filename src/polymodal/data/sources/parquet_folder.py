"""A folder of Parquet files as one table: the parts that Spark, Dask, polars or a data set on a hub write, in the order of their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import pyarrow as pa

from ...errors import DataError
from ...flow import Cell
from ...remote import Remote
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
        for part in self._parts[1:]:
            _check_same(first, part)
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
            for cells in part.slices(own):
                rows = len(cells[own[0]])
                yield {name: cells[name] if name not in values else [values[name]] * rows for name in columns}


def parquet_files(folder: Path) -> dict[PurePosixPath, Path | Remote]:
    """Return the Parquet files of a folder and of its subfolders ``NAME=VALUE``, by their paths relative to it. Names that begin with a dot
    or an underscore are left out.

    :raises DataError: there are more than ``_MOST_FILES`` files
    """
    files: dict[PurePosixPath, Path | Remote] = {}
    folders = [folder]
    while folders:
        here = folders.pop()
        for one in here.iterdir():
            if one.is_dir() and not one.is_symlink() and "=" in one.name and not one.name.startswith((".", "_")):
                folders.append(one)
            elif is_part(relative := PurePosixPath(one.relative_to(folder).as_posix())) and one.is_file():
                files[relative] = one
        if len(files) + len(folders) > _MOST_FILES:
            raise DataError(f"{folder}: more than {_MOST_FILES:,} files; expected a table; write fewer, larger files")
    return files


def is_part(relative: PurePosixPath) -> bool:
    """Return whether a path relative to a folder is one of the Parquet files of its table."""
    visible = not any(part.startswith((".", "_")) for part in relative.parts)
    return visible and relative.suffix.lower() in EXTENSIONS and all("=" in part for part in relative.parts[:-1])


def _check_splits(name: str, files: Sequence[PurePosixPath]) -> None:
    """Raise ``DataError`` if the names of files are those of different parts of a split, such as train and test rows."""
    kinds = {_SPLITS.get(re.split(r"[^a-z]", file.stem.casefold())[0], ""): file.name for file in files}
    if len(kinds) > 1:
        shown = ", ".join(map(repr, kinds.values()))
        raise DataError(f"{name}: a folder of {' and '.join(kind or 'other' for kind in kinds)} rows ({shown}); expected the parts of one "
                        f"table; name a single file, or move the others")  # fmt: skip


def _check_same(first: ParquetSource, other: ParquetSource) -> None:
    """Raise ``DataError`` if two files have different columns or types. A column that is empty throughout has any type."""
    if set(other.types) != set(first.types):
        missing, further = sorted(set(first.types) - set(other.types)), sorted(set(other.types) - set(first.types))
        found = [*(f"no column {name!r}" for name in missing[:3]), *(f"a further column {name!r}" for name in further[:3])]
        raise DataError(f"{other.path}: {', '.join(found)}; expected the columns of {first.path}; write all files with the same columns")
    for name, kind in first.types.items():
        expected, found = _plain(kind), _plain(other.types[name])
        if found != expected and not pa.types.is_null(kind) and not pa.types.is_null(other.types[name]):
            raise DataError(
                f"{other.path}, column {name!r}: {found}; expected {expected}, as in {first.path}; write all files with the same types"
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
