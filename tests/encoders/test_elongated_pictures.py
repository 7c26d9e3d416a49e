"""Tests of the encoders of pictures on pictures whose height and width differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from polymodal.encoders.convnet import ConvnetConfig
from polymodal.encoders.frames import FramesConfig
from polymodal.encoders.vit import ViTConfig
from polymodal.errors import ConfigError
from polymodal.flow import Field
from polymodal.layers.positions import sines_2d


def state(size: Any, **facts: Any) -> dict[str, Any]:
    return {"size": size, "channels": 3, "mean": [128.0] * 3, "std": [64.0] * 3, **facts}


def shown(*places: tuple[int, int], size: tuple[int, int] = (64, 256)) -> Field:
    """One picture for each place: gray, with a red square of 8 pixels whose top left corner is there."""
    pixels = np.full((len(places), 3, *size), 128, np.uint8)
    for picture, (top, left) in zip(pixels, places, strict=True):
        picture[0, top : top + 8, left : left + 8] = 255
        picture[1:, top : top + 8, left : left + 8] = 0
    return Field({"pixels": torch.from_numpy(pixels)}, torch.ones(len(places), dtype=torch.bool))


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ([32, 128], (2, 8)),
        ([128, 32], (8, 2)),
        ([64, 256], (2, 8)),
        ([48, 88], (3, 6)),
        ([16, 64], (2, 8)),
        ([16, 256], (1, 16)),
        (64, (4, 4)),
        (32, (4, 4)),
    ],
)
def test_the_last_grid_of_the_convnet_has_the_shape_of_the_pictures(size: Any, grid: tuple[int, int]) -> None:
    torch.manual_seed(0)
    sides = (size, size) if isinstance(size, int) else tuple(size)
    encoder = ConvnetConfig(tokens="grid").build(16, state(size)).eval()
    assert encoder(shown((0, 0), (3, 5), size=sides)).tokens_BLD.shape == (2, grid[0] * grid[1], 16)
    assert ConvnetConfig().build(16, state(size)).eval()(shown((0, 0), size=sides)).tokens_BLD.shape == (1, 1, 16)


def test_a_shape_that_moves_by_a_step_of_the_grid_moves_the_tokens_of_the_convnet() -> None:
    torch.manual_seed(0)
    encoder = ConvnetConfig(tokens="grid", channels=[8, 8]).build(8, state([64, 128])).eval()  # a stride of 4
    with torch.no_grad():
        tokens = encoder(shown((28, 40), (28, 80), (12, 40), size=(64, 128))).tokens_BLD.view(3, 16, 32, 8)
    torch.testing.assert_close(tokens[1, 2:14, 15:28], tokens[0, 2:14, 5:18])
    torch.testing.assert_close(tokens[2, 1:8, 5:18], tokens[0, 5:12, 5:18])
    assert not torch.allclose(tokens[0], tokens[1])


def test_the_vector_of_the_convnet_does_not_depend_on_the_place_of_a_shape() -> None:
    torch.manual_seed(0)
    encoder = ConvnetConfig(channels=[8, 8, 8]).build(8, state([64, 256])).eval()  # a stride of 16
    with torch.no_grad():
        tokens = encoder(shown((24, 80), (24, 160))).tokens_BLD
    torch.testing.assert_close(tokens[0], tokens[1])


def test_the_transformer_has_one_token_and_one_position_for_each_patch_of_a_wide_picture() -> None:
    torch.manual_seed(0)
    config = ViTConfig(patch=16, depth=1, hidden=32, dropout=0)
    encoder = config.build(8, state([32, 96]))
    with torch.no_grad():
        tokens = encoder(shown((0, 0), size=(32, 96))).tokens_BLD
    assert tokens.shape == (1, 12, 8)
    positions_LD = dict(encoder.named_buffers())["positions_LD"]
    torch.testing.assert_close(positions_LD, sines_2d(2, 6, 32))
    assert torch.equal(positions_LD[7, :16], positions_LD[11, :16])  # the second row
    assert torch.equal(positions_LD[1, 16:], positions_LD[7, 16:])  # the second column


@pytest.mark.parametrize("size", [[64, 100], [60, 128], 60])
def test_a_patch_that_does_not_divide_both_sides_is_refused(size: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"^vit: pictures of \d+ x \d+ pixels; expected a multiple of patch = 8 on both sides; change patch"
    ):
        ViTConfig().build(8, state(size))


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("each", [{"kind": "convnet"}, {"kind": "vit", "depth": 1, "hidden": 16}])
def test_several_wide_pictures_in_a_cell_are_one_token(ordered: bool, each: dict[str, Any]) -> None:
    torch.manual_seed(0)
    config = FramesConfig.model_validate({"each": each, "hidden": 16})
    encoder = config.build(8, state([32, 64], frames=4, ordered=ordered)).eval()
    pixels = shown((0, 0), (8, 8), (16, 40), size=(32, 64)).values["pixels"].view(1, 3, 3, 32, 64)
    mask = torch.ones(1, 3, dtype=torch.bool)
    with torch.no_grad():
        tokens = encoder(Field({"pixels": pixels, "mask": mask}, torch.ones(1, dtype=torch.bool))).tokens_BLD
        turned = encoder(Field({"pixels": pixels.flip(1), "mask": mask}, torch.ones(1, dtype=torch.bool))).tokens_BLD
    assert tokens.shape == (1, 1, 8)
    assert torch.allclose(tokens, turned, atol=1e-5) is not ordered
