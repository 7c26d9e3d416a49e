"""Sets of pictures: any number of pictures in one cell, whose order has no meaning, as uint8 pixels (T, C, H, W).

A cell is a list of paths, bytes or data URIs, the same list as JSON text, ``a.jpg;b.jpg``, or a folder below the roots, whose pictures
are read in the order of their names. Each picture is read like a single picture (``pixels.py``).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field as Setting
from torch import Tensor

from ..cells import is_empty
from ..errors import Fault, counted
from ..flow import Cell, Form, Geometry, Sample, State
from ..language import Sentence
from .array_images import subsampled
from .decoding import Picture, sides_of
from .files import NoFolder, Roots
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
from .modality import Modality, PartFault, Parts, Recognition, percent
from .picture_sizes import described_pixels
from .pixels import (
    FITTED,
    PictureSettings,
    augmented,
    looks_like_a_picture,
    open_picture,
    pixel_facts,
    pixel_recipe,
    read_pixels,
)
from .sequences import evenly, listed
from .signal_corruption import Corruption, each, of_pictures

_PEEKED = 16  # cells that are tried as folders to recognise a column
_MOST_NAMES = 10_000  # of a folder or a list
_LISTED = 3  # pictures of a cell whose faults are listed in a message


class PicturesConfig(PictureSettings):
    """The config of a field over a column of sets of pictures."""

    kind: Literal["pictures"] = "pictures"
    max_pictures: int = Setting(16, ge=1, le=MOST)
    """Largest number of pictures read from one cell, 1 to 256; of a larger set, pictures are selected evenly. Cost grows with it."""

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class of this modality, ``Pictures``."""
        return Pictures


class Pictures(Modality):
    """Reads sets of pictures."""

    kind = "pictures"
    sent_as = "content"
    media = "image/*"
    several = True
    forms = ("frames",)
    fit_cells = 128
    of_files = True

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Return a high confidence if the cells are lists or folders of pictures. If all cells are single pictures, the kind is image."""
        if not cells:
            return Recognition(0.0)
        lists = [listed(cell) for cell in cells]
        several = sum(_are_pictures(items) for items in lists)
        if several:
            count = sum(_are_pictures(items) or items == [] or looks_like_a_picture(c) for items, c in zip(lists, cells, strict=True))
            if count < 0.5 * len(cells):
                return Recognition(0.0)
            share = count / len(cells)
            return Recognition(0.6 + 0.4 * share, {}, Sentence("why.several_pictures", share=percent(share), several=several))
        return _recognise_folders(cells, roots)

    @classmethod
    def fit(cls, config: PicturesConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """Return the state: that of a field of pictures, ``frames`` = the largest number of pictures of a cell, and ``ordered`` = false."""
        cls.check_form(form)
        pictures, sides = [], []
        for picture in _opened(config, cells, roots):
            sides.append(sides_of(picture))
            pictures.append(subsampled(picture) if isinstance(picture, np.ndarray) else picture)
        return {**frame_facts(pixel_facts(pictures, config, needs, sides), config.max_pictures, ordered=False), "form": form}

    def check(self) -> None:
        """Raise ``ValueError`` for sizes, channels and counts that a config does not allow."""
        self.check_form(self.state["form"])
        check_frame_facts(self.state)

    def is_missing(self, cell: Cell) -> bool:
        """Return whether the cell is empty, or a list without pictures."""
        return is_empty(cell) or listed(cell) == []

    def read(self, cell: Cell) -> Sample:
        """Return ``pixels``, uint8 (T, C, H, W).

        :raises PartFault: if some of the pictures cannot be read; it has the sample of the others
        :raises Fault: if none can be read
        """
        return self.sample_of(self.parsed(cell))

    def parsed(self, cell: Cell) -> list[np.ndarray | Fault]:
        """Return the pixels of each selected picture, uint8 (C, H, W), or its fault if it cannot be read."""
        items = _items(cell, self.roots)
        content: list[np.ndarray | Fault] = []
        for at in evenly(len(items), self.state["frames"]):
            try:
                content.append(read_pixels(items[at], self.roots, self.config, self.state))
            except Fault as fault:
                kind = NoFolder if isinstance(fault, NoFolder) else Fault
                content.append(kind(f"picture {at + 1}: {fault}" if len(items) > 1 else str(fault)))
        return content

    def sample_of(self, content: Sequence[np.ndarray | Fault]) -> Sample:
        """Return the sample of a result of ``parsed``; ``PartFault`` or ``Fault`` as of ``read``."""
        pixels = [item for item in content if isinstance(item, np.ndarray)]
        faults = [item for item in content if isinstance(item, Fault)]
        if not faults:
            return {"pixels": np.stack(pixels)}
        more = f"; and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        message = "; ".join(map(str, faults[:_LISTED])) + more
        if not pixels:
            raise (NoFolder if all(isinstance(fault, NoFolder) for fault in faults) else Fault)(message)
        raise PartFault({self.config.column: message}, {"pixels": np.stack(pixels)})

    def augment(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return a variation of each picture: mirrored, shifted, and changed in brightness and contrast independently of the others."""
        return {"pixels": np.stack([augmented(pixels, rng, self.config) for pixels in sample["pixels"]])}

    def corruptions(self) -> Mapping[str, Corruption]:
        """Return the corruptions of pictures, which change each picture of a cell independently."""
        return each(of_pictures(self.state["channels"], self.state["mean"]))

    def blank(self) -> Sample:
        """Return a sample of one black picture."""
        return blank_frames(self.state)

    def geometry(self, sample: Sample) -> Geometry:
        """Return the padded number of pictures: the next power of two, at most ``frames``."""
        return frame_geometry(sample, self.state)

    def collate(self, samples: Sequence[Sample], geometry: Geometry) -> dict[str, Tensor]:
        """Return ``pixels``, uint8 (U, T, C, H, W), and ``mask``, bool (U, T), which is True for a picture and False for padding."""
        return collate_frames(samples, geometry)

    def parts(self, cell: Cell, sample: Sample) -> Parts:
        """Return one part for each picture of the cell."""
        return frame_parts(sample)

    def recipe(self) -> dict[str, Any]:
        """Return the operation "pictures". Exported models read no folders and no medical formats."""
        padding = {"padded": ["pixels"], "pad": 0, "lengths": [1, self.state["frames"]]}
        return {"operation": "pictures", "frames": self.state["frames"], **padding, **pixel_recipe(self.config, self.state)}

    def cost(self) -> float:
        """Return the approximate number of multiply-adds, proportional to the area and the number of the pictures."""
        return cost_of_frames(self.state)

    def show(self, cell: Cell) -> str:
        """Return the paths, or the number of bytes or of pictures."""
        if isinstance(cell, bytes):
            return f"<{counted(len(cell), 'byte')}>"
        items = listed(cell)
        are_paths = items is None or all(isinstance(item, str) for item in items)
        return super().show(cell) if are_paths else f"<{counted(len(items or ()), 'picture')}>"

    def preview(self, cell: Cell) -> np.ndarray | None:
        """Return the first picture, uint8 (H, W, C)."""
        first_CHW: np.ndarray = self.read(cell)["pixels"][0]
        return first_CHW.transpose(1, 2, 0)

    def describe(self) -> str:
        """Return the largest number, the size and the channels of the pictures, in words."""
        return Sentence("describe.pictures", pictures=self.state["frames"], pixels=described_pixels(self.state))


