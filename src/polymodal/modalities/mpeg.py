"""The frames of an MPEG audio stream (MP1, MP2, MP3), parsed by their headers as defined in ISO 11172-3 and 13818-3.

The header of a frame states its size in bytes, so that the frames of a stream are counted without decoding them. libsndfile (through
mpg123) reads the length of a stream from its information frame (Xing, Info) and stops there. Without one, it estimates the length from the
bit rate of the first frame, which is wrong if the bit rate varies. ``with_frame_count`` writes the true number of frames into the
information frame.
"""

from __future__ import annotations

from dataclasses import dataclass

_RATES = (44_100, 48_000, 32_000)
_DIVISORS = {3: 1, 2: 2, 0: 4}  # by the bits of the version: MPEG 1, 2, 2.5
_KBITS = {  # of (MPEG 1, layer), by the index in the header; index 0 is free format, 15 is forbidden
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RUN = 3  # the number of consecutive frames from which bytes are recognised as a stream
_SEARCHED = 65_536  # the number of bytes that are searched for the first frame
_RESYNC = 1_024  # the number of bytes without a frame after which mpg123 stops
_MAX_FRAMES = 4_000_000  # the maximum number of frames that are counted: about a day of sound


@dataclass(frozen=True)
class Frame:
    """The facts in the header of a frame."""

    size: int
    """The size of the whole frame in bytes."""
    layer: int
    """The layer, 1 to 3."""
    rate: int
    """The sampling rate in Hz."""
    side: int
    """The size in bytes of the side information after the header."""


def frame_of(head: bytes) -> Frame | None:
    """Return the frame whose header is the first four bytes; None if they are not a header, or one of free format."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    divisor, layer, bits, rate = _DIVISORS.get(head[1] >> 3 & 3), 4 - (head[1] >> 1 & 3), head[2] >> 4, head[2] >> 2 & 3
    if divisor is None or layer == 4 or bits in (0, 15) or rate == 3:
        return None
    first, hertz, mono, padding = divisor == 1, _RATES[rate] // divisor, head[3] >> 6 == 3, head[2] >> 1 & 1
    bit_rate = _KBITS[first, layer][bits - 1] * 1_000
    per_slot = 12 if layer == 1 else 144 if first or layer == 2 else 72
    size = (per_slot * bit_rate // hertz + padding) * (4 if layer == 1 else 1)
    return Frame(size, layer, hertz, (17 if mono else 32) if first else (9 if mono else 17))


def tag_size(data: bytes, at: int = 0) -> int:
    """Return the size in bytes of the ID3v2 tag that begins at ``at``; 0 if none does."""
    head = data[at : at + 10]
    if head[:3] != b"ID3" or len(head) < 10 or max(head[6:10]) > 127:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return 10 + size + (10 if head[5] & 0x10 else 0)


def stream_start(data: bytes) -> int | None:
    """Return the start of the first frame of a stream; None if there are no consecutive frames near the start of the bytes."""
    at = data.find(b"\xff", 0, _SEARCHED)
    while at >= 0:
        if _is_run(data, at):
            return at
        at = data.find(b"\xff", at + 1, _SEARCHED)
    return None


def _is_run(data: bytes, at: int) -> bool:
    """Whether there are consecutive frames of one kind from ``at`` on, or up to the end."""
    kinds = set()
    for _ in range(_RUN):
        frame = frame_of(data[at : at + 4])
        if frame is None:
            return False
        kinds.add((frame.layer, frame.rate))
        at += frame.size
        if at >= len(data):
            return at == len(data) and len(kinds) == 1
    return len(kinds) == 1


def with_frame_count(data: bytes) -> bytes:
    """Return a stream from its first frame on, with an information frame that states the true number of frames.

    Bytes that are not a stream are returned unchanged. Streams of layers 1 and 2 have no information frame; their bit rate rarely varies.
    """
    start = stream_start(data)
    first = None if start is None else frame_of(data[start : start + 4])
    if start is None or first is None:
        return data
    if first.layer != 3:
        return data[start:] if start else data
    mark = start + 4 + first.side
    is_xing, is_vbri = data[mark : mark + 4] in (b"Xing", b"Info"), data[start + 36 : start + 40] == b"VBRI"
    flags = int.from_bytes(data[mark + 4 : mark + 8], "big")
    if is_xing and flags & 1:
        count, stated = _count(data, start + first.size, first), int.from_bytes(data[mark + 8 : mark + 12], "big")
        if count == stated or not count:
            return data[start:] if start else data
        sizes = (len(data) - start).to_bytes(4, "big") if flags & 2 else b""
        return b"".join((data[start : mark + 8], count.to_bytes(4, "big"), sizes, data[mark + 12 + len(sizes) :]))
    sound = start + first.size if is_xing or is_vbri else start
    count = _count(data, sound, first)
    return _information(data[start : start + 4], first, count) + data[sound:]


def _information(head: bytes, first: Frame, count: int) -> bytes:
    """Return an information frame with the number of frames after it. It has 64 kbit/s or more, which is large enough, and no CRC."""
    head = bytes((0xFF, head[1] | 1, 0x90 | head[2] & 0x0C, head[3]))
    frame = frame_of(head)
    assert frame is not None
    mark = b"Xing" + (1).to_bytes(4, "big") + count.to_bytes(4, "big")
    return (head + bytes(first.side) + mark).ljust(frame.size, b"\0")


def _count(data: bytes, at: int, first: Frame) -> int:
    """Return the number of whole frames from ``at`` on, as far as a decoder finds them."""
    sizes: dict[bytes, int] = {}
    count, end = 0, len(data)
    while at + 4 <= end and count < _MAX_FRAMES:
        head = data[at : at + 3]
        size = sizes.get(head)
        if size is None:
            frame = frame_of(head + b"\0")
            size = sizes[head] = frame.size if frame and (frame.layer, frame.rate) == (first.layer, first.rate) else 0
        if size:
            at += size
            count += at <= end
        elif tag := tag_size(data, at):
            at += tag
        else:
            at = _next_frame(data, at + 1, first)
    return count


def _next_frame(data: bytes, at: int, first: Frame) -> int:
    """Return the start of the next frame that is followed by other frames or by the end; the end if there is none nearby."""
    limit = at + _RESYNC
    at = data.find(b"\xff", at, limit)
    while at >= 0:
        frame = frame_of(data[at : at + 4])
        if frame and (frame.layer, frame.rate) == (first.layer, first.rate) and _is_run(data, at):
            return at
        at = data.find(b"\xff", at + 1, limit)
    return len(data)
