"""The bytes of cells, WAV files, and the power of a sound's bands, for exported models: the parts of their reading that polymodal does by
torch, by libsndfile, or below roots of several kinds. The file needs no torch; it is copied into the folders of exported models.

Shapes: ``N`` samples, ``C`` channels, ``T`` frames, ``M`` bands.
"""

from __future__ import annotations

import base64
import importlib
import io
import math
import os
from collections.abc import Sequence

import numpy as np

from ..errors import Fault
from ..layers.mel_filters import slaney_filters
from ..modalities.sound_values import frame_sizes, resample


def content(cell: object, roots: Sequence[str], max_mb: float) -> bytes:
    """Return the bytes of a cell, of a base64 data URI, or of a file below the first of ``roots`` that has it.

    :raises Fault: there are no such bytes
    """
    if isinstance(cell, bytes):
        return cell
    if not isinstance(cell, str):
        raise Fault(f"found {type(cell).__name__}; expected a path, bytes or a data URI")
    if cell.startswith("data:"):
        return base64.b64decode(cell.partition(",")[2])
    for root in roots:
        folder, path = os.path.realpath(root), os.path.realpath(os.path.join(root, cell.strip()))
        if path.startswith(folder.rstrip(os.sep) + os.sep) and os.path.isfile(path) and os.path.getsize(path) <= max_mb * 2**20:
            with open(path, "rb") as file:
                return file.read()
    raise Fault(f"no regular file {cell[:80]!r} below the root, or one of more than {max_mb:g} MiB")


def decode(data: bytes, rate: int, seconds: float) -> np.ndarray:
    """Return the start of a sound, resampled, float64 (N,).

    :param rate: the sampling rate of the result in Hz
    :param seconds: the maximum length of the result
    :raises Fault: the bytes are not a sound, or not a WAV file and the package soundfile is not installed
    """
    samples_NC, source = _wav(data, seconds) if data[:4] == b"RIFF" else _by_soundfile(data, seconds)
    if not samples_NC.size or not np.isfinite(samples_NC).all():
        raise Fault("a sound without samples, or with samples that are not finite")
    return resample(samples_NC.mean(1, dtype=np.float64), source, rate)


def mel_power(sound_N: np.ndarray, rate: int, mels: int) -> np.ndarray:
    """Return the power of each band, float64 (T, M), as ``Audio`` computes it."""
    window, hop, size = frame_sizes(rate)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    before = (size - window) // 2
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(sound_N, size // 2), size)[::hop]
    spectrum = np.fft.rfft(frames * np.pad(hann, (before, size - window - before)))
    power_TM: np.ndarray = np.abs(spectrum) ** 2 @ slaney_filters(rate, size, mels)
    return power_TM


def _wav(data: bytes, seconds: float) -> tuple[np.ndarray, int]:
    """Return the start of a WAV file, float32 (N, C), and its sampling rate."""
    at, layout = 12, b""
    while at + 8 <= len(data) and data[at : at + 4] != b"data":
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        layout = data[at + 8 : at + 8 + size] if data[at : at + 4] == b"fmt " else layout
        at += 8 + size + size % 2
    size = int.from_bytes(data[at + 4 : at + 8], "little")
    code, channels, rate, bits = (int.from_bytes(layout[start:end], "little") for start, end in ((0, 2), (2, 4), (4, 8), (14, 16)))
    code, width = int.from_bytes(layout[24:26], "little") if code == 0xFFFE else code, bits // 8
    kinds = {1: (1, 2, 3, 4), 3: (4, 8)}
    if width not in kinds.get(code, ()) or not 1 <= channels <= 64 or not 100 <= rate <= 1_000_000:
        raise Fault(f"a WAV file of code {code}, {bits} bits, {channels} channels and {rate:,} Hz; expected PCM or floats")
    end = len(data) if size in (0, 2**32 - 1) else at + 8 + size
    end = min(end, at + 8 + math.ceil(seconds * rate) * channels * width)
    raw = np.frombuffer(data[at + 8 : end], np.uint8)
    raw = raw[: len(raw) // (width * channels) * width * channels]
    if code == 3:
        return raw.view(f"<f{width}").astype(np.float32).reshape(-1, channels), rate
    whole = np.zeros((len(raw) // width, 4), np.uint8)  # whole numbers are the highest bytes of 32 bits; those of one byte have no sign
    whole[:, 4 - width :] = raw.reshape(-1, width) ^ (128 if width == 1 else 0)
    return (whole.view("<i4")[:, 0] / 2**31).astype(np.float32).reshape(-1, channels), rate


def _by_soundfile(data: bytes, seconds: float) -> tuple[np.ndarray, int]:
    """Return the start of a sound of another format, float32 (N, C), and its sampling rate, by the package soundfile."""
    try:
        file = importlib.import_module("soundfile").SoundFile(io.BytesIO(data))
        return file.read(math.ceil(seconds * file.samplerate), dtype="float32", always_2d=True), int(file.samplerate)
    except ModuleNotFoundError:
        raise Fault("a sound that is not WAV; the package soundfile reads other formats: pip install soundfile") from None
    except Exception:  # libsndfile's own errors; a malformed file may cause others
        raise Fault("not a sound that can be read") from None
