"""Tensor fusion (TFN, Zadeh et al. 2017, arXiv:1707.07250): the outer product of [1; h] of all fields, every product of some features of
any of the fields.

Departs from the paper: each field is pooled and projected to ``hidden`` numbers, where the paper has a network of its own for each; a
field that a row lacks is [1; 0], so that what is left is the tensor of the others; the tensor is read by one layer. It grows as
(hidden + 1) ** fields: what is too large is refused before it is built, and ``lowrank`` is the same with a factorised reading.

Shapes: ``B`` rows, ``H`` hidden + 1, ``P`` products.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from ..errors import ConfigError
from ..flow import Features
from ..layers.pooling import mean_pool
from .fusion import Fusion, FusionConfig, linear

_MOST = 2**17
"""Products of a row, at most; times ``model.width`` they are the weights that read them."""


class TensorConfig(FusionConfig):
    """Every product of the fields' features."""

    kind: Literal["tensor"] = "tensor"
    hidden: int = Setting(16, ge=1, le=1_024)
    """Features of each field that are multiplied. Cost grows as its power to the number of fields."""

    def check(self, fields: Sequence[str], width: int) -> None:
        """``ConfigError`` where the tensor is too large."""
        products = (self.hidden + 1) ** len(fields)
        if products > _MOST:
            fits = max((hidden for hidden in range(1, self.hidden) if (hidden + 1) ** len(fields) <= _MOST), default=0)
            lower = f"lower it to {fits} or less, take fewer fields, or take kind: lowrank" if fits else "take kind: lowrank"
            found = f"{products:,}" if products < 10**15 else f"10^{math.log10(self.hidden + 1) * len(fields):.0f}"
            raise ConfigError(
                f"model.fusion.hidden: {len(fields)} fields of {self.hidden} features and a 1 make a tensor of {found} products a row; "
                f"expected at most {_MOST:,}; {lower}"
            )

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """As many fields as the tensor has room for."""
        self.check(list(widths), width)
        return TensorFusion(self, widths, width)


class TensorFusion(Fusion):
    """-> (B, 1, width); a row with no field at all is the product of ones."""

    def __init__(self, config: TensorConfig, widths: Mapping[str, int | None], width: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(linear(field_width, config.hidden) for field_width in widths.values())
        self.read = nn.Sequential(nn.Linear((config.hidden + 1) ** len(widths), width), nn.GELU())
        self.width_out = width

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Pool, project, multiply out, read."""
        return Features.vector(self.read(self.products(features)))

    def products(self, features: Mapping[str, Features]) -> Tensor:
        """The tensor as (B, P), the last field's features running fastest."""
        first = next(iter(features.values())).tokens_BLD
        product = first.new_ones(first.shape[0], 1)
        for project, field in zip(self.project, features.values(), strict=True):
            said = project(mean_pool(field)) * field.mask_BL.any(1, keepdim=True)
            factor_BH = torch.cat([torch.ones_like(said[:, :1]), said], -1)
            product = (product.unsqueeze(-1) * factor_BH.unsqueeze(1)).flatten(1)
        return product
