"""Lookup tables of DICOM files: Modality LUT, VOI LUT and palettes (PS3.3 C.11.1, C.11.2, C.7.6.3.1.5, C.7.9), read with bounds.

The results are those of ``pydicom.pixels``. The tables are read here because the functions there take time and memory that a hostile
file decides on, and wrap around where a table has more entries than its own type can count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import Fault

_MOST = 2**16
"""Entries of a table, at most."""
_MOST_SEGMENTS = 2**14
_COLOURS = ("Red", "Green", "Blue")


@dataclass(frozen=True)
class Table:
    """``entries`` of ``bits`` bits for the values ``first``, ``first + 1``, ..."""

    entries: np.ndarray
    first: int
    bits: int

    def of(self, values: np.ndarray) -> np.ndarray:
        """The entry of each value; a value outside of the table takes the entry at that end."""
        first = self.first
        if first >= 2**15 and values.min(initial=0) < 0:  # a signed number that was written with an unsigned representation
            first -= 2**16
        places = np.subtract(values, first, dtype=np.float64).clip(0, len(self.entries) - 1).astype(np.int32)
        return self.entries[places]


def table_of(item: Any, is_little_endian: bool) -> Table:
    """The Modality LUT or VOI LUT of an item of such a sequence; ``Fault`` for a broken one."""
    return _table(item, "LUTDescriptor", "LUTData", is_little_endian)


def colours_of(indices: np.ndarray, file: Any, is_little_endian: bool) -> np.ndarray:
    """Pixels of PALETTE COLOR (H, W) as uint8 (H, W, 3); ``Fault`` for a palette that is absent or broken."""
    tables = []
    for colour in _COLOURS:
        name = f"{colour}PaletteColorLookupTable"
        if f"Segmented{name}Data" in file and f"{name}Data" not in file:
            tables.append(_table(file, f"{name}Descriptor", f"Segmented{name}Data", is_little_endian, segmented=True))
        else:
            tables.append(_table(file, f"{name}Descriptor", f"{name}Data", is_little_endian))
    shift = max(max(table.bits for table in tables) - 8, 0)  # the high byte, which is also right where 8 bits were moved up by 8
    return np.stack([(table.of(indices) >> shift).astype(np.uint8) for table in tables], -1)


def _table(source: Any, descriptor: str, data: str, is_little_endian: bool, segmented: bool = False) -> Table:
    if descriptor not in source or data not in source:
        raise Fault("a DICOM that lacks a lookup table or a part of it; expected a descriptor and data")
    try:
        count, first, bits = (int(value) for value in source[descriptor].value)
    except (TypeError, ValueError):
        raise Fault("a DICOM lookup table with a broken descriptor; expected three numbers") from None
    count = (count & 0xFFFF) or _MOST
    if not 1 <= bits <= 16:
        raise Fault(f"a DICOM lookup table of {bits} bits; expected 1 to 16")
    body = source.get_item(data).value  # the bytes, before pydicom makes a list of numbers of them
    if not isinstance(body, bytes):
        numbers = np.atleast_1d(np.asarray(body if body is not None else [], np.int64))[: 2 * _MOST]
        body, is_little_endian = (numbers & 0xFFFF).astype("<u2").tobytes(), True
    if segmented:
        entries = _expanded(_numbers(body, is_little_endian, bits > 8), count, bits > 8)
    else:
        entries = _numbers(body, is_little_endian, len(body) >= 2 * count)
    if len(entries) < count:
        raise Fault(f"a DICOM lookup table of {count:,} entries, {len(entries):,} of which are there")
    entries = entries[:count]
    return Table(entries, first, max(bits if entries.dtype.itemsize > 1 else min(bits, 8), int(entries.max()).bit_length()))


def _numbers(body: bytes, is_little_endian: bool, are_words: bool) -> np.ndarray:
    """The entries as uint16, or uint8 where each takes one byte (two of them in a 16-bit word, the first in its low half)."""
    words = np.frombuffer(body[: len(body) // 2 * 2], "<u2" if is_little_endian else ">u2")
    return words.astype(np.uint16) if are_words else words.astype("<u2").view(np.uint8)


def _expanded(data: np.ndarray, count: int, are_words: bool) -> np.ndarray:
    """The entries that the segments of a palette stand for (PS3.3 C.7.9.2); no more than ``count`` are made."""
    entries: list[int] = []
    numbers: list[int] = data[: 4 * _MOST].tolist()
    left = _MOST_SEGMENTS

    def expand(at: int, segments: int, is_copied: bool) -> None:
        nonlocal left
        while at + 1 < len(numbers) and segments and len(entries) < count:
            kind, length = numbers[at : at + 2]
            at, segments, left = at + 2, segments - 1, left - 1
            if left < 0:
                raise Fault(f"a DICOM palette of more than {_MOST_SEGMENTS:,} segments")
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
                raise Fault("a DICOM palette of broken segments")

    expand(0, _MOST_SEGMENTS, False)
    return np.array(entries[:count], np.uint16 if are_words else np.uint8)
