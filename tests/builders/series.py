"""Tables of waves."""

from __future__ import annotations

import json
from typing import Any

import numpy as np


def table_of(rows: int, seed: int, as_text: bool = False) -> list[dict[str, Any]]:
    """A wave of one of three shapes, of any phase, size and length."""
    rng = np.random.default_rng(seed)
    made = []
    for at in range(rows):
        kind = ["sine", "saw", "square"][at % 3]
        steps = int(rng.integers(40, 120))
        phase = (np.arange(steps) / rng.uniform(12, 24) + rng.uniform(0, 1)) % 1
        wave = {"sine": np.sin(2 * np.pi * phase), "saw": 2 * phase - 1, "square": np.sign(phase - 0.5)}[kind]
        values = (rng.uniform(0.5, 3) * wave + rng.normal(0, 0.2, steps) + rng.normal()).round(4).tolist()
        made.append({"signal": json.dumps(values) if as_text else values, "kind": kind})
    return made
