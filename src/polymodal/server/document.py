"""The OpenAPI document of the server: errors, the names of the models, and the tensors of the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from .models import Models
from .tensors import DTYPES, MOST_RANK, MOST_SIZE

_ERROR = {"type": "object", "properties": {"error": {"type": "string", "description": "What was found and what was expected."}},
          "required": ["error"]}  # fmt: skip
_ERRORS = {"description": "An error: 4xx for a request that cannot be answered, 503 where too many wait.",
           "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}  # fmt: skip


def describe(app: FastAPI, models: Models) -> None:
    """Let an application describe its routes with the models that it has."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, routes=app.routes)
            for operations in made["paths"].values():
                for operation in operations.values():
                    _complete(operation, list(models.by_name))
            made["components"] = {"schemas": {"Error": _ERROR}}
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _complete(operation: dict[str, Any], names: Sequence[str]) -> None:
    """Add the errors and the names of the models to the description of a route."""
    responses = operation["responses"]
    if "422" in responses and "HTTPValidationError" in str(responses["422"]):  # that of FastAPI, which checks nothing here
        del responses["422"]
    for status in [status for status in responses if status >= "400"]:
        responses[status].setdefault("content", _ERRORS["content"])
    responses["default"] = _ERRORS
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = {"type": "string", **({"enum": list(names)} if parameter["name"] == "name" else {})}


def inference_schema(models: Models) -> dict[str, Any]:
    """Return the description of the body of a request of the Open Inference Protocol."""
    columns = list(dict.fromkeys(name for served in models.by_name.values() for name in served.loaded.columns))
    parameters = {"type": ["object", "null"], "properties": {
        "binary_data_size": {"type": ["integer", "null"], "minimum": 0}, "mask": {"type": ["array", "null"], "items": {"type": "boolean"}},
    }}  # fmt: skip
    tensor = {"type": "object", "required": ["name", "shape", "datatype"], "properties": {
        "name": {"enum": columns}, "datatype": {"enum": ["BYTES", *DTYPES]}, "data": {"type": "array"}, "parameters": parameters,
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": MOST_SIZE}, "minItems": 1, "maxItems": MOST_RANK},
    }}  # fmt: skip
    output = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string"}, "parameters": {"type": ["object", "null"]}},
    }
    options = {"type": ["object", "null"], "properties": {
        "coverage": {"type": ["number", "null"], "exclusiveMinimum": 0, "exclusiveMaximum": 1}, "binary_data_output": {"type": "boolean"},
    }}  # fmt: skip
    schema = {"type": "object", "required": ["inputs"], "properties": {
        "id": {"type": "string"}, "parameters": options, "inputs": {"type": "array", "items": tensor, "minItems": 1},
        "outputs": {"type": ["array", "null"], "items": output},
    }}  # fmt: skip
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def inference_responses() -> dict[int | str, dict[str, Any]]:
    """Return the description of the answers of the Open Inference Protocol."""
    output = {"type": "object", "required": ["name", "shape", "datatype"], "properties": {
        "name": {"type": "string"}, "shape": {"type": "array", "items": {"type": "integer"}}, "datatype": {"type": "string"},
        "data": {"type": "array"}, "parameters": {"type": "object"},
    }}  # fmt: skip
    schema = {"type": "object", "required": ["model_name", "model_version", "outputs"], "properties": {
        "model_name": {"type": "string"}, "model_version": {"type": "string"}, "id": {"type": "string"},
        "outputs": {"type": "array", "items": output},
    }}  # fmt: skip
    content = {"application/json": {"schema": schema}, "application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"content": content}}
