"""A few learned latents that look at all tokens of all fields, then at one another, over and over (Perceiver, Jaegle et al. 2021,
arXiv:2103.03206). Cost grows with the tokens, not with their square.

A learned vector for each field says whose a token is. Departs from the paper: positions are the encoders'; weights are not shared between
the layers; each look is followed by one block among the latents, where the paper has several. As there, the answer is read from the
mean of the latents.

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
    """A few latents that look at all tokens and at one another."""

    kind: Literal["perceiver"] = "perceiver"
    latents: int = Setting(8, ge=1, le=4_096)
    """Latents: how much is kept of all tokens. Cost grows with it."""
    depth: int = Setting(2, ge=1, le=256)
    """Looks at the tokens, each followed by a block among the latents. Cost grows with it."""
    heads: int = Setting(4, ge=1, le=1_024)
    """Attention heads; must divide ``model.width``."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """Share dropped in training."""

    def check(self, fields: Sequence[str], width: int) -> None:
        """``ConfigError`` where the heads do not divide the width."""
        heads_divide(self.heads, width)

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Any number of fields of any widths."""
        self.check(list(widths), width)
        return Perceiver(self, widths, width)


class Perceiver(Fusion):
    """-> (B, N, width); what the latents say by themselves for a row with no field at all."""

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
        """The latents after their last look."""
        tokens = [project(without_masked(field).tokens_BLD) + name_D
                  for field, project, name_D in zip(features.values(), self.project, self.name_FD, strict=True)]  # fmt: skip
        everything = Features(torch.cat(tokens, 1), torch.cat([field.mask_BL for field in features.values()], 1))
        latents_BND = self.latents_ND.expand(everything.mask_BL.shape[0], -1, -1)
        there_BN = torch.ones(latents_BND.shape[:2], dtype=torch.bool, device=latents_BND.device)
        for look, think in zip(self.look, self.think, strict=True):
            latents_BND = think(Features(look(latents_BND, everything), there_BN)).tokens_BLD
        return Features(self.norm(latents_BND), there_BN)
