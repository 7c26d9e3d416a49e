"""What a model reads and answers, as plain data: for OpenAPI, for the metadata of the Open Inference Protocol, and for pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..outputs import PredictionTable
from ..predictor import Predictor

CellKind = Literal["content", "numbers", "text", "number", "category", "date"]
"""content = that of a file; numbers = a list of numbers, such as a series."""


@dataclass(frozen=True)
class Column:
    """A column that a model reads.

    :param fields: the fields that read it, with the kind of each
    :param media: the media type of the files that it contains (``Modality.media``)
    :param several: whether a cell may contain several files
    :param values: the values that training saw, if it is a category
    """

    name: str
    kind: CellKind
    fields: Mapping[str, str]
    media: str = ""
    several: bool = False
    values: tuple[str, ...] = ()


def columns_of(predictor: Predictor) -> list[Column]:
    """Return the columns that a model reads, in the order of its fields."""
    experiment, states = predictor.bundle.experiment, predictor.bundle.states
    fields: dict[str, dict[str, str]] = {name: {} for name in experiment.columns()}
    sent: dict[str, set[str]] = {name: set() for name in fields}
    media: dict[str, str] = {}
    several: set[str] = set()
    types: dict[str, Mapping[str, Any]] = {}
    for field, config in experiment.fields.items():
        modality = config.modality()
        for column in config.sources:
            fields[column][field] = config.kind
            sent[column].add(modality.sent_as)
            media[column] = modality.media or media.get(column, "")
            several |= {column} if modality.several else set()
        types |= {facts["name"]: facts for facts in states[field].get("columns", ()) if isinstance(facts, Mapping)}
    columns = []
    for name, kinds in fields.items():
        kind, values = _kind(sent[name], types.get(name))
        columns.append(Column(name, kind, kinds, media[name], name in several, values))
    return columns


def _kind(sent: set[str], facts: Mapping[str, Any] | None) -> tuple[CellKind, tuple[str, ...]]:
    """Return the most specific kind of a column, which may be read as a text and as a category, and its values if it is a category.

    :param sent: how its fields expect a cell (``Modality.sent_as``)
    :param facts: the facts of a column of numbers, dates or categories
    """
    values = tuple(facts["values"]) if facts is not None and facts["type"] == "category" else ()
    kind: CellKind = next((one for one in ("content", "numbers", "text") if one in sent), facts["type"] if facts is not None else "text")
    return kind, values


def row_schema(columns: list[Column]) -> dict[str, Any]:
    """Return the JSON schema of a row, with an example."""
    properties = {column.name: _cell_schema(column) for column in columns}
    example = {column.name: _example(column) for column in columns}
    return {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1, "examples": [example]}


def _cell_schema(column: Column) -> dict[str, Any]:
    """Return the JSON schema of a cell; every cell may be missing."""
    text = ", ".join(f"{field} ({kind})" for field, kind in column.fields.items())
    if column.kind == "content":
        content = {"type": "object", "properties": {"b64": {"type": "string", "contentEncoding": "base64"}}, "required": ["b64"],
                   "additionalProperties": False}  # fmt: skip
        uri = {"type": "string", "description": "data:TYPE;base64,CONTENT"}
        return {"description": f"The content of a file. Read by {text}.", "anyOf": [content, uri, {"type": "array"}, {"type": "null"}]}
    if column.kind == "numbers":
        return {"description": f"Numbers, or the content of a file. Read by {text}."}
    scalar = {"type": ["string", "number", "boolean", "null"]}
    if column.kind == "category":
        return {"description": f"A category; others count as unknown. Read by {text}.", **scalar, "examples": list(column.values[:20])}
    return {"description": f"{'A number. ' if column.kind == 'number' else ''}Read by {text}.", **scalar}


_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""The content of a PNG file of one pixel as base64: the example of a cell that is a picture."""


def _example(column: Column) -> Any:
    """Return an example of a cell that can be predicted."""
    if column.kind == "content":
        return {"b64": _PIXEL} if column.media.startswith("image/") else None
    if column.kind == "category":
        return column.values[0] if column.values else "a"
    return {"number": 1.5, "date": "2024-05-01", "text": "a text", "numbers": None}[column.kind]


def answer_schema(table: PredictionTable) -> dict[str, Any]:
    """Return the JSON schema of the answer to a row, with the names of the classes."""
    types = {"int64": "integer", "double": "number", "bool": "boolean", "string": "string"}
    properties: dict[str, Any] = {}
    for name, kind in table.columns.items():
        inner = types[kind.removeprefix("list ")]
        properties[name] = {"type": "array", "items": {"type": inner}} if kind.startswith("list ") else {"type": [inner, "null"]}
    for task in table.predictor.bundle.tasks.values():
        if task.classes is not None and properties[task.config.column].get("type") == ["string", "null"]:
            properties[task.config.column] = {"enum": [*task.classes, None]}
    return {"type": "object", "properties": properties}
