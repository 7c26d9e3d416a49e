"""Modules that compute in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class InDoubles(nn.Module):
    """A module that computes in float64. It stays on the CPU when a model is moved to MPS, which has no float64."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        return self if fn(torch.empty(0)).device.type == "mps" else super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
