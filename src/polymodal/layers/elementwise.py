"""Functions of single elements whose value does not depend on where an element stands in a tensor."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_VECTOR = 64
"""A multiple of the elements that a processor handles at a time."""
_PART = 16_384
"""Elements of a part. torch splits larger tensors between threads."""


def sigmoid(values: Tensor) -> Tensor:
    """The sigmoid of each element.

    torch computes elements in vectors, and by another formula those at the end of a tensor that fill no vector. On processors with AVX-512
    the two differ in the last bit, so that the answer for a row would depend on the number of rows. Here the end is filled up.
    """
    flat = values.flatten()
    filled = functional.pad(flat, (0, -len(flat) % _VECTOR))
    return torch.cat([part.sigmoid() for part in filled.split(_PART)])[: len(flat)].view_as(values) if len(flat) else values.sigmoid()
