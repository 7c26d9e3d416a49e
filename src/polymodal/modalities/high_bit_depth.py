"""Grey pictures of more than 8 bits ("deep grey"), such as depth maps and X-rays, scaled to uint8: Pillow's modes I;16, I;16B, I and F.

Shapes: ``H`` rows, ``W`` columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow

from .array_images import range_of, scaled_to_bytes, subsampled

_STRIP = 64  # rows that are scaled at a time


def is_deep(picture: Pillow.Image) -> bool:
    """Return whether a picture is grey of more than 8 bits."""
    return picture.mode.startswith(("I", "F"))


def _values(picture: Pillow.Image) -> np.ndarray:
    """Return the values (H, W) of a deep grey picture. Pillow reads the unsigned 32-bit values of a TIFF as signed; they are corrected."""
    values_HW = np.asarray(picture)
    tags = picture.tag_v2 if picture.format == "TIFF" else {}  # type: ignore[attr-defined]
    is_unsigned = values_HW.dtype == np.int32 and tags.get(258) == (32,) and tags.get(339, (1,)) == (1,)
    return values_HW.view(np.uint32) if is_unsigned else values_HW


def deep_values(picture: Pillow.Image) -> np.ndarray:
    """Return evenly spaced values of a deep grey picture as float64 (H, W, 1), NaN where it is transparent."""
    values_HW1 = subsampled(_values(picture)[:, :, None]).astype(np.float64)
    transparent = picture.info.get("transparency")
    if isinstance(transparent, int):
        values_HW1[values_HW1 == transparent] = np.nan
    return values_HW1


def scaled_to_8_bits(picture: Pillow.Image, deep: Sequence[float] | None) -> Pillow.Image:
    """Return a deep grey picture as mode L, or as RGBA if it has a transparent value. A TIFF in which 0 is white is inverted.

    :param picture: the picture
    :param deep: the values that become 0 and 255; empty = the range of the picture; None = the range of ``_scaled``
    """
    values_HW = _values(picture)
    if deep is None:
        grey_HW = _scaled(np.asarray(picture))
    else:
        grey_HW = scaled_to_bytes(values_HW[:, :, None], 1, [deep or range_of([deep_values(picture)], None)[0]])[:, :, 0]
    if picture.format == "TIFF" and picture.tag_v2.get(262) == 0:  # type: ignore[attr-defined]
        grey_HW = 255 - grey_HW
    grey = Pillow.fromarray(grey_HW)
    transparent = picture.info.get("transparency")
    if not isinstance(transparent, int):
        return grey
    return Pillow.merge("LA", (grey, Pillow.fromarray(np.where(values_HW == transparent, 0, 255).astype(np.uint8)))).convert("RGBA")


def _scaled(values_HW: np.ndarray) -> np.ndarray:
    """Return deep grey as uint8 (H, W) for models from before a range was learned: 16-bit values are scaled by their full range, other
    values by the range of the finite ones."""
    strips = [values_HW[start : start + _STRIP] for start in range(0, len(values_HW), _STRIP)]
    low, high = 0.0, 65_535.0
    if values_HW.dtype.kind == "f" or values_HW.max(initial=0) > high or values_HW.min(initial=0) < low:
        bounds = [(finite.min(), finite.max()) for strip in strips if (finite := strip[np.isfinite(strip)]).size]
        low, high = (float(min(b[0] for b in bounds)), float(max(b[1] for b in bounds))) if bounds else (0.0, 1.0)
    scale = 255 / max(high - low, 1e-12)
    out_HW = np.empty(values_HW.shape, np.uint8)
    for at, strip in enumerate(strips):
        values = np.nan_to_num(strip.astype(np.float64), nan=low, posinf=high, neginf=low)
        out_HW[at * _STRIP : (at + 1) * _STRIP] = np.round((values - low) * scale)
    return out_HW
