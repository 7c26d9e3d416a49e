"""From row numbers to batches: samples from the store are augmented and padded; each distinct cell occurs once in a batch.

A batch is a function of the seed, the epoch and its position. Preparing batches in a thread does not change them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import TrainingError
from ..flow import Batch, Field, Sample
from ..modalities import Modality
from ..random_streams import Stream, generator
from .order import epoch_order
from .store import Store

_PATIENCE = 5.0
"""The number of seconds between two checks whether the thread is alive."""
_DISTINCT = 8
"""The number of distinct cells that a batch has at least when rows share cells, as far as the table has them. It keeps batches diverse."""


@dataclass(frozen=True)
class Step:
    """The input of one step of the optimizer: the micro-batches of the given rows."""

    parts: Sequence[Batch]
    rows: np.ndarray
    accumulate: int = 1
    """The configured number of parts; there are fewer if there are fewer rows."""


def field_of(modality: Modality, samples: Sequence[Sample], index: np.ndarray) -> Field:
    """Return the field of a batch.

    :param modality: the modality of the field
    :param samples: the distinct samples
    :param index: the number of each row's sample, -1 = the field is missing
    """
    samples = samples or [modality.blank()]
    geometries = [modality.geometry(sample) for sample in samples]
    geometry = tuple(max(sizes) for sizes in zip(*geometries, strict=True))
    return _placed(modality.collate(samples, geometry), len(samples), index)


def _placed(values: Mapping[str, Tensor], count: int, index: np.ndarray) -> Field:
    """Return the field of a batch from the values of ``count`` distinct samples."""
    present = index >= 0
    shared = count != len(index) or not np.array_equal(index, np.arange(len(index)))
    place_B = torch.from_numpy(np.where(present, index, 0).astype(np.int64)) if shared else None
    return Field(values, torch.from_numpy(present), place_B)


class Loader:
    """Batches of some rows of a store.

    :param store: the store of samples
    :param rows: the row numbers (0-based)
    :param targets: the targets of all rows of the table, by task
    :param weights_N: the weight of each row of the table in the loss; None = equal weights
    :param batch_size: the number of rows of a batch
    :param accumulate: the number of parts in which a batch is computed
    :param seed: the random seed
    :param fields: the fields of a batch; None = all
    :param augment: whether samples are augmented
    :param ahead: the number of steps that are prepared ahead in a thread; 0 = none
    """

    def __init__(
        self,
        store: Store,
        rows: np.ndarray,
        targets: Mapping[str, np.ndarray],
        weights_N: np.ndarray | None,
        *,
        batch_size: int,
        accumulate: int = 1,
        seed: int = 0,
        fields: Sequence[str] | None = None,
        augment: bool = True,
        ahead: int = 2,
    ) -> None:
        self.store, self.rows, self.targets, self.weights_N = store, rows, targets, weights_N
        self.batch_size, self.accumulate, self.seed, self.augment, self.ahead = batch_size, accumulate, seed, augment, ahead
        self.fields = list(fields if fields is not None else store.modalities)
        self.shared_by = self._costliest_shared()

    def _costliest_shared(self) -> str | None:
        shared = [name for name in self.fields if self.store.sharing(name) >= 1.5 and self.store.modalities[name].cost() > 1e5]
        return max(shared, key=lambda name: self.store.modalities[name].cost(), default=None)

    def __len__(self) -> int:
        """Return the number of steps in an epoch."""
        return -(-len(self.rows) // self.batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Generator[Step, None, None]:
        """Yield the steps of one epoch in order, without the first ``start`` steps."""
        shared = self.store.index[self.shared_by][self.rows] if self.shared_by else None
        order = epoch_order(self.rows, shared, self.seed, epoch, max(1, self.batch_size // _DISTINCT))
        first = start * self.batch_size
        steps = (self.step(order[at : at + self.batch_size], epoch) for at in range(first, len(order), self.batch_size))
        return prefetched(steps, self.ahead)

    def step(self, rows: np.ndarray, epoch: int) -> Step:
        """Return the step of some rows, in at most ``accumulate`` parts. ``epoch`` determines the augmentation."""
        parts = self.accumulate
        size = -(-len(rows) // parts)
        return Step([self.batch(rows[at : at + size], epoch) for at in range(0, len(rows), size)], rows, parts)

    def batch(self, rows: np.ndarray, epoch: int) -> Batch:
        """Return the batch of some rows. ``epoch`` determines the augmentation."""
        fields = {}
        for at, name in enumerate(self.fields):
            modality = self.store.modalities[name]
            numbers, place = self.store.distinct(name, rows)
            augments = self.augment and modality.augments
            collated = None if augments or not len(numbers) else self.store.collated(name)
            if collated is not None:
                fields[name] = _placed(collated.select(numbers), len(numbers), place)
                continue
            samples = [self.store.sample(name, int(number)) for number in numbers]
            if augments:
                digests = self.store.digest[name]
                samples = [
                    modality.augment(sample, generator(Stream.AUGMENTATION, self.seed, epoch, at, int(digests[number])))
                    for sample, number in zip(samples, numbers, strict=True)
                ]
            fields[name] = field_of(modality, samples, place)
        return Batch(
            fields,
            {name: torch.from_numpy(target[rows]) for name, target in self.targets.items()},
            None if self.weights_N is None else torch.from_numpy(self.weights_N[rows]),
            (rows + 1).tolist(),
        )


def prefetched(steps: Iterable[Step], ahead: int) -> Generator[Step, None, None]:
    """Yield the same steps, and prepare the next ``ahead`` of them in a thread (0 = no thread).

    :raises TrainingError: the thread has died
    """
    if ahead <= 0:
        yield from steps
        return
    ready: queue.Queue[Step | BaseException | None] = queue.Queue(ahead)
    stop = threading.Event()

    def offer(item: Step | BaseException | None) -> None:
        """Put an item in the queue as soon as there is room, unless the consumer has stopped."""
        while not stop.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        """Put all steps in the queue, and then None or the exception that ended them."""
        try:
            for step in steps:
                offer(step)
                if stop.is_set():
                    return
            offer(None)
        except BaseException as error:  # the consumer raises it
            offer(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := _next(ready, thread)) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join(_PATIENCE)


def _next(ready: queue.Queue[Step | BaseException | None], thread: threading.Thread) -> Step | BaseException | None:
    """Return the next step. It waits as long as the thread is alive."""
    while True:
        try:
            return ready.get(timeout=_PATIENCE)
        except queue.Empty:
            if not thread.is_alive() and ready.empty():
                raise TrainingError("the thread that prepares batches has died; train with training.workers=0 to see the error") from None
