"""Medical pictures: DICOM and NIfTI files as pixels of 8 bits. Only the parts of a file that the pixels need are used: no name, date or
number of a patient is kept, shown or logged.

DICOM: one frame of the file is read. The Modality LUT, or the rescale slope and intercept, are applied to grey values, then the VOI LUT or
the window of the file; MONOCHROME1 or the presentation shape INVERSE inverts them once. The functional groups of the frame take precedence
over those shared by all frames, and these over the values of the file. ``fields.NAME.window`` replaces VOI LUT and window. Without any of
them the range from the 1st to the 99th percentile of the values, without padding, becomes black to white. PALETTE COLOR and YBR become RGB.

NIfTI: the middle slice across the head-foot axis is read, or three neighbouring slices as the three colours (2.5D). Whatever the order and
direction in which the axes are stored, the front of the patient is up and the patient's right side is on the right of the picture: the axes
are those of the closest canonical orientation, RAS+, by the sform, or else by the qform. If a volume has a single slice along another axis,
this slice is read, with the head or the front up. A file without a usable orientation keeps its stored order, as if it were RAS+.

Each voxel or pixel of a file is one pixel of the picture. Its physical size is ignored, since pictures are resized to a square anyway.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import zlib
from typing import Any

import numpy as np
from PIL import Image as Pillow

from ..errors import Fault, MissingDependency, counted, requires
from ..quiet import ignore_warnings_of
from .dicom_lookup_tables import colours_of, table_of

EXTENSIONS = (".dcm", ".dicom", ".nii", ".nii.gz")
_NIFTI = (b"n+1\0", b"ni1\0")
_NIFTI_2 = (b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n")
_MAX_BYTES = 512 * 2**20
"""The largest number of bytes to which a compressed NIfTI may be decompressed."""
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_NOT_RGB = ("HSV", "CMYK", "ARGB", "YBR_PARTIAL_422", "YBR_PARTIAL_420")
"""Retired colour models that pydicom does not convert."""


def is_medical(data: bytes) -> bool:
    """Return whether bytes, or the first 400 of them, begin as a DICOM or NIfTI file does. The name of the file is not used."""
    if data[:3] == b"\x1f\x8b\x08":
        try:
            data = zlib.decompressobj(31).decompress(data[:4_096], 400)
        except zlib.error:
            return False
    return data[128:132] == b"DICM" or data[344:348] in _NIFTI or data[4:12] in _NIFTI_2


def open_medical(data: bytes, max_pixels: int, channels: int, window: tuple[float, float] | None, frame: str) -> Pillow.Image:
    """Return the picture of a DICOM or NIfTI file, of mode L or RGB.

    :param data: the bytes of the file
    :param max_pixels: the largest number of pixels
    :param channels: 3 = three neighbouring slices of a NIfTI as colours
    :param window: center and width of the values that become black to white; None = those of the file
    :param frame: which frame of a DICOM is read, "first" or "middle"
    :raises Fault: if the file cannot be read; no message contains data of a patient
    """
    is_dicom = data[128:132] == b"DICM"
    ignore_warnings_of("pydicom", "openjpeg", "nibabel")
    try:
        with np.errstate(all="ignore"):
            return _dicom(data, max_pixels, window, frame) if is_dicom else _nifti(data, max_pixels, channels, window)
    except Fault:
        raise
    except MissingDependency as error:  # a fault of this cell only: the other files of the column may have other formats
        raise Fault(str(error)) from None
    except MemoryError:
        raise Fault("a picture that needs more memory than is available") from None
    except Exception:  # readers may raise anything on hostile bytes
        raise Fault(f"a broken {'DICOM' if is_dicom else 'NIfTI'} file; expected pixels that can be read") from None


# -- DICOM -----------------------------------------------------------------------------------------------------------------


def _dicom(data: bytes, max_pixels: int, window: tuple[float, float] | None, frame: str) -> Pillow.Image:
    """Return the picture of a DICOM file."""
    pydicom: Any = requires("pydicom", "medical")
    pixels: Any = requires("pydicom.pixels", "medical")
    file = pydicom.dcmread(io.BytesIO(data))
    if not any(name in file for name in _PIXELS):
        raise Fault("a DICOM without pixels; expected an image")
    rows, columns, frames = int(file.Rows), int(file.Columns), int(file.get("NumberOfFrames", 1) or 1)
    if rows * columns > max_pixels:
        raise Fault(f"a picture of {columns:,} x {rows:,} pixels; expected at most {max_pixels:,}")
    if not 1 <= frames <= 1_000_000:
        raise Fault(f"a DICOM of {frames:,} frames; expected 1 to 1,000,000")
    at = 0 if frame == "first" else (frames - 1) // 2
    try:
        array = pixels.pixel_array(file, index=at)
    except (RuntimeError, NotImplementedError, AttributeError, ValueError):
        raise Fault("a DICOM whose pixels cannot be unpacked; expected a complete file in a transfer syntax that pydicom reads") from None
    photometric = str(file.get("PhotometricInterpretation", "")).strip().upper()
    if photometric == "PALETTE COLOR":
        return Pillow.fromarray(colours_of(array, file, _is_little_endian(file)))
    if array.ndim == 3:
        if array.shape[2] != 3 or photometric in _NOT_RGB:
            raise Fault(
                f"a DICOM of {array.shape[2]} samples per pixel in an unsupported colour model; expected RGB, YBR_FULL or a palette"
            )
        full = 2.0 ** int(file.BitsStored) - 1
        return Pillow.fromarray(array if array.dtype == np.uint8 and full == 255 else _scaled(array.astype(np.float64), 0, full))
    grey = _grey(array, file, at, window)
    is_inverse = photometric == "MONOCHROME1" or str(file.get("PresentationLUTShape", "")).strip().upper() == "INVERSE"
    return Pillow.fromarray(255 - grey if is_inverse else grey)


def _grey(stored: np.ndarray, file: Any, at: int, window: tuple[float, float] | None) -> np.ndarray:
    """Convert stored values (H, W) of frame ``at`` to uint8 by the Modality LUT, then the VOI LUT or a window, like ``pydicom.pixels``."""
    places = _places(file, at)
    values = _modality(stored, file, places)
    if window is not None:
        return _scaled(values, *_bounds(*window))
    for place in places:
        luts = place.get("VOILUTSequence")
        if luts and "LUTDescriptor" in luts[0] and "LUTData" in luts[0]:
            table = table_of(luts[0], _is_little_endian(file))
            return _scaled(table.of(values).astype(np.float64), 0, 2.0**table.bits - 1)
        center, width = (_first(place.get(name)) for name in ("WindowCenter", "WindowWidth"))
        if center is None or width is None or width <= 0:
            continue
        function = str(place.get("VOILUTFunction") or "LINEAR").strip().upper()
        if function == "SIGMOID":
            return _scaled(1 / (1 + np.exp(-4 * (values - center) / width)), 0, 1)
        # PS3.3 C.11.2.1.2: LINEAR spans width - 1; a width below 1 is allowed in LINEAR_EXACT only, which is then applied
        is_exact = function == "LINEAR_EXACT" or width < 1
        return _scaled(values, *_bounds(*((center, width) if is_exact else (center - 0.5, width - 1))))
    return _scaled(values, *_range(_unpadded(values, stored, file)))


def _places(file: Any, at: int) -> list[Any]:
    """Return the data sets in which the transformations of a frame are looked up, in this order: its functional groups, those shared by all
    frames, the file."""
    places = []
    for groups, index in ((file.get("PerFrameFunctionalGroupsSequence"), at), (file.get("SharedFunctionalGroupsSequence"), 0)):
        if groups and index < len(groups):
            macros = (groups[index].get(name) for name in ("PixelValueTransformationSequence", "FrameVOILUTSequence"))
            places += [macro[0] for macro in macros if macro]
    return [*places, file]


def _modality(stored: np.ndarray, file: Any, places: list[Any]) -> np.ndarray:
    """Convert stored values to float64 in the units of the file, such as Hounsfield units."""
    for place in places:
        if place.get("ModalityLUTSequence"):
            return table_of(place.ModalityLUTSequence[0], _is_little_endian(file)).of(stored).astype(np.float64)
        if "RescaleSlope" in place or "RescaleIntercept" in place:
            slope, intercept = (float(place.get(name) or 0) for name in ("RescaleSlope", "RescaleIntercept"))
            if not math.isfinite(slope) or not math.isfinite(intercept):
                raise Fault("a DICOM whose rescale slope or intercept is not a finite number; expected finite numbers")
            return stored.astype(np.float64) * (slope or 1) + intercept
    return stored.astype(np.float64)


def _unpadded(values: np.ndarray, stored: np.ndarray, file: Any) -> np.ndarray:
    """Return the values without padding, or all values if there is nothing else (PS3.3 C.7.5.1.1.2). The padding value may be stored as a
    signed or an unsigned number."""
    value = file.get("PixelPaddingValue")
    if not isinstance(value, int) or stored.dtype.kind not in "iu":
        return values
    limit = file.get("PixelPaddingRangeLimit")
    low, high = sorted(int(np.array(end).astype(stored.dtype)) for end in (value, limit if isinstance(limit, int) else value))
    is_value = (stored < low) | (stored > high)
    return values[is_value] if is_value.any() else values


def _is_little_endian(file: Any) -> bool:
    """Return whether the bytes of a file are in little-endian order."""
    return str(file.file_meta.get("TransferSyntaxUID", "")) != "1.2.840.10008.1.2.2"  # Explicit VR Big Endian


def _first(value: Any) -> float | None:
    """Return the first of one or several numbers; None if it is missing or not finite."""
    try:
        number = float(value[0] if isinstance(value, (list, tuple)) or type(value).__name__ == "MultiValue" else value)
    except (TypeError, ValueError, IndexError):
        return None
    return number if math.isfinite(number) else None


# -- NIfTI -----------------------------------------------------------------------------------------------------------------


def _nifti(data: bytes, max_pixels: int, channels: int, window: tuple[float, float] | None) -> Pillow.Image:
    """Return the picture of a NIfTI file."""
    nibabel: Any = requires("nibabel", "medical")
    data = _unpacked(data)
    is_second = data[4:12] in _NIFTI_2
    header = (nibabel.Nifti2Header if is_second else nibabel.Nifti1Header).from_fileobj(io.BytesIO(data))
    if data[344:348] == _NIFTI[1] or data[4:12] == _NIFTI_2[1]:
        raise Fault("a NIfTI header whose voxels are in another file (.hdr and .img); expected one file, .nii or .nii.gz")
    shape = tuple(int(size) for size in header.get_data_shape())
    least = 544 if is_second else 352  # bytes before the voxels
    offset = int(header.get_data_offset()) or least
    declared = math.prod(shape) * header.get_data_dtype().itemsize
    if len(shape) < 2 or min(shape) < 1 or offset < least or offset + declared > len(data):
        raise Fault(f"a NIfTI of shape {shape} in {counted(len(data), 'byte')}; expected a complete file of two dimensions or more")
    stored = np.ndarray(shape, header.get_data_dtype(), data, offset, order="F")  # a view: only the selected slices are read
    first: Any = (..., None) if len(shape) == 2 else (..., *(0,) * (len(shape) - 3))  # the first of several volumes
    volume = _canonical(stored[first], header, nibabel)
    thin = [axis for axis in range(3) if volume.shape[axis] == 1]
    volume = np.moveaxis(volume, thin[0] if len(thin) == 1 else 2, 2)
    width, height, depth = volume.shape
    if width * height > max_pixels:
        raise Fault(f"a picture of {width:,} x {height:,} pixels; expected at most {max_pixels:,}")
    middle = (depth - 1) // 2
    slices = [min(max(middle + step, 0), depth - 1) for step in ((-1, 0, 1) if channels == 3 else (0,))]
    slope, intercept = header.get_slope_inter()
    values = _real(volume[..., slices]) * (1 if slope is None else slope) + (0 if intercept is None else intercept)
    stack = np.rot90(_scaled(values, *(_range(values) if window is None else _bounds(*window))))  # the second axis points up
    return Pillow.fromarray(np.ascontiguousarray(stack if channels == 3 else stack[..., 0]))


def _unpacked(data: bytes) -> bytes:
    """Return the content of a gzip file of one or several members (as bgzip writes them), up to the first error; other bytes unchanged."""
    if data[:2] != b"\x1f\x8b":
        return data
    parts: list[bytes] = []
    size = 0
    with contextlib.suppress(OSError, EOFError, zlib.error), gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        while part := file.read1(2**20):
            parts.append(part)
            size += len(part)
            if size > _MAX_BYTES:
                raise Fault(f"a compressed file of more than {_MAX_BYTES:,} bytes; expected at most {_MAX_BYTES:,}")
    return b"".join(parts)


def _canonical(volume: np.ndarray, header: Any, nibabel: Any) -> np.ndarray:
    """Return a view of a volume whose axes point to the patient's right, front and head (RAS+); the stored order if no affine is usable."""
    for form in (header.get_sform, header.get_qform):
        affine, code = form(coded=True)
        if code <= 0 or not np.isfinite(affine).all():
            continue
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        if not lengths.all() or np.linalg.matrix_rank(affine[:3, :3] / lengths, tol=1e-3) < 3:
            continue
        orientation = nibabel.io_orientation(affine)
        axes = [int(axis) for axis in np.argsort(orientation[:, 0])]
        return volume.transpose(axes)[tuple(slice(None, None, int(orientation[axis, 1])) for axis in axes)]
    return volume


def _real(values: np.ndarray) -> np.ndarray:
    """Return voxels as float64; the magnitude of complex ones."""
    if values.dtype.names:
        raise Fault("a NIfTI of colours; expected one number per voxel")
    return np.asarray(np.abs(values) if values.dtype.kind == "c" else values, np.float64)


# -- grey values -----------------------------------------------------------------------------------------------------------


def _bounds(center: float, width: float) -> tuple[float, float]:
    """Return the lower and the upper end of a window."""
    return center - width / 2, center + width / 2


def _range(values: np.ndarray) -> tuple[float, float]:
    """Return the 1st and the 99th percentile, or the smallest and the largest value if these are equal."""
    values = _finite(values)
    low, high = (float(bound) for bound in np.percentile(values, (1, 99)))
    return (low, high) if high > low else (float(values.min()), float(values.max()))


def _scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Scale values to uint8: ``low`` and below becomes 0, ``high`` and above 255."""
    pixels: np.ndarray = np.round((_finite(values) - low) / max(high - low, 1e-12) * 255).clip(0, 255).astype(np.uint8)
    return pixels


def _finite(values: np.ndarray) -> np.ndarray:
    """Return values with 0 in place of those that are not finite."""
    finite: np.ndarray = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    return finite
