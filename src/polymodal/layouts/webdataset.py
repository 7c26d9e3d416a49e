"""WebDataset: tar files whose members with one name before the first dot are one sample. Reads shards into one row for each sample.

A member ``0001.jpg`` is the cell of sample ``0001`` in the column ``jpg``; numbers such as ``.cls`` and texts such as ``.txt`` become their
values, and the keys of ``.json`` become columns. Members are read one after another; nothing is unpacked by its name.
"""

from __future__ import annotations

import json
import re
import tarfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..language import Sentence
from ..storage import Inflated
from .folders import Folder
from .json_stream import Record
from .shards import files_below, flattened, in_split, split_of, warn_absent

KEY = "__key__"
"""The column that contains the name of a sample."""
EXTENSIONS = (".tar", ".tgz", ".gz")
_NAME = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)")
_TEXTS, _NUMBERS = ("txt", "text", "transcript", "caption"), ("cls", "cls2", "class", "index", "count", "inx", "id")
_PICKLES = ("pyd", "pickle", "pkl", "pth", "pt", "joblib")
_UNREAD = ("mp", "msgpack", "msg", "cbor", "ten", "tb", "npz")
_LARGEST, _LARGEST_TEXT = 2**30, 2**26
_BROKEN = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError)


def rows(*paths: str | Path) -> Iterator[Record]:
    """Return the rows in the order of the shards: the columns ``__key__`` and ``split``, and one for each kind of member.

    :param paths: tar files, which may be compressed with gzip, or one folder of them. The split is a word of the path, such as ``train``
    :raises DataError: a shard is broken, or contains a link, a device, a path out of it, or a sample twice
    """
    return _Reading(*shards_of(paths)).rows()


def shards_of(paths: Sequence[str | Path]) -> tuple[Path, list[str]]:
    """Return the folder of shards, and their names relative to it.

    :raises DataError: there is none
    """
    one = Path(paths[0]) if len(paths) == 1 else None
    if one is not None and (one.is_dir() or not one.exists()):
        folder = Folder(one, "WebDataset shards (.tar)")
        names = [name for name in files_below(folder, EXTENSIONS) if name.endswith((".tar", ".tgz", ".tar.gz"))]
        if not names:
            raise DataError(f"{one}: no .tar file in the folder; expected WebDataset shards, such as train-000000.tar")
        return one, names
    for path in paths:
        if not Path(path).is_file():
            raise DataError(f"{path}: {'a folder' if Path(path).is_dir() else 'no such file'}; expected .tar files, or a single folder")
    return Path(), [str(path) for path in paths]


