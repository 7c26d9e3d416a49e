"""The embeddings of words and of patches, without a network behind them, for fusions that are a whole network of texts and pictures
(``visual_bert``, ``vilt``, ``lxmert``, ``mmbt``, ``mmf_transformer``): such a network begins with them, and the fusion is the rest of it.

They are trained from scratch, or taken from a pretrained model, as are then the weights of the fusion. Words have no positions here: the
fusion knows at which place of its sequence a word is. Patches have their places in the picture.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from ..backbones import Facts
from ..backbones.joint import describe_patches, describe_words, patches_of, words_of
from ..config import NameOrPath
from ..errors import ConfigError
from ..flow import Features, Field, Form, State, height_and_width
from ..layers.patches import Normalise, Patches
from .encoder import Encoder, EncoderConfig

_SPREAD = 0.02
"""The standard deviation of new embeddings, as in BERT."""
_FINE_TUNING = 0.03
"""The factor on the learning rate of pretrained embeddings."""


class EmbeddingsConfig(EncoderConfig):
    """The settings that both kinds of embeddings have."""

    suggested: ClassVar[bool] = False
    """Messages about unknown settings do not suggest embeddings, with which only some fusions begin."""
    model: NameOrPath | None = None
    """The model whose embeddings these are, and whose weights the fusion has: a folder saved by transformers, or a name on the Hugging Face
    hub; null = trained from scratch."""
    download: bool = False
    """Whether to download the model from the hub if it is not on this machine."""
    lr_scale: float | None = Setting(None, gt=0)
    """The factor on the learning rate of the embeddings; null = 0.03 for those of a model, 1 from scratch."""

    @classmethod
    def usual(cls, rows: int) -> tuple[EncoderConfig, str] | None:
        """Return None: embeddings alone are the default of no field."""
        return None

    @property
    def may_download(self) -> bool:
        """Whether the files of the model may be downloaded, by the setting ``download``."""
        return self.download

    @property
    def libraries(self) -> tuple[str, ...]:
        """The package that reads the model, if there is one."""
        return ("transformers",) if self.model is not None else ()


class WordEmbeddingsConfig(EmbeddingsConfig):
    """The settings of embeddings of subwords."""

    form: ClassVar[Form] = "tokens"
    kind: Literal["word_embeddings"] = "word_embeddings"
    vocabulary: int = Setting(8_000, ge=257, le=2**22)
    """The maximum size of the subword vocabulary learned from the training rows, including 256 bytes; a model has its own."""
    max_tokens: int | None = Setting(None, ge=1, le=2**15)
    """The maximum number of tokens read of one text; null = 128, or the limit of the model. Cost grows faster than linearly with it."""

    def needs(self, form: Form) -> dict[str, Any]:
        """Return the size of the vocabulary and the maximum number of tokens, or the tokenizer of the model and its facts.

        :raises ConfigError: the model cannot be found or used
        """
        if self.model is None:
            return {"vocabulary": self.vocabulary, "max_tokens": self.max_tokens or 128}
        return describe_words(self.model, self.max_tokens, self.download)

    def build(self, width: int, state: State) -> Encoder:
        """Build the encoder for the state of a text field.

        :raises ConfigError: the embeddings of the model have another width
        """
        return WordEmbeddings(self, width, state)


class PatchEmbeddingsConfig(EmbeddingsConfig):
    """The settings of embeddings of the patches of a picture."""

    form: ClassVar[Form] = "pixels"
    kind: Literal["patch_embeddings"] = "patch_embeddings"
    patch: int = Setting(8, ge=1, le=1_024)
    """The side of a patch in pixels, which must divide the height and the width of the pictures; a model has its own. Smaller patches cost
    more."""

    def needs(self, form: Form) -> dict[str, Any]:
        """Return nothing, or the size and the normalisation of the pictures of the model, and its facts.

        :raises ConfigError: the model cannot be found or used
        """
        return {} if self.model is None else describe_patches(self.model, self.download)

    def build(self, width: int, state: State) -> Encoder:
        """Build the encoder for the state of an image field.

        :raises ConfigError: the sides of the pictures are not multiples of a patch, or the embeddings of the model have another width
        """
        return PatchEmbeddings(self, width, state)


class _Embeddings(Encoder):
    """What both kinds of embeddings have in common: the facts of the model, and a projection that starts as the identity."""

    standardised = False

    def __init__(self, config: EmbeddingsConfig, width: int, state: State) -> None:
        super().__init__()
        self.width = width
        self.facts: Facts | None = state["backbone"] if config.model is not None else None
        own = width if self.facts is None else self.facts["config"]["hidden_size"]
        if own != width:
            raise ConfigError(f"model.width: {width}, but the embeddings of {config.model} have {own}; set model.width: {own}")
        self.lr_scale = config.lr_scale or (1.0 if self.facts is None else _FINE_TUNING)
        self.project = nn.Linear(width, width)
        with torch.no_grad():
            self.project.weight.copy_(torch.eye(width))
            self.project.bias.zero_()


class WordEmbeddings(_Embeddings):
    """Embeddings of subwords: ``ids`` (U, L), 0 = padding -> one token for each subword. The token that a model's tokenizer puts before a
    text is left out, because the fusion begins with it in every row."""

    def __init__(self, config: WordEmbeddingsConfig, width: int, state: State) -> None:
        super().__init__(config, width, state)
        self.ended = self.facts is not None and bool(self.facts["ends"])
        count = state["vocabulary"] + 1 if self.facts is None else self.facts["config"]["vocab_size"]
        self.embed = nn.Embedding(count, width)
        nn.init.normal_(self.embed.weight, std=_SPREAD)

    def start(self) -> None:
        """Load the embeddings of the model.

        :raises ConfigError: the weights cannot be found
        """
        if self.facts is not None:
            self.embed.load_state_dict({"weight": words_of(self.facts)})

    def forward(self, field: Field) -> Features:
        """Return the tokens (U, L, width)."""
        ids_UL = field.values["ids"]
        if self.facts is None:
            return Features(self.project(self.embed(ids_UL)), ids_UL > 0)
        if self.ended:
            ids_UL = torch.cat([ids_UL[:, 1:], torch.zeros_like(ids_UL[:, :1])], 1)
        mask_UL = ids_UL > 0
        return Features(self.project(self.embed((ids_UL - 1).clamp(min=0, max=self.embed.num_embeddings - 1))), mask_UL)


class PatchEmbeddings(_Embeddings):
    """Embeddings of patches: uint8 ``pixels`` (U, C, H, W) -> one token for the picture, and one for each patch in row order."""

    def __init__(self, config: PatchEmbeddingsConfig, width: int, state: State) -> None:
        super().__init__(config, width, state)
        patch = config.patch if self.facts is None else self.facts["config"]["patch_size"]
        sides = height_and_width(state)
        if any(side % patch for side in sides):
            raise ConfigError(
                f"patch_embeddings: pictures of {sides[0]} x {sides[1]} pixels; expected a multiple of patch = {patch} on both sides; "
                f"change patch, or the size of the field"
            )
        self.normalise = Normalise(state["mean"], state["std"])
        self.patches = Patches(state["channels"], patch, width)
        self.first_D = nn.Parameter(torch.randn(width) * _SPREAD)
        self.positions_LD = nn.Parameter(torch.randn(1 + (sides[0] // patch) * (sides[1] // patch), width) * _SPREAD)

    def start(self) -> None:
        """Load the projection, the first token and the positions of the model.

        :raises ConfigError: the weights cannot be found
        """
        if self.facts is not None:
            weights = patches_of(self.facts)
            self.patches.project.load_state_dict({"weight": weights["weight"], "bias": weights["bias"]})
            with torch.no_grad():
                self.first_D.copy_(weights["first"].flatten())
                self.positions_LD.copy_(weights["positions"][0])

    def forward(self, field: Field) -> Features:
        """Return the tokens (U, 1 + L, width)."""
        patches_ULD = self.patches(self.normalise(field.values["pixels"]))
        first_U1D: Tensor = self.first_D.expand(patches_ULD.shape[0], 1, -1)
        tokens = self.project(torch.cat([first_U1D, patches_ULD], 1) + self.positions_LD)
        return Features(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device))
