"""Functions shared by all layouts: reading tables one entry at a time, checking that files lie inside the folder, writing rows as CSV."""

from __future__ import annotations

import csv
import gzip
import itertools
import os
import stat
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

from ..errors import DataError, nearest
from ..language import Sentence
from ..storage import check_file, no_formula, replacing
from .json_stream import LARGEST, Record, object_of, objects, pairs


class Folder:
    """A folder with a known layout. Files outside it are rejected; files that do not exist are counted by column.

    :param path: the folder
    :param what: a description of the expected content, for messages
    :raises DataError: the path is not a folder
    """

    def __init__(self, path: str | os.PathLike[str], what: str) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise DataError(f"{path}: {'a file' if self.path.exists() else 'no such folder'}; expected the folder of {what}")
        self.root = os.path.realpath(self.path)
        self.place = str(self.path)
        """The entry that was read last, for messages."""
        self._referenced: Counter[str] = Counter()
        self._missing: Counter[str] = Counter()
        self._first: dict[str, str] = {}
        self._leads_inside = lru_cache(4_096)(self._inside)

    def _inside(self, name: str) -> bool:
        real = os.path.realpath(os.path.join(self.root, name))
        return real == self.root or real.startswith(self.root.rstrip(os.sep) + os.sep)

    def there(self, name: str) -> bool:
        """Return whether a regular file of that name exists below the folder without following a link that leads out of it."""
        try:
            facts = os.lstat(os.path.join(self.root, name))
            if stat.S_ISLNK(facts.st_mode):
                return self._inside(name) and os.path.isfile(os.path.join(self.root, name))
        except (OSError, ValueError):
            return False
        return stat.S_ISREG(facts.st_mode) and self._leads_inside(os.path.dirname(name))

    def file(self, column: str, *names: str) -> str:
        """Return the first of ``names`` that exists; otherwise "", counted as missing for ``column``."""
        self._referenced[column] += 1
        for name in names:
            if self.there(name):
                return name
        self._missing[column] += 1
        self._first.setdefault(column, names[0])
        return ""

    @property
    def named(self) -> int:
        """The number of names of files that exist."""
        return self._referenced.total() - self._missing.total()

    def warn_missing(self, apart: bool) -> None:
        """Issue a warning for each column with files that do not exist.

        :param apart: whether each column needs at least one file; otherwise one file in all is enough
        :raises DataError: no file exists, or with ``apart``, none of a column
        """
        nothing = self._missing.total() == self._referenced.total()
        for column, missing in self._missing.items():
            values = {"missing": missing, "files": self._referenced[column], "first": self._first[column]}
            message = Sentence("layout.files", folder=str(self.path), column=column, **values)
            if nothing or (apart and missing == self._referenced[column]):
                raise DataError(f"{message}; expected at least one file; unpack the files below the folder")
            warnings.warn(Sentence("layout.empty_cells", line=message), UserWarning, stacklevel=4)

    @contextmanager
    def open(self, name: str, errors: str = "strict") -> Iterator[TextIO]:
        """Open a UTF-8 text file below the folder, which may be compressed with gzip.

        :raises DataError: the file does not exist, leads out of the folder, or cannot be read
        """
        if not self.there(name):
            near = nearest(os.path.basename(name), [path.name for path in (self.path / name).parent.glob("*")])
            raise DataError(f"{self.path}: no table {name!r} in the folder, or it is outside the folder; expected a file{near}")
        try:
            path = self.path / name
            with gzip.open(path, "rt", encoding="utf-8-sig", errors=errors, newline="") if name.endswith(".gz") else path.open(
                encoding="utf-8-sig", errors=errors, newline=""
            ) as file:  # fmt: skip
                yield file
        except (OSError, EOFError) as error:
            raise DataError(f"{self.path / name}: cannot be read ({getattr(error, 'strerror', None) or error}); expected a table") from None
        except UnicodeError:
            raise DataError(f"{self.path / name}: not UTF-8 text; expected a table") from None

    # -- tables ----------------------------------------------------------------------------------------------------

    def entries(self, name: str, *keys: str, under: str | None = None) -> Iterator[Record]:
        """Yield the entries of a JSON table (a list of objects), with one in memory at a time.

        :param keys: keys that every entry must have
        :param under: the key of the list in the object that the file contains; None = the file contains the list
        :raises DataError: the file cannot be read, or an entry lacks a key
        """
        with self.open(name) as file:
            for at, entry in enumerate(objects(file, self.path / name, under), 1):
                self._enter(f"{self.path / name}{f' {under}' if under else ''} entry {at}", entry, keys)
                yield entry

    def pairs(self, name: str, *keys: str) -> Iterator[tuple[str, Record]]:
        """Yield the keys and entries of a JSON table that is an object of objects, with one in memory at a time.

        :param keys: keys that every entry must have
        :raises DataError: the file cannot be read, or an entry lacks a key
        """
        with self.open(name) as file:
            for key, entry in pairs(file, self.path / name):
                self._enter(f"{self.path / name} entry {key[:60]!r}", entry, keys)
                yield key, entry

    def json_lines(self, name: str, *keys: str) -> Iterator[Record]:
        """Yield the entries of a file with one JSON object a line.

        :param keys: keys that every entry must have
        :raises DataError: the file cannot be read, or an entry lacks a key
        """
        with self.open(name) as file:
            for at, line in enumerate(iter(lambda: file.readline(LARGEST), ""), 1):
                if line.isspace():
                    continue
                entry = object_of(line)
                if entry is None:
                    raise DataError(f"{self.path / name} line {at}: found {line[:20].strip()!r}; expected a JSON object in each line")
                self._enter(f"{self.path / name} line {at}", entry, keys)
                yield entry

    def record(self, name: str, most: int = LARGEST, expected: str = "") -> Record:
        """Return the only JSON object of a file.

        :param most: the maximum number of characters
        :param expected: what was expected, for the message; "" = a JSON object of that size
        :raises DataError: the file cannot be read, or contains something else
        """
        with self.open(name) as file:
            text = file.read(most)
        entry = object_of(text)
        if entry is None:
            found = "not a JSON object" if expected else f"found {text[:20].strip()!r}"
            raise DataError(f"{self.path / name}: {found}; expected {expected or f'a JSON object of at most {most:,} characters'}")
        self.place = str(self.path / name)
        return entry

    def _enter(self, place: str, entry: Record, keys: Sequence[str]) -> None:
        """Check the keys of an entry that is read.

        :raises DataError: a key is absent, or its value is an object
        """
        self.place = place
        absent = [key for key in keys if key not in entry]
        if absent:
            raise DataError(f"{place}: no {absent[0]!r}; expected {', '.join(keys)}{nearest(absent[0], entry)}")
        for key in keys:
            if isinstance(entry[key], dict):
                raise DataError(f"{place}: {key} {str(entry[key])[:40]!r}; expected a value, and no object")

    def lines(self, name: str, *columns: str) -> Iterator[Record]:
        """Yield the rows of a CSV as dicts, with one in memory at a time.

        :param columns: columns that the file must have
        :raises DataError: the file cannot be read, or lacks a column
        """
        with self.open(name) as file:
            yield from csv_lines(file, self.path / name, columns)


