"""Conversion of objects in memory, such as those of Hugging Face's ``datasets``, to the cells that modalities read.

``plain`` is applied where cells leave a table, so that readers, digests, stores and reports handle the same types of cells:

- ``{"bytes": ..., "path": ...}`` (features ``Image``, ``Audio``, ``Video``) becomes its bytes, or its path where there are none;
- ``{"array": ..., "sampling_rate": ...}``, ``(array, rate)`` and ``(rate, array)`` become the bytes of a WAV file;
- a PIL image becomes a uint8 array (H, W, C), upright, or the bytes of a file if its values have more than 8 bits;
- a pandas ``Period`` becomes the time at which it begins;
- a torch tensor, and any other object with ``__array__``, becomes a numpy array; an array of texts becomes a list;
- any other object becomes ``Unreadable``, which describes it.

Text, numbers, dates, bytes, lists and numeric arrays stay as they are. Objects that are passed in are never modified.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import decimal
import io
import math
import os
import struct
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow
from PIL import ImageOps

from ..cells import is_empty
from ..flow import Cell, Unreadable

PLAIN: frozenset[type] = frozenset({
    str, int, float, bool, bytes, type(None), datetime.datetime, datetime.date, datetime.time, datetime.timedelta, decimal.Decimal,
    np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.float16, np.float32, np.float64,
    np.str_, np.datetime64, np.timedelta64,
})  # fmt: skip
"""Types of cells, and of items of lists, that need no conversion."""

_MOST_BYTES = 2**31
"""The largest number of bytes of an array in a cell: the shape of a broadcast array may exceed the memory."""
_MOST_PIXELS = 2**28
"""The largest number of pixels of a PIL image, which may not be decoded yet."""
_MAX_DEPTH = 8
"""The largest number of levels of nested lists."""
_RATES, _USUAL_RATES = (100, 1_000_000), (1_000, 1_000_000)
"""The range of samples per second: of a sound with a declared sampling rate, and of a pair of an array and a number."""
_MOST_CHANNELS = 64


class FixedList(list[Any]):
    """A list from a column that declares one length for all its lists, such as Arrow's ``fixed_size_list``."""


def plain(cell: Cell) -> Cell:
    """Return the cell as modalities read it (see the module's docstring). No object raises an error; it becomes ``Unreadable`` instead."""
    if type(cell) in PLAIN:
        return cell
    try:
        return _plain(cell, 0)
    except Exception:  # the methods of an object of another package may raise anything
        return Unreadable(f"{called(cell)} whose content cannot be read")


def described(cell: Cell) -> str:
    """Return a description of the type of a cell for messages about a column, such as ``dict (a, b)``, ``list of str`` or
    ``array of bool in 4 dimensions``."""
    if isinstance(cell, Unreadable):
        return cell.found
    if isinstance(cell, dict):
        keys = [str(key)[:20] for key in list(cell)[:5]]
        return f"dict ({', '.join(keys)}{', ...' if len(cell) > 5 else ''})"
    if isinstance(cell, (list, tuple)):
        first = next((item for item in cell if item is not None), None)
        return f"list of {described(first)}" if first is not None else "empty list"
    if isinstance(cell, np.ndarray):
        return f"array of {cell.dtype} in {cell.ndim} dimensions"
    return type(cell).__name__


def called(cell: Cell) -> str:
    """Return the name of the type of a cell, for messages about one cell."""
    return cell.found if isinstance(cell, Unreadable) else type(cell).__name__


def is_object(cell: Cell) -> bool:
    """Return whether no modality can read the cell: it is a dict, another object, or a list that contains one."""
    return isinstance(cell, (dict, Unreadable)) or (isinstance(cell, list) and any(isinstance(item, (dict, Unreadable)) for item in cell))


def is_empty_list(cell: Cell) -> bool:
    """Return whether a cell is a list or an array without values; None is not a value of a list."""
    return (isinstance(cell, list) and all(item is None for item in cell)) or (isinstance(cell, np.ndarray) and not cell.size)


