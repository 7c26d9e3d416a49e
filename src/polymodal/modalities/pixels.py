"""From a picture's bytes to uint8 pixels (C, size, size): for pictures alone, several in a cell, and the frames of a video.

JPEG, PNG, WebP, BMP, TIFF, the first frame of a GIF, DICOM and NIfTI (``medical.py``), and ``.npy`` arrays (``array_images.py``); RGB,
RGBA (over white, or as a fourth channel), CMYK, palettes, 1-, 8- and 16-bit grey; EXIF orientation applied.
"""

from __future__ import annotations

import io
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps
from pydantic import Field as Setting

from ..errors import Fault
from ..flow import Cell, State
from ..quiet import ignore_warnings_of
from .array_images import MAGIC as NPY
from .array_images import MAX_CHANNELS, bytes_of_map, holds_pixels, map_of, picture_in, range_of
from .files import Roots
from .high_bit_depth import is_deep, measured, shallow
from .medical import ENDINGS as MEDICAL
from .medical import is_medical, open_medical
from .modality import OneColumn
from .objects import plain

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")  # a camera's MPO is opened as JPEG
ENDINGS = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", *MEDICAL)
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"II*\0", b"MM\0*", b"GIF8")
_MOST_PACKED = 1_032  # bytes that one byte of a deflate stream can stand for, at most (RFC 1951); a pixel takes a bit at least
_SCAN, _MAX_SCANS = b"\xff\xda", 200
_MAX_SEGMENTS, _MAX_HEADER = 1_000, 16 * 2**20
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}

Pillow.MAX_IMAGE_PIXELS = None  # the cap below is ours, an error and not a warning


class PictureSettings(OneColumn):
    """What every field of pictures says: how large they become, how many channels they have, what one may cost, how they are varied."""

    size: int | None = Setting(None, ge=4, le=4_096)
    """Height and width in pixels that every picture is resized to; null = chosen from the pictures. Cost grows with its square."""
    channels: int | None = Setting(None, ge=1, le=MAX_CHANNELS)
    """Channels of the pixels: 1 = grey, 3 = colour, 4 = colour and opacity, any other count of arrays only; null = 3, and of ``.npy``
    arrays as many as they have."""
    max_pixels: int = Setting(64_000_000, ge=1)
    """A picture with more pixels than this is a fault, found before it is decoded. Decoding takes up to 8 bytes a pixel."""
    max_mb: float = Setting(64.0, gt=0, le=2_048)
    """A file or cell larger than this (in MiB) is a fault, found before it is read."""
    window: tuple[float, float] | None = None
    """Center and width of the values that become black to white, of DICOM and NIfTI files, of ``.npy`` arrays and of grey pictures of
    more than 8 bits; null = the file's own, or nearly all of its range; of arrays and of deep grey nearly all of the range that training
    saw."""
    frame: Literal["first", "middle"] = "middle"
    """Which frame of a DICOM of several is read."""
    flip: bool | None = None
    """Mirror training pictures left to right at random; null = only above 32 pixels (digits and letters are small)."""
    shift: float = Setting(0.1, ge=0, lt=1)
    """Move training pictures by up to this share of their size."""
    color: float = Setting(0.1, ge=0, le=1)
    """Vary brightness and contrast of training pictures by up to this share."""


Picture = Pillow.Image | np.ndarray
"""What is decoded: a picture, or an array (H, W, C)."""


def read_pixels(cell: Cell, roots: Roots, config: PictureSettings, state: State) -> np.ndarray:
    """One picture as uint8 (C, size, size), by the facts of a field; ``Fault`` for what cannot be read."""
    channels, size = state["channels"], state["size"]
    picture = open_picture(roots, cell, config, channels, size)
    return pixels_of(picture, channels, size, state.get("range", ()), state.get("resize"), state.get("deep_range"))


