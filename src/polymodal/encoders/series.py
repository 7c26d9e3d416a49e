"""A transformer over patches of a series (PatchTST, Nie et al. 2023, arXiv:2211.14730), trained from scratch.

Differences from the paper: all channels of a patch form one token; short convolutions are applied before the series is divided into
patches, because a transformer does not learn slopes from small tables; and each value is given twice, normalised by the training rows to
represent its level, and by its own series to represent its shape. A third number marks missing values.

Shapes: ``U`` distinct series, ``T`` steps, ``S`` steps with padding, ``K`` numbers of a step, ``C`` channels, ``L`` patches, ``P`` steps
of a patch.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field as Setting
from torch import Tensor, nn
from torch.nn import functional

from ..flow import Features, Field, Form, State
from ..layers.positions import sines
from ..layers.transformer import Transformer
from .encoder import Encoder, EncoderConfig

_MOST_STEPS = 2**14
"""The maximum number of steps of a series."""


class SeriesTransformerConfig(EncoderConfig):
    """The settings of a transformer over patches of a series."""

    form: ClassVar[Form] = "series"
    kind: Literal["series_transformer"] = "series_transformer"
    patch: int = Setting(8, ge=1, le=4_096)
    """The number of steps in one token. Cost decreases with it."""
    depth: int = Setting(2, ge=1, le=256)
    """The number of blocks."""
    heads: int = Setting(4, ge=1, le=1_024)
    """The number of attention heads; must divide ``hidden``."""
    hidden: int = Setting(64, ge=1, le=2**16)
    """The hidden width; must be even."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """The dropout rate."""

    def build(self, width: int, state: State) -> Encoder:
        """Build the encoder for the state of a series field."""
        return SeriesTransformer(self, width, state)


class SeriesTransformer(Encoder):
    """A transformer over patches: ``values`` (U, T, C), NaN = missing, and ``length`` (U,) -> one token for each patch."""

    positions_LD: Tensor

    def __init__(self, config: SeriesTransformerConfig, width: int, state: State) -> None:
        super().__init__()
        self.width, self.patch = width, config.patch
        channels = 3 * state["channels"]
        self.stem = nn.Conv1d(channels, config.hidden, 7, padding=3)
        self.shapes = nn.ModuleList(nn.Conv1d(config.hidden, config.hidden, 5, padding=2 * step, dilation=step) for step in (1, 2, 4))
        self.embed = nn.Linear(2 * config.hidden, config.hidden)
        self.register_buffer("positions_LD", 0.5 * sines(-(-state["length"] // config.patch) + 1, config.hidden), persistent=False)
        self.drop = nn.Dropout(config.dropout)
        self.transformer = Transformer(config.hidden, config.depth, config.heads, config.dropout)
        self.project = nn.Linear(config.hidden, width)

    def forward(self, field: Field) -> Features:
        """Return the tokens (U, L, width)."""
        values_UTC, length_U = field.values["values"], field.values["length"]
        known_UTC = ~values_UTC.isnan()
        values_UTC = values_UTC.nan_to_num(0.0)
        count_U1C = known_UTC.sum(1, keepdim=True).clamp(min=1)
        mean_U1C = values_UTC.sum(1, keepdim=True) / count_U1C
        own_UTC = (values_UTC - mean_U1C) * known_UTC
        own_UTC = own_UTC / (own_UTC.square().sum(1, keepdim=True) / count_U1C + 1e-4).sqrt()
        steps_UTK = torch.cat([values_UTC, own_UTC, known_UTC.to(values_UTC.dtype)], 2)
        padding = (_MOST_STEPS * self.patch - steps_UTK.shape[1]) % self.patch  # C has another remainder of negative numbers
        steps_UKS = functional.pad(steps_UTK.transpose(1, 2), (0, padding))
        real_U1S = (torch.arange(steps_UKS.shape[2], device=length_U.device) < length_U.unsqueeze(1)).unsqueeze(1)
        grid_UDS = functional.gelu(self.stem(steps_UKS)) * real_U1S  # padding does not affect the steps before it
        for shape in self.shapes:
            grid_UDS = (grid_UDS + functional.gelu(shape(grid_UDS))) * real_U1S
        patches_UDLP = grid_UDS.unflatten(2, (-1, self.patch))
        tokens_ULD = self.embed(torch.cat([patches_UDLP.mean(3), patches_UDLP.amax(3)], 1).transpose(1, 2))
        patches = tokens_ULD.shape[1]
        real_UL = torch.arange(patches, device=length_U.device) * self.patch < length_U.unsqueeze(1)
        features = self.transformer(Features(self.drop(tokens_ULD + self.positions_LD[:patches]), real_UL))
        return Features(self.project(features.tokens_BLD), features.mask_BL)
