"""A vision transformer (Dosovitskiy et al. 2021, arXiv:2010.11929) with fixed 2-D positions (Beyer et al. 2022,
arXiv:2205.01580). Differences from the paper: there is no class token; the patches are the tokens, and the fusion pools them."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field as Setting
from torch import nn

from ..errors import ConfigError
from ..flow import Features, Field, Form, State, height_and_width
from ..layers.patches import Normalise, Patches
from ..layers.positions import sines_2d
from ..layers.transformer import Transformer
from .encoder import Encoder, EncoderConfig


class ViTConfig(EncoderConfig):
    """The settings of a vision transformer."""

    form: ClassVar[Form] = "pixels"
    kind: Literal["vit"] = "vit"
    patch: int = Setting(8, ge=1, le=4_096)
    """The side of a patch in pixels; must divide the height and the width of the pictures. Smaller patches cost more."""
    depth: int = Setting(4, ge=1, le=256)
    """The number of blocks."""
    heads: int = Setting(4, ge=1, le=1_024)
    """The number of attention heads; must divide ``hidden``."""
    hidden: int = Setting(128, ge=1, le=2**16)
    """The hidden width; must be a multiple of 4."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """The dropout rate."""

    def build(self, width: int, state: State) -> Encoder:
        """Build the encoder for the state of an image field.

        :raises ConfigError: the height or the width of the pictures is not a multiple of ``patch``
        """
        height, width_px = height_and_width(state)
        if height % self.patch or width_px % self.patch:
            raise ConfigError(
                f"vit: pictures of {height} x {width_px} pixels; expected a multiple of patch = {self.patch} on both sides; change patch, "
                f"or the size of the field"
            )
        return ViT(self, width, state)


class ViT(Encoder):
    """A vision transformer: uint8 ``pixels`` (U, C, H, W) -> one token for each patch."""

    positions_LD: torch.Tensor

    def __init__(self, config: ViTConfig, width: int, state: State) -> None:
        super().__init__()
        self.width = width
        rows, columns = (side // config.patch for side in height_and_width(state))
        self.normalise = Normalise(state["mean"], state["std"])
        self.patches = Patches(state["channels"], config.patch, config.hidden)
        self.register_buffer("positions_LD", sines_2d(rows, columns, config.hidden), persistent=False)
        self.transformer = Transformer(config.hidden, config.depth, config.heads, config.dropout)
        self.project = nn.Linear(config.hidden, width)

    def forward(self, field: Field) -> Features:
        """Return the tokens (U, L, width), one for each of the L patches in row order."""
        tokens = self.patches(self.normalise(field.values["pixels"])) + self.positions_LD
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        features = self.transformer(Features(tokens, mask))
        return Features(self.project(features.tokens_BLD), mask)
