"""Several pictures of a cell: each is encoded by an inner encoder of pictures, then they are pooled by learned attention.

Where their order says something (a video), the inner encoder sees what changed since the frame before beside what a frame shows, since
which way a thing moves can hardly be learned from what is left of two frames once each is one vector; and a small transformer with fixed
positions goes over the frames before they are pooled. Where it says nothing (a set of pictures), no answer depends on it.

Shapes: ``U`` distinct cells, ``T`` pictures of a cell, ``C`` channels, ``S`` the side of a picture, ``D`` hidden width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field as Setting
from pydantic import model_validator
from torch import Tensor, nn

from ..config import menu
from ..flow import Features, Field, Form, State
from ..layers.pooling import AttentionPool, mean_pool
from ..layers.positions import sines
from ..layers.transformer import Transformer
from .convnet import ConvnetConfig
from .encoder import Encoder, EncoderConfig
from .vit import ViTConfig

EACH = (ConvnetConfig, ViTConfig)
"""Encoders of a picture, to choose ``each`` from: any whose form is pixels may stand here."""


class FramesConfig(EncoderConfig):
    """Each picture of a cell encoded, and all of them pooled."""

    form: ClassVar[Form] = "frames"
    kind: Literal["frames"] = "frames"
    each: menu(*EACH, external=False) = ConvnetConfig()  # type: ignore[valid-type]
    """The encoder of each picture. Cost is as many times its own as a cell has pictures."""
    order: bool | None = None
    """Whether the order of the pictures says something; null = of a video it does, of a set of pictures it does not."""
    change: bool = True
    """Where their order counts, show each picture's encoder what changed since the one before as further channels, so that motion is seen
    at once. An encoder that takes no more than three channels wants false."""
    pool: Literal["attention", "mean"] = "attention"
    """attention = a mean weighted by what each picture shows; mean = all count alike."""
    hidden: int = Setting(128, ge=2, le=2**16)
    """Width of a picture inside; even where their order counts. Cost grows with its square."""
    depth: int = Setting(1, ge=0, le=256)
    """Blocks of the transformer over the frames, where their order counts."""
    heads: int = Setting(4, ge=1, le=1_024)
    """Its attention heads; must divide ``hidden``."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """Share dropped in training."""

    @model_validator(mode="before")
    @classmethod
    def _usual_each(cls, data: Any) -> Any:
        """Settings of ``each`` without a kind are those of the usual one."""
        each = data.get("each") if isinstance(data, Mapping) else None
        return {**data, "each": {"kind": ConvnetConfig().kind, **each}} if isinstance(each, Mapping) and "kind" not in each else data

    def needs(self) -> dict[str, Any]:
        """What the encoder of each picture needs."""
        return dict(self.each.needs())

    def build(self, width: int, state: State) -> Encoder:
        """For ``state`` of a field of pictures or videos."""
        return Frames(self, width, state)


class Frames(Encoder):
    """uint8 ``pixels`` (U, T, C, S, S), ``mask`` (U, T) -> one token."""

    positions_TD: Tensor

    def __init__(self, config: FramesConfig, width: int, state: State) -> None:
        super().__init__()
        self.width = width
        self.ordered = state["ordered"] if config.order is None else config.order
        hidden = config.hidden
        self.change = self.ordered and config.change
        self.each = config.each.build(hidden, _with_change(state) if self.change else state)
        if self.ordered:
            self.register_buffer("positions_TD", sines(state["frames"], hidden), persistent=False)
            self.transformer = Transformer(hidden, config.depth, config.heads, config.dropout)
        self.pool = AttentionPool(hidden) if config.pool == "attention" else None
        self.drop = nn.Dropout(config.dropout)
        self.project = nn.Linear(hidden, width)

    def forward(self, field: Field) -> Features:
        """-> (U, 1, width). Masked pictures are encoded too, so that no shape depends on what a cell holds."""
        pixels, mask_UT = field.values["pixels"], field.values["mask"]
        if self.change:
            shown = pixels.float()
            pixels = torch.cat([shown, shown - torch.cat([shown[:, :1], shown[:, :-1]], 1)], 2)
        U, T = mask_UT.shape
        each = self.each(Field({"pixels": pixels.flatten(0, 1)}, mask_UT.flatten()))
        features = Features(mean_pool(each).view(U, T, -1), mask_UT)
        if self.ordered:
            features = self.transformer(Features(features.tokens_BLD + self.positions_TD[:T], mask_UT))
        vector_UD = mean_pool(features) if self.pool is None else self.pool(features)
        return Features.vector(self.project(self.drop(vector_UD)))


def _with_change(state: State) -> State:
    """The facts of pictures beside which stands what changed: about half as spread as they are."""
    changes = [max(0.5 * spread, 1.0) for spread in state["std"]]
    return {**state, "channels": 2 * state["channels"], "mean": [*state["mean"], *([0.0] * len(changes))], "std": [*state["std"], *changes]}
