"""From the bytes of a picture to a decoded picture, and from that to uint8 pixels (C, H, W) of one size. The file needs no torch, so that
exported models read pictures by it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from ..errors import Fault, counted
from .array_images import scaled_to_bytes
from .high_bit_depth import is_deep, scaled_to_8_bits

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")  # the MPO files of cameras are opened as JPEG
ELONGATED = 1.6
"""The aspect ratio from which pictures are not squares, and the factor between two aspect ratios from which they are not alike. Photographs
of 3:2 are below it, films of 16:9 above."""
_MAX_DEFLATE_RATIO = 1_032  # largest number of bytes from one byte of a deflate stream (RFC 1951); a pixel takes at least one bit
_SCAN, _MAX_SCANS = b"\xff\xda", 200
_MAX_SEGMENTS, _MAX_HEADER = 1_000, 16 * 2**20
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}

Pillow.MAX_IMAGE_PIXELS = None  # Pillow's limit would be a warning; max_pixels below is checked instead, with an error

Picture = Pillow.Image | np.ndarray
"""A decoded picture: a PIL image, or an array (H, W, C)."""


def sides_of(picture: Picture) -> tuple[int, int]:
    """Return the height and the width of a picture in pixels."""
    if isinstance(picture, np.ndarray):
        return picture.shape[0], picture.shape[1]
    return picture.height, picture.width


def opened(data: bytes, max_pixels: int, at_least: tuple[int, int]) -> Pillow.Image:
    """Return a decoded picture, upright. Bounds are checked before pixels are decoded.

    :param data: the bytes of a file in one of ``FORMATS``
    :param max_pixels: the largest number of pixels
    :param at_least: the height and the width that are needed, in pixels; a JPEG may be decoded at twice this size instead of its full size
    :raises Fault: if the picture cannot be read, or exceeds the bounds
    """
    try:
        _check_segments(data)
        picture = Pillow.open(io.BytesIO(data), formats=FORMATS)
        width, height = picture.size
        most = max_pixels // 2 if picture.format == "WEBP" else max_pixels  # the WebP decoder keeps two canvases
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
        raise Fault(
            f"a PNG of {counted(len(data), 'byte')} that declares {width:,} x {height:,} pixels; expected more bytes for so many pixels"
        )
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


def letterboxed(sides: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Return the height and the width to which a picture is resized, at most ``size``: the size if the aspect ratios are alike.

    :param sides: the height and the width of the picture
    :param size: the height and the width at which the field reads pictures
    """
    scales = [full / side for full, side in zip(size, sides, strict=True)]
    if max(scales) <= ELONGATED * min(scales):
        return size
    height, width = (max(1, round(side * min(scales))) for side in sides)
    return height, width


def pixels_of(picture: Picture, size: tuple[int, int], state: Mapping[str, Any]) -> np.ndarray:
    """Return a decoded picture as pixels, uint8 (C, H, W). It is resized before colours are converted, which saves memory.

    :param picture: the picture
    :param size: the height and the width
    :param state: the facts of its field. ``range`` = the values of each channel of an array that become 0 and 255; empty = the range of
        the array. ``resize`` = how the pictures of a pretrained model are resized: ``resample``, ``edge``. ``letterbox`` = whether a
        picture of another aspect ratio than the size is surrounded by ``mean`` instead of being squeezed. ``deep_range`` = of grey of
        more than 8 bits, the values that become 0 and 255; empty = the range of the picture; none, for models from before a range was
        learned = the full range of 16 bits, and the smallest and the largest value of 32 bits and floats
    :raises Fault: if the picture cannot have these channels, or its colours cannot be converted
    """
    channels, resize = state["channels"], state.get("resize")
    inner = letterboxed(sides_of(picture), size) if state.get("letterbox") else size
    pixels_CHW = _squeezed(picture, channels, inner, state, resize)
    if inner == size:
        return pixels_CHW
    whole_CHW = np.empty((channels, *size), np.uint8)
    whole_CHW[:] = mean_color(state)
    top, left = ((outer - side) // 2 for outer, side in zip(size, inner, strict=True))
    whole_CHW[:, top : top + inner[0], left : left + inner[1]] = pixels_CHW
    return whole_CHW


def mean_color(state: Mapping[str, Any]) -> np.ndarray:
    """Return the mean colour of the training pictures, uint8 (C, 1, 1)."""
    color_C11: np.ndarray = np.clip(np.round(state["mean"]), 0, 255).astype(np.uint8).reshape(-1, 1, 1)
    return color_C11


def _squeezed(
    picture: Picture, channels: int, size: tuple[int, int], state: Mapping[str, Any], resize: Mapping[str, Any] | None
) -> np.ndarray:
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
