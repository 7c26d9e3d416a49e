"""Data sets of Hugging Face's ``datasets`` on disk, read without that package: folders that ``save_to_disk`` wrote, and Parquet or Arrow
files by split, become one row for each example.

The features of the schema decide what a cell is: names of classes, pictures, sounds and videos as contents of files, arrays, lists.
Features inside a struct become columns ``OUTER_INNER``.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import DataError
from ..language import Sentence
from .folders import Folder, below
from .json_stream import Record
from .shards import files_below, in_split, split_folder, split_name, split_of, warn_absent

_ORDER = ("", "train", "valid", "test")
_FILES = ("Image", "Audio", "Video", "Pdf", "Nifti")
_LISTS = ("Sequence", "List", "LargeList")
_MOST_TEXT = 2**26
_ROWS, _BYTES = 1024, 2**26
_END = b"\xff\xff\xff\xff\0\0\0\0"
"""The mark at the end of an Arrow stream."""
_BROKEN = (pa.ArrowException, OSError, ValueError, OverflowError, KeyError)
Decoder = Callable[[Any], Any]


@dataclass(frozen=True)
class _Part:
    """A file of a data set.

    :param name: its path relative to the folder
    :param split: the split of its rows; "" = none is stated
    :param info: the path of the ``dataset_info.json`` that describes it; None = only its schema does
    """

    name: str
    split: str
    info: str | None = None


def rows(folder: str | Path) -> Iterator[Record]:
    """Return the rows of all splits, with the column ``split`` where one is stated.

    :param folder: a folder that ``Dataset.save_to_disk`` or ``DatasetDict.save_to_disk`` wrote, or one of Parquet or Arrow files; or one
        such file
    :raises DataError: the folder is no such data set, or a file of it is absent or broken
    """
    path = Path(folder)
    if path.is_file():
        return _Reading(Folder(path.parent, "the file"), [path.name]).rows()
    return _Reading(Folder(folder, "a data set of Hugging Face (state.json, dataset_dict.json, or Parquet files)")).rows()


def is_data_set(folder: Path) -> bool:
    """Return whether a folder is one that ``save_to_disk`` wrote."""
    return (folder / "dataset_dict.json").is_file() or ((folder / "state.json").is_file() and (folder / "dataset_info.json").is_file())


class _Reading:
    def __init__(self, folder: Folder, names: Sequence[str] = ()) -> None:
        self.folder = folder
        self.parts = [_Part(name, "") for name in names] or self._parts()
        warn_absent(folder.path, [part.name for part in self.parts])

    def rows(self) -> Iterator[Record]:
        """Yield the rows of all files."""
        for part in self.parts:
            path = self.folder.path / part.name
            if not self.folder.there(part.name):
                raise DataError(f"{self.folder.path}: no file {part.name!r}, or it is outside the folder; expected a file that state.json "
                                f"names; copy the folder again")  # fmt: skip
            decoders: dict[str, Decoder] | None = None
            for batch in record_batches(path):
                if decoders is None:
                    decoders = self._decoders(batch.schema, part.info, str(path))
                columns = {name: _values(batch.column(name), path) for name in decoders}
                for at in range(batch.num_rows):
                    row: Record = {}
                    for name, decoder in decoders.items():
                        self._put(row, name, decoder(columns[name][at]), str(path))
                    yield in_split(row, part.split)
        self.folder.warn_missing(apart=False)
        if self.folder.named:
            text = Sentence("layout.outside", count=self.folder.named, folder=str(self.folder.path))
            warnings.warn(text, UserWarning, stacklevel=2)

    def _put(self, row: Record, name: str, cell: Any, place: str) -> None:
        """Add a cell to a row; a struct becomes several columns."""
        if isinstance(cell, _Struct):
            for inner, value in cell.items():
                self._put(row, f"{name}_{inner}", value, place)
        elif name in row:
            raise DataError(f"{place}: two columns are named {name!r}; expected other names; rename one")
        else:
            row[name] = cell

    # -- files -----------------------------------------------------------------------------------------------------------------

    def _parts(self) -> list[_Part]:
        """Return the files of the data set in order."""
        if self.folder.there("dataset_dict.json"):
            splits = self._json("dataset_dict.json").get("splits")
            if not isinstance(splits, list) or not splits:
                raise DataError(f"{self.folder.path}/dataset_dict.json: no splits; expected a list of their names; save the data set again")
            return [part for split in splits for part in self._saved(below(split, f"{self.folder.path}/dataset_dict.json"), str(split))]
        if self.folder.there("state.json"):
            return self._saved("", None)
        parquet = list(files_below(self.folder, (".parquet", ".pq"), 4))
        names = parquet or list(files_below(self.folder, (".arrow",), 4))
        names = [name for name in names if not PurePosixPath(name).name.startswith(("_", "cache-"))]
        if not names:
            raise DataError(
                f"{self.folder.path}: no data set of Hugging Face; expected state.json or dataset_dict.json (save_to_disk), or Parquet "
                f"files; name the folder that contains them"
            )
        info = "dataset_info.json" if self.folder.there("dataset_info.json") else None
        parts = [_Part(name, split_of(name), info) for name in names]
        if any(part.split for part in parts) and not all(part.split for part in parts):
            other = next(part.name for part in parts if not part.split)
            raise DataError(f"{self.folder.path}: {other!r} states no split as other files do; expected train, validation or test in every "
                            f"name; name a folder of one split, or rename the file")  # fmt: skip
        parts.sort(key=lambda part: _ORDER.index(part.split))
        folders = {"/".join(one for one in PurePosixPath(part.name).parts[:-1] if not split_folder(one)) for part in parts}
        if len(folders) > 1:
            shown = ", ".join(sorted(map(repr, folders))[:5])
            raise DataError(f"{self.folder.path}: files in {len(folders)} folders ({shown}); expected one data set; name one folder")
        return parts

    def _saved(self, below_folder: str, split: str | None) -> list[_Part]:
        """Return the files that a ``state.json`` names.

        :param below_folder: the folder that contains it, relative to that of the data set
        :param split: the name of the split; None = the one that it states
        """
        start = f"{below_folder}/" if below_folder else ""
        state = self._json(f"{start}state.json")
        place = f"{self.folder.path}/{start}state.json"
        files = state.get("_data_files")
        if not isinstance(files, list) or not all(isinstance(file, dict) and isinstance(file.get("filename"), str) for file in files):
            raise DataError(f"{place}: no _data_files; expected what save_to_disk writes; save the data set again")
        if state.get("_indices_data_files") or state.get("_indices_files"):
            raise DataError(f"{place}: rows are selected by an index file of an old version; expected all rows of the files; save it again "
                            f"after flatten_indices()")  # fmt: skip
        stated = state.get("_split")
        name = split_name(split if split is not None else stated if isinstance(stated, str) else "")
        return [_Part(start + below(file["filename"], place), name, f"{start}dataset_info.json") for file in files]

    def _json(self, name: str) -> Record:
        return self.folder.record(name, _MOST_TEXT, "what datasets writes; copy the folder again")

    # -- features --------------------------------------------------------------------------------------------------------------

    def _decoders(self, schema: pa.Schema, info: str | None, place: str) -> dict[str, Decoder]:
        """Return for each column of a file the function that makes a cell of its value."""
        if len(set(schema.names)) < len(schema.names):
            raise DataError(f"{place}: two columns of one name; expected every name once; rename one")
        features: Any = _features_of(schema)
        if features is None and info is not None and self.folder.there(info):
            features = self._json(info).get("features")
        features = features if isinstance(features, dict) else {}
        return {
            str(name): self._decoder(features.get(name), str(name), 0)
            for name in schema.names
            if not (str(name).startswith("__index_level_") or str(name) == "__index__")
        }

    def _decoder(self, feature: Any, column: str, depth: int) -> Decoder:
        """Return the function that makes a cell of a value of a feature."""
        if depth > 8:
            raise DataError(f"{self.folder.path}, column {column!r}: features nested more than 8 deep; expected fewer")
        kind = feature.get("_type") if isinstance(feature, dict) else None
        if kind == "ClassLabel" and isinstance(feature.get("names"), list):
            return lambda value: _class(value, feature["names"])
        if kind in _FILES:
            return lambda value: self._file(value, column)
        if isinstance(kind, str) and kind.startswith("Array"):
            return lambda value: _array(value, str(feature.get("dtype")))
        if kind in _LISTS or isinstance(feature, list):
            inner = feature[0] if isinstance(feature, list) and feature else feature.get("feature") if isinstance(feature, dict) else None
            return self._list_decoder(inner, column, depth)
        if isinstance(feature, dict) and not isinstance(kind, str) and feature:
            members = {str(name): self._decoder(inner, f"{column}_{name}", depth + 1) for name, inner in feature.items()}
            return lambda value: _struct(value, members)
        if kind == "Value" and feature.get("dtype") in ("float16", "float32"):
            return lambda value: None if value is None else np.float32(value)
        return lambda value: _Struct(value) if isinstance(value, dict) and not _is_file(value) else value

    def _list_decoder(self, inner: Any, column: str, depth: int) -> Decoder:
        """Return the function that makes a cell of a list of values of a feature. A list of structs may be stored as a struct of lists."""
        item = self._decoder(inner, column, depth + 1)
        is_struct = isinstance(inner, dict) and not isinstance(inner.get("_type"), str)
        members = {str(name): self._list_decoder(one, f"{column}_{name}", depth + 1) for name, one in inner.items()} if is_struct else {}
        is_short = isinstance(inner, dict) and inner.get("_type") == "Value" and inner.get("dtype") in ("float16", "float32")

        def decode(value: Any) -> Any:
            if isinstance(value, dict):
                return _struct(value, members)
            if not isinstance(value, list):
                return value
            if is_short and value and None not in value:
                return np.array(value, np.float32)
            return [dict(cell) if isinstance(cell, _Struct) else cell for cell in map(item, value)]

        return decode

    def _file(self, value: Any, column: str) -> Any:
        """Return the cell of a picture, sound or video: its content, or the name of a file below the folder."""
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("bytes"), bytes) and value["bytes"]:
            return {"bytes": value["bytes"], "path": value.get("path")}
        name = value.get("path")
        if not isinstance(name, str) or not name:
            return None
        root = f"{self.folder.path.resolve()}/"
        name = name.removeprefix(root)
        return self.folder.file(column, name) or None


class _Struct(dict[str, Any]):
    """A struct, which becomes several columns."""


def _struct(value: Any, members: dict[str, Decoder]) -> Any:
    """Return the cells of a struct."""
    if value is None:
        return _Struct(dict.fromkeys(members))
    if not isinstance(value, dict):
        return value
    return _Struct({name: decoder(value.get(name)) for name, decoder in members.items()})


def _is_file(value: dict[str, Any]) -> bool:
    return "bytes" in value and set(value) <= {"bytes", "path"}


def _class(value: Any, names: list[Any]) -> Any:
    """Return the name of a class; None for -1, which means no label."""
    if isinstance(value, list):
        return [_class(one, names) for one in value]
    if not isinstance(value, int) or value < 0:
        return None if isinstance(value, int) else value
    return str(names[value]) if value < len(names) else value


def _array(value: Any, dtype: str) -> Any:
    """Return an array; the lists themselves if their lengths differ."""
    if value is None:
        return None
    try:
        array = np.array(value, dtype=np.dtype(dtype))
    except (TypeError, ValueError, OverflowError):
        return value
    return array if array.dtype.kind in "fiub" else value


def _features_of(schema: pa.Schema) -> Any:
    """Return the features in the metadata of a schema; None if there are none."""
    try:
        info = json.loads((schema.metadata or {}).get(b"huggingface", b"null"))
        return info["info"]["features"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _values(column: pa.Array, path: Path) -> list[Any]:
    """Return the values of a column as objects of Python."""
    try:
        return column.to_pylist()  # type: ignore[no-any-return]
    except _BROKEN as error:
        raise DataError(f"{path}: a value that cannot be read ({str(error)[:80]}); expected values of {column.type}") from None


def record_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file or of an Arrow file or stream, some at a time.

    :raises DataError: the file is broken or of another format
    """
    with _reading(path):
        if path.suffix.lower() != ".arrow":
            from pyarrow import parquet

            with parquet.ParquetFile(path, pre_buffer=False) as file:
                groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
                size = min((_BYTES * group.num_rows // max(group.total_byte_size, 1) for group in groups), default=_ROWS)
                yield from file.iter_batches(batch_size=max(1, min(size, _ROWS)), use_threads=False)
            return
        with pa.memory_map(str(path)) as source:
            is_file = source.read(6) == b"ARROW1"
            source.seek(max(0, source.size() - len(_END)))
            if not is_file and source.read() != _END:  # whole batches would be missing without another error
                raise DataError(f"{path}: truncated, or no Arrow stream; expected the mark at its end; copy it again")
            source.seek(0)
            for batch in _of_file(pa.ipc.open_file(source)) if is_file else pa.ipc.open_stream(source):
                batch.validate(full=True)  # Arrow does not check offsets, and might read beyond the file
                size = max(1, min(_ROWS, _BYTES * batch.num_rows // max(batch.nbytes, 1)))
                for start in range(0, batch.num_rows, size):
                    yield batch.slice(start, size)


def _of_file(file: Any) -> Iterator[pa.RecordBatch]:
    for at in range(file.num_record_batches):
        yield file.get_batch(at)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn the exceptions of Arrow into a ``DataError``."""
    try:
        yield
    except DataError:
        raise
    except _BROKEN as error:
        raise DataError(f"{path}: broken, or not a file of datasets ({' '.join(str(error).split())[:120]}); expected Arrow or Parquet; "
                        f"copy it again") from None  # fmt: skip
