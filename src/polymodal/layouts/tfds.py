"""Folders of TensorFlow Datasets (``tfds``), read without TensorFlow: ``dataset_info.json``, ``features.json``, label files and TFRecord
shards become one row for each example, with the types that ``features.json`` states.
"""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..errors import DataError
from ..language import Sentence
from .folders import Folder, below
from .json_stream import Record
from .protobuf import Values
from .shards import in_split, split_name, warn_absent
from .tfrecord import cell_of, cells_of, column_of, examples

_MOST_TEXT = 2**24
_DTYPES = frozenset({
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
})  # fmt: skip
_LEVELS = 3
Features = dict[str, Values]
Decoder = Callable[[Features], Any]


def rows(folder: str | Path) -> Iterator[Record]:
    """Return the rows of all splits, in the order in which ``dataset_info.json`` names them.

    :param folder: the folder that contains ``features.json``, or one above it with one version of one data set
    :raises DataError: a description or a shard is absent, broken or of another format
    """
    return _Reading(version_of(Path(folder))).rows()


def version_of(folder: Path) -> Folder:
    """Return the folder that contains ``features.json``, at or below a folder.

    :raises DataError: there is none, or there are several
    """
    root = Folder(folder, "a TFDS data set (dataset_info.json, features.json)")
    for level in range(_LEVELS):
        found = sorted(path.parent for path in folder.glob("*/" * level + "features.json"))
        if len(found) > 1:
            shown = ", ".join(repr(str(one)) for one in found[:5])
            raise DataError(f"{folder}: {len(found)} data sets ({shown}); expected one; name the folder of one of them")
        if found:
            return Folder(found[0], "a TFDS data set") if found[0] != folder else root
    raise DataError(f"{folder}: no features.json in the folder; expected a TFDS data set, such as mnist/3.0.1")


