"""Pictures as arrays: ``.npy`` files of (H, W), (H, W, C) or (C, H, W), such as radar maps and multispectral tiles, to bytes by a range.

Bounded by what a file holds, whatever its header claims. Shapes: ``H`` rows, ``W`` columns, ``C`` channels.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow

from ..errors import Fault
from .arrays import npy_header, npy_of

MAGIC = b"\x93NUMPY"
MAX_CHANNELS = 16
_SIDE = 16  # rows and columns of what is taken for a picture without being told, at least
_POINTS = 8  # rows or columns of bytes that are points of as many numbers, or a series of them, at most
_STRIP = 64  # rows that are scaled at a time
_THIN = 256  # rows and columns that are looked at to learn a range, at most
_MOST, _LEAST = 1e30, 1e-300  # values beyond are taken for the first; ranges are not narrower than the second


def map_of(data: bytes, max_pixels: int, channels: int | None) -> np.ndarray:
    """The array of a ``.npy`` as (H, W, C); which axis holds the channels is told by ``channels``, else by its size."""
    try:
        array = npy_of(data, (2, 3))
    except Fault:
        raise
    except MemoryError:
        raise Fault("an array that needs more memory than there is") from None
    except Exception as error:  # numpy raises whatever it likes on hostile headers
        raise Fault(f"an array that cannot be read ({' '.join(str(error).split())[:80]})") from None
    if not array.size:
        raise Fault(f"an array of shape {array.shape}; expected pixels")
    array = channels_last(array, channels)
    height, width, _ = array.shape
    if height * width > max_pixels:
        raise Fault(f"a picture of {width:,} x {height:,} pixels; expected at most {max_pixels:,}")
    return array


def picture_in(array: np.ndarray, max_pixels: int, max_bytes: int, channels: int | None) -> Pillow.Image | np.ndarray:
    """An array in memory: one of bytes in grey, RGB or RGBA as the picture that a file of them would be, any other as (H, W, C)."""
    if array.dtype.kind not in "fiub" or array.ndim not in (2, 3) or not array.size:
        raise Fault(f"an array of {array.dtype} of shape {array.shape}; expected pixels: (H, W), (H, W, C) or (C, H, W)")
    if array.dtype != np.uint8 and array.nbytes > max_bytes:
        raise Fault(f"an array of {array.nbytes:,} bytes; expected at most {max_bytes:,}")
    first = array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4)
    array = array.transpose(1, 2, 0) if first else channels_last(array, channels)
    height, width, count = array.shape
    if height * width > max_pixels:
        raise Fault(f"a picture of {width:,} x {height:,} pixels; expected at most {max_pixels:,}")
    if array.dtype != np.uint8 or count not in (1, 3, 4):
        return array
    return Pillow.fromarray(np.ascontiguousarray(array[:, :, 0] if count == 1 else array))


def holds_pixels(array: np.ndarray) -> bool:
    """Whether an array in memory is a picture without anybody saying so: bytes of (H, W), or of grey, RGB or RGBA; else as a ``.npy``."""
    if array.dtype == np.uint8 and array.ndim == 3 and (array.shape[2] in (1, 3, 4) or array.shape[0] in (1, 3, 4)):
        return array.size > 0
    if array.dtype == np.uint8 and array.ndim == 2:
        return min(array.shape) > _POINTS
    return array.dtype.kind in "fiub" and _has_sides(array.shape)


def channels_last(array: np.ndarray, channels: int | None) -> np.ndarray:
    """(H, W), (H, W, C) or (C, H, W) as (H, W, C)."""
    if array.ndim == 2:
        return array[:, :, None]
    last, first = array.shape[2] <= MAX_CHANNELS, array.shape[0] <= MAX_CHANNELS
    if last and first and channels is not None:
        last = array.shape[2] == channels or array.shape[0] != channels
    if not last and not first:
        raise Fault(f"an array of shape {array.shape}; expected (H, W), (H, W, C) or (C, H, W) of at most {MAX_CHANNELS} channels")
    return array if last else array.transpose(1, 2, 0)


def is_a_picture(data: bytes) -> bool:
    """Whether an array is a picture without anybody saying so: of three dimensions, two of them sides and one of few channels."""
    try:
        shape, _ = npy_header(data)
    except Exception:  # no array, then
        return False
    return _has_sides(shape)


def _has_sides(shape: Sequence[int]) -> bool:
    if len(shape) != 3:
        return False
    height, width, channels = shape if shape[2] <= MAX_CHANNELS else (*shape[1:], shape[0])
    return min(height, width) >= _SIDE and 1 <= channels <= MAX_CHANNELS


def thinned(array_HWC: np.ndarray) -> np.ndarray:
    """Some of its rows and columns, evenly: what a range is learned from."""
    rows, columns = (max(1, size // _THIN) for size in array_HWC.shape[:2])
    return array_HWC[::rows, ::columns].copy()


def range_of(arrays: Sequence[np.ndarray], window: tuple[float, float] | None) -> list[list[float]]:
    """The values of each channel that become 0 and 255: of bytes their own, else the window, else the 1st and the 99th percentile."""
    channels = Counter(array.shape[2] for array in arrays).most_common(1)[0][0]
    if window is not None:
        return [[window[0] - window[1] / 2, window[0] + window[1] / 2]] * channels
    if all(array.dtype == np.uint8 for array in arrays):
        return [[0.0, 255.0]] * channels
    found = []
    for at in range(channels):
        values = np.concatenate([array[:, :, at].ravel() for array in arrays if array.shape[2] == channels]).astype(np.float64)
        values = values[np.isfinite(values)].clip(-_MOST, _MOST)
        low, high = (float(bound) for bound in np.percentile(values, (1, 99))) if len(values) else (0.0, 1.0)
        if high <= low and len(values):  # nearly all of them are one value: what differs lies beyond
            low, high = float(values.min()), float(values.max())
        found.append([low, high if high > low else low + 1.0])
    return found


def bytes_of_map(array_HWC: np.ndarray, channels: int, bounds: Sequence[Sequence[float]]) -> np.ndarray:
    """uint8 (H, W, channels) by the ranges of the channels; NaN is the lowest. One channel becomes as many as are asked for."""
    if array_HWC.shape[2] not in (1, channels):
        raise Fault(f"an array of {array_HWC.shape[2]} channels; expected {channels}, as in training")
    if not bounds:  # training saw no array
        bounds = range_of([thinned(array_HWC)], None)
    if array_HWC.shape[2] == 1 < channels:
        array_HWC = np.broadcast_to(array_HWC, (*array_HWC.shape[:2], channels))
    low_C, high_C = (np.array([bound[at] for bound in bounds] * (channels if len(bounds) == 1 else 1)) for at in (0, 1))
    scale_C = 255 / np.maximum(high_C - low_C, _LEAST)
    out_HWC = np.empty(array_HWC.shape, np.uint8)
    for start in range(0, len(array_HWC), _STRIP):
        strip = np.nan_to_num(array_HWC[start : start + _STRIP].astype(np.float64), nan=-math.inf, posinf=math.inf, neginf=-math.inf)
        out_HWC[start : start + _STRIP] = np.round((strip.clip(low_C, high_C) - low_C) * scale_C)
    return out_HWC