def pixel_facts(pictures: Sequence[Picture], config: PictureSettings, needs: Mapping[str, Any]) -> State:
    """``size``, ``channels``, ``mean`` and ``std`` of each channel in units of 0 to 255, the ``range`` of arrays, and ``deep_range``, that
    of grey of more than 8 bits, where there is such."""
    arrays = [picture for picture in pictures if isinstance(picture, np.ndarray)]
    channels = int(needs.get("channels") or config.channels or 3)
    if config.channels is None and "channels" not in needs and 2 * len(arrays) > len(pictures):
        channels = Counter(array.shape[2] for array in arrays).most_common(1)[0][0]
    size = int(needs.get("size") or config.size or usual_size([min(_sides(picture)) for picture in pictures]))
    arrays = [array for array in arrays if array.shape[2] in (1, channels)]
    state: State = {"size": size, "channels": channels, "mean": [127.5] * channels, "std": [64.0] * channels, "range": []}
    if arrays:
        state["range"] = range_of(arrays, config.window)
    deep = [measured(picture) for picture in pictures if isinstance(picture, Pillow.Image) and is_deep(picture)]
    if deep:
        state["deep_range"] = range_of(deep, config.window)[0]
    if "resize" in needs:
        state["resize"] = dict(needs["resize"])
    seen = []
    for picture in pictures if "mean" not in needs else ():
        try:
            seen.append(pixels_of(picture, channels, size, state["range"], deep=state.get("deep_range", ())))
        except Fault:
            continue
    if seen:
        stack = np.stack(seen).astype(np.float64)
        state["mean"] = [round(float(value), 3) for value in stack.mean(axis=(0, 2, 3))]
        state["std"] = [round(max(float(value), 1.0), 3) for value in stack.std(axis=(0, 2, 3))]
    if "mean" in needs:
        state["mean"], state["std"] = list(needs["mean"]), list(needs["std"])
    return state


def check_pixel_facts(state: State) -> None:
    """``ValueError`` for sizes and channels that no config may ask for, and means, spreads and ranges that are not theirs."""
    size, channels, mean, std = (state[name] for name in ("size", "channels", "mean", "std"))
    right = type(size) is int and 4 <= size <= 4_096 and type(channels) is int and 1 <= channels <= MAX_CHANNELS
    if not right or len(mean) != channels or len(std) != channels:
        raise ValueError(f"a picture of {channels} x {size} x {size}, {len(mean) + len(std)} facts")
    if not all(type(value) in (int, float) and abs(value) < 1e6 for value in (*mean, *std)):
        raise ValueError("means and spreads that are no numbers")
    bounds = state.get("range", [])
    if type(bounds) is not list or len(bounds) not in (0, 1, channels):
        raise ValueError("ranges of other channels")
    if not all(len(bound) == 2 and all(type(end) in (int, float) and math.isfinite(end) for end in bound) for bound in bounds):
        raise ValueError("ranges that are no numbers")
    deep = state.get("deep_range", [0, 1])
    if (
        type(deep) is not list
        or len(deep) != 2
        or not all(type(end) in (int, float) and math.isfinite(end) for end in deep)
        or deep[0] >= deep[1]
    ):
        raise ValueError(f"a range of deep grey of {deep}")
    resize = state.get("resize")
    if resize is not None and (resize["resample"] not in range(6) or resize["edge"] not in (None, *range(4, 4_097))):
        raise ValueError(f"pictures resized by {resize}")


def usual_size(sides: Sequence[int]) -> int:
    """32 pixels for pictures that are no larger than 40, else 64: what trains from scratch on two cores in minutes."""
    return 32 if sides and float(np.median(sides)) <= 40 else 64


def varied(pixels: np.ndarray, rng: np.random.Generator, config: PictureSettings) -> np.ndarray:
    """Mirrored, moved and relit: uint8 (..., size, size), all of it alike."""
    size = pixels.shape[-1]
    flip = config.flip if config.flip is not None else size > 32
    mirrored = rng.random() < 0.5
    gain, bias = rng.uniform(-1, 1, 2) * config.color
    reach = round(config.shift * size)
    down, right = rng.integers(-reach, reach + 1, 2) if reach else (0, 0)
    if flip and mirrored:
        pixels = pixels[..., ::-1]
    if down or right:
        rows = np.clip(np.arange(size) + down, 0, size - 1)
        columns = np.clip(np.arange(size) + right, 0, size - 1)
        pixels = pixels[..., rows[:, None], columns[None, :]]
    if config.color:
        table = np.clip((np.arange(256) - 128.0) * (1 + gain) + 128 + 255 * bias, 0, 255).astype(np.uint8)
        pixels = table[pixels]
    return np.ascontiguousarray(pixels)


