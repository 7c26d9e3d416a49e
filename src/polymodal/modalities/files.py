"""Which bytes a cell may name: a file under one of the roots, bytes, or a base64 data URI. Never a URL."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import stat
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ..errors import ConfigError, Fault
from ..request import listed
from .objects import called, plain

MAX_BYTES = 2 * 2**30
"""A cell's file or bytes may be this large, whatever a modality allows."""
_LONGEST = 4_096  # characters of a path that is looked at as a folder's
_HEAD = 512


class NoFolder(Fault):
    """A cell names a file, and nothing says below which folder."""


def check_folders(root: Iterable[str | Path]) -> None:
    """``ConfigError`` for a folder that was named as a root, and is not there."""
    for folder in root:
        if not Path(folder).is_dir():
            raise ConfigError(f"root {str(folder)!r}: no such folder; expected one that holds the files that cells name (--root DIR)")


class Roots:
    """The folders that file cells may name: the table's own first, then those that were added."""

    def __init__(self, folders: str | Path | Iterable[str | Path] = ()) -> None:
        try:
            self.folders = [os.path.realpath(folder) for folder in listed(folders)]
        except ValueError as error:
            raise ConfigError(f"data.root: {error}; expected folders") from None

    def bytes_of(self, cell: object, at_most: int | None = None) -> bytes:
        """The bytes that a cell holds or names, ``at_most`` so many; ``Fault`` says what is wrong with it, never where the roots are."""
        at_most = min(at_most or MAX_BYTES, MAX_BYTES)
        given, cell = cell, plain(cell)
        if isinstance(cell, (bytes, bytearray, memoryview)):
            if len(cell) > at_most:
                raise Fault(f"{len(cell):,} bytes; expected at most {at_most:,}")
            return bytes(cell)
        if isinstance(cell, os.PathLike):
            cell = os.fspath(cell)
        if not isinstance(cell, str):
            raise Fault(f"found {called(given)}; expected a path, bytes or a data URI")
        if cell.startswith("data:"):
            return _data_uri(cell, at_most)
        return self._file(cell.strip(), at_most)

    def names_in(self, cell: object, at_most: int) -> list[str] | None:
        """The names in the folder that a cell names, in order, hidden ones aside; None where it names no folder below the roots.
        ``Fault`` for more than ``at_most``. Each is a path to be read like any other."""
        path = os.fspath(cell) if isinstance(cell, os.PathLike) else cell
        if not isinstance(path, str) or path.startswith("data:") or len(path) > _LONGEST or "\n" in path:
            return None
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
                        raise Fault(f"a folder of more than {at_most:,} names; expected at most that")
                    names.append(entry.name)
        except OSError as error:
            raise Fault(f"a folder that cannot be listed ({error.strerror or error})") from None
        finally:
            os.close(descriptor)
        return [os.path.join(path.strip(), name) for name in sorted(names) if not name.startswith(".")]

    def heads(self, cells: Iterable[object]) -> list[bytes]:
        """The first bytes of the files that some cells name: a kind is told by them where no name tells it. Nothing of other cells."""
        found = []
        for cell in cells:
            with contextlib.suppress(Fault), self.opened(cell) as file:
                found.append(file.read(_HEAD))
        return found

    @contextmanager
    def opened(self, cell: object) -> Generator[BinaryIO]:
        """The regular file that a cell names, to look at parts of it without reading all; ``Fault`` where it names none."""
        path = os.fspath(cell) if isinstance(cell, os.PathLike) else cell
        if not isinstance(path, str) or path.startswith("data:") or not 0 < len(path) <= _LONGEST or "\n" in path:
            raise Fault(f"found {type(cell).__name__}; expected a path")
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
        descriptor = self._descriptor(path)
        try:
            return self._read(descriptor, at_most)
        except OSError as error:
            raise Fault(f"a file that cannot be opened ({error.strerror or error})") from None
        finally:
            os.close(descriptor)

    def _descriptor(self, path: str) -> int:
        if "\0" in path:
            raise Fault("a path that holds a NUL; expected a file under the table's folder")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", path):
            raise Fault("a URL; expected a file under the table's folder (URLs are never fetched)")
        if not self.folders:
            raise NoFolder("a path, but this table has no folder; pass root=... (--root) to say where its files are")
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
        facts = os.fstat(descriptor)
        if stat.S_ISDIR(facts.st_mode):
            raise Fault("a folder; expected a file")
        if not stat.S_ISREG(facts.st_mode):
            raise Fault("not a regular file (a device, a pipe or a socket)")
        if facts.st_size > at_most:
            raise Fault(f"a file of {facts.st_size:,} bytes; expected at most {at_most:,}")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            body = file.read((facts.st_size or at_most) + 1)  # some file systems tell no sizes
        if len(body) > at_most:
            raise Fault(f"a file of more than {at_most:,} bytes; expected at most that")
        return body


def _open_below(folder: str, path: str) -> int:
    """Open a resolved path, a step at a time from ``folder`` and along no link: one swapped in since the check leads nowhere."""
    step = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    parts = [part for part in path[len(folder) :].split(os.sep) if part]
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for at, part in enumerate(parts):
        try:
            below = os.open(
                part, step if at < len(parts) - 1 else os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor
            )
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor


def _shown(path: str, folders: Iterable[str]) -> str:
    """A path as it is written in a cell, its end where it is long. One that says where a root is, is shown from there on."""
    if os.path.isabs(path) or ".." in path.split(os.sep):
        at = ((os.path.realpath(os.path.join(folder, path)), folder) for folder in folders)
        path = next((os.path.relpath(resolved, folder) for resolved, folder in at if _within(resolved, folder)), "")
    return repr(path if len(path) <= 100 else f"...{path[-97:]}")


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _data_uri(cell: str, at_most: int) -> bytes:
    head, comma, body = cell.partition(",")
    if not comma or not head.endswith(";base64"):
        raise Fault("a data URI that is not base64; expected data:TYPE;base64,...")
    if len(body) > at_most * 4 // 3 + 4:
        raise Fault(f"a data URI of {len(body):,} characters; expected at most {at_most:,} bytes")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise Fault("a data URI whose base64 is broken") from None
