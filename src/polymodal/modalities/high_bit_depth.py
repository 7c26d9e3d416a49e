"""Grey pictures of more than 8 bits, such as depth maps and X-rays, to bytes by a range: Pillow's modes I;16, I;16B, I and F.

Shapes: ``H`` rows, ``W`` columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow

from .array_images import bytes_of_map, range_of, thinned

_STRIP = 64  # rows that are scaled at a time


def is_deep(picture: Pillow.Image) -> bool:
    """Whether a picture is grey of more than 8 bits."""
    return picture.mode.startswith(("I", "F"))


def _values(picture: Pillow.Image) -> np.ndarray:
    """The values (H, W) of deep grey. Pillow reads unsigned 32 bits of a TIFF as signed ones."""
    values_HW = np.asarray(picture)
    tags = picture.tag_v2 if picture.format == "TIFF" else {}  # type: ignore[attr-defined]
    unsigned = values_HW.dtype == np.int32 and tags.get(258) == (32,) and tags.get(339, (1,)) == (1,)
    return values_HW.view(np.uint32) if unsigned else values_HW


def measured(picture: Pillow.Image) -> np.ndarray:
    """Some values (H, W, 1) of deep grey, evenly, as floats; NaN where it is transparent."""
    values_HW1 = thinned(_values(picture)[:, :, None]).astype(np.float64)
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        values_HW1[values_HW1 == clear] = np.nan
    return values_HW1


def shallow(picture: Pillow.Image, deep: Sequence[float] | None) -> Pillow.Image:
    """Deep grey as L, or as RGBA where one grey is transparent; a TIFF whose white is zero turned over.

    :param deep: the values that become 0 and 255; none: the picture's own range; None: as ``_scaled`` says
    """
    values_HW = _values(picture)
    if deep is None:
        grey_HW = _scaled(np.asarray(picture))
    else:
        grey_HW = bytes_of_map(values_HW[:, :, None], 1, [deep or range_of([measured(picture)], None)[0]])[:, :, 0]
    if picture.format == "TIFF" and picture.tag_v2.get(262) == 0:  # type: ignore[attr-defined]
        grey_HW = 255 - grey_HW
    grey = Pillow.fromarray(grey_HW)
    clear = picture.info.get("transparency")
    if not isinstance(clear, int):
        return grey
    return Pillow.merge("LA", (grey, Pillow.fromarray(np.where(values_HW == clear, 0, 255).astype(np.uint8)))).convert("RGBA")


def _scaled(values_HW: np.ndarray) -> np.ndarray:
    """Deep grey as uint8 (H, W), as before a range was learned: 16 bits by their whole range, other values by the finite ones' range."""
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
