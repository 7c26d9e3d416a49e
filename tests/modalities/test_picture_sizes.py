"""Tests of the size at which pictures are read: how it is chosen and set, and where a picture of another aspect ratio is placed in it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import polymodal as pm
from polymodal.config import validate
from polymodal.flow import height_and_width
from polymodal.modalities import Image, ImageConfig, Pictures, PicturesConfig, Roots
from polymodal.modalities.decoding import letterboxed
from polymodal.modalities.picture_sizes import usual_ratio, usual_size

RED, GREEN, BLUE = (250, 10, 20), (10, 240, 30), (20, 30, 230)


def png(height: int, width: int, *colors: tuple[int, int, int]) -> bytes:
    """A picture of vertical stripes of equal width, as a PNG file."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for stripe, color in zip(np.array_split(np.arange(width), len(colors or (RED,))), colors or (RED,), strict=True):
        pixels[:, stripe] = color
    file = io.BytesIO()
    Pillow.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def fitted(cells: list[Any], **settings: Any) -> Image:
    config = ImageConfig(column="x", **settings)
    image = Image(config, Image.fit(config, cells, "pixels", {}, Roots()), Roots())
    image.check()
    return image


# -- the choice ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sides", "size"),
    [
        ([], 64),
        ([(28, 28)] * 3, 32),
        ([(40, 40)] * 3, 32),
        ([(64, 64)] * 3, 64),
        ([(1_000, 1_200)] * 3, 64),
        ([(426, 640)] * 3, 64),  # 3:2
        ([(720, 1_280)] * 3, [48, 88]),  # 16:9
        ([(100, 400)] * 3, [32, 128]),
        ([(400, 100)] * 3, [128, 32]),
        ([(100, 400)] * 2 + [(300, 300)], [32, 128]),
        ([(100, 400)] * 2 + [(400, 100)] * 2, 64),
        ([(100, 400)] * 3 + [(300, 300)] * 2, 64),
        ([(32, 128)] * 3, [32, 128]),
        ([(24, 96)] * 3, [24, 96]),
        ([(10, 60)] * 3, [16, 96]),
        ([(100, 800)] * 3, [24, 192]),
        ([(40, 4_000)] * 3, [24, 192]),
    ],
)
def test_the_size_follows_the_sides_of_the_pictures(sides: list[tuple[int, int]], size: int | list[int]) -> None:
    assert usual_size(sides) == size


def test_the_ratio_is_that_of_most_pictures() -> None:
    assert usual_ratio([(100, 400)] * 3) == pytest.approx(4)
    assert usual_ratio([(400, 100)] * 3) == pytest.approx(0.25)
    assert usual_ratio([(100, 350), (100, 400), (100, 450)]) == pytest.approx(4)
    assert usual_ratio([(100, 159)]) == 1
    assert usual_ratio([(100, 200), (100, 200), (100, 600), (100, 900)]) == 1


def test_a_field_of_wide_pictures_states_its_size_and_why() -> None:
    image = fitted([png(100, 400)] * 4)
    assert (image.state["size"], image.state["letterbox"], image.state["ratio"]) == ([32, 128], True, 4.0)
    assert height_and_width(image.state) == (32, 128)
    assert image.describe() == "32 pixels high and 128 wide, 3 channels (most pictures are about 4.0 times as wide as high)"
    assert image.blank()["pixels"].shape == (3, 32, 128)
    tall = fitted([png(300, 100)] * 4)
    assert tall.describe() == "120 pixels high and 40 wide, 3 channels (most pictures are about 3.0 times as high as wide)"
    assert fitted([png(64, 64)] * 4).describe() == "64 x 64 pixels, 3 channels"


def test_the_size_of_large_arrays_follows_their_full_shape() -> None:
    wide = np.zeros((600, 2_400, 2), np.float32)
    wide[:, ::2] = 1
    assert fitted([wide] * 3).state["size"] == [32, 128]


