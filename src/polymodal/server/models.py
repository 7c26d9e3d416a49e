"""The models that a server answers with, each with a queue of its own; a bundle that is replaced on disk is loaded again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from ..bundle import Bundle
from ..errors import UserError, without_warnings
from ..language import Words
from ..outputs import PredictionTable
from ..predictor import Predictor, load
from ..training.devices import DeviceName
from .batching import Batcher
from .limits import Limits, RequestError
from .schema import Column, columns_of


@dataclass(frozen=True)
class Answered:
    """The answer to one row.

    :param record: the row that ``polymodal predict`` would write
    :param faults: what could not be read in the row, "" = nothing
    :param embedding: the fused representation, or None if it was not requested
    """

    record: Mapping[str, Any]
    faults: str
    embedding: Any


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model as it was loaded.

    :param version: the first part of the SHA-256 of ``bundle.json``
    """

    predictor: Predictor
    version: str

    @cached_property
    def columns(self) -> Mapping[str, Column]:
        """The columns that the model reads, by name, in the order of its fields."""
        return {column.name: column for column in columns_of(self.predictor)}

    @property
    def fields(self) -> list[str]:
        """The names of the fields of the model, in the order of its settings."""
        return list(self.predictor.bundle.experiment.fields)

    def check(self, coverage: float | None) -> None:
        """Check that the model can state sets of a coverage; None = no sets.

        :raises RequestError: it cannot (422)
        """
        if coverage is not None:
            try:
                self.predictor.errors(coverage)
            except UserError as error:
                raise RequestError(422, str(error)) from None

    def answer(
        self, rows: Sequence[Mapping[str, Any]], coverage: float | None, embed: bool, hide: frozenset[str] = frozenset()
    ) -> list[Answered]:
        """Return the answers to rows. A cell that cannot be read counts as missing, and the record states it.

        :param rows: the cells of each row by column; None = missing
        :param hide: fields that are treated as missing
        """
        table = PredictionTable(self.predictor, coverage=coverage)
        answered: list[Answered] = []
        with without_warnings():
            for part in self.predictor.predictions(list(rows), on_error="blank", embed=embed, coverage=coverage, hide=hide):
                for at, record in enumerate(table.rows([part])):
                    answered.append(
                        Answered(record, record[table.names.faults], part.embedding[at] if part.embedding is not None else None)
                    )
        return answered


def one_core() -> None:
    """Let torch compute on one core in this thread. Some of its operations round otherwise on several cores."""
    torch.set_num_threads(1)


class Served:
    """A model with its queue.

    :param name: the name in URLs
    :param path: the folder of the run or the bundle
    :param root: folders in which paths in cells are looked up; empty = paths are refused
    :param threads: the number of batches, and of members of an ensemble, that are computed at the same time, each on one core
    """

    def __init__(
        self, name: str, path: str | Path, limits: Limits, root: Sequence[str] = (), device: DeviceName = "auto", threads: int = 1
    ) -> None:  # fmt: skip
        self.name, self.path = name, Path(path)
        self._root, self._device, self._threads = list(root), device, threads
        self._pool = ThreadPoolExecutor(threads, f"members of {name}", one_core)
        """Computes the members of an ensemble, so that a single batch uses several cores."""
        self.loaded = self._load()
        """The model that answers new requests. It is replaced as a whole."""
        workers = threads if self.loaded.predictor.device.type == "cpu" else 1
        self.batcher = Batcher(limits.waiting_rows, workers, one_core)
        self.explainer = Batcher(limits.waiting_explanations, 1, one_core, together=1)
        self._refused = ""

    def _load(self) -> Loaded:
        """Load the model that is in the folder now."""
        version = Bundle.digest(self.path)
        predictor = load(self.path, root=self._root, device=self._device)
        predictor.trained_in = []  # a request may not read the files of the training table
        if predictor.device.type == "cpu":
            predictor.each = self._each
        return Loaded(predictor, version[:12])

    def _each(self, compute: Callable[[Any], Any], members: Sequence[Any]) -> Iterable[Any]:
        """Compute the members of an ensemble: in the pool, or here if every core has a batch."""
        return (map if self.batcher.computing >= self._threads else self._pool.map)(compute, members)

    def reload(self) -> bool:
        """Load the model again if its bundle was replaced, and return whether it was. Requests that were accepted keep their model.

        :raises Exception: the new bundle cannot be loaded; it is not tried again
        """
        version = Bundle.digest(self.path)[:12]
        if version in (self.loaded.version, self._refused):
            return False
        try:
            self.loaded = self._load()
        except Exception:
            self._refused = version
            raise
        return True

    def stop(self) -> None:
        """Answer what was accepted, and end the threads."""
        self.batcher.stop()
        self.explainer.stop()
        self._pool.shutdown()


class Models:
    """The served models by name, in order.

    :param paths: the folders of runs or bundles, by name
    """

    def __init__(
        self, paths: Mapping[str, str | Path], limits: Limits | None = None, root: Sequence[str] = (), device: DeviceName = "auto"
    ) -> None:
        self.limits = limits or Limits()
        threads = torch.get_num_threads()
        self.by_name = {name: Served(name, path, self.limits, root, device, threads) for name, path in paths.items()}
        self._stopped = threading.Event()
        self.stopping = False
        """Whether the server stops: new connections are refused, and open ones end with their next answer."""

    def check_ready(self) -> None:
        """Check that the server takes requests.

        :raises RequestError: it stops (503)
        """
        if self.stopping:
            raise RequestError(503, "the server stops")

    def of(self, name: str | None) -> Served:
        """Return a model by its name; None = the first one.

        :raises RequestError: there is no such model (404)
        """
        if name is None:
            return next(iter(self.by_name.values()))
        if name not in self.by_name:
            raise RequestError(404, f"no model {name[:80]!r}; there are {', '.join(map(repr, self.by_name))}")
        return self.by_name[name]

    def watch(self, seconds: float = 2.0) -> None:
        """Load models again whose bundles were replaced, in a thread, until ``stop``."""

        words = Words.of("auto")

        def run() -> None:
            while not self._stopped.wait(seconds):
                for served in self.by_name.values():
                    try:
                        if served.reload():
                            print(words("serve.loaded_again", name=served.name, version=served.loaded.version), flush=True)
                    except Exception as error:  # such as a bundle that is written at this moment, or too little memory for both
                        facts = {"name": served.name, "version": served.loaded.version, "error": error}
                        print(words("serve.not_loaded_again", **facts), flush=True)

        threading.Thread(target=run, name="reload", daemon=True).start()

    def stop(self) -> None:
        """Answer what was accepted, and end the threads."""
        self._stopped.set()
        for served in self.by_name.values():
            served.stop()
