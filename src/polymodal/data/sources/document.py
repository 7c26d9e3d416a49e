"""The source of a JSON document: an array of objects, or an object of columns. It is read into memory; its size is limited."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa

from ...errors import DataError
from .charset import charset_of
from .content import Content
from .garbled import Tally
from .jsonlines import integer, named_once
from .memory import ColumnsSource, RowsSource
from .source import Source, short

MOST_BYTES = 2**28
_FIX = "write one object per line (.jsonl), CSV or Parquet"


def json_source(content: Content, place: str, encoding: str | None) -> Source:
    """Return the source of a JSON document.

    :param content: the bytes of the file
    :param place: the name of the file, for messages
    :param encoding: the character encoding; None = detected
    :raises DataError: the document is too large, not valid JSON, or not a table
    """
    charset = charset_of(content, place, encoding, detect_any=False)
    try:
        with content.open() as stream:
            body = stream.read(MOST_BYTES + 1)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{place}: cannot be read ({short(error)}); expected JSON") from None
    if len(body) > MOST_BYTES:
        raise DataError(f"{place}: more than {MOST_BYTES >> 20} MiB of JSON; expected at most that in one document; {_FIX}")
    try:
        text = body.decode("utf-8-sig" if charset.encoding == "utf-8" else charset.encoding)
        data = json.loads(text, parse_int=integer, object_pairs_hook=named_once)
    except DataError as error:
        raise DataError(f"{place}: {error}") from None
    except UnicodeError:
        raise DataError(f"{place}: not {charset.encoding} text; expected one encoding throughout; write it as UTF-8") from None
    except (ValueError, RecursionError) as error:
        if "Extra data" in str(error):
            raise DataError(
                f"{place}: several JSON documents; expected one; give a file of one object per line the extension .jsonl"
            ) from None
        raise DataError(f"{place}: not valid JSON ({short(error)}); expected an array of objects") from None
    source = _source(data, place)
    tally = Tally()
    for part in source.slices(source.columns):
        for name, cells in part.items():
            tally.see(name, cells)
    tally.warn(place, charset.fix)
    return source


def _source(data: Any, place: str) -> Source:
    """Return the source of a parsed JSON document.

    :raises DataError: the document is not a table
    """
    if isinstance(data, list):
        wrong = next((at for at, row in enumerate(data) if not isinstance(row, dict)), None)
        if wrong is not None:
            raise DataError(f"{place}: item {wrong + 1} is of type {type(data[wrong]).__name__}; expected an object, {{...}}; {_FIX}")
        return RowsSource(place, data)
    columns = list(data.values()) if isinstance(data, dict) else []
    if columns and all(isinstance(cells, list) for cells in columns):
        if any(isinstance(cell, dict) for cell in columns[0]) and len(columns) == 1:
            name = next(iter(data))
            raise DataError(f"{place}: its rows are in {name!r}; expected an array of objects; write that array alone, or {_FIX}")
        if len({len(cells) for cells in columns}) > 1:
            lengths = ", ".join(f"{name!r} {len(cells):,}" for name, cells in list(data.items())[:4])
            raise DataError(f"{place}: columns of different lengths ({lengths}); expected equally many cells in each; {_FIX}")
        return ColumnsSource(place, data)
    if columns and all(isinstance(cells, dict) and cells.keys() == columns[0].keys() for cells in columns):  # as pandas writes it
        return ColumnsSource(place, {name: list(cells.values()) for name, cells in data.items()})
    raise DataError(f"{place}: found one value; expected an array of objects, or an object of columns (arrays of one length); {_FIX}")
