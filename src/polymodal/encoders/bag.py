"""A bag of hashed n-grams as one vector: the small-data default for text.

The weighted sum of n-gram embeddings (Joulin et al. 2016, arXiv:1607.01759), with TF-IDF weights from the modality.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field as Setting
from torch import nn

from ..flow import Features, Field, Form, State
from .encoder import Encoder, EncoderConfig


class BagConfig(EncoderConfig):
    """A bag of n-gram embeddings."""

    form: ClassVar[Form] = "ngrams"
    kind: Literal["bag"] = "bag"
    buckets: int = Setting(32_768, ge=1, le=2**24)
    """N-grams are hashed into this many embeddings; memory grows with it, speed does not change."""
    max_ngrams: int = Setting(2_048, ge=1, le=2**20)
    """N-grams kept of one text, those of the largest weight."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """Share dropped in training."""
    lr_scale: float = Setting(1.0, gt=0)
    """Its learning rate, as a multiple of the others'. Few rows want more: each n-gram is seen only now and then."""

    def needs(self, form: Form) -> dict[str, Any]:
        """The buckets, and how many n-grams of a text to keep."""
        return {"buckets": self.buckets, "max_ngrams": self.max_ngrams}

    def build(self, width: int, state: State) -> Encoder:
        """For ``state`` of a text field."""
        return Bag(self, width)


class Bag(Encoder):
    """``ids`` and ``weights`` (U, L) -> one token."""

    def __init__(self, config: BagConfig, width: int) -> None:
        super().__init__()
        self.width = width
        self.lr_scale = config.lr_scale
        self.embed = nn.EmbeddingBag(config.buckets + 1, width, mode="sum", padding_idx=0)
        with torch.no_grad():
            self.embed.weight.mul_(0.1)
        self.drop = nn.Dropout(config.dropout)
        self.project = nn.Linear(width, width)

    def forward(self, field: Field) -> Features:
        """-> (U, 1, width)."""
        bag = self.embed(field.values["ids"], per_sample_weights=field.values["weights"])
        return Features.vector(self.project(self.drop(bag)))