def _are_pictures(items: Sequence[Cell] | None) -> bool:
    """Return whether there are items, and all look like pictures."""
    return bool(items) and all(map(looks_like_a_picture, items or ()))


def _items(cell: Cell, roots: Roots) -> list[Cell]:
    """Return the pictures of a cell; ``Fault`` for a folder or a list without pictures."""
    items = listed(cell)
    if items is not None:
        if len(items) > _MOST_NAMES:
            raise Fault(f"a list of {len(items):,} pictures; expected at most {_MOST_NAMES:,}")
        if not items:
            raise Fault("a list of no pictures; expected an empty cell")
        return items
    names = roots.names_in(cell, _MOST_NAMES)
    if names is None:
        return [cell]
    pictures: list[Cell] = [name for name in names if looks_like_a_picture(name)]
    if not pictures:
        raise Fault("a folder without pictures; expected some, or an empty cell")
    return pictures


def _opened(config: PicturesConfig, cells: Iterable[Cell], roots: Roots) -> Iterable[Picture]:
    """Yield at most two decoded pictures of each cell; those that cannot be read are left out."""
    for cell in cells:
        try:
            items = _items(cell, roots) if not is_empty(cell) and listed(cell) != [] else []
        except Fault:
            continue
        for at in evenly(len(items), 2):
            try:
                yield open_picture(roots, items[at], config, config.channels, at_least=FITTED)
            except Fault:
                continue


def _recognise_folders(cells: Sequence[Cell], roots: Roots) -> Recognition:
    """Recognise cells that name folders of pictures. Most names must differ: a few words, some of them folders, are categories."""
    paths = [os.fspath(cell) if isinstance(cell, os.PathLike) else cell for cell in cells]
    peeked = [paths[at] for at in evenly(len(paths), _PEEKED)]
    if not all(isinstance(path, str) for path in peeked) or len(set(map(str, paths))) < 0.5 * len(paths):
        return Recognition(0.0)
    share = sum(_has_pictures(path, roots) for path in peeked) / len(peeked)
    if share < 0.5:
        return Recognition(0.0)
    return Recognition(0.6 + 0.4 * share, {}, Sentence("why.folders", share=percent(share)))


def _has_pictures(path: str, roots: Roots) -> bool:
    """Return whether a path is a folder below the roots with at least one picture."""
    try:
        return any(map(looks_like_a_picture, roots.names_in(path, _MOST_NAMES) or ()))
    except Fault:
        return False
