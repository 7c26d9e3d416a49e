"""Files of numbers, for cells that name one: ``.npy``, ``.csv``, ``.parquet``. Bounded by what they hold, whatever a header claims."""

from __future__ import annotations

import io
import json
import math
import os
import re
from typing import Any

import numpy as np

from ..cells import number, writing_of
from ..errors import Fault
from ..flow import Cell

_TIMES = frozenset({"t", "time", "times", "timestamp", "date", "datetime", "seconds", "ts", "时间", "时刻"})
_DAY = 86_400.0
_PRINTED = re.compile(r"[\s\d.,eE+\-nainf\[\]]+")
_ROW = re.compile(r"\[([^\[\]]*)\]")
_BETWEEN = re.compile(r"\s*,\s*|\s+")
_FLOATS = frozenset({float, int})
"""Types that a list of numbers usually holds."""


def list_of_numbers(cell: Cell, truths: bool = False) -> np.ndarray | None:
    """A list, an array, or a list as JSON or numpy writes it, as float64 of one dimension or two (all rows of one length), NaN where
    nothing is; None for what is none. ``truths``: True and False are numbers, 1 and 0."""
    if isinstance(cell, str):
        text = cell.strip()
        if not (text.startswith("[") and text.endswith("]")):
            return None
        try:
            cell = json.loads(text)
        except (ValueError, RecursionError):
            return _printed(text)
    if not isinstance(cell, (list, tuple, np.ndarray)):
        return None
    try:
        if isinstance(cell, np.ndarray) and cell.dtype != object:
            array = cell.astype(np.float64) if cell.ndim in (1, 2) and cell.dtype.kind in "fiub" else None
        elif not len(cell):
            array = None
        elif _FLOATS.issuperset(map(type, cell)):
            array = np.array(cell, np.float64)
        elif isinstance(cell[0], (list, tuple, np.ndarray)):
            array = np.array([[_number(value, truths) for value in step] for step in cell], np.float64)
        else:
            array = np.array([_number(value, truths) for value in cell], np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    return array if array is not None and array.ndim in (1, 2) and len(array) else None


def _printed(text: str) -> np.ndarray | None:
    """The array that numpy prints as a text, with spaces or commas between its numbers; None for a text that is none, or leaves some
    out."""
    if _PRINTED.fullmatch(text) is None:
        return None
    rows = _ROW.findall(text)
    nested = text[1:-1].lstrip().startswith("[")
    if not rows or "".join(_ROW.sub("", text).replace(",", " ").split()) != ("[]" if nested else ""):
        return None
    try:
        values = [[float(number) for number in _BETWEEN.split(row.strip())] for row in rows]
    except ValueError:
        return None
    if any(len(row) != len(values[0]) for row in values) or (len(rows) > 1 and not nested):
        return None
    return np.array(values if nested else values[0], np.float64)


def _number(value: Cell, truths: bool) -> float:
    if value is None:
        return math.nan
    if isinstance(value, (str, bytes)) or (isinstance(value, bool) and not truths):
        raise TypeError("no measurement")
    return float(value)


def numbers_of(data: bytes, cell: Cell) -> tuple[np.ndarray, np.ndarray | None]:
    """The values (T, C) of a file, named by its cell, and its times (T,) in seconds where it has a column of them."""
    name = os.fspath(cell).strip().casefold() if isinstance(cell, (str, os.PathLike)) and not str(cell).startswith("data:") else ""
    try:
        if data[:6] == b"\x93NUMPY":
            return _npy(data), None
        if data[:4] == b"PAR1":
            from pyarrow import parquet

            table = parquet.read_table(io.BytesIO(data), use_threads=False)
        elif name.endswith((".npy", ".parquet")):
            raise Fault(f"not a {name.rpartition('.')[2]} file; expected one, or .csv")
        else:
            from pyarrow import csv

            first = data[:4096].split(b"\n")[0].decode("utf-8-sig", "replace")
            headed = any(number(part) is None and part.strip() for part in first.replace(";", ",").replace("\t", ",").split(","))
            sign = max(",;\t", key=first.count)
            options = csv.ReadOptions(autogenerate_column_names=not headed, use_threads=False)
            table = csv.read_csv(io.BytesIO(data), options, csv.ParseOptions(delimiter=sign))
        return _columns(table)
    except Fault:
        raise
    except Exception as error:  # readers raise whatever they like on hostile bytes
        raise Fault(
            f"a file that cannot be read as numbers ({' '.join(str(error).split())[:80]}); expected .npy, .csv or .parquet"
        ) from None


def npy_header(data: bytes) -> tuple[tuple[int, ...], np.dtype]:
    """The shape and the kind of number that a ``.npy`` claims; ``Fault`` for more than there is in it, and for what are no real numbers."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(stream)
    if kind.kind == "c":
        raise Fault(f"an array of {kind}; expected real numbers; save its magnitude, or real and imaginary part as two channels")
    if kind.hasobject or kind.kind not in "fiub":
        raise Fault(f"an array of {kind}; expected numbers (an array of objects is never opened)")
    if math.prod(shape) * kind.itemsize > len(data):
        raise Fault(f"an array of shape {shape} in {len(data):,} bytes; expected all of it there")
    return shape, kind


def npy_of(data: bytes, dimensions: tuple[int, ...]) -> np.ndarray:
    """The array of a ``.npy``, of one of some counts of dimensions."""
    shape, _ = npy_header(data)
    if len(shape) not in dimensions:
        raise Fault(f"an array of shape {shape}; expected {' or '.join(map(str, dimensions))} dimensions")
    array: np.ndarray = np.load(io.BytesIO(data), allow_pickle=False)
    return array


def _npy(data: bytes) -> np.ndarray:
    shape, _ = npy_header(data)
    if len(shape) not in (1, 2):
        raise Fault(f"an array of shape {shape} in {len(data):,} bytes; expected (steps,) or (steps, channels), all of them there")
    array = np.load(io.BytesIO(data), allow_pickle=False).astype(np.float64)
    return array[:, None] if array.ndim == 1 else array


def _columns(table: Any) -> tuple[np.ndarray, np.ndarray | None]:
    times_T, values = None, []
    for name in table.column_names:
        cells = table.column(name).to_pylist()
        if times_T is None and str(name).strip().casefold() in _TIMES:
            writing = writing_of(cells)
            scale = _DAY if writing.type == "date" else 1.0
            moments = [None if (value := writing.value(cell)) is None else value * scale for cell in cells]
            if any(moment is None for moment in moments):
                raise Fault(f"column {name!r}: times that cannot be read; expected seconds or dates")
            times_T = np.array(moments, np.float64)
            continue
        writing = writing_of(cells, "number")
        read = [math.nan if cell is None else writing.value(cell) for cell in cells]
        if any(value is None for value in read):
            raise Fault(f"column {name!r}: found {next(c for c, v in zip(cells, read, strict=True) if v is None)!r}; expected numbers")
        values.append(np.array(read, np.float64))
    if not values:
        raise Fault("a file of no columns; expected numbers")
    return np.stack(values, 1), times_T
