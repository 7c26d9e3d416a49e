"""A backbone that was trained elsewhere: frozen, with low-rank adapters, or trained on.

Frozen, it stands before the model: what it says of a cell is computed once (``frozen.py``), and the encoder is only the projection of it.
LoRA (Hu et al. 2022, arXiv:2106.09685) adds trained low-rank products to its linear layers, by peft. Trained on, its layers learn the more
slowly the farther they lie from the end (Howard and Ruder 2018, arXiv:1801.06146; Clark et al. 2020, arXiv:2003.10555).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field as Setting
from torch import nn

from ..backbones import Asked, Backbone, describe, library_of
from ..backbones import build as build_backbone
from ..errors import ConfigError, requires
from ..flow import Features, Field, Form, State
from ..quiet import ignore_warnings_of
from .encoder import Encoder, EncoderConfig

_FORMS: tuple[Form, ...] = ("pixels", "tokens", "waveform")
_USUAL_SCALE = {"frozen": 1.0, "lora": 0.3, "full": 0.03}


class PretrainedConfig(EncoderConfig):
    """A backbone that was trained elsewhere."""

    form: ClassVar[Form] = "features"
    kind: Literal["pretrained"] = "pretrained"
    model: str
    """A folder that transformers saved, a name on the Hugging Face hub, timm:NAME, keras:NAME (of Keras Applications) or a .keras file."""
    tune: Literal["frozen", "lora", "full"] = "frozen"
    """frozen = only the projection learns, what the backbone says of a cell is computed once; lora = low-rank adapters learn; full = all of
    it learns. Cost: the least first."""
    pool: Literal["auto", "mean", "first", "first_and_mean", "pooler", "pooler_and_mean", "tokens"] = "auto"
    """How its tokens become one; tokens = all are kept, for fusions that attend to them. auto = what suits the model."""
    download: bool = False
    """Fetch it from the hub where it is not on this machine. Nothing is ever fetched unasked."""
    revision: str | None = None
    """The version on the hub; null = the newest, or the one in the cache."""
    weights: Literal["usual", "random"] = "usual"
    """random = its architecture only, to train it from the start (tune: full)."""
    size: int | None = Setting(None, ge=16, le=1_024)
    """Height and width of pictures (of Keras Applications); null = the model's own, 96 where it has none. Cost grows with its square."""
    max_tokens: int | None = Setting(None, ge=1, le=2**15)
    """Tokens read of one text; null = as many as the model was made for, 512 at most. Cost grows with it."""
    rank: int = Setting(8, ge=1, le=1_024)
    """Rank of the adapters (lora)."""
    lr_scale: float | None = Setting(None, gt=0)
    """The backbone's learning rate, as a multiple of the others'; null = 0.3 for lora, 0.03 for full."""
    layer_decay: float = Setting(0.8, gt=0, le=1)
    """Each block's learning rate, as a multiple of the next one's (full)."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """Share of its features dropped in training."""

    def form_for(self, made: Sequence[Form]) -> Form:
        """Pixels, tokens or a waveform, whichever the modality makes."""
        return next((form for form in _FORMS if form in made), _FORMS[0])

    def needs(self, form: Form) -> dict[str, Any]:
        """What the model's processor does, as plain facts, and the model's own under ``backbone``."""
        try:
            return describe(Asked(self.model, form, self.pool, self.weights, self.revision, self.download, self.max_tokens, self.size))
        except ConfigError as error:
            raise ConfigError(f"kind pretrained, {error}") from None

    @property
    def is_frozen(self) -> bool:
        """Whether the backbone stands before the model."""
        return self.tune == "frozen"

    @property
    def may_download(self) -> bool:
        """Whether the backbone's files may be downloaded, by the setting ``download``."""
        return self.download

    @property
    def libraries(self) -> tuple[str, ...]:
        """The one that builds it, and peft for adapters."""
        return (library_of(self.model), *(("peft",) if self.tune == "lora" else ()))

    def placed(self, folder: Path) -> PretrainedConfig:
        """With the model's folder or file as an absolute path, where it is one."""
        path = folder / Path(self.model).expanduser()
        return self.model_copy(update={"model": str(path.resolve())}) if path.exists() else self

    def backbone(self, state: State) -> Backbone:
        """The backbone that the state describes, its weights still to be loaded."""
        return build_backbone(state["backbone"])

    def build(self, width: int, state: State) -> Encoder:
        """For ``state`` of a field that was fitted for this model."""
        if self.is_frozen:
            return Precomputed(self, width, state)
        return Pretrained(self, width, state)


class Precomputed(Encoder):
    """``features`` (U, L, D) of a frozen backbone and their mask ``real`` (U, L) -> as many tokens."""

    def __init__(self, config: PretrainedConfig, width: int, state: State) -> None:
        super().__init__()
        self.width = width
        self.drop = nn.Dropout(config.dropout)
        self.project = nn.Linear(_width(state), width)

    def forward(self, field: Field) -> Features:
        """-> (U, L, width)."""
        return Features(self.project(self.drop(field.values["features"])), field.values["real"])


class Pretrained(Encoder):
    """A field's own form -> one token, or all of the backbone's."""

    def __init__(self, config: PretrainedConfig, width: int, state: State) -> None:
        super().__init__()
        self.config, self.width = config, width
        self.backbone = build_backbone(state["backbone"])
        self.drop = nn.Dropout(config.dropout)
        self.project = nn.Linear(_width(state), width)
        if config.tune == "lora":
            _adapt(self.backbone, config.rank)

    def start(self) -> None:
        """Take the weights that it was trained to elsewhere."""
        self.backbone.load(self.config.download)

    def lr_scales(self) -> Iterator[tuple[nn.Parameter, float]]:
        """The backbone's parameters, each at its own scale."""
        scale = self.config.lr_scale or _USUAL_SCALE[self.config.tune]
        for parameter, depth in self.backbone.depths():
            yield parameter, scale * (self.config.layer_decay**depth if self.config.tune == "full" else 1.0)

    def forward(self, field: Field) -> Features:
        """-> (U, L, width)."""
        features = self.backbone(field.values)
        return Features(self.project(self.drop(features.tokens_BLD)), features.mask_BL)


def _width(state: State) -> int:
    width = state["backbone"]["width"]
    if type(width) is not int or not 1 <= width <= 2**17:
        raise ValueError(f"a backbone of width {width}")
    return width


def _adapt(backbone: Backbone, rank: int) -> None:
    """Low-rank adapters beside every linear layer (Dettmers et al. 2023, arXiv:2305.14314, found all to be better than some)."""
    peft: Any = requires("peft", "pretrained")
    names = [name for name, module in backbone.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise ConfigError("tune: lora: the backbone has no linear layer; expected one; use tune: frozen or full")
    ignore_warnings_of("peft")
    peft.inject_adapter_in_model(peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=names), backbone)
    for name, parameter in backbone.named_parameters():
        parameter.requires_grad_("lora_" in name)
