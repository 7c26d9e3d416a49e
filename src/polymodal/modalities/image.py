"""Pictures: a file, bytes or a data URI becomes uint8 pixels (C, H, W). The model converts them to normalised floats.

``pixels.py`` lists the formats that can be read; ``array_images.py`` reads arrays of any numbers, such as radar maps.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from ..errors import Fault, counted
from ..flow import Cell, Form, Sample, State, height_and_width
from ..language import Sentence
from .array_images import is_a_picture, subsampled
from .decoding import mean_color, sides_of
from .files import Roots
from .medical import is_medical
from .modality import Modality, Parts, Recognition, percent
from .picture_sizes import described_pixels
from .pixels import (
    FITTED,
    PictureSettings,
    augmented,
    check_pixel_facts,
    looks_like_a_picture,
    open_picture,
    pixel_facts,
    pixel_recipe,
    read_pixels,
)
from .sequences import evenly
from .signal_corruption import Corruption, of_pictures

_GRID = 8  # rows and columns of the grid of a square whose places are covered one by one
_PEEKED = 16  # files opened to recognise a column of arrays
_PREVIEW = 128  # the longer side in pixels of a picture in a report
_MOST_BYTES = 64 * 2**20  # of a file that is opened to recognise a column of arrays


class ImageConfig(PictureSettings):
    """The config of a field over a column of pictures."""

    kind: Literal["image"] = "image"

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class of this modality, ``Image``."""
        return Image


