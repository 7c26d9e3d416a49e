"""Containers of video and sound: MP4 and MOV, AVI, Matroska and WebM, decoded in this process from bytes in memory; and sound files that
only FFmpeg reads: raw AAC (ADTS), WMA, AMR.

The first bytes determine the container, and FFmpeg opens the bytes as this format only, so that a playlist of other files is never taken
for a video. Other files that a container refers to are not opened. Only the decoders listed here run, on one thread, and the size of their
output is bounded before they run.
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

EXTENSIONS = (".mp4", ".m4v", ".mov", ".avi", ".webm", ".mkv")
_STILL = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1")  # still pictures (AVIF, HEIF) in the same container format
_SOUND = (b"M4A ", b"M4B ")
_VIDEO_CODECS = frozenset(("av1", "dvvideo", "ffv1", "h263", "h264", "hevc", "huffyuv", "libdav1d", "mjpeg", "mpeg1video", "mpeg2video",
                           "mpeg4", "msmpeg4v2", "msmpeg4v3", "png", "prores", "qtrle", "rawvideo", "theora", "vp8", "vp9"))  # fmt: skip
"""The video decoders that may run; libdav1d decodes AV1."""
_AUDIO_CODECS = ("aac", "ac3", "alac", "amrnb", "amrwb", "eac3", "flac", "mp2", "mp3", "opus", "vorbis", "wmapro", "wmav1", "wmav2")
"""The audio decoders that may run, besides those of uncompressed sound (pcm_...)."""
_VIDEO_CONTAINERS = frozenset(("mov", "avi", "matroska"))
_WMA = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"
_MAX_STREAMS, _MAX_PACKETS, _MAX_DECODED = 64, 1_000_000, 4_000_000_000
"""The largest numbers of tracks of a container, of packets that are read, and of pixels that are decoded to reach the selected frames."""
_MAX_SAMPLES = 64_000_000  # of all channels of a sound track
_MAX_BROKEN = 1_000  # packets that cannot be decoded
_MAX_BOXES = 100_000
"""The largest number of boxes of a container that are read."""
_MAX_ASPECT = 10
"""The largest ratio of the width and the height of a pixel, or of its height and width, that is applied."""


def container_of(data: bytes | bytearray) -> str | None:
    """Return FFmpeg's name of the container format of some bytes, determined from their beginning; None for other formats."""
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
    """Return whether bytes are raw AAC: a frame header (ISO 13818-7), and another one where the frame ends, if there are bytes."""
    at = 0
    for _ in range(2):
        head = data[at : at + 7]
        size = int.from_bytes(head[3:6], "big") >> 5 & 0x1FFF
        if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12 or size < 7:
            return at > 0 and at + 7 > len(data)
        at += size
    return True


def is_video(head: bytes | bytearray) -> bool:
    """Return whether bytes are a video: a container of video whose tables, as far as the bytes include them, list not only sound.

    :param head: the bytes of a file, or its first bytes. An old MOV may have the index that identifies it at the end of the file.
    """
    if container_of(head) not in _VIDEO_CONTAINERS or head[8:12] in _SOUND:
        return False
    return tracks_of(io.BytesIO(head)) != {"sound"}


def frames_of(data: bytes, count: int, seconds: float | None, max_pixels: int) -> list[Pillow.Image]:
    """Return frames of a video in display order, spread evenly from the first to the last frame that a player shows.

    Edit lists are applied, and so is the display matrix: frames are rotated by multiples of 90 degrees and mirrored. Frames whose pixels
    are not square are resized so that they are. Interlaced frames are not deinterlaced.

    :param data: the bytes of the file
    :param count: the largest number of frames
    :param seconds: only frames within this time after the first frame are selected; None = all
    :param max_pixels: the largest number of pixels of a frame
    :returns: RGB pictures, at least one
    :raises Fault: for a video that is broken, truncated, or larger than the bounds
    """
    with _opened(data, "video", max_pixels) as (container, stream):
        _check_codec(stream, stream.codec_context.name in _VIDEO_CODECS)
        width, height = stream.codec_context.width, stream.codec_context.height
        if not 1 <= width * height <= max_pixels:  # FFmpeg may report a size above the bound as 0
            raise Fault(f"a video of frames of {width:,} x {height:,} pixels; expected at least 1 and at most {max_pixels:,}")
        plan = _plan(_packets(container, stream, data), count, seconds, stream)
    frames = _selected(data, plan, max_pixels)
    if len(frames) < len(plan.selected):  # some listed frames cannot be shown, such as those before the first key frame
        with _opened(data, "video", max_pixels) as (container, stream):
            timestamps = [frame.pts for frame in _decoded(container, stream, max_pixels)]
            positions = _spread(_times(timestamps, stream), count, seconds)
        frames = _selected(data, _Plan(positions, False, None), max_pixels)
    if not frames:
        raise Fault("a video of which no frame can be decoded")
    return frames


