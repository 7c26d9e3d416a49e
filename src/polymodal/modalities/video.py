"""Video: frames drawn evenly over a clip, in their order, to uint8 pixels (T, C, size, size). Containers are those of ``containers.py``.

Its sound track is a field of its own over the same column: ``clip_sound: {kind: audio, column: clip}``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field as Setting
from torch import Tensor

from ..errors import Fault
from ..flow import Cell, Form, Geometry, Sample, State
from .containers import ENDINGS, frames_of, is_video
from .files import Roots
from .frames import MOST, blank_frames, check_frame_facts, collate_frames, frame_facts, frame_geometry, frame_parts
from .modality import Modality, Parts, Recognition, evenly
from .pixels import Picture, PictureSettings, pixel_facts, pixels_of, varied
from .signal_corruption import Corruption, of_pictures
from .tracks import hold_sound_alone

_PEEKED = 16  # files whose tracks are looked at to recognise a column


class VideoConfig(PictureSettings):
    """A column of videos."""

    kind: Literal["video"] = "video"
    frames: int = Setting(8, ge=1, le=MOST)
    """Frames drawn evenly over a clip. Cost grows with it."""
    seconds: float | None = Setting(None, gt=0, le=86_400)
    """Seconds of a clip that frames are drawn from, from its start; null = all of it."""
    channels: Literal[1, 3] = 3  # type: ignore[assignment]
    """3 = colour, 1 = grey."""
    max_pixels: int = Setting(9_000_000, ge=1)
    """A video of larger frames than this is a fault, found before they are decoded. Decoding keeps up to 16 frames beside one another."""
    max_mb: float = Setting(256.0, gt=0, le=2_048)
    """A file or cell larger than this (in MiB) is a fault, found before it is read."""
    flip: bool | None = False
    """Mirror training clips left to right at random: what moves left then moves right; null = only above 32 pixels."""

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class of this modality, ``Video``."""
        return Video


class Video(Modality):
    """Read videos from files, bytes and data URIs."""

    kind = "video"
    forms = ("frames",)
    fit_cells = 64
    of_files = True

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Sure when most cells look like videos; which of them can be read is for ``read`` to say. Files that hold a sound track and no
        moving pictures are sounds, whatever they are named."""
        looks = sum(map(_looks_like_a_video, cells)) / max(len(cells), 1)
        if looks < 0.5 or hold_sound_alone([cells[at] for at in evenly(len(cells), _PEEKED)], roots):
            return Recognition(0.0)
        return Recognition(0.6 + 0.4 * looks, {}, f"{looks:.0%} of the cells looked at are videos (their sound: a field of kind audio)")

    @classmethod
    def fit(cls, config: VideoConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """State: that of a field of pictures, ``frames`` of a clip, ``ordered`` = true."""
        cls.check_form(form)
        found: list[Picture] = []
        for cell in cells:
            try:
                clip = _clip(cell, config, roots, 2)
            except Fault:
                continue
            for picture in clip:
                picture.thumbnail((512, 512))
                found.append(picture)
        return {**frame_facts(pixel_facts(found, config, needs), config.frames, ordered=True), "form": form}

    def check(self) -> None:
        """Sizes, channels and counts that a config may ask for."""
        self.check_form(self.state["form"])
        check_frame_facts(self.state)
        if self.state["channels"] not in (1, 3):
            raise ValueError(f"{self.state['channels']} channels")

    def read(self, cell: Cell) -> Sample:
        """``pixels``: uint8 (T, C, size, size), first frame first; fewer than ``frames`` of a clip that has fewer."""
        return self.sample_of(self.held(cell))

    def held(self, cell: Cell) -> np.ndarray:
        """The pixels of its frames."""
        clip = _clip(cell, self.config, self.roots, self.state["frames"])
        channels, size, resize = self.state["channels"], self.state["size"], self.state.get("resize")
        return np.stack([pixels_of(picture, channels, size, resize=resize) for picture in clip])

    def sample_of(self, held: np.ndarray) -> Sample:
        """Return the sampled frames."""
        return {"pixels": held}

    def augment(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """All frames moved and relit alike."""
        return {"pixels": varied(sample["pixels"], rng, self.config)}

    def corruptions(self) -> Mapping[str, Corruption]:
        """Of all frames alike."""
        return of_pictures(self.state["channels"], self.state["mean"])

    def blank(self) -> Sample:
        """Return a sample of one black frame."""
        return blank_frames(self.state)

    def geometry(self, sample: Sample) -> Geometry:
        """Frames, up to the next power of two."""
        return frame_geometry(sample, self.state)

    def collate(self, samples: Sequence[Sample], geometry: Geometry) -> dict[str, Tensor]:
        """``pixels`` uint8 (U, T, C, S, S) and ``mask`` bool (U, T)."""
        return collate_frames(samples, geometry)

    def parts(self, cell: Cell, sample: Sample) -> Parts:
        """Return one part for each frame."""
        return frame_parts(sample)

    def cost(self) -> float:
        """Grows with the area and the count."""
        return 1e3 * float(self.state["size"]) ** 2 * self.state["frames"]

    def show(self, cell: Cell) -> str:
        """The path, or how many bytes."""
        return f"<{len(cell):,} bytes>" if isinstance(cell, bytes) else super().show(cell)

    def preview(self, cell: Cell) -> np.ndarray | None:
        """The first of them."""
        pixels_TCHW = self.read(cell)["pixels"]
        return pixels_TCHW[0].transpose(1, 2, 0)

    def describe(self) -> str:
        """Its frames and their size."""
        size, channels = self.state["size"], self.state["channels"]
        return f"{self.state['frames']} frames of a clip, {size} x {size} pixels, {channels} channels"


def _clip(cell: Cell, config: VideoConfig, roots: Roots, frames: int) -> list[Any]:
    return frames_of(roots.bytes_of(cell, int(config.max_mb * 2**20)), frames, config.seconds, config.max_pixels)


def _looks_like_a_video(cell: Cell) -> bool:
    if isinstance(cell, (bytes, bytearray)):
        return is_video(cell)
    if isinstance(cell, os.PathLike):
        cell = os.fspath(cell)
    if not isinstance(cell, str):
        return False
    return cell.startswith("data:video/") or (len(cell) < 4096 and cell.strip().casefold().endswith(ENDINGS))
