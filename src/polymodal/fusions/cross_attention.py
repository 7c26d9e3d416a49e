"""Directed attention between every pair of fields (MulT, Tsai et al. 2019, arXiv:1906.00295): the tokens of each field attend to all tokens
of each other field. The fields may have different numbers of tokens.

Differences from the paper: there are no convolutions over time and no positions, because the encoders have them; the results of attending
to the other fields are averaged over those that the row has, where the paper concatenates them, so that a missing field has no effect; and
the stream of each field is pooled by its mean. If a row has only one field, that field keeps its own tokens. F fields have F * (F - 1)
directions, each a small transformer; more than 30 are refused.

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
"""The maximum number of directions; six fields have as many."""


class CrossAttentionConfig(FusionConfig):
    """The tokens of each field attend to those of each other field."""

    kind: Literal["cross_attention"] = "cross_attention"
    depth: int = Setting(2, ge=1, le=256)
    """The number of blocks in each direction. Cost grows with it, and with the square of the number of fields."""
    heads: int = Setting(4, ge=1, le=1_024)
    """The number of attention heads; must divide ``model.width``."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """The dropout rate."""

    def check(self, fields: Sequence[str], width: int) -> None:
        """Check the number of heads and the number of fields.

        :raises ConfigError: ``width`` is not divisible by ``heads``, or there are more than six fields
        """
        heads_divide(self.heads, width)
        directions = len(fields) * (len(fields) - 1)
        if directions > _MOST_DIRECTIONS:
            raise ConfigError(
                f"model.fusion.kind: cross_attention of {len(fields)} fields needs {directions} transformers, one for each direction; "
                f"expected at most {_MOST_DIRECTIONS} (6 fields); use kind: bottleneck, perceiver or attention, whose cost grows "
                "only with the number of fields"
            )

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Build the fusion for up to six fields of any widths.

        :raises ConfigError: ``width`` is not divisible by ``heads``, or there are more than six fields
        """
        self.check(list(widths), width)
        return CrossAttention(self, widths, width)


class CrossAttention(Fusion):
    """The pooled stream of each field -> (B, 1, width * fields); zeros for a missing field."""

    def __init__(self, config: CrossAttentionConfig, widths: Mapping[str, int | None], width: int) -> None:
        super().__init__()

        def crossing() -> nn.ModuleList:
            return nn.ModuleList(CrossBlock(width, config.heads, config.dropout) for _ in range(config.depth))

        self.project = nn.ModuleList(linear(field_width, width) for field_width in widths.values())
        self.cross = nn.ModuleList(nn.ModuleList(crossing() for _ in range(len(widths) - 1)) for _ in widths)
        self.streams = nn.ModuleList(Transformer(width, 1, config.heads, config.dropout) for _ in widths)
        self.width_out = len(widths) * width

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Project each field, apply the attention to the other fields, and pool the stream of each field to a vector."""
        fields = [Features(project(without_masked(field).tokens_BLD), field.mask_BL)
                  for project, field in zip(self.project, features.values(), strict=True)]  # fmt: skip
        parts = []
        for at, (field, crossings, stream) in enumerate(zip(fields, self.cross, self.streams, strict=True)):
            others = fields[:at] + fields[at + 1 :]
            parts.append(mean_pool(stream(Features(_attended(field, others, crossings), field.mask_BL))))
        return Features.vector(torch.cat(parts, -1))


def _attended(field: Features, others: Sequence[Features], crossings: nn.Module) -> Tensor:
    """Return the field's tokens (B, L, D) after attention to each of the other fields, averaged over those that are present."""
    if not others:
        return field.tokens_BLD
    streams, present = [], []
    for other, blocks in zip(others, crossings.children(), strict=True):
        tokens_BLD = field.tokens_BLD
        for block in blocks.children():
            tokens_BLD = block(tokens_BLD, other)
        streams.append(tokens_BLD)
        present.append(other.mask_BL.any(1))
    present_NB11 = torch.stack(present).to(field.tokens_BLD.dtype).unsqueeze(-1).unsqueeze(-1)
    count_B11 = present_NB11.sum(0)
    mean_BLD = (present_NB11 * torch.stack(streams)).sum(0) / count_B11.clamp(min=1.0)
    return torch.where(count_B11 > 0, mean_BLD, field.tokens_BLD)
