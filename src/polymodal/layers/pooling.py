"""Pooling of tokens to one vector for each row. A row without real tokens becomes zeros, never NaN.

Shapes: ``B`` rows, ``L`` tokens, ``D`` width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..flow import Features


def mean_pool(features: Features) -> Tensor:
    """Return the mean of the real tokens, (B, D); zeros for a row that has none."""
    if features.tokens_BLD.shape[1] == 1:  # the usual case of vectors, in one operation
        return torch.where(features.mask_BL, features.tokens_BLD[:, 0], 0.0)
    weights_BL1 = features.mask_BL.unsqueeze(-1).to(features.tokens_BLD.dtype)
    # torch.where, not a product: the value of a masked token is arbitrary and may be NaN.
    tokens_BLD = torch.where(weights_BL1 > 0, features.tokens_BLD, torch.zeros_like(features.tokens_BLD))
    return tokens_BLD.sum(1) / weights_BL1.sum(1).clamp(min=1.0)


def without_masked(features: Features) -> Features:
    """Return the features with masked tokens set to zero. Their values are arbitrary and may be NaN."""
    mask_BL1 = features.mask_BL.unsqueeze(-1)
    return Features(torch.where(mask_BL1, features.tokens_BLD, torch.zeros_like(features.tokens_BLD)), features.mask_BL)


class AttentionPool(nn.Module):
    """Attention pooling with a learned query: the weighted mean of the real tokens, (B, D); zeros for a row that has none."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1)

    def forward(self, features: Features) -> Tensor:
        """Pool the tokens: (B, L, D) and a mask -> (B, D)."""
        scores_BL: Tensor = self.score(features.tokens_BLD).squeeze(-1)
        scores_BL = scores_BL.masked_fill(~features.mask_BL, torch.finfo(scores_BL.dtype).min)
        weights_BL = scores_BL.softmax(-1) * features.mask_BL
        tokens_BLD = torch.where(features.mask_BL.unsqueeze(-1), features.tokens_BLD, torch.zeros_like(features.tokens_BLD))
        return (weights_BL.unsqueeze(-1) * tokens_BLD).sum(1)
