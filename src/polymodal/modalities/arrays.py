"""Arrays of numbers in cells: lists, printed arrays, and the files ``.npy``, ``.csv`` and ``.parquet``.

Memory is bounded by the size of a file, whatever its header declares.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cells import number, writing_of
from ..errors import Fault, counted

if TYPE_CHECKING:
    from ..flow import Cell

HUGE = 1e150
"""The absolute value to which numbers are clipped whose squares must be finite."""
_TIME_NAMES = frozenset({"t", "time", "times", "timestamp", "date", "datetime", "seconds", "ts", "时间", "时刻"})
_DAY = 86_400.0
_PRINTED = re.compile(r"[\s\d.,eE+\-nainf\[\]]+")
_ROW = re.compile(r"\[([^\[\]]*)\]")
_SEPARATOR = re.compile(r"\s*,\s*|\s+")
_NUMBER_TYPES = frozenset({float, int})
"""The types of the items of most lists of numbers; a list of these is converted without a look at each item."""


def list_of_numbers(cell: Cell, truths: bool = False) -> np.ndarray | None:
    """Return the numbers of a list, an array, or a list that JSON or numpy wrote as text.

    :param cell: the cell
    :param truths: whether True and False are the numbers 1 and 0
    :returns: float64 of one or two dimensions, NaN for missing items; None if the cell is not a list of numbers, or its rows have
        different lengths
    """
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
        elif _NUMBER_TYPES.issuperset(map(type, cell)):
            array = np.array(cell, np.float64)
        elif isinstance(cell[0], (list, tuple, np.ndarray)):
            array = np.array([[_number(value, truths) for value in step] for step in cell], np.float64)
        else:
            array = np.array([_number(value, truths) for value in cell], np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    return array if array is not None and array.ndim in (1, 2) and len(array) else None


def _printed(text: str) -> np.ndarray | None:
    """Return the array that numpy printed as text, with spaces or commas between the numbers; None for other texts, and for an array that
    was abbreviated."""
    if _PRINTED.fullmatch(text) is None:
        return None
    rows = _ROW.findall(text)
    nested = text[1:-1].lstrip().startswith("[")
    if not rows or "".join(_ROW.sub("", text).replace(",", " ").split()) != ("[]" if nested else ""):
        return None
    try:
        values = [[float(number) for number in _SEPARATOR.split(row.strip())] for row in rows]
    except ValueError:
        return None
    if any(len(row) != len(values[0]) for row in values) or (len(rows) > 1 and not nested):
        return None
    return np.array(values if nested else values[0], np.float64)


def _number(value: Cell, truths: bool) -> float:
    """Return an item of a list as a float, NaN for None; ``TypeError`` or ``ValueError`` if it is not a number."""
    if value is None:
        return math.nan
    if isinstance(value, (str, bytes)) or (isinstance(value, bool) and not truths):
        raise TypeError("not a number")
    return float(value)


def numbers_of(data: bytes, cell: Cell) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the numbers of a file.

    :param data: the bytes of the file
    :param cell: the cell, whose extension is used in messages if it is a path
    :returns: the values (T, C), and the times (T,) in seconds if there is a column of times, else None
    :raises Fault: if the file cannot be read as numbers
    """
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
            has_header = any(number(part) is None and part.strip() for part in first.replace(";", ",").replace("\t", ",").split(","))
            delimiter = max(",;\t", key=first.count)
            options = csv.ReadOptions(autogenerate_column_names=not has_header, use_threads=False)
            table = csv.read_csv(io.BytesIO(data), options, csv.ParseOptions(delimiter=delimiter))
        return _columns(table)
    except Fault:
        raise
    except Exception as error:  # readers may raise anything on hostile bytes
        raise Fault(
            f"a file that cannot be read as numbers ({' '.join(str(error).split())[:80]}); expected .npy, .csv or .parquet"
        ) from None


def npy_header(data: bytes) -> tuple[tuple[int, ...], np.dtype]:
    """Return the shape and the dtype that the header of a ``.npy`` file declares.

    :raises Fault: if the file is smaller than the header declares, or its values are not real numbers
    """
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.kind == "c":
        raise Fault(f"an array of {dtype}; expected real numbers; save its magnitude, or real and imaginary part as two channels")
    if dtype.hasobject or dtype.kind not in "fiub":
        raise Fault(f"an array of {dtype}; expected numbers (an array of objects is never opened)")
    if math.prod(shape) * dtype.itemsize > len(data):
        raise Fault(f"an array of shape {shape} in {counted(len(data), 'byte')}; expected a complete file")
    return shape, dtype


def npy_of(data: bytes, dimensions: tuple[int, ...]) -> np.ndarray:
    """Return the array of a ``.npy`` file; ``Fault`` if its number of dimensions is not in ``dimensions``."""
    shape, _ = npy_header(data)
    if len(shape) not in dimensions:
        raise Fault(f"an array of shape {shape}; expected {' or '.join(map(str, dimensions))} dimensions")
    array: np.ndarray = np.load(io.BytesIO(data), allow_pickle=False)
    return array


def _npy(data: bytes) -> np.ndarray:
    """Return the array of a ``.npy`` file of one or two dimensions as float64 (T, C)."""
    shape, _ = npy_header(data)
    if len(shape) not in (1, 2):
        raise Fault(f"an array of shape {shape}; expected (steps,) or (steps, channels)")
    array: np.ndarray = np.load(io.BytesIO(data), allow_pickle=False).astype(np.float64)
    return array[:, None] if array.ndim == 1 else array


def _columns(table: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the values (T, C) of an Arrow table, and the times (T,) in seconds of its first column with a name such as ``time``."""
    times_T, values = None, []
    for name in table.column_names:
        cells = table.column(name).to_pylist()
        if times_T is None and str(name).strip().casefold() in _TIME_NAMES:
            writing = writing_of(cells)
            scale = _DAY if writing.type == "date" else 1.0
            times = [None if (value := writing.value(cell)) is None else value * scale for cell in cells]
            if any(time is None for time in times):
                raise Fault(f"column {name!r}: times that cannot be read; expected seconds or dates")
            times_T = np.array(times, np.float64)
            continue
        writing = writing_of(cells, "number")
        numbers = [math.nan if cell is None else writing.value(cell) for cell in cells]
        if any(value is None for value in numbers):
            raise Fault(f"column {name!r}: found {next(c for c, v in zip(cells, numbers, strict=True) if v is None)!r}; expected numbers")
        values.append(np.array(numbers, np.float64))
    if not values:
        raise Fault("a file without columns; expected columns of numbers")
    return np.stack(values, 1), times_T


def standardised(values: np.ndarray, state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Return ``values`` as float32 in standard deviations from the means, clipped to -20 to 20; NaN = missing.

    :param values: float64 (..., K)
    :param state: ``mean`` and ``std``, each K numbers
    """
    centred = (values - np.array(state["mean"])) / np.array(state["std"])
    return {"values": centred.clip(-20, 20).astype(np.float32)}
