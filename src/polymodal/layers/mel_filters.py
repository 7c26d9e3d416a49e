"""Mel filters (Slaney 1998, Auditory Toolbox). The file needs no torch, so that exported models read sounds by it.

Shapes: ``F`` frequencies, ``M`` bands.
"""

from __future__ import annotations

import numpy as np


def slaney_filters(rate: int, size: int, mels: int) -> np.ndarray:
    """Return triangular filters of unit area on the mel scale of Slaney (1998, Auditory Toolbox), float64 (size / 2 + 1, mels).

    :param rate: the sampling rate in Hz
    :param size: the size of the Fourier transform in samples
    :param mels: the number of bands
    """

    def mel(hertz: np.ndarray) -> np.ndarray:
        return np.where(hertz < 1_000, hertz * 3 / 200, 15 + 27 * np.log(np.maximum(hertz, 1_000) / 1_000) / np.log(6.4))

    def hertz(mel: np.ndarray) -> np.ndarray:
        return np.where(mel < 15, mel * 200 / 3, 1_000 * np.exp((mel - 15) * np.log(6.4) / 27))

    edges = hertz(np.linspace(0.0, float(mel(np.array(rate / 2))), mels + 2))
    bins_F1 = np.linspace(0, rate / 2, size // 2 + 1)[:, None]
    rise_FM = (bins_F1 - edges[:-2]) / np.diff(edges)[:-1]
    fall_FM = (edges[2:] - bins_F1) / np.diff(edges)[1:]
    filters_FM: np.ndarray = np.maximum(0, np.minimum(rise_FM, fall_FM)) * (2 / (edges[2:] - edges[:-2]))
    return filters_FM