def csv_lines(file: TextIO, place: Path, columns: Sequence[str]) -> Iterator[Record]:
    """Yield the rows of an open CSV as dicts.

    :param place: the path of the file, for messages
    :param columns: columns that the file must have
    :raises DataError: the file is not valid CSV, or lacks a column
    """
    reader = csv.DictReader(iter(lambda: file.readline(LARGEST), ""), restval="")
    try:
        header = reader.fieldnames or []
        absent = [column for column in columns if column not in header]
        if absent:
            hint = nearest(absent[0], header)
            raise DataError(f"{place}: no column {absent[0]!r}; expected {', '.join(columns)}{hint}")
        for row in reader:
            row.pop(None, None)
            yield row
    except csv.Error as error:
        raise DataError(f"{place} line {reader.line_num}: not valid CSV ({error}); expected rows") from None


def below(name: Any, place: str) -> str:
    """Return the name of a file in a table unchanged.

    :param place: where the name comes from, for messages
    :raises DataError: the name leads out of the folder, or would be read as several files
    """
    parts = str(name).replace("\\", "/").split("/")
    if not isinstance(name, str) or not name.strip() or os.path.isabs(name) or ".." in parts or parts[0].endswith(":"):
        raise DataError(f"{place}: {str(name)[:100]!r}; expected the name of a file below the folder")
    if any(sign in name for sign in "\0;\r\n") or name != name.strip():
        raise DataError(f"{place}: {name[:100]!r}; expected a name without ';', line breaks, and white space at its ends")
    return name


def write_csv(rows: Iterable[Mapping[str, Any]], out: str | Path, overwrite: bool = False) -> tuple[int, list[str]]:
    """Write rows to a CSV file, which is replaced only after all rows are written. Return the number of rows, and the columns.

    :param rows: dicts with the same keys
    :param out: the path, with the extension .csv
    :param overwrite: whether an existing file is replaced
    :raises UserError: the extension is not .csv, the file exists, or it cannot be written
    :raises DataError: there are no rows
    """
    path = Path(out)
    check_file(path, overwrite, (".csv",))
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{out}: no rows to write; expected at least one")
    count = 0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(map(no_formula, first))
        for count, row in enumerate(itertools.chain([first], rows), 1):  # noqa: B007
            writer.writerow(no_formula(_text(row[name])) for name in first)
    return count, list(first)


def _text(cell: Any) -> Any:
    return "" if cell is None else round(cell, 4) if isinstance(cell, float) else cell