def sound_of(data: bytes, seconds: float) -> tuple[np.ndarray, int, int]:
    """Return the beginning of the first sound track.

    :param data: the bytes of the file
    :param seconds: the length of the part that is decoded
    :returns: the samples as float32 (N, channels), full scale = 1; the samples per second; and the number of samples of the whole track,
        from the tables of the container, or else as the sum of the durations of its packets
    :raises Fault: for a file that is broken, has no sound track, or exceeds the bounds
    """
    with _opened(data, "audio", 2**26) as (container, stream):
        name = stream.codec_context.name
        _check_codec(stream, name.startswith(("pcm_", *_AUDIO_CODECS)))
        rate, channels = int(stream.codec_context.sample_rate), int(stream.codec_context.channels)
        length = math.ceil(seconds * rate)
        if length * channels > _MAX_SAMPLES:
            raise Fault(f"a sound of {channels} channels, {length * channels:,} samples to read; expected at most {_MAX_SAMPLES:,}")
        parts, decoded, rest = [], 0, 0
        for frame in _frames(container, stream):
            if frame.sample_rate != rate or frame.layout.nb_channels != channels:
                raise Fault("a sound track that changes its rate or its channels; expected one rate and one number of channels")
            parts.append(_samples(frame, channels))
            decoded += len(parts[-1])
            if decoded >= length:
                rest = _rest(container, stream, rate, decoded)
                break
    if not parts:
        raise Fault("a sound track of no samples; expected at least one")
    return np.concatenate(parts)[:length], rate, decoded + rest


def _rest(container: Any, stream: Any, rate: int, decoded: int) -> int:
    """Return the number of samples after the decoded ones. The durations that ADTS and AMR files report are estimates and are not used."""
    if container.format.name not in ("aac", "amr") and (stream.duration or container.duration):
        seconds = stream.duration * stream.time_base if stream.duration else Fraction(container.duration, 1_000_000)
        return max(0, int(seconds * rate) - decoded)
    packets = islice(container.demux(stream), _MAX_PACKETS)
    return int(sum(max(0, packet.duration or 0) for packet in packets) * stream.time_base * rate)


def _samples(frame: Any, channels: int) -> np.ndarray:
    """Return the samples of an audio frame as float32 (N, channels), full scale = 1."""
    values: np.ndarray = frame.to_ndarray()
    values_NC = values.reshape(-1, channels) if values.shape[0] == 1 and channels > 1 else values.T
    if values_NC.dtype.kind == "f":
        return values_NC.astype(np.float32)
    zero, full = (128, 128) if values_NC.dtype == np.uint8 else (0, 2 ** (8 * values_NC.dtype.itemsize - 1))
    return ((values_NC.astype(np.float64) - zero) / full).astype(np.float32)


@contextmanager
def _opened(data: bytes, kind: str, max_pixels: int) -> Generator[tuple[Any, Any]]:
    """Open a container and its first stream of a kind, "video" or "audio". Any error inside the block becomes a ``Fault``."""
    format, noun = container_of(data), "sound" if kind == "audio" else "video"
    if format is None or (kind == "video" and format not in _VIDEO_CONTAINERS):
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
        raise Fault(f"a {noun} that needs more memory than is available") from None
    except Exception as error:  # FFmpeg may raise anything on hostile bytes
        reason = " ".join(str(getattr(error, "strerror", None) or type(error).__name__).split())[:60]
        formats = "MP4, MOV, AVI, WebM or MKV" if format in _VIDEO_CONTAINERS else "AAC, WMA or AMR"
        raise Fault(f"a broken {noun} ({reason}); expected a complete file: {formats}") from None


def _refuse(*_: Any) -> Any:
    """Refuse to open another file that a container refers to."""
    raise OSError("a video that names another file")


def _check_codec(stream: Any, is_allowed: bool) -> None:
    """Raise ``Fault`` unless the decoder of a stream may run."""
    if not is_allowed:
        raise Fault(f"a {stream.type} track of {stream.codec_context.name}; expected a common one, such as h264, vp9 or mpeg4, aac or opus")


