"""Pictures: a file, bytes or a data URI, to uint8 pixels (C, size, size), which stay so until the model normalises them.

What can be read is in ``pixels.py``; arrays of any numbers, such as radar maps, in ``array_images.py``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from ..errors import Fault
from ..flow import Cell, Form, Sample, State
from .array_images import is_a_picture, thinned
from .files import Roots
from .medical import is_medical
from .modality import Modality, Parts, Recognition, evenly
from .pixels import PictureSettings, check_pixel_facts, looks_like_a_picture, open_picture, pixel_facts, read_pixels, varied
from .signal_corruption import Corruption, of_pictures

_GRID = 8  # places a side that are painted over, one by one
_PEEKED = 16  # files opened to recognise a column of arrays
_PREVIEW = 128  # pixels of a picture in a report
_MOST_BYTES = 64 * 2**20


class ImageConfig(PictureSettings):
    """A column of pictures."""

    kind: Literal["image"] = "image"

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class of this modality, ``Image``."""
        return Image


class Image(Modality):
    """Read pictures from files, bytes and data URIs."""

    kind = "image"
    near_duplicates = "pixels"
    forms = ("pixels",)
    fit_cells = 256
    of_files = True

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Sure when most cells look like pictures; which of them can be read is for ``read`` to say. Arrays: of three dimensions."""
        if not cells:
            return Recognition(0.0)
        looks = sum(looks_like_a_picture(cell) for cell in cells) / len(cells)
        if looks >= 0.5:
            return Recognition(0.6 + 0.4 * looks, {}, f"{looks:.0%} of the cells looked at are picture files, bytes or arrays")
        peeked = [cells[at] for at in evenly(len(cells), _PEEKED)]
        begun = sum(looks_like_a_picture(head) for head in roots.heads(peeked)) / len(peeked)  # DICOM files often have no ending
        if begun >= 0.5:
            return Recognition(0.95, {}, f"{begun:.0%} of the files looked at begin as pictures do")
        if not all(_may_be_an_array(cell) for cell in peeked):
            return Recognition(0.0)
        arrays = sum(_is_an_array(cell, roots) for cell in peeked) / len(peeked)
        return Recognition(0.95, {}, "arrays of height x width x channels") if arrays >= 0.5 else Recognition(0.0)

    @classmethod
    def fit(cls, config: ImageConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """State: ``size``, ``channels``, ``mean`` and ``std`` of each channel in units of 0 to 255, ``range`` of arrays."""
        cls.check_form(form)
        pictures = []
        for cell in cells:
            try:
                picture = open_picture(roots, cell, config, config.channels, at_least=256)
            except Fault:
                continue
            pictures.append(thinned(picture) if isinstance(picture, np.ndarray) else picture)
        return {**pixel_facts(pictures, config, needs), "form": form}

    def check(self) -> None:
        """Sizes and channels that a config may ask for, and as many finite means and spreads."""
        self.check_form(self.state["form"])
        check_pixel_facts(self.state)

    def read(self, cell: Cell) -> Sample:
        """``pixels``: uint8 (C, size, size)."""
        return self.sample_of(self.held(cell))

    def held(self, cell: Cell) -> np.ndarray:
        """Return the pixels of a cell, uint8 (C, size, size)."""
        return read_pixels(cell, self.roots, self.config, self.state)

    def sample_of(self, held: np.ndarray) -> Sample:
        """Return the pixels as a sample."""
        return {"pixels": held}

    def augment(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Mirror, move and relight."""
        return {"pixels": varied(sample["pixels"], rng, self.config)}

    def blank(self) -> Sample:
        """Return a black picture."""
        size = self.state["size"]
        return {"pixels": np.zeros((self.state["channels"], size, size), np.uint8)}

    def corruptions(self) -> Mapping[str, Corruption]:
        """Of the pixels that the model is shown."""
        return of_pictures(self.state["channels"], self.state["mean"])

    def parts(self, cell: Cell, sample: Sample) -> Parts:
        """The places of a grid, each painted over with the mean colour of training (Zeiler and Fergus 2014, arXiv:1311.2901)."""
        channels, size, _ = sample["pixels"].shape
        edges = np.linspace(0, size, min(_GRID, size) + 1).round().astype(int)
        color = np.clip(np.round(self.state["mean"]), 0, 255).astype(np.uint8).reshape(channels, 1, 1)
        names, without = [], []
        for row, (top, bottom) in enumerate(pairwise(edges), 1):
            for column, (left, right) in enumerate(pairwise(edges), 1):
                covered = sample["pixels"].copy()
                covered[:, top:bottom, left:right] = color
                names.append(f"row {row}, column {column}")
                without.append({"pixels": covered})
        shown = sample["pixels"][: 3 if channels >= 3 else 1].transpose(1, 2, 0)
        return Parts(names, without, grid=(len(edges) - 1, len(edges) - 1), pixels=np.ascontiguousarray(shown))

    def cost(self) -> float:
        """Grows with the area; of small pictures the first grid is as large as that of pictures twice as wide."""
        side = float(self.state["size"])
        return 1e3 * (side if side >= 48 else 2 * side) ** 2

    def show(self, cell: Cell) -> str:
        """The path, or how many bytes."""
        return f"<{len(cell):,} bytes>" if isinstance(cell, bytes) else super().show(cell)

    def preview(self, cell: Cell) -> np.ndarray | None:
        """The picture, at 128 pixels."""
        larger = {name: value for name, value in self.state.items() if name != "resize"} | {"size": _PREVIEW}
        return read_pixels(cell, self.roots, self.config, larger).transpose(1, 2, 0)

    def is_private(self, cells: Sequence[Cell]) -> bool:
        """Return whether a cell is a medical picture, which reports do not show."""
        bodies = [bytes(cell[:512]) for cell in cells if isinstance(cell, (bytes, bytearray))]
        return any(is_medical(head) for head in (*bodies, *self.roots.heads(cells)))

    def describe(self) -> str:
        """Return the side and the channels of the pictures, in words."""
        return f"{self.state['size']} x {self.state['size']} pixels, {self.state['channels']} channels"


def _may_be_an_array(cell: Cell) -> bool:
    named = isinstance(cell, (str, os.PathLike)) and len(str(cell)) < 4_096 and str(cell).strip().casefold().endswith(".npy")
    return isinstance(cell, (bytes, bytearray)) or named


def _is_an_array(cell: Cell, roots: Roots) -> bool:
    try:
        return is_a_picture(roots.bytes_of(cell, _MOST_BYTES))
    except Fault:
        return False
