"""A mixture of experts over the fields: an expert for each field and a shared one, weighed by a gate that sees all fields (Jacobs et al.
1991, doi:10.1162/neco.1991.3.1.79; Shazeer et al. 2017, arXiv:1701.06538).

Departs from Shazeer et al.: an expert belongs to a field, and there are few, so the gate is a plain softmax over those of the fields that
the row has and the shared one, without noise, top-k or a loss that balances their load. Departs from both: the shared expert, which sees
all fields side by side, can say what no field says alone, and answers a row that has none.

Shapes: ``B`` rows, ``F`` fields, ``D`` width.
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
    """An expert for each field and a shared one, weighed row by row."""

    kind: Literal["mixture"] = "mixture"
    hidden: int = Setting(128, ge=1, le=65_536)
    """Width inside each expert. Cost grows with it."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """Share dropped in training, inside the experts."""

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Any number of fields of any widths."""
        return Mixture(self, widths, width)


class Mixture(Fusion):
    """-> (B, 1, width); the shared expert's answer to zeros for a row with no field at all."""

    def __init__(self, config: MixtureConfig, widths: Mapping[str, int | None], width: int) -> None:
        super().__init__()

        def expert(width_in: int | None) -> nn.Sequential:
            return nn.Sequential(linear(width_in, config.hidden), nn.GELU(), nn.Dropout(config.dropout), nn.Linear(config.hidden, width))

        self.experts = nn.ModuleList(expert(field_width) for field_width in (*widths.values(), total(widths)))
        self.gate = linear(total(widths), len(widths) + 1)
        self.width_out = width

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Pool, ask the experts, add up what they say by their shares."""
        vectors = [mean_pool(field) for field in features.values()]
        vectors.append(torch.cat(vectors, -1))
        said_BED = torch.stack([expert(vector_BD) for expert, vector_BD in zip(self.experts, vectors, strict=True)], 1)
        return Features.vector((self.shares(features, vectors[-1]).unsqueeze(-1) * said_BED).sum(1))

    def shares(self, features: Mapping[str, Features], everything_BD: Tensor) -> Tensor:
        """The share of each expert (B, F + 1), the shared one last; exactly 0 for a field that is missing."""
        there_BF = present(features) > 0
        open_BE = torch.cat([there_BF, torch.ones_like(there_BF[:, :1])], 1)
        scores_BE = self.gate(everything_BD)
        return scores_BE.masked_fill(~open_BE, torch.finfo(scores_BE.dtype).min).softmax(-1)