def test_sets_of_pictures_have_elongated_sizes() -> None:
    config = PicturesConfig(column="x")
    state = Pictures.fit(config, [[png(100, 400), png(100, 400)]] * 3, "frames", {}, Roots())
    assert state["size"] == [32, 128]
    pictures = Pictures(config, state, Roots())
    pictures.check()
    assert pictures.read([png(100, 400), png(300, 300)])["pixels"].shape == (2, 3, 32, 128)
    assert pictures.cost() == 1e3 * 32 * 128 * 16


# -- the setting -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (None, None),
        (64, 64),
        ("64", 64),
        (64.0, 64),
        ([48, 192], (48, 192)),
        ((192, 48), (192, 48)),
        ([32, 32], 32),
        (4, 4),
        (4_096, 4_096),
    ],
)
def test_a_size_is_a_side_or_a_height_and_a_width(value: Any, size: Any) -> None:
    assert ImageConfig(column="x", size=value).size == size


@pytest.mark.parametrize("value", [3, 4_097, 0, -8, True, "wide", [64], [64, 2], [64, 64, 64], [], {"height": 4}, 6.5, [8, True]])
def test_another_size_is_one_error(value: Any) -> None:
    with pytest.raises(pm.ConfigError) as caught:
        validate(ImageConfig, {"column": "x", "size": value})
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).endswith("; expected a number of pixels from 4 to 4,096, [height, width], or null")


def test_a_configured_square_squeezes_all_pictures_and_a_configured_pair_does_not() -> None:
    cell = png(100, 400, RED, GREEN)
    square = fitted([cell], size=16)
    assert square.state == {
        "size": 16,
        "channels": 3,
        "mean": [130, 125, 25],
        "std": [116.867, 112.08, 4.886],
        "range": [],
        "form": "pixels",
    }
    pixels = square.read(cell)["pixels"]
    assert [tuple(pixels[:, 8, column]) for column in (0, 15)] == [RED, GREEN]
    pair = fitted([cell], size=[16, 32])
    assert (pair.state["size"], pair.state["letterbox"], "ratio" in pair.state) == ([16, 32], True, False)
    assert pair.describe() == "16 pixels high and 32 wide, 3 channels"


@pytest.mark.parametrize("size", [[64, 64], [64], [2, 64], [64, 5_000], [64.0, 32], "64", True, (64, 32), None])
def test_a_state_with_another_size_is_refused(size: Any) -> None:
    state = fitted([png(100, 400)]).state
    with pytest.raises((ValueError, TypeError)):
        Image(ImageConfig(column="x"), {**state, "size": size}, Roots()).check()


@pytest.mark.parametrize("fact", [{"letterbox": 1}, {"ratio": 0}, {"ratio": "4"}, {"ratio": float("nan")}])
def test_a_state_with_another_shape_is_refused(fact: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="ratio"):
        Image(ImageConfig(column="x"), {**fitted([png(100, 400)]).state, **fact}, Roots()).check()


def test_an_encoder_may_prescribe_a_height_and_a_width() -> None:
    config = ImageConfig(column="x")
    state = Image.fit(config, [png(100, 400)], "pixels", {"size": [24, 40]}, Roots())
    assert (state["size"], "letterbox" in state) == ([24, 40], False)
    resize = {"resample": 2, "edge": 40}
    state = Image.fit(config, [png(100, 400)], "pixels", {"resize": resize}, Roots())
    assert (state["resize"], "letterbox" in state) == (resize, False)


# -- places ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sides", "size", "inner"),
    [
        ((100, 400), (64, 256), (64, 256)),
        ((100, 300), (64, 256), (64, 256)),  # alike
        ((100, 100), (64, 256), (64, 64)),
        ((400, 100), (64, 256), (64, 16)),
        ((100, 400), (64, 64), (16, 64)),
        ((100, 150), (64, 64), (64, 64)),
        ((1, 9_000), (64, 64), (1, 64)),
        ((10, 20), (64, 256), (64, 128)),  # small pictures are enlarged
    ],
)
def test_a_picture_of_another_ratio_keeps_it(sides: tuple[int, int], size: tuple[int, int], inner: tuple[int, int]) -> None:
    assert letterboxed(sides, size) == inner