@dataclass(frozen=True)
class _Packet:
    """One frame of a video before it is decoded."""

    timestamp: int | None
    """When the frame is shown, in units of the stream; None = not stored."""
    segment: int
    """The number of the segment of the video that contains it. A segment ends where the next key frame begins."""
    is_key: bool
    is_shown: bool


@dataclass(frozen=True)
class _Plan:
    """The frames to select, and what must be decoded for them."""

    selected: list[int]
    """The timestamps of the frames, or their positions among the decoded frames."""
    by_timestamp: bool
    """Whether ``selected`` are timestamps; False where the timestamps do not identify frames."""
    segments: frozenset[int] | None
    """The segments, each from one key frame to the next, that must be decoded; None = all."""


def _packets(container: Any, stream: Any, data: bytes) -> list[_Packet]:
    """Return the packets of a video stream in decoding order; ``Fault`` for a video that is truncated or has no frames."""
    packets: list[_Packet] = []
    segment, is_cut_off = 0, False
    for count, packet in enumerate(container.demux(stream)):
        if count > _MAX_PACKETS:
            raise Fault(f"a video of more than {_MAX_PACKETS:,} packets; expected at most {_MAX_PACKETS:,}")
        if packet.size:
            segment += bool(packet.is_keyframe and packets)
            packets.append(_Packet(packet.pts, segment, bool(packet.is_keyframe), not packet.is_discard))
            is_cut_off |= bool(packet.is_corrupt)  # the data ends within the packet
    # Fewer frames than the header declares are not a fault: an edit list leaves out frames, and a dropped frame of an AVI is empty.
    if is_cut_off or (len(packets) < stream.frames and _ends_early(data)):
        declared = f" of {stream.frames:,}" if stream.frames >= len(packets) else ""
        raise Fault(f"a truncated video: {len(packets) - is_cut_off:,}{declared} frames are there; expected a whole file")
    if not any(packet.is_shown for packet in packets):
        raise Fault("a video of no frames; expected at least one")
    return packets


def _ends_early(data: bytes) -> bool:
    """Return whether an MP4, MOV or AVI ends within one of its boxes, by the declared sizes. False for other containers."""
    at, is_riff = 0, data[:4] == b"RIFF"
    for _ in range(_MAX_BOXES):
        head = data[at : at + 16]
        if len(head) < 8 or (is_riff and head[:4] != b"RIFF"):
            return False
        size = int.from_bytes(head[4:8], "little") + 8 if is_riff else int.from_bytes(head[:4], "big")
        if size == 1 and not is_riff:
            size = int.from_bytes(head[8:16], "big")
        if size < 8:  # 0 = up to the end of the file
            return False
        if at + size > len(data):
            return True
        at += size + (size % 2 if is_riff else 0)
    return False


def _plan(packets: list[_Packet], count: int, seconds: float | None, stream: Any) -> _Plan:
    """Select at most ``count`` frames, spread evenly from the first to the last that is shown within ``seconds``."""
    timestamps = [packet.timestamp for packet in packets if packet.is_shown]
    known = sorted(timestamp for timestamp in timestamps if timestamp is not None)
    if len(set(known)) < len(timestamps) or (stream.container.format.name == "avi" and stream.codec_context.has_b_frames):
        # an AVI stores no timestamps but only the decoding order, which differs from the display order if there are B-frames
        return _Plan(_spread(_times([None] * len(timestamps), stream), count, seconds), False, None)
    selected = [known[at] for at in _spread(_times(known, stream), count, seconds)]
    distinct = frozenset(selected)
    keys = {packet.segment: packet.timestamp for packet in packets if packet.is_key}
    segments: set[int] = set()
    for packet in packets:
        if packet.timestamp in distinct and packet.is_shown:
            segments.add(packet.segment)
            if (keys.get(packet.segment) or 0) > (packet.timestamp or 0):  # shown before its key frame, so it needs the frames before
                segments.add(packet.segment - 1)
    return _Plan(selected, True, frozenset(segments))


def _times(timestamps: Sequence[int | None], stream: Any) -> list[float]:
    """Return when frames are shown, in seconds after the first; computed from the frame rate if timestamps are missing."""
    known = [timestamp for timestamp in timestamps if timestamp is not None]
    if len(known) < len(timestamps):
        return [at / float(stream.average_rate or 25) for at in range(len(timestamps))]
    step = float(stream.time_base)
    return [(timestamp - known[0]) * step for timestamp in known]


