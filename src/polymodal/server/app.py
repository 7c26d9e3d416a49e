"""The application: its routes, and the documents that describe them.

``/predict``, ``/embed`` and ``/explain`` answer rows; ``/models/NAME/predict`` and so on choose a model. ``protocol.py`` adds the routes of
the Open Inference Protocol, ``tables.py`` that for whole tables, and ``page.py`` the page for people.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from .. import __version__
from ..errors import without_warnings
from ..outputs import PredictionTable
from ..training.observers import plain
from . import cells, page, protocol, tables
from .answering import joined, predicted
from .beside import LARGE, MANY, beside
from .document import describe
from .forms import form_of, is_form
from .guard import Guard, error_body
from .limits import RequestError
from .meters import Meters
from .models import Answered, Loaded, Models, Served
from .schema import answer_schema, row_schema


def make_app(models: Models, token: str | None = None, hosts: frozenset[str] | None = None) -> Any:
    """Return the ASGI application that answers with models.

    :param token: the token that requests must have; None = none
    :param hosts: the names that requests may state in ``Host``; None = any
    """
    meters = Meters(models)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(models.stop)

    app = FastAPI(title="polymodal", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan, redirect_slashes=False)
    app.add_exception_handler(RequestError, _refused)
    app.add_exception_handler(HTTPException, _unknown_route)
    app.add_exception_handler(Exception, _failed)

    @app.get("/live", summary="Whether the process answers")
    @app.get("/v2/health/live", summary="Whether the process answers (Open Inference Protocol)")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/ready", summary="Whether the models are loaded")
    @app.get("/v2/health/ready", summary="Whether the models are loaded (Open Inference Protocol)")
    async def ready() -> dict[str, bool]:
        models.check_ready()
        return {"ready": True}

    @app.get("/models", summary="The models, with the columns that they read and the targets that they predict")
    async def listed() -> Response:
        return _json({"models": [page.facts(served) for served in models.by_name.values()]})

    @app.get("/metrics", summary="Counters for Prometheus", responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
             response_class=Response)  # fmt: skip
    async def metrics() -> Response:
        return Response(meters.text(), media_type=meters.media_type)

    for name, served in models.by_name.items():
        for prefix in ["", f"/models/{name}"] if served is models.of(None) else [f"/models/{name}"]:
            _add_routes(app, prefix, served, models)
    protocol.add_routes(app, models)
    tables.add_routes(app, models)
    page.add_routes(app, models)
    describe(app, models)
    return Guard(app, models.limits, token, meters.count, lambda: models.stopping, hosts)


def _refused(_: Request, error: Exception) -> Response:
    """Return the response to a request that cannot be answered."""
    assert isinstance(error, RequestError)
    headers = {"connection": "close"} if error.status in (408, 413) else {}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    return Response(error_body(error.text), error.status, headers, "application/json")


def _unknown_route(_: Request, error: Exception) -> Response:
    """Return the response to a path or a method that does not exist, or to a form that cannot be read."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if allowed := set(headers.get("Allow", "").replace(" ", "").split(",")) - {""}:
        headers["Allow"] = ", ".join(sorted(allowed | ({"HEAD"} if "GET" in allowed else set())))
    return Response(error_body(str(error.detail)), error.status_code, headers, "application/json")


def _failed(_: Request, error: Exception) -> Response:
    """Return the response to a request that failed through a fault of the server."""
    return Response(error_body("internal error"), 500, media_type="application/json")


def _add_routes(app: FastAPI, prefix: str, served: Served, models: Models) -> None:
    """Add the routes of one model."""
    body, one_row = _body_schema(served, models.limits.rows), _body_schema(served, 1, {})
    answers = {"type": "object", "properties": {"model": {"type": "string"}, "version": {"type": "string"}, "predictions": {
        "type": "array", "items": answer_schema(PredictionTable(served.loaded.predictor))}}}  # fmt: skip
    described: dict[int | str, dict[str, Any]] = {
        200: {"content": {"application/json": {"schema": answers}}},
        **{status: {"description": text} for status, text in
           ((400, "no JSON"), (408, "too slow"), (413, "too large"), (422, "cells that cannot be read"), (503, "too many rows wait"))},
    }  # fmt: skip

    @app.post(f"{prefix}/predict", summary="Predict rows", openapi_extra=body, responses=described, name=f"predict {served.name}{prefix}")
    async def predict(request: Request) -> Response:
        loaded, rows, options = await _read(request, served, models)
        loaded.check(options.coverage)
        answered = await predicted(served, loaded, rows, request, options.coverage, hide=options.hide)
        return await beside(len(rows) > MANY, _answer, served, loaded, answered, options.blank)

    @app.post(f"{prefix}/embed", summary="Return the fused representation of rows", openapi_extra=body, name=f"embed {served.name}{prefix}")
    async def embed(request: Request) -> Response:
        loaded, rows, options = await _read(request, served, models)
        answered = await predicted(served, loaded, rows, request, embed=True, hide=options.hide)
        return await beside(len(rows) > MANY, _embeddings, served, loaded, answered, options.blank)

    @app.post(
        f"{prefix}/explain", summary="Explain the prediction for one row", openapi_extra=one_row, name=f"explain {served.name}{prefix}"
    )
    async def explain(request: Request) -> Response:
        loaded, rows, options = await _read(request, served, models)
        if options != cells.Options():
            raise RequestError(422, "explanations have no options; expected one row")
        if len(rows) > 1:
            raise RequestError(413, f"rows: found {len(rows):,}; expected one, which takes as long as hundreds of predictions")
        futures = served.explainer.submit(id(loaded), lambda part: [_explained(loaded, row) for row in part], rows)
        (explained,) = await joined(futures, request)
        return _json({"model": served.name, "version": loaded.version, **explained})