class _Reading:
    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.folder, self.names = folder, names
        self._left_out: Counter[str] = Counter()
        warn_absent(folder, names)

    def rows(self) -> Iterator[Record]:
        """Yield the rows of all shards."""
        for name in self.names:
            split = split_of(name)
            for row in self._shard(self.folder / name):
                yield in_split(row, split)
        for extension, count in self._left_out.items():
            key = "layout.pickles" if extension in _PICKLES else "layout.unread"
            warnings.warn(Sentence(key, count=count, extension=extension), UserWarning, stacklevel=2)

    def _shard(self, path: Path) -> Iterator[Record]:
        """Yield the rows of one shard."""
        row: Record = {}
        values: Record = {}  # of JSON objects
        known: set[bytes] = set()
        for name, body in self._members(path):
            split = _NAME.fullmatch(name)
            if split is None or re.fullmatch(r"(.*/)?__[^/]*__", split[1]):
                continue
            key, extension = split[1], split[2].lower()
            place = f"{path}, member {name[:100]!r}"
            if row.get(KEY) != key:
                if row:
                    yield _joined(row, values)
                digest = blake2b(key.encode("utf-8", "surrogateescape"), digest_size=12).digest()
                if digest in known:
                    raise DataError(
                        f"{place}: the sample {key[:60]!r} a second time, after others; expected its members side by side; write the "
                        f"archive again: tar --sort=name -cf ..."
                    )
                known.add(digest)
                row, values = {KEY: key}, {}
            cells = self._cells(extension, body, place)
            into = values if extension.endswith("json") else row
            again = sorted(cells.keys() & into.keys())
            if again:
                raise DataError(f"{place}: the column {again[0][:60]!r} of sample {key[:60]!r} a second time; expected it once")
            into |= cells
        if row:
            yield _joined(row, values)

    def _members(self, path: Path) -> Iterator[tuple[str, bytes]]:
        """Yield the names and contents of the files in a shard."""
        with _opened(path) as archive:
            before = "at its beginning"
            while True:
                with _reading(path, before):
                    member = archive.next()
                    archive.members.clear()  # type: ignore[attr-defined]  # otherwise it grows by every member
                if member is None:
                    _check_end(path, archive.offset)
                    return
                name = member.name
                place = f"{path}, member {name[:100]!r}"
                before = f"after member {name[:100]!r}"
                if member.isdir():
                    continue
                if not member.isreg() or member.issparse():
                    raise DataError(f"{place}: a link, a device or a sparse file; expected plain files; write the archive again without it")
                if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or "\0" in name:
                    raise DataError(f"{place}: a path out of the archive; expected a name below it")
                if not 0 <= member.size <= _LARGEST:
                    raise DataError(f"{place}: {member.size:,} bytes; expected at most {_LARGEST:,}")
                with _reading(path, before):
                    file = archive.extractfile(member)
                    body = file.read() if file is not None else b""
                    if len(body) < member.size:
                        raise EOFError("its end is missing")
                yield name.removeprefix("./"), body

    def _cells(self, extension: str, body: bytes, place: str) -> Record:
        """Return the cells of one member by column."""
        kind = extension.rpartition(".")[2]
        column = extension.removesuffix(f".{kind}") if "." in extension else {"jpeg": "jpg"}.get(extension, extension)
        if kind in _PICKLES or kind in _UNREAD:
            self._left_out[kind] += 1
            return {}
        if kind not in (*_TEXTS, *_NUMBERS, "json"):
            return {column: {"bytes": body, "path": f"x.{kind}"}}
        if len(body) > _LARGEST_TEXT:
            raise DataError(f"{place}: a text of {len(body):,} bytes; expected at most {_LARGEST_TEXT:,}")
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise DataError(f"{place}: not UTF-8 text; expected UTF-8, as .{kind} states") from None
        if kind in _TEXTS:
            return {column: text}
        if kind in _NUMBERS:
            return {column: text.strip()}
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{place}: not valid JSON ({str(error)[:80]}); expected JSON") from None
        if not isinstance(value, dict):
            return {column: value}
        return flattened(value, "" if extension == "json" else column)


def _joined(row: Record, values: Record) -> Record:
    """Return a row with the values of its JSON objects; a key that is also the name of a member has the prefix ``json_``."""
    return row | {f"json_{name}" if name in row else name: value for name, value in values.items()}


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a shard as a stream, which is never read backwards."""
    with path.open("rb") as file:
        is_packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        source: Any = Inflated(file, str(path)) if is_packed else file
        with _reading(path, "at its beginning"):
            archive = tarfile.open(fileobj=source, mode="r|")  # noqa: SIM115
        with archive:
            yield archive


def _check_end(path: Path, end: int) -> None:
    """Check that a shard ends with blocks of zeros, as every complete archive does, and that nothing follows them. Compressed archives
    have a mark of their own.

    :param end: the number of bytes before the end of the archive
    :raises DataError: they are missing, or something follows
    """
    with path.open("rb") as file:
        if file.read(2) == b"\x1f\x8b":
            return
        file.seek(end)
        if len(file.read(tarfile.BLOCKSIZE)) < tarfile.BLOCKSIZE:
            raise DataError(f"{path}: truncated (the mark at its end is missing); expected a complete tar file; copy it again")
        if any(part.strip(b"\0") for part in iter(lambda: file.read(2**20), b"")):
            raise DataError(f"{path}: data after the end of the archive; expected one archive; join archives by tar --concatenate")


@contextmanager
def _reading(path: Path, where: str) -> Iterator[None]:
    """Turn the exceptions of a broken archive into a ``DataError``."""
    try:
        yield
    except _BROKEN as error:
        raise DataError(f"{path}: broken or truncated {where} ({str(error)[:80]}); expected a tar file; copy it again") from None