def _spread(times: list[float], count: int, seconds: float | None) -> list[int]:
    """Return the positions of at most ``count`` frames, spread evenly from the first to the last that is shown within ``seconds``."""
    last = len(times) if seconds is None else max(1, sum(time < seconds for time in times))
    return sorted({round(at) for at in np.linspace(0, last - 1, min(count, last))}) if times else []


def _selected(data: bytes, plan: _Plan, max_pixels: int) -> list[Pillow.Image]:
    """Return the selected frames as they are displayed. Other frames that must be decoded for them are not kept."""
    frames: list[Pillow.Image] = []
    if not plan.selected:
        return frames
    remaining = set(plan.selected)
    with _opened(data, "video", max_pixels) as (container, stream):
        aspect = stream.sample_aspect_ratio
        for at, frame in enumerate(_decoded(container, stream, max_pixels, plan.segments)):
            key = frame.pts if plan.by_timestamp else at
            if key in remaining:
                remaining.remove(key)
                frames.append(_displayed(frame, aspect))
                if not remaining:
                    break
    return frames


def _displayed(frame: Any, aspect: Any) -> Pillow.Image:
    """Return a frame as RGB with square pixels, rotated and mirrored by its display matrix. ``aspect`` is the width of a pixel divided by
    its height."""
    width, height = frame.width, frame.height
    if aspect and 1 / _MAX_ASPECT <= aspect <= _MAX_ASPECT:  # the number of pixels stays the same, and so does the cost
        scale = math.sqrt(aspect)
        width, height = max(1, round(width * scale)), max(1, round(height / scale))
    array = frame.to_ndarray(format="rgb24", width=width, height=height)
    (a, b), (c, d) = _matrix(frame)
    # A pixel at (x, y) is displayed at (a x + c y, b x + d y). Of the eight rotations by 90 degrees and mirrorings the closest is applied.
    is_transposed = abs(b) + abs(c) > abs(a) + abs(d)
    across, down = (c, b) if is_transposed else (a, d)
    if is_transposed:
        array = array.transpose(1, 0, 2)
    array = array[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]
    return Pillow.fromarray(np.ascontiguousarray(array))


def _matrix(frame: Any) -> list[list[float]]:
    """Return the part of a frame's display matrix that rotates and mirrors, ((a, b), (c, d)); the identity if there is no matrix."""
    try:
        side_data = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV refuses all side data if one item is of an unknown type; the angle can still be read
        angle = math.radians(frame.rotation)
        return [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    if side_data is None:
        return [[1, 0], [0, 1]]
    matrix: list[list[float]] = (np.frombuffer(side_data, np.int32)[:9].reshape(3, 3)[:2, :2] / 2**16).tolist()
    return matrix


def _decoded(container: Any, stream: Any, max_pixels: int, segments: frozenset[int] | None = None) -> Iterator[Any]:
    """Yield the frames of some segments (None = all) in display order. A packet that cannot be decoded is skipped."""
    stream.codec_context.options = {"max_pixels": str(max_pixels)}
    total = 0
    for frame in _frames(container, stream, segments):
        pixels = frame.width * frame.height
        total += pixels
        if pixels > max_pixels:
            raise Fault(f"a frame of {frame.width:,} x {frame.height:,} pixels; expected at most {max_pixels:,}")
        if total > _MAX_DECODED:
            raise Fault(f"a video of more than {_MAX_DECODED:,} pixels to decode; expected more key frames; or read fewer seconds of it")
        yield frame


def _frames(container: Any, stream: Any, segments: frozenset[int] | None = None) -> Iterator[Any]:
    """Yield the frames of video or sound like ``_decoded``, without bounds on their size."""
    import av.error

    broken, segment, has_fed, has_content = 0, 0, False, False
    for packet in container.demux(stream):
        segment += bool(packet.size and packet.is_keyframe and has_content)
        has_content |= bool(packet.size)
        is_skipped = bool(packet.size and segments is not None and segment not in segments)
        try:
            if not is_skipped:
                yield from packet.decode()
            elif has_fed:
                yield from stream.codec_context.decode(None)
                stream.codec_context.flush_buffers()
        except (av.error.InvalidDataError, av.error.EOFError):
            broken += 1
            if broken > _MAX_BROKEN:
                raise
        has_fed = not is_skipped
