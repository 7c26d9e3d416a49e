"""A pre-norm transformer over masked tokens (Vaswani et al. 2017, arXiv:1706.03762; Xiong et al. 2020, arXiv:2002.04745).

A query without a real token to attend to returns zeros. A masked token therefore never affects a real one, and an empty row causes no NaN.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ConfigError
from ..flow import Features
from .recomputed import Recomputed


class Attention(nn.Module):
    """Multi-head attention from ``query_BQD`` to the real tokens of ``features``."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(self, query_BQD: Tensor, features: Features) -> Tensor:
        """Return the attended tokens, (B, Q, D)."""
        B, Q, D = query_BQD.shape
        L = features.tokens_BLD.shape[1]
        some_B111 = features.mask_BL.any(1).view(B, 1, 1, 1)
        mask_B11L = features.mask_BL.view(B, 1, 1, L) | ~some_B111
        query = self.query(query_BQD).view(B, Q, self.heads, D // self.heads).transpose(1, 2)
        key, value = self.key_value(features.tokens_BLD).view(B, L, 2, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask_B11L)
        attended = attended * some_B111.to(attended.dtype)
        out_BQD: Tensor = self.out(attended.transpose(1, 2).reshape(B, Q, D))
        return out_BQD


class Block(Recomputed):
    """A pre-norm transformer block: self-attention and a perceptron, each with a residual connection."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width))
        self.drop = nn.Dropout(dropout)

    def forward(self, features: Features) -> Features:
        """Apply the block: (B, L, D) -> (B, L, D) with the same mask."""
        tokens = features.tokens_BLD
        normed = self.norm_1(tokens)
        tokens = tokens + self.drop(self.attention(normed, Features(normed, features.mask_BL)))
        tokens = tokens + self.drop(self.mlp(self.norm_2(tokens)))
        return Features(tokens, features.mask_BL)


class CrossBlock(Recomputed):
    """A block like ``Block``, but with attention to the tokens of another sequence instead of self-attention."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_source = nn.LayerNorm(width)
        self.norm_1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width))
        self.drop = nn.Dropout(dropout)

    def forward(self, tokens_BQD: Tensor, source: Features) -> Tensor:
        """Apply the block: tokens (B, Q, D) and a source (B, L, D) -> (B, Q, D). Masked tokens of the source must be finite."""
        normed = Features(self.norm_source(source.tokens_BLD), source.mask_BL)
        tokens_BQD = tokens_BQD + self.drop(self.attention(self.norm_1(tokens_BQD), normed))
        tokens_BQD = tokens_BQD + self.drop(self.mlp(self.norm_2(tokens_BQD)))
        return tokens_BQD


class Transformer(nn.Module):
    """A transformer of ``depth`` blocks with a final norm. Masked tokens are set to zero before the first block.

    :raises ConfigError: ``width`` is not divisible by ``heads``
    """

    def __init__(self, width: int, depth: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ConfigError(f"heads: {heads} does not divide the width inside, hidden = {width}")
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, features: Features) -> Features:
        """Apply the blocks: (B, L, D) -> (B, L, D) with the same mask."""
        tokens = torch.where(features.mask_BL.unsqueeze(-1), features.tokens_BLD, torch.zeros_like(features.tokens_BLD))
        features = Features(tokens, features.mask_BL)
        for block in self.blocks:
            features = block(features)
        return Features(self.norm(features.tokens_BLD), features.mask_BL)
