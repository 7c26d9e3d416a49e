"""A small residual network for pictures of 32 to 256 pixels, trained from scratch.

Residual blocks (He et al. 2016, arXiv:1603.05027) without normalisation, each starting as the identity (Fixup, Zhang et al.
2019, arXiv:1901.09321). A batch norm would make a picture's answer depend on its neighbours; group norms divide out how
much of a picture has a colour, which is often what it is about, and learn colours and shapes several times more slowly.
The stem's stride follows the size, so the last grid is about 4 x 4. What the grid says on average and at most is the
picture's vector.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field as Setting
from torch import nn

from ..flow import Features, Field, Form, State
from ..layers.patches import Normalise
from ..layers.residual import Residual
from .encoder import Encoder, EncoderConfig


class ConvnetConfig(EncoderConfig):
    """A small residual network."""

    form: ClassVar[Form] = "pixels"
    kind: Literal["convnet"] = "convnet"
    channels: list[Annotated[int, Setting(ge=1, le=2**16)]] = Setting([32, 64, 128, 128], min_length=1, max_length=32)
    """Channels of each stage; every stage after the first halves the grid. Cost grows with their squares."""
    blocks: int = Setting(1, ge=1, le=256)
    """Residual blocks in each stage. Cost grows with it."""
    tokens: Literal["pooled", "grid"] = "pooled"
    """pooled = one token, from the mean and the maximum over the last grid; grid = a token for each of its cells."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """Share of the features dropped in training, after the last stage."""

    def build(self, width: int, state: State) -> Encoder:
        """For ``state`` of an image field."""
        return Convnet(self, width, state)


class Convnet(Encoder):
    """uint8 pixels (U, C, S, S) -> one token, or one for each cell of the last grid."""

    def __init__(self, config: ConvnetConfig, width: int, state: State) -> None:
        super().__init__()
        self.width = width
        self.pooled = config.tokens == "pooled"
        self.normalise = Normalise(state["mean"], state["std"])
        first, size = config.channels[0], state["size"]
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
        """-> (U, 1, width), or (U, L, width), L the cells of the last grid in row order."""
        pixels = self.normalise(field.values["pixels"]).contiguous(memory_format=torch.channels_last)
        grid = self.stages(self.stem(pixels))
        tokens = torch.cat([grid.mean((2, 3)), grid.amax((2, 3))], 1).unsqueeze(1) if self.pooled else grid.flatten(2).transpose(1, 2)
        tokens = self.project(self.drop(tokens))
        return Features(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device))
