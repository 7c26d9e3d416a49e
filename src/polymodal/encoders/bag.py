"""A bag of hashed n-grams as one vector: the default encoder of text for small tables.

It is the weighted sum of n-gram embeddings (Joulin et al. 2016, arXiv:1607.01759), with TF-IDF weights from the modality.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from ..flow import Features, Field, Form, State
from ..language import Sentence
from .encoder import Encoder, EncoderConfig

SOME_ROWS = 10_000
"""Below this number of rows, a bag of n-grams has stronger dropout and a higher learning rate by default."""
MANY_ROWS = 1_000_000
"""From this number of rows, the default encoder for text is a transformer. Up to several hundred thousand rows, n-grams outperform networks
trained from scratch (Zhang et al. 2015, arXiv:1509.01626)."""

_MOST_DROPPED = 0.8
"""The maximum share of the n-grams of a text that are left out in a training step."""


class BagConfig(EncoderConfig):
    """The settings of a bag of n-gram embeddings."""

    form: ClassVar[Form] = "ngrams"
    kind: Literal["bag"] = "bag"
    buckets: int = Setting(32_768, ge=1, le=2**24)
    """The number of buckets that n-grams are hashed into. A bucket has an embedding if an n-gram of the training rows falls into it; the
    n-grams of other buckets add nothing to a text."""
    max_ngrams: int = Setting(2_048, ge=1, le=2**20)
    """The maximum number of n-grams kept of one text: those with the largest weights."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """The dropout rate of the sum of the embeddings."""
    kept_ngrams: int | None = Setting(None, ge=1)
    """The mean number of n-grams of a text that are kept in a training step, while the others are left out at random, at most four fifths
    (Iyyer et al. 2015, "Deep unordered composition rivals syntactic methods for text classification"). It hinders a network from
    recognising long training texts; shorter texts keep all n-grams. null = all are kept."""
    lr_scale: float = Setting(1.0, gt=0)
    """The factor on the learning rate of this encoder. Small tables may need a larger one, because each n-gram is rare."""

    @classmethod
    def usual(cls, rows: int) -> tuple[EncoderConfig, str] | None:
        """Return settings for a table, with stronger dropout and a higher learning rate if it is small; None from a million rows on."""
        if rows < SOME_ROWS:
            why = Sentence("encoder.bag_few", rows=rows)
            return cls(lr_scale=5.0, dropout=0.3, kept_ngrams=64), why
        if rows < MANY_ROWS:
            why = Sentence("encoder.bag_some", needed=MANY_ROWS, rows=rows)
            return cls(lr_scale=0.5), why
        return None

    def needs(self, form: Form) -> dict[str, Any]:
        """Return the number of buckets and the maximum number of n-grams of a text."""
        return {"buckets": self.buckets, "max_ngrams": self.max_ngrams}

    def build(self, width: int, state: State) -> Encoder:
        """Build the encoder for the state of a text field."""
        known = state.get("known")  # not in states of earlier versions, where every bucket has an embedding
        if known is None:
            return Bag(self, width, np.arange(1, self.buckets + 1))
        bits = np.unpackbits(np.frombuffer(base64.b64decode(known), np.uint8), count=self.buckets)
        return Bag(self, width, np.flatnonzero(bits) + 1)


class Bag(Encoder):
    """A bag of n-grams: ``ids`` and ``weights`` (U, L) -> one token for each text.

    :param known: the ids of the n-grams that have an embedding, ascending, from 1 to ``config.buckets``
    """

    halved = ("embed.weight",)
    place_I: Tensor
    """The position of the embedding of each id; 0 = it has none."""

    def __init__(self, config: BagConfig, width: int, known: np.ndarray) -> None:
        super().__init__()
        self.width = width
        self.lr_scale, self.kept_ngrams = config.lr_scale, config.kept_ngrams
        place_I = torch.zeros(config.buckets + 1, dtype=torch.int64)
        place_I[torch.from_numpy(known)] = torch.arange(1, len(known) + 1)
        self.register_buffer("place_I", place_I, persistent=False)
        self.embed = nn.EmbeddingBag(len(known) + 1, width, mode="sum", padding_idx=0)
        with torch.no_grad():
            self.embed.weight.mul_(0.1)
        self.drop = nn.Dropout(config.dropout)
        self.project = nn.Linear(width, width)

    def start_from(self, donor: Encoder) -> Mapping[str, Tensor]:
        """Return the tensors to start with; those of the embeddings are matched by n-gram, since each table of rows has its own."""
        tensors = dict(super().start_from(donor))
        tensors.pop("embed.weight", None)
        if isinstance(donor, Bag) and len(donor.place_I) == len(self.place_I) and donor.width == self.width:
            both_I = (self.place_I > 0) & (donor.place_I > 0)
            weight_ED = self.embed.weight.detach().clone()
            weight_ED[self.place_I[both_I]] = donor.embed.weight.detach()[donor.place_I[both_I]]
            tensors["embed.weight"] = weight_ED
        return tensors

    def forward(self, field: Field) -> Features:
        """Return the tokens (U, 1, width)."""
        ids, weights = field.values["ids"], field.values["weights"]
        if self.training and self.kept_ngrams is not None:
            dropped_U1 = (1 - self.kept_ngrams / (ids > 0).sum(1, keepdim=True).clamp(min=1)).clamp(0.0, _MOST_DROPPED)
            weights = weights * (torch.rand_like(weights) >= dropped_U1) / (1 - dropped_U1)
        bag = self.embed(self.place_I[ids], per_sample_weights=weights)
        return Features.vector(self.project(self.drop(bag)))
