"""Samples read once, kept on disk, and read back by number: what makes every epoch after the first cheap.

Each distinct cell of a field is read once, in the order of the table; its arrays lie in one file and are read back with a
positioned read, so memory holds only numbers (a few bytes a row and field), however many rows there are. Past the size
limit the cell itself is kept in place of its arrays and read anew each time; no bit changes.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np

from ..errors import Fault, TrainingError
from ..flow import Cell, Sample
from ..modalities import Modality, PartFault
from .sources import Source, cells_of
from .sources.source import body_of

_SAMPLE, _TEXT, _BYTES = 0, 1, 2
MISSING, FAULTY = -1, -2
OnFault = Callable[[int, str, str], None]
"""Called with row (1 = first), column and what is wrong."""


class Store:
    """``index[field]`` (N,) is the number of each row's cell, MISSING or FAULTY; ``sample(field, number)`` reads it."""

    def __init__(self, path: Path, modalities: Mapping[str, Modality], max_bytes: int = 8 * 2**30) -> None:
        self.modalities = dict(modalities)
        self.index: dict[str, np.ndarray] = {}
        self.digest: dict[str, np.ndarray] = {}
        self.content: dict[str, str] = {}
        """By field: a digest of all its samples and of the rows that hold them. Other data, another digest."""
        self.faulty: dict[str, np.ndarray] = {}
        """By field (N,): whether anything of a row's cell could not be read, even where the rest of it could."""
        self._offsets: dict[str, np.ndarray] = {}
        self._max_bytes = max_bytes
        self._file = path.open("w+b")
        path.unlink()  # the open file goes on; nothing is left behind, however the process ends
        self._end = 0

    def close(self) -> None:
        """Give the disk space back; of a disk that is full, too."""
        with contextlib.suppress(OSError):
            self._file.close()

    def fill(self, source: Source, on_fault: OnFault, keep_N: np.ndarray | None = None) -> None:
        """Read every distinct cell of every field of ``source`` (only rows where ``keep_N``)."""
        fields = {name: modality.config.sources for name, modality in self.modalities.items()}
        columns = list(dict.fromkeys(column for sources in fields.values() for column in sources))
        digests = {name: np.zeros((source.rows, 2), np.uint64) for name in fields}
        for name in fields:
            self.index[name] = np.full(source.rows, MISSING, np.int32)
        for start, part in _numbered(source, columns):
            for name, sources in fields.items():
                modality, index, digest = self.modalities[name], self.index[name], digests[name]
                for at, cell in enumerate(cells_of(part, sources), start):
                    if (keep_N is None or keep_N[at]) and not modality.is_missing(cell):
                        index[at] = 0
                        digest[at] = _digest(cell)
        first: dict[str, np.ndarray] = {}
        for name in fields:
            first[name] = _number_cells(self.index[name], digests[name], self.modalities[name].cost() > 1)
            self.digest[name] = digests.pop(name)[first[name], 0]
            self._offsets[name] = np.full(len(first[name]) + 1, -1, np.int64)
        faults = self._read(source, columns, fields, first)
        for name, messages in faults.items():
            self._report(name, messages, on_fault)

    def _read(
        self, source: Source, columns: list[str], fields: Mapping[str, tuple[str, ...]], first: Mapping[str, np.ndarray]
    ) -> dict[str, dict[int, Fault]]:
        faults: dict[str, dict[int, Fault]] = {name: {} for name in fields}
        content = {name: blake2b(self.index[name].tobytes(), digest_size=16) for name in fields}
        upto = dict.fromkeys(fields, 0)
        for start, part in _numbered(source, columns):
            end = start + len(part[columns[0]])
            for name, sources in fields.items():
                cells = None
                while upto[name] < len(first[name]) and first[name][upto[name]] < end:
                    cells = list(cells_of(part, sources)) if cells is None else cells
                    number = upto[name]
                    fault = self._keep(name, number, cells[first[name][number] - start], content[name])
                    if fault is not None:
                        faults[name][number] = fault
                    upto[name] += 1
        self._file.flush()
        self.content = {name: digest.hexdigest() for name, digest in content.items()}
        return faults

    def _keep(self, name: str, number: int, cell: Cell, content: blake2b) -> Fault | None:
        modality = self.modalities[name]
        fault: Fault | None = None
        sample: Sample | None
        try:
            sample = modality.read(cell)
        except PartFault as part:
            fault, sample = part, part.rest
        except Fault as whole:
            fault, sample = whole, None
        if sample is None:
            content.update(b"fault")
            return fault
        body = bytes([_SAMPLE]) + pack(sample)
        content.update(body)
        if self._end > self._max_bytes and isinstance(cell, (str, bytes)):
            body = bytes([_TEXT]) + cell.encode("utf-8", "surrogatepass") if isinstance(cell, str) else bytes([_BYTES]) + cell
        self._offsets[name][number] = self._append(body)
        return fault

    def _report(self, name: str, messages: Mapping[int, Fault], on_fault: OnFault) -> None:
        self.faulty[name] = np.zeros(len(self.index[name]), bool)
        if not messages:
            return
        sources = self.modalities[name].config.sources
        numbers = np.fromiter(messages, np.int64)
        self.faulty[name] = np.isin(self.index[name], numbers)
        for row in np.flatnonzero(self.faulty[name]):
            fault = messages[int(self.index[name][row])]
            if isinstance(fault, PartFault):
                for column, message in fault.columns.items():
                    on_fault(int(row) + 1, column, message)
            else:
                on_fault(int(row) + 1, sources[0] if len(sources) == 1 else " + ".join(sources), str(fault))
        gone = np.array([number for number in messages if self._offsets[name][number] < 0], np.int64)
        self.index[name][np.isin(self.index[name], gone)] = FAULTY

    def sample(self, field: str, number: int) -> Sample:
        """The sample of one distinct cell."""
        offset = int(self._offsets[field][number])
        descriptor = self._file.fileno()
        (length,) = struct.unpack("<q", os.pread(descriptor, 8, offset))
        body = os.pread(descriptor, length, offset + 8)
        modality = self.modalities[field]
        if body[0] == _SAMPLE:
            return unpack(body, modality.blank(), start=1)
        try:
            return modality.read(body[1:].decode("utf-8", "surrogatepass") if body[0] == _TEXT else body[1:])
        except Fault as fault:
            if isinstance(fault, PartFault) and fault.rest is not None:
                return fault.rest
            raise TrainingError(
                f"field {field!r}: a cell that could be read can no more be read ({fault}); expected files that stay while it trains; "
                f"put it back and resume"
            ) from None

    def count(self, field: str) -> int:
        """Distinct cells of a field that could be read."""
        return int((self._offsets[field][:-1] >= 0).sum())

    def replace(self, field: str, modality: Modality, make: Callable[[Sequence[Sample]], Sequence[Sample]], size: int) -> None:
        """Keep, in place of a field's samples, what ``make`` makes of them, ``size`` at a time; ``modality`` batches them from now on."""
        offsets = self._offsets[field]
        numbers = np.flatnonzero(offsets[:-1] >= 0)
        for start in range(0, len(numbers), size):
            part = numbers[start : start + size]
            made = make([self.sample(field, int(number)) for number in part])
            for number, sample in zip(part, made, strict=True):
                offsets[number] = self._append(bytes([_SAMPLE]) + pack(sample))
            self._file.flush()
        self.modalities[field] = modality

    def _append(self, body: bytes) -> int:
        """Write a body behind all others; its offset."""
        offset = self._end
        self._file.write(struct.pack("<q", len(body)))
        self._file.write(body)
        self._end += 8 + len(body)
        return offset

    def sharing(self, field: str) -> float:
        """How many rows hold the same cell, on average."""
        held = int((self.index[field] >= 0).sum())
        return held / max(len(self._offsets[field]) - 1, 1)


