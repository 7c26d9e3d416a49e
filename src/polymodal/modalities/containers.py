"""Containers of moving pictures and sound: MP4 and MOV, AVI, Matroska and WebM, decoded in this process from bytes in memory; and files of
sound that only FFmpeg reads: raw AAC (ADTS), WMA, AMR.

Which container it is is told by its first bytes, and only that one is opened, so that a list of other files is never taken for a video;
what it asks to open besides is refused. Only decoders on a list are run, on one thread, and what they may make is bounded before they do.
"""

from __future__ import annotations

import io
import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
from PIL import Image as Pillow

from ..errors import Fault, MissingDependency, requires
from .tracks import tracks_of

ENDINGS = (".mp4", ".m4v", ".mov", ".avi", ".webm", ".mkv")
_STILL = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1")  # pictures in the same kind of container
_SOUND = (b"M4A ", b"M4B ")
_VIDEO_CODECS = frozenset(("av1", "dvvideo", "ffv1", "h263", "h264", "hevc", "huffyuv", "libdav1d", "mjpeg", "mpeg1video", "mpeg2video",
                           "mpeg4", "msmpeg4v2", "msmpeg4v3", "png", "prores", "qtrle", "rawvideo", "theora", "vp8", "vp9"))  # fmt: skip
"""Decoders of moving pictures that may run; libdav1d decodes AV1."""
_AUDIO_CODECS = ("aac", "ac3", "alac", "amrnb", "amrwb", "eac3", "flac", "mp2", "mp3", "opus", "vorbis", "wmapro", "wmav1", "wmav2")
"""Decoders of sound that may run, and those of uncompressed sound (pcm_...)."""
_OF_VIDEO = frozenset(("mov", "avi", "matroska"))
_WMA = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"
_MAX_STREAMS, _MAX_PACKETS, _MAX_DECODED = 64, 1_000_000, 4_000_000_000
"""Tracks of a container; pieces of it that are looked through; pixels that are decoded to find the frames that are wanted."""
_MAX_SAMPLES = 64_000_000  # of all channels of a sound track
_MAX_BROKEN = 1_000  # pieces that cannot be decoded
_MAX_BOXES = 100_000
"""Parts of a container, one after another, that are looked through."""
_MOST_ASPECT = 10
"""Pixels are not taken for more than this many times as wide as they are high, or as high as wide."""


