"""Pictures that are arrays: channels and axes, values to bytes by what training saw, and what is no picture to a message."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import polymodal as pm
from builders.inspection import kind_of
from polymodal.config import validate
from polymodal.errors import ConfigError, Fault
from polymodal.modalities import Image, ImageConfig, Roots

RNG = np.random.default_rng(0)


def npy(array: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(array), **options)
    return out.getvalue()


def reader(cells: Any, **settings: Any) -> Image:
    config = ImageConfig(**{"column": "x", "size": 32, **settings})
    return Image(config, Image.fit(config, cells, "pixels", {}, Roots()), Roots())


def ramp(channels: int = 1, side: int = 32) -> np.ndarray:
    """(H, W, C): channel c goes from -1 to 1, times 10 to the c."""
    return np.linspace(-1, 1, side * side).reshape(side, side, 1) * 10.0 ** np.arange(channels)


# -- the right values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["<f8", ">f4", "<f2", "<i4"])
def test_values_become_bytes_by_the_range_that_training_saw(kind: str) -> None:
    array = (ramp(3) * 100).astype(kind)
    image = reader([npy(array)])
    low, high = np.percentile(array.astype(np.float64), (1, 99), axis=(0, 1))
    np.testing.assert_allclose(image.state["range"], np.stack([low, high], 1))
    assert image.state["channels"] == 3
    expected = np.round((array.astype(np.float64).clip(low, high) - low) / (high - low) * 255).astype(np.uint8)
    np.testing.assert_array_equal(image.read(npy(array))["pixels"], expected.transpose(2, 0, 1))
    brighter = image.read(npy((ramp(3) * 1_000).astype("<f4")))["pixels"]
    assert (brighter == 255).mean() > 0.4, "by training's range, not by its own"


def test_a_window_overrides_and_bytes_are_what_they_are() -> None:
    array = ramp(2)
    image = reader([npy(array)], window=(0.0, 1.0))
    assert image.state["range"] == [[-0.5, 0.5]] * 2
    assert image.read(npy(np.zeros((32, 32, 2))))["pixels"].max() == 128
    tile = RNG.integers(0, 200, (32, 32, 5)).astype(np.uint8)
    image = reader([npy(tile)])
    assert image.state["range"] == [[0.0, 255.0]] * 5
    np.testing.assert_array_equal(image.read(npy(tile))["pixels"], tile.transpose(2, 0, 1))
    assert reader([npy(ramp() > 0)]).read(npy(ramp() > 0))["pixels"].max() == 255


@pytest.mark.parametrize("channels", [1, 2, 4, 8, 16])
def test_any_place_of_the_channels_is_the_same_picture(channels: int, tmp_path: Path) -> None:
    array = RNG.normal(size=(40, 50, channels))
    image = reader([npy(array)] * 2)
    expected = image.read(npy(array))["pixels"]
    assert expected.shape == (channels, 32, 32)
    np.testing.assert_array_equal(image.read(npy(array.transpose(2, 0, 1)))["pixels"], expected)
    np.testing.assert_array_equal(image.read(npy(np.asfortranarray(array)))["pixels"], expected)
    if channels == 1:
        np.testing.assert_array_equal(image.read(npy(array[:, :, 0]))["pixels"], expected)
    (tmp_path / "a.npy").write_bytes(npy(array))
    from_file = Image(image.config, image.state, Roots([tmp_path]))
    np.testing.assert_array_equal(from_file.read("a.npy")["pixels"], expected)
    assert from_file.augment({"pixels": expected}, np.random.default_rng(0))["pixels"].shape == expected.shape


def test_of_two_axes_that_may_be_channels_the_fields_own_count_decides() -> None:
    array = RNG.normal(size=(3, 40, 10))
    assert reader([npy(array)], channels=3).read(npy(array))["pixels"].shape[0] == 3
    assert reader([npy(array)]).state["channels"] == 10, "the last one, where nothing is said"


def test_what_was_not_measured_is_lowest_and_infinities_are_the_ends() -> None:
    array = ramp()[:, :, 0].copy()
    image = reader([npy(array)] * 3)
    array[:8], array[8:16], array[16:24] = np.nan, np.inf, -np.inf
    pixels = image.read(npy(array))["pixels"][0]
    assert (pixels[:8] == 0).all()
    assert (pixels[8:16] == 255).all()
    assert (pixels[16:24] == 0).all()
    for dead in (np.full((32, 32), np.nan), np.full((32, 32), 7.0), np.full((32, 32), 1e300), np.full((32, 32), 1e-300)):
        silent = reader([npy(dead)])
        silent.check()
        assert silent.read(npy(dead))["pixels"].shape == (1, 32, 32)


def test_faint_values_keep_their_differences() -> None:
    array = ramp() * 1e-15
    assert len(np.unique(reader([npy(array)]).read(npy(array))["pixels"])) > 200


def test_arrays_and_pictures_may_stand_in_one_column() -> None:
    out = io.BytesIO()
    Pillow.new("RGB", (32, 32), (10, 20, 30)).save(out, "PNG")
    image = reader([out.getvalue()] * 3 + [npy(ramp(3))])
    assert image.state["channels"] == 3
    assert image.read(out.getvalue())["pixels"][:, 0, 0].tolist() == [10, 20, 30]
    grey = image.read(npy(ramp()))["pixels"]
    assert grey.shape == (3, 32, 32)
    with pytest.raises(Fault, match=r"which only \.npy arrays have"):
        reader([npy(ramp(5))]).read(out.getvalue())


def test_a_fourth_channel_of_a_picture_is_its_opacity() -> None:
    out = io.BytesIO()
    Pillow.new("RGBA", (32, 32), (10, 20, 30, 40)).save(out, "PNG")
    assert reader([], channels=4).read(out.getvalue())["pixels"][:, 5, 5].tolist() == [10, 20, 30, 40]
    assert reader([]).state["channels"] == 3


# -- what is no picture --------------------------------------------------------------------------------------------------------


def claiming(shape: tuple[int, ...], kind: str = "<f8", body: bytes = bytes(64)) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": kind, "fortran_order": False, "shape": shape})
    return out.getvalue() + body


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (npy(ramp() + 1j), "complex128; expected real numbers; save its magnitude"),
        (npy(np.array([["a"]] * 20, object), allow_pickle=True), "never opened"),
        (npy(np.array([["abc"]])), "expected numbers"),
        (claiming((10**6, 10**6)), r"shape \(1000000, 1000000\) in"),
        (claiming((10**9, 10**9, 3)), "expected a complete file"),
        (claiming((-5, 10)), "array"),
        (npy(np.zeros((32, 0))), "expected pixels"),
        (npy(np.zeros(32)), "2 or 3 dimensions"),
        (npy(np.zeros((2, 3, 4, 5))), "2 or 3 dimensions"),
        (npy(np.zeros((20, 20, 20))), "at most 16 channels"),
        (npy(np.zeros((32, 32, 2))), "2 channels; expected 3"),
        (npy(np.zeros((200, 200), np.uint8)), "40,000|200 x 200"),
        (npy(ramp(3))[:-50], "complete file|cannot be read"),
        (b"\x93NUMPY" + bytes(50), "cannot be read"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 60_000, "cannot be read"),
        (b"\x93NUMPY", "cannot be read"),
    ],
)
def test_what_is_no_array_of_pixels_is_told(cell: bytes, said: str) -> None:
    image = reader([npy(ramp(3))] * 2, max_pixels=10_000)
    with pytest.raises(Fault, match=said) as caught:
        image.read(cell)
    assert len(str(caught.value)) < 250


def test_any_byte_of_an_array_may_be_another() -> None:
    image, body = reader([npy(ramp(3))]), npy(ramp(3))
    for _ in range(200):
        changed = bytearray(body)
        for at in RNG.integers(0, 140, 3):
            changed[at] = RNG.integers(0, 256)
        try:
            shape = image.read(bytes(changed))["pixels"].shape
        except Fault:
            continue
        assert shape == (3, 32, 32)


def test_channels_are_one_to_sixteen() -> None:
    for count in (0, 17):
        with pytest.raises(ConfigError, match="channels"):
            validate(ImageConfig, {"column": "x", "channels": count})


# -- recognition and training --------------------------------------------------------------------------------------------------


def test_arrays_of_three_dimensions_are_pictures_and_of_two_when_it_is_said(tmp_path: Path) -> None:
    for at in range(12):
        np.save(tmp_path / f"c{at}.npy", RNG.normal(size=(20, 24, 5)))
        np.save(tmp_path / f"m{at}.npy", RNG.normal(size=(20, 24)))
        np.save(tmp_path / f"p{at}.npy", RNG.normal(size=(20 + at, 4)))
        np.save(tmp_path / f"s{at}.npy", RNG.normal(size=(5, 6, 7)))
    assert kind_of([f"c{at}.npy" for at in range(12)], tmp_path) == "image"
    assert kind_of([(tmp_path / f"c{at}.npy").read_bytes() for at in range(12)], tmp_path) == "image"
    assert kind_of([f"m{at}.npy" for at in range(12)], tmp_path) == "series"
    assert kind_of([f"m{at}.npy" for at in range(12)], tmp_path, {"it": "image"}) == "image"
    assert kind_of([f"p{at}.npy" for at in range(12)], tmp_path) == "points"
    assert kind_of([f"s{at}.npy" for at in range(12)], tmp_path) != "image"


def radar(folder: Path, rows: int, seed: int, channels: int) -> list[dict[str, Any]]:
    """Something long or something wide, over noise, in (range, azimuth) maps of faint power, in the last channel."""
    rng = np.random.default_rng(seed)
    made = []
    for at in range(rows):
        power = rng.exponential(1e-9, (24, 20, channels))
        y, x, long = rng.integers(0, 14), rng.integers(0, 12), at % 2
        power[y : y + (9 if long else 2), x : x + (2 if long else 8), -1] += 5e-9
        np.save(folder / f"{seed}_{at}.npy", (power if channels > 1 else power[:, :, 0]).astype(np.float32))
        made.append({"map": f"{seed}_{at}.npy", "what": "long" if long else "wide"})
    return made


@pytest.mark.parametrize("channels", [1, 6])
def test_maps_of_a_radar_are_learned(tmp_path: Path, channels: int) -> None:
    rows, other = radar(tmp_path, 160, 0, channels), radar(tmp_path, 60, 1, channels)
    settings = ("data.split.folds=2", "training.baselines=false", "training.epochs=14", "model.width=16", "training.lr=3e-3",
                "model.encoders.map.channels=[8, 16, 32]", "fields.map.shift=0")  # fmt: skip
    said = {"map": "image"} if channels == 1 else {}
    assert "image" in pm.inspect(rows, target="what", root=[tmp_path], columns=said).text()
    model = pm.train(rows, *settings, target="what", root=[tmp_path], columns=said, out=tmp_path / "run")
    assert model.evaluate(other)["tasks"]["what"]["accuracy"] > 0.9
    again = pm.load(tmp_path / "run", root=[tmp_path])
    np.testing.assert_array_equal(again.predict_proba(other), model.predict_proba(other))