def _answer(served: Served, loaded: Loaded, answered: Sequence[Answered], blank: bool) -> Response:
    """Return the response with the predictions."""
    predictions, failed = _records(answered, blank)
    result = {"model": served.name, "version": loaded.version, "predictions": predictions}
    if failed == len(predictions):
        result = {"error": "; ".join(one["error"] for one in predictions[:5]), **result}
    return _json(result, 422 if failed == len(predictions) else 200)


def _embeddings(served: Served, loaded: Loaded, answered: Sequence[Answered], blank: bool) -> Response:
    """Return the response with the fused representations."""
    predictions, failed = _records(answered, blank)
    if failed:
        raise RequestError(422, "; ".join(one["error"] for one in predictions if "error" in one)[:2_000])
    vectors = [one.embedding.tolist() for one in answered]
    body = json.dumps({"model": served.name, "version": loaded.version, "embeddings": vectors}).encode()
    return Response(body, media_type="application/json")


def _explained(loaded: Loaded, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the explanation of a row as plain data."""
    from ..analysis import explain

    with without_warnings():
        found = explain(loaded.predictor, [dict(row)], rows=[1], on_error="error")
    return {"fields": found["fields"], "explained": found["explained"]}


def _json(value: Any, status: int = 200) -> Response:
    """Return a response of JSON, in which numbers that are not finite are null."""
    return Response(json.dumps(plain(value)).encode(), status, media_type="application/json")


async def _read(request: Request, served: Served, models: Models) -> tuple[Loaded, list[cells.Row], cells.Options]:
    """Return the model that answers a request, its rows and its options.

    :raises RequestError: the body cannot be read
    """
    limits = models.limits
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RequestError(415, "expected a body without Content-Encoding")
    if is_form(request):
        given = await _form(request, limits.body_bytes)
        loaded = served.loaded
        return loaded, [cells.row_of(given, 1, loaded.columns)], cells.Options()
    body = await request.body()
    loaded = served.loaded  # a bundle may have been replaced while the body arrived
    return loaded, *await beside(len(body) > LARGE, cells.request_of, body, loaded.columns, loaded.fields, limits)


async def _form(request: Request, most_bytes: int) -> dict[str, Any]:
    """Return the cells of a form by column; a list where a name occurs several times.

    :raises RequestError: the form cannot be read (400)
    """
    given: dict[str, list[Any]] = {}
    async with form_of(request, 256, 1_000, most_bytes) as form:
        for name, part in form.multi_items():
            given.setdefault(name, []).append(await part.read() if isinstance(part, UploadFile) else part)
    return {name: parts if len(parts) > 1 else parts[0] for name, parts in given.items()}


def _records(answered: Sequence[Answered], blank: bool) -> tuple[list[dict[str, Any]], int]:
    """Return the rows of the answers, and the number of rows with an error instead.

    :param blank: whether a cell that cannot be read counts as missing
    """
    records: list[dict[str, Any]] = []
    failed = 0
    for at, one in enumerate(answered, 1):
        row = next(iter(one.record))
        if one.faults and not blank:
            records.append({row: at, "error": f"row {at}, {one.faults}"})
            failed += 1
        else:
            records.append({**one.record, row: at})
    return records, failed


def _body_schema(served: Served, most_rows: int, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the description of the body of a request.

    :param options: the options beside its rows; None = those of predictions
    """
    columns = list(served.loaded.columns.values())
    row = row_schema(columns)
    hide = {"type": "array", "items": {"enum": list(served.loaded.fields)}, "description": "Fields that are treated as missing."}
    given = {"coverage": {"type": ["number", "null"], "exclusiveMinimum": 0, "exclusiveMaximum": 1},
             "on_error": {"enum": ["error", "blank"]}, "hide": hide}  # fmt: skip
    rows = {"type": "object", "properties": {"rows": {"type": "array", "items": row, "minItems": 1, "maxItems": most_rows},
            **(given if options is None else options)}, "required": ["rows"],
            "additionalProperties": False}  # fmt: skip
    text, file = {"description": "The text of the cell."}, {"type": "string", "format": "binary"}  # all values of a form are texts
    form = {"type": "object", "properties": {one.name: file if one.kind == "content" else text for one in columns},
            "additionalProperties": False, "minProperties": 1}  # fmt: skip
    example = {"rows": row["examples"]}
    content = {"application/json": {"schema": rows, "example": example}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}
