"""A few learned latents that alternately attend to the tokens of all fields and to one another (Perceiver, Jaegle et al. 2021,
arXiv:2103.03206). Cost grows with the number of tokens, not with its square.

A learned vector for each field is added to its tokens. Differences from the paper: the encoders add the positions; weights are not shared
between the layers; each cross-attention is followed by one block of self-attention among the latents, where the paper has several. As in
the paper, the prediction is read from the mean of the latents.

Shapes: ``B`` rows, ``F`` fields, ``L`` tokens, ``N`` latents, ``D`` width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field as Setting
from torch import nn

from ..flow import Features
from ..layers.pooling import without_masked
from ..layers.transformer import Block, CrossBlock
from .fusion import Fusion, FusionConfig, heads_divide, linear


class PerceiverConfig(FusionConfig):
    """A few latents that attend to all tokens and to one another."""

    kind: Literal["perceiver"] = "perceiver"
    latents: int = Setting(8, ge=1, le=4_096)
    """The number of latents, which summarise all tokens. Cost grows with it."""
    depth: int = Setting(2, ge=1, le=256)
    """The number of layers, each a cross-attention to the tokens and a block of self-attention. Cost grows with it."""
    heads: int = Setting(4, ge=1, le=1_024)
    """The number of attention heads; must divide ``model.width``."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """The dropout rate."""

    def check(self, fields: Sequence[str], width: int) -> None:
        """Check the number of heads.

        :raises ConfigError: ``width`` is not divisible by ``heads``
        """
        heads_divide(self.heads, width)

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Build the fusion for any number of fields of any widths.

        :raises ConfigError: ``width`` is not divisible by ``heads``
        """
        self.check(list(widths), width)
        return Perceiver(self, widths, width)


class Perceiver(Fusion):
    """The latents after the last layer -> (B, N, width); constants for a row without any field."""

    def __init__(self, config: PerceiverConfig, widths: Mapping[str, int | None], width: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(linear(field_width, width) for field_width in widths.values())
        self.name_FD = nn.Parameter(torch.randn(len(widths), width) * width**-0.5)
        self.latents_ND = nn.Parameter(torch.randn(config.latents, width) * width**-0.5)
        self.look = nn.ModuleList(CrossBlock(width, config.heads, config.dropout) for _ in range(config.depth))
        self.think = nn.ModuleList(Block(width, config.heads, config.dropout) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width)
        self.width_out = width

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Apply the layers to the latents, and return the normalised latents."""
        tokens = [project(without_masked(field).tokens_BLD) + name_D
                  for field, project, name_D in zip(features.values(), self.project, self.name_FD, strict=True)]  # fmt: skip
        everything = Features(torch.cat(tokens, 1), torch.cat([field.mask_BL for field in features.values()], 1))
        latents_BND = self.latents_ND.expand(everything.mask_BL.shape[0], -1, -1)
        mask_BN = torch.ones(latents_BND.shape[:2], dtype=torch.bool, device=latents_BND.device)
        for look, think in zip(self.look, self.think, strict=True):
            latents_BND = think(Features(look(latents_BND, everything), mask_BN)).tokens_BLD
        return Features(self.norm(latents_BND), mask_BN)
