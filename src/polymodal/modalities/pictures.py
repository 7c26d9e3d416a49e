"""Several pictures in one cell: any count of them, in no order that says something, to uint8 pixels (T, C, size, size).

A cell is a list of paths, bytes or data URIs, the same as JSON text, ``a.jpg;b.jpg``, or a folder below the roots, whose
pictures are read in the order of their names. Each is read as a picture of its own is (``pixels.py``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field as Setting
from torch import Tensor

from ..cells import is_empty
from ..errors import Fault
from ..flow import Cell, Form, Geometry, Sample, State
from .array_images import thinned
from .files import NoFolder, Roots
from .frames import MOST, blank_frames, check_frame_facts, collate_frames, frame_facts, frame_geometry, frame_parts
from .modality import Modality, PartFault, Parts, Recognition, evenly
from .pixels import Picture, PictureSettings, looks_like_a_picture, open_picture, pixel_facts, read_pixels, varied
from .signal_corruption import Corruption, each, of_pictures

_PEEKED = 16  # cells looked up as folders to recognise a column
_MOST_NAMES = 10_000  # of a folder, or of a list
_LISTED = 3  # pictures of a cell whose faults are told one by one


class PicturesConfig(PictureSettings):
    """A column of sets of pictures."""

    kind: Literal["pictures"] = "pictures"
    max_pictures: int = Setting(16, ge=1, le=MOST)
    """Pictures read of one cell; of more, so many are taken evenly. Cost grows with it."""

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class of this modality, ``Pictures``."""
        return Pictures


class Pictures(Modality):
    """Reads sets of pictures."""

    kind = "pictures"
    forms = ("frames",)
    fit_cells = 128
    of_files = True

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Lists and folders of pictures; a column whose cells all hold a single picture is one of pictures alone."""
        if not cells:
            return Recognition(0.0)
        lists = [_listed(cell) for cell in cells]
        several = sum(_are_pictures(items) for items in lists)
        if several:
            fit = sum(_are_pictures(items) or items == [] or looks_like_a_picture(c) for items, c in zip(lists, cells, strict=True))
            if fit < 0.5 * len(cells):
                return Recognition(0.0)
            share = fit / len(cells)
            return Recognition(0.6 + 0.4 * share, {}, f"{share:.0%} of the cells looked at are pictures, in {several:,} of them a list")
        return _recognise_folders(cells, roots)

    @classmethod
    def fit(cls, config: PicturesConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """State: that of a field of pictures, ``frames`` = pictures of a cell at most, ``ordered`` = false."""
        cls.check_form(form)
        found = _opened(config, cells, roots)
        return {**frame_facts(pixel_facts(list(found), config, needs), config.max_pictures, ordered=False), "form": form}

    def check(self) -> None:
        """Sizes, channels and counts that a config may ask for."""
        self.check_form(self.state["form"])
        check_frame_facts(self.state)

    def is_missing(self, cell: Cell) -> bool:
        """An empty cell, or a list of nothing."""
        return is_empty(cell) or _listed(cell) == []

    def read(self, cell: Cell) -> Sample:
        """``pixels``: uint8 (T, C, size, size). ``PartFault`` where some of them cannot be read."""
        return self.sample_of(self.held(cell))

    def held(self, cell: Cell) -> list[np.ndarray | Fault]:
        """The pixels of each picture, or what is wrong with it."""
        items = _items(cell, self.roots)
        found: list[np.ndarray | Fault] = []
        for at in evenly(len(items), self.state["frames"]):
            try:
                found.append(read_pixels(items[at], self.roots, self.config, self.state))
            except Fault as fault:
                kind = NoFolder if isinstance(fault, NoFolder) else Fault
                found.append(kind(f"picture {at + 1}: {fault}" if len(items) > 1 else str(fault)))
        return found

    def sample_of(self, held: Sequence[np.ndarray | Fault]) -> Sample:
        """The pictures that could be read."""
        pixels = [item for item in held if isinstance(item, np.ndarray)]
        faults = [item for item in held if isinstance(item, Fault)]
        if not faults:
            return {"pixels": np.stack(pixels)}
        more = f"; and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        message = "; ".join(map(str, faults[:_LISTED])) + more
        if not pixels:
            raise (NoFolder if all(isinstance(fault, NoFolder) for fault in faults) else Fault)(message)
        raise PartFault({self.config.column: message}, {"pixels": np.stack(pixels)})

    def augment(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Each picture mirrored, moved and relit by itself."""
        return {"pixels": np.stack([varied(pixels, rng, self.config) for pixels in sample["pixels"]])}

    def corruptions(self) -> Mapping[str, Corruption]:
        """Of each picture by itself."""
        return each(of_pictures(self.state["channels"], self.state["mean"]))

    def blank(self) -> Sample:
        """Return a sample of one black picture."""
        return blank_frames(self.state)

    def geometry(self, sample: Sample) -> Geometry:
        """Pictures, up to the next power of two."""
        return frame_geometry(sample, self.state)

    def collate(self, samples: Sequence[Sample], geometry: Geometry) -> dict[str, Tensor]:
        """``pixels`` uint8 (U, T, C, S, S) and ``mask`` bool (U, T)."""
        return collate_frames(samples, geometry)

    def parts(self, cell: Cell, sample: Sample) -> Parts:
        """Return one part for each picture of the cell."""
        return frame_parts(sample)

    def cost(self) -> float:
        """Grows with the area and the count."""
        return 1e3 * float(self.state["size"]) ** 2 * self.state["frames"]

    def show(self, cell: Cell) -> str:
        """The paths, or how many pictures."""
        items = _listed(cell)
        named = items is None or all(isinstance(item, str) for item in items)
        return f"<{len(cell):,} bytes>" if isinstance(cell, bytes) else super().show(cell) if named else f"<{len(items or ()):,} pictures>"

    def preview(self, cell: Cell) -> np.ndarray | None:
        """The first of them."""
        pixels_TCHW = self.read(cell)["pixels"]
        return pixels_TCHW[0].transpose(1, 2, 0)

    def describe(self) -> str:
        """Its count and size."""
        size, channels = self.state["size"], self.state["channels"]
        return f"{self.state['frames']} pictures at most, {size} x {size} pixels, {channels} channels"


