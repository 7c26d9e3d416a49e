"""Several pictures in one cell: the functions that sets of pictures and videos share, from samples to batches.

Shapes: ``U`` distinct cells, ``T`` pictures of a cell, ``C`` channels, ``H`` rows and ``W`` columns of a picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import ConfigError
from ..flow import Geometry, Sample, State, height_and_width
from .modality import Parts
from .pixels import check_pixel_facts
from .sequences import bucket

MOST = 256
"""The largest number of pictures of a cell."""
_MOST_BYTES = 2**28
"""The largest number of bytes of one sample."""


def frame_facts(pixels: State, frames: int, ordered: bool) -> State:
    """Return the state of a field with several pictures in a cell.

    :param pixels: the facts of the pixels (``pixel_facts``)
    :param frames: the largest number of pictures of a cell
    :param ordered: whether the order of the pictures has a meaning
    :raises ConfigError: if the pixels of one cell exceed 256 MiB
    """
    state: State = {**pixels, "frames": frames, "ordered": ordered}
    if _bytes(state) > _MOST_BYTES:
        height, width = height_and_width(state)
        raise ConfigError(
            f"{frames} pictures of {state['channels']} x {height} x {width} in one cell; expected at most "
            f"{_MOST_BYTES >> 20} MiB; take fewer, or smaller ones (size)"
        )
    return state


def check_frame_facts(state: State) -> None:
    """Raise ``ValueError`` for facts that no ``fit`` returns."""
    check_pixel_facts(state)
    if type(state["frames"]) is not int or not 1 <= state["frames"] <= MOST or type(state["ordered"]) is not bool:
        raise ValueError(f"{state['frames']} pictures, ordered: {state['ordered']}")
    if _bytes(state) > _MOST_BYTES:
        raise ValueError(f"pictures of {_bytes(state):,} bytes in one cell; expected at most {_MOST_BYTES:,}")


def _bytes(state: State) -> int:
    """Return the number of bytes of the largest sample."""
    return int(state["frames"] * state["channels"] * math.prod(height_and_width(state)))


def cost_of_frames(state: State) -> float:
    """Return the approximate number of multiply-adds of encoding a cell, proportional to the area and the number of the pictures."""
    return 1e3 * float(math.prod(height_and_width(state))) * int(state["frames"])


def blank_frames(state: State) -> Sample:
    """Return a sample of one black picture."""
    return {"pixels": np.zeros((1, state["channels"], *height_and_width(state)), np.uint8)}


def frame_geometry(sample: Sample, state: State) -> Geometry:
    """Return the padded number of pictures: the next power of two, at most ``frames``."""
    return (bucket(len(sample["pixels"]), 1, state["frames"]),)


def frame_parts(sample: Sample) -> Parts:
    """Return the pictures of a sample as its parts, in the order in which they were read."""
    count = len(sample["pixels"])
    names = [f"{at + 1} of {count}" for at in range(count)]
    return Parts(names, [{"pixels": np.delete(sample["pixels"], at, 0)} if count > 1 else None for at in range(count)])


def collate_frames(samples: Sequence[Sample], geometry: Geometry) -> dict[str, Tensor]:
    """Return ``pixels``, uint8 (U, T, C, H, W), padded with black pictures, and ``mask``, bool (U, T), True for the pictures of a cell."""
    (most,) = geometry
    pixels_UTCHW = np.zeros((len(samples), most, *samples[0]["pixels"].shape[1:]), np.uint8)
    mask_UT = np.zeros((len(samples), most), bool)
    for row, mask, sample in zip(pixels_UTCHW, mask_UT, samples, strict=True):
        part = sample["pixels"][:most]
        row[: len(part)], mask[: len(part)] = part, True
    return {"pixels": torch.from_numpy(pixels_UTCHW), "mask": torch.from_numpy(mask_UT)}
