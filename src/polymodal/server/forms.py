"""Reads multipart forms, and refuses those that end too soon: a part that is cut off would be a missing value."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser

from .limits import RequestError

FORM = "multipart/form-data"


class _Parser(MultiPartParser):
    """A parser that requires the last boundary of a form."""

    is_complete = False

    def on_end(self) -> None:
        """Note that the last boundary was read."""
        self.is_complete = True

    async def parse(self) -> FormData:
        """Return the parts of the form.

        :raises MultiPartException: it cannot be read
        """
        form = await super().parse()
        if not self.is_complete:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("it ends before its last boundary")
        return form


def is_form(request: Request) -> bool:
    """Return whether the body of a request is a form."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM


@asynccontextmanager
async def form_of(request: Request, max_files: int, max_fields: int, most_bytes: int) -> AsyncIterator[FormData]:
    """Read the form of a request, whose files are closed afterwards.

    :param most_bytes: the maximum size of a field
    :raises RequestError: it cannot be read (400)
    """
    parser = _Parser(request.headers, request.stream(), max_files=max_files, max_fields=max_fields, max_part_size=most_bytes)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise RequestError(400, f"the form cannot be read: {error.message}") from None
    except (UnicodeError, LookupError):
        raise RequestError(400, "the form is not UTF-8") from None
    try:
        yield form
    finally:
        await form.close()
