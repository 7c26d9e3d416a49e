"""Tests of the shape checks: what a name states, and which packages of models every test checks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from builders.shapes import ShapeError, check, function
from polymodal.flow import Features
from polymodal.layers.pooling import mean_pool


@function
def _sum(left_BD: Tensor, right_BD: Tensor) -> Tensor:
    check("left_BD", left_BD)
    check("right_BD", right_BD)
    return left_BD + right_BD


def test_a_dimension_has_one_size_in_a_call_and_any_in_the_next() -> None:
    assert _sum(torch.ones(2, 3), torch.ones(2, 3)).shape == (2, 3)
    assert _sum(torch.ones(5, 1), torch.ones(5, 1)).shape == (5, 1)
    with pytest.raises(ShapeError, match=r"right_BD: shape \(1, 3\); expected the dimensions B, D"):
        _sum(torch.ones(2, 3), torch.ones(1, 3))


@pytest.mark.parametrize("value", [torch.ones(2), torch.ones(2, 3, 4), np.ones((1, 2, 3))], ids=["1", "3", "array"])
def test_a_tensor_has_as_many_dimensions_as_its_name(value: object) -> None:
    with pytest.raises(ShapeError, match="values_BD"):
        check("values_BD", value)


def test_a_one_is_a_size_and_other_values_are_not_checked() -> None:
    check("values_B1", torch.ones(7, 1))
    check("values_BD", [1, 2, 3])
    check("values", torch.ones(7))
    with pytest.raises(ShapeError, match="values_B1"):
        check("values_B1", torch.ones(7, 2))


def test_arguments_and_results_are_checked_against_their_annotations() -> None:
    @function
    def wrong(value: int) -> Tensor:
        return value  # type: ignore[return-value]

    with pytest.raises(TypeError, match="int"):
        wrong(3)


def test_layers_are_checked() -> None:
    features = Features(torch.ones(2, 3, 4), torch.ones(2, 3, dtype=torch.bool))
    assert mean_pool(features).shape == (2, 4)
    with pytest.raises(TypeError):
        mean_pool(torch.ones(2, 3, 4))  # type: ignore[arg-type]
