"""A row of a product of matrices has the same bits at every place of a block. In the default mode of MKL, they depend on its alignment."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from polymodal.inference import BLOCK


def products(outputs: int, inputs: int, rows: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """Products of equal rows, or of equal matrices, by kind."""
    generator = torch.Generator().manual_seed(outputs * inputs)
    row_1K, left_1NK, right_1KN, weight_NK = (
        torch.randn(shape, dtype=dtype, generator=generator)
        for shape in ((1, inputs), (1, outputs, inputs), (1, inputs, outputs), (outputs, inputs))
    )
    x = row_1K.repeat(rows, 1)
    return {
        "linear": nn.functional.linear(x, weight_NK, weight_NK[:, 0]),
        "matmul": x @ right_1KN[0],
        "bmm": torch.bmm(left_1NK.repeat(rows, 1, 1), right_1KN.repeat(rows, 1, 1)),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_has_the_same_bits_at_every_place_of_a_block(dtype: torch.dtype) -> None:
    for outputs in (2, 3, 5, 8, 11, 13, 17, 33, 64):
        for inputs in (5, 8, 9, 10, 15, 17, 33, 64, 129, 257):
            for rows in (BLOCK, 3 * BLOCK, 10 * BLOCK):
                for kind, made in products(outputs, inputs, rows, dtype).items():
                    assert torch.equal(made, made[:1].expand_as(made)), (kind, outputs, inputs, rows)


@pytest.mark.parametrize(("given", "expected"), [(None, "AUTO,STRICT"), ("COMPATIBLE", "COMPATIBLE")])
def test_the_mode_of_mkl_is_set_unless_it_is_given(given: str | None, expected: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "MKL_CBWR"} | ({"MKL_CBWR": given} if given else {})
    code = "import os, sys, polymodal; print(os.environ['MKL_CBWR'], 'torch' in sys.modules)"
    made = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert made.stdout.split() == [expected, "False"]