class _Reading:
    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.info = self._json("dataset_info.json")
        kind = self.info.get("fileFormat", "tfrecord")
        if kind != "tfrecord":
            raise DataError(f"{folder.path}/dataset_info.json: file format {str(kind)[:40]!r}; expected tfrecord; prepare the data set "
                            f"again with file_format='tfrecord'")  # fmt: skip
        self.columns: dict[str, Decoder] = {}
        features = self._json("features.json")
        try:
            self._add(features, ())
        except (AttributeError, TypeError, ValueError):
            raise DataError(f"{folder.path}/features.json: not features of TFDS; expected what tensorflow-datasets writes") from None

    def rows(self) -> Iterator[Record]:
        """Yield the rows of all splits."""
        for split, names, lengths in self._shards():
            warn_absent(self.folder.path, names)
            for name, length in zip(names, lengths, strict=True):
                if not self.folder.there(name):
                    raise DataError(f"{self.folder.path}: no file {name!r}, or it is outside the folder; expected the shards of "
                                    f"split {split!r}; copy the folder again")  # fmt: skip
                at = 0
                for at, (place, (features, _)) in enumerate(examples(self.folder.path / name), 1):  # noqa: B007
                    yield in_split(self._row(features, place), split_name(split))
                if at != length:
                    raise DataError(f"{self.folder.path / name}: {at:,} records; expected {length:,}, as dataset_info.json states; copy "
                                    f"the file again")  # fmt: skip

    def _row(self, features: Features, place: str) -> Record:
        """Return the row of an example."""
        row: Record = {}
        for column, decoder in self.columns.items():
            try:
                row[column] = decoder(features)
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, zlib.error) as error:
                raise DataError(
                    f"{place}, feature {column!r}: {type(error).__name__} ({str(error)[:80]}); expected what features.json states"
                ) from None
        return row

    def _json(self, name: str) -> Record:
        return self.folder.record(name, _MOST_TEXT, "the description of a TFDS data set")

    def _shards(self) -> Iterator[tuple[str, list[str], list[int]]]:
        """Yield the name, the files and the numbers of records of each split."""
        place = f"{self.folder.path}/dataset_info.json"
        splits = self.info.get("splits")
        if not isinstance(splits, list) or not splits:
            raise DataError(f"{place}: no splits; expected their names and the lengths of their shards; prepare the data set again")
        for entry in splits:
            try:
                split, lengths = entry["name"], [int(length) for length in entry.get("shardLengths", ())]
                template = entry.get("filepathTemplate") or "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
                names_data_set = isinstance(self.info.get("name"), str)
                if not (isinstance(split, str) and isinstance(template, str) and names_data_set):
                    raise TypeError
            except (TypeError, KeyError, ValueError, AttributeError):
                raise DataError(f"{place}: a split {str(entry)[:60]!r}; expected its name and shardLengths, and the name of the data set; "
                                f"copy the file again") from None  # fmt: skip
            names = []
            for shard in range(len(lengths)):
                values = {
                    "DATASET": self.info["name"], "SPLIT": split, "FILEFORMAT": "tfrecord", "SHARD_INDEX": f"{shard:05d}",
                    "NUM_SHARDS": f"{len(lengths):05d}", "SHARD_X_OF_Y": f"{shard:05d}-of-{len(lengths):05d}",
                }  # fmt: skip
                name = re.sub(r"\{(\w+)\}", lambda found, values=values: values.get(found[1], found[0]), template)  # type: ignore[misc]
                names.append(below(PurePosixPath(name).as_posix(), place))
            yield split, names, lengths

    # -- features ----------------------------------------------------------------------------------------------------------

    def _add(self, feature: Any, path: tuple[str, ...], listed: bool = False) -> None:
        """Add the columns of a feature.

        :param path: the names of the features that contain it, and its own
        :param listed: whether it is inside a sequence
        """
        if not isinstance(feature, dict) or len(path) > 16:
            raise DataError(f"{self.folder.path}/features.json: {'/'.join(path) or 'it'} is no feature; expected features of TFDS")
        inner = feature.get("featuresDict", {}).get("features") if isinstance(feature.get("featuresDict"), dict) else None
        if isinstance(inner, dict):
            for name, one in inner.items():
                self._add(one, (*path, str(name)), listed)
            return
        if isinstance(feature.get("translation"), dict):
            for language in feature["translation"].get("languages", ()):
                self._add({"text": {}}, (*path, str(language)), listed)
            return
        sequence = feature.get("sequence")
        if isinstance(sequence, dict) and not listed:
            self._add(sequence.get("feature"), path, True)
            return
        if not path:
            raise DataError(
                f"{self.folder.path}/features.json: no features; expected a FeaturesDict of TFDS; prepare the data set again with a newer "
                f"version of tensorflow-datasets"
            )
        column = column_of("/".join(path))
        if column in self.columns:
            raise DataError(f"{self.folder.path}/features.json: two features are named {column!r}; expected other names")
        self.columns[column] = self._decoder(feature, "/".join(path), listed)

    def _decoder(self, feature: Record, name: str, listed: bool) -> Decoder:
        """Return the function that returns the cell of a feature of one example."""
        for kind, maker in (_MAKERS | {"classLabel": self._class}).items():
            if isinstance(feature.get(kind), dict):
                return maker(name, feature[kind], listed)
        type_name = str(feature.get("pythonClassName", "feature")).rpartition(".")[2]
        text = Sentence("layout.as_stored", folder=str(self.folder.path), feature=name, type=type_name)
        warnings.warn(text, UserWarning, stacklevel=5)
        return lambda features: cell_of(features[name]) if name in features else None

    def _class(self, name: str, facts: Record, listed: bool) -> Decoder:
        """Return the decoder of classes, by the names in the file of labels."""
        labels = self._labels(name)
        stated = str(facts.get("numClasses") or len(labels or ()))
        if labels is not None and stated != str(len(labels)):
            raise DataError(
                f"{self.folder.path / _label_file(name)}: {len(labels):,} classes; expected {stated[:20]}, as features.json states; copy "
                f"the file again"
            )
        return lambda features: _one_or_all([_label(value, labels) for value in _list(features, name)], listed)

    def _labels(self, name: str) -> list[str] | None:
        """Return the names of the classes of a feature; None if there is no file of them."""
        file = _label_file(name)
        if not self.folder.there(file):
            return None
        with self.folder.open(file) as lines:
            return lines.read(_MOST_TEXT).splitlines()


def _label_file(name: str) -> str:
    """Return the name of the file that contains the names of the classes of a feature."""
    return f"{name.replace('/', '-')}.labels.txt"


def _list(features: Features, name: str) -> Any:
    return features.get(name, [])


def _files(name: str, _: Record, listed: bool) -> Decoder:
    """Return the decoder of contents of files."""
    return lambda features: _one_or_all([{"bytes": bytes(value), "path": None} for value in _list(features, name)], listed)


def _frames(name: str, facts: Record, _: bool) -> Decoder:
    """Return the decoder of a video, which is stored as pictures."""
    return _files(name, facts, True)


def _texts(name: str, _: Record, listed: bool) -> Decoder:
    """Return the decoder of texts; of an old version of TFDS they may be numbers of words."""
    return lambda features: _one_or_all(
        [value.decode("utf-8") if isinstance(value, bytes) else value for value in _list(features, name)], listed
    )


