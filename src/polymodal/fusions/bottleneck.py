"""Attention through a bottleneck (MBT, Nagrani et al. 2021, arXiv:2107.00135): a stream of self-attention for each field, and a few shared
tokens. The streams exchange information only through the shared tokens.

In each layer, the stream of each field attends to its own tokens and to the shared tokens, and computes its own version of the shared
tokens. The mean of these versions is the input of the next layer. Cost grows with the number of fields, not with the number of their pairs.

Differences from the paper: the mean is over the fields that the row has; there are no layers before the exchange, because the encoders take
their place; the representation is the mean of the fields' class tokens plus the mean of the shared tokens. The paper averages the logits of
a shared head on the class tokens, which is the same as a head on their mean if the head is linear. With class tokens alone, only some seeds
learned interactions between fields.

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
    """A transformer for each field, with a few shared tokens through which the fields exchange information."""

    kind: Literal["bottleneck"] = "bottleneck"
    tokens: int = Setting(4, ge=1, le=4_096)
    """The number of shared tokens, through which the fields exchange information. Cost grows with it."""
    depth: int = Setting(3, ge=2, le=256)
    """The number of layers. With fewer than two, the fields would not exchange information. Cost grows with it."""
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
        return Bottleneck(self, widths, width)


class Bottleneck(Fusion):
    """Streams of the fields with shared tokens -> (B, 1, width); a constant for a row without any field."""

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
        """Apply the layers to all streams, average the shared tokens after each layer, and add the means of the class and shared tokens."""
        present_FB11 = present(features).T.unsqueeze(-1).unsqueeze(-1)
        rows = present_FB11.shape[1]
        streams = [
            _with_class(class_D, Features(project(without_masked(field).tokens_BLD), field.mask_BL))
            for project, class_D, field in zip(self.project, self.class_FD, features.values(), strict=True)
        ]
        shared_BND = self.shared_ND.expand(rows, -1, -1)
        for blocks in self.layers:
            pairs = [_layer(block, stream, shared_BND) for block, stream in zip(blocks.children(), streams, strict=True)]
            streams = [stream for stream, _ in pairs]
            shared_BND = _mean(torch.stack([shared for _, shared in pairs]), present_FB11)
        class_tokens = torch.stack([self.norm(stream.tokens_BLD[:, :1]) for stream in streams])
        return Features.vector(_mean(class_tokens, present_FB11)[:, 0] + self.norm(shared_BND).mean(1))


def _with_class(class_D: Tensor, field: Features) -> Features:
    """Return the field's tokens after a class token."""
    tokens_BLD = torch.cat([class_D.expand(field.tokens_BLD.shape[0], 1, -1), field.tokens_BLD], 1)
    return Features(tokens_BLD, torch.cat([torch.ones_like(field.mask_BL[:, :1]), field.mask_BL], 1))


def _layer(block: nn.Module, stream: Features, shared_BND: Tensor) -> tuple[Features, Tensor]:
    """Apply a block to the tokens of a field and the shared tokens; return both parts of its output."""
    length = stream.tokens_BLD.shape[1]
    mask_BN = torch.ones(shared_BND.shape[:2], dtype=torch.bool, device=shared_BND.device)
    tokens = block(Features(torch.cat([stream.tokens_BLD, shared_BND], 1), torch.cat([stream.mask_BL, mask_BN], 1))).tokens_BLD
    return Features(tokens[:, :length], stream.mask_BL), tokens[:, length:]


def _mean(tokens_FBLD: Tensor, present_FB11: Tensor) -> Tensor:
    """Return the mean over the fields that a row has; zeros for a row without any field."""
    return (tokens_FBLD * present_FB11).sum(0) / present_FB11.sum(0).clamp(min=1.0)
