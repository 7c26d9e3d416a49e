"""Videos: frames that are spread evenly over a clip, in display order, as uint8 pixels (T, C, H, W). ``containers.py`` decodes them.

The sound track of a video is read by a second field over the same column: ``clip_sound: {kind: audio, column: clip}``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field as Setting
from torch import Tensor

from ..errors import Fault, counted
from ..flow import Cell, Form, Geometry, Sample, State, height_and_width
from ..language import Sentence
from .containers import EXTENSIONS, frames_of, is_video
from .decoding import Picture, pixels_of, sides_of
from .files import Roots
from .frames import (
    MOST,
    blank_frames,
    check_frame_facts,
    collate_frames,
    cost_of_frames,
    frame_facts,
    frame_geometry,
    frame_parts,
)
from .modality import Modality, Parts, Recognition, percent
from .picture_sizes import described_pixels
from .pixels import PictureSettings, augmented, pixel_facts
from .sequences import evenly
from .signal_corruption import Corruption, of_pictures
from .tracks import hold_sound_alone

_PEEKED = 16  # files whose tracks are read to recognise a column


class VideoConfig(PictureSettings):
    """The config of a field over a column of videos."""

    kind: Literal["video"] = "video"
    frames: int = Setting(8, ge=1, le=MOST)
    """Number of frames of a clip, 1 to 256, spread evenly over it. Cost grows with it."""
    seconds: float | None = Setting(None, gt=0, le=86_400)
    """Length of the part of a clip that frames are taken from, in seconds from its start; null = the whole clip."""
    channels: Literal[1, 3] = 3
    """Number of channels of the pixels: 3 = colour, 1 = grey."""
    max_pixels: int = Setting(9_000_000, ge=1)
    """Largest number of pixels of a frame. A video with larger frames is a fault and is not decoded. The decoder keeps up to 16 frames in
    memory."""
    max_mb: float = Setting(256.0, gt=0, le=2_048)
    """Largest size of a file or cell in MiB. A larger one is a fault and is not read."""
    flip: bool | None = False
    """Whether half of the training clips are mirrored left to right, which also mirrors directions of motion; null = only if height and
    width are above 32 pixels and the longer is at most twice the shorter."""

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class of this modality, ``Video``."""
        return Video


class Video(Modality):
    """Reads videos from files, bytes and data URIs."""

    kind = "video"
    sent_as = "content"
    media = "video/*"
    forms = ("frames",)
    fit_cells = 64
    of_files = True

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Return a high confidence if at least half of the cells look like videos, by their names or first bytes; whether they can be
        decoded is not tested. Files with a sound track and no video track are sounds, whatever their extension."""
        looks = sum(map(_looks_like_a_video, cells)) / max(len(cells), 1)
        if looks < 0.5 or hold_sound_alone([cells[at] for at in evenly(len(cells), _PEEKED)], roots):
            return Recognition(0.0)
        return Recognition(0.6 + 0.4 * looks, {}, Sentence("why.videos", share=percent(looks)))

    @classmethod
    def fit(cls, config: VideoConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """Return the state: that of a field of pictures, ``frames`` = the number of frames of a clip, and ``ordered`` = true."""
        cls.check_form(form)
        pictures: list[Picture] = []
        sides: list[tuple[int, int]] = []
        for cell in cells:
            try:
                clip = _clip(cell, config, roots, 2)
            except Fault:
                continue
            for picture in clip:
                sides.append(sides_of(picture))
                picture.thumbnail((512, 512))
                pictures.append(picture)
        return {**frame_facts(pixel_facts(pictures, config, needs, sides), config.frames, ordered=True), "form": form}

    def check(self) -> None:
        """Raise ``ValueError`` for sizes, channels and counts that a config does not allow."""
        self.check_form(self.state["form"])
        check_frame_facts(self.state)
        if self.state["channels"] not in (1, 3):
            raise ValueError(f"{self.state['channels']} channels; expected 1 or 3")

    def read(self, cell: Cell) -> Sample:
        """Return ``pixels``, uint8 (T, C, H, W), in display order. T is ``frames``, or less for a clip of fewer frames."""
        return self.sample_of(self.parsed(cell))

    def parsed(self, cell: Cell) -> np.ndarray:
        """Return the pixels of the selected frames, uint8 (T, C, H, W)."""
        clip = _clip(cell, self.config, self.roots, self.state["frames"])
        return np.stack([pixels_of(picture, height_and_width(self.state), self.state) for picture in clip])

    def sample_of(self, content: np.ndarray) -> Sample:
        """Return the pixels of the frames as a sample."""
        return {"pixels": content}

    def augment(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return a variation of the clip: all frames are mirrored, shifted and changed in brightness and contrast in the same way."""
        return {"pixels": augmented(sample["pixels"], rng, self.config)}

    def corruptions(self) -> Mapping[str, Corruption]:
        """Return the corruptions of pictures, which change all frames in the same way."""
        return of_pictures(self.state["channels"], self.state["mean"])

    def blank(self) -> Sample:
        """Return a sample of one black frame."""
        return blank_frames(self.state)

    def geometry(self, sample: Sample) -> Geometry:
        """Return the padded number of frames: the next power of two, at most ``frames``."""
        return frame_geometry(sample, self.state)

    def collate(self, samples: Sequence[Sample], geometry: Geometry) -> dict[str, Tensor]:
        """Return ``pixels``, uint8 (U, T, C, H, W), and ``mask``, bool (U, T), which is True for a frame and False for padding."""
        return collate_frames(samples, geometry)

    def parts(self, cell: Cell, sample: Sample) -> Parts:
        """Return one part for each frame."""
        return frame_parts(sample)

    def cost(self) -> float:
        """Return the approximate number of multiply-adds, proportional to the area and the number of the frames."""
        return cost_of_frames(self.state)

    def show(self, cell: Cell) -> str:
        """Return the path, or the number of bytes."""
        return f"<{counted(len(cell), 'byte')}>" if isinstance(cell, bytes) else super().show(cell)

    def preview(self, cell: Cell) -> np.ndarray | None:
        """Return the first frame, uint8 (H, W, C)."""
        first_CHW: np.ndarray = self.read(cell)["pixels"][0]
        return first_CHW.transpose(1, 2, 0)

    def describe(self) -> str:
        """Return the number, the size and the channels of the frames, in words."""
        return Sentence("describe.frames", frames=self.state["frames"], pixels=described_pixels(self.state))


def _clip(cell: Cell, config: VideoConfig, roots: Roots, frames: int) -> list[Any]:
    """Return at most ``frames`` frames of the video of a cell."""
    return frames_of(roots.bytes_of(cell, int(config.max_mb * 2**20)), frames, config.seconds, config.max_pixels)


def _looks_like_a_video(cell: Cell) -> bool:
    """Return whether a cell is a video by its extension, its media type or its first bytes."""
    if isinstance(cell, (bytes, bytearray)):
        return is_video(cell)
    if isinstance(cell, os.PathLike):
        cell = os.fspath(cell)
    if not isinstance(cell, str):
        return False
    return cell.startswith("data:video/") or (len(cell) < 4096 and cell.strip().casefold().endswith(EXTENSIONS))
