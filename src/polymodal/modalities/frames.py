"""Several pictures in one cell: the functions that sets of pictures and videos share, from samples to batches.

Shapes: ``U`` distinct cells, ``T`` pictures of a cell, ``C`` channels, ``S`` height and width of a picture in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import ConfigError
from ..flow import Geometry, Sample, State
from .modality import Parts, bucket
from .pixels import check_pixel_facts

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
        raise ConfigError(
            f"{frames} pictures of {state['channels']} x {state['size']} x {state['size']} in one cell; expected at most "
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
    return int(state["frames"] * state["channels"] * state["size"] ** 2)


def blank_frames(state: State) -> Sample:
    """Return a sample of one black picture."""
    return {"pixels": np.zeros((1, state["channels"], state["size"], state["size"]), np.uint8)}


def frame_geometry(sample: Sample, state: State) -> Geometry:
    """Return the padded number of pictures: the next power of two, at most ``frames``."""
    return (bucket(len(sample["pixels"]), 1, state["frames"]),)


def frame_parts(sample: Sample) -> Parts:
    """Return the pictures of a sample as its parts, in the order in which they were read."""
    count = len(sample["pixels"])
    names = [f"{at + 1} of {count}" for at in range(count)]
    return Parts(names, [{"pixels": np.delete(sample["pixels"], at, 0)} if count > 1 else None for at in range(count)])


def collate_frames(samples: Sequence[Sample], geometry: Geometry) -> dict[str, Tensor]:
    """Return ``pixels``, uint8 (U, T, C, S, S), padded with black pictures, and ``mask``, bool (U, T), True for the pictures of a cell."""
    (most,) = geometry
    pixels_UTCSS = np.zeros((len(samples), most, *samples[0]["pixels"].shape[1:]), np.uint8)
    mask_UT = np.zeros((len(samples), most), bool)
    for row, mask, sample in zip(pixels_UTCSS, mask_UT, samples, strict=True):
        part = sample["pixels"][:most]
        row[: len(part)], mask[: len(part)] = part, True
    return {"pixels": torch.from_numpy(pixels_UTCSS), "mask": torch.from_numpy(mask_UT)}
