"""The input spectrogram of Whisper (Radford et al. 2022, arXiv:2212.04356) in torch: log-mel, 25 ms windows every 10 ms.

Shapes: ``U`` sounds, ``N`` samples, ``S`` samples after padding, ``F`` frequencies, ``M`` bands, ``T`` frames.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_SIZE, _HOP = 400, 160


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


def log_mel(wave_UN: Tensor, frames: int, mels: int, rate: int) -> Tensor:
    """Compute the log-mel spectrogram, scaled by the maximum of each sound.

    :param wave_UN: waveforms (U, N) with values between -1 and 1
    :param frames: the number of frames; shorter sounds are padded with silence and longer ones are cut
    :param mels: the number of bands
    :param rate: the sampling rate in Hz
    :returns: (U, mels, frames)
    """
    length = frames * _HOP
    wave_US = torch.nn.functional.pad(wave_UN, (0, max(0, length - wave_UN.shape[1])))[:, :length]
    window = torch.hann_window(_SIZE, device=wave_UN.device)
    spectrum_UFT = torch.stft(wave_US, _SIZE, _HOP, window=window, center=True, pad_mode="reflect", return_complex=True)[..., :-1]
    filters_FM = torch.from_numpy(slaney_filters(rate, _SIZE, mels)).to(wave_UN.device, torch.float32)
    mel_UMT = filters_FM.T @ spectrum_UFT.abs().square()
    log_UMT = mel_UMT.clamp(min=1e-10).log10()
    log_UMT = torch.maximum(log_UMT, log_UMT.amax((1, 2), keepdim=True) - 8.0)
    return (log_UMT + 4.0) / 4.0
