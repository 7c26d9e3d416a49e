"""Low-rank multiplicative fusion (LMF, Liu et al. 2018, arXiv:1806.00064) of any number of fields.

A full tensor fusion has a weight for every product of one feature from each field. Here the weights are a sum of ``rank`` outer
products, so that each field is projected first and the projections are multiplied. Differences from the paper: the factor of a field
that a row lacks is 1, where the paper uses zeros; the product is layer-normalised; and with ``parts``, the output includes a projection of
each field, so that the effect of a single field need not pass through a product.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field as Setting
from torch import nn

from ..flow import Features
from ..layers.pooling import mean_pool
from .fusion import Fusion, FusionConfig, linear


class LowRankConfig(FusionConfig):
    """The product of the fields' projections."""

    kind: Literal["lowrank"] = "lowrank"
    rank: int = Setting(4, ge=1, le=256)
    """The number of outer products that are summed. Cost grows with it."""
    parts: bool = True
    """Whether the output includes a projection of each field in addition to the product."""

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Build the fusion for any number of fields of any widths."""
        return LowRank(self, widths, width)


class LowRank(Fusion):
    """The product of the fields' projections -> (B, 1, width), or (B, 1, width * (fields + 1)) with ``parts``."""

    def __init__(self, config: LowRankConfig, widths: Mapping[str, int | None], width: int) -> None:
        super().__init__()
        self.rank = config.rank
        self.factors = nn.ModuleList(linear(field_width, config.rank * width) for field_width in widths.values())
        self.parts = nn.ModuleList(linear(field_width, width) for field_width in widths.values()) if config.parts else None
        self.norm = nn.LayerNorm(width)
        self.width_out = width * (len(widths) + 1) if config.parts else width

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Pool and project each field, multiply the projections, and sum over the ranks."""
        vectors = [mean_pool(field) for field in features.values()]
        present = [field.mask_BL.any(1, keepdim=True) for field in features.values()]
        product = torch.ones((), device=vectors[0].device)
        for vector_BD, present_B1, factor in zip(vectors, present, self.factors, strict=True):
            # 1 + projection: at the start, the product is close to 1 plus the sum of the projections, and its gradients do not vanish.
            factor_BR = 1 + factor(vector_BD)
            product = product * torch.where(present_B1, factor_BR, torch.ones_like(factor_BR))
        product_BD = self.norm(product.view(product.shape[0], self.rank, -1).sum(1))
        if self.parts is None:
            return Features.vector(product_BD)
        parts = [
            part(vector_BD) * present_B1.to(vector_BD.dtype)
            for part, vector_BD, present_B1 in zip(self.parts, vectors, present, strict=True)
        ]
        return Features.vector(torch.cat([*parts, product_BD], -1))
