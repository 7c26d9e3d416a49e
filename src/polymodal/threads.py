"""The number of threads that compute a network.

The steps of a small network take less time than several threads need to start and end together. On a machine that does other work as well,
the threads wait for one that is interrupted, after every operation: a step then takes several times as long as on one thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch
from torch import nn

_LEAST_WORK = 1e6
"""The multiply-adds for a row from which several threads compute a network."""
_USUAL_ROWS = 128
"""The largest usual number of rows in a batch; with larger batches, less work for a row suffices."""
_dense: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
_VOTERS = ("trees", "further")
"""The parts of a model that are attached after its training, so that they do not count."""


def threads_for(model: nn.Module, cost: float, rows: int = _USUAL_ROWS) -> int:
    """Return the number of threads that compute a model: 1 for a small one, otherwise that of torch in this thread.

    It follows from the model alone, so that a model is trained and predicts with the same rounding.

    :param model: the model
    :param cost: the multiply-adds to encode the cells of a row, besides one for each parameter
    :param rows: the number of rows in a batch
    """
    if model not in _dense:
        _dense[model] = _dense_parameters(model)
    work = (cost + _dense[model]) * max(1.0, rows / _USUAL_ROWS)
    return 1 if work < _LEAST_WORK else torch.get_num_threads()


@contextmanager
def using(threads: int) -> Iterator[None]:
    """Let torch compute with a number of threads, in this thread."""
    before = torch.get_num_threads()
    if threads == before:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _dense_parameters(model: nn.Module) -> int:
    """Return the number of parameters of the network itself that every row is multiplied with: those of embeddings are looked up."""
    parts = [part for name, part in model.named_children() if name not in _VOTERS]
    modules = {id(module): module for part in parts for module in part.modules()}.values()
    looked_up = {id(one) for module in modules if isinstance(module, (nn.Embedding, nn.EmbeddingBag)) for one in module.parameters()}
    every = {id(one): one.numel() for part in parts for one in part.parameters()}
    return sum(count for number, count in every.items() if number not in looked_up)
