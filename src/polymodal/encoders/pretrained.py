"""An encoder with a pretrained backbone: frozen, with low-rank adapters, or fully fine-tuned.

The features of a frozen backbone are computed once for each cell (``frozen.py``), and the encoder is only their projection. LoRA (Hu et
al. 2022, arXiv:2106.09685) adds trainable low-rank products to the linear layers, with peft. In full fine-tuning, the learning rate of a
layer decreases with its distance from the output (Howard and Ruder 2018, arXiv:1801.06146; Clark et al. 2020, arXiv:2003.10555).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field as Setting
from torch import nn

from ..backbones import Backbone, BackboneOptions, describe, library_of
from ..backbones import build as build_backbone
from ..config import Config, NameOrPath
from ..errors import ConfigError, requires
from ..flow import Features, Field, Form, State
from ..language import Sentence
from ..layers.lengths import by_length
from ..quiet import ignore_warnings_of
from .encoder import Encoder, EncoderConfig

Tune = Literal["frozen", "lora", "full"]
"""What is trained of a pretrained model."""
_FORMS: tuple[Form, ...] = ("pixels", "tokens", "waveform")
PRETRAINED: Mapping[Form, tuple[str, int]] = {
    "pixels": ("facebook/dinov2-small", 88),
    "tokens": ("sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", 471),
    "waveform": ("openai/whisper-tiny", 151),
}
"""The model that ``model.preset: pretrained`` uses for each form: its name on the Hugging Face hub, and the size of its weights in
megabytes."""


class PretrainedModels(Config):
    """The models that the presets of ``model.preset`` use, and how those for pictures, texts and sounds are trained."""

    image: NameOrPath | None = None
    """The model for pictures: a folder saved by transformers, or a name on the Hugging Face hub; null = the usual one."""
    text: NameOrPath | None = None
    """The model for texts, likewise."""
    audio: NameOrPath | None = None
    """The model for sounds, likewise."""
    joint: NameOrPath | None = None
    """The model of texts and pictures together whose weights a preset mmf/NAME starts with (a visual_bert, vilt or lxmert; a bert for mmbt
    and mmf_transformer): a folder, or a name in the cache of the hub; null = trained from scratch."""
    tune: Tune | None = None
    """What ``--pretrained`` trains of these models: frozen = only a projection of their features; lora = low-rank adapters; full = all
    weights; null = frozen. Cost increases in this order."""

    def of(self, form: Form) -> tuple[str, str]:
        """Return the model for a form in ``PRETRAINED``, and a description of it."""
        name = {"pixels": self.image, "tokens": self.text, "waveform": self.audio}[form]
        if name is not None:
            return name, name
        model, megabytes = PRETRAINED[form]
        return model, Sentence("encoder.fetched", model=model, megabytes=megabytes)

    def config(self, form: Form) -> tuple[PretrainedConfig, str]:
        """Return the settings of the encoder for a form in ``PRETRAINED``, and a description of its model."""
        model, about = self.of(form)
        return PretrainedConfig(model=model, download=True, tune=self.tune or "frozen"), about


USUAL_MODELS = PretrainedModels()
"""The model that ``--pretrained`` takes for each form of samples if ``model.pretrained`` names none."""
_USUAL_SCALE = {"frozen": 1.0, "lora": 0.3, "full": 0.03}


class PretrainedConfig(EncoderConfig):
    """The settings of an encoder with a pretrained backbone."""

    form: ClassVar[Form] = "features"
    is_pretrained: ClassVar[bool] = True
    kind: Literal["pretrained"] = "pretrained"
    model: NameOrPath
    """A folder saved by transformers, a name on the Hugging Face hub, timm:NAME, keras:NAME (of Keras Applications) or a .keras file."""
    tune: Tune = "frozen"
    """frozen = train only the projection, on features computed once for each cell; lora = train low-rank adapters; full = train all
    weights. Cost increases in this order."""
    pool: Literal["auto", "mean", "first", "first_and_mean", "pooler", "pooler_and_mean", "tokens"] = "auto"
    """The pooling of the backbone's tokens into one. auto = chosen by the model; tokens = no pooling, for fusions that attend to tokens."""
    download: bool = False
    """Whether to download the model from the hub if it is not on this machine."""
    revision: str | None = None
    """The revision on the hub; null = the newest, or the one in the cache."""
    weights: Literal["usual", "random"] = "usual"
    """usual = the pretrained weights; random = only the architecture, to train from scratch (tune: full)."""
    size: int | None = Setting(None, ge=16, le=1_024)
    """The height and width of pictures (Keras only; other models have a size of their own); null = the model's own, or 96 if it has none.
    Cost grows with its square."""
    max_tokens: int | None = Setting(None, ge=1, le=2**15)
    """The maximum number of tokens read of one text; null = the model's own limit, at most 512. Cost grows with it."""
    rank: int = Setting(8, ge=1, le=1_024)
    """The rank of the adapters (lora)."""
    lr_scale: float | None = Setting(None, gt=0)
    """The factor on the learning rate of the backbone; null = 0.3 for lora, 0.03 for full."""
    layer_decay: float = Setting(0.8, gt=0, le=1)
    """The ratio of a block's learning rate to that of the next block (full)."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """The dropout rate of the backbone's features."""

    @classmethod
    def usual_pretrained(cls, forms: Sequence[Form], models: PretrainedModels = USUAL_MODELS) -> tuple[EncoderConfig, str] | None:
        """Return the settings for the first of the forms in ``PRETRAINED`` that the modality makes; None if it makes none of them."""
        form = next((form for form in PRETRAINED if form in forms), None)
        if form is None:
            return None
        config, about = models.config(form)
        return config, Sentence(f"encoder.{config.tune}", model=about)

    def form_for(self, made: Sequence[Form]) -> Form:
        """Return pixels, tokens or waveform: the first of them that the modality makes."""
        return next((form for form in _FORMS if form in made), _FORMS[0])

    def needs(self, form: Form) -> dict[str, Any]:
        """Return the settings of the model's processor, and the facts of the model under ``backbone``.

        :raises ConfigError: the model cannot be found or used
        """
        try:
            return describe(
                BackboneOptions(self.model, form, self.pool, self.weights, self.revision, self.download, self.max_tokens, self.size)
            )
        except ConfigError as error:
            raise ConfigError(f"kind pretrained, {error}") from None

    @property
    def is_frozen(self) -> bool:
        """Whether the backbone is frozen."""
        return self.tune == "frozen"

    @property
    def may_download(self) -> bool:
        """Whether the backbone's files may be downloaded, by the setting ``download``."""
        return self.download

    @property
    def libraries(self) -> tuple[str, ...]:
        """The package that builds the model, and peft if adapters are trained."""
        return (library_of(self.model), *(("peft",) if self.tune == "lora" else ()))

    def backbone(self, state: State) -> Backbone:
        """Build the backbone that the state describes. Its weights are not loaded yet."""
        return build_backbone(state["backbone"])

    def build(self, width: int, state: State) -> Encoder:
        """Build the encoder for the state of a field that was fitted for this model."""
        if self.is_frozen:
            return Precomputed(self, width, state)
        return Pretrained(self, width, state)


