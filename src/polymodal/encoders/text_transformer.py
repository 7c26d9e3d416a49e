"""A transformer over subword tokens (Vaswani et al. 2017, arXiv:1706.03762), trained from scratch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field as Setting
from torch import nn

from ..flow import Features, Field, Form, State
from ..language import Sentence
from ..layers.lengths import by_length
from ..layers.positions import sines
from ..layers.transformer import Transformer
from .encoder import Encoder, EncoderConfig


class TextTransformerConfig(EncoderConfig):
    """The settings of a transformer over subword tokens."""

    form: ClassVar[Form] = "tokens"
    kind: Literal["text_transformer"] = "text_transformer"
    vocabulary: int = Setting(8_000, ge=257, le=2**22)
    """The maximum size of the subword vocabulary learned from the training rows, including 256 bytes."""
    max_tokens: int = Setting(256, ge=1, le=2**15)
    """The maximum number of tokens read of one text. Cost grows faster than linearly with it."""
    depth: int = Setting(2, ge=1, le=256)
    """The number of blocks."""
    heads: int = Setting(4, ge=1, le=1_024)
    """The number of attention heads; must divide ``hidden``."""
    hidden: int = Setting(128, ge=1, le=2**16)
    """The hidden width; must be even."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """The dropout rate."""

    @classmethod
    def usual(cls, rows: int) -> tuple[EncoderConfig, str] | None:
        """Return the default settings; they are used for tables that are too large for a bag of n-grams."""
        return cls(), Sentence("encoder.transformer", rows=rows)

    def needs(self, form: Form) -> dict[str, Any]:
        """Return the size of the vocabulary and the maximum number of tokens of a text."""
        return {"vocabulary": self.vocabulary, "max_tokens": self.max_tokens}

    def build(self, width: int, state: State) -> Encoder:
        """Build the encoder for the state of a text field."""
        return TextTransformer(self, width, state)


class TextTransformer(Encoder):
    """A transformer over subwords: ``ids`` (U, L), 0 = padding -> one token for each subword."""

    positions_LD: torch.Tensor

    def __init__(self, config: TextTransformerConfig, width: int, state: State) -> None:
        super().__init__()
        self.width = width
        self.embed = nn.Embedding(state["vocabulary"] + 1, config.hidden, padding_idx=0)
        with torch.no_grad():
            self.embed.weight.mul_(0.5)
        self.register_buffer("positions_LD", 0.5 * sines(config.max_tokens, config.hidden), persistent=False)
        self.drop = nn.Dropout(config.dropout)
        self.transformer = Transformer(config.hidden, config.depth, config.heads, config.dropout)
        self.project = nn.Linear(config.hidden, width)

    def forward(self, field: Field) -> Features:
        """Return the tokens (U, L, width)."""
        return by_length(self._encode, field.values) if self.training else self._encode(field.values)

    def _encode(self, values: Mapping[str, torch.Tensor]) -> Features:
        ids = values["ids"]
        tokens = self.drop(self.embed(ids) + self.positions_LD[: ids.shape[1]])
        features = self.transformer(Features(tokens, ids > 0))
        return Features(self.project(features.tokens_BLD), features.mask_BL)
