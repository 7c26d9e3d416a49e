"""A mixture of experts over the fields: an expert for each field and a shared expert, weighted by a gate that depends on all fields (Jacobs
et al. 1991, doi:10.1162/neco.1991.3.1.79; Shazeer et al. 2017, arXiv:1701.06538).

Differences from Shazeer et al.: each expert belongs to a field, and there are few experts, so the gate is a softmax over the shared expert
and the experts of the fields that the row has, without noise, top-k or a load-balancing loss. Difference from both papers: the shared
expert reads the concatenation of all fields. It can represent interactions between fields, and is the only expert for a row without any
field.

Shapes: ``B`` rows, ``F`` fields, ``E`` experts, ``D`` width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from ..flow import Features
from ..layers.pooling import mean_pool
from .fusion import Fusion, FusionConfig, linear, present, total


class MixtureConfig(FusionConfig):
    """An expert for each field and a shared expert, weighted by a gate for each row."""

    kind: Literal["mixture"] = "mixture"
    hidden: int = Setting(128, ge=1, le=65_536)
    """The hidden width of each expert. Cost grows with it."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """The dropout rate inside the experts."""

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Build the fusion for any number of fields of any widths."""
        return Mixture(self, widths, width)


class Mixture(Fusion):
    """The weighted sum of the experts -> (B, 1, width); the shared expert's output for zeros for a row without any field."""

    def __init__(self, config: MixtureConfig, widths: Mapping[str, int | None], width: int) -> None:
        super().__init__()

        def expert(width_in: int | None) -> nn.Sequential:
            return nn.Sequential(linear(width_in, config.hidden), nn.GELU(), nn.Dropout(config.dropout), nn.Linear(config.hidden, width))

        self.experts = nn.ModuleList(expert(field_width) for field_width in (*widths.values(), total(widths)))
        self.gate = linear(total(widths), len(widths) + 1)
        self.width_out = width

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Pool each field to a vector, apply the experts, and sum their outputs with the weights of the gate."""
        vectors = [mean_pool(field) for field in features.values()]
        vectors.append(torch.cat(vectors, -1))
        outputs_BED = torch.stack([expert(vector_BD) for expert, vector_BD in zip(self.experts, vectors, strict=True)], 1)
        return Features.vector((self.shares(features, vectors[-1]).unsqueeze(-1) * outputs_BED).sum(1))

    def shares(self, features: Mapping[str, Features], everything_BD: Tensor) -> Tensor:
        """Return the weight of each expert (B, E = F + 1), the shared expert last; exactly 0 for a missing field.

        :param everything_BD: the concatenation of the pooled fields
        """
        present_BF = present(features) > 0
        available_BE = torch.cat([present_BF, torch.ones_like(present_BF[:, :1])], 1)
        scores_BE: Tensor = self.gate(everything_BD)
        return scores_BE.masked_fill(~available_BE, torch.finfo(scores_BE.dtype).min).softmax(-1)