def looks_like_a_picture(cell: Cell) -> bool:
    """By its name, its first bytes, or the shape of its array; which of them can be read is for reading to say."""
    cell = plain(cell)
    if isinstance(cell, np.ndarray):
        return holds_pixels(cell)
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
    named = [name.strip().endswith(ENDINGS) for name in names]
    return bool(named) and named[-1] and not (len(named) > 1 and all(named))  # several names are several pictures


def _sides(picture: Picture) -> tuple[int, ...]:
    return picture.shape[:2] if isinstance(picture, np.ndarray) else picture.size


def open_picture(roots: Roots, cell: Cell, config: PictureSettings, channels: int | None, at_least: int) -> Picture:
    """A decoded picture, upright, with ``Fault`` for what cannot be one. Bounds are checked before bytes are read and pixels made."""
    most_bytes = int(config.max_mb * 2**20)
    if isinstance(array := plain(cell), np.ndarray):
        return picture_in(array, config.max_pixels, most_bytes, channels)
    data = roots.bytes_of(cell, most_bytes)
    if data[: len(NPY)] == NPY:
        return map_of(data, config.max_pixels, channels)
    if is_medical(data):
        return open_medical(data, config.max_pixels, channels or 3, config.window, config.frame)
    ignore_warnings_of("PIL")
    try:
        _bound_segments(data)
        picture = Pillow.open(io.BytesIO(data), formats=FORMATS)
        width, height = picture.size
        most = config.max_pixels // 2 if picture.format == "WEBP" else config.max_pixels  # its decoder keeps two canvases
        if width * height > most:
            raise Fault(f"a picture of {width:,} x {height:,} pixels; expected at most {most:,}")
        _bound(picture, data, most)
        if picture.format == "JPEG":
            picture.draft(None, (2 * at_least, 2 * at_least))
        picture.load()
        _repair(picture, data)
        ImageOps.exif_transpose(picture, in_place=True)
        return picture
    except Fault:
        raise
    except Pillow.UnidentifiedImageError:
        raise Fault("not a picture that can be read; expected JPEG, PNG, WebP, BMP, TIFF or GIF") from None
    except MemoryError:
        raise Fault("a picture that needs more memory than there is") from None
    except Exception as error:  # decoders raise whatever they like on hostile bytes
        kind = "truncated" if "truncated" in str(error) else "broken"
        raise Fault(f"a {kind} picture; expected JPEG, PNG, WebP, BMP, TIFF or GIF") from None