def test_a_letterbox_has_the_picture_in_its_middle_and_the_mean_colour_around_it() -> None:
    image = fitted([png(100, 400, RED, BLUE)] * 3, size=[64, 256])
    mean = tuple(round(value) for value in image.state["mean"])
    assert mean == (135, 20, 125)
    pixels = image.read(png(100, 200, GREEN, RED))["pixels"]
    assert pixels.shape == (3, 64, 256)
    columns = [tuple(map(int, pixels[:, 32, column])) for column in (0, 63, 64, 100, 150, 191, 192, 255)]
    assert columns == [mean, mean, GREEN, GREEN, RED, RED, mean, mean]
    assert (pixels == pixels[:, :1]).all()
    tall = image.read(png(400, 100, GREEN))["pixels"]  # 64 x 16 in the middle
    assert [tuple(map(int, tall[:, row, column])) for row, column in ((0, 119), (0, 120), (63, 135), (63, 136))] == [
        mean,
        GREEN,
        GREEN,
        mean,
    ]


def test_a_square_size_letterboxes_a_strip_unless_the_square_is_configured() -> None:
    squares = [png(80, 80, BLUE)] * 4
    image = fitted(squares)
    assert image.state["size"] == 64
    pixels = image.read(png(20, 80, RED))["pixels"]
    assert [tuple(map(int, pixels[:, row, 5])) for row in (0, 23, 24, 39, 40, 63)] == [BLUE, BLUE, RED, RED, BLUE, BLUE]
    assert (fitted(squares, size=64).read(png(20, 80, RED))["pixels"] == np.array(RED).reshape(3, 1, 1)).all()


def test_a_picture_is_as_wide_as_it_was_within_a_wide_size() -> None:
    pixels = np.full((100, 400, 3), 230, np.uint8)
    pixels[40:60, 300:320] = RED
    image = fitted([pixels] * 2, size=[64, 256])
    is_red = (image.read(pixels)["pixels"].astype(int) - np.array(RED).reshape(3, 1, 1) < 60).all(0)
    rows, columns = np.flatnonzero(is_red.any(1)), np.flatnonzero(is_red.any(0))
    assert 11 <= len(rows) <= 14
    assert 11 <= len(columns) <= 14
    assert abs(float(rows.mean()) - 31.5) < 1
    assert abs(float(columns.mean()) - 197.5) < 1.5


@pytest.mark.parametrize("channels", [1, 4])
def test_arrays_and_other_channels_are_letterboxed_too(channels: int) -> None:
    array = np.full((50, 200, channels), 3.0)
    array[:, :100] = 1.0
    image = fitted([array] * 2, size=[48, 192])
    square = np.full((50, 50, channels), 3.0)
    pixels = image.read(square)["pixels"]
    assert pixels.shape == (channels, 48, 192)
    assert pixels[:, 24, 96].tolist() == [255] * channels
    assert pixels[:, 24, 0].tolist() == [round(image.state["mean"][0])] * channels


def test_a_turned_jpeg_is_read_upright_at_the_wide_size() -> None:
    pixels = np.zeros((1_600, 400, 3), np.uint8)
    pixels[:800], pixels[800:] = RED, BLUE
    file = io.BytesIO()
    exif = Pillow.Exif()
    exif[274] = 6  # shown after a turn of 90 degrees clockwise
    Pillow.fromarray(pixels).save(file, "JPEG", quality=95, exif=exif)
    image = fitted([file.getvalue()] * 2)
    assert image.state["size"] == [32, 128]
    found = image.read(file.getvalue())["pixels"]
    assert np.abs(found[:, 16, 10].astype(int) - BLUE).max() < 12
    assert np.abs(found[:, 16, 115].astype(int) - RED).max() < 12


