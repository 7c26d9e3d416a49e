"""Parallel training in processes made by ``fork``, which share the prepared data, so that nothing is read twice.

Each process computes on one thread, so the number of processes does not change results, and small networks, whose steps are too short for
several threads, use all cores. Results are returned as JSON. Without ``fork``, or on an accelerator, models are trained one after the other
in this process.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from ..errors import UserError, spelled
from ..language import Sentence
from ..training.devices import pick_device
from ..training.observers import plain

MOST = 8
"""The maximum default number of trainings at a time: each needs memory for its own model."""
_LOOK = 0.2
"""The seconds between two checks for a signal."""


class Stopped(Exception):
    """A signal was received; the models in training are discarded."""


Warn = Callable[[str], None]
Train = Callable[[Any, Warn, Callable[[], bool]], Mapping[str, Any]]
"""A function of a job, a callback for warnings and a callback that returns whether to stop; it returns the result as plain data."""


def can_fork(device: str) -> bool:
    """Return whether models on this device can be trained in separate processes."""
    return sys.platform.startswith("linux") and pick_device(device).type == "cpu"


def usual(device: str) -> int:
    """Return the default number of trainings at a time: the number of threads that torch would use, at most ``MOST``."""
    return min(torch.get_num_threads(), MOST) if can_fork(device) else 1


@dataclass
class _Running:
    """A job in training."""

    job: Any
    process: BaseProcess
    begun: float = field(default_factory=time.monotonic)
    result: Mapping[str, Any] | None = None
    error: Mapping[str, str] | None = None


class ProcessPool:
    """Trains at most ``jobs`` jobs at a time, each with the number of threads of this process.

    :param jobs: the maximum number of trainings at a time; 1 = in this process
    :param train: the function that trains a job
    :param done: called in this process with each job and its result, in the order in which they end
    :param warn: called in this process with the text of each warning
    :param stop: returns whether a signal was received; ``put`` and ``wait`` then raise ``Stopped``
    """

    def __init__(
        self, jobs: int, train: Train, done: Callable[[Any, Mapping[str, Any]], None], warn: Warn, stop: Callable[[], bool]
    ) -> None:
        self.jobs, self.train, self.done, self.warn, self.stop = jobs, train, done, warn, stop
        self._running: dict[Connection, _Running] = {}

    @property
    def running(self) -> list[tuple[Any, float]]:
        """The jobs in training, and the seconds since each began."""
        now = time.monotonic()
        return [(one.job, now - one.begun) for one in self._running.values()]

    def put(self, job: Any) -> None:
        """Begin a job as soon as fewer than ``jobs`` are in training. With ``jobs`` = 1, return after its end."""
        if self.jobs == 1:
            self.done(job, self.train(job, self.warn, self.stop))
            return
        self._collect(self.jobs - 1)
        receive, send = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(target=self._child, args=(job, receive, send, os.getpid()), daemon=True)
        process.start()
        send.close()
        self._running[receive] = _Running(job, process)

    def wait(self) -> None:
        """Wait until all jobs are done."""
        self._collect(0)

    def close(self) -> None:
        """Kill the processes that are still running."""
        for connection, one in self._running.items():
            one.process.kill()
            one.process.join()
            connection.close()
        self._running.clear()

    def _collect(self, most: int) -> None:
        """Receive results until at most ``most`` jobs are in training."""
        while len(self._running) > most:
            for connection in wait(list(self._running), timeout=_LOOK):
                assert isinstance(connection, Connection)
                self._receive(connection)
            if self.stop():
                raise Stopped

    def _receive(self, connection: Connection) -> None:
        """Receive one message of a process, or its end."""
        one = self._running[connection]
        try:
            message = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            self._ended(self._running.pop(connection), connection)
            return
        if "warning" in message:
            self.warn(Sentence.read(message["warning"], message["sentence"]))
        one.result, one.error = message.get("result", one.result), message.get("error", one.error)

    def _ended(self, one: _Running, connection: Connection) -> None:
        """Pass the result of a process that ended to ``done``, or raise its error."""
        connection.close()
        one.process.join()
        if one.error is not None:
            if one.error["kind"] == "user":
                raise UserError(one.error["text"])
            raise RuntimeError(f"in the process that trained {one.job}:\n{one.error['text']}")
        if one.result is None:
            code = one.process.exitcode or 0
            how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
            raise UserError(
                f"{one.job}: its training was {how} without a result; expected a result; if memory ran out, train fewer at a time "
                f"({spelled('--jobs 1', 'jobs=1')})"
            )
        self.done(one.job, one.result)

    def _child(self, job: Any, receive: Connection, send: Connection, parent: int) -> None:
        """Train a job in a new process, and send warnings and the result to the parent process."""
        for connection in (receive, *self._running):  # once the parent process has ended, nothing reads: sending must then fail
            connection.close()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles Ctrl-C, and ends this one
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

        def report(message: Mapping[str, Any]) -> None:
            send.send_bytes(json.dumps(plain(message), ensure_ascii=False).encode("utf-8", "surrogatepass"))

        def warn(text: str) -> None:
            report({"warning": text, "sentence": text.facts() if isinstance(text, Sentence) else None})

        try:
            report({"result": self.train(job, warn, lambda: os.getppid() != parent)})
        except (Stopped, BrokenPipeError):
            return  # the parent process has ended
        except UserError as error:
            report({"error": {"kind": "user", "text": str(error)}})
        except Exception:  # the parent process raises it
            report({"error": {"kind": "other", "text": traceback.format_exc()}})
