"""Tensor fusion (TFN, Zadeh et al. 2017, arXiv:1707.07250): the outer product of the vectors [1; h] of all fields. It contains every
product of features of different fields, at most one feature of each.

Differences from the paper: each field is pooled and projected to ``hidden`` features, where the paper has a separate network for each
field; a field that a row lacks is [1; 0], so that only the products of the other fields remain; one layer reads the tensor. The size of
the tensor is (hidden + 1) ** fields. Too large tensors are refused before they are built; ``lowrank`` factorises the weights of the
layer that reads the tensor.

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
"""The maximum number of products of a row. The layer that reads them has ``model.width`` times as many weights."""


class TensorConfig(FusionConfig):
    """Every product of features of different fields."""

    kind: Literal["tensor"] = "tensor"
    hidden: int = Setting(16, ge=1, le=1_024)
    """The number of features of each field that are multiplied. Cost grows as this number to the power of the number of fields."""

    def check(self, fields: Sequence[str], width: int) -> None:
        """Check the size of the tensor.

        :raises ConfigError: the tensor is too large
        """
        products = (self.hidden + 1) ** len(fields)
        if products > _MOST:
            fits = max((hidden for hidden in range(1, self.hidden) if (hidden + 1) ** len(fields) <= _MOST), default=0)
            lower = f"lower it to {fits} or less, use fewer fields, or use kind: lowrank" if fits else "use kind: lowrank"
            size = f"{products:,}" if products < 10**15 else f"10^{math.log10(self.hidden + 1) * len(fields):.0f}"
            raise ConfigError(
                f"model.fusion.hidden: {len(fields)} fields of {self.hidden} features and a 1 give a tensor of {size} products a row; "
                f"expected at most {_MOST:,}; {lower}"
            )

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Build the fusion for as many fields as the limit on the size of the tensor allows.

        :raises ConfigError: the tensor is too large
        """
        self.check(list(widths), width)
        return TensorFusion(self, widths, width)


class TensorFusion(Fusion):
    """A linear layer over the outer product of the fields -> (B, 1, width); a constant for a row without any field."""

    def __init__(self, config: TensorConfig, widths: Mapping[str, int | None], width: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(linear(field_width, config.hidden) for field_width in widths.values())
        self.read = nn.Sequential(nn.Linear((config.hidden + 1) ** len(widths), width), nn.GELU())
        self.width_out = width

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Pool and project each field, compute the outer product, and apply the layer that reads it."""
        return Features.vector(self.read(self.products(features)))

    def products(self, features: Mapping[str, Features]) -> Tensor:
        """Return the flattened outer product (B, P). The index of the last field's features varies fastest."""
        first = next(iter(features.values())).tokens_BLD
        product = first.new_ones(first.shape[0], 1)
        for project, field in zip(self.project, features.values(), strict=True):
            vector = project(mean_pool(field)) * field.mask_BL.any(1, keepdim=True)
            factor_BH = torch.cat([torch.ones_like(vector[:, :1]), vector], -1)
            product = (product.unsqueeze(-1) * factor_BH.unsqueeze(1)).flatten(1)
        return product
