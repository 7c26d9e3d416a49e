"""Feature-wise linear modulation (FiLM, Perez et al. 2018, arXiv:1709.07871): one field scales and shifts the features of the others.

With ``condition: FIELD``, gamma and beta for each of the other fields are computed from that field, for example from a question about a
picture. Without it, each field is modulated by all other fields that the row has. Differences from the paper: there is one modulated layer
instead of four residual blocks inside an encoder; gamma is 1 plus a learned term, so that a row without the condition is not modulated;
and the output includes the vector of the conditioning field itself, so that a prediction can depend on that field alone.

Shapes: ``B`` rows, ``F`` fields, ``L`` tokens, ``D`` width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ..errors import ConfigError, nearest
from ..flow import Features
from ..layers.pooling import mean_pool, without_masked
from .fusion import Fusion, FusionConfig, linear, present


class FiLMConfig(FusionConfig):
    """One field scales and shifts the features of the others."""

    kind: Literal["film"] = "film"
    condition: str | None = None
    """The field that modulates the others, such as a question about a picture; null = each field is modulated by all others."""

    def check(self, fields: Sequence[str], width: int) -> None:
        """Check the condition.

        :raises ConfigError: there are several fields, and ``condition`` is not one of them
        """
        if self.condition is not None and len(fields) > 1 and self.condition not in fields:
            raise ConfigError(
                f"model.fusion.condition: {self.condition!r} is not a field; expected one of {', '.join(fields)}, or null"
                f"{nearest(self.condition, fields)}"
            )

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Build the fusion for any number of fields of any widths. A single field is not modulated."""
        self.check(list(widths), width)
        return FiLM(self, widths, width)


class FiLM(Fusion):
    """Modulated features of each field -> (B, 1, width * fields); zeros for a missing field."""

    def __init__(self, config: FiLMConfig, widths: Mapping[str, int | None], width: int) -> None:
        super().__init__()
        names = list(widths)
        directed = config.condition in names
        self.project = nn.ModuleList(linear(field_width, width) for field_width in widths.values())
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.conditioned = [len(names) > 1 and name != config.condition for name in names]
        self.modulate = nn.ModuleList(nn.Linear(width, 2 * width) for conditioned in self.conditioned if conditioned)
        conditions_FF = torch.tensor([[a != b and (not directed or b == config.condition) for b in names] for a in names])
        self.register_buffer("conditions_FF", conditions_FF.float(), persistent=False)
        self.width_out = len(names) * width

    conditions_FF: Tensor

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Project and normalise each field, modulate each token by the pooled conditions, and pool each field to a vector."""
        fields = []
        for project, field in zip(self.project, features.values(), strict=True):
            fields.append(Features(self.norm(project(without_masked(field).tokens_BLD)), field.mask_BL))
        vectors_BFD = torch.stack([mean_pool(field) for field in fields], 1)
        present_BF = present(features)
        modulate = iter(self.modulate)
        parts = []
        for at, (field, conditioned) in enumerate(zip(fields, self.conditioned, strict=True)):
            if not conditioned:
                parts.append(vectors_BFD[:, at])
                continue
            conditions_BF = present_BF * self.conditions_FF[at]
            gamma_BD, beta_BD = next(modulate)((conditions_BF.unsqueeze(-1) * vectors_BFD).sum(1)).chunk(2, -1)
            some_B11 = (conditions_BF.sum(1) > 0).view(-1, 1, 1)
            tokens = field.tokens_BLD * (1 + some_B11 * gamma_BD.unsqueeze(1)) + some_B11 * beta_BD.unsqueeze(1)
            parts.append(mean_pool(Features(nn.functional.gelu(tokens), field.mask_BL)))
        return Features.vector(torch.cat(parts, -1))