def _plain(cell: Cell, depth: int) -> Cell:
    """Convert a cell at a depth of nested lists and dicts; may raise any error."""
    if type(cell) in PLAIN or isinstance(cell, (str, int, float, datetime.date, datetime.timedelta, bytearray, os.PathLike, Unreadable)):
        return cell
    if depth > _MAX_DEPTH:
        return Unreadable(f"{called(cell)} nested more than {_MAX_DEPTH} deep")
    if isinstance(cell, dict):
        return _of_dict(cell, depth)
    if isinstance(cell, tuple):
        sound = _pair(cell)
        return sound if sound is not None else _of_list(list(cell), depth)
    if isinstance(cell, list):
        return _of_list(cell, depth)
    if isinstance(cell, (set, frozenset)):
        return _of_list(sorted(cell), depth)  # raises TypeError for items without an order
    if isinstance(cell, torch.Tensor):
        return _of_array(_of_tensor(cell), depth)
    if isinstance(cell, np.ndarray):
        return _of_array(cell, depth)
    if isinstance(cell, Pillow.Image):
        return _of_picture(cell)
    if isinstance(cell, (complex, np.complexfloating)):
        return Unreadable("complex number")
    if isinstance(cell, np.void):
        return Unreadable("record of named fields")
    if isinstance(cell, memoryview):
        return bytes(cell)
    if isinstance(cell, np.generic):
        return cell
    if getattr(type(cell), "__array__", None) is not None:
        return _of_array(np.asarray(cell), depth)
    if is_empty(cell):  # missing values of pandas
        return cell
    if called(cell) == "Period" and type(cell).__module__.partition(".")[0] == "pandas":
        return cell.to_timestamp()
    text_method: object = type(cell).__str__
    if text_method is not object.__str__:  # the type defines a text, as a decimal, a UUID or an address does
        str(cell)  # an error here makes the object unreadable
        return cell
    return Unreadable(f"object of type {called(cell)}")


def _of_list(items: list[Any], depth: int) -> Cell:
    """Convert the items of a list; the list itself is returned if no item changes."""
    types = set(map(type, items))
    if types <= PLAIN or (types == {list} and set(map(type, chain.from_iterable(items))) <= PLAIN):
        return items
    converted = [_plain(item, depth + 1) for item in items]
    return items if all(new is old for new, old in zip(converted, items, strict=True)) else converted


def _of_dict(cell: dict[Any, Any], depth: int) -> Cell:
    """Convert a dict: a file or a sound of ``datasets``, or a dict with converted values."""
    keys = set(cell)
    if keys and keys <= {"bytes", "path"}:
        return _of_file(cell.get("bytes"), cell.get("path"), cell)
    if {"array", "sampling_rate"} <= keys <= {"array", "sampling_rate", "path", "bytes"}:
        if cell["array"] is None:
            return _of_file(cell.get("bytes"), cell.get("path"), cell)
        sound = wav_of(cell["array"], cell["sampling_rate"], _RATES)
        return sound if sound is not None else Unreadable("dict (array, sampling_rate) that is not a sound")
    return {str(key): _plain(value, depth + 1) for key, value in cell.items()}


def _of_file(body: Any, path: Any, cell: dict[Any, Any]) -> Cell:
    """Return the bytes of a file, or else its path; None if both are missing. Bytes that are given as text (in JSON) are base64."""
    if isinstance(body, str) and body:
        try:
            body = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            return Unreadable(f"{described(cell)} whose bytes are text that is not base64")
    if body is not None and not isinstance(body, (bytes, bytearray, memoryview, str)):
        return Unreadable(f"{described(cell)} whose bytes are {called(body)}")
    if body:
        return body if isinstance(body, (bytes, str)) else bytes(body)
    if path is None or isinstance(path, (str, os.PathLike)):
        return path or None
    return Unreadable(f"{described(cell)} whose path is {called(path)}")


def _of_tensor(tensor: torch.Tensor) -> np.ndarray:
    """Convert a tensor to an array; bfloat16, which numpy lacks, becomes float32."""
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _of_array(array: np.ndarray, depth: int) -> Cell:
    """Convert an array: a numeric array stays, masked values become NaN, texts and objects become a list."""
    if isinstance(array, np.ma.MaskedArray):
        is_masked = array.dtype.kind in "fiub" and array.size * 8 <= _MOST_BYTES and np.ma.getmaskarray(array).any()
        array = np.ma.filled(array.astype(np.float64), np.nan) if is_masked else np.asarray(array)
    array = np.asarray(array)  # a subclass, such as a matrix, becomes a base array
    if math.prod(array.shape) * max(array.itemsize, 1) > _MOST_BYTES:
        return Unreadable(f"array of shape {array.shape}, more than {_MOST_BYTES >> 30} GiB")
    if array.ndim == 0:
        return _plain(array.item(), depth + 1)
    if array.dtype.kind in "OUST":
        return _of_list(array.tolist(), depth)
    if array.dtype.kind == "V":
        return Unreadable("array of named fields" if array.dtype.names else "array of raw bytes")
    return array if array.dtype.kind in "fiub" else Unreadable(f"array of {array.dtype}")


