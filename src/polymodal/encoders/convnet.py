"""A small residual network for pictures of 32 to 256 pixels, trained from scratch.

It consists of residual blocks (He et al. 2016, arXiv:1603.05027) without normalisation, each initialised to the identity (Fixup, Zhang
et al. 2019, arXiv:1901.09321). With batch normalisation, the prediction for a picture would depend on the others in its batch. Group
normalisation removes how much of a picture has a colour, which is often informative, and learns colours and shapes several times more
slowly. The stride of the stem depends on the number of pixels, so that the last grid has about 16 positions: 4 x 4 of a square, 2 x 8 of
a picture that is four times as wide as high. The picture's vector is the mean and the maximum over the last grid.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field as Setting
from torch import nn

from ..flow import Features, Field, Form, State, height_and_width
from ..layers.patches import Normalise
from ..layers.residual import Residual
from .encoder import Encoder, EncoderConfig


class ConvnetConfig(EncoderConfig):
    """The settings of a small residual network."""

    form: ClassVar[Form] = "pixels"
    kind: Literal["convnet"] = "convnet"
    channels: list[Annotated[int, Setting(ge=1, le=2**16)]] = Setting([32, 64, 128, 128], min_length=1, max_length=32)
    """The number of channels of each stage. Every stage after the first halves the grid. Cost grows with the squares of the channels."""
    blocks: int = Setting(1, ge=1, le=256)
    """The number of residual blocks in each stage. Cost grows with it."""
    tokens: Literal["pooled", "grid"] = "pooled"
    """pooled = one token, from the mean and the maximum over the last grid; grid = one token for each position of the last grid."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """The dropout rate of the features after the last stage."""

    def build(self, width: int, state: State) -> Encoder:
        """Build the encoder for the state of an image field."""
        return Convnet(self, width, state)


class Convnet(Encoder):
    """A residual network: uint8 ``pixels`` (U, C, H, W) -> one token, or one for each position of the last grid."""

    def __init__(self, config: ConvnetConfig, width: int, state: State) -> None:
        super().__init__()
        self.width = width
        self.pooled = config.tokens == "pooled"
        self.normalise = Normalise(state["mean"], state["std"])
        first, size = config.channels[0], math.sqrt(math.prod(height_and_width(state)))
        stem: list[nn.Module] = [nn.Conv2d(state["channels"], first, 3, stride=1 if size < 48 else 2, padding=1)]
        for border in (96, 192):
            if size > border:
                stem += [nn.ReLU(), nn.Conv2d(first, first, 3, stride=2, padding=1)]
        self.stem = nn.Sequential(*stem)
        stages: list[nn.Module] = []
        before = first
        for at, channels in enumerate(config.channels):
            for block in range(config.blocks):
                stages.append(Residual(before, channels, stride=2 if at and not block else 1))
                before = channels
        self.stages = nn.Sequential(*stages, nn.ReLU())
        self.drop = nn.Dropout(config.dropout)
        self.project = nn.Linear(2 * before if self.pooled else before, width)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, field: Field) -> Features:
        """Return the tokens (U, 1, width), or (U, L, width) for the L positions of the last grid in row order."""
        pixels = self.normalise(field.values["pixels"]).contiguous(memory_format=torch.channels_last)
        grid = self.stages(self.stem(pixels))
        tokens = torch.cat([grid.mean((2, 3)), grid.amax((2, 3))], 1).unsqueeze(1) if self.pooled else grid.flatten(2).transpose(1, 2)
        tokens = self.project(self.drop(tokens))
        return Features(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device))
