"""Feature-wise linear modulation (FiLM, Perez et al. 2018, arXiv:1709.07871): what one field says scales and shifts what others say.

With ``condition: FIELD`` that field gives gamma and beta to each of the others, as a question does to a picture. Without it no field comes
first, and each is conditioned by all others that the row has. Departs from the paper: one modulated layer in place of four residual
blocks inside an encoder; gamma is 1 + what is learned, so that a row without the condition goes through unmodulated; and the conditioning
field's own vector stands beside the modulated ones, so that it can answer alone.

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
    """The field that says how the others are to be seen, such as the question about a picture; null = each is seen in the light of all
    others."""

    def check(self, fields: Sequence[str], width: int) -> None:
        """``ConfigError`` where the condition is none of several fields."""
        if self.condition is not None and len(fields) > 1 and self.condition not in fields:
            raise ConfigError(
                f"model.fusion.condition: {self.condition!r} is no field; expected one of {', '.join(fields)}, or null"
                f"{nearest(self.condition, fields)}"
            )

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Any number of fields of any widths; a single one is not modulated."""
        self.check(list(widths), width)
        return FiLM(self, widths, width)


class FiLM(Fusion):
    """-> (B, 1, width * fields); zeros where a field is missing."""

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
        """Project, normalise, modulate each token by what the conditions say on the whole, pool."""
        seen = []
        for project, field in zip(self.project, features.values(), strict=True):
            seen.append(Features(self.norm(project(without_masked(field).tokens_BLD)), field.mask_BL))
        said_BFD = torch.stack([mean_pool(field) for field in seen], 1)
        there_BF = present(features)
        modulate = iter(self.modulate)
        parts = []
        for at, (field, conditioned) in enumerate(zip(seen, self.conditioned, strict=True)):
            if not conditioned:
                parts.append(said_BFD[:, at])
                continue
            says_BF = there_BF * self.conditions_FF[at]
            gamma_BD, beta_BD = next(modulate)((says_BF.unsqueeze(-1) * said_BFD).sum(1)).chunk(2, -1)
            some_B11 = (says_BF.sum(1) > 0).view(-1, 1, 1)
            tokens = field.tokens_BLD * (1 + some_B11 * gamma_BD.unsqueeze(1)) + some_B11 * beta_BD.unsqueeze(1)
            parts.append(mean_pool(Features(nn.functional.gelu(tokens), field.mask_BL)))
        return Features.vector(torch.cat(parts, -1))