def container_of(data: bytes | bytearray) -> str | None:
    """The name of the container that bytes are, by their beginning; None for anything else."""
    if data[4:8] == b"ftyp":
        return None if data[8:12] in _STILL else "mov"
    if data[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip") and b"moov" in data:
        return "mov"
    if data[:4] == b"RIFF" and data[8:12] in (b"AVI ", b"AVIX"):
        return "avi"
    if data[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    if data[:8] == _WMA:
        return "asf"
    if data[:6] == b"#!AMR\n" or data[:9] == b"#!AMR-WB\n":
        return "amr"
    return "aac" if _is_adts(data) else None


def _is_adts(data: bytes | bytearray) -> bool:
    """Raw AAC: a frame's header (ISO 13818-7), and another one where the frame ends, if the file goes on there."""
    at = 0
    for _ in range(2):
        head = data[at : at + 7]
        size = int.from_bytes(head[3:6], "big") >> 5 & 0x1FFF
        if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12 or size < 7:
            return at > 0 and at + 7 > len(data)
        at += size
    return True


def is_video(head: bytes | bytearray) -> bool:
    """Whether bytes, or the first of them, are those of a video; of all of them, that it has moving pictures.

    An old MOV may hold its index, which tells it from other files, at its end.
    """
    if container_of(head) not in _OF_VIDEO or head[8:12] in _SOUND:
        return False
    return tracks_of(io.BytesIO(head)) != {"sound"}


def frames_of(data: bytes, count: int, seconds: float | None, max_pixels: int) -> list[Pillow.Image]:
    """At most ``count`` of the frames that a player shows, evenly from the first to the last, in their order and as they are displayed.

    Edit lists are applied, and so is the display matrix: frames are rotated and mirrored as it says, by multiples of 90 degrees. Frames
    whose pixels are not square are resized so that they are. With ``seconds``, only frames within that time after the first frame are
    taken. Interlaced frames are not deinterlaced. ``Fault`` for a video that is broken, truncated, or larger than the bounds.
    """
    with _opened(data, "video", max_pixels) as (container, stream):
        _codec(stream, stream.codec_context.name in _VIDEO_CODECS)
        width, height = stream.codec_context.width, stream.codec_context.height
        if not 1 <= width * height <= max_pixels:  # a size above the bound may come as none
            raise Fault(f"a video of frames of {width:,} x {height:,} pixels; expected at least 1 and at most {max_pixels:,}")
        plan = _plan(_pieces(container, stream, data), count, seconds, stream)
    found = _picked(data, plan, max_pixels)
    if len(found) < len(plan.wanted):  # not every frame that the container lists can be shown: those before the first key frame, say
        with _opened(data, "video", max_pixels) as (container, stream):
            moments = [frame.pts for frame in _decoded(container, stream, max_pixels)]
            wanted = _spread(_times(moments, stream), count, seconds)
        found = _picked(data, _Plan(wanted, False, None), max_pixels)
    if not found:
        raise Fault("a video none of whose frames can be decoded")
    return found


def sound_of(data: bytes, seconds: float) -> tuple[np.ndarray, int, int]:
    """The first ``seconds`` of a sound track as float32 (N, channels), its rate, and how many samples all of it has: by the container's
    tables where it has such, else by its pieces, whose durations are added up."""
    with _opened(data, "audio", 2**26) as (container, stream):
        name = stream.codec_context.name
        _codec(stream, name.startswith(("pcm_", *_AUDIO_CODECS)))
        rate, channels = int(stream.codec_context.sample_rate), int(stream.codec_context.channels)
        wanted = math.ceil(seconds * rate)
        if wanted * channels > _MAX_SAMPLES:
            raise Fault(f"a sound of {channels} channels, {wanted * channels:,} samples to read; expected at most {_MAX_SAMPLES:,}")
        parts, have, rest = [], 0, 0
        for frame in _each(container, stream):
            if frame.sample_rate != rate or frame.layout.nb_channels != channels:
                raise Fault("a sound track that changes its rate or its channels")
            parts.append(_samples(frame, channels))
            have += len(parts[-1])
            if have >= wanted:
                rest = _rest(container, stream, rate, have)
                break
    if not parts:
        raise Fault("a sound track of no samples")
    return np.concatenate(parts)[:wanted], rate, have + rest


def _rest(container: Any, stream: Any, rate: int, have: int) -> int:
    """Samples of a sound track behind those that were decoded. What an ADTS or AMR file says of its duration is an estimate."""
    if container.format.name not in ("aac", "amr") and (stream.duration or container.duration):
        seconds = stream.duration * stream.time_base if stream.duration else Fraction(container.duration, 1_000_000)
        return max(0, int(seconds * rate) - have)
    pieces = islice(container.demux(stream), _MAX_PACKETS)
    return int(sum(max(0, piece.duration or 0) for piece in pieces) * stream.time_base * rate)


def _samples(frame: Any, channels: int) -> np.ndarray:
    """float32 (N, channels), full scale = 1."""
    values = frame.to_ndarray()
    values_NC = values.reshape(-1, channels) if values.shape[0] == 1 and channels > 1 else values.T
    if values_NC.dtype.kind == "f":
        return values_NC.astype(np.float32)
    zero, full = (128, 128) if values_NC.dtype == np.uint8 else (0, 2 ** (8 * values_NC.dtype.itemsize - 1))
    return ((values_NC.astype(np.float64) - zero) / full).astype(np.float32)


@contextmanager
def _opened(data: bytes, kind: str, max_pixels: int) -> Generator[tuple[Any, Any]]:
    """A container and its first stream of a kind; whatever goes wrong inside is a ``Fault``."""
    format, noun = container_of(data), "sound" if kind == "audio" else "video"
    if format is None or (kind == "video" and format not in _OF_VIDEO):
        raise Fault("not a video that can be read; expected MP4, MOV, AVI, WebM or MKV")
    av: Any = requires("av", "video")
    try:
        bounds = {"max_pixels": str(max_pixels), "protocol_whitelist": "none", "probesize": "1000000", "max_streams": str(_MAX_STREAMS)}
        with av.open(io.BytesIO(data), "r", format=format, options=bounds, io_open=_refuse) as container:
            stream = next(iter(getattr(container.streams, kind)), None)
            if stream is None:
                raise Fault("a video without a sound track" if kind == "audio" else "a file without moving pictures")
            stream.codec_context.thread_count = 1
            yield container, stream
    except (Fault, MissingDependency):
        raise
    except MemoryError:
        raise Fault(f"a {noun} that needs more memory than there is") from None
    except Exception as error:  # FFmpeg raises whatever it likes on hostile bytes
        said = " ".join(str(getattr(error, "strerror", None) or type(error).__name__).split())[:60]
        formats = "MP4, MOV, AVI, WebM or MKV" if format in _OF_VIDEO else "AAC, WMA or AMR"
        raise Fault(f"a broken {noun} ({said}); expected {formats}, all of it there") from None


def _refuse(*_: Any) -> Any:
    raise OSError("a video that names another file")


def _codec(stream: Any, known: bool) -> None:
    if not known:
        raise Fault(f"a {stream.type} track of {stream.codec_context.name}; expected a common one, such as h264, vp9 or mpeg4, aac or opus")


@dataclass(frozen=True)
class _Piece:
    """One frame as a container holds it, not decoded: when it is shown, whether it is, and which key frame it follows."""

    moment: int | None
    stretch: int
    is_key: bool
    is_shown: bool


@dataclass(frozen=True)
class _Plan:
    """The frames to be taken: the moments at which they are shown, or their positions among the decoded frames where moments do not tell
    frames apart; and the stretches, from one key frame to the next, that must be decoded for them (None = all)."""

    wanted: list[int]
    by_moment: bool
    stretches: frozenset[int] | None


def _pieces(container: Any, stream: Any, data: bytes) -> list[_Piece]:
    pieces: list[_Piece] = []
    stretch, is_cut_off = 0, False
    for count, packet in enumerate(container.demux(stream)):
        if count > _MAX_PACKETS:
            raise Fault(f"a video of more than {_MAX_PACKETS:,} pieces; expected at most that")
        if packet.size:
            stretch += bool(packet.is_keyframe and pieces)
            pieces.append(_Piece(packet.pts, stretch, bool(packet.is_keyframe), not packet.is_discard))
            is_cut_off |= bool(packet.is_corrupt)  # the data ends within it
    # Fewer frames than the header counts are no loss by themselves: an edit list leaves frames out, and a dropped frame of an AVI is empty.
    if is_cut_off or (len(pieces) < stream.frames and _ends_early(data)):
        counted = f" of {stream.frames:,}" if stream.frames >= len(pieces) else ""
        raise Fault(f"a truncated video: {len(pieces) - is_cut_off:,}{counted} frames are there; expected a whole file")
    if not any(piece.is_shown for piece in pieces):
        raise Fault("a video of no frames")
    return pieces


def _ends_early(data: bytes) -> bool:
    """Whether an MP4, MOV or AVI ends before a part of it does, by the size that the part declares. Other containers: False."""
    at, is_riff = 0, data[:4] == b"RIFF"
    for _ in range(_MAX_BOXES):
        head = data[at : at + 16]
        if len(head) < 8 or (is_riff and head[:4] != b"RIFF"):
            return False
        size = int.from_bytes(head[4:8], "little") + 8 if is_riff else int.from_bytes(head[:4], "big")
        if size == 1 and not is_riff:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:  # 0: up to the end of the file
            return False
        if at + size > len(data):
            return True
        at += size + (size % 2 if is_riff else 0)
    return False


def _plan(pieces: list[_Piece], count: int, seconds: float | None, stream: Any) -> _Plan:
    """``count`` frames, evenly from the first to the last that is shown within ``seconds``."""
    moments = [piece.moment for piece in pieces if piece.is_shown]
    known = sorted(moment for moment in moments if moment is not None)
    if len(set(known)) < len(moments) or (stream.container.format.name == "avi" and stream.codec_context.has_b_frames):
        # an AVI holds no moments, only an order of decoding, in which frames with B-frames among them are not shown
        return _Plan(_spread(_times([None] * len(moments), stream), count, seconds), False, None)
    wanted = [known[at] for at in _spread(_times(known, stream), count, seconds)]
    taken = frozenset(wanted)
    keys = {piece.stretch: piece.moment for piece in pieces if piece.is_key}
    needed: set[int] = set()
    for piece in pieces:
        if piece.moment in taken and piece.is_shown:
            needed.add(piece.stretch)
            if (keys.get(piece.stretch) or 0) > (piece.moment or 0):  # shown before its key frame, it needs those before
                needed.add(piece.stretch - 1)
    return _Plan(wanted, True, frozenset(needed))


def _times(moments: Sequence[int | None], stream: Any) -> list[float]:
    """Seconds after the first frame at which frames are shown; by the frame rate where the container does not tell their moments."""
    known = [moment for moment in moments if moment is not None]
    if len(known) < len(moments):
        return [at / float(stream.average_rate or 25) for at in range(len(moments))]
    step = float(stream.time_base)
    return [(moment - known[0]) * step for moment in known]


def _spread(times: list[float], count: int, seconds: float | None) -> list[int]:
    """Positions of at most ``count`` frames, evenly from the first to the last that is shown within ``seconds``."""
    last = len(times) if seconds is None else max(1, sum(time < seconds for time in times))
    return sorted({round(at) for at in np.linspace(0, last - 1, min(count, last))}) if times else []


def _picked(data: bytes, plan: _Plan, max_pixels: int) -> list[Pillow.Image]:
    """The wanted frames as they are displayed; of those that are decoded on the way to them, nothing is kept."""
    found: list[Pillow.Image] = []
    if not plan.wanted:
        return found
    left = set(plan.wanted)
    with _opened(data, "video", max_pixels) as (container, stream):
        aspect = stream.sample_aspect_ratio
        for at, frame in enumerate(_decoded(container, stream, max_pixels, plan.stretches)):
            place = frame.pts if plan.by_moment else at
            if place in left:
                left.remove(place)
                found.append(_displayed(frame, aspect))
                if not left:
                    break
    return found


def _displayed(frame: Any, aspect: Any) -> Pillow.Image:
    """A frame as RGB, its pixels square (``aspect`` = their width by their height), rotated and mirrored as its display matrix says."""
    width, height = frame.width, frame.height
    if aspect and 1 / _MOST_ASPECT <= aspect <= _MOST_ASPECT:  # as many pixels as before, so that it costs no more
        scale = math.sqrt(aspect)
        width, height = max(1, round(width * scale)), max(1, round(height / scale))
    array = frame.to_ndarray(format="rgb24", width=width, height=height)
    (a, b), (c, d) = _matrix(frame)
    # A pixel at (x, y) is displayed at (a x + c y, b x + d y). The nearest of the eight rotations and mirrorings by 90 degrees is taken.
    is_turned = abs(b) + abs(c) > abs(a) + abs(d)
    across, down = (c, b) if is_turned else (a, d)
    if is_turned:
        array = array.transpose(1, 0, 2)
    array = array[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
    return Pillow.fromarray(np.ascontiguousarray(array))


def _matrix(frame: Any) -> list[list[float]]:
    """The part of the display matrix of a frame that rotates and mirrors, ((a, b), (c, d)); without a matrix the identity."""
    try:
        found = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV refuses all side data when it does not know the kind of one; the angle can still be read
        turn = math.radians(frame.rotation)
        return [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    if found is None:
        return [[1, 0], [0, 1]]
    return (np.frombuffer(found, np.int32)[:9].reshape(3, 3)[:2, :2] / 2**16).tolist()  # type: ignore[no-any-return]


def _decoded(container: Any, stream: Any, max_pixels: int, stretches: frozenset[int] | None = None) -> Iterator[Any]:
    """The frames of some stretches in the order in which they are shown; a piece that cannot be decoded is passed over."""
    stream.codec_context.options = {"max_pixels": str(max_pixels)}
    spent = 0
    for frame in _each(container, stream, stretches):
        pixels = frame.width * frame.height
        spent += pixels
        if pixels > max_pixels:
            raise Fault(f"a frame of {frame.width:,} x {frame.height:,} pixels; expected at most {max_pixels:,}")
        if spent > _MAX_DECODED:
            raise Fault(f"a video of more than {_MAX_DECODED:,} pixels to decode; expected key frames more often, or less of it (seconds)")
        yield frame


def _each(container: Any, stream: Any, stretches: frozenset[int] | None = None) -> Iterator[Any]:
    """The frames of pictures or sound as ``_decoded`` gives them, without a bound on their size."""
    import av.error

    broken, stretch, fed, some = 0, 0, False, False
    for packet in container.demux(stream):
        stretch += bool(packet.size and packet.is_keyframe and some)
        some |= bool(packet.size)
        skipped = bool(packet.size and stretches is not None and stretch not in stretches)
        try:
            if not skipped:
                yield from packet.decode()
            elif fed:
                yield from stream.codec_context.decode(None)
                stream.codec_context.flush_buffers()
        except (av.error.InvalidDataError, av.error.EOFError):
            broken += 1
            if broken > _MAX_BROKEN:
                raise
        fed = not skipped
