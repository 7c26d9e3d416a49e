"""From the bytes of a picture to uint8 pixels (C, H, W): for single pictures, several pictures in a cell, and the frames of a video.

Formats: JPEG, PNG, WebP, BMP, TIFF, the first frame of a GIF, DICOM and NIfTI (``medical.py``), and ``.npy`` arrays (``array_images.py``).
Colours: RGB, RGBA (over white, or as a fourth channel), CMYK, palettes, 1-, 8- and 16-bit grey. The EXIF orientation is applied.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image as Pillow
from pydantic import Field as Setting
from pydantic import ValidatorFunctionWrapHandler, field_validator

from ..errors import Fault
from ..flow import Cell, State, height_and_width
from ..quiet import ignore_warnings_of
from .array_images import MAGIC as NPY
from .array_images import MAX_CHANNELS, array_picture, is_array_of_pixels, npy_picture, range_of
from .decoding import Picture, opened, pixels_of
from .files import Roots
from .high_bit_depth import deep_values, is_deep
from .medical import EXTENSIONS as MEDICAL
from .medical import is_medical, open_medical
from .modality import OneColumn
from .objects import plain
from .picture_sizes import LARGEST, SMALLEST, check_size_facts, checked_size, size_facts

EXTENSIONS = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", *MEDICAL)
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*", b"GIF8")

FITTED = (256, 256)
"""The height and the width of pictures that are needed to learn the facts of a field."""

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


def read_pixels(cell: Cell, roots: Roots, config: PictureSettings, state: State) -> np.ndarray:
    """Return the picture of a cell as uint8 (C, H, W), by the state of its field; ``Fault`` if it cannot be read."""
    size = height_and_width(state)
    return pixels_of(open_picture(roots, cell, config, state["channels"], size), size, state)


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
            pixels.append(pixels_of(picture, height_and_width(plainly), plainly))
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


def pixel_recipe(config: PictureSettings, state: State) -> dict[str, Any]:
    """Return the facts by which exported models read pictures (see ``Modality.recipe``)."""
    names = ("channels", "mean", "range", "letterbox", "resize", "deep_range")
    facts = {name: state[name] for name in names if name in state}
    return {"size": list(height_and_width(state)), **facts, "max_pixels": config.max_pixels, "max_mb": config.max_mb}


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
    return opened(data, config.max_pixels, at_least)
