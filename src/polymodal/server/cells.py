"""From the body of a request to rows: JSON, multipart forms, and the bounds of both.

A row is an object of cells by column. Text, numbers, categories and lists are JSON values. The content of a file, such as a picture or a
sound, is a data URI (``data:image/png;base64,...``) or ``{"b64": "..."}``. A missing column, null and an empty string are missing values.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import nearest
from .limits import Limits, RequestError
from .schema import Column

Row = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What a request for predictions states beside its rows.

    :param coverage: the coverage of sets and intervals; None = none
    :param blank: whether a cell that cannot be read counts as missing
    :param hide: fields that are treated as missing
    """

    coverage: float | None = None
    blank: bool = False
    hide: frozenset[str] = frozenset()


_TOO_LARGE = "the JSON body contains a number that is too large; expected finite numbers"


def parsed(body: bytes, limits: Limits) -> Any:
    """Return the value of a JSON body.

    :raises RequestError: the body is no JSON, or is nested more deeply than the limit, or contains a number that is not finite (400)
    """
    if body.count(b"{") + body.count(b"[") + body.count(b",") > limits.elements:
        raise RequestError(413, f"the JSON body has more than {limits.elements:,} elements; divide the request")
    try:
        value = json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except RecursionError:
        raise RequestError(400, f"the JSON body is nested more than {limits.depth} levels deep") from None
    except UnicodeDecodeError:
        raise RequestError(400, "the JSON body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise RequestError(400, f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except ValueError:  # a whole number of more digits than Python reads
        raise RequestError(400, _TOO_LARGE) from None
    check_depth(value, limits.depth)
    return value


def _refuse_constant(name: str) -> Any:
    raise RequestError(400, f"the JSON body contains {name}; expected finite numbers, and null for a missing value")


def check_depth(value: Any, depth: int) -> None:
    """Check that a JSON value is not nested too deeply and contains only finite numbers.

    :raises RequestError: it is or does not (400)
    """
    level = [value]
    for _ in range(depth + 1):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner.extend(one.values())
            elif isinstance(one, list):
                inner.extend(one)
            elif isinstance(one, float) and not math.isfinite(one):
                raise RequestError(400, _TOO_LARGE)
        if not inner:
            return
        level = inner
    raise RequestError(400, f"the JSON body is nested more than {depth} levels deep")


def request_of(body: bytes, columns: Mapping[str, Column], fields: Collection[str], limits: Limits) -> tuple[list[Row], Options]:
    """Return the rows and the options of a JSON body: an object with ``rows`` and options, or rows alone.

    :param columns: the columns of the model
    :param fields: the fields of the model
    :raises RequestError: the body cannot be read, or has other options
    """
    value = parsed(body, limits)
    options = Options()
    if isinstance(value, Mapping) and "rows" in value and "rows" not in columns:
        options = _options({name: one for name, one in value.items() if name != "rows"}, fields)
        value = value["rows"]
    return rows_of(value, columns, limits), options


def _options(given: Mapping[str, Any], fields: Collection[str]) -> Options:
    """Return the options of a request.

    :raises RequestError: there is no such option, or a value is not valid (422)
    """
    known = ["coverage", "on_error", "hide"]
    for name in given:
        if name not in known:
            raise RequestError(422, f"no option {name[:80]!r}{nearest(name[:80], known)}; expected rows, coverage, on_error or hide")
    check_coverage(given.get("coverage"))
    if given.get("on_error", "error") not in ("error", "blank"):
        raise RequestError(422, "on_error: expected error (the row gets an error) or blank (the cell counts as missing)")
    hide = given.get("hide", [])
    if not isinstance(hide, list) or not all(isinstance(name, str) for name in hide):
        raise RequestError(422, "hide: expected a list of names of fields, which are treated as missing")
    for name in hide:
        if name not in fields:
            raise RequestError(422, f"hide: no field {name[:80]!r}{nearest(name[:80], fields)}; expected {', '.join(map(repr, fields))}")
    return Options(given.get("coverage"), given.get("on_error") == "blank", frozenset(hide))


def rows_of(value: Any, columns: Mapping[str, Column], limits: Limits) -> list[Row]:
    """Return the rows of a JSON value: a list of objects, or one object.

    :raises RequestError: it is neither, there are too many rows, or a row has a column that the model does not know (422)
    """
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
        raise RequestError(422, "rows: expected a list of objects, each with cells by column")
    check_count(len(value), limits)
    return [row_of(row, at, columns) for at, row in enumerate(value, 1)]


def check_count(rows: int, limits: Limits) -> None:
    """Check the number of rows.

    :raises RequestError: there are none, or too many (422, 413)
    """
    if not rows:
        raise RequestError(422, "rows: found none; expected at least one")
    if rows > limits.rows:
        raise RequestError(413, f"rows: found {rows:,}; expected at most {limits.rows:,}; divide the request")


def row_of(cells: Mapping[str, Any], at: int, columns: Mapping[str, Column]) -> Row:
    """Return a row with a cell for every column of the model, None = missing.

    :param at: the number of the row, from 1
    :raises RequestError: a column is not known, a cell has another type, or no column is given (422)
    """
    for name in cells:
        if name not in columns:
            raise RequestError(
                422, f"row {at}: no column {name[:80]!r}{nearest(name[:80], columns)}; expected {', '.join(map(repr, columns))}"
            )
    if not cells:
        raise RequestError(422, f"row {at}: no column; expected at least one of {', '.join(map(repr, columns))}")
    for name, cell in cells.items():
        _check_type(cell, at, columns[name])
    return {name: cell_of(cells.get(name), at, name) for name in columns}


def _check_type(cell: Any, at: int, column: Column) -> None:
    """Check that a cell has a type of JSON, or of a form, that a column can have.

    :raises RequestError: it has not (422)
    """
    if column.kind == "numbers" or cell is None or isinstance(cell, str):
        return
    if column.kind == "content":
        is_valid = isinstance(cell, (bytes, list)) or (isinstance(cell, dict) and set(cell) == {"b64"})
        expected = '{"b64": "..."}, a data URI, or null'
    else:
        is_valid, expected = not isinstance(cell, (bytes, list, dict)), "a text, a number, true, false, or null"
    if not is_valid:
        found = {bool: "a boolean", dict: "an object", list: "a list", bytes: "a file"}.get(type(cell), "a number")
        raise RequestError(422, f"row {at}, column {column.name!r}: found {found}; expected {expected}")


def cell_of(cell: Any, at: int, name: str) -> Any:
    """Return a cell, the content of a file as bytes.

    :raises RequestError: ``b64`` is not base64 (422)
    """
    if isinstance(cell, dict) and set(cell) == {"b64"}:
        content = decoded(cell["b64"])
        if content is None:
            raise RequestError(422, f"row {at}, column {name!r}: b64 that is not base64; expected the content of a file as base64")
        return content
    if isinstance(cell, list):
        return [cell_of(one, at, name) for one in cell]
    return cell


def decoded(text: Any) -> bytes | None:
    """Return the bytes that a text states in base64; None if it is no such text."""
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else None
    except ValueError:
        return None


def check_coverage(coverage: Any) -> None:
    """Check the coverage of the sets that a request asks for, None = no sets.

    :raises RequestError: it is no number between 0 and 1 (422)
    """
    if coverage is not None and (isinstance(coverage, bool) or not isinstance(coverage, (int, float)) or not 0 < coverage < 1):
        raise RequestError(422, "coverage: expected a number between 0 and 1, such as 0.9")