class Image(Modality):
    """Reads pictures from files, bytes and data URIs."""

    kind = "image"
    sent_as = "content"
    media = "image/*"
    near_duplicates = "pixels"
    forms = ("pixels",)
    fit_cells = 256
    of_files = True

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Return a high confidence if at least half of the cells look like pictures, by their names or first bytes, or are arrays of three
        dimensions; whether they can be decoded is not tested."""
        if not cells:
            return Recognition(0.0)
        looks = sum(looks_like_a_picture(cell) for cell in cells) / len(cells)
        if looks >= 0.5:
            return Recognition(0.6 + 0.4 * looks, {}, Sentence("why.pictures", share=percent(looks)))
        peeked = [cells[at] for at in evenly(len(cells), _PEEKED)]
        share = sum(looks_like_a_picture(head) for head in roots.heads(peeked)) / len(peeked)  # DICOM files often have no extension
        if share >= 0.5:
            return Recognition(0.95, {}, Sentence("why.begin_pictures", share=percent(share)))
        if not all(_may_be_an_array(cell) for cell in peeked):
            return Recognition(0.0)
        arrays = sum(_is_an_array(cell, roots) for cell in peeked) / len(peeked)
        return Recognition(0.95, {}, Sentence("why.picture_arrays")) if arrays >= 0.5 else Recognition(0.0)

    @classmethod
    def fit(cls, config: ImageConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """Return the state: ``size``, ``channels``, ``mean`` and ``std`` of each channel in units of 0 to 255, ``range`` of arrays."""
        cls.check_form(form)
        pictures, sides = [], []
        for cell in cells:
            try:
                picture = open_picture(roots, cell, config, config.channels, at_least=FITTED)
            except Fault:
                continue
            sides.append(sides_of(picture))
            pictures.append(subsampled(picture) if isinstance(picture, np.ndarray) else picture)
        return {**pixel_facts(pictures, config, needs, sides), "form": form}

    def check(self) -> None:
        """Raise ``ValueError`` for sizes and channels that a config does not allow, and means and deviations that do not fit them."""
        self.check_form(self.state["form"])
        check_pixel_facts(self.state)

    def read(self, cell: Cell) -> Sample:
        """Return ``pixels``, uint8 (C, H, W)."""
        return self.sample_of(self.parsed(cell))

    def parsed(self, cell: Cell) -> np.ndarray:
        """Return the pixels of a cell, uint8 (C, H, W)."""
        return read_pixels(cell, self.roots, self.config, self.state)

    def sample_of(self, content: np.ndarray) -> Sample:
        """Return the pixels as a sample."""
        return {"pixels": content}

    def augment(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return the picture mirrored, shifted, and changed in brightness and contrast at random."""
        return {"pixels": augmented(sample["pixels"], rng, self.config)}

    def blank(self) -> Sample:
        """Return a black picture."""
        return {"pixels": np.zeros((self.state["channels"], *height_and_width(self.state)), np.uint8)}

    def corruptions(self) -> Mapping[str, Corruption]:
        """Return the corruptions of the pixels that the model receives."""
        return of_pictures(self.state["channels"], self.state["mean"])

    def parts(self, cell: Cell, sample: Sample) -> Parts:
        """Return the places of a grid as parts. A place is removed by covering it with the mean colour of the training pictures (occlusion;
        Zeiler and Fergus 2014, arXiv:1311.2901). There are about 64 places, which are about square."""
        channels, *sides = sample["pixels"].shape
        mean_side = math.sqrt(math.prod(sides))
        counts = [min(max(1, round(_GRID * side / mean_side)), side) for side in sides]
        rows, columns = (np.linspace(0, side, count + 1).round().astype(int) for side, count in zip(sides, counts, strict=True))
        color = mean_color(self.state)
        names, without = [], []
        for row, (top, bottom) in enumerate(pairwise(rows), 1):
            for column, (left, right) in enumerate(pairwise(columns), 1):
                covered = sample["pixels"].copy()
                covered[:, top:bottom, left:right] = color
                names.append(f"row {row}, column {column}")
                without.append({"pixels": covered})
        shown = sample["pixels"][: 3 if channels >= 3 else 1].transpose(1, 2, 0)
        return Parts(names, without, grid=(counts[0], counts[1]), pixels=np.ascontiguousarray(shown))

    def recipe(self) -> dict[str, Any]:
        """Return the operation "picture". Exported models read no medical formats."""
        return {"operation": "picture", "padded": [], **pixel_recipe(self.config, self.state)}

    def cost(self) -> float:
        """Return the approximate number of multiply-adds, proportional to the area. The first feature map of a small picture is as large as
        that of a picture twice as wide and high."""
        area = float(math.prod(height_and_width(self.state)))
        return 1e3 * (area if area >= 48**2 else 4 * area)

    def show(self, cell: Cell) -> str:
        """Return the path, or the number of bytes."""
        return f"<{counted(len(cell), 'byte')}>" if isinstance(cell, bytes) else super().show(cell)

    def preview(self, cell: Cell) -> np.ndarray | None:
        """Return the picture with a longer side of 128 pixels, uint8 (H, W, C)."""
        sides = height_and_width(self.state)
        size = [max(1, round(_PREVIEW * side / max(sides))) for side in sides]
        state = {name: value for name, value in self.state.items() if name != "resize"} | {"size": size}
        return read_pixels(cell, self.roots, self.config, state).transpose(1, 2, 0)

    def is_private(self, cells: Sequence[Cell]) -> bool:
        """Return whether a cell is a medical picture, which reports do not show."""
        heads = [bytes(cell[:512]) for cell in cells if isinstance(cell, (bytes, bytearray))]
        return any(is_medical(head) for head in (*heads, *self.roots.heads(cells)))

    def describe(self) -> str:
        """Return the size and the channels of the pictures, in words."""
        return described_pixels(self.state)


def _may_be_an_array(cell: Cell) -> bool:
    """Return whether a cell is bytes or names a ``.npy`` file."""
    is_named = isinstance(cell, (str, os.PathLike)) and len(str(cell)) < 4_096 and str(cell).strip().casefold().endswith(".npy")
    return isinstance(cell, (bytes, bytearray)) or is_named


def _is_an_array(cell: Cell, roots: Roots) -> bool:
    """Return whether a cell is a ``.npy`` array with the shape of a picture."""
    try:
        return is_a_picture(roots.bytes_of(cell, _MOST_BYTES))
    except Fault:
        return False
