"""The bag of n-grams: long texts lose n-grams at random in training, and n-grams that no training text has add nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from builders.texts import fitted
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


def _field(text: Any, cells: list[str]) -> Field:
    samples = [text.read(cell) for cell in cells]
    return Field(text.collate(samples, (64,)), torch.ones(len(cells), dtype=torch.bool))


def _known(text: Any) -> list[int]:
    return sorted({int(at) for cell in ("red apple", "green river") for at in text.read(cell)["ids"]})


def test_an_ngram_that_no_training_text_has_adds_nothing() -> None:
    text = fitted({"buckets": 4096, "max_ngrams": 64}, ["red apple", "green river"])
    torch.manual_seed(0)
    config = BagConfig(buckets=4096)
    bag: Any = config.build(8, text.state).eval()
    assert len(bag.embed.weight) == 1 + len(_known(text))
    assert np.flatnonzero(bag.place_I.numpy()).tolist() == _known(text)
    with torch.no_grad():
        known, unknown, none = bag(_field(text, ["red apple", "xyz", ""])).tokens_BLD[:, 0]
        torch.testing.assert_close(unknown, bag.project.bias, rtol=0, atol=0)
        torch.testing.assert_close(none, bag.project.bias, rtol=0, atol=0)
        assert (known - bag.project.bias).abs().max() > 1e-3
    # The same embeddings in a table of all buckets, as earlier versions have, give the same features of known texts.
    whole: Any = config.build(8, {name: value for name, value in text.state.items() if name != "known"}).eval()
    assert len(whole.embed.weight) == 4097
    whole.load_state_dict({**whole.state_dict(), **{f"project.{name}": value for name, value in bag.project.state_dict().items()}})
    with torch.no_grad():
        whole.embed.weight[_known(text)] = bag.embed.weight[1:]
        field = _field(text, ["red apple", "green river"])
        torch.testing.assert_close(whole(field).tokens_BLD, bag(field).tokens_BLD, rtol=0, atol=0)


def test_a_table_that_is_not_one_bit_for_each_bucket_is_refused() -> None:
    text = fitted({"buckets": 4096, "max_ngrams": 64}, ["red apple"])
    text.check()
    for known in ("", "AAAA", text.state["known"] + "AAAA", "?"):
        with pytest.raises(ValueError):
            type(text)(text.config, {**text.state, "known": known}, text.roots).check()


def test_a_warm_start_matches_embeddings_by_ngram() -> None:
    first = fitted({"buckets": 4096, "max_ngrams": 64}, ["red apple", "green river"])
    second = fitted({"buckets": 4096, "max_ngrams": 64}, ["green apple", "stone"])
    torch.manual_seed(0)
    donor: Any = BagConfig(buckets=4096).build(8, first.state).eval()
    bag: Any = BagConfig(buckets=4096).build(8, second.state).eval()
    before = bag.embed.weight.detach().clone()
    tensors = bag.start_from(donor)
    assert set(tensors) == {"embed.weight", "project.weight", "project.bias"}
    bag.load_state_dict(tensors)
    for at in range(1, 4097):
        own = int(bag.place_I[at])
        if own:
            other = int(donor.place_I[at])
            assert torch.equal(bag.embed.weight[own], donor.embed.weight[other] if other else before[own])
    assert any(bag.place_I[at] and donor.place_I[at] for at in range(4097))
    fewer: Any = BagConfig(buckets=64).build(8, fitted({"buckets": 64, "max_ngrams": 64}, ["stone"]).state)
    assert set(fewer.start_from(donor)) == {"project.weight", "project.bias"}


def _seen_by(bag: Encoder, field: Field) -> torch.Tensor:
    """Return the weights of the n-grams that a forward pass in training sums."""
    seen: list[torch.Tensor] = []
    embed: Any = bag.embed
    handle = embed.register_forward_pre_hook(lambda _, __, named: seen.append(named["per_sample_weights"]), with_kwargs=True)
    bag(field)
    handle.remove()
    return seen[0]
