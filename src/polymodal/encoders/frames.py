"""An encoder of several pictures in a cell: an inner encoder encodes each picture, and attention pooling combines them.

If the order of the pictures is informative (a video), the inner encoder receives the change since the previous frame as additional
channels, because the direction of a movement can hardly be learned from two frames after each is reduced to a vector. A small transformer
with fixed positions then processes the frames before they are pooled. If the order is not informative (a set of pictures), no prediction
depends on it.

Shapes: ``U`` distinct cells, ``T`` pictures of a cell, ``C`` channels, ``H`` rows and ``W`` columns of a picture, ``D`` hidden width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field as Setting
from pydantic import model_validator
from torch import Tensor, nn

from ..backbones import Backbone
from ..config import menu
from ..flow import Features, Field, Form, State
from ..language import Sentence
from ..layers.pooling import AttentionPool, mean_pool
from ..layers.positions import sines
from ..layers.transformer import Transformer
from .convnet import ConvnetConfig
from .encoder import Encoder, EncoderConfig
from .pretrained import USUAL_MODELS, PretrainedConfig, PretrainedModels
from .vit import ViTConfig

EACH = (ConvnetConfig, ViTConfig, PretrainedConfig)
"""The encoders allowed for ``each``. Any encoder whose form is pixels may be added."""


class FramesConfig(EncoderConfig):
    """The settings of an encoder of several pictures in a cell."""

    form: ClassVar[Form] = "frames"
    kind: Literal["frames"] = "frames"
    each: menu(*EACH, external=False) = ConvnetConfig()  # type: ignore[valid-type]
    """The encoder of each picture. The cost is that of this encoder times the number of pictures in a cell."""
    order: bool | None = None
    """Whether the order of the pictures is used; null = yes for a video, no for a set of pictures."""
    change: bool = True
    """Whether the encoder also receives the change since the previous picture as additional channels, if the order is used. Ignored for
    a pretrained encoder, which reads three channels."""
    pool: Literal["attention", "mean"] = "attention"
    """attention = a mean with learned weights that depend on each picture; mean = equal weights."""
    hidden: int = Setting(128, ge=2, le=2**16)
    """The width of a picture's vector; must be even if the order is used. Cost grows with its square."""
    depth: int = Setting(1, ge=0, le=256)
    """The number of blocks of the transformer over the frames, if the order is used."""
    heads: int = Setting(4, ge=1, le=1_024)
    """The number of attention heads; must divide ``hidden``."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """The dropout rate."""

    @model_validator(mode="before")
    @classmethod
    def _usual_each(cls, data: Any) -> Any:
        """Use the default kind for settings of ``each`` without a kind."""
        each = data.get("each") if isinstance(data, Mapping) else None
        return {**data, "each": {"kind": ConvnetConfig().kind, **each}} if isinstance(each, Mapping) and "kind" not in each else data

    @classmethod
    def usual_pretrained(cls, forms: Sequence[Form], models: PretrainedModels = USUAL_MODELS) -> tuple[EncoderConfig, str] | None:
        """Return the settings with the usual pretrained encoder of each picture, if the first form that the modality makes is this one."""
        if forms[0] != cls.form:
            return None
        config, about = models.config("pixels")
        return cls(each=config), Sentence("encoder.frames_pretrained", of_each=Sentence(f"encoder.{config.tune}", model=about))

    def needs(self, form: Form) -> dict[str, Any]:
        """Return the settings that the encoder of each picture requires."""
        return dict(self.each.needs("pixels"))

    @property
    def is_frozen(self) -> bool:
        """Whether the encoder of each picture is frozen."""
        return bool(self.each.is_frozen)

    @property
    def may_download(self) -> bool:
        """Whether the files of the encoder of each picture may be downloaded."""
        return bool(self.each.may_download)

    @property
    def libraries(self) -> tuple[str, ...]:
        """The packages of the encoder of each picture."""
        return tuple(self.each.libraries)

    def backbone(self, state: State) -> Backbone:
        """Build the frozen encoder of each picture, applied to all pictures of a cell."""
        return OverFrames(self.each.backbone(state))

    def build(self, width: int, state: State) -> Encoder:
        """Build the encoder for the state of a field of pictures or videos."""
        return Frames(self, width, state)


class Frames(Encoder):
    """An encoder of several pictures: uint8 ``pixels`` (U, T, C, H, W), ``mask`` (U, T) -> one token for each cell."""

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
        """Return the tokens (U, 1, width). Masked pictures are encoded too, so that no shape depends on the content of a cell."""
        if "features" in field.values:  # from a frozen encoder, one token for each picture
            features = self.each(field)
            return self._pooled(features)
        pixels, mask_UT = field.values["pixels"], field.values["mask"]
        if self.change:
            current = pixels.float()
            pixels = torch.cat([current, current - torch.cat([current[:, :1], current[:, :-1]], 1)], 2)
        U, T = mask_UT.shape
        each = self.each(Field({"pixels": pixels.flatten(0, 1)}, mask_UT.flatten()))
        return self._pooled(Features(mean_pool(each).view(U, T, -1), mask_UT))

    def start(self) -> None:
        """Load the pretrained weights of the encoder of each picture, if there are any."""
        self.each.start()

    def lr_scales(self) -> Iterator[tuple[nn.Parameter, float]]:
        """Yield the parameters and factors of the encoder of each picture."""
        yield from self.each.lr_scales()

    def _pooled(self, features: Features) -> Features:
        """Combine the vectors of the pictures (U, T, D) to one token for each cell."""
        if self.ordered:
            positions_TD = self.positions_TD[: features.mask_BL.shape[1]]
            features = self.transformer(Features(features.tokens_BLD + positions_TD, features.mask_BL))
        vector_UD = mean_pool(features) if self.pool is None else self.pool(features)
        return Features.vector(self.project(self.drop(vector_UD)))


class OverFrames(Backbone):
    """A frozen backbone applied to each picture of a cell: ``pixels`` (U, T, C, H, W), ``mask`` (U, T) -> (U, T, D)."""

    def __init__(self, inner: Backbone) -> None:
        super().__init__()
        self.inner, self.width, self.pool = inner, inner.width, "tokens"

    def encode(self, values: Mapping[str, Tensor]) -> tuple[Features, Tensor | None]:
        """Return the tokens (U, T, D), one for each picture, and None."""
        U, T = values["mask"].shape
        return Features(mean_pool(self.inner({"pixels": values["pixels"].flatten(0, 1)})).view(U, T, -1), values["mask"]), None

    def load(self, download: bool) -> None:
        """Load the weights of the inner backbone."""
        self.inner.load(download)

    def depths(self) -> Iterator[tuple[nn.Parameter, int]]:
        """Yield the parameters and depths of the inner backbone."""
        return self.inner.depths()


def _with_change(state: State) -> State:
    """Return the state with the additional channels of change, whose standard deviation is assumed to be half that of the pixels."""
    changes = [max(0.5 * std, 1.0) for std in state["std"]]
    return {**state, "channels": 2 * state["channels"], "mean": [*state["mean"], *([0.0] * len(changes))], "std": [*state["std"], *changes]}
