"""Layers for pictures: normalisation of pixels and division into patches."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Normalise(nn.Module):
    """Normalise uint8 pixels (U, C, H, W) to floats. ``mean`` and ``std`` of each channel are on the scale of 0 to 255."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return ``(pixels - mean) / std``: (U, C, H, W) -> (U, C, H, W) float."""
        return (pixels.to(self.mean.dtype) - self.mean) / self.std


class Patches(nn.Module):
    """Project square patches of a picture to tokens: (U, C, H, W) -> (U, L, D), L = (H / size) * (W / size), in row order."""

    def __init__(self, channels: int, size: int, width: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, width, kernel_size=size, stride=size)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the tokens of the patches: (U, C, H, W) -> (U, L, D)."""
        tokens_ULD: Tensor = self.project(pixels).flatten(2).transpose(1, 2)
        return tokens_ULD
