"""Objects in memory, and the layouts in which Hugging Face's ``datasets`` keep files, as the cells that every modality reads.

``plain`` is applied where cells leave a table, so that readers, digests, stores and reports see one kind of cell only:

- ``{"bytes": ..., "path": ...}`` (features ``Image``, ``Audio``, ``Video``) becomes its bytes, or its path where there are none;
- ``{"array": ..., "sampling_rate": ...}``, ``(array, rate)`` and ``(rate, array)`` become the bytes of a WAV file;
- a PIL image becomes a uint8 array (H, W, C), upright, or the bytes of a file where its values are deeper than 8 bits;
- a period of pandas becomes the moment when it begins;
- a torch tensor, and whatever else has ``__array__``, becomes a numpy array; an array of texts becomes a list;
- an object that none of this applies to becomes ``Unreadable``, which says what it was.

Text, numbers, dates, bytes, lists and numeric arrays stay as they are. Nothing that is given is changed.
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
"""Types of cells, and of what a list may hold, that need no second look."""

_MOST_BYTES = 2**31
"""Bytes of an array in a cell, at most: a broadcast array claims more than there is memory."""
_MOST_PIXELS = 2**28
"""Pixels of a PIL image, at most; it may not have been decoded yet."""
_DEEPEST = 8
"""How deep lists may be nested."""
_RATES, _USUAL_RATES = (100, 1_000_000), (1_000, 1_000_000)
"""Samples a second of a sound that says so, and of a pair of an array and a whole number."""
_MOST_CHANNELS = 64


class FixedList(list[Any]):
    """A list from a column whose lists are declared to be of one length, such as Arrow's ``fixed_size_list``."""


def plain(cell: Cell) -> Cell:
    """The cell as the modalities read it: see the module's docstring. Never raises."""
    if type(cell) in PLAIN:
        return cell
    try:
        return _plain(cell, 0)
    except Exception:  # whatever the methods of an object of elsewhere raise
        return Unreadable(f"{called(cell)} whose content cannot be read")


def described(cell: Cell) -> str:
    """What kind of thing a cell holds, for messages about a column, such as ``dict (a, b)``, ``list of str``, ``array of bool in 4
    dimensions``."""
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
    """The type of a cell in a word, for messages about one cell."""
    return cell.found if isinstance(cell, Unreadable) else type(cell).__name__


def is_object(cell: Cell) -> bool:
    """Whether no modality at all reads such a cell: a dict, another object, or a list that holds one."""
    return isinstance(cell, (dict, Unreadable)) or (isinstance(cell, list) and any(isinstance(item, (dict, Unreadable)) for item in cell))


def is_empty_list(cell: Cell) -> bool:
    """Whether a cell is a list or an array of nothing."""
    return (isinstance(cell, list) and all(item is None for item in cell)) or (isinstance(cell, np.ndarray) and not cell.size)


def _plain(cell: Cell, depth: int) -> Cell:
    if type(cell) in PLAIN or isinstance(cell, (str, int, float, datetime.date, datetime.timedelta, bytearray, os.PathLike, Unreadable)):
        return cell
    if depth > _DEEPEST:
        return Unreadable(f"{called(cell)} nested more than {_DEEPEST} deep")
    if isinstance(cell, dict):
        return _of_dict(cell, depth)
    if isinstance(cell, tuple):
        sound = _pair(cell)
        return sound if sound is not None else _of_list(list(cell), depth)
    if isinstance(cell, list):
        return _of_list(cell, depth)
    if isinstance(cell, (set, frozenset)):
        return _of_list(sorted(cell), depth)  # TypeError for items that have no order
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
    if is_empty(cell):  # pandas' nothings
        return cell
    if called(cell) == "Period" and type(cell).__module__.partition(".")[0] == "pandas":
        return cell.to_timestamp()
    if type(cell).__str__ is not object.__str__:  # a decimal, a UUID, an address: it has a text of its own
        str(cell)  # an object whose text cannot be had is unreadable
        return cell
    return Unreadable(f"object of type {called(cell)}")


def _of_list(items: list[Any], depth: int) -> Cell:
    kinds = set(map(type, items))
    if kinds <= PLAIN or (kinds == {list} and set(map(type, chain.from_iterable(items))) <= PLAIN):
        return items
    made = [_plain(item, depth + 1) for item in items]
    return items if all(one is other for one, other in zip(made, items, strict=True)) else made


