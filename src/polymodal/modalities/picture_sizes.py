"""The size in pixels at which a field reads its pictures.

Photographs are read as squares. If most pictures of a column have the same elongated shape (strips, panoramas, lines of text, frames of a
film), the size keeps their aspect ratio: a square would distort what they show. A picture whose aspect ratio
differs much from that of the size is fitted into it and surrounded by the mean colour (a letterbox), so that nothing is cut off.

Sizes are pairs of height and width. In settings and states, a square is one number (``flow.height_and_width``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..flow import State, height_and_width
from ..language import Sentence
from .decoding import ELONGATED

SMALLEST, LARGEST = 4, 4_096
"""The smallest and the largest height or width in pixels."""
_MOST_ELONGATED = 8.0
_ALIKE = 2 / 3
"""The smallest share of pictures of one aspect ratio for which a size keeps it."""
_UNIT = 8
"""A height and a width that are not equal are multiples of this number: the patch of the vision transformer."""
_SQUARE, _SMALL_SQUARE, _SMALL = 64, 32, 40
"""The side of a square, its side for small pictures, and the largest median of the shorter sides of small pictures."""
_PIXELS = _SQUARE**2
"""The largest number of pixels of an elongated size, before its sides are rounded: as many as of a square, so that it costs as much."""


def checked_size(value: Any) -> int | tuple[int, int] | None:
    """Return a setting ``size``: None, the side of a square, or the height and the width, which are not equal.

    :raises ValueError: it is none of them
    """
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    sides = list(value) if isinstance(value, (list, tuple)) else [value]
    sides = [int(side) if isinstance(side, float) and side.is_integer() else side for side in sides]
    if value is None:
        return None
    if len(sides) != 1 + isinstance(value, (list, tuple)) or not all(type(side) is int and SMALLEST <= side <= LARGEST for side in sides):
        raise ValueError(f"expected a number of pixels from {SMALLEST} to {LARGEST:,}, [height, width], or null")
    return sides[0] if sides[0] == sides[-1] else (sides[0], sides[1])


def size_facts(configured: Any, prescribed: Any, sides: Sequence[tuple[int, int]]) -> State:
    """Return the facts of a field on the size of its pictures.

    :param configured: the setting ``size``, as ``checked_size`` returns it
    :param prescribed: the size that the encoder requires; None = none
    :param sides: the height and the width of each picture of a sample
    :returns: ``size`` (``flow.height_and_width``); ``letterbox`` = true unless the encoder prescribes the size, or a square is configured:
        then pictures are squeezed into it, as in every model from before there were letterboxes; ``ratio`` = the width of the pictures
        divided by their height, if the size was chosen by it
    """
    fixed = checked_size(prescribed) or configured
    if isinstance(fixed, int):
        return {"size": fixed}
    if fixed is not None:
        return {"size": list(fixed)} | ({"letterbox": True} if prescribed is None else {})
    ratio = usual_ratio(sides)
    return {"size": usual_size(sides), "letterbox": True} | ({"ratio": round(ratio, 3)} if ratio != 1 else {})


def check_size_facts(state: State) -> None:
    """Raise ``ValueError`` for facts that ``size_facts`` cannot have returned."""
    size, letterbox, ratio = state["size"], state.get("letterbox", False), state.get("ratio", 1.0)
    sides = size if type(size) is list and len(size) == 2 and size[0] != size[1] else [size]
    if not all(type(side) is int and SMALLEST <= side <= LARGEST for side in sides):
        raise ValueError(f"pictures of size {size}")
    if type(letterbox) is not bool or type(ratio) not in (int, float) or not 1e-6 <= ratio <= 1e6:
        raise ValueError(f"pictures of a ratio of {ratio}, letterbox: {letterbox}")


def described_pixels(state: State) -> str:
    """Return the size and the channels of a field's pictures in words, with the reason for a size that was chosen by their shape."""
    height, width = height_and_width(state)
    ratio = state.get("ratio", 1)
    if height == width and ratio == 1:
        return Sentence("describe.pixels", height=height, width=width, channels=state["channels"])
    size = {"height": height, "width": width, "channels": state["channels"]}
    if ratio == 1:
        return Sentence("describe.elongated", **size)
    key = "describe.wide" if ratio > 1 else "describe.high"
    return Sentence(
        key, pixels=Sentence("describe.pixels" if height == width else "describe.elongated", **size), ratio=max(ratio, 1 / ratio)
    )


def usual_size(sides: Sequence[tuple[int, int]]) -> int | list[int]:
    """Return the size at which pictures are read by default, which can be trained on from scratch on two cores in minutes.

    :param sides: the height and the width of each picture of a sample
    :returns: for squares and photographs, 32 if the median of the shorter sides is at most 40, else 64. For elongated pictures the height
        and the width, multiples of 8, of the aspect ratio of the pictures, at most 8, and of about 64 x 64 pixels; smaller if the median of
        the shorter sides is smaller
    """
    ratio = usual_ratio(sides)
    shorter = float(np.median([min(pair) for pair in sides])) if sides else math.inf
    if ratio == 1:
        return _SMALL_SQUARE if shorter <= _SMALL else _SQUARE
    elongation = min(max(ratio, 1 / ratio), _MOST_ELONGATED)
    shorter = _multiple(min(shorter, math.sqrt(_PIXELS / elongation)))
    longer = _multiple(shorter * elongation)
    return [shorter, longer] if ratio > 1 else [longer, shorter]


def usual_ratio(sides: Sequence[tuple[int, int]]) -> float:
    """Return the width of most pictures divided by their height; 1 if it is below 1.6 (or 1 / 1.6), or if the pictures differ in it.

    :param sides: the height and the width of each picture of a sample
    """
    logs = np.array([math.log(width / height) for height, width in sides])
    middle = float(np.median(logs)) if sides else 0.0
    far = math.log(ELONGATED)
    return math.exp(middle) if abs(middle) > far and (np.abs(logs - middle) <= far).mean() >= _ALIKE else 1.0


def _multiple(side: float) -> int:
    """Return the multiple of ``_UNIT`` that is next to a side, at least twice ``_UNIT``."""
    return max(2, round(side / _UNIT)) * _UNIT
