"""From the bytes of a picture to uint8 pixels (C, H, W): for single pictures, several pictures in a cell, and the frames of a video.

Formats: JPEG, PNG, WebP, BMP, TIFF, the first frame of a GIF, DICOM and NIfTI (``medical.py``), and ``.npy`` arrays (``array_images.py``).
Colours: RGB, RGBA (over white, or as a fourth channel), CMYK, palettes, 1-, 8- and 16-bit grey. The EXIF orientation is applied.
"""

from __future__ import annotations

import io
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError
from pydantic import Field as Setting
from pydantic import ValidatorFunctionWrapHandler, field_validator

from ..errors import Fault
from ..flow import Cell, State, height_and_width
from ..quiet import ignore_warnings_of
from .array_images import MAGIC as NPY
from .array_images import MAX_CHANNELS, array_picture, is_array_of_pixels, npy_picture, range_of, scaled_to_bytes
from .files import Roots
from .high_bit_depth import deep_values, is_deep, scaled_to_8_bits
from .medical import EXTENSIONS as MEDICAL
from .medical import is_medical, open_medical
from .modality import OneColumn
from .objects import plain
from .picture_sizes import LARGEST, SMALLEST, check_size_facts, checked_size, letterboxed, size_facts

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")  # the MPO files of cameras are opened as JPEG
EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", *MEDICAL)
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*", b"GIF8")
_MAX_DEFLATE_RATIO = 1_032  # largest number of bytes from one byte of a deflate stream (RFC 1951); a pixel takes at least one bit
_SCAN, _MAX_SCANS = b"\xff\xda", 200
_MAX_SEGMENTS, _MAX_HEADER = 1_000, 16 * 2**20
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}

FITTED = (256, 256)
"""The height and the width of pictures that are needed to learn the facts of a field."""

Pillow.MAX_IMAGE_PIXELS = None  # Pillow's limit would be a warning; max_pixels below is checked instead, with an error


_Side = Annotated[int, Setting(ge=SMALLEST, le=LARGEST)]


