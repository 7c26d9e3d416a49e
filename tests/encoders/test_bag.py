"""The bag of n-grams: long texts lose n-grams at random in training, short ones and predictions keep all."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from polymodal.encoders.bag import BagConfig
from polymodal.encoders.encoder import Encoder
from polymodal.flow import Field


def test_of_a_long_text_some_ngrams_are_kept_in_training() -> None:
    torch.manual_seed(0)
    bag = BagConfig(buckets=64, kept_ngrams=16, dropout=0.0).build(4, {"buckets": 64})
    ids = torch.zeros(3, 200, dtype=torch.int64)
    ids[0, :10], ids[1, :32], ids[2] = 1, torch.arange(1, 33), 1
    weights = (ids > 0) / (ids > 0).sum(1, keepdim=True) ** 0.5
    field = Field({"ids": ids, "weights": weights}, torch.ones(3, dtype=torch.bool))
    with torch.no_grad():
        whole = bag.eval()(field).tokens_BLD[:, 0]
        bag.train()
        several = torch.stack([bag(field).tokens_BLD[:, 0] for _ in range(600)])
    torch.testing.assert_close(several[:, 0], whole[:1].expand(600, -1))  # at most 16 n-grams: all are kept
    assert several[:, 1].std(0).min() > 0
    torch.testing.assert_close(several.mean(0), whole, atol=0.15, rtol=0.0)  # the expected sum is that of all n-grams
    # Of 200 n-grams, 40 are kept, a fifth: the largest share that is left out is four fifths.
    with torch.no_grad():
        embed: Any = bag.embed
        embed.weight[1] = 1.0
        kept = torch.stack([embed(ids[2:], per_sample_weights=_seen_by(bag, field)[2:])[0, 0] for _ in range(200)])
    assert float((kept * 200**0.5 / 5).mean()) == pytest.approx(40, abs=2)


def _seen_by(bag: Encoder, field: Field) -> torch.Tensor:
    """Return the weights of the n-grams that a forward pass in training sums."""
    seen: list[torch.Tensor] = []
    embed: Any = bag.embed
    handle = embed.register_forward_pre_hook(lambda _, __, named: seen.append(named["per_sample_weights"]), with_kwargs=True)
    bag(field)
    handle.remove()
    return seen[0]
