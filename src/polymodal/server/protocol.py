"""The Open Inference Protocol, version 2, over HTTP, with its extension for binary tensors.

A column is an input: a number as a tensor of a numeric type, everything else as ``BYTES``. The shape is [N] or [N, 1] for N rows; a series
is [N, T] or [N, T, channels]. The content of a file is raw bytes in a binary tensor, and base64 or a data URI in JSON. A value is missing
where the input is left out, where a number is NaN, where bytes are empty, and where ``parameters.mask`` of the input, a list of N booleans,
is false. The outputs are the columns of ``polymodal predict``; a list is the JSON text of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response

from .. import __version__
from ..errors import nearest
from ..outputs import PredictionTable
from . import cells
from .answering import predicted
from .beside import LARGE, MANY, beside
from .document import inference_responses, inference_schema
from .limits import Limits, RequestError
from .models import Answered, Loaded, Models, Served
from .schema import Column
from .tensors import EMBEDDING, input_of, mapping, output_of

_OUTPUTS = {"int64": "INT64", "double": "FP64", "bool": "BOOL", "string": "BYTES"}
_HEADER = "inference-header-content-length"


def add_routes(app: FastAPI, models: Models) -> None:
    """Add the routes of the protocol, except those of the health of the server, which ``app.py`` adds."""

    @app.get("/v2", summary="The server (Open Inference Protocol)")
    @app.get("/v2/", include_in_schema=False)
    async def server() -> dict[str, Any]:
        return {"name": "polymodal", "version": __version__, "extensions": ["binary_tensor_data"]}

    for path in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):

        @app.get(path, summary="The inputs and outputs of a model (Open Inference Protocol)", name=f"metadata {path}")
        async def metadata(name: str, version: str | None = None) -> dict[str, Any]:
            return _metadata(_of(models, name, version))

        @app.get(f"{path}/ready", summary="Whether a model is loaded (Open Inference Protocol)", name=f"ready {path}")
        async def model_ready(name: str, version: str | None = None) -> dict[str, Any]:
            models.check_ready()
            return {"name": _of(models, name, version).name, "ready": True}

        @app.post(
            f"{path}/infer", summary="Predict rows (Open Inference Protocol)", name=f"infer {path}",
            openapi_extra=inference_schema(models), responses=inference_responses(),
        )  # fmt: skip
        async def infer(name: str, request: Request, version: str | None = None) -> Response:
            try:
                return await _infer(_of(models, name, version), models.limits, request)
            except RequestError as error:
                raise RequestError(
                    400 if error.status == 422 else error.status, error.text, error.retry_after
                ) from None  # the protocol has 400


def _of(models: Models, name: str, version: str | None) -> Served:
    """Return a model of this name and, if it is stated, this version.

    :raises RequestError: there is none (404)
    """
    served = models.of(name)
    if version is not None and version not in (served.loaded.version, "1"):
        raise RequestError(404, f"model {name[:80]!r} has no version {version[:80]!r}; it has {served.loaded.version!r}")
    return served


def _metadata(served: Served) -> dict[str, Any]:
    """Return the metadata of a model."""
    loaded = served.loaded
    inputs = [{"name": one.name, "datatype": "FP64" if one.kind in ("number", "numbers") else "BYTES",
               "shape": [-1, -1] if one.kind == "numbers" else [-1]} for one in loaded.columns.values()]  # fmt: skip
    outputs = [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in _outputs(loaded, None).items()]
    return {"name": served.name, "versions": [loaded.version], "platform": "polymodal", "inputs": inputs,
            "outputs": [*outputs, {"name": EMBEDDING, "datatype": "FP32", "shape": [-1, -1]}]}  # fmt: skip


def _outputs(loaded: Loaded, coverage: float | None) -> dict[str, str]:
    """Return the datatype of each output, by name."""
    columns = list(PredictionTable(loaded.predictor, coverage=coverage).columns.items())
    return {name: _OUTPUTS.get(kind, "BYTES") for name, kind in columns[1:-1]}  # without the number of the row, and without faults


@dataclass(frozen=True)
class _Request:
    """A request for inference.

    :param outputs: the requested outputs, each with whether it is binary
    :param datatypes: the datatype of each output that there is
    """

    rows: list[cells.Row]
    id: str | None
    coverage: float | None
    outputs: Mapping[str, bool]
    datatypes: Mapping[str, str]


async def _infer(served: Served, limits: Limits, request: Request) -> Response:
    """Answer a request for inference."""
    body = await request.body()
    loaded = served.loaded  # a bundle may have been replaced while the body arrived
    wanted = await beside(len(body) > LARGE, _request_of, body, request.headers.get(_HEADER), loaded, limits)
    answered = await predicted(served, loaded, wanted.rows, request, wanted.coverage, EMBEDDING in wanted.outputs)
    return await beside(len(answered) > MANY, _response, served, loaded, wanted, answered)


def _request_of(body: bytes, length: str | None, loaded: Loaded, limits: Limits) -> _Request:
    """Return the request in a body.

    :param length: the header that states the length of its JSON part
    :raises RequestError: it does not fit the protocol or the model
    """
    head, tail = _divided(body, length)
    value = cells.parsed(head, limits)
    if not isinstance(value, dict):
        raise RequestError(400, "expected a JSON object with inputs")
    parameters = mapping(value, "parameters")
    coverage = parameters.get("coverage")
    cells.check_coverage(coverage)
    loaded.check(coverage)
    datatypes = _outputs(loaded, coverage) | {EMBEDDING: "FP32"}
    whole = parameters.get("binary_data_output") is True
    outputs = _wanted(value, whole)
    if outputs is None:
        outputs = {name: whole for name in datatypes if name != EMBEDDING}
    for name in outputs:
        if name not in datatypes:
            raise RequestError(
                422, f"outputs: no output {name[:80]!r}{nearest(name[:80], list(datatypes))}; expected {', '.join(datatypes)}"
            )
    rows = _rows(value, tail, loaded.columns, limits)
    if not isinstance(value.get("id", ""), str):
        raise RequestError(400, f"id: found {str(value['id'])[:40]}; expected a string")
    return _Request(rows, value.get("id"), coverage, outputs, datatypes)


def _response(served: Served, loaded: Loaded, wanted: _Request, answered: Sequence[Answered]) -> Response:
    """Return the response with the outputs.

    :raises RequestError: a cell could not be read (422)
    """
    faults = [f"row {at}, {one.faults}" for at, one in enumerate(answered, 1) if one.faults]
    if faults:
        raise RequestError(422, "; ".join(faults[:5]))
    parts = [output_of(name, wanted.datatypes[name], answered, is_binary) for name, is_binary in wanted.outputs.items()]
    result: dict[str, Any] = {"model_name": served.name, "model_version": loaded.version, "outputs": [output for output, _ in parts]}
    if wanted.id is not None:
        result["id"] = wanted.id
    body = json.dumps(result).encode()
    if not any(wanted.outputs.values()):
        return Response(body, media_type="application/json")
    headers = {"Inference-Header-Content-Length": str(len(body))}
    return Response(body + b"".join(blob for _, blob in parts), headers=headers, media_type="application/octet-stream")


def _divided(body: bytes, length: str | None) -> tuple[bytes, memoryview]:
    """Return the JSON part of a body and its binary part.

    :raises RequestError: the header states a length that the body does not have (400)
    """
    if length is None:
        return body, memoryview(b"")
    if not length.isascii() or not length.isdigit() or len(length) > 19 or int(length) > len(body):
        raise RequestError(
            400, f"Inference-Header-Content-Length: found {length[:40]!r}; expected at most the {len(body):,} bytes of the body"
        )
    return body[: int(length)], memoryview(body)[int(length) :]


def _wanted(value: Mapping[str, Any], whole: bool) -> dict[str, bool] | None:
    """Return the requested outputs, each with whether it is binary; None = all.

    :param whole: whether outputs are binary that do not state it
    :raises RequestError: they are not stated as the protocol requires (400, 422)
    """
    outputs = value.get("outputs")
    if outputs is None or outputs == []:
        return None
    if not isinstance(outputs, list) or not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in outputs):
        raise RequestError(400, "outputs: expected a list of objects with a name")
    wanted: dict[str, bool] = {}
    for one in outputs:
        parameters = mapping(one, "parameters")
        if one["name"] in wanted or "classification" in parameters:
            reason = "given twice" if one["name"] in wanted else "classification is not supported; the outputs have the classes"
            raise RequestError(422, f"output {one['name'][:80]!r}: {reason}")
        wanted[one["name"]] = parameters.get("binary_data", whole) is True
    return wanted


def _rows(value: Mapping[str, Any], tail: memoryview, columns: Mapping[str, Column], limits: Limits) -> list[cells.Row]:
    """Return the rows of the inputs.

    :raises RequestError: an input does not fit the protocol or the model (400, 422)
    """
    inputs = value.get("inputs")
    if not isinstance(inputs, list) or not inputs or not all(isinstance(one, dict) for one in inputs):
        raise RequestError(400, "inputs: expected a list of objects with name, shape, datatype and data")
    by_name: dict[str, list[Any]] = {}
    for one in inputs:
        name = one.get("name")
        if not isinstance(name, str) or name not in columns:
            hint = nearest(name[:80], list(columns)) if isinstance(name, str) else ""
            raise RequestError(422, f"inputs: no column {str(name)[:80]!r}{hint}; expected {', '.join(map(repr, columns))}")
        if name in by_name:
            raise RequestError(422, f"input {name!r}: given twice")
        by_name[name], tail = input_of(one, columns[name], tail, limits)
    if len(tail):
        raise RequestError(400, f"{len(tail):,} bytes follow the last binary tensor")
    counts = {name: len(values) for name, values in by_name.items()}
    if len(set(counts.values())) > 1:
        raise RequestError(422, f"inputs of different numbers of rows: {', '.join(f'{name} {count}' for name, count in counts.items())}")
    count = next(iter(counts.values()))
    return [{name: by_name[name][at] if name in by_name else None for name in columns} for at in range(count)]