def pack(sample: Sample) -> bytes:
    """A sample as bytes: for each array its shape, then its data."""
    parts = []
    for array in sample.values():
        parts += [struct.pack(f"<{array.ndim}i", *array.shape), np.ascontiguousarray(array).tobytes()]
    return b"".join(parts)


def unpack(body: bytes, like: Sample, start: int = 0) -> Sample:
    """The sample that ``pack`` wrote, with the names and dtypes of ``like``."""
    sample = {}
    for name, example in like.items():
        shape = struct.unpack_from(f"<{example.ndim}i", body, start)
        start += 4 * example.ndim
        count = int(np.prod(shape))
        sample[name] = np.frombuffer(body, example.dtype, count, start).reshape(shape)
        start += count * example.dtype.itemsize
    return sample


def _numbered(source: Source, columns: list[str]) -> Iterable[tuple[int, dict[str, list[Cell]]]]:
    start = 0
    for part in source.slices(columns):
        yield start, part
        start += len(part[columns[0]])


def _digest(cell: Cell) -> np.ndarray:
    if isinstance(cell, str):
        body = cell.encode("utf-8", "surrogatepass")
    elif isinstance(cell, (bytes, bytearray)):
        body = bytes(cell)
    else:
        body = body_of(cell)
    return np.frombuffer(blake2b(body, digest_size=16).digest(), np.uint64)


def _number_cells(index_N: np.ndarray, digest_N2: np.ndarray, share: bool) -> np.ndarray:
    """Number the cells in the order in which they first occur, in place; the row in which each first occurs."""
    held = np.flatnonzero(index_N >= 0)
    if not share or not len(held):
        index_N[held] = np.arange(len(held))
        return held
    keys = np.ascontiguousarray(digest_N2[held]).view([("a", np.uint64), ("b", np.uint64)]).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    index_N[held] = rank[inverse]
    return held[np.sort(first)]