class Precomputed(Encoder):
    """A projection of the ``features`` (U, L, D) of a frozen backbone with the mask ``real`` (U, L) -> L tokens for each cell."""

    def __init__(self, config: PretrainedConfig, width: int, state: State) -> None:
        super().__init__()
        self.width = width
        self.drop = nn.Dropout(config.dropout)
        self.project = nn.Linear(_width(state), width)

    def forward(self, field: Field) -> Features:
        """Return the tokens (U, L, width)."""
        return Features(self.project(self.drop(field.values["features"])), field.values["real"])


class Pretrained(Encoder):
    """A trainable backbone and a projection: the form of a field -> one token, or all tokens of the backbone."""

    def __init__(self, config: PretrainedConfig, width: int, state: State) -> None:
        super().__init__()
        self.config, self.width = config, width
        self.backbone = build_backbone(state["backbone"])
        self.reads_lengths = state["backbone"]["form"] == "tokens" and not state["backbone"].get("filled")
        self.drop = nn.Dropout(config.dropout)
        self.project = nn.Linear(_width(state), width)
        if config.tune == "lora":
            _adapt(self.backbone, config.rank)

    def start(self) -> None:
        """Load the pretrained weights.

        :raises ConfigError: the weights cannot be found
        """
        self.backbone.load(self.config.download)

    def lr_scales(self) -> Iterator[tuple[nn.Parameter, float]]:
        """Yield the backbone's parameters with the factors on their learning rates."""
        scale = self.config.lr_scale or _USUAL_SCALE[self.config.tune]
        for parameter, depth in self.backbone.depths():
            yield parameter, scale * (self.config.layer_decay**depth if self.config.tune == "full" else 1.0)

    def forward(self, field: Field) -> Features:
        """Return the tokens (U, L, width)."""
        features = by_length(self.backbone, field.values) if self.training and self.reads_lengths else self.backbone(field.values)
        return Features(self.project(self.drop(features.tokens_BLD)), features.mask_BL)


def _width(state: State) -> int:
    """Return the width of the backbone's features. Raise ``ValueError`` if it is not valid."""
    width = state["backbone"]["width"]
    if type(width) is not int or not 1 <= width <= 2**17:
        raise ValueError(f"a backbone of width {width}")
    return width


def _adapt(backbone: Backbone, rank: int) -> None:
    """Add low-rank adapters to every linear layer; Dettmers et al. 2023 (arXiv:2305.14314) found all layers better than some."""
    peft: Any = requires("peft", "pretrained")
    names = [name for name, module in backbone.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        raise ConfigError("tune: lora: the backbone has no linear layer; expected one; use tune: frozen or full")
    ignore_warnings_of("peft")
    peft.inject_adapter_in_model(peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=names), backbone)
    for name, parameter in backbone.named_parameters():
        parameter.requires_grad_("lora_" in name)
