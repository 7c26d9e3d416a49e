"""Tensors of the Open Inference Protocol: from an input to the cells of a column, and from answers to an output."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import cells
from .limits import Limits, RequestError
from .models import Answered
from .schema import Column

DTYPES = {
    "BOOL": "?", "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "<i1", "INT16": "<i2", "INT32": "<i4",
    "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
EMBEDDING = "embedding"
MOST_RANK = 4
MOST_SIZE = 2**31


def mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object under a name, {} if there is none.

    :raises RequestError: it is no object (400)
    """
    found = value.get(name)
    if found is not None and not isinstance(found, dict):
        raise RequestError(400, f"{name}: expected an object")
    return found or {}


def input_of(one: Mapping[str, Any], column: Column, tail: memoryview, limits: Limits) -> tuple[list[Any], memoryview]:
    """Return the cells of an input, one for each row, and the rest of the binary part."""
    place = f"input {column.name!r}"
    shape, datatype, parameters = one.get("shape"), one.get("datatype"), mapping(one, "parameters")
    if (
        not isinstance(shape, list)
        or not 1 <= len(shape) <= MOST_RANK
        or not all(type(size) is int and 0 <= size <= MOST_SIZE for size in shape)
    ):
        raise RequestError(422, f"{place}: shape that is {str(shape)[:80]}; expected a list of sizes, such as [1]")
    if not isinstance(datatype, str) or (datatype != "BYTES" and datatype not in DTYPES):
        raise RequestError(422, f"{place}: datatype {str(datatype)[:40]!r}; expected BYTES, {', '.join(DTYPES)}")
    if datatype != "BYTES" and column.kind == "content":
        raise RequestError(422, f"{place}: datatype {datatype}; expected BYTES, the content of a file")
    cells.check_count(shape[0], limits)
    count, size = math.prod(shape), parameters.get("binary_data_size")
    if size is not None:
        if type(size) is not int or not 0 <= size <= len(tail):
            raise RequestError(400, f"{place}: binary_data_size {str(size)[:40]}; expected at most the {len(tail):,} bytes that follow")
        flat, tail = _binary(tail[:size], datatype, count, place), tail[size:]
    else:
        flat = _flat(one.get("data"), datatype, count, place)
        if datatype == "BYTES" and column.kind == "content":
            flat = [_content(text, place) for text in flat]
    rows = _cells(flat, shape, datatype, column, place)
    mask = parameters.get("mask")
    if mask is not None:
        if not isinstance(mask, list) or len(mask) != len(rows) or not all(isinstance(is_there, bool) for is_there in mask):
            raise RequestError(422, f"{place}: parameters.mask; expected a list of {len(rows)} booleans")
        rows = [cell if is_there else None for cell, is_there in zip(rows, mask, strict=True)]
    return rows, tail


def _binary(body: memoryview, datatype: str, count: int, place: str) -> Any:
    """Return the elements of a binary tensor: a list of bytes, or an array."""
    if datatype != "BYTES":
        dtype = np.dtype(DTYPES[datatype])
        if len(body) != count * dtype.itemsize:
            raise RequestError(400, f"{place}: {len(body):,} bytes; expected {count * dtype.itemsize:,} for its shape")
        return np.frombuffer(body, dtype)
    elements: list[bytes] = []
    at = 0
    while at < len(body) and len(elements) < count:
        size = int.from_bytes(body[at : at + 4], "little")
        if at + 4 + size > len(body):
            break
        elements.append(bytes(body[at + 4 : at + 4 + size]))
        at += 4 + size
    if at != len(body) or len(elements) != count:
        raise RequestError(400, f"{place}: binary data that is not {count:,} elements of 4 bytes of length and content")
    return elements


