"""Sounds as bytes: recognising them, and decoding them with libsndfile, or with FFmpeg for the containers of ``containers.py``.

The length of a sound is the length that can be decoded, not an estimate in its header (``sound_lengths.py``).
"""

from __future__ import annotations

import base64
import binascii
import io
import math
import os

import numpy as np

from ..errors import Fault, MissingDependency, requires
from ..flow import Cell
from .containers import container_of, sound_of
from .mpeg import frame_of
from .sound_lengths import with_length
from .tracks import tracks_of

EXTENSIONS = (".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aiff", ".aif", ".aifc", ".au",
              ".snd", ".caf", ".m4a", ".m4b", ".mka", ".weba", ".aac", ".wma", ".amr")  # fmt: skip
_MAGIC = (b"fLaC", b"OggS", b"ID3", b".snd", b"caff", b"NIST_1A", b"riff\x2e\x91\xcf\x11")  # the last one is Wave64
_FORMS = {b"RIFF": (b"WAVE",), b"RIFX": (b"WAVE",), b"RF64": (b"WAVE",), b"BW64": (b"WAVE",), b"FORM": (b"AIFF", b"AIFC")}
_HEAD = 1_024  # the number of characters of a data URI that are decoded to recognise a sound
_MAX_SAMPLES = 64_000_000
"""The maximum number of samples of all channels that are decoded of one sound."""


def looks_like_a_sound(cell: Cell) -> bool:
    """Whether a cell looks like a sound, by its name or its first bytes. It may still not be readable."""
    if isinstance(cell, (bytes, bytearray)):
        return is_sound(cell)
    if isinstance(cell, os.PathLike):
        cell = os.fspath(cell)
    if not isinstance(cell, str):
        return False
    if cell.startswith("data:"):
        return cell.startswith("data:audio/") or is_sound(_head_of_uri(cell))
    return len(cell) < 4096 and cell.strip().casefold().endswith(EXTENSIONS)


def is_sound(data: bytes | bytearray) -> bool:
    """Whether bytes are a sound, by the first of them. A container of tracks is a sound if it has no moving pictures."""
    head = bytes(data[:4096])
    if head.startswith(_MAGIC) or head[8:12] in _FORMS.get(head[:4], ()):
        return True
    container = container_of(head)
    if container in ("mov", "matroska", "avi"):
        return tracks_of(io.BytesIO(data)) == {"sound"}
    return container is not None or _is_mpeg(head)


def _is_mpeg(head: bytes) -> bool:
    """Whether bytes begin with an MPEG frame, followed by another one if they are long enough. Layer 1 is excluded, because UTF-16 text
    begins with the same bytes."""
    frame = frame_of(head)
    if frame is None or frame.layer == 1:
        return False
    after = head[frame.size : frame.size + 4]
    return len(after) < 4 or frame_of(after) is not None


def _head_of_uri(cell: str) -> bytes:
    """Return the first bytes of a data URI."""
    head, comma, body = cell[: 2 * _HEAD].partition(",")
    if not comma or not head.endswith(";base64"):
        return b""
    body = body[:_HEAD]
    try:
        return base64.b64decode(body[: len(body) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return b""


def samples_of(data: bytes, seconds: float) -> tuple[np.ndarray, int, int]:
    """Decode the start of a sound.

    :param data: the bytes of a file
    :param seconds: the maximum length of the result in seconds
    :returns: the samples as float32 (N, channels), the sampling rate in Hz, and the number of samples of the whole sound
    :raises Fault: the bytes are not a sound that can be decoded
    """
    if container_of(data) is None:
        return _by_libsndfile(with_length(data), seconds)
    try:
        samples_NC, rate, length = sound_of(data, seconds)
    except MissingDependency as error:  # it concerns this file only, and others may be readable
        raise Fault(str(error)) from None
    _check_rate(rate)
    return samples_NC, rate, length


def _check_rate(rate: int) -> None:
    """Check that a sampling rate is within bounds."""
    if not 100 <= rate <= 1_000_000:
        raise Fault(f"a sound of {rate:,} samples a second; expected 100 to 1,000,000")


class _Body(io.BytesIO):
    """Bytes for libsndfile, which seeks to positions before the start if a header is broken."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Seek to a position. If it does not exist, the position is not changed; libsndfile compares the returned position."""
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


def _by_libsndfile(data: bytes, seconds: float) -> tuple[np.ndarray, int, int]:
    """Decode the start of a sound as ``samples_of`` does."""
    soundfile = requires("soundfile", "audio")
    try:
        with soundfile.SoundFile(_Body(data)) as file:
            rate, channels, length = int(file.samplerate), int(file.channels), int(file.frames)
            _check_rate(rate)
            count = min(max(length, 0), math.ceil(seconds * rate))
            if count * channels > _MAX_SAMPLES:
                raise Fault(f"a sound of {channels} channels, {count * channels:,} samples to read; expected at most {_MAX_SAMPLES:,}")
            samples_NC = file.read(count, dtype="float32", always_2d=True)
    except Fault:
        raise
    except MemoryError:
        raise Fault("a sound that needs more memory than is available") from None
    except Exception:  # libsndfile's own errors; a malformed file may cause others
        raise Fault("not a sound that can be read; expected a complete file of WAV, FLAC, Ogg, MP3, AIFF, CAF or AU") from None
    return samples_NC, rate, length if len(samples_NC) == count else len(samples_NC)
