"""The bound on what compressed data may unpack to, and streams that observe it."""

from __future__ import annotations

import io
import zlib
from typing import IO

from ..errors import DataError

BOMB, RATIO = 2**28, 200
"""Data that unpack to more than ``BOMB`` bytes and to more than ``RATIO`` times their packed size are rejected; the ratio of text is about
10."""
_BLOCK = 2**20


def is_bomb(unpacked: int, packed: int) -> bool:
    """Return whether data unpack to more than the bound.

    :param unpacked: the number of bytes that were unpacked so far, or are stated
    :param packed: the number of bytes that they are unpacked from
    """
    return unpacked > BOMB and unpacked > RATIO * max(packed, 1)


class Inflated(io.RawIOBase):
    """The unpacked bytes of a file compressed with gzip or zlib, of one stream or several, as a file that is read from start to end.

    :param file: the compressed file
    :param place: the name of the file, for messages
    """

    def __init__(self, file: IO[bytes], place: str) -> None:
        self._file, self._place = file, place
        self._machine = zlib.decompressobj(32 + zlib.MAX_WBITS)
        self._waiting = b""
        self._packed = self._unpacked = 0
        self._has_ended = False

    def readable(self) -> bool:
        """Return that the file can be read."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill a buffer, and return the number of bytes; 0 = the end.

        :raises DataError: the stream is broken, is truncated, or unpacks to more than the bound
        """
        view = memoryview(buffer)  # type: ignore[arg-type]
        while not self._has_ended and len(view):
            if not self._waiting:
                self._waiting = self._file.read(_BLOCK)
                self._packed += len(self._waiting)
                if not self._waiting:
                    raise DataError(f"{self._place}: its end is missing; expected a complete compressed file; copy it again")
            try:
                body = self._machine.decompress(self._waiting, len(view))
            except zlib.error:
                raise DataError(f"{self._place}: broken compressed data; expected gzip or zlib; copy it again") from None
            self._waiting = self._machine.unconsumed_tail
            if self._machine.eof:
                self._next_stream()
            if body:
                self._unpacked += len(body)
                if is_bomb(self._unpacked, self._packed):
                    raise DataError(
                        f"{self._place}: unpacks to more than {RATIO} times its size; expected data; unpack it, and read the unpacked file"
                    )
                view[: len(body)] = body
                return len(body)
        return 0

    def _next_stream(self) -> None:
        """Begin the stream after one that ended; zeros after it are padding."""
        rest = (self._machine.unused_data or self._file.read(_BLOCK)).lstrip(b"\0")
        while not rest and (more := self._file.read(_BLOCK)):
            rest = more.lstrip(b"\0")
        self._machine, self._waiting, self._has_ended = zlib.decompressobj(32 + zlib.MAX_WBITS), rest, not rest