class PictureSettings(OneColumn):
    """The settings of all fields of pictures: the size and the channels of the pixels, the bounds of a file, and the augmentation."""

    size: _Side | tuple[_Side, _Side] | None = None
    """Size in pixels at which pictures are read: the side of a square, or [height, width], each 4 to 4,096; null = a square of 32 or 64,
    or, if most pictures are alike and elongated, a size of their aspect ratio. Cost grows with the number of pixels."""
    channels: int | None = Setting(None, ge=1, le=MAX_CHANNELS)
    """Number of channels of the pixels: 1 = grey, 3 = colour, 4 = colour and opacity; other numbers up to 16 for arrays only. null = 3, or
    the number of channels of the arrays in a column of ``.npy`` arrays."""
    max_pixels: int = Setting(64_000_000, ge=1)
    """Largest number of pixels of a picture. A larger one is a fault and is not decoded. Decoding takes up to 8 bytes a pixel."""
    max_mb: float = Setting(64.0, gt=0, le=2_048)
    """Largest size of a file or cell in MiB. A larger one is a fault and is not read."""
    window: tuple[float, float] | None = None
    """Center and width of the range of values that become black to white. It applies to DICOM and NIfTI files, ``.npy`` arrays and grey
    pictures of more than 8 bits. null = the window of a DICOM file, or else the 1st to the 99th percentile of the values: of each DICOM or
    NIfTI file, and of the training cells for arrays and grey pictures."""
    frame: Literal["first", "middle"] = "middle"
    """Which frame is read of a DICOM file with several frames."""
    flip: bool | None = None
    """Whether half of the training pictures are mirrored left to right; null = only if height and width are above 32 pixels and the longer
    is at most twice the shorter, since small or long pictures often contain digits, letters or an order from left to right."""
    shift: float = Setting(0.1, ge=0, lt=1)
    """Largest random shift of training pictures, as a share of the shorter of their height and width."""
    color: float = Setting(0.1, ge=0, le=1)
    """Largest random change of training pictures in brightness, as a share of the full range, and in contrast, as a share of itself."""

    @field_validator("size", mode="wrap")
    @classmethod
    def _one_size(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> int | tuple[int, int] | None:
        """Return the side of a square as one number. The check is one for all types, so that a wrong size is one error."""
        return checked_size(value)


Picture = Pillow.Image | np.ndarray
"""A decoded picture: a PIL image, or an array (H, W, C)."""


def read_pixels(cell: Cell, roots: Roots, config: PictureSettings, state: State) -> np.ndarray:
    """Return the picture of a cell as uint8 (C, H, W), by the state of its field; ``Fault`` if it cannot be read."""
    return pixels_of(open_picture(roots, cell, config, state["channels"], height_and_width(state)), state)


def pixel_facts(
    pictures: Sequence[Picture],
    config: PictureSettings,
    needs: Mapping[str, Any],
    sides: Sequence[tuple[int, int]],
) -> State:
    """Return the facts of a field of pictures.

    :param pictures: decoded training pictures
    :param config: the config of the field
    :param needs: facts that the encoder prescribes, which replace the learned ones
    :param sides: the height and the width of each picture, which is decoded at a smaller size if it is large
    :returns: ``size`` and others (``size_facts``); ``channels``; ``mean`` and ``std`` of each channel in units of 0 to 255; the ``range``
        of arrays; and if there is grey of more than 8 bits, its ``deep_range``
    """
    arrays = [picture for picture in pictures if isinstance(picture, np.ndarray)]
    channels = int(needs.get("channels") or config.channels or 3)
    if config.channels is None and "channels" not in needs and 2 * len(arrays) > len(pictures):
        channels = Counter(array.shape[2] for array in arrays).most_common(1)[0][0]
    arrays = [array for array in arrays if array.shape[2] in (1, channels)]
    state: State = {**size_facts(config.size, needs.get("size"), sides),
                    "channels": channels, "mean": [127.5] * channels, "std": [64.0] * channels, "range": []}  # fmt: skip
    if arrays:
        state["range"] = range_of(arrays, config.window)
    deep = [deep_values(picture) for picture in pictures if isinstance(picture, Pillow.Image) and is_deep(picture)]
    if deep:
        state["deep_range"] = range_of(deep, config.window)[0]
    pixels = []
    plainly = {**state, "deep_range": state.get("deep_range", ()), "letterbox": False}  # the colour of the borders is not part of the mean
    for picture in pictures if "mean" not in needs else ():
        try:
            pixels.append(pixels_of(picture, plainly))
        except Fault:
            continue
    if "resize" in needs:
        state["resize"] = dict(needs["resize"])
        state.pop("letterbox", None)
    if pixels:
        stack = np.stack(pixels).astype(np.float64)
        state["mean"] = [round(float(value), 3) for value in stack.mean(axis=(0, 2, 3))]
        state["std"] = [round(max(float(value), 1.0), 3) for value in stack.std(axis=(0, 2, 3))]
    if "mean" in needs:
        state["mean"], state["std"] = list(needs["mean"]), list(needs["std"])
    return state


def check_pixel_facts(state: State) -> None:
    """Raise ``ValueError`` for sizes and channels that no config allows, and for means, standard deviations and ranges that do not fit."""
    size, channels, mean, std = (state[name] for name in ("size", "channels", "mean", "std"))
    check_size_facts(state)
    is_valid = type(channels) is int and 1 <= channels <= MAX_CHANNELS
    if not is_valid or len(mean) != channels or len(std) != channels:
        raise ValueError(f"a picture of {channels} channels and size {size} with {len(mean)} means and {len(std)} standard deviations")
    if not all(type(value) in (int, float) and abs(value) < 1e6 for value in (*mean, *std)):
        raise ValueError("means and standard deviations that are not numbers")
    bounds = state.get("range", [])
    if type(bounds) is not list or len(bounds) not in (0, 1, channels):
        raise ValueError(f"ranges that do not fit {channels} channels")
    if not all(len(bound) == 2 and all(type(end) in (int, float) and math.isfinite(end) for end in bound) for bound in bounds):
        raise ValueError("ranges that are not numbers")
    deep = state.get("deep_range", [0, 1])
    if (
        type(deep) is not list
        or len(deep) != 2
        or not all(type(end) in (int, float) and math.isfinite(end) for end in deep)
        or deep[0] >= deep[1]
    ):
        raise ValueError(f"a range of grey of more than 8 bits of {deep}; expected two rising numbers")
    resize = state.get("resize")
    if resize is not None and (resize["resample"] not in range(6) or resize["edge"] not in (None, *range(4, 4_097))):
        raise ValueError(f"pictures resized by {resize}")


def augmented(pixels: np.ndarray, rng: np.random.Generator, config: PictureSettings) -> np.ndarray:
    """Return a random variation of pixels: mirrored, shifted, and changed in brightness and contrast.

    :param pixels: uint8 (..., H, W); all pictures change in the same way
    :param rng: the source of random numbers
    :param config: the settings ``flip``, ``shift`` and ``color``
    """
    height, width = pixels.shape[-2:]
    shorter, longer = sorted((height, width))
    flip = config.flip if config.flip is not None else shorter > 32 and longer <= 2 * shorter
    is_mirrored = rng.random() < 0.5
    gain, bias = rng.uniform(-1, 1, 2) * config.color
    largest = round(config.shift * shorter)
    down, right = rng.integers(-largest, largest + 1, 2) if largest else (0, 0)
    if flip and is_mirrored:
        pixels = pixels[..., ::-1]
    if down or right:
        rows = np.clip(np.arange(height) + down, 0, height - 1)
        columns = np.clip(np.arange(width) + right, 0, width - 1)
        pixels = pixels.take(rows, -2).take(columns, -1)
    if config.color:
        table = np.clip((np.arange(256) - 128.0) * (1 + gain) + 128 + 255 * bias, 0, 255).astype(np.uint8)
        pixels = table.take(pixels)
    return np.ascontiguousarray(pixels)


def looks_like_a_picture(cell: Cell) -> bool:
    """Return whether a cell looks like a picture, by its extension, its first bytes or the shape of its array. It may still be broken."""
    cell = plain(cell)
    if isinstance(cell, np.ndarray):
        return is_array_of_pixels(cell)
    if isinstance(cell, (bytes, bytearray)):
        head = bytes(cell[:12])
        return is_medical(bytes(cell[:400])) or head.startswith(_MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
    if isinstance(cell, os.PathLike):
        cell = os.fspath(cell)
    if not isinstance(cell, str):
        return False
    if cell.startswith("data:image/"):
        return True
    names = cell.casefold().split(";") if len(cell) < 4096 else []
    are_pictures = [name.strip().endswith(EXTENSIONS) for name in names]
    return bool(names) and are_pictures[-1] and not (len(names) > 1 and all(are_pictures))  # several names are a set of pictures


def sides_of(picture: Picture) -> tuple[int, int]:
    """Return the height and the width of a picture in pixels."""
    if isinstance(picture, np.ndarray):
        return picture.shape[0], picture.shape[1]
    return picture.height, picture.width


def open_picture(roots: Roots, cell: Cell, config: PictureSettings, channels: int | None, at_least: tuple[int, int]) -> Picture:
    """Return the decoded picture of a cell, upright. Bounds are checked before bytes are read and before pixels are decoded.

    :param roots: the folders of the files that cells name
    :param cell: an array, a path, bytes or a data URI
    :param config: the settings ``max_pixels``, ``max_mb``, ``window`` and ``frame``
    :param channels: the number of channels of the field; None = not known yet
    :param at_least: the height and the width that are needed, in pixels; a JPEG may be decoded at twice this size instead of its full size
    :raises Fault: if the picture cannot be read, or exceeds the bounds
    """
    most_bytes = int(config.max_mb * 2**20)
    if isinstance(array := plain(cell), np.ndarray):
        return array_picture(array, config.max_pixels, most_bytes, channels)
    data = roots.bytes_of(cell, most_bytes)
    if data[: len(NPY)] == NPY:
        return npy_picture(data, config.max_pixels, channels)
    if is_medical(data):
        return open_medical(data, config.max_pixels, channels or 3, config.window, config.frame)
    ignore_warnings_of("PIL")
    try:
        _check_segments(data)
        picture = Pillow.open(io.BytesIO(data), formats=FORMATS)
        width, height = picture.size
        most = config.max_pixels // 2 if picture.format == "WEBP" else config.max_pixels  # the WebP decoder keeps two canvases
        if width * height > most:
            raise Fault(f"a picture of {width:,} x {height:,} pixels; expected at most {most:,}")
        _check_cost(picture, data, most)
        if picture.format == "JPEG":
            picture.draft(None, (2 * at_least[1], 2 * at_least[0]))
        picture.load()
        _repair(picture, data)
        ImageOps.exif_transpose(picture, in_place=True)
        return picture
    except Fault:
        raise
    except UnidentifiedImageError:
        raise Fault("not a picture that can be read; expected JPEG, PNG, WebP, BMP, TIFF or GIF") from None
    except MemoryError:
        raise Fault("a picture that needs more memory than is available") from None
    except Exception as error:  # decoders may raise anything on hostile bytes
        kind = "truncated" if "truncated" in str(error) else "broken"
        raise Fault(f"a {kind} picture; expected JPEG, PNG, WebP, BMP, TIFF or GIF") from None


def _check_cost(picture: Pillow.Image, data: bytes, most: int) -> None:
    """Raise ``Fault`` for a picture that takes much more time or memory to decode than its number of pixels suggests."""
    width, height = picture.size
    if picture.format == "PNG" and width * height > 8 * _MAX_DEFLATE_RATIO * len(data):
        raise Fault(f"a PNG of {len(data):,} bytes that declares {width:,} x {height:,} pixels; expected more bytes for so many pixels")
    scans = data.count(_SCAN) if picture.format in ("JPEG", "MPO") else 0
    if scans > _MAX_SCANS:
        raise Fault(f"a JPEG of {scans:,} scans; expected at most {_MAX_SCANS} (each is decoded over the whole picture)")
    if picture.format == "TIFF":
        tile = int(picture.tag_v2.get(322, 1)) * int(picture.tag_v2.get(323, 1))  # type: ignore[attr-defined]
        if tile > max(most // 4, 1):
            raise Fault(f"a TIFF of tiles of {tile:,} pixels; expected at most {most // 4:,}")


def _check_segments(data: bytes) -> None:
    """Raise ``Fault`` for a JPEG whose header has more segments or bytes than any camera writes, since Pillow joins them one by one."""
    if data[:2] != b"\xff\xd8":
        return
    at, count = 2, 0
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _SCAN[1]:
        at += 1 if data[at + 1] == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        count += 1
        if count > _MAX_SEGMENTS or at > _MAX_HEADER:
            raise Fault(f"a JPEG of more than {_MAX_SEGMENTS:,} segments or {_MAX_HEADER >> 20} MiB before its first pixel; expected fewer")


def _repair(picture: Pillow.Image, data: bytes) -> None:
    """Scale the transparent grey of a PNG of 2 or 4 bits to 8 bits: Pillow scales the pixels, but not this value."""
    transparent = picture.info.get("transparency")
    if picture.format == "PNG" and picture.mode == "L" and isinstance(transparent, int) and data[24:25] in (b"\2", b"\4"):
        picture.info["transparency"] = transparent * (255 // (2 ** data[24] - 1))


def pixels_of(picture: Picture, state: State) -> np.ndarray:
    """Return a decoded picture as pixels, uint8 (C, H, W). It is resized before colours are converted, which saves memory.

    :param picture: the picture
    :param state: the facts of its field. ``range`` = the values of each channel of an array that become 0 and 255; empty = the range of
        the array. ``resize`` = how the pictures of a pretrained model are resized: ``resample``, ``edge``. ``letterbox`` = whether a
        picture of another aspect ratio than the size is surrounded by ``mean`` instead of being squeezed. ``deep_range`` = of grey of
        more than 8 bits, the values that become 0 and 255; empty = the range of the picture; none, for models from before a range was
        learned = the full range of 16 bits, and the smallest and the largest value of 32 bits and floats
    :raises Fault: if the picture cannot have these channels, or its colours cannot be converted
    """
    channels, size, resize = state["channels"], height_and_width(state), state.get("resize")
    inner = letterboxed(sides_of(picture), size) if state.get("letterbox") else size
    pixels_CHW = _squeezed(picture, channels, inner, state, resize)
    if inner == size:
        return pixels_CHW
    whole_CHW = np.empty((channels, *size), np.uint8)
    whole_CHW[:] = mean_color(state)
    top, left = ((outer - side) // 2 for outer, side in zip(size, inner, strict=True))
    whole_CHW[:, top : top + inner[0], left : left + inner[1]] = pixels_CHW
    return whole_CHW


def mean_color(state: State) -> np.ndarray:
    """Return the mean colour of the training pictures, uint8 (C, 1, 1)."""
    return np.clip(np.round(state["mean"]), 0, 255).astype(np.uint8).reshape(-1, 1, 1)


def _squeezed(picture: Picture, channels: int, size: tuple[int, int], state: State, resize: Mapping[str, Any] | None) -> np.ndarray:
    """Return a picture as uint8 (C, H, W) of a height and a width, whatever its aspect ratio."""
    if isinstance(picture, np.ndarray):
        map_HWC = scaled_to_bytes(picture, channels, state.get("range", ()))
        bands = [Pillow.fromarray(np.ascontiguousarray(map_HWC[:, :, at])) for at in range(channels)]
        return np.stack([np.asarray(_resized(band, size, resize)) for band in bands])
    mode = _MODES.get(channels)
    if mode is None:
        raise Fault(f"a picture of grey or colour; expected {channels} channels, which only .npy arrays have")
    try:
        picture = _resized(_eight_bits(picture, state.get("deep_range")), size, resize)
        if picture.mode == "RGBA" != mode:
            picture = Pillow.alpha_composite(Pillow.new("RGBA", picture.size, (255, 255, 255, 255)), picture)
        picture = picture.convert(mode)
    except MemoryError:
        raise Fault("a picture that needs more memory than is available") from None
    except (ValueError, OSError):
        raise Fault("a picture whose colours cannot be converted") from None
    pixels = np.asarray(picture)
    return np.ascontiguousarray(pixels[None] if channels == 1 else pixels.transpose(2, 0, 1))


def _resized(picture: Pillow.Image, size: tuple[int, int], resize: Mapping[str, Any] | None) -> Pillow.Image:
    """Resize a picture to a height and a width; with an ``edge``, resize its shorter side to it and crop the centre, as a pretrained model
    expects."""
    height, width = size
    if resize is not None:
        resample, edge = Pillow.Resampling(resize["resample"]), resize["edge"]
        if edge is None:
            return picture.resize((width, height), resample)
        sides = picture.size
        longer = max(edge, min(int(edge * max(sides) / min(sides)), 8 * max(size)))  # bounded for very long pictures
        picture = picture.resize((edge, longer) if sides[0] <= sides[1] else (longer, edge), resample)
        left, top = (picture.width - width) // 2, (picture.height - height) // 2
        return picture.crop((left, top, left + width, top + height))
    return picture if picture.size == (width, height) else picture.resize((width, height), Pillow.Resampling.BILINEAR, reducing_gap=3.0)


def _eight_bits(picture: Pillow.Image, deep: Sequence[float] | None) -> Pillow.Image:
    """Convert a picture of any mode to L, RGB or RGBA of 8 bits; grey of more bits is scaled by a range, and transparency is kept."""
    if is_deep(picture):
        return scaled_to_8_bits(picture, deep)
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        return picture if picture.mode == "RGBA" else picture.convert("RGBA")
    if picture.mode in ("L", "RGB"):
        return picture
    return picture.convert("L" if picture.mode == "1" else "RGB")
