"""``/models/NAME/table``: predicts a table that a client sends as a file, and answers with a CSV file, as ``polymodal predict`` writes it.

The table and the files that its cells name lie in a folder of their own while they are read, and cells can name no others.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from starlette.datastructures import UploadFile

from ..errors import UserError, without_warnings
from ..outputs import PredictionTable, csv_lines
from .beside import beside
from .forms import form_of, is_form
from .limits import Limits, RequestError
from .models import Loaded, Models, one_core

_LINES = 32
"""The number of rows that are written at once: those of a block."""
_MOST_FILES = 5_000


def add_routes(app: FastAPI, models: Models) -> None:
    """Add the route of each model. Tables are predicted one at a time."""
    queue = _Queue(models.limits.waiting_tables)
    form = {"type": "object", "required": ["table"], "properties": {
        "table": {"type": "string", "format": "binary", "description": "A CSV, JSON Lines, Parquet or Excel file."},
        "files": {"type": "array", "items": {"type": "string", "format": "binary"}, "description": "The files that its cells name."},
    }, "additionalProperties": False}  # fmt: skip
    body = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}
    answers: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}

    @app.post("/models/{name}/table", summary="Predict a table that is sent as a file", openapi_extra=body, responses=answers)
    async def table(name: str, request: Request) -> Response:
        served = models.of(name)
        await queue.enter()
        folder: Path | None = None
        try:
            folder = Path(tempfile.mkdtemp(prefix="polymodal-"))
            sent = await _received(request, folder, models.limits)
            rows, lines = await beside(True, _opened, served.loaded, sent)
        except BaseException:
            queue.leave()
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        headers = {"x-rows": str(rows), "content-disposition": 'attachment; filename="predictions.csv"'}
        return StreamingResponse(_streamed(lines, folder, queue), headers=headers, media_type="text/csv; charset=utf-8")


class _Queue:
    """Lets one table through at a time.

    :param most_waiting: the maximum number of tables that wait
    """

    def __init__(self, most_waiting: int) -> None:
        self._most_waiting, self._waiting, self._lock = most_waiting, 0, asyncio.Lock()

    async def enter(self) -> None:
        """Wait until no other table is predicted.

        :raises RequestError: too many tables wait (503)
        """
        if self._waiting >= self._most_waiting:
            raise RequestError(503, f"{self._waiting} tables wait; try again later", 10)
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1

    def leave(self) -> None:
        """Let the next table through."""
        self._lock.release()


async def _received(request: Request, folder: Path, limits: Limits) -> Path:
    """Write the table and the files of a form into a folder, and return the path of the table.

    :raises RequestError: the form cannot be read, has no table, or the name of a file leads out of the folder (400, 422)
    """
    if not is_form(request):
        raise RequestError(415, "expected a form (multipart/form-data) with the file table, and files for those that its cells name")
    found: Path | None = None
    try:
        async with form_of(request, _MOST_FILES, 16, limits.body_bytes) as form:
            for name, part in form.multi_items():
                if not isinstance(part, UploadFile) or name not in ("table", "files"):
                    raise RequestError(422, f"found {name[:80]!r}; expected the file table, and files for those that its cells name")
                place = _place(folder, part.filename or "")
                if name == "table" and found is not None:
                    raise RequestError(422, "table: given twice; expected one file")
                found = place if name == "table" else found
                if place.exists():
                    raise RequestError(422, f"file {(part.filename or '')[:80]!r}: given twice")
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(await part.read())
    except OSError:
        raise RequestError(422, "the name of a file is too long, or is that of a folder of another file") from None
    if found is None:
        raise RequestError(422, "no file table; expected a CSV, JSON Lines, Parquet or Excel file")
    return found


def _place(folder: Path, name: str) -> Path:
    """Return the path of a file of this name in the folder.

    :raises RequestError: the name leads out of the folder (422)
    """
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name or "\\" in name:
        raise RequestError(422, f"file name {name[:80]!r}: expected a name such as table.csv or photos/1.jpg")
    return folder / path


def _opened(loaded: Loaded, path: Path) -> tuple[int, Iterator[str]]:
    """Return the number of rows of a table, and its predictions as lines of CSV.

    :raises RequestError: the table cannot be read, or has none of the columns (422)
    """
    one_core()
    try:
        with without_warnings():
            table = PredictionTable(loaded.predictor)
            source = loaded.predictor.open(path)
            lines = csv_lines(table.columns, table.predict(source, on_error="blank"))
            return source.rows, chain([next(lines)], lines)
    except UserError as error:
        raise RequestError(422, str(error).replace(f"{path.parent}/", "")) from None


async def _streamed(lines: Iterator[str], folder: Path, queue: _Queue) -> AsyncIterator[bytes]:
    """Yield lines as they are made, and remove the folder of the table at the end."""
    try:
        while part := await asyncio.to_thread(_some, lines):
            yield part.encode("utf-8", "backslashreplace")
    finally:
        queue.leave()
        shutil.rmtree(folder, ignore_errors=True)


def _some(lines: Iterator[str]) -> str:
    """Return the next lines, "" at the end."""
    one_core()
    with without_warnings():
        return "".join(line for _, line in zip(range(_LINES), lines, strict=False))
