"""From the samples of a sound to another sampling rate, and from the power of bands to bytes. The file needs no torch, so that exported
models read sounds by it.

Shapes: ``N`` samples, ``T`` frames, ``M`` bands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

HOP = 0.010
"""The number of seconds between two frames of a spectrogram."""
_WINDOW = 0.025
_FLOOR = 80.0  # the range of a spectrogram in decibels below its maximum


def frame_sizes(rate: int) -> tuple[int, int, int]:
    """Return the numbers of samples of the window of a frame, between two frames, and of the Fourier transform."""
    window = round(_WINDOW * rate)
    return window, round(HOP * rate), 2 ** math.ceil(math.log2(window))


def resample(sound_N: np.ndarray, source: int, rate: int) -> np.ndarray:
    """Resample a sound (N,) from the rate ``source`` to ``rate``, both in Hz, by truncating or padding its spectrum.

    The sound is padded with silence first, because the Fourier transform treats it as periodic.
    """
    if source == rate:
        return sound_N
    length = max(1, round(len(sound_N) * rate / source))
    unit = math.gcd(source, rate)
    down, up = source // unit, rate // unit
    blocks = -(-(len(sound_N) + min(source // 20, 4_096)) // down)  # so that both lengths are whole numbers of samples
    if down * blocks > 4 * len(sound_N) + 1_000_000:  # the rates have no large common factor: the lengths are rounded
        before = len(sound_N) + min(source // 20, 4_096)
        after = max(1, round(before * rate / source))
    else:
        before, after = down * blocks, up * blocks
    spectrum = np.fft.rfft(sound_N, before)
    cut = np.zeros(after // 2 + 1, np.complex128)
    kept = min(len(spectrum), len(cut))
    cut[:kept] = spectrum[:kept]
    return np.fft.irfft(cut, after)[:length] * (after / before)


def decibels(power_TM: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the power of bands as uint8 (T, mels) in steps of 80/255 dB, 255 = its maximum, and the maximum in dB (full scale = 0)."""
    loudest = float(power_TM.max())
    if loudest <= 1e-12:  # silence, exact or approximate
        return np.zeros(power_TM.shape, np.uint8), -120.0
    below_TM = 10 * np.log10(np.maximum(power_TM / loudest, 1e-8))
    return np.round((1 + below_TM / _FLOOR) * 255).clip(0, 255).astype(np.uint8), 10 * math.log10(loudest)


def waveform_sample(sound_N: np.ndarray, samples: int) -> dict[str, np.ndarray]:
    """Return the start of a sound as ``waveform``, int16 (N,).

    :param samples: the maximum length
    """
    return {"waveform": np.round(sound_N[:samples].clip(-1, 1) * 32_767).astype(np.int16)}


def spectrogram_sample(power_TM: np.ndarray, state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return the spectrogram of a sound as ``mel``, uint8 (T, M), and its standardised maximum as ``level``, float32 (1,).

    :param power_TM: the power of each band
    :param state: ``frames`` = the maximum length, and ``level`` and ``level_std`` = the mean and the standard deviation of maxima in dB
    """
    mel_TM, level = decibels(power_TM)
    centred = (level - state["level"]) / state["level_std"]
    return {"mel": mel_TM[: state["frames"]], "level": np.array([max(-10.0, min(10.0, centred))], np.float32)}
