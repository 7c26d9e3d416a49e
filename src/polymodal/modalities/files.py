"""The bytes of a cell: those of a file below one of the roots, the cell's own, or those of a base64 data URI.

A URL is fetched only if it lies below a root that is a URL of an object store itself (``remote.py``).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import stat
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import ConfigError, Fault
from ..remote import Remote, is_remote, scheme_of
from ..request import listed
from .objects import called, plain

MAX_BYTES = 2 * 2**30
"""The largest number of bytes of a cell or its file, whatever limit a modality sets."""
_MAX_PATH = 4_096
"""The largest number of characters of a text that is tried as a path."""
_HEAD_BYTES = 512
"""The number of bytes at the beginning of a file from which its format is recognised."""


NO_FOLDER = "a path, but this table has no folder"
"""The beginning of the message of ``NoFolder``."""


class NoFolder(Fault):
    """A cell names a file, but there is no root folder to find it in."""


def check_folders(root: Iterable[str | Path]) -> None:
    """Raise ``ConfigError`` if a folder that is given as a root does not exist."""
    for folder in root:
        if not is_remote(folder) and not Path(folder).is_dir():
            raise ConfigError(f"root {str(folder)!r}: no such folder; expected the folder of the files that cells name (--root DIR)")


class Roots:
    """The folders below which cells may name files: the folder of the table first, then the added ones.

    :param folders: local folders, and URLs of folders in object stores; local ones are tried first
    """

    def __init__(self, folders: str | Path | Iterable[str | Path] = ()) -> None:
        every = listed(folders)
        try:
            self.folders = [os.path.realpath(folder) for folder in every if not is_remote(folder)]
        except ValueError as error:
            raise ConfigError(f"data.root: {error}; expected folders") from None
        self.remote = [Remote(str(folder)) for folder in every if is_remote(folder)]

    @property
    def places(self) -> list[str]:
        """The folders and the URLs."""
        return [*self.folders, *(remote.url for remote in self.remote)]

    def bytes_of(self, cell: object, at_most: int | None = None) -> bytes:
        """Return the bytes of a cell, or of the file or the data URI that it contains.

        :param cell: bytes, a path below one of the roots, or a data URI
        :param at_most: the largest number of bytes; None = ``MAX_BYTES``
        :raises Fault: if the bytes cannot be read, or are too many; the message never contains the path of a root
        """
        at_most = min(at_most or MAX_BYTES, MAX_BYTES)
        original, cell = cell, plain(cell)
        if isinstance(cell, (bytes, bytearray, memoryview)):
            if len(cell) > at_most:
                raise Fault(f"{len(cell):,} bytes; expected at most {at_most:,}")
            return bytes(cell)
        if isinstance(cell, os.PathLike):
            cell = os.fspath(cell)
        if not isinstance(cell, str):
            raise Fault(f"found {called(original)}; expected a path, bytes or a data URI")
        if cell.startswith("data:"):
            return _data_uri(cell, at_most)
        return self._file(cell.strip(), at_most)

    def names_in(self, cell: object, at_most: int) -> list[str] | None:
        """Return the paths of the entries of a folder that a cell names, sorted, without hidden ones; each can be read like a cell.

        :returns: None if the cell does not name a folder below the roots
        :raises Fault: if the folder has more than ``at_most`` entries, or cannot be listed
        """
        path = os.fspath(cell) if isinstance(cell, os.PathLike) else cell
        if not isinstance(path, str) or path.startswith("data:") or len(path) > _MAX_PATH or "\n" in path:
            return None
        if places := self._places(path.strip()):
            return next((found for place in places if (found := _names_of(place, path.strip(), at_most)) is not None), None)
        try:
            descriptor = self._descriptor(path.strip())
        except Fault:
            return None
        try:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                return None
            names: list[str] = []
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if len(names) >= at_most:
                        raise Fault(f"a folder of more than {at_most:,} entries; expected at most {at_most:,}")
                    names.append(entry.name)
        except OSError as error:
            raise Fault(f"a folder that cannot be listed ({error.strerror or error})") from None
        finally:
            os.close(descriptor)
        return [os.path.join(path.strip(), name) for name in sorted(names) if not name.startswith(".")]

    def heads(self, cells: Iterable[object]) -> list[bytes]:
        """Return the first 512 bytes of each file that cells name, to recognise formats without an extension. Other cells are left out."""
        heads = []
        for cell in cells:
            with contextlib.suppress(Fault), self.opened(cell) as file:
                heads.append(file.read(_HEAD_BYTES))
        return heads

    @contextmanager
    def opened(self, cell: object) -> Generator[BinaryIO]:
        """Open the regular file that a cell names, so that parts of it can be read.

        :raises Fault: if the cell does not name a regular file below the roots
        """
        path = os.fspath(cell) if isinstance(cell, os.PathLike) else cell
        if not isinstance(path, str) or path.startswith("data:") or not 0 < len(path) <= _MAX_PATH or "\n" in path:
            raise Fault(f"found {type(cell).__name__}; expected a path")
        if places := self._places(path.strip()):
            with _opened(places, path.strip()) as stream:
                yield stream
            return
        descriptor = self._descriptor(path.strip())
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Fault("not a regular file (a device, a pipe or a socket)")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                yield file
        except OSError as error:
            raise Fault(f"a file that cannot be opened ({error.strerror or error})") from None
        finally:
            os.close(descriptor)

    def _file(self, path: str, at_most: int) -> bytes:
        """Return the content of a file below one of the roots."""
        if places := self._places(path):
            with _opened(places, path, at_most) as stream:
                return _bounded(stream.read(at_most + 1), at_most)
        descriptor = self._descriptor(path)
        try:
            return self._read(descriptor, at_most)
        except OSError as error:
            raise Fault(f"a file that cannot be opened ({error.strerror or error})") from None
        finally:
            os.close(descriptor)

    def _descriptor(self, path: str) -> int:
        """Open a path below the first root that has it; ``Fault`` if none has."""
        if "\0" in path:
            raise Fault("a path with a NUL character; expected a file under the table's folder")
        if scheme_of(path) is not None:
            raise Fault("a URL; expected a file under the table's folder (URLs are never fetched)")
        if not self.folders and self.remote:
            raise Fault("a path outside every root; expected a file under the table's folder (--root adds folders)")
        if not self.folders:
            raise NoFolder(f"{NO_FOLDER}; pass root=... (--root) to say where its files are")
        missing = False
        for folder in self.folders:
            try:
                resolved = os.path.realpath(os.path.join(folder, path))
                if not _within(resolved, folder):
                    continue
                missing = True
                return _open_below(folder, resolved)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, ValueError) as error:
                raise Fault(f"a file that cannot be opened ({getattr(error, 'strerror', None) or error})") from None
        if not missing:
            raise Fault("a path outside every root; expected a file under the table's folder (--root adds folders)")
        raise Fault(f"no such file {_shown(path, self.folders)} under the table's folder (--root adds folders)")

    @staticmethod
    def _read(descriptor: int, at_most: int) -> bytes:
        """Return the content of an open regular file of at most ``at_most`` bytes."""
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise Fault("a folder; expected a file")
        if not stat.S_ISREG(status.st_mode):
            raise Fault("not a regular file (a device, a pipe or a socket)")
        if status.st_size > at_most:
            raise Fault(f"a file of {status.st_size:,} bytes; expected at most {at_most:,}")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            body = file.read((status.st_size or at_most) + 1)  # some file systems report a size of 0
        return _bounded(body, at_most)

    def _places(self, path: str) -> list[Remote]:
        """Return the places that a path names below the roots in object stores; none if a local root has the path."""
        if not self.remote or "\0" in path:
            return []
        if scheme_of(path) is None and self.folders:
            with contextlib.suppress(Fault):
                os.close(self._descriptor(path))
                return []
        return [place for root in self.remote if (place := root.below(path)) is not None]


def _bounded(body: bytes, at_most: int) -> bytes:
    """Return the content of a file, unless it is larger than ``at_most`` bytes."""
    if len(body) > at_most:
        raise Fault(f"a file of more than {at_most:,} bytes; expected at most {at_most:,}")
    return body


@contextmanager
def _opened(places: Iterable[Remote], path: str, at_most: int = MAX_BYTES) -> Generator[BinaryIO]:
    """Open the first of some places in object stores that exists.

    :param path: the path in the cell, for messages
    :raises Fault: none exists, or the first is a folder, or larger than ``at_most`` bytes
    """
    for place in places:
        try:
            size = place.size()
            if size is None:
                raise Fault("a folder; expected a file")
            if size > at_most:
                raise Fault(f"a file of {size:,} bytes; expected at most {at_most:,}")
            stream = place.open()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Fault(f"a file that cannot be opened ({error})") from None
        try:
            with stream:
                yield stream
        except OSError as error:
            raise Fault(f"a file that cannot be read ({error})") from None
        return
    raise Fault(f"no such file {_shown(path, ())} under the table's folder (--root adds folders)")


def _names_of(remote: Remote, path: str, at_most: int) -> list[str] | None:
    """Return the paths of the entries of a folder in an object store, like ``Roots.names_in``."""
    try:
        if remote.size() is not None:
            return None
        names = [name for name, _ in remote.entries() if not name.startswith(".")]
    except OSError:
        return None
    if len(names) > at_most:
        raise Fault(f"a folder of more than {at_most:,} entries; expected at most {at_most:,}")
    return [f"{path.rstrip('/')}/{name}" for name in names]


def _open_below(folder: str, path: str) -> int:
    """Open a resolved path one component at a time from ``folder`` without following links, as a link may have been created meanwhile."""
    folder_flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    file_flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    parts = [part for part in path[len(folder) :].split(os.sep) if part]
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for at, part in enumerate(parts):
        try:
            child = os.open(part, folder_flags if at < len(parts) - 1 else file_flags, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = child
    return descriptor


def _shown(path: str, folders: Iterable[str]) -> str:
    """Return a path for a message, without the path of a root: as the cell has it, or relative to a root. Only the end of a long one."""
    if os.path.isabs(path) or ".." in path.split(os.sep):
        candidates = ((os.path.realpath(os.path.join(folder, path)), folder) for folder in folders)
        path = next((os.path.relpath(resolved, folder) for resolved, folder in candidates if _within(resolved, folder)), "")
    return repr(path if len(path) <= 100 else f"...{path[-97:]}")


def _within(path: str, folder: str) -> bool:
    """Return whether a resolved path is the folder or below it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _data_uri(cell: str, at_most: int) -> bytes:
    """Return the bytes of a base64 data URI."""
    head, comma, body = cell.partition(",")
    if not comma or not head.endswith(";base64"):
        raise Fault("a data URI that is not base64; expected data:TYPE;base64,...")
    if len(body) > at_most * 4 // 3 + 4:
        raise Fault(f"a data URI of {len(body):,} characters; expected at most {at_most:,} bytes")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise Fault("a data URI with invalid base64; expected data:TYPE;base64,...") from None
