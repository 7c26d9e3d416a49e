"""The result of inspecting a list of cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polymodal as pm


def kind_of(cells: list[Any], root: Path, options: dict[str, str] | None = None) -> str | None:
    rows = [{"it": cell, "y": at % 2} for at, cell in enumerate(cells)]
    profile = pm.inspect(rows, target="y", root=[root], columns=options)
    return next(column for column in profile.columns if column.name == "it").modality
