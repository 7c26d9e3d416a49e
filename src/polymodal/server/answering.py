"""From the rows of a request to their answers, which a queue computes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from fastapi import Request

from ..errors import UserError
from .cells import Row
from .limits import RequestError
from .models import Answered, Loaded, Served


async def predicted(
    served: Served, loaded: Loaded, rows: Sequence[Row], request: Request, coverage: float | None = None, embed: bool = False,
    hide: frozenset[str] = frozenset(),
) -> list[Answered]:  # fmt: skip
    """Return the answers of a model to rows.

    :param coverage: the coverage of the sets in the answers, which the model can state; None = no sets
    :param embed: whether answers contain the fused representation
    :param hide: fields that are treated as missing
    :raises RequestError: too many rows wait, the model cannot read them, or the client has gone
    """
    key = (id(loaded), coverage, embed, hide)
    futures = served.batcher.submit(key, lambda part: loaded.answer(part, coverage, embed, hide), rows)
    return await joined(futures, request)


async def joined(futures: Sequence[Future[Sequence[Any]]], request: Request) -> list[Any]:
    """Return the answers to the parts of a request, in order.

    :param request: the request; if its client goes, its rows are not computed
    :raises RequestError: the model cannot read the rows (422), or the client has gone (499)
    """
    answers = asyncio.gather(*map(asyncio.wrap_future, futures))
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((answers, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not answers.done():
            raise RequestError(499, "the client has gone")
        return [one for part in await answers for one in part]
    except UserError as error:
        raise RequestError(422, str(error)) from None
    finally:
        leaving.cancel()
        answers.cancel()


async def _gone(request: Request) -> None:
    """Return when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
