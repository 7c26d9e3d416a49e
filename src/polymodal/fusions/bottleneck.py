"""Attention through a bottleneck (MBT, Nagrani et al. 2021, arXiv:2107.00135): a stream of self-attention for each field, and a few tokens
through which alone the streams hear of one another.

In each layer every field's stream sees its own tokens and the shared ones, and leaves its own version of those; their mean goes to the next
layer. Cost grows with the fields, not with their pairs. Departs from the paper: the mean is over the fields that the row has; there are no
layers before the exchange, which are the encoders'; the answer is read from the mean of the fields' class tokens, where the paper averages
the logits of a shared head on them, which is the same where the head is linear, and from the shared tokens beside it: from class tokens
alone, what fields only say together is learned by some seeds and not by others.

Shapes: ``B`` rows, ``F`` fields, ``L`` tokens, ``N`` shared tokens, ``D`` width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from ..flow import Features
from ..layers.pooling import without_masked
from ..layers.transformer import Block
from .fusion import Fusion, FusionConfig, heads_divide, linear, present


class BottleneckConfig(FusionConfig):
    """A transformer for each field, and a few tokens through which they hear of one another."""

    kind: Literal["bottleneck"] = "bottleneck"
    tokens: int = Setting(4, ge=1, le=4_096)
    """Shared tokens: how much the fields can tell one another. Cost grows with it."""
    depth: int = Setting(3, ge=2, le=256)
    """Layers; with fewer than two no field would hear of another."""
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
        return Bottleneck(self, widths, width)


class Bottleneck(Fusion):
    """-> (B, 1, width); a constant for a row with no field at all."""

    def __init__(self, config: BottleneckConfig, widths: Mapping[str, int | None], width: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(linear(field_width, width) for field_width in widths.values())
        self.class_FD = nn.Parameter(torch.randn(len(widths), width) * width**-0.5)
        self.shared_ND = nn.Parameter(torch.randn(config.tokens, width) * width**-0.5)
        self.layers = nn.ModuleList(
            nn.ModuleList(Block(width, config.heads, config.dropout) for _ in widths) for _ in range(config.depth)
        )  # fmt: skip
        self.norm = nn.LayerNorm(width)
        self.width_out = width

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Streams beside one another, their shared tokens averaged after each layer; the class tokens and the shared ones."""
        there_FB11 = present(features).T.unsqueeze(-1).unsqueeze(-1)
        rows = there_FB11.shape[1]
        streams = [
            _with_class(class_D, Features(project(without_masked(field).tokens_BLD), field.mask_BL))
            for project, class_D, field in zip(self.project, self.class_FD, features.values(), strict=True)
        ]
        shared_BND = self.shared_ND.expand(rows, -1, -1)
        for blocks in self.layers:
            pairs = [_layer(block, stream, shared_BND) for block, stream in zip(blocks.children(), streams, strict=True)]
            streams = [stream for stream, _ in pairs]
            shared_BND = _mean(torch.stack([shared for _, shared in pairs]), there_FB11)
        class_tokens = torch.stack([self.norm(stream.tokens_BLD[:, :1]) for stream in streams])
        return Features.vector(_mean(class_tokens, there_FB11)[:, 0] + self.norm(shared_BND).mean(1))


def _with_class(class_D: Tensor, field: Features) -> Features:
    """Return the field's tokens behind a class token."""
    tokens_BLD = torch.cat([class_D.expand(field.tokens_BLD.shape[0], 1, -1), field.tokens_BLD], 1)
    return Features(tokens_BLD, torch.cat([torch.ones_like(field.mask_BL[:, :1]), field.mask_BL], 1))


def _layer(block: nn.Module, stream: Features, shared_BND: Tensor) -> tuple[Features, Tensor]:
    """A field's stream after it saw itself and the shared tokens, and its own version of those."""
    length = stream.tokens_BLD.shape[1]
    there_BN = torch.ones(shared_BND.shape[:2], dtype=torch.bool, device=shared_BND.device)
    seen = block(Features(torch.cat([stream.tokens_BLD, shared_BND], 1), torch.cat([stream.mask_BL, there_BN], 1))).tokens_BLD
    return Features(seen[:, :length], stream.mask_BL), seen[:, length:]


def _mean(each_FBLD: Tensor, there_FB11: Tensor) -> Tensor:
    """Over the fields that a row has; zeros where there is none."""
    return (each_FBLD * there_FB11).sum(0) / there_FB11.sum(0).clamp(min=1.0)
