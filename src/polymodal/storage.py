"""Files that are whole or not there, whatever ends the process; folders that one process writes at a time; cells of a CSV."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import UserError


def write_whole(path: Path, body: bytes, previous: Path | None = None) -> None:
    """Write a file so that its name never stands for half of it, and so that it is still there after a power cut.

    A temporary file beside it is written and synced, takes the name in one step, and the folder is synced. With ``previous`` the file
    that was there keeps that name; at no moment is there neither. ``OSError`` leaves everything as it was.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        if previous is not None and path.exists():
            _keep(path, previous)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_texts(folder: Path, bodies: Mapping[str, str]) -> None:
    """Write files into a folder that a user named, each whole (``UserError``)."""
    try:
        for name, body in bodies.items():
            write_whole(folder / name, body.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error}); choose another folder (-o FOLDER)") from None


def _keep(path: Path, previous: Path) -> None:
    """Give the file a second name. Where a file cannot have two (FAT, some network disks) it moves, and ``path`` is free."""
    linked = path.with_name(f".{previous.name}.link")
    linked.unlink(missing_ok=True)
    try:
        os.link(path, linked)
        os.replace(linked, previous)
    except OSError:
        linked.unlink(missing_ok=True)
        os.replace(path, previous)


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder last; quietly nothing where folders cannot be synced."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sweep(folder: Path) -> None:
    """Take away what a process that was killed left half written in a folder."""
    for path in folder.glob(".*"):
        if path.is_file() and path.name != Lock.NAME:
            path.unlink(missing_ok=True)


_FORMULA = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


def no_formula(cell: Any) -> Any:
    """A cell for a CSV: text that a spreadsheet would take for a formula gets an apostrophe in front (OWASP, *CSV Injection*)."""
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return "'" + cell
    return cell


class Lock:
    """One process at a time in a folder. The system frees the lock of a process that died, however it did."""

    NAME = ".lock"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: int | None = None

    def __enter__(self) -> Lock:
        """``UserError`` when another process holds it, or the folder cannot be written."""
        import fcntl

        path = self.folder / self.NAME
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UserError(
                f"{self.folder}: cannot be written ({error.strerror or error}); choose a folder that can be (-o RUN), or mount it writable"
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(self._file)
            os.close(self._file)
            self._file = None
            raise UserError(f"{self.folder}: another process{holder} is training here; wait for it or stop it") from None
        except OSError:  # a file system without locks: better trained unlocked than not at all
            pass
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        return self

    @classmethod
    def holder(cls, folder: Path) -> str | None:
        """Who holds the folder, as `` (PID on HOST)``; None where nobody does. Changes nothing."""
        import fcntl

        try:
            descriptor = os.open(folder / cls.NAME, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _holder(descriptor)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return None

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, 0)  # the file stays: unlinked, two processes could hold two of them
            os.close(self._file)
            self._file = None


def _holder(descriptor: int) -> str:
    try:
        said = json.loads(os.pread(descriptor, 1_000, 0))
        return f" ({int(said['pid'])} on {str(said['host'])[:100]})"
    except (OSError, ValueError, TypeError, KeyError):
        return ""
