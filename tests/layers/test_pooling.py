"""Tests of the pooling of tokens."""

from __future__ import annotations

import torch

from polymodal.flow import Features
from polymodal.layers.pooling import mean_pool


def test_one_token_is_pooled_to_the_bits_of_one_token_among_masked_ones() -> None:
    torch.manual_seed(0)
    tokens_BLD, mask_BL = torch.randn(9, 1, 5), torch.tensor([True, False, True] * 3).unsqueeze(1)
    tokens_BLD[1] = float("nan")  # the value of a masked token is arbitrary
    masked = Features(torch.cat([tokens_BLD, torch.full((9, 1, 5), float("nan"))], 1), torch.cat([mask_BL, torch.zeros_like(mask_BL)], 1))
    pooled_BD = mean_pool(Features(tokens_BLD, mask_BL))
    assert torch.equal(pooled_BD, mean_pool(masked))
    assert torch.equal(pooled_BD[1], torch.zeros(5))
    assert torch.equal(pooled_BD[0], tokens_BLD[0, 0])


def test_the_gradient_of_a_masked_token_is_zero() -> None:
    tokens_BLD = torch.ones(2, 1, 3, requires_grad=True)
    mean_pool(Features(tokens_BLD, torch.tensor([[True], [False]]))).sum().backward()
    assert tokens_BLD.grad is not None
    assert tokens_BLD.grad.tolist() == [[[1.0] * 3], [[0.0] * 3]]


def test_the_mean_is_over_real_tokens() -> None:
    tokens_BLD = torch.tensor([[[1.0], [3.0], [100.0]], [[5.0], [7.0], [9.0]]])
    assert mean_pool(Features(tokens_BLD, torch.tensor([[True, True, False], [True, True, True]]))).tolist() == [[2.0], [7.0]]
