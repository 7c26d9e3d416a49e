"""Sounds as bytes: which bytes are a sound, and its samples, by libsndfile, or by FFmpeg for the containers of ``containers.py``.

A sound's length is what can be decoded of it, not what a header estimates (``sound_lengths.py``).
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

ENDINGS = (".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".aiff", ".aif", ".aifc", ".au",
           ".snd", ".caf", ".m4a", ".m4b", ".mka", ".weba", ".aac", ".wma", ".amr")  # fmt: skip
_MAGIC = (b"fLaC", b"OggS", b"ID3", b".snd", b"caff", b"NIST_1A", b"riff\x2e\x91\xcf\x11")  # the last is Wave64's
_FORMS = {b"RIFF": (b"WAVE",), b"RIFX": (b"WAVE",), b"RF64": (b"WAVE",), b"BW64": (b"WAVE",), b"FORM": (b"AIFF", b"AIFC")}
_HEAD = 1_024  # characters of a data URI whose bytes are looked at
_MAX_SAMPLES = 64_000_000
"""Samples of all channels that are decoded of one sound, at most."""


def looks_like_a_sound(cell: Cell) -> bool:
    """By its name, or its first bytes; which of them can be read is for reading to say."""
    if isinstance(cell, (bytes, bytearray)):
        return is_sound(cell)
    if isinstance(cell, os.PathLike):
        cell = os.fspath(cell)
    if not isinstance(cell, str):
        return False
    if cell.startswith("data:"):
        return cell.startswith("data:audio/") or is_sound(_head_of_uri(cell))
    return len(cell) < 4096 and cell.strip().casefold().endswith(ENDINGS)


def is_sound(data: bytes | bytearray) -> bool:
    """Whether bytes, or the first of them, are those of a sound; of a container of tracks, that it has no moving pictures."""
    head = bytes(data[:4096])
    if head.startswith(_MAGIC) or head[8:12] in _FORMS.get(head[:4], ()):
        return True
    container = container_of(head)
    if container in ("mov", "matroska", "avi"):
        return tracks_of(io.BytesIO(data)) == {"sound"}
    return container is not None or _is_mpeg(head)


def _is_mpeg(head: bytes) -> bool:
    """A frame that another one follows where it ends, if that is still among the bytes. Layer 1 is left out: UTF-16 begins as it does."""
    frame = frame_of(head)
    if frame is None or frame.layer == 1:
        return False
    after = head[frame.size : frame.size + 4]
    return len(after) < 4 or frame_of(after) is not None


def _head_of_uri(cell: str) -> bytes:
    head, comma, body = cell[: 2 * _HEAD].partition(",")
    if not comma or not head.endswith(";base64"):
        return b""
    body = body[:_HEAD]
    try:
        return base64.b64decode(body[: len(body) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return b""


def samples_of(data: bytes, seconds: float) -> tuple[np.ndarray, int, int]:
    """The first ``seconds`` of a sound as float32 (N, channels), its rate, and how many samples it has in all; ``Fault`` if it is none."""
    if container_of(data) is None:
        return _by_libsndfile(with_length(data), seconds)
    try:
        samples_NC, rate, length = sound_of(data, seconds)
    except MissingDependency as error:  # one such file among others is a fault of its own
        raise Fault(str(error)) from None
    _check_rate(rate)
    return samples_NC, rate, length


def _check_rate(rate: int) -> None:
    if not 100 <= rate <= 1_000_000:
        raise Fault(f"a sound of {rate:,} samples a second; expected 100 to 1,000,000")


class _Body(io.BytesIO):
    """Bytes for libsndfile, which, led by a broken header, asks for places before the first one."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """To a place; where there is none, nowhere: libsndfile compares the place that it gets."""
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


def _by_libsndfile(data: bytes, seconds: float) -> tuple[np.ndarray, int, int]:
    soundfile = requires("soundfile", "audio")
    try:
        with soundfile.SoundFile(_Body(data)) as file:
            rate, channels, length = int(file.samplerate), int(file.channels), int(file.frames)
            _check_rate(rate)
            wanted = min(max(length, 0), math.ceil(seconds * rate))
            if wanted * channels > _MAX_SAMPLES:
                raise Fault(f"a sound of {channels} channels, {wanted * channels:,} samples to read; expected at most {_MAX_SAMPLES:,}")
            samples_NC = file.read(wanted, dtype="float32", always_2d=True)
    except Fault:
        raise
    except MemoryError:
        raise Fault("a sound that needs more memory than there is") from None
    except Exception:  # libsndfile's own errors, whatever a hostile file brings about
        raise Fault("not a sound that can be read; expected WAV, FLAC, Ogg, MP3, AIFF, CAF or AU, all of it there") from None
    return samples_NC, rate, length if len(samples_NC) == wanted else len(samples_NC)
