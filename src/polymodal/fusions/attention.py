"""A small transformer over the tokens of all fields and a learned query, whose output is the representation (as in Jaegle et al. 2021,
arXiv:2103.03206, but with self-attention among the tokens of the fields)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field as Setting
from torch import nn

from ..flow import Features
from ..layers.transformer import Transformer
from .fusion import Fusion, FusionConfig, heads_divide, linear


class AttentionConfig(FusionConfig):
    """A transformer over the tokens of all fields and a learned query."""

    kind: Literal["attention"] = "attention"
    depth: int = Setting(2, ge=1, le=256)
    """The number of blocks. Cost grows with it, and with the square of the number of tokens."""
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
        return Attention(self, widths, width)


class Attention(Fusion):
    """The transformer's output for the query -> (B, 1, width); it depends on the query alone for a row without any field."""

    def __init__(self, config: AttentionConfig, widths: Mapping[str, int | None], width: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(linear(field_width, width) for field_width in widths.values())
        self.name_FD = nn.Parameter(torch.randn(len(widths), width) * width**-0.5)
        self.query_D = nn.Parameter(torch.randn(width) * width**-0.5)
        self.transformer = Transformer(width, config.depth, config.heads, config.dropout)
        self.width_out = width

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Apply the transformer to the query and the tokens of all fields, and return its output for the query."""
        first = next(iter(features.values()))
        rows = first.tokens_BLD.shape[0]
        tokens = [self.query_D.expand(rows, 1, -1)]
        masks = [torch.ones(rows, 1, dtype=torch.bool, device=first.mask_BL.device)]
        for field, project, name_D in zip(features.values(), self.project, self.name_FD, strict=True):
            tokens.append(project(field.tokens_BLD) + name_D)
            masks.append(field.mask_BL)
        attended = self.transformer(Features(torch.cat(tokens, 1), torch.cat(masks, 1)))
        return Features(attended.tokens_BLD[:, :1], attended.mask_BL[:, :1])
