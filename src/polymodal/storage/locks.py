"""A lock by which one process at a time works in a folder."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from pathlib import Path

from ..errors import UserError, spelled


class Lock:
    """A lock on a folder, which one process has at a time. The operating system frees the lock of a process that ends for any reason.

    :param folder: the folder; it must exist
    """

    NAME = ".lock"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: int | None = None

    def __enter__(self) -> Lock:
        """Take the lock.

        :raises UserError: another process has the lock, or the folder cannot be written
        """
        import fcntl

        path = self.folder / self.NAME
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UserError(
                f"{self.folder}: cannot be written ({error.strerror or error}); expected a folder that can be; choose another one "
                f"({spelled('-o RUN', 'out=...')}), or mount it writable"
            ) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(self._file)
            os.close(self._file)
            self._file = None
            raise UserError(busy(self.folder, holder)) from None
        except OSError:  # a file system without locks: training without a lock is better than no training
            pass
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
        return self

    @classmethod
    def holder(cls, folder: Path) -> str | None:
        """Return the process that has the lock, as `` (PID on HOST)`` or "" if it is unknown; None if the folder is not locked.

        Nothing is changed.
        """
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
                os.ftruncate(self._file, 0)  # the file is kept: if it were deleted, two processes could lock two files of that name
            os.close(self._file)
            self._file = None


def busy(folder: Path, holder: str) -> str:
    """Return the message about a folder in which another process works.

    :param holder: what ``Lock.holder`` returns
    """
    return f"{folder}: another process{holder} is training here; expected one process at a time; wait for it or stop it"


def _holder(descriptor: int) -> str:
    """Return the process that is written in an open lock file, as `` (PID on HOST)``; "" if the content is invalid."""
    try:
        process = json.loads(os.pread(descriptor, 1_000, 0))
        return f" ({int(process['pid'])} on {str(process['host'])[:100]})"
    except (OSError, ValueError, TypeError, KeyError):
        return ""
