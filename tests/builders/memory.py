"""A simulated machine with little memory."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import polymodal as pm


class SmallMemory:
    """A machine with room for ``rows`` rows at a time."""

    def __init__(self, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows, self.sizes = rows, []  # type: ignore[var-annotated]
        real = pm.MultiModalModel.forward

        def forward(model: Any, *fields: Any) -> Any:
            rows = len(fields[0].present_B)
            if rows > self.rows:
                raise (
                    torch.OutOfMemoryError("CUDA out of memory") if rows % 2 else RuntimeError("DefaultCPUAllocator: can't allocate memory")
                )
            self.sizes.append(rows)
            return real(model, *fields)

        monkeypatch.setattr(pm.MultiModalModel, "forward", forward)