def _of_picture(picture: Pillow.Image) -> Cell:
    """Return a PIL image as upright pixels, uint8 (H, W, 1, 3 or 4); as the bytes of a PNG or TIFF file if values have more than 8 bits."""
    if picture.width * picture.height > _MOST_PIXELS:
        return Unreadable(f"picture of {picture.width:,} x {picture.height:,} pixels; expected at most {_MOST_PIXELS:,}")
    picture = ImageOps.exif_transpose(picture)  # a copy
    if picture.mode.startswith(("I", "F")):
        return _deep_file(picture)
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    elif picture.mode not in ("L", "RGB"):
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    pixels = np.array(picture)
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def _deep_file(picture: Pillow.Image) -> bytes:
    """Return a lossless file, which is read as any such file: PNG for 16-bit grey, TIFF for 32-bit grey and floats."""
    values = np.asarray(picture)
    out, transparent = io.BytesIO(), picture.info.get("transparency")
    if picture.mode.startswith("I;16"):
        settings = {} if transparent is None else {"transparency": transparent}
        Pillow.fromarray(values.astype(np.uint16)).save(out, "PNG", compress_level=1, **settings)
    else:
        Pillow.fromarray(values).save(out, "TIFF")
    return out.getvalue()


def _pair(cell: Sequence[Any]) -> bytes | None:
    """Return the WAV file of a pair of a sound and its rate, in either order, as librosa and SciPy return them; None for other tuples."""
    if len(cell) != 2:
        return None
    array, rate = cell if isinstance(cell[1], (int, float, np.number)) else cell[::-1]
    return wav_of(array, rate, _USUAL_RATES) if isinstance(array, (list, np.ndarray, torch.Tensor)) else None


def wav_of(sound: Any, rate: Any, rates: tuple[int, int]) -> bytes | None:
    """Return the samples of a sound as the bytes of a WAV file; None if they are not a sound.

    :param sound: the samples (N,), (N, channels) or (channels, N): floats from -1 to 1, or integers over the full range of their type
    :param rate: samples per second, a whole number
    :param rates: the smallest and the largest rate that is accepted
    """
    if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)) or not rates[0] <= rate <= rates[1] or rate != int(rate):
        return None
    array = np.asarray(_of_tensor(sound) if isinstance(sound, torch.Tensor) else sound)
    array = array.astype(np.float64) if array.dtype == object else array  # a list with missing values
    if array.ndim not in (1, 2) or not array.size or array.dtype.kind not in "fiu" or array.size * array.itemsize > _MOST_BYTES // 2:
        return None
    if array.ndim == 2 and array.shape[0] < array.shape[1]:
        array = array.T
    channels = array.shape[1] if array.ndim == 2 else 1
    if channels > _MOST_CHANNELS:
        return None
    samples = _samples(array)
    width, body = samples.dtype.itemsize, samples.tobytes()
    coding = 3 if samples.dtype.kind == "f" else 1
    layout = struct.pack("<4sIHHIIHH", b"fmt ", 16, coding, channels, int(rate), int(rate) * channels * width, channels * width, 8 * width)
    return struct.pack("<4sI4s", b"RIFF", 36 + len(body), b"WAVE") + layout + struct.pack("<4sI", b"data", len(body)) + body


def _samples(array: np.ndarray) -> np.ndarray:
    """Return the samples in a format of WAV (uint8, int16, int32 or float32) at the same loudness."""
    dtype = array.dtype
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return array.astype("<f4")
    if dtype == np.uint8 or dtype in (np.dtype(np.int16), np.dtype(np.int32)):
        return array.astype(dtype.newbyteorder("<"))
    if dtype == np.int8:
        return array.astype("<i2") * 256
    if dtype == np.uint16:
        return (array.astype("<i4") - 32_768).astype("<i2")
    peak = max(abs(int(array.min())), abs(int(array.max())))
    return array.astype("<f4") if peak <= 1 else array.astype("<i2") if peak < 2**15 else (array / 2**31).astype("<f4")
