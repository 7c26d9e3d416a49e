"""The settings of a small run as plain data, which tests of configurations share."""

from __future__ import annotations

from typing import Any

TREE: dict[str, Any] = {
    "fields": {
        "photo": {"kind": "image", "column": "photo"},
        "title": {"kind": "text", "column": "title"},
        "specs": {"kind": "tabular", "columns": ["price", "brand"]},
    },
    "tasks": {"label": {"kind": "multiclass", "column": "label"}},
}
"""The settings of a run on a picture, a text, columns and a class."""
