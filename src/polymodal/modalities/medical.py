"""Medical pictures: DICOM and NIfTI, to pixels of 8 bits. Of a file's fields only those of its pixels are read: no name, date or number of
a patient is kept, shown or logged.

DICOM: modality rescale, window and level (the file's own, or ``fields.NAME.window``), MONOCHROME1 turned over, 8 to 16 bits, one frame of
many. NIfTI: three neighbouring slices as the three colours (2.5D), from the middle of the last axis.
"""

from __future__ import annotations

import io
import math
import warnings
import zlib
from typing import Any

import numpy as np
from PIL import Image as Pillow

from ..errors import Fault, MissingDependency, requires

ENDINGS = (".dcm", ".dicom", ".nii", ".nii.gz")
_NIFTI = (b"n+1\0", b"ni1\0")
_MAX_BYTES = 512 * 2**20
"""Bytes that a packed NIfTI may unpack to."""


def is_medical(data: bytes) -> bool:
    """By its own mark, never by its name."""
    if data[:3] == b"\x1f\x8b\x08":
        try:
            data = zlib.decompressobj(31).decompress(data[:4_096], 400)
        except zlib.error:
            return False
    return data[128:132] == b"DICM" or data[344:348] in _NIFTI


def open_medical(data: bytes, max_pixels: int, channels: int, window: tuple[float, float] | None, frame: str) -> Pillow.Image:
    """L or RGB; ``Fault`` for what is none. No message repeats what a file says of itself."""
    is_dicom = data[128:132] == b"DICM"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _dicom(data, max_pixels, window, frame) if is_dicom else _nifti(data, max_pixels, channels, window)
    except Fault:
        raise
    except MissingDependency as error:  # one such file among others is a fault of its own
        raise Fault(str(error)) from None
    except MemoryError:
        raise Fault("a picture that needs more memory than there is") from None
    except Exception:  # readers raise whatever they like on hostile bytes
        raise Fault(f"a broken {'DICOM' if is_dicom else 'NIfTI'} file; expected pixels that can be read") from None


def _dicom(data: bytes, max_pixels: int, window: tuple[float, float] | None, frame: str) -> Pillow.Image:
    pydicom: Any = requires("pydicom", "medical")
    pixels: Any = requires("pydicom.pixels", "medical")
    file = pydicom.dcmread(io.BytesIO(data))
    if "PixelData" not in file:
        raise Fault("a DICOM without pixels; expected an image")
    rows, columns, frames = int(file.Rows), int(file.Columns), int(file.get("NumberOfFrames", 1) or 1)
    if rows * columns > max_pixels:
        raise Fault(f"a picture of {columns:,} x {rows:,} pixels; expected at most {max_pixels:,}")
    if not 1 <= frames <= 1_000_000:
        raise Fault(f"a DICOM of {frames:,} frames; expected 1 to 1,000,000")
    try:
        array = pixels.pixel_array(file, index=0 if frame == "first" else (frames - 1) // 2)
    except (RuntimeError, NotImplementedError, AttributeError, ValueError):
        raise Fault("a DICOM whose pixels cannot be unpacked; expected a transfer syntax that pydicom reads, and all of them") from None
    if array.ndim == 3:
        return Pillow.fromarray(np.asarray(array, np.uint8) if array.dtype == np.uint8 else _scaled(array.astype(np.float64), None))
    values = array.astype(np.float64) * float(file.get("RescaleSlope", 1) or 1) + float(file.get("RescaleIntercept", 0) or 0)
    if window is None:
        center, width = (_first(file.get(name)) for name in ("WindowCenter", "WindowWidth"))
        window = (center, width) if center is not None and width is not None and width > 0 else None
    grey = _scaled(values, window)
    return Pillow.fromarray(255 - grey if str(file.get("PhotometricInterpretation", "")) == "MONOCHROME1" else grey)


def _first(value: Any) -> float | None:
    """The first of several windows."""
    try:
        found = float(value[0] if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue" else value)
    except (TypeError, ValueError, IndexError):
        return None
    return found if math.isfinite(found) else None


def _nifti(data: bytes, max_pixels: int, channels: int, window: tuple[float, float] | None) -> Pillow.Image:
    nibabel: Any = requires("nibabel", "medical")
    if data[:2] == b"\x1f\x8b":
        unpacker = zlib.decompressobj(31)
        data = unpacker.decompress(data, _MAX_BYTES)
        if unpacker.unconsumed_tail:
            raise Fault(f"a packed file of more than {_MAX_BYTES:,} bytes; expected at most that")
    image = nibabel.Nifti1Image.from_bytes(data)
    shape = tuple(int(size) for size in image.shape)
    claimed = math.prod(shape) * image.get_data_dtype().itemsize
    if len(shape) < 2 or min(shape) < 1 or claimed > len(data):
        raise Fault(f"a NIfTI of shape {shape} in {len(data):,} bytes; expected two dimensions or more, all of it there")
    if shape[0] * shape[1] > max_pixels:
        raise Fault(f"a picture of {shape[0]:,} x {shape[1]:,} pixels; expected at most {max_pixels:,}")
    depth = shape[2] if len(shape) > 2 else 1
    middle = (depth - 1) // 2
    wanted = [min(max(middle + step, 0), depth - 1) for step in ((-1, 0, 1) if channels == 3 else (0,))]
    rest = (0,) * (len(shape) - 3)
    slices = [np.asarray(image.dataobj[(..., at, *rest)] if len(shape) > 2 else image.dataobj, np.float64) for at in wanted]
    stack = _scaled(np.stack(slices, -1), window)
    stack = np.rot90(stack)  # the first axis runs to the right, the second up
    return Pillow.fromarray(np.ascontiguousarray(stack if channels == 3 else stack[..., 0]))


def _scaled(values: np.ndarray, window: tuple[float, float] | None) -> np.ndarray:
    """To uint8 by a window (center, width), or between the 1st and the 99th percentile."""
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    if window is not None:
        low, high = window[0] - window[1] / 2, window[0] + window[1] / 2
    else:
        low, high = (float(bound) for bound in np.percentile(values, (1, 99)))
        if high <= low:
            low, high = float(values.min()), float(values.max())
    return np.round((values - low) / max(high - low, 1e-12) * 255).clip(0, 255).astype(np.uint8)
