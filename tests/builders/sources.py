"""The cells of a source."""

from __future__ import annotations

from typing import Any

from polymodal.data.sources import Source


def cells(source: Source, columns: list[str] | None = None) -> list[tuple[Any, ...]]:
    columns = columns or source.columns
    return [row for part in source.slices(columns) for row in zip(*(part[name] for name in columns), strict=True)]
