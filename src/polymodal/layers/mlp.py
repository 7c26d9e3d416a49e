"""Multilayer perceptrons."""

from __future__ import annotations

from torch import nn


def mlp(width_in: int, hidden: int, width_out: int, depth: int = 1, dropout: float = 0.0) -> nn.Sequential:
    """Return ``depth`` hidden layers with GELU and dropout, followed by a linear layer. ``depth=0`` is one linear layer."""
    layers: list[nn.Module] = []
    width = width_in
    for _ in range(depth):
        layers += [nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout)]
        width = hidden
    return nn.Sequential(*layers, nn.Linear(width, width_out))