def _listed(cell: Cell) -> list[Cell] | None:
    """The parts of a list, of JSON text or of ``a;b``, empty ones aside; None for what is no list."""
    if isinstance(cell, str):
        text = cell.strip()
        if text.startswith("[") and text.endswith("]"):
            try:
                cell = json.loads(text)
            except (ValueError, RecursionError):
                return None
        elif ";" in text and not text.startswith("data:"):
            cell = text.split(";")
    if isinstance(cell, np.ndarray) and cell.dtype.kind in "OUS" and cell.ndim == 1:
        cell = cell.tolist()
    if not isinstance(cell, (list, tuple)):
        return None
    return [item for item in cell if not is_empty(item)]


def _are_pictures(items: Sequence[Cell] | None) -> bool:
    return bool(items) and all(map(looks_like_a_picture, items or ()))


def _items(cell: Cell, roots: Roots) -> list[Cell]:
    """The pictures that a cell names; ``Fault`` for a folder without any."""
    items = _listed(cell)
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
    """Some pictures of each cell, decoded."""
    for cell in cells:
        try:
            items = _items(cell, roots) if not is_empty(cell) and _listed(cell) != [] else []
        except Fault:
            continue
        for at in evenly(len(items), 2):
            try:
                picture = open_picture(roots, items[at], config, config.channels, at_least=256)
            except Fault:
                continue
            yield thinned(picture) if isinstance(picture, np.ndarray) else picture


def _recognise_folders(cells: Sequence[Cell], roots: Roots) -> Recognition:
    """Cells that name folders of pictures, hardly any twice: a column of a few words, some of them folders, is one of categories."""
    paths = [os.fspath(cell) if isinstance(cell, os.PathLike) else cell for cell in cells]
    peeked = [paths[at] for at in evenly(len(paths), _PEEKED)]
    if not all(isinstance(path, str) for path in peeked) or len(set(map(str, paths))) < 0.5 * len(paths):
        return Recognition(0.0)
    share = sum(_holds_pictures(path, roots) for path in peeked) / len(peeked)
    if share < 0.5:
        return Recognition(0.0)
    return Recognition(0.6 + 0.4 * share, {}, f"{share:.0%} of the cells looked at are folders of pictures")


def _holds_pictures(path: str, roots: Roots) -> bool:
    try:
        return any(map(looks_like_a_picture, roots.names_in(path, _MOST_NAMES) or ()))
    except Fault:
        return False