def _of_dict(cell: dict[Any, Any], depth: int) -> Cell:
    keys = set(cell)
    if keys and keys <= {"bytes", "path"}:
        return _of_file(cell.get("bytes"), cell.get("path"), cell)
    if {"array", "sampling_rate"} <= keys <= {"array", "sampling_rate", "path", "bytes"}:
        if cell["array"] is None:
            return _of_file(cell.get("bytes"), cell.get("path"), cell)
        sound = wav_of(cell["array"], cell["sampling_rate"], _RATES)
        return sound if sound is not None else Unreadable("dict (array, sampling_rate) that holds no sound")
    return {str(key): _plain(value, depth + 1) for key, value in cell.items()}


def _of_file(body: Any, path: Any, cell: dict[Any, Any]) -> Cell:
    """The bytes of a file, or the path to it; None where both are missing. Bytes written as text (in JSON) are base64."""
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
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _of_array(array: np.ndarray, depth: int) -> Cell:
    if isinstance(array, np.ma.MaskedArray):
        hidden = array.dtype.kind in "fiub" and array.size * 8 <= _MOST_BYTES and np.ma.getmaskarray(array).any()
        array = np.ma.filled(array.astype(np.float64), np.nan) if hidden else np.asarray(array)
    array = np.asarray(array)  # of a matrix, or of another class of numpy's, the array alone
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
    """A PIL image, upright: uint8 (H, W, 1, 3 or 4); or the bytes of a PNG or TIFF file, of values deeper than 8 bits."""
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
    """Grey of 16 bits as PNG, of 32 bits and of floats as TIFF: without a loss, and read as a file of such pictures is."""
    values = np.asarray(picture)
    out, clear = io.BytesIO(), picture.info.get("transparency")
    if picture.mode.startswith("I;16"):
        settings = {} if clear is None else {"transparency": clear}
        Pillow.fromarray(values.astype(np.uint16)).save(out, "PNG", compress_level=1, **settings)
    else:
        Pillow.fromarray(values).save(out, "TIFF")
    return out.getvalue()


def _pair(cell: Sequence[Any]) -> bytes | None:
    """A pair of a sound and its rate, in either order, as librosa and SciPy give them; None for any other tuple."""
    if len(cell) != 2:
        return None
    array, rate = cell if isinstance(cell[1], (int, float, np.number)) else cell[::-1]
    return wav_of(array, rate, _USUAL_RATES) if isinstance(array, (list, np.ndarray, torch.Tensor)) else None


def wav_of(sound: Any, rate: Any, rates: tuple[int, int]) -> bytes | None:
    """Samples (N,), (N, channels) or (channels, N) as a WAV file; None for what is no sound of one of these ``rates``.

    Floats are from -1 to 1. Whole numbers are of the full range of their type, as in the files that they come from.
    """
    if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)) or not rates[0] <= rate <= rates[1] or rate != int(rate):
        return None
    array = np.asarray(_of_tensor(sound) if isinstance(sound, torch.Tensor) else sound)
    array = array.astype(np.float64) if array.dtype == object else array  # a list in which some are missing
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
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, coding, channels, int(rate), int(rate) * channels * width, channels * width, 8 * width)
    return struct.pack("<4sI4s", b"RIFF", 36 + len(body), b"WAVE") + form + struct.pack("<4sI", b"data", len(body)) + body


def _samples(array: np.ndarray) -> np.ndarray:
    """The samples in one of the formats of WAV: uint8, int16, int32 or float32, of the same loudness."""
    kind = array.dtype
    if kind.kind == "f":
        with np.errstate(over="ignore"):
            return array.astype("<f4")
    if kind == np.uint8 or kind in (np.dtype(np.int16), np.dtype(np.int32)):
        return array.astype(kind.newbyteorder("<"))
    if kind == np.int8:
        return array.astype("<i2") * 256
    if kind == np.uint16:
        return (array.astype("<i4") - 32_768).astype("<i2")
    loudest = max(abs(int(array.min())), abs(int(array.max())))
    return array.astype("<f4") if loudest <= 1 else array.astype("<i2") if loudest < 2**15 else (array / 2**31).astype("<f4")
