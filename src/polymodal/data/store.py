"""Samples that are read once, stored on disk, and read back by number.

Each distinct cell of a field is read once, in the order of the table. The arrays of its sample are stored in one file, from which they are
read back with positioned reads. Memory holds the number and the state of each row's cell and the offset of each distinct cell: some bytes
for each row and field; and the samples of small fields (``collated.py``), of at most 64 MiB. Beyond the size limit, the cell itself is
stored in place of its arrays and is read again each time; the samples are the same to the last bit.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from threading import Lock

import numpy as np

from ..errors import TrainingError
from ..flow import Cell, Sample
from ..modalities import Modality
from . import collated
from .collated import Collated
from .reading import CellFault, CellState, OnFault, are_shared, messages_of, numbered_slices, read_cell, read_in_order
from .sources import Source, cells_of
from .sources.source import body_of

_SAMPLE, _TEXT, _BYTES = 0, 1, 2
_PRESENT = int(CellState.READABLE)


class Store:
    """The samples of all fields of a table.

    :param path: a file that is created and deleted at once; the open file remains usable, and nothing is left behind however the process
        ends
    :param modalities: the modality of each field
    :param max_bytes: the size of the file from which cells are stored in place of their arrays
    """

    def __init__(self, path: Path, modalities: Mapping[str, Modality], max_bytes: int = 8 * 2**30) -> None:
        self.modalities = dict(modalities)
        self.state: dict[str, np.ndarray] = {}
        """By field, the ``CellState`` of each row's cell, uint8 (N,)."""
        self.index: dict[str, np.ndarray] = {}
        """By field, the number of each row's distinct cell, int32 (N,); -1 where the row has no sample, for the reason in ``state``."""
        self.digest: dict[str, np.ndarray] = {}
        """By field, a digest of the content of each distinct cell, uint64 (K,)."""
        self.content: dict[str, str] = {}
        """By field, a digest of all its samples and of the rows that they belong to. Different data have different digests."""
        self._offsets: dict[str, np.ndarray] = {}
        self._collated: dict[str, Collated | None] = {}
        self._collating = Lock()
        self._max_bytes = max_bytes
        self._file = path.open("w+b")
        path.unlink()
        self._end = 0

    def close(self) -> None:
        """Release the disk space. An error of the file system is ignored."""
        with contextlib.suppress(OSError):
            self._file.close()

    def fill(self, source: Source, on_fault: OnFault, keep_N: np.ndarray | None = None) -> None:
        """Read every distinct cell of every field.

        :param source: the table
        :param on_fault: called with each cell that cannot be read, field by field and in the order of the rows
        :param keep_N: whether each row is read (N,); None = all rows
        """
        fields = {name: modality.config.sources for name, modality in self.modalities.items()}
        columns = list(dict.fromkeys(column for sources in fields.values() for column in sources))
        digests = {name: np.zeros((source.rows, 2), np.uint64) for name in fields}
        for name in fields:
            self.state[name] = np.full(source.rows, CellState.MISSING, np.uint8)
        for start, part in numbered_slices(source, columns):
            for name, sources in fields.items():
                modality, state, digest = self.modalities[name], self.state[name], digests[name]
                for at, cell in enumerate(cells_of(part, sources), start):
                    if (keep_N is None or keep_N[at]) and not modality.is_missing(cell):
                        state[at] = _PRESENT
                        digest[at] = _digest(cell)
        first: dict[str, np.ndarray] = {}
        for name in fields:
            self.index[name], first[name] = _number_cells(self.state[name], digests[name], are_shared(self.modalities[name]))
            self.digest[name] = digests.pop(name)[first[name], 0]
            self._offsets[name] = np.full(len(first[name]) + 1, -1, np.int64)
        messages = self._read(source, columns, fields, first)
        for name in fields:
            self._set_states(name, messages[name], on_fault)

    def _read(
        self, source: Source, columns: list[str], fields: Mapping[str, tuple[str, ...]], first: Mapping[str, np.ndarray]
    ) -> dict[str, dict[int, dict[str, str]]]:
        """Read and store the distinct cells; return by field, by number of a cell and by column what is wrong with it."""
        messages: dict[str, dict[int, dict[str, str]]] = {name: {} for name in fields}
        content = {name: blake2b(self.index[name].tobytes(), digest_size=16) for name in fields}
        upto = dict.fromkeys(fields, 0)
        for start, part in numbered_slices(source, columns):
            end = start + len(part[columns[0]])
            for name, sources in fields.items():
                stop = upto[name] + int(np.searchsorted(first[name][upto[name] :], end))
                if stop == upto[name]:
                    continue
                every = list(cells_of(part, sources))
                cells = [every[row - start] for row in first[name][upto[name] : stop]]
                for number, (sample, fault) in enumerate(read_in_order(self.modalities[name], cells), upto[name]):
                    self._keep(name, number, cells[number - upto[name]], sample, content[name])
                    if fault is not None:
                        messages[name][number] = messages_of(fault, sources)
                upto[name] = stop
        self._file.flush()
        self.content = {name: digest.hexdigest() for name, digest in content.items()}
        return messages

    def _keep(self, name: str, number: int, cell: Cell, sample: Sample | None, content: blake2b) -> None:
        """Store the sample of one distinct cell; None = the cell has none."""
        if sample is None:
            content.update(b"fault")
            return
        body = bytes([_SAMPLE]) + pack(sample)
        content.update(body)
        if self._end > self._max_bytes and isinstance(cell, (str, bytes)):
            body = bytes([_TEXT]) + cell.encode("utf-8", "surrogatepass") if isinstance(cell, str) else bytes([_BYTES]) + cell
        self._offsets[name][number] = self._append(body)

    def _set_states(self, name: str, messages: Mapping[int, Mapping[str, str]], on_fault: OnFault) -> None:
        """Set the state of the rows whose cells have faults, and report these faults."""
        if not messages:
            return
        state, index = self.state[name], self.index[name]
        of_cell = np.full(len(self._offsets[name]), CellState.READABLE, np.uint8)
        numbers = np.fromiter(messages, np.int64)
        of_cell[numbers] = np.where(self._offsets[name][numbers] < 0, CellState.UNREADABLE, CellState.PARTIAL)
        of_cell[-1] = CellState.MISSING  # that of rows whose index is -1
        np.take(of_cell, index, out=state)
        for row in np.flatnonzero(self.is_faulty(name)):
            for column, message in messages[int(index[row])].items():
                on_fault(CellFault(int(row) + 1, column, message, name))
        index[state == CellState.UNREADABLE] = -1

    def is_present(self, field: str, rows: np.ndarray | None = None) -> np.ndarray:
        """Return whether rows have a sample of a field.

        :param rows: the rows (0-based); None = all
        """
        state: np.ndarray = self.state[field] if rows is None else self.state[field][rows]
        return state >= CellState.PARTIAL

    def is_faulty(self, field: str) -> np.ndarray:
        """Return whether anything of each row's cell cannot be read (N,)."""
        result: np.ndarray = (self.state[field] == CellState.UNREADABLE) | (self.state[field] == CellState.PARTIAL)
        return result

    def distinct(self, field: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the distinct cells of some rows.

        :param rows: the rows (N,), 0-based
        :returns: the numbers of the distinct cells (K,), ascending, and the position of each row's cell among them (N,); -1 = the row has
            no sample
        """
        present = self.is_present(field, rows)
        numbers, inverse = np.unique(self.index[field][rows][present], return_inverse=True)
        place = np.full(len(rows), -1, np.int64)
        place[present] = inverse
        return numbers, place

    def sample(self, field: str, number: int) -> Sample:
        """Return the sample of one distinct cell.

        :raises TrainingError: the cell was stored in place of its sample and can no longer be read
        """
        offset = int(self._offsets[field][number])
        descriptor = self._file.fileno()
        (length,) = struct.unpack("<q", os.pread(descriptor, 8, offset))
        body = os.pread(descriptor, length, offset + 8)
        modality = self.modalities[field]
        if body[0] == _SAMPLE:
            return unpack(body, modality.blank(), start=1)
        sample, fault = read_cell(modality, body[1:].decode("utf-8", "surrogatepass") if body[0] == _TEXT else body[1:])
        if sample is None:
            raise TrainingError(
                f"field {field!r}: a cell that was readable can no longer be read ({fault}); expected files that do not change during "
                f"training; restore the file and resume"
            )
        return sample

    def collated(self, field: str) -> Collated | None:
        """Return the samples of all distinct cells as tensors, by the numbers of the cells; None if they are too large. Cells without a
        sample are blank.

        The tensors are made in the first call and shared by all trainings. Several threads may call this method.
        """
        with self._collating:
            if field not in self._collated:
                offsets, modality = self._offsets[field][:-1], self.modalities[field]
                blank = modality.blank()

                def sample(number: int) -> Sample:
                    return self.sample(field, number) if offsets[number] >= 0 else blank

                reads = self._end <= self._max_bytes  # otherwise some cells are stored in place of their samples
                left = collated.MOST_BYTES - sum(one.nbytes for one in self._collated.values() if one is not None)
                self._collated[field] = Collated.of(modality, len(offsets), sample, left) if reads else None
            return self._collated[field]

    def count(self, field: str) -> int:
        """Return the number of distinct cells of a field that have a sample."""
        return int((self._offsets[field][:-1] >= 0).sum())

    def replace(self, field: str, modality: Modality, make: Callable[[Sequence[Sample]], Sequence[Sample]], size: int) -> None:
        """Replace the samples of a field.

        :param modality: the modality that collates the new samples
        :param make: a function from samples to as many new samples
        :param size: the number of samples that ``make`` is called with
        """
        offsets = self._offsets[field]
        numbers = np.flatnonzero(offsets[:-1] >= 0)
        for start in range(0, len(numbers), size):
            part = numbers[start : start + size]
            made = make([self.sample(field, int(number)) for number in part])
            for number, sample in zip(part, made, strict=True):
                offsets[number] = self._append(bytes([_SAMPLE]) + pack(sample))
            self._file.flush()
        self.modalities[field] = modality
        self._collated.pop(field, None)

    def _append(self, body: bytes) -> int:
        """Write a body at the end of the file, and return its offset."""
        offset = self._end
        self._file.write(struct.pack("<q", len(body)))
        self._file.write(body)
        self._end += 8 + len(body)
        return offset

    def sharing(self, field: str) -> float:
        """Return the average number of rows with the same cell."""
        return int(self.is_present(field).sum()) / max(len(self._offsets[field]) - 1, 1)


def pack(sample: Sample) -> bytes:
    """Return a sample as bytes: for each array its shape, then its data."""
    parts = []
    for array in sample.values():
        parts += [struct.pack(f"<{array.ndim}i", *array.shape), np.ascontiguousarray(array).tobytes()]
    return b"".join(parts)


def unpack(body: bytes, like: Sample, start: int = 0) -> Sample:
    """Return the sample that ``pack`` wrote.

    :param like: a sample with the same names, dtypes and numbers of dimensions
    :param start: the position in ``body`` at which the sample begins
    """
    sample = {}
    for name, example in like.items():
        shape = struct.unpack_from(f"<{example.ndim}i", body, start)
        start += 4 * example.ndim
        count = int(np.prod(shape))
        sample[name] = np.frombuffer(body, example.dtype, count, start).reshape(shape)
        start += count * example.dtype.itemsize
    return sample


def _digest(cell: Cell) -> np.ndarray:
    """Return a digest of a cell's content, uint64 (2,)."""
    if isinstance(cell, str):
        body = cell.encode("utf-8", "surrogatepass")
    elif isinstance(cell, (bytes, bytearray)):
        body = bytes(cell)
    else:
        body = body_of(cell)
    return np.frombuffer(blake2b(body, digest_size=16).digest(), np.uint64)


def _number_cells(state_N: np.ndarray, digest_N2: np.ndarray, share: bool) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct cells in the order in which they first occur.

    :param share: whether rows of equal digests have the same cell; otherwise every row has its own
    :returns: the number of each row's cell, int32 (N,), -1 where it is missing; and the row in which each cell first occurs (K,)
    """
    index_N = np.full(len(state_N), -1, np.int32)
    present = np.flatnonzero(state_N)
    if not share or not len(present):
        index_N[present] = np.arange(len(present))
        return index_N, present
    keys = np.ascontiguousarray(digest_N2[present]).view([("a", np.uint64), ("b", np.uint64)]).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    index_N[present] = rank[inverse]
    return index_N, present[np.sort(first)]
