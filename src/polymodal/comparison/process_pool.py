"""Trainings beside one another: a process for each, made by ``fork``, so that what was prepared is there already and nothing is read twice.

A process computes on one thread, so how many there are changes no bit; and small networks, whose steps are too short to be shared out to
many threads, use all cores. What it found comes back as JSON. Where there is no ``fork``, or an accelerator trains, one after the other is
trained in this process.
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

from ..errors import UserError
from ..training.devices import pick_device
from ..training.observers import plain

MOST = 8
"""Trainings at a time where nothing is said: each takes memory for a model of its own."""
_LOOK = 0.2
"""Seconds between two looks at whether a signal came."""


class Stopped(Exception):
    """A signal came: what is being trained is not kept."""


Warn = Callable[[str], None]
Train = Callable[[Any, Warn, Callable[[], bool]], Mapping[str, Any]]
"""From a job, what to do with a warning and whether to stop, to what was found, as plain data."""


def can_fork(device: str) -> bool:
    """Whether trainings on this device can have processes of their own."""
    return sys.platform.startswith("linux") and pick_device(device).type == "cpu"


def usual(device: str) -> int:
    """Trainings at a time: as many as torch would use threads, and not more than ``MOST``."""
    return min(torch.get_num_threads(), MOST) if can_fork(device) else 1


@dataclass
class _Running:
    job: Any
    process: BaseProcess
    begun: float = field(default_factory=time.monotonic)
    found: Mapping[str, Any] | None = None
    error: Mapping[str, str] | None = None


class ProcessPool:
    """Trains jobs, at most ``jobs`` at a time, on as many threads as this process has.

    :param done: called in this process with each job and what was found, in the order in which they end
    :param stop: whether a signal came; then ``put`` and ``wait`` raise ``Stopped``, and nothing goes on
    """

    def __init__(
        self, jobs: int, train: Train, done: Callable[[Any, Mapping[str, Any]], None], warn: Warn, stop: Callable[[], bool]
    ) -> None:
        self.jobs, self.train, self.done, self.warn, self.stop = jobs, train, done, warn, stop
        self._running: dict[Connection, _Running] = {}

    @property
    def running(self) -> list[tuple[Any, float]]:
        """The jobs being trained, and since how many seconds."""
        now = time.monotonic()
        return [(one.job, now - one.begun) for one in self._running.values()]

    def put(self, job: Any) -> None:
        """Begin a job as soon as there is a place for it; with one place, to its end."""
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
        """Until every job that was put is done."""
        self._collect(0)

    def close(self) -> None:
        """End what still runs."""
        for connection, one in self._running.items():
            one.process.kill()
            one.process.join()
            connection.close()
        self._running.clear()

    def _collect(self, most: int) -> None:
        while len(self._running) > most:
            for connection in wait(list(self._running), timeout=_LOOK):
                assert isinstance(connection, Connection)
                self._receive(connection)
            if self.stop():
                raise Stopped

    def _receive(self, connection: Connection) -> None:
        one = self._running[connection]
        try:
            said = json.loads(connection.recv_bytes())
        except (EOFError, OSError):
            self._ended(self._running.pop(connection), connection)
            return
        if "warning" in said:
            self.warn(said["warning"])
        one.found, one.error = said.get("found", one.found), said.get("error", one.error)

    def _ended(self, one: _Running, connection: Connection) -> None:
        connection.close()
        one.process.join()
        if one.error is not None:
            if one.error["kind"] == "user":
                raise UserError(one.error["text"])
            raise RuntimeError(f"in the process that trained {one.job}:\n{one.error['text']}")
        if one.found is None:
            code = one.process.exitcode or 0
            how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
            raise UserError(
                f"{one.job}: its training was {how} and has not answered; expected what it found; if memory ran out, train fewer at a "
                f"time (--jobs 1)"
            )
        self.done(one.job, one.found)

    def _child(self, job: Any, receive: Connection, send: Connection, parent: int) -> None:
        for connection in (receive, *self._running):  # once the process that waits is gone, nobody reads: saying something must fail
            connection.close()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits: it ends this one
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

        def say(what: Mapping[str, Any]) -> None:
            send.send_bytes(json.dumps(plain(what), ensure_ascii=False).encode("utf-8", "surrogatepass"))

        try:
            say({"found": self.train(job, lambda text: say({"warning": text}), lambda: os.getppid() != parent)})
        except (Stopped, BrokenPipeError):
            return  # nobody waits any more
        except UserError as error:
            say({"error": {"kind": "user", "text": str(error)}})
        except Exception:  # the process that waits raises it
            say({"error": {"kind": "other", "text": traceback.format_exc()}})
