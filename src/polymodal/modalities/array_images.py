"""Pictures as arrays, such as radar maps and multispectral tiles: ``.npy`` files of shape (H, W), (H, W, C) or (C, H, W), scaled to uint8.

Memory is bounded by the size of the file, whatever its header declares. Shapes: ``H`` rows, ``W`` columns, ``C`` channels.
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
_SIDE = 16  # smallest number of rows and columns of an array that is recognised as a picture
_POINTS = 8  # an array of bytes with at most this many rows or columns is taken for points or a series
_STRIP = 64  # rows that are scaled at a time
_THIN = 256  # approximate number of rows and columns from which a range is learned
_LARGEST, _NARROWEST = 1e30, 1e-300  # values beyond the first are clipped to it; ranges are at least as wide as the second


def npy_picture(data: bytes, max_pixels: int, channels: int | None) -> np.ndarray:
    """Return the array of a ``.npy`` file as (H, W, C).

    :param data: the bytes of the file
    :param max_pixels: the largest number of pixels, H x W
    :param channels: the expected number of channels, which decides between (H, W, C) and (C, H, W); None = by the sizes of the axes
    :raises Fault: if the array cannot be read, or does not have the shape of a picture
    """
    try:
        array = npy_of(data, (2, 3))
    except Fault:
        raise
    except MemoryError:
        raise Fault("an array that needs more memory than is available") from None
    except Exception as error:  # numpy may raise anything on hostile headers
        raise Fault(f"an array that cannot be read ({' '.join(str(error).split())[:80]})") from None
    if not array.size:
        raise Fault(f"an array of shape {array.shape}; expected pixels")
    array = channels_last(array, channels)
    height, width, _ = array.shape
    if height * width > max_pixels:
        raise Fault(f"a picture of {width:,} x {height:,} pixels; expected at most {max_pixels:,}")
    return array


def array_picture(array: np.ndarray, max_pixels: int, max_bytes: int, channels: int | None) -> Pillow.Image | np.ndarray:
    """Return an array in memory as a picture.

    :param array: pixels (H, W), (H, W, C) or (C, H, W)
    :param max_pixels: the largest number of pixels, H x W
    :param max_bytes: the largest number of bytes, which does not apply to uint8
    :param channels: the expected number of channels; None = not known yet
    :returns: a PIL image of uint8 in grey, RGB or RGBA; any other array as (H, W, C)
    :raises Fault: if the array does not have the type or the shape of a picture, or exceeds the bounds
    """
    if array.dtype.kind not in "fiub" or array.ndim not in (2, 3) or not array.size:
        raise Fault(f"an array of {array.dtype} of shape {array.shape}; expected pixels: (H, W), (H, W, C) or (C, H, W)")
    if array.dtype != np.uint8 and array.nbytes > max_bytes:
        raise Fault(f"an array of {array.nbytes:,} bytes; expected at most {max_bytes:,}")
    is_first = array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4)
    array = array.transpose(1, 2, 0) if is_first else channels_last(array, channels)
    height, width, count = array.shape
    if height * width > max_pixels:
        raise Fault(f"a picture of {width:,} x {height:,} pixels; expected at most {max_pixels:,}")
    if array.dtype != np.uint8 or count not in (1, 3, 4):
        return array
    return Pillow.fromarray(np.ascontiguousarray(array[:, :, 0] if count == 1 else array))


def is_array_of_pixels(array: np.ndarray) -> bool:
    """Return whether an array in memory is recognised as a picture: uint8 of shape (H, W), or with 1, 3 or 4 channels; other types as for a
    ``.npy`` file (``is_a_picture``)."""
    if array.dtype == np.uint8 and array.ndim == 3 and (array.shape[2] in (1, 3, 4) or array.shape[0] in (1, 3, 4)):
        return array.size > 0
    if array.dtype == np.uint8 and array.ndim == 2:
        shorter: int = min(array.shape)
        return shorter > _POINTS
    return array.dtype.kind in "fiub" and _has_sides(array.shape)


def channels_last(array: np.ndarray, channels: int | None) -> np.ndarray:
    """Return an array (H, W), (H, W, C) or (C, H, W) as (H, W, C); ``channels`` decides where both axes may be the channels."""
    if array.ndim == 2:
        return array[:, :, None]
    is_last, is_first = array.shape[2] <= MAX_CHANNELS, array.shape[0] <= MAX_CHANNELS
    if is_last and is_first and channels is not None:
        is_last = array.shape[2] == channels or array.shape[0] != channels
    if not is_last and not is_first:
        raise Fault(f"an array of shape {array.shape}; expected (H, W), (H, W, C) or (C, H, W) of at most {MAX_CHANNELS} channels")
    return array if is_last else array.transpose(1, 2, 0)


def is_a_picture(data: bytes) -> bool:
    """Return whether the bytes of a ``.npy`` file are recognised as a picture: two axes of at least 16, and one of at most 16 channels."""
    try:
        shape, _ = npy_header(data)
    except Exception:  # not an array
        return False
    return _has_sides(shape)


def _has_sides(shape: Sequence[int]) -> bool:
    """Return whether a shape is that of a picture with channels."""
    if len(shape) != 3:
        return False
    height, width, channels = shape if shape[2] <= MAX_CHANNELS else (*shape[1:], shape[0])
    return min(height, width) >= _SIDE and 1 <= channels <= MAX_CHANNELS


def subsampled(array_HWC: np.ndarray) -> np.ndarray:
    """Return evenly spaced rows and columns of an array, from which a range is learned."""
    rows, columns = (max(1, size // _THIN) for size in array_HWC.shape[:2])
    return array_HWC[::rows, ::columns].copy()


def range_of(arrays: Sequence[np.ndarray], window: tuple[float, float] | None) -> list[list[float]]:
    """Return the values of each channel that become 0 and 255.

    :param arrays: arrays (H, W, C); those with another number of channels than most are ignored
    :param window: center and width of the range; None = 0 to 255 if all arrays are uint8, else the 1st to the 99th percentile
    """
    channels = Counter(array.shape[2] for array in arrays).most_common(1)[0][0]
    if window is not None:
        return [[window[0] - window[1] / 2, window[0] + window[1] / 2]] * channels
    if all(array.dtype == np.uint8 for array in arrays):
        return [[0.0, 255.0]] * channels
    bounds = []
    for at in range(channels):
        values = np.concatenate([array[:, :, at].ravel() for array in arrays if array.shape[2] == channels]).astype(np.float64)
        values = values[np.isfinite(values)].clip(-_LARGEST, _LARGEST)
        low, high = (float(bound) for bound in np.percentile(values, (1, 99))) if len(values) else (0.0, 1.0)
        if high <= low and len(values):  # nearly all values are equal, and the others are beyond the percentiles
            low, high = float(values.min()), float(values.max())
        bounds.append([low, high if high > low else low + 1.0])
    return bounds


def scaled_to_bytes(array_HWC: np.ndarray, channels: int, bounds: Sequence[Sequence[float]]) -> np.ndarray:
    """Return an array scaled to uint8 (H, W, channels).

    :param array_HWC: the array, of 1 channel, which is repeated, or of ``channels``
    :param channels: the number of channels of the result
    :param bounds: the values of each channel, or of all, that become 0 and 255; empty = the range of the array. NaN becomes 0
    :raises Fault: for another number of channels
    """
    if array_HWC.shape[2] not in (1, channels):
        raise Fault(f"an array of {array_HWC.shape[2]} channels; expected {channels}, as in training")
    if not bounds:  # there were no arrays in the training rows
        bounds = range_of([subsampled(array_HWC)], None)
    if array_HWC.shape[2] == 1 < channels:
        array_HWC = np.broadcast_to(array_HWC, (*array_HWC.shape[:2], channels))
    low_C, high_C = (np.array([bound[at] for bound in bounds] * (channels if len(bounds) == 1 else 1)) for at in (0, 1))
    scale_C = 255 / np.maximum(high_C - low_C, _NARROWEST)
    out_HWC = np.empty(array_HWC.shape, np.uint8)
    for start in range(0, len(array_HWC), _STRIP):
        strip = np.nan_to_num(array_HWC[start : start + _STRIP].astype(np.float64), nan=-math.inf, posinf=math.inf, neginf=-math.inf)
        out_HWC[start : start + _STRIP] = np.round((strip.clip(low_C, high_C) - low_C) * scale_C)
    return out_HWC
