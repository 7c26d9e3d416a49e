"""Tests of grey pictures of more than 8 bits: scaled by a range learned from the column, for every type and byte order."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image as Pillow

from polymodal.modalities import Image, ImageConfig, Pictures, PicturesConfig, Roots
from polymodal.modalities.decoding import pixels_of
from polymodal.modalities.pixels import open_picture

SIDE = 64
RAMP = np.linspace(0, 4_095, SIDE * SIDE).round().astype(np.uint16).reshape(SIDE, SIDE)


def png(values: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(np.asarray(values)).save(out, "PNG", **options)
    return out.getvalue()


def tiff(values: np.ndarray, order: Literal["<", ">"] = "<", photometric: int = 1) -> bytes:
    """A TIFF of one strip, of any type of number; ``photometric`` 0: white is zero."""
    body = values.astype(values.dtype.newbyteorder(order)).tobytes()
    kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    entries = [(256, 3, values.shape[1]), (257, 3, values.shape[0]), (258, 3, 8 * values.itemsize), (259, 3, 1), (262, 3, photometric),
               (273, 4, 8), (277, 3, 1), (278, 3, values.shape[0]), (279, 4, len(body)), (339, 3, kind)]  # fmt: skip
    out = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(body)) + body + struct.pack(order + "H", len(entries))
    for tag, width, value in entries:
        out += struct.pack(order + "HHI", tag, width, 1) + (
            struct.pack(order + "HH", value, 0) if width == 3 else struct.pack(order + "I", value)
        )
    return out + bytes(4)


def reader(cells: Any, **settings: Any) -> Image:
    config = ImageConfig(**{"column": "x", "size": SIDE, "channels": 1, **settings})
    image = Image(config, Image.fit(config, cells, "pixels", {}, Roots()), Roots())
    image.check()
    return image


def expected(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.round((values.astype(np.float64).clip(low, high) - low) / (high - low) * 255).astype(np.uint8)


def test_twelve_bits_in_a_file_of_sixteen_use_all_greys() -> None:
    picture = open_picture(Roots(), png(RAMP), ImageConfig(column="c"), 1, (SIDE, SIDE))
    pixels = pixels_of(picture, (SIDE, SIDE), {"channels": 1, "deep_range": []})
    assert len(np.unique(pixels)) == 256
    np.testing.assert_array_equal(pixels[0], expected(RAMP, *np.percentile(RAMP, (1, 99))))


@pytest.mark.parametrize(("kind", "order", "photometric"), [
    ("u2", "<", 1), ("u2", "<", 0), ("u2", ">", 1), ("i2", "<", 1), ("i2", ">", 1), ("u4", "<", 1), ("i4", "<", 1), ("i4", ">", 1),
    ("f4", "<", 1), ("f4", "<", 0), ("f4", ">", 1), ("f4", ">", 0),
])  # fmt: skip
def test_the_range_is_learned_from_the_column(kind: str, order: Literal["<", ">"], photometric: int) -> None:
    near, far = (tiff((RAMP // part).astype(kind), order, photometric) for part in (2, 1))
    image = reader([near, far])
    low, high = np.percentile(np.concatenate([(RAMP // 2).ravel(), RAMP.ravel()]), (1, 99))
    np.testing.assert_allclose(image.state["deep_range"], (low, high))
    for cell, values in ((near, RAMP // 2), (far, RAMP)):
        grey = expected(values, low, high)
        np.testing.assert_array_equal(image.read(cell)["pixels"][0], grey if photometric else 255 - grey)
    assert image.read(near)["pixels"].mean() < image.read(far)["pixels"].mean() - 40 if photometric else True, "absolute values are kept"


def test_all_types_of_one_column_are_scaled_alike() -> None:
    image = reader([png(RAMP), tiff(RAMP.astype("f4"))])
    wanted = image.read(png(RAMP))["pixels"]
    for cell in (tiff(RAMP, ">"), tiff(RAMP.astype("i4")), tiff(RAMP.astype("f4"), ">"), tiff(RAMP.astype("i2"))):
        np.testing.assert_array_equal(image.read(cell)["pixels"], wanted)


def test_negative_and_very_large_values() -> None:
    cold = tiff(RAMP.astype("i2") - 2_000)
    np.testing.assert_array_equal(reader([cold]).read(cold)["pixels"][0], expected(RAMP.astype("i2") - 2_000, *np.percentile(RAMP.astype(float) - 2_000, (1, 99))))  # fmt: skip
    large = RAMP.astype("u4") << 20
    np.testing.assert_array_equal(reader([tiff(large)]).read(tiff(large))["pixels"][0], expected(large, *np.percentile(large, (1, 99))))


def test_what_was_not_measured_is_lowest_and_no_part_of_the_range() -> None:
    values = RAMP.astype("f4") / 1_000
    values[:32] = np.nan
    values[32, 0], values[32, 1] = np.inf, -np.inf
    image = reader([tiff(values)])
    np.testing.assert_allclose(image.state["deep_range"], np.percentile(values[np.isfinite(values)].astype(np.float64), (1, 99)))
    pixels = image.read(tiff(values))["pixels"][0]
    assert not pixels[:32].any()
    assert (pixels[32, 0], pixels[32, 1], pixels[-1, -1]) == (255, 0, 255)
    nothing = tiff(np.full((SIDE, SIDE), np.nan, "f4"))
    assert not reader([nothing]).read(nothing)["pixels"].any()


def test_a_window_overrides_the_range() -> None:
    image = reader([png(RAMP)], window=(1_000.0, 500.0))
    assert image.state["deep_range"] == [750.0, 1_250.0]
    np.testing.assert_array_equal(image.read(png(RAMP))["pixels"][0], expected(RAMP, 750, 1_250))


def test_photographs_of_all_sixteen_bits_and_pictures_of_eight_beside_them() -> None:
    rng = np.random.default_rng(0)
    eight = rng.integers(0, 256, (SIDE, SIDE)).astype(np.uint8)
    image = reader([png(eight.astype(np.uint16) * 257), png(eight)])
    np.testing.assert_array_equal(image.read(png(eight))["pixels"][0], eight)
    assert np.abs(image.read(png(eight.astype(np.uint16) * 257))["pixels"][0].astype(int) - eight).max() <= 3
    assert "deep_range" not in reader([png(eight)]).state


def test_a_state_without_a_range_reads_as_before() -> None:
    config = ImageConfig(column="x", size=SIDE, channels=1)
    image = Image(config, {"size": SIDE, "channels": 1, "mean": [127.5], "std": [64.0], "form": "pixels"}, Roots())
    image.check()
    np.testing.assert_array_equal(image.read(png(RAMP))["pixels"][0], np.round(RAMP / 257).astype(np.uint8))
    floats = RAMP.astype("f4") - 50
    np.testing.assert_array_equal(image.read(tiff(floats))["pixels"][0], np.round(RAMP / 4_095 * 255).astype(np.uint8))


@pytest.mark.parametrize("bad", [[], [1], [2, 1], [1, 1], [0, float("nan")], [0, "1"], "ab", {"0": 1}, [0, 1, 2], [True, 5], None])
def test_a_range_that_no_fit_makes_is_refused(bad: Any) -> None:
    image = reader([png(RAMP)])
    image.state["deep_range"] = bad
    with pytest.raises(ValueError, match="range"):
        image.check()


def test_a_transparent_grey_of_sixteen_bits_is_white_and_no_part_of_the_range() -> None:
    values = RAMP.copy()
    values[:40] = 60_000
    cell = png(values, transparency=60_000)
    image = reader([cell])
    low, high = np.percentile(RAMP[40:], (1, 99))
    np.testing.assert_allclose(image.state["deep_range"], (low, high))
    pixels = image.read(cell)["pixels"][0]
    assert (pixels[:40] == 255).all()
    np.testing.assert_array_equal(pixels[40:], expected(RAMP[40:], low, high))


def test_colour_of_sixteen_bits_is_read_by_its_upper_bytes() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 65_536, (SIDE, SIDE, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 16, 2, 0, 0, 0)
    cell = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    image = reader([cell], channels=3)
    np.testing.assert_array_equal(image.read(cell)["pixels"].transpose(1, 2, 0), (values >> 8).astype(np.uint8))


def test_sets_of_deep_pictures_learn_one_range() -> None:
    config = PicturesConfig(column="x", size=SIDE, channels=1)
    pictures = Pictures(config, Pictures.fit(config, [[png(RAMP // 2), png(RAMP)]], "frames", {}, Roots()), Roots())
    pictures.check()
    low, high = pictures.state["deep_range"]
    pixels = pictures.read([png(RAMP // 2), png(RAMP)])["pixels"][:, 0]
    np.testing.assert_array_equal(pixels, np.stack([expected(RAMP // 2, low, high), expected(RAMP, low, high)]))