def _one_or_all(cells: list[Any], listed: bool) -> Any:
    """Return a list inside a sequence, otherwise the only cell; None if there is none."""
    return cells if listed else cells[0] if len(cells) == 1 else cells or None


def _label(value: int, labels: list[str] | None) -> Any:
    """Return the name of a class; None for -1, which means no label."""
    return None if value < 0 else labels[value] if labels else value


def _ragged(name: str, _: Record, __: bool) -> Decoder:
    """Return the decoder of a sequence of sequences."""
    return lambda features: _nested(features, name)


def _nested(features: Features, name: str) -> Any:
    """Return the lists of a sequence of sequences."""
    cells = list(cells_of(_list(features, f"{name}/ragged_flat_values")))
    levels = sorted(feature for feature in features if feature.startswith(f"{name}/ragged_row_lengths_"))
    for level in reversed(levels):
        lengths, start = [int(length) for length in features[level]], 0
        if any(length < 0 for length in lengths) or sum(lengths) != len(cells):
            raise ValueError("row lengths that do not add up")
        parts = []
        for length in lengths:
            parts.append(cells[start : start + length])
            start += length
        cells = parts
    return cells


def _tensor(name: str, facts: Record, listed: bool) -> Decoder:
    """Return the decoder of a tensor of a shape, a dtype and an encoding."""
    dimensions = [int(size) for size in (facts.get("shape") or {}).get("dimensions", ())]
    shape = tuple(size if size >= 0 else -1 for size in dimensions)
    dtype, encoding = str(facts.get("dtype", "")), str(facts.get("encoding", "none")).lower()

    def decode(features: Features) -> Any:
        values: Any = features.get(name, features.get(f"{name}/value", []))
        target = tuple(int(size) for size in features[f"{name}/shape"]) if f"{name}/shape" in features else shape
        if dtype not in _DTYPES:
            return _one_or_all(cells_of(values), listed or len(target) > 0)
        if encoding in ("bytes", "zlib") and len(values) and isinstance(values[0], bytes):
            parts = [_unpacked(body) if encoding == "zlib" else body for body in values]
            array = np.frombuffer(b"".join(parts), np.dtype(dtype).newbyteorder("<"))
        else:
            array = np.asarray(values, np.float32 if dtype.startswith("float") else np.dtype(dtype))
        if listed:
            target = (-1, *target)
        if not target:
            return None if not array.size else array.reshape(-1)[0]
        return array.reshape(target) if array.size else None

    return decode


def _unpacked(body: bytes) -> bytes:
    """Return the bytes of a tensor that is compressed with zlib, at most 1 GiB."""
    machine = zlib.decompressobj()
    value = machine.decompress(body, 2**30)
    if machine.unconsumed_tail:
        raise ValueError("more than 1 GiB")
    return value


def _sounds(name: str, facts: Record, listed: bool) -> Decoder:
    """Return the decoder of a sound; the samples of several sounds cannot be separated."""
    return (lambda features: features.get(name)) if listed else lambda features: _sound(features, name, facts)


def _sound(features: Features, name: str, facts: Record) -> Any:
    """Return the cell of a sound: the content of its file, or its samples as a WAV file if their rate is stated."""
    values, rate = _list(features, name), int(facts.get("sampleRate") or 0)
    if len(values) and isinstance(values[0], bytes):
        return {"bytes": values[0], "path": f"x.{str(facts.get('fileFormat') or 'bin').lower()}"}
    samples = np.asarray(values)
    if not samples.size:
        return None
    dimensions = [int(size) for size in (facts.get("shape") or {}).get("dimensions", ())]
    channels = dimensions[1] if len(dimensions) == 2 and dimensions[1] > 0 else 1
    if not 0 < rate < 2**31 or channels > 64:
        return samples
    is_float = samples.dtype.kind == "f"
    if is_float:
        body, width = samples.astype("<f4").tobytes(), 4
    else:
        width = 2 if np.abs(samples).max() < 2**15 else 4
        body = samples.astype(f"<i{width}").tobytes()
    layout = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3 if is_float else 1, channels, rate, rate * channels * width % 2**32, channels * width,
                         8 * width)  # fmt: skip
    head = struct.pack("<4sI4s", b"RIFF", 36 + len(body), b"WAVE") + layout + struct.pack("<4sI", b"data", len(body))
    return {"bytes": head + body, "path": "x.wav"}


_MAKERS: dict[str, Callable[[str, Record, bool], Decoder]] = {
    "sequence": _ragged, "image": _files, "text": _texts, "video": _frames, "audio": _sounds, "tensor": _tensor, "boundingBox": _tensor,
}  # fmt: skip
"""The functions that make decoders, by the name of the feature's description in ``features.json``."""