def _flat(data: Any, datatype: str, count: int, place: str) -> list[Any]:
    """Return the elements of a JSON tensor, which may be nested.

    :raises RequestError: they do not fit the shape or the datatype (422)
    """
    flat: list[Any] = data if isinstance(data, list) else []
    while flat and isinstance(flat[0], list):
        if len({len(part) if isinstance(part, list) else -1 for part in flat}) > 1:
            raise RequestError(422, f"{place}: data that is nested unevenly")
        flat = [element for part in flat for element in part]
    if not isinstance(data, list) or len(flat) != count:
        raise RequestError(422, f"{place}: data of {len(flat):,} elements; expected {count:,} for its shape")
    if datatype == "BYTES":
        if not all(isinstance(element, str) or element is None for element in flat):
            raise RequestError(422, f"{place}: BYTES that are not strings")
        return flat
    if datatype == "BOOL":
        if not all(isinstance(element, bool) or element is None for element in flat):
            raise RequestError(422, f"{place}: BOOL that are not true or false")
        return flat
    if not all((isinstance(element, (int, float)) and not isinstance(element, bool)) or element is None for element in flat):
        raise RequestError(422, f"{place}: {datatype} that are not numbers")
    dtype = np.dtype(DTYPES[datatype])
    if dtype.kind == "f":
        high = float(np.finfo(dtype).max)
        low = -high
    else:
        low, high = float(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    for element in flat:
        if element is not None and (not low <= element <= high or (dtype.kind in "iu" and isinstance(element, float))):
            raise RequestError(422, f"{place}: {str(element)[:40]}, which is no {datatype}")
    return flat


def _content(text: str | None, place: str) -> Any:
    """Return the content of a file that JSON gives as base64 or as a data URI."""
    if text is None or text.startswith("data:"):
        return text
    content = cells.decoded(text)
    if content is None:
        raise RequestError(422, f"{place}: a string that is not base64; expected the content of a file as base64, or as a data URI")
    return content


def _cells(flat: Any, shape: Sequence[int], datatype: str, column: Column, place: str) -> list[Any]:
    """Return the cell of each row."""
    many = len(shape) > 1 and not (len(shape) == 2 and shape[1] == 1)
    if datatype != "BYTES":
        if many and column.kind != "numbers":
            raise RequestError(422, f"{place}: shape {list(shape)}; expected [N] or [N, 1]")
        if many:
            return list(np.array([math.nan if value is None else value for value in flat], np.float32).reshape(shape))
        return [_scalar(value, column) for value in (flat.tolist() if isinstance(flat, np.ndarray) else flat)]
    if many and column.kind == "content" and len(shape) == 2:
        rows = [flat[at : at + shape[1]] for at in range(0, len(flat), shape[1])] if shape[1] else [[]] * shape[0]
        return [[one for one in row if one] or None for row in rows]
    if many:
        raise RequestError(422, f"{place}: shape {list(shape)}; expected [N] or [N, 1]")
    if column.kind == "content":
        return [one or None for one in flat]
    return [_text(one, at, place) for at, one in enumerate(flat, 1)]


def _scalar(value: Any, column: Column) -> Any:
    """Return an element as a cell: NaN as a missing one, and for a category or a text the text of it, of a whole number without a point."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if column.kind == "number":
        return float(value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _text(value: Any, at: int, place: str) -> str | None:
    """Return the text of an element; empty = missing."""
    try:
        return (value.decode() if isinstance(value, bytes) else value) or None
    except UnicodeDecodeError:
        raise RequestError(422, f"{place}, row {at}: bytes that are not UTF-8") from None


def output_of(name: str, datatype: str, answered: Sequence[Answered], is_binary: bool) -> tuple[dict[str, Any], bytes]:
    """Return an output and its binary data."""
    if name == EMBEDDING:
        values: list[Any] = [value for one in answered for value in one.embedding.tolist()]
        shape = [len(answered), len(answered[0].embedding)]
    else:
        values, shape = [one.record[name] for one in answered], [len(answered)]
    if datatype == "BYTES":
        values = [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in values]
    output: dict[str, Any] = {"name": name, "datatype": datatype, "shape": shape}
    if not is_binary:
        finite = [None if isinstance(value, float) and not math.isfinite(value) else value for value in values]
        return {**output, "data": finite}, b""
    if datatype == "BYTES":
        encoded = [value.encode() for value in values]
        body = b"".join(len(one).to_bytes(4, "little") + one for one in encoded)
    else:
        body = np.array([math.nan if value is None else value for value in values], DTYPES[datatype]).tobytes()
    return {**output, "parameters": {"binary_data_size": len(body)}}, body
