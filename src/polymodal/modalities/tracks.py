"""Which kinds of tracks a container holds, told by its own tables: MP4 and MOV (ISO 14496-12), Matroska and WebM (RFC 9559), AVI.

Nothing is decoded, no package is needed, and only the tables are read of a file, wherever they stand in it.
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
_MAX_PARTS = 4_096
"""Boxes or elements of a file that are looked at, at most."""


def hold_sound_alone(cells: Sequence[Cell], roots: Roots) -> bool:
    """Whether most of the files that cells name are containers with a sound track and without moving pictures."""
    alone = 0
    for cell in cells:
        with contextlib.suppress(Fault), roots.opened(cell) as file:
            alone += tracks_of(file) == {"sound"}
    return 2 * alone >= len(cells) > 0


def tracks_of(file: BinaryIO) -> frozenset[str]:
    """``"video"``, ``"sound"`` or both; nothing where the tables are not found. Other tracks, such as subtitles, are passed over."""
    head = file.read(12)
    if head[:4] == b"\x1aE\xdf\xa3":
        found = _of_matroska(file)
    elif head[:4] == b"RIFF":
        file.seek(0)
        body = file.read(65_536)
        found = (_STREAMS.get(body[at + 8 : at + 12]) for at in _places(body, b"strh"))
    else:
        found = _of_boxes(file)
    return frozenset(kind for kind in found if kind)


def _places(body: bytes, mark: bytes) -> Iterator[int]:
    at = body.find(mark)
    while at >= 0:
        yield at
        at = body.find(mark, at + 1)


def _of_boxes(file: BinaryIO) -> Iterator[str | None]:
    parts = iter(range(_MAX_PARTS))
    for movie in _boxes(file, parts, 0, file.seek(0, 2), b"moov"):
        for track in _boxes(file, parts, *movie, b"trak"):
            for media in _boxes(file, parts, *track, b"mdia"):
                for start, _ in _boxes(file, parts, *media, b"hdlr"):
                    file.seek(start + 8)
                    yield _HANDLERS.get(file.read(4))


def _boxes(file: BinaryIO, parts: Iterator[int], at: int, end: int, wanted: bytes) -> Iterator[tuple[int, int]]:
    """Where the content of each box of a kind begins and ends; ``parts`` is used up by one for each box that is looked at."""
    for _ in parts:
        file.seek(at)
        head = file.read(16)
        if at + 8 > end or len(head) < 8:
            return
        size, header = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, header = int.from_bytes(head[8:16], "big"), 16
        size = size or end - at  # 0: to the end
        if size < header:
            return
        if head[4:8] == wanted:
            yield at + header, min(at + size, end)
        at += size


def _of_matroska(file: BinaryIO) -> Iterator[str | None]:
    parts = iter(range(_MAX_PARTS))
    for segment in _elements(file, parts, 0, file.seek(0, 2), _SEGMENT):
        for tracks in _elements(file, parts, *segment, _TRACKS):
            for entry in _elements(file, parts, *tracks, _ENTRY):
                for start, end in _elements(file, parts, *entry, _TYPE):
                    file.seek(start)
                    yield _TYPES.get(int.from_bytes(file.read(min(end - start, 8)), "big"))


def _elements(file: BinaryIO, parts: Iterator[int], at: int, end: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Where the content of each element of a kind begins and ends; tables stand before the first cluster. ``parts`` as of ``_boxes``."""
    for _ in parts:
        file.seek(at)
        head = file.read(12)
        width = 9 - (head[0] if head else 0).bit_length()
        if at >= end or width > 4 or len(head) <= width:
            return
        name, rest = int.from_bytes(head[:width], "big"), head[width:]
        wide = 9 - rest[0].bit_length()
        if wide > 8 or len(rest) < wide or name == _CLUSTER:
            return
        start, most = at + width + wide, (1 << 7 * wide) - 1
        size = int.from_bytes(rest[:wide], "big") & most
        stop = end if size == most else min(start + size, end)  # all ones: of unknown size
        if name == wanted:
            yield start, stop
        at = stop
