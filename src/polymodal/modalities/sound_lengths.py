"""Sounds whose header states no length, because they were written to a pipe, or a wrong one. The length is computed from the content and
written into the header, where libsndfile reads it.

WAV, RF64, CAF and AU: the size of the samples is 0 or all ones; they extend to the end of the file. FLAC: the last whole frame states its
position (RFC 9639). MP3: frames are counted (``mpeg.py``).
"""

from __future__ import annotations

from functools import cache
from typing import Literal

from .mpeg import tag_size, with_frame_count

_UNKNOWN = 2**32 - 1
_MAX_CHECKED = 4 * 2**20
"""The maximum number of bytes of FLAC frames that are checked from the end."""


def with_length(data: bytes) -> bytes:
    """Return a sound without ID3 tags before it, and with the right length in its header. Other bytes are returned unchanged."""
    start = 0
    while tag := tag_size(data, start):
        start += tag
    data = data[start:] if start else data
    if data[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return _riff(data)
    if data[:4] == b"fLaC":
        return _flac(data)
    if data[:4] == b"caff":
        return _caf(data)
    if data[:4] == b".snd":
        return _with_size(data, 8, 4, "big", _UNKNOWN) if data[8:12] == bytes(4) else data
    return data if data[:4] in (b"OggS", b"FORM", b"riff", b"NIST") else with_frame_count(data)


def _with_size(data: bytes, at: int, width: int, order: Literal["little", "big"], size: int) -> bytes:
    """Write a whole number of ``width`` bytes at ``at``."""
    return b"".join((data[:at], size.to_bytes(width, order), data[at + width :]))


def _riff(data: bytes) -> bytes:
    """Correct the length of WAV and RF64, little- and big-endian; BW64 is another name for RF64 (ITU-R BS.2088)."""
    large = data[:4] in (b"RF64", b"BW64")
    if data[:4] == b"BW64":
        data = b"RF64" + data[4:]
    order: Literal["little", "big"] = "big" if data[:4] == b"RIFX" else "little"
    at = 12
    while at + 8 <= len(data):
        size, rest = int.from_bytes(data[at + 4 : at + 8], order), len(data) - at - 8
        if data[at : at + 4] == b"data":
            if large and data[12:16] == b"ds64":
                stated = int.from_bytes(data[28:36], "little")
                return data if 0 < stated < 2**62 else _with_size(data, 28, 8, "little", rest)
            return data if size or _are_chunks(data, at + 8, order) else _with_size(data, at + 4, 4, order, min(rest, _UNKNOWN))
        at += 8 + size + size % 2
    return data


def _are_chunks(data: bytes, at: int, order: Literal["little", "big"]) -> bool:
    """Whether there are only whole chunks from ``at`` to the end. If so, a sound of size 0 has no samples."""
    while at + 8 <= len(data) and data[at : at + 4].isascii() and data[at : at + 4].decode("ascii").isprintable():
        size = int.from_bytes(data[at + 4 : at + 8], order)
        at += 8 + size + size % 2
    return at >= len(data) and at <= len(data) + 1


def _caf(data: bytes) -> bytes:
    """Correct the length of CAF."""
    at = 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 12], "big", signed=True)
        if size < 0:
            return _with_size(data, at + 4, 8, "big", len(data) - at - 12) if data[at : at + 4] == b"data" else data
        at += 12 + size
    return data


def _flac(data: bytes) -> bytes:
    """Correct the length of FLAC: the number of samples is the last 36 bits of the eight bytes that begin with the rate."""
    facts = int.from_bytes(data[18:26], "big")
    if len(data) < 42 or data[4] & 0x7F or facts & 2**36 - 1:
        return data
    return _with_size(data, 18, 8, "big", facts | min(_flac_samples(data), 2**36 - 1))


def _flac_samples(data: bytes) -> int:
    """Return the end of the last whole frame in samples; 0 if there is none. Frames are searched from the end and verified by their
    CRCs."""
    at, last = 4, False
    while not last and at + 4 <= len(data):
        last = bool(data[at] & 0x80)
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    first, mark, longest = at, data[at : at + 2], int.from_bytes(data[10:12], "big")
    if mark not in (b"\xff\xf8", b"\xff\xf9"):
        return 0
    ends, left = [len(data)], _MAX_CHECKED
    if data[-128:-125] == b"TAG":  # ID3v1
        ends.insert(0, len(data) - 128)
    at = data.rfind(mark, first)
    while at >= 0 and left > 0:
        head = _flac_head(data[at : at + 16].ljust(16, b"\0"))
        if head is not None:
            for end in ends[:3]:  # the nearest one and others, because what looked like a frame may be part of this one
                left -= end - at
                if left > 0 and _crc(data[at:end], 16, 0x8005) == 0:
                    number, block = head
                    return (number if mark == b"\xff\xf9" else number * longest) + block
            ends.insert(0, at)
        at = data.rfind(mark, first, at)
    return 0


def _flac_head(head: bytes) -> tuple[int, int] | None:
    """Return the number in a frame's header (of the frame, or of its first sample) and its number of samples; None for other bytes."""
    code, rate = head[2] >> 4, head[2] & 15
    if code == 0 or rate == 15 or head[3] >> 4 > 10 or head[3] & 1:
        return None
    more = 0 if head[4] < 0x80 else 8 - (head[4] ^ 0xFF).bit_length() - 1  # the number is encoded like a character of UTF-8
    if head[4] >= 0x80 and not 1 <= more <= 6:
        return None
    number = head[4] & (0x7F if not more else 0x3F >> more)
    for byte in head[5 : 5 + more]:
        number = number << 6 | byte & 0x3F
    at = 5 + more
    size = {6: 1, 7: 2}.get(code, 0)
    block = (
        int.from_bytes(head[at : at + size], "big") + 1 if size else 192 if code == 1 else 576 << code - 2 if code < 6 else 256 << code - 8
    )
    at += size + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    return (number, block) if _crc(head[:at], 8, 0x07) == head[at] else None


def _crc(data: bytes, width: int, polynomial: int) -> int:
    """Return the CRC of ``width`` bits."""
    table, value, shift, mask = _crc_table(width, polynomial), 0, width - 8, (1 << width) - 1
    for byte in data:
        value = value << 8 & mask ^ table[value >> shift ^ byte]
    return value


@cache
def _crc_table(width: int, polynomial: int) -> list[int]:
    """Return the CRC of each byte."""
    table = []
    for byte in range(256):
        value = byte << width - 8
        for _ in range(8):
            value = value << 1 ^ (polynomial if value >> width - 1 & 1 else 0)
        table.append(value & (1 << width) - 1)
    return table
