"""Reads cells in several threads: the same samples and faults in the same order, sooner."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import torch

from ...errors import Fault
from ...flow import Cell, Sample
from ...modalities import Modality
from .cells import are_shared, read_cell, shared_key

Result = tuple[Sample | None, Fault | None]
"""What reading a cell gives, see ``sample_or_fault``."""
_TRIED = 4
"""The number of cells that are read in one thread first, to measure the time of a cell."""
_LEAST_SECONDS = 4e-4
"""The seconds of a cell from which several threads are faster than one: handing over a cell takes about 50 µs."""
_MOST_THREADS = 16
"""The maximum number of threads, each of which may have a large picture in memory."""
_AHEAD = 4
"""The number of cells for each thread that are read ahead of the one that is used. It bounds memory."""


def read_in_order(modality: Modality, cells: Iterable[Cell], workers: int | None = None) -> Iterator[Result]:
    """Yield the sample and the fault of each cell, none of which is missing, in order.

    Decoders of files release the interpreter, so that threads decode at the same time. Cells of other modalities, and cells that are read
    quickly, are read in the calling thread.

    :param workers: the number of threads; None = that of torch (``torch.set_num_threads``, ``OMP_NUM_THREADS``)
    """
    workers = min(torch.get_num_threads(), _MOST_THREADS) if workers is None else workers
    remaining = iter(cells)
    if workers > 1 and modality.of_files:
        seconds = 0.0
        for cell in islice(remaining, _TRIED):
            begin = time.perf_counter()
            result = read_cell(modality, cell)
            seconds += time.perf_counter() - begin
            yield result
        if seconds >= _TRIED * _LEAST_SECONDS:
            yield from _in_threads(modality, remaining, workers)
            return
    for cell in remaining:
        yield read_cell(modality, cell)


def _in_threads(modality: Modality, cells: Iterator[Cell], workers: int) -> Iterator[Result]:
    """Yield the sample and the fault of each cell, read by a pool of threads."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Result]] = deque(pool.submit(read_cell, modality, cell) for cell in islice(cells, _AHEAD * workers))
        try:
            while waiting:
                result = waiting.popleft().result()
                for cell in islice(cells, 1):
                    waiting.append(pool.submit(read_cell, modality, cell))
                yield result
        finally:  # the caller may stop before the end
            for future in waiting:
                future.cancel()


def read_distinct(modality: Modality, cells: Sequence[Cell], workers: int | None = None) -> tuple[list[Result], list[int]]:
    """Read cells, none of which is missing. Equal texts and equal bytes are read only once, unless the modality reads cells cheaply.

    :param workers: the number of threads (see ``read_in_order``)
    :returns: the results of the distinct cells, in the order in which they first occur, and the position of each cell's result among them
    """
    number: dict[str | bytes | int, int] = {}
    distinct: list[Cell] = []
    positions = []
    is_sharing = are_shared(modality)
    for at, cell in enumerate(cells):
        key = shared_key(cell) if is_sharing else None
        position = number.setdefault(at if key is None else key, len(distinct))
        if position == len(distinct):
            distinct.append(cell)
        positions.append(position)
    return list(read_in_order(modality, distinct, workers)), positions
