"""Texts encoded in groups of similar length: the features, gradients and groups."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from polymodal.encoders import TextTransformerConfig
from polymodal.flow import Features, Field
from polymodal.layers.lengths import by_length


def ids_of(lengths: list[int], width: int) -> Tensor:
    rng = np.random.default_rng(0)
    ids_UL = np.zeros((len(lengths), width), np.int64)
    for at, length in enumerate(lengths):
        ids_UL[at, :length] = rng.integers(1, 40, length)
    return torch.from_numpy(ids_UL)


def field_of(ids_UL: Tensor) -> Field:
    return Field({"ids": ids_UL}, torch.ones(len(ids_UL), dtype=torch.bool))


LENGTHS = {
    "mixed": [3, 60, 17, 4, 5, 64, 33, 2, 1, 62, 9, 8, 7, 30, 12, 64],
    "equal": [9] * 7,
    "one": [5],
    "empty texts": [0, 0, 3, 0, 12, 1],
    "one that is long": [64, *[2] * 20],
}


@pytest.mark.parametrize("name", LENGTHS)
def test_groups_change_neither_features_nor_gradients(name: str) -> None:
    torch.manual_seed(0)
    config = TextTransformerConfig(vocabulary=300, max_tokens=64, hidden=16, heads=2, dropout=0.0)
    encoder = config.build(8, {"vocabulary": 50, "max_tokens": 64, "form": "tokens"})
    field = field_of(ids_of(LENGTHS[name], 64))
    encoder.eval()
    together = encoder(field)
    weight_UL = torch.rand(together.mask_BL.shape).unsqueeze(-1) * together.mask_BL.unsqueeze(-1)
    (together.tokens_BLD * weight_UL).square().sum().backward()
    expected = {key: value.grad.clone() for key, value in encoder.named_parameters() if value.grad is not None}
    encoder.zero_grad()
    encoder.train()
    apart = encoder(field)
    length = apart.mask_BL.shape[1]
    assert length == max(1, *LENGTHS[name])
    assert torch.equal(apart.mask_BL, together.mask_BL[:, :length])
    real = apart.mask_BL.unsqueeze(-1)
    torch.testing.assert_close(apart.tokens_BLD * real, together.tokens_BLD[:, :length] * real)
    (apart.tokens_BLD * weight_UL[:, :length]).square().sum().backward()
    for key, value in encoder.named_parameters():
        if key in expected:
            torch.testing.assert_close(value.grad, expected[key], rtol=1e-4, atol=1e-5)


def test_a_group_is_padded_to_its_longest_text_and_has_four_texts() -> None:
    seen: list[list[int]] = []

    def encode(values: Mapping[str, Tensor]) -> Features:
        seen.append(list(values["ids"].shape))
        assert values["weights"].shape == values["ids"].shape
        assert len(values["other"]) == len(values["ids"])
        return Features.vector(values["ids"].float().sum(1, keepdim=True) + values["other"].unsqueeze(1))

    ids_UL = ids_of(LENGTHS["mixed"], 64)
    other_U = torch.arange(16.0)
    result = by_length(encode, {"ids": ids_UL, "weights": ids_UL.float(), "other": other_U})
    assert seen == [[4, 64], [4, 33], [4, 9], [4, 4]]
    assert torch.equal(result.tokens_BLD[:, 0, 0], ids_UL.sum(1) + other_U), "each text has its own result"


def test_prediction_is_not_grouped() -> None:
    config = TextTransformerConfig(vocabulary=300, max_tokens=64, hidden=16, heads=2)
    encoder = config.build(8, {"vocabulary": 50, "max_tokens": 64, "form": "tokens"}).eval()
    assert encoder(field_of(ids_of([3, 4, 5, 6], 64))).mask_BL.shape == (4, 64), "the shape does not depend on the other texts"
