"""Fixed sinusoidal position encodings (Vaswani et al. 2017, arXiv:1706.03762)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import ConfigError


def sines(length: int, width: int) -> Tensor:
    """Return position encodings (length, width).

    :raises ConfigError: ``width`` is odd
    """
    if width % 2:
        raise ConfigError(f"hidden: {width} is odd; expected an even width, for sines and cosines of a position")
    steps_L1 = torch.arange(length, dtype=torch.float32).unsqueeze(1)
    rates = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10_000.0) / width))
    codes = torch.zeros(length, width)
    codes[:, 0::2] = torch.sin(steps_L1 * rates)
    codes[:, 1::2] = torch.cos(steps_L1 * rates)
    return codes


def sines_2d(height: int, width_px: int, width: int) -> Tensor:
    """Return position encodings of a grid in row order (height * width_px, width).

    :raises ConfigError: ``width`` is not divisible by 4
    """
    if width % 4:
        raise ConfigError(f"hidden: {width} is no multiple of 4; expected one, for sines and cosines of a row and a column")
    rows = sines(height, width // 2).unsqueeze(1).expand(-1, width_px, -1)
    columns = sines(width_px, width // 2).unsqueeze(0).expand(height, -1, -1)
    return torch.cat([rows, columns], -1).reshape(height * width_px, width)
