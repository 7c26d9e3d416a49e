"""The page at ``/`` for people: its static files, and what it shows of a model besides predictions.

The page contains no data. It requests the models, and then predictions and explanations like every other client.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import PurePath
from typing import Any

from fastapi import FastAPI, Request, Response

from ..errors import UserError
from ..outputs import PredictionTable
from ..pages import EXAMPLES, read_run, run_page
from .beside import beside
from .limits import RequestError
from .models import Loaded, Models, Served
from .schema import Column

COVERAGE = 0.9
"""The coverage of the sets and intervals that the page shows."""
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FILES = {
    name: _TYPES[PurePath(name).suffix]
    for name in (
        "index.html", "page.css", "icon.svg", "main.js", "inputs.js", "answer.js", "batch.js", "server.js", "words.js", "elements.js",
        "sound.js", "recorder.js", "camera.js", "report.js", "routes.js",
    )
}  # fmt: skip
"""The static files with their types."""
PATHS = frozenset({"/", *(f"/static/{name}" for name in FILES)})
"""The paths that need no token: they contain nothing of a model."""
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"


def add_routes(app: FastAPI, models: Models) -> None:
    """Add the routes of the page, which the description of the routes for programs leaves out."""

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return _static("index.html")

    @app.get("/static/{name}", include_in_schema=False)
    async def static(name: str) -> Response:
        if name not in FILES:
            raise RequestError(404, f"no file {name[:80]!r}")
        return _static(name)

    @app.get("/models/{name}/examples", summary="Rows to try, kept by training unless they are private")
    async def examples(name: str) -> Response:
        return Response(await beside(True, _examples, models.of(name)), media_type="application/json")

    html = {"content": {"text/html": {"schema": {"type": "string"}}}}

    @app.get(
        "/models/{name}/report",
        summary="The report of the run that trained a model, as HTML",
        responses={200: html},
        response_class=Response,
    )
    async def report(name: str, request: Request) -> Response:
        language = "zh" if request.query_params.get("language") == "zh" else "en"
        headers = {"content-security-policy": _REPORT_POLICY}
        return Response(await beside(True, _report, models.of(name), language), headers=headers, media_type="text/html")


def facts(served: Served) -> dict[str, Any]:
    """Return what a model reads and predicts, as plain data."""
    loaded = served.loaded
    coverage, run = _coverage(loaded), loaded.predictor.run
    table = PredictionTable(loaded.predictor, coverage=coverage)
    targets = []
    for name, task in loaded.predictor.bundle.tasks.items():
        columns = {"answer": task.config.column, "scores": table.names.scores[name],
                   "sets": table.names.sets[name] if coverage is not None else []}  # fmt: skip
        targets.append({"name": task.config.column, "kind": task.config.kind, "classes": task.classes, "columns": columns})
    return {
        "name": served.name, "version": loaded.version, "columns": [_column_facts(one) for one in loaded.columns.values()],
        "fields": loaded.fields, "targets": targets, "coverage": coverage, "faults": table.names.faults,
        "examples": run is not None and (run / EXAMPLES).is_file(),
        "report": run is not None and (run / "metrics.json").is_file(),
    }  # fmt: skip


def _column_facts(column: Column) -> dict[str, Any]:
    """Return the facts of a column that a client needs to send cells."""
    return {"name": column.name, "kind": column.kind, "media": column.media, "several": column.several, "fields": dict(column.fields),
            "values": list(column.values)}  # fmt: skip


def _coverage(loaded: Loaded) -> float | None:
    """Return the coverage of the sets that the page shows; None if the model cannot state it."""
    try:
        loaded.check(COVERAGE)
    except RequestError:
        return None
    return COVERAGE


@cache
def _content(name: str) -> bytes:
    """Return the content of a static file."""
    return resources.files(__package__).joinpath("static", name).read_bytes()


def _static(name: str) -> Response:
    """Return the response with a static file."""
    headers = {"content-security-policy": _POLICY, "cache-control": "no-cache"}
    return Response(_content(name), headers=headers, media_type=FILES[name])


def _examples(served: Served) -> bytes:
    """Return the rows to try, as the body of a request to ``/predict``; without rows if there are none for the columns of the model."""
    rows, run = [], served.loaded.predictor.run
    if run is not None and (path := run / EXAMPLES).is_file():
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError):
            content = {}
        columns = served.loaded.columns
        rows = [row for row in content.get("rows", []) if isinstance(row, dict) and row.keys() == columns.keys()]
    return json.dumps({"rows": rows}).encode()


def _report(served: Served, language: str) -> str:
    """Return the report of the run of a model.

    :raises RequestError: the server has no run, only a bundle, or no report can be made of it (404)
    """
    run = served.loaded.predictor.run
    if run is None:
        raise RequestError(404, f"model {served.name!r} is a bundle; its run has the report; serve the run")
    try:
        return run_page(read_run(run), language)
    except UserError:
        raise RequestError(404, f"model {served.name!r}: no report can be made of its run") from None
