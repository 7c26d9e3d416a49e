"""The input spectrogram of Whisper (Radford et al. 2022, arXiv:2212.04356) in torch: log-mel, 25 ms windows every 10 ms.

Shapes: ``U`` sounds, ``N`` samples, ``S`` samples after padding, ``F`` frequencies, ``M`` bands, ``T`` frames.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .mel_filters import slaney_filters

_SIZE, _HOP = 400, 160


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
