"""TFRecord files of ``tf.train.Example`` or ``tf.train.SequenceExample``, read without TensorFlow into one row for each record.

A record is its length, a checksum of the length, the bytes of a message and a checksum of them (CRC-32C, masked). Both checksums are
verified. A feature with one value is that value; with several, a list. A list of features becomes an array, or a list of texts or files.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..errors import DataError, counted
from ..storage import Inflated
from .crc32c import masked_crc
from .folders import Folder
from .json_stream import Record
from .protobuf import Malformed, Values, example_of, length_of
from .shards import files_below, in_split, split_of, warn_absent

_LARGEST = 2**30
_FILE = re.compile(r".*(\.tf_?records?|\.tfrec)([-.].*)?|.*-\d{5}-of-\d{5}", re.IGNORECASE)
_CONTROL = re.compile(r"[\0-\x08\x0e-\x1f]")


def rows(*paths: str | Path) -> Iterator[Record]:
    """Return the rows in the order of the files, with the column ``split`` if the name of a file states one.

    :param paths: TFRecord files, which may be compressed with gzip or zlib, or one folder of them
    :raises DataError: a record is broken or truncated, or its message is no Example
    """
    folder, names = files_of(paths)
    warn_absent(folder, names)
    for name in names:
        split = split_of(name)
        for place, (context, lists) in examples(folder / name):
            row = {column_of(feature): cell_of(values) for feature, values in sorted(context.items())}
            row |= {column_of(feature): _sequence(values) for feature, values in sorted(lists.items())}
            if len(row) < len(context) + len(lists):
                raise DataError(f"{place}: two features whose names differ only in '/' and '_'; expected other names; rename one")
            yield in_split(row, split)


def files_of(paths: Sequence[str | Path]) -> tuple[Path, list[str]]:
    """Return the folder of TFRecord files, and their names relative to it.

    :raises DataError: there is none
    """
    one = Path(paths[0]) if len(paths) == 1 else None
    if one is not None and (one.is_dir() or not one.exists()):
        names = [name for name in files_below(Folder(one, "TFRecord files")) if _FILE.fullmatch(os.path.basename(name))]
        if not names:
            raise DataError(f"{one}: no TFRecord file in the folder; expected files such as train.tfrecord or train-00000-of-00001")
        return one, names
    for path in paths:
        if not Path(path).is_file():
            raise DataError(f"{path}: {'a folder' if Path(path).is_dir() else 'no such file'}; expected TFRecord files, or a single folder")
    return Path(), [str(path) for path in paths]


def column_of(feature: str) -> str:
    """Return the name of the column of a feature, such as ``image_encoded`` for ``image/encoded``."""
    return feature.replace("/", "_")


def examples(path: Path) -> Iterator[tuple[str, tuple[dict[str, Values], dict[str, list[Values]]]]]:
    """Yield the messages of a file, each with its place for messages.

    :raises DataError: a record is broken, or its message is no Example
    """
    for at, body in enumerate(records(path), 1):
        place = f"{path} record {at}"
        try:
            yield place, example_of(memoryview(body))
        except Malformed as error:
            raise DataError(f"{place}: {error}; expected a message tf.train.Example or tf.train.SequenceExample") from None


def records(path: Path) -> Iterator[bytes]:
    """Yield the bytes of the records of a TFRecord file.

    :raises DataError: a checksum is wrong, or the file is truncated
    """
    with _opened(path) as file:
        for at in itertools.count(1):
            place = f"{path} record {at}"
            header = _read(file, 12, place, can_end=True)
            if not header:
                return
            if int.from_bytes(header[8:], "little") != masked_crc(header[:8]):
                found = (
                    "broken (the checksum of its length is wrong)" if at > 1 else "no TFRecord (the checksum of the first length is wrong)"
                )
                raise DataError(
                    f"{place}: {found}; expected a TFRecord file; copy it again, or name its compression: gzip and zlib are read"
                )
            length = length_of(header[:8])
            if length > _LARGEST:
                raise DataError(f"{place}: {counted(length, 'byte')}; expected at most {_LARGEST:,}")
            body = _read(file, length + 4, place)
            if int.from_bytes(body[length:], "little") != masked_crc(body[:length]):
                raise DataError(f"{place}: broken (the checksum of its data is wrong); expected the bytes that were written; copy it again")
            yield body[:length]


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | Inflated]:
    """Open a TFRecord file, and unpack it if it is compressed with gzip or zlib."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
            file.seek(0)
            is_plain = len(head) == 12 and int.from_bytes(head[8:], "little") == masked_crc(head[:8])
            is_zlib = len(head) > 1 and head[0] & 15 == 8 and int.from_bytes(head[:2], "big") % 31 == 0
            packed = not is_plain and (head.startswith(b"\x1f\x8b") or is_zlib)
            yield Inflated(file, str(path)) if packed else file
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); expected a TFRecord file") from None


def _read(file: IO[bytes] | Inflated, size: int, place: str, can_end: bool = False) -> bytes:
    """Return the next bytes of a file; none at the end of the file if that is possible.

    :raises DataError: the file ends before
    """
    parts, missing = [], size
    while missing and (part := file.read(min(missing, 2**24))):
        parts.append(part)
        missing -= len(part)
    if missing and not (can_end and missing == size):
        raise DataError(
            f"{place}: truncated ({counted(missing, 'byte')} {'is' if missing == 1 else 'are'} missing); expected a complete file; copy it "
            f"again"
        )
    return b"".join(parts)


# -- cells -----------------------------------------------------------------------------------------------------------------


def cell_of(values: Values) -> Any:
    """Return the cell of a feature: a value, a list of several, None for none."""
    cells = cells_of(values)
    return None if not len(cells) else cells[0] if len(cells) == 1 else cells


def cells_of(values: Values) -> Any:
    """Return the values of a feature: texts and contents of files, whole numbers, or an array of float32."""
    return [_text_or_file(value) if isinstance(value, bytes) else value for value in values] if isinstance(values, list) else values


def _text_or_file(value: bytes) -> Any:
    """Return text, or the content of a file if the bytes are not text."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return {"bytes": value, "path": None}
    return {"bytes": value, "path": None} if _CONTROL.search(text) else text


def _sequence(steps: Sequence[Values]) -> Any:
    """Return the cell of a list of features: an array (steps, values) if all are numbers of one length, otherwise a list."""
    lengths = {len(values) for values in steps}
    has_numbers = all(isinstance(values, np.ndarray) or all(isinstance(value, int) for value in values) for values in steps)
    if has_numbers and len(lengths) == 1 and lengths != {0}:
        return np.array([np.asarray(values) for values in steps])
    parts = [cells_of(values) for values in steps]
    return [part[0] for part in parts] if lengths == {1} else parts