# -- what else depends on it -----------------------------------------------------------------------------------------------


def test_augmentation_moves_wide_pictures_by_a_share_of_their_height_and_does_not_mirror_them() -> None:
    image = fitted([png(100, 400, RED, BLUE)] * 2, size=[64, 256], color=0.0, shift=0.25)
    sample = image.read(png(100, 400, RED, BLUE))
    starts = set()
    for seed in range(80):
        pixels = image.augment(sample, np.random.default_rng(seed))["pixels"]
        assert pixels.shape == (3, 64, 256)
        assert tuple(map(int, pixels[:, 30, 0])) == RED
        starts.add(int(np.argmax(pixels[2, 30] > 100)) - 128)
    assert (min(starts), max(starts)) == (-16, 16)
    mirrored = fitted([png(100, 400, RED, BLUE)] * 2, color=0.0, shift=0.0, flip=True)
    firsts = {tuple(map(int, mirrored.augment(sample, np.random.default_rng(seed))["pixels"][:, 30, 0])) for seed in range(20)}
    assert firsts == {RED, BLUE}


def test_the_parts_of_a_wide_picture_are_square_places() -> None:
    image = fitted([png(100, 400, RED)] * 2, size=[64, 256])
    cell = png(100, 400, GREEN)
    sample = image.read(cell)
    parts = image.parts(cell, sample)
    assert (parts.grid, len(parts.names), parts.names[17]) == ((4, 16), 64, "row 2, column 2")
    assert parts.pixels is not None
    assert parts.pixels.shape == (64, 256, 3)
    covered = np.argwhere((parts.without[17] or {})["pixels"][0] != sample["pixels"][0])
    assert (covered.min(0).tolist(), covered.max(0).tolist()) == ([16, 16], [31, 31])


def test_the_preview_of_a_wide_picture_keeps_its_shape() -> None:
    cell = png(100, 400, RED, BLUE)
    preview = fitted([cell] * 2).preview(cell)
    assert preview is not None
    assert preview.shape == (32, 128, 3)
    assert [tuple(map(int, preview[16, column])) for column in (2, 125)] == [RED, BLUE]


def test_blur_depends_on_the_shorter_side() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1, 32, 32)).astype(np.uint8)
    wide = np.concatenate([noise] * 4, 2)
    image = fitted([png(100, 400)] * 2)
    blur = image.corruptions()["blur"]
    once, wider = (blur(pixels, 3, np.random.default_rng(0)) for pixels in (noise, wide))
    np.testing.assert_array_equal(wider[:, :, :24], once[:, :, :24])


def test_the_field_of_a_table_is_fitted_to_its_wide_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["photo,label"]
    for at in range(24):
        color = (RED, BLUE)[at % 2]
        pixels = np.full((50, 200, 3), 230, np.uint8)
        left = int(rng.integers(0, 180))
        pixels[20:34, left : left + 14] = color
        Pillow.fromarray(pixels).save(tmp_path / f"{at}.png")
        lines.append(f"{at}.png,{'red' if at % 2 else 'blue'}")
    table = tmp_path / "t.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = ("model.encoders.photo.kind=convnet", "model.encoders.photo.channels=[8, 16]", "training.epochs=2", "data.split.folds=2",
                "training.baselines=false", "model.width=16", "fields.photo.size=[16, 64]")  # fmt: skip
    model = pm.train(table, *settings, target="label", columns={"photo": "image"}, out=tmp_path / "run")
    again = pm.load(tmp_path / "run")
    assert again.bundle.states["photo"]["size"] == [16, 64]
    np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(table))
    (row,) = pm.explain(model, table, rows=[2])["explained"]
    parts = row["cells"]["photo"]["parts"]
    assert (parts["grid"], parts["size"], len(row["targets"]["label"]["fields"]["photo"]["parts"])) == ([4, 16], [16, 64], 64)
