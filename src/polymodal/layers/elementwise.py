"""Elementwise functions whose values do not depend on the position of an element in the tensor."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_VECTOR = 64
"""A multiple of the number of elements in a vector register."""
_PART = 16_384
"""The number of elements of a part. torch distributes larger tensors over threads."""


def sigmoid(values: Tensor) -> Tensor:
    """Return the sigmoid of each element, in the shape of ``values``.

    torch computes elements in vectors, and uses another formula for the last elements that do not fill a vector. On processors with AVX-512
    the two differ in the last bit, so that the prediction for a row would depend on the number of rows. This function pads the tensor to
    whole vectors. In an exported program (``exporting/program.py``), it is the sigmoid of the format.
    """
    if torch.compiler.is_compiling():
        return values.sigmoid()
    flat = values.flatten()
    filled = functional.pad(flat, (0, -len(flat) % _VECTOR))
    return torch.cat([part.sigmoid() for part in filled.split(_PART)])[: len(flat)].view_as(values) if len(flat) else values.sigmoid()