def _bound(picture: Pillow.Image, data: bytes, most: int) -> None:
    """``Fault`` for what would cost more to decode than its pixels say."""
    width, height = picture.size
    if picture.format == "PNG" and width * height > 8 * _MOST_PACKED * len(data):
        raise Fault(f"a PNG of {len(data):,} bytes that says it is {width:,} x {height:,} pixels; they cannot all be in it")
    scans = data.count(_SCAN) if picture.format in ("JPEG", "MPO") else 0
    if scans > _MAX_SCANS:
        raise Fault(f"a JPEG of {scans:,} scans; expected at most {_MAX_SCANS} (each is decoded over the whole picture)")
    if picture.format == "TIFF":
        tile = int(picture.tag_v2.get(322, 1)) * int(picture.tag_v2.get(323, 1))  # type: ignore[attr-defined]
        if tile > max(most // 4, 1):
            raise Fault(f"a TIFF of tiles of {tile:,} pixels; expected at most {most // 4:,}")


def _bound_segments(data: bytes) -> None:
    """``Fault`` for a JPEG whose header has more pieces, or more bytes, than any camera writes: they are put together one by one."""
    if data[:2] != b"\xff\xd8":
        return
    at, count = 2, 0
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _SCAN[1]:
        at += 1 if data[at + 1] == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        count += 1
        if count > _MAX_SEGMENTS or at > _MAX_HEADER:
            raise Fault(f"a JPEG of more than {_MAX_SEGMENTS:,} pieces or {_MAX_HEADER >> 20} MiB before its first pixel; expected fewer")


def _repair(picture: Pillow.Image, data: bytes) -> None:
    """What Pillow leaves as the file says it: a transparent grey of few bits, while the pixels are of eight."""
    clear = picture.info.get("transparency")
    if picture.format == "PNG" and picture.mode == "L" and isinstance(clear, int) and data[24:25] in (b"\2", b"\4"):
        picture.info["transparency"] = clear * (255 // (2 ** data[24] - 1))


def pixels_of(
    picture: Picture,
    channels: int,
    size: int,
    bounds: Sequence[Sequence[float]] = (),
    resize: Mapping[str, Any] | None = None,
    deep: Sequence[float] | None = (),
) -> np.ndarray:
    """uint8 (C, size, size): resized before colours are widened, so that a large picture takes no more memory than it must.

    :param bounds: of an array, the values of each channel that become 0 and 255; none: its own range
    :param deep: of grey of more than 8 bits, the values that become 0 and 255; none: its own range. None: 16 bits by all of their range,
        32 bits and floats by the least and the largest value of the picture, as models were trained before a range was learned
    """
    if isinstance(picture, np.ndarray):
        map_HWC = bytes_of_map(picture, channels, bounds)
        bands = [Pillow.fromarray(np.ascontiguousarray(map_HWC[:, :, at])) for at in range(channels)]
        return np.stack([np.asarray(_resized(band, size, resize)) for band in bands])
    mode = _MODES.get(channels)
    if mode is None:
        raise Fault(f"a picture of grey or colour; expected {channels} channels, which only .npy arrays have")
    try:
        picture = _resized(_eight_bits(picture, deep), size, resize)
        if picture.mode == "RGBA" != mode:
            picture = Pillow.alpha_composite(Pillow.new("RGBA", picture.size, (255, 255, 255, 255)), picture)
        picture = picture.convert(mode)
    except MemoryError:
        raise Fault("a picture that needs more memory than there is") from None
    except (ValueError, OSError):
        raise Fault("a picture whose colours cannot be converted") from None
    pixels = np.asarray(picture)
    return np.ascontiguousarray(pixels[None] if channels == 1 else pixels.transpose(2, 0, 1))


def _resized(picture: Pillow.Image, size: int, resize: Mapping[str, Any] | None) -> Pillow.Image:
    """To a square; or, as a pretrained model's pictures were, its shorter side to an edge, and the middle cut out."""
    if resize is not None:
        resample, edge = Pillow.Resampling(resize["resample"]), resize["edge"]
        if edge is None:
            return picture.resize((size, size), resample)
        width, height = picture.size
        far = max(edge, min(int(edge * max(width, height) / min(width, height)), 8 * size))  # of a strip, no more than is looked at
        picture = picture.resize((edge, far) if width <= height else (far, edge), resample)
        left, top = (picture.width - size) // 2, (picture.height - size) // 2
        return picture.crop((left, top, left + size, top + size))
    return picture if picture.size == (size, size) else picture.resize((size, size), Pillow.Resampling.BILINEAR, reducing_gap=3.0)


def _eight_bits(picture: Pillow.Image, deep: Sequence[float] | None) -> Pillow.Image:
    """Any mode as L, RGB or RGBA of 8 bits: deep grey scaled by a range; what is transparent stays so."""
    if is_deep(picture):
        return shallow(picture, deep)
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        return picture if picture.mode == "RGBA" else picture.convert("RGBA")
    if picture.mode in ("L", "RGB"):
        return picture
    return picture.convert("L" if picture.mode == "1" else "RGB")
