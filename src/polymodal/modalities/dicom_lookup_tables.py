"""Lookup tables of DICOM files: Modality LUT, VOI LUT and palettes (PS3.3 C.11.1, C.11.2, C.7.6.3.1.5, C.7.9), read with bounds.

The results are those of ``pydicom.pixels``. The tables are read here because a hostile file can make the functions there take any time and
memory, and because they overflow if a table has more entries than its integer type can count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import Fault

_MOST = 2**16
"""The largest number of entries of a table."""
_MOST_SEGMENTS = 2**14
_COLOURS = ("Red", "Green", "Blue")


@dataclass(frozen=True)
class Table:
    """A lookup table."""

    entries: np.ndarray
    """The entries for the values ``first``, ``first + 1``, ..."""
    first: int
    bits: int
    """The number of bits of an entry."""

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return the entry of each value. Values beyond an end of the table have the entry at that end."""
        first = self.first
        if first >= 2**15 and values.min(initial=0) < 0:  # a signed number that was written with an unsigned representation
            first -= 2**16
        positions = np.subtract(values, first, dtype=np.float64).clip(0, len(self.entries) - 1).astype(np.int32)
        entries: np.ndarray = self.entries[positions]
        return entries


def table_of(item: Any, is_little_endian: bool) -> Table:
    """Return the table of an item of a Modality LUT or VOI LUT sequence; ``Fault`` for a broken table."""
    return _table(item, "LUTDescriptor", "LUTData", is_little_endian)


def colours_of(indices: np.ndarray, file: Any, is_little_endian: bool) -> np.ndarray:
    """Return the colours of PALETTE COLOR pixels (H, W) as uint8 (H, W, 3); ``Fault`` for a missing or broken palette."""
    tables = []
    for colour in _COLOURS:
        name = f"{colour}PaletteColorLookupTable"
        if f"Segmented{name}Data" in file and f"{name}Data" not in file:
            tables.append(_table(file, f"{name}Descriptor", f"Segmented{name}Data", is_little_endian, segmented=True))
        else:
            tables.append(_table(file, f"{name}Descriptor", f"{name}Data", is_little_endian))
    shift = max(max(table.bits for table in tables) - 8, 0)  # selects the high byte, also of 8-bit values that were shifted by 8
    return np.stack([(table.of(indices) >> shift).astype(np.uint8) for table in tables], -1)


def _table(source: Any, descriptor: str, data: str, is_little_endian: bool, segmented: bool = False) -> Table:
    """Return the table of a data set, given the names of its elements for descriptor and data; ``segmented`` data are expanded."""
    if descriptor not in source or data not in source:
        raise Fault("a DICOM without a complete lookup table; expected a descriptor and data")
    try:
        count, first, bits = (int(value) for value in source[descriptor].value)
    except (TypeError, ValueError):
        raise Fault("a DICOM lookup table with a broken descriptor; expected three numbers") from None
    count = (count & 0xFFFF) or _MOST
    if not 1 <= bits <= 16:
        raise Fault(f"a DICOM lookup table of {bits} bits; expected 1 to 16")
    body = source.get_item(data).value  # the bytes, before pydicom converts them to a list of numbers
    if not isinstance(body, bytes):
        numbers = np.atleast_1d(np.asarray(body if body is not None else [], np.int64))[: 2 * _MOST]
        body, is_little_endian = (numbers & 0xFFFF).astype("<u2").tobytes(), True
    if segmented:
        entries = _expanded(_numbers(body, is_little_endian, bits > 8), count, bits > 8)
    else:
        entries = _numbers(body, is_little_endian, len(body) >= 2 * count)
    if len(entries) < count:
        raise Fault(f"a DICOM lookup table with {len(entries):,} entries; expected {count:,}, as its descriptor states")
    entries = entries[:count]
    return Table(entries, first, max(bits if entries.dtype.itemsize > 1 else min(bits, 8), int(entries.max()).bit_length()))


def _numbers(body: bytes, is_little_endian: bool, are_words: bool) -> np.ndarray:
    """Return the entries as uint16, or as uint8 if each takes one byte (two in a 16-bit word, the first in its low half)."""
    words = np.frombuffer(body[: len(body) // 2 * 2], "<u2" if is_little_endian else ">u2")
    return words.astype(np.uint16) if are_words else words.astype("<u2").view(np.uint8)


def _expanded(data: np.ndarray, count: int, are_words: bool) -> np.ndarray:
    """Return the entries of a segmented palette (PS3.3 C.7.9.2), at most ``count``."""
    entries: list[int] = []
    numbers: list[int] = data[: 4 * _MOST].tolist()
    remaining = _MOST_SEGMENTS

    def expand(at: int, segments: int, is_copied: bool) -> None:
        nonlocal remaining
        while at + 1 < len(numbers) and segments and len(entries) < count:
            kind, length = numbers[at : at + 2]
            at, segments, remaining = at + 2, segments - 1, remaining - 1
            if remaining < 0:
                raise Fault(f"a DICOM palette of more than {_MOST_SEGMENTS:,} segments; expected fewer")
            if kind == 0:
                entries.extend(numbers[at : at + length])
                at += length
            elif kind == 1 and entries and at < len(numbers):
                start, end, at = entries[-1], numbers[at], at + 1
                entries.extend(np.around(np.linspace(start + (end - start) / max(length, 1), end, length)).astype(int).tolist())
            elif kind == 2 and entries and not is_copied and at + (2 if are_words else 4) <= len(numbers):
                if are_words:
                    offset, at = (numbers[at] | numbers[at + 1] << 16) // 2, at + 2
                else:
                    offset, at = int.from_bytes(bytes(numbers[at : at + 4]), "little"), at + 4
                expand(offset, length, True)
            else:
                raise Fault("a DICOM palette with invalid segments; expected those of PS3.3 C.7.9.2")

    expand(0, _MOST_SEGMENTS, False)
    return np.array(entries[:count], np.uint16 if are_words else np.uint8)
