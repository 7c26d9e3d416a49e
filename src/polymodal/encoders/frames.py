"""Several pictures of a cell: each is encoded by an inner encoder of pictures, then they are pooled by learned attention.

Where their order says something (a video), the inner encoder sees what changed since the frame before beside what a frame shows, since
which way a thing moves can hardly be learned from what is left of two frames once each is one vector; and a small transformer with fixed
positions goes over the frames before they are pooled. Where it says nothing (a set of pictures), no answer depends on it.

Shapes: ``U`` distinct cells, ``T`` pictures of a cell, ``C`` channels, ``S`` the side of a picture, ``D`` hidden width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field as Setting
from pydantic import model_validator
from torch import Tensor, nn

from ..backbones import Backbone
from ..config import menu
from ..flow import Features, Field, Form, State
from ..layers.pooling import AttentionPool, mean_pool
from ..layers.positions import sines
from ..layers.transformer import Transformer
from .convnet import ConvnetConfig
from .encoder import Encoder, EncoderConfig
from .pretrained import PretrainedConfig
from .vit import ViTConfig

EACH = (ConvnetConfig, ViTConfig, PretrainedConfig)
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
    at once. Not of a pretrained one, which has learned to see three channels."""
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

    def needs(self, form: Form) -> dict[str, Any]:
        """What the encoder of each picture needs."""
        return dict(self.each.needs("pixels"))

    @property
    def is_frozen(self) -> bool:
        """Where the encoder of each picture is."""
        return bool(self.each.is_frozen)

    @property
    def may_download(self) -> bool:
        """Where the encoder of each picture may be."""
        return bool(self.each.may_download)

    @property
    def libraries(self) -> tuple[str, ...]:
        """Those of the encoder of each picture."""
        return tuple(self.each.libraries)

    def placed(self, folder: Path) -> FramesConfig:
        """With the files of the encoder of each picture named in full."""
        return self.model_copy(update={"each": self.each.placed(folder)})

    def backbone(self, state: State) -> Backbone:
        """The frozen encoder of each picture, over all pictures of a cell."""
        return OverFrames(self.each.backbone(state))

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
        self.change = self.ordered and config.change and not isinstance(config.each, PretrainedConfig)
        self.each = config.each.build(hidden, _with_change(state) if self.change else state)
        if self.ordered:
            self.register_buffer("positions_TD", sines(2 * state["frames"], hidden), persistent=False)
            self.transformer = Transformer(hidden, config.depth, config.heads, config.dropout)
        self.pool = AttentionPool(hidden) if config.pool == "attention" else None
        self.drop = nn.Dropout(config.dropout)
        self.project = nn.Linear(hidden, width)

    def forward(self, field: Field) -> Features:
        """-> (U, 1, width). Masked pictures are encoded too, so that no shape depends on what a cell holds."""
        if "features" in field.values:  # of a frozen encoder, a token a picture
            features = self.each(field)
            return self._pooled(features)
        pixels, mask_UT = field.values["pixels"], field.values["mask"]
        if self.change:
            shown = pixels.float()
            pixels = torch.cat([shown, shown - torch.cat([shown[:, :1], shown[:, :-1]], 1)], 2)
        U, T = mask_UT.shape
        each = self.each(Field({"pixels": pixels.flatten(0, 1)}, mask_UT.flatten()))
        return self._pooled(Features(mean_pool(each).view(U, T, -1), mask_UT))

    def start(self) -> None:
        """What the encoder of each picture starts from."""
        self.each.start()

    def lr_scales(self) -> Iterator[tuple[nn.Parameter, float]]:
        """Those of the encoder of each picture."""
        return self.each.lr_scales()

    def _pooled(self, features: Features) -> Features:
        if self.ordered:
            positions_TD = self.positions_TD[: features.mask_BL.shape[1]]
            features = self.transformer(Features(features.tokens_BLD + positions_TD, features.mask_BL))
        vector_UD = mean_pool(features) if self.pool is None else self.pool(features)
        return Features.vector(self.project(self.drop(vector_UD)))


class OverFrames(Backbone):
    """A frozen backbone over each picture of a cell: ``pixels`` (U, T, C, S, S), ``mask`` (U, T) -> (U, T, D)."""

    def __init__(self, inner: Backbone) -> None:
        super().__init__()
        self.inner, self.width, self.pool = inner, inner.width, "tokens"

    def encode(self, values: Mapping[str, Tensor]) -> tuple[Features, Tensor | None]:
        """-> (U, T, D), a token a picture."""
        U, T = values["mask"].shape
        return Features(mean_pool(self.inner({"pixels": values["pixels"].flatten(0, 1)})).view(U, T, -1), values["mask"]), None

    def load(self, download: bool) -> None:
        """As the backbone itself."""
        self.inner.load(download)

    def depths(self) -> Iterator[tuple[nn.Parameter, int]]:
        """As the backbone itself."""
        return self.inner.depths()


def _with_change(state: State) -> State:
    """The facts of pictures beside which stands what changed: about half as spread as they are."""
    changes = [max(0.5 * spread, 1.0) for spread in state["std"]]
    return {**state, "channels": 2 * state["channels"], "mean": [*state["mean"], *([0.0] * len(changes))], "std": [*state["std"], *changes]}
