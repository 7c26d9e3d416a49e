"""Directed attention between every pair of fields (MulT, Tsai et al. 2019, arXiv:1906.00295): each field's tokens look at those of each
other field, at all of its tokens, whatever the two lengths are.

Departs from the paper: no convolution over time and no positions, which the encoders have; what a field saw in the others is averaged over
those that the row has, where the paper puts it side by side, so that a missing field drops out; each field's stream is pooled by its mean.
A field alone in its row goes on with its own tokens. There are fields * (fields - 1) directions, each a small transformer: more than 30
are refused.

Shapes: ``B`` rows, ``L`` tokens, ``D`` width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from ..errors import ConfigError
from ..flow import Features
from ..layers.pooling import mean_pool, without_masked
from ..layers.transformer import CrossBlock, Transformer
from .fusion import Fusion, FusionConfig, heads_divide, linear

_MOST_DIRECTIONS = 30


class CrossAttentionConfig(FusionConfig):
    """Each field's tokens attend to those of each other field."""

    kind: Literal["cross_attention"] = "cross_attention"
    depth: int = Setting(2, ge=1, le=256)
    """Blocks in each direction. Cost grows with it, and with the square of the count of fields."""
    heads: int = Setting(4, ge=1, le=1_024)
    """Attention heads; must divide ``model.width``."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """Share dropped in training."""

    def check(self, fields: Sequence[str], width: int) -> None:
        """``ConfigError`` where the heads do not divide the width, or the fields are too many for their pairs."""
        heads_divide(self.heads, width)
        directions = len(fields) * (len(fields) - 1)
        if directions > _MOST_DIRECTIONS:
            raise ConfigError(
                f"model.fusion.kind: cross_attention of {len(fields)} fields is {directions} transformers, one for each direction; "
                f"expected at most {_MOST_DIRECTIONS} (6 fields); take kind: bottleneck, perceiver or attention, which grow "
                "with the fields alone"
            )

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Up to six fields of any widths."""
        self.check(list(widths), width)
        return CrossAttention(self, widths, width)


class CrossAttention(Fusion):
    """-> (B, 1, width * fields); zeros where a field is missing."""

    def __init__(self, config: CrossAttentionConfig, widths: Mapping[str, int | None], width: int) -> None:
        super().__init__()

        def crossing() -> nn.ModuleList:
            return nn.ModuleList(CrossBlock(width, config.heads, config.dropout) for _ in range(config.depth))

        self.project = nn.ModuleList(linear(field_width, width) for field_width in widths.values())
        self.cross = nn.ModuleList(nn.ModuleList(crossing() for _ in range(len(widths) - 1)) for _ in widths)
        self.streams = nn.ModuleList(Transformer(width, 1, config.heads, config.dropout) for _ in widths)
        self.width_out = len(widths) * width

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Project; let each field look at each other; pool what each has come to be."""
        fields = [Features(project(without_masked(field).tokens_BLD), field.mask_BL)
                  for project, field in zip(self.project, features.values(), strict=True)]  # fmt: skip
        parts = []
        for at, (field, crossings, stream) in enumerate(zip(fields, self.cross, self.streams, strict=True)):
            others = fields[:at] + fields[at + 1 :]
            parts.append(mean_pool(stream(Features(_looked(field, others, crossings), field.mask_BL))))
        return Features.vector(torch.cat(parts, -1))


def _looked(field: Features, others: Sequence[Features], crossings: nn.Module) -> Tensor:
    """The field's tokens (B, L, D) after they looked at each of the others, averaged over those that are there."""
    if not others:
        return field.tokens_BLD
    streams, there = [], []
    for other, blocks in zip(others, crossings.children(), strict=True):
        tokens_BLD = field.tokens_BLD
        for block in blocks.children():
            tokens_BLD = block(tokens_BLD, other)
        streams.append(tokens_BLD)
        there.append(other.mask_BL.any(1))
    there_NB11 = torch.stack(there).to(field.tokens_BLD.dtype).unsqueeze(-1).unsqueeze(-1)
    count_B11 = there_NB11.sum(0)
    mean_BLD = (there_NB11 * torch.stack(streams)).sum(0) / count_B11.clamp(min=1.0)
    return torch.where(count_B11 > 0, mean_BLD, field.tokens_BLD)
