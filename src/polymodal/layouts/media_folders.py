"""Folders of pictures, sounds or videos in classes (``imagefolder``, ``audiofolder``, ``videofolder``): one row for each file.

The class of a file is the folder that contains it, and the split a folder above: ``train/cat/1.jpg``. If a folder contains
``metadata.csv``, ``metadata.jsonl`` or ``metadata.parquet``, its rows are the rows of the table, and ``file_name`` is the file of each.
"""

from __future__ import annotations

import posixpath
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import DataError
from ..language import Sentence
from .folders import Folder, below
from .json_stream import Record
from .shards import files_below, flattened, in_split, split_folder

_EXTENSIONS = {
    "image": (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".ppm", ".pgm", ".jp2"),
    "audio": (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".au", ".wma", ".amr"),
    "video": (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v"),
}
KINDS = tuple(_EXTENSIONS)
"""What a folder may contain; each is the name of the column of the files."""
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
"""The files that describe the files of a folder."""
_NAME, _NAMES = "file_name", "file_names"


def rows(folder: str | Path, kind: str = "image") -> Iterator[Record]:
    """Return the rows: the column of the file, ``label`` or the columns of the metadata, and ``split`` if folders state one.

    :param folder: the folder
    :param kind: image, audio or video
    :raises DataError: there are no such files, or the metadata name a file outside the folder or none at all
    """
    return _Reading(Folder(folder, f"{kind} files"), kind).rows()


class _Reading:
    def __init__(self, folder: Folder, kind: str) -> None:
        self.folder, self.kind = folder, kind
        self.files, self.metadata = [], []
        for name in files_below(folder, (*_EXTENSIONS[kind], ".csv", ".jsonl", ".parquet")):
            base = posixpath.basename(name)
            if base in METADATA:
                self.metadata.append(name)
            elif PurePosixPath(name).suffix.lower() in _EXTENSIONS[kind]:
                self.files.append(name)
        if not self.files:
            extensions = ", ".join(_EXTENSIONS[kind][:4])
            raise DataError(f"{folder.path}: no {kind} files in the folder; expected such as train/cat/1{_EXTENSIONS[kind][0]} "
                            f"({extensions}, ...); unpack archives first")  # fmt: skip

    def rows(self) -> Iterator[Record]:
        """Yield the rows of the metadata, or of all files."""
        return self._described() if self.metadata else self._labelled()

    def _labelled(self) -> Iterator[Record]:
        """Yield a row for each file, whose class is its folder."""
        for name in self.files:
            split, label = self._split(name), self._label(name)
            yield in_split({self.kind: name} | ({} if label is None else {"label": label}), split)

    def _split(self, name: str) -> str:
        """Return the split that the folders of a file state, from the outermost; "" if none does."""
        return next((split for part in PurePosixPath(name).parts[:-1] if (split := split_folder(part))), "")

    def _label(self, name: str) -> str | None:
        """Return the name of the folder of a file; None for a file in no folder but that of its split."""
        parent = posixpath.basename(posixpath.dirname(name))
        return parent if parent and not split_folder(parent) else None

    def _described(self) -> Iterator[Record]:
        """Yield the rows of the metadata files."""
        count = 0
        for name in self.metadata:
            here, split = posixpath.dirname(name), self._split(name)
            for at, line in enumerate(self._lines(name), 1):
                place = f"{self.folder.path / name} row {at}"
                row: Record = {}
                for column, cell in line.items():
                    named, value = self._cell(column, cell, here, place)
                    if named in row:
                        raise DataError(f"{place}: two columns become {named!r}; expected one; rename one in the metadata")
                    row[named] = value
                    count += named != column and isinstance(value, str) and value != ""
                if all(column == named for column, named in zip(line, row, strict=True)):
                    raise DataError(f"{place}: no column {_NAME!r}; expected the file of each row, relative to the metadata")
                yield in_split(row, split)
        self.folder.warn_missing(apart=False)
        if count < len(self.files):
            values = {"count": len(self.files) - count, "files": len(self.files)}
            warnings.warn(Sentence("layout.unlisted", folder=str(self.folder.path), **values), UserWarning, stacklevel=2)

    def _cell(self, column: str, cell: Any, here: str, place: str) -> tuple[str, Any]:
        """Return the name of a column of the table and its cell; a name of a file becomes its path below the folder."""
        if column in (_NAME, _NAMES):
            named = self.kind
        elif column.endswith((f"_{_NAME}", f"_{_NAMES}")):
            named = column.removesuffix(f"_{_NAMES}").removesuffix(f"_{_NAME}")
        else:
            return column, cell
        if isinstance(cell, list):
            return named, [self._file(one, named, here, place) for one in cell]
        return named, self._file(cell, named, here, place) if cell else None

    def _file(self, name: Any, column: str, here: str, place: str) -> str:
        return self.folder.file(column, posixpath.normpath(posixpath.join(here, below(name, place))))

    def _lines(self, name: str) -> Iterator[Record]:
        """Yield the rows of a metadata file."""
        if name.endswith(".csv"):
            yield from self.folder.lines(name)
            return
        if name.endswith(".parquet"):
            from .huggingface import record_batches

            for batch in record_batches(self.folder.path / name):
                yield from map(flattened, batch.to_pylist())
            return
        yield from map(flattened, self.folder.json_lines(name))


def kind_of(names: Sequence[str]) -> str | None:
    """Return which kind most of some files are of; None if no file is of any."""
    counts = {kind: sum(PurePosixPath(name).suffix.lower() in extensions for name in names) for kind, extensions in _EXTENSIONS.items()}
    most = max(counts, key=lambda kind: counts[kind])
    return most if counts[most] else None
