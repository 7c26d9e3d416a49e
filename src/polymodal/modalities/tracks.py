"""The kinds of tracks in a container, as its tables declare them: MP4 and MOV (ISO 14496-12), Matroska and WebM (RFC 9559), AVI.

Nothing is decoded and no package is needed. Only the tables are read, wherever they are in the file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from ..errors import Fault
from ..flow import Cell
from .files import Roots

_HANDLERS = {b"vide": "video", b"soun": "sound"}
_STREAMS = {b"vids": "video", b"auds": "sound"}
_TYPES = {1: "video", 2: "sound"}
_SEGMENT, _TRACKS, _ENTRY, _TYPE, _CLUSTER = 0x18538067, 0x1654AE6B, 0xAE, 0x83, 0x1F43B675
"""The ids of Matroska elements."""
_MAX_PARTS = 4_096
"""The largest number of boxes or elements of a file that are read."""


def hold_sound_alone(cells: Sequence[Cell], roots: Roots) -> bool:
    """Return whether at least half of the cells name containers with a sound track and without a video track."""
    alone = 0
    for cell in cells:
        with contextlib.suppress(Fault), roots.opened(cell) as file:
            alone += tracks_of(file) == {"sound"}
    return 2 * alone >= len(cells) > 0


def tracks_of(file: BinaryIO) -> frozenset[str]:
    """Return the kinds of the tracks of an open file: "video", "sound", both, or neither where the tables are not found.

    Other tracks, such as subtitles, are ignored.
    """
    head = file.read(12)
    if head[:4] == b"\x1aE\xdf\xa3":
        kinds = _of_matroska(file)
    elif head[:4] == b"RIFF":
        file.seek(0)
        body = file.read(65_536)
        kinds = (_STREAMS.get(body[at + 8 : at + 12]) for at in _positions(body, b"strh"))
    else:
        kinds = _of_boxes(file)
    return frozenset(kind for kind in kinds if kind)


def _positions(body: bytes, mark: bytes) -> Iterator[int]:
    """Yield the position of each occurrence of some bytes."""
    at = body.find(mark)
    while at >= 0:
        yield at
        at = body.find(mark, at + 1)


def _of_boxes(file: BinaryIO) -> Iterator[str | None]:
    """Yield the kind of each track of an MP4 or MOV; None = another kind."""
    parts = iter(range(_MAX_PARTS))
    for movie in _boxes(file, parts, 0, file.seek(0, 2), b"moov"):
        for track in _boxes(file, parts, *movie, b"trak"):
            for media in _boxes(file, parts, *track, b"mdia"):
                for start, _ in _boxes(file, parts, *media, b"hdlr"):
                    file.seek(start + 8)
                    yield _HANDLERS.get(file.read(4))


def _boxes(file: BinaryIO, parts: Iterator[int], at: int, end: int, wanted: bytes) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of the content of each box of one type between two positions. Each box that is read consumes one item of
    ``parts``."""
    for _ in parts:
        file.seek(at)
        head = file.read(16)
        if at + 8 > end or len(head) < 8:
            return
        size, header = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, header = int.from_bytes(head[8:16], "big"), 16
        size = size or end - at  # 0 = up to the end
        if size < header:
            return
        if head[4:8] == wanted:
            yield at + header, min(at + size, end)
        at += size


def _of_matroska(file: BinaryIO) -> Iterator[str | None]:
    """Yield the kind of each track of a Matroska or WebM file; None = another kind."""
    parts = iter(range(_MAX_PARTS))
    for segment in _elements(file, parts, 0, file.seek(0, 2), _SEGMENT):
        for tracks in _elements(file, parts, *segment, _TRACKS):
            for entry in _elements(file, parts, *tracks, _ENTRY):
                for start, end in _elements(file, parts, *entry, _TYPE):
                    file.seek(start)
                    yield _TYPES.get(int.from_bytes(file.read(min(end - start, 8)), "big"))


def _elements(file: BinaryIO, parts: Iterator[int], at: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Yield the start and the end of the content of each element of one id between two positions, up to the first cluster: the tables come
    before it. Each element that is read consumes one item of ``parts``."""
    for _ in parts:
        file.seek(at)
        head = file.read(12)
        width = 9 - (head[0] if head else 0).bit_length()
        if at >= end or width > 4 or len(head) <= width:
            return
        name, rest = int.from_bytes(head[:width], "big"), head[width:]
        size_width = 9 - rest[0].bit_length()
        if size_width > 8 or len(rest) < size_width or name == _CLUSTER:
            return
        start, unknown = at + width + size_width, (1 << 7 * size_width) - 1  # a size of all ones means an unknown size
        size = int.from_bytes(rest[:size_width], "big") & unknown
        stop = end if size == unknown else min(start + size, end)
        if name == wanted:
            yield start, stop
        at = stop
