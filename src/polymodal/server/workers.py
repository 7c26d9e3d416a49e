"""Several processes that answer on one socket, each with models of its own, and the process that watches over them.

The processes that are free accept its connections, which wait in its queue while one process takes the place of another.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

import torch

from ..errors import ConfigError, UserError
from ..language import Words
from ..training.devices import DeviceName
from .limits import Limits
from .models import Models
from .serving import STOP_SECONDS, Server, config_of, listening

_SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which the client of Prometheus learns the folder in which processes add their counters."""


_EARLY_SECONDS = 60
"""A process that ends sooner than this after its start may do so again."""
_LONGEST_PAUSE = 32


@dataclass(frozen=True)
class Settings:
    """What every process serves, and how; see ``Models`` and ``serve`` for the meanings."""

    paths: Mapping[str, str]
    limits: Limits
    root: Sequence[str]
    device: DeviceName
    token: str | None
    hosts: Sequence[str]


class _Socket(socket.socket):
    """A socket that listens already. Each process accepts one connection at a time, so that the others get some too."""

    def listen(self, backlog: int = 0) -> None:
        """Keep the length of the queue."""


def _work(settings: Settings, place: socket.socket, parent: Connection, threads: int) -> None:
    """Answer requests in a process until it gets SIGTERM, or the process that started it has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the first one passes it on
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(threads)
    try:
        models = Models(settings.paths, settings.limits, settings.root, settings.device)
    except UserError as error:
        parent.send(str(error))
        return
    own = _Socket(fileno=place.detach())
    config = config_of(models, own.getsockname()[0], 0, settings.token, settings.hosts, backlog=1)

    def end() -> None:
        with suppress(EOFError, OSError):
            parent.recv()
        os.kill(os.getpid(), signal.SIGTERM)

    def started() -> None:
        parent.send({name: served.loaded.version for name, served in models.by_name.items()})
        threading.Thread(target=end, name="parent", daemon=True).start()

    models.watch()
    Server(models, config, started).run([own])


class _Worker:
    """A process, and the message that it sent when it was ready.

    :param number: its number, from 1
    :param early: the number of processes in a row that had this number and ended early
    """

    def __init__(self, number: int, settings: Settings, place: socket.socket, threads: int, early: int = 0) -> None:
        context = get_context("spawn")
        self.number, self.early = number, early
        self.begun, self.replaced_at = time.monotonic(), math.inf
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_work, args=(settings, place, other, threads), name=f"serve {number}", daemon=True)
        self.versions: Mapping[str, str] | None = None
        self.process.start()
        other.close()

    def receive(self) -> None:
        """Receive the message that the process is ready, if it has arrived.

        :raises ConfigError: it is not, since the models cannot be loaded or it ended
        """
        with suppress(EOFError, OSError):
            if self.versions is None and self.pipe.poll():
                message: Any = self.pipe.recv()
                if isinstance(message, str):
                    raise ConfigError(message)
                self.versions = message
        if self.versions is None and not self.process.is_alive():
            raise ConfigError(f"process {self.number} ended before it was ready ({self.reason()}); see its messages above")

    def reason(self) -> str:
        """Return the reason for which the process ended."""
        code = self.process.exitcode
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    def ends(self, message: str) -> None:
        """Print that the process has ended, and set the time at which another one takes its place.

        A process that ended early is replaced after a pause, which doubles with each that does so after another.
        """
        now = time.monotonic()
        self.early = self.early + 1 if now - self.begun < _EARLY_SECONDS else 0
        pause = min(_LONGEST_PAUSE, 2 ** (self.early - 2)) if self.early > 1 else 0
        self.replaced_at = now + pause
        print(Words.of("auto")("serve.replaced_later" if pause else "serve.replaced", message=message, seconds=pause), flush=True)


def serve_in_processes(
    settings: Settings, count: int, host: str = "127.0.0.1", port: int = 8000, ready: Callable[[int, Mapping[str, str]], None] | None = None
) -> None:  # fmt: skip
    """Answer requests in several processes until this one gets SIGTERM or SIGINT; then let each answer what it accepted, and return.

    A process that ends by itself is replaced. If one ends before all have been ready once, the server stops.

    :param count: the number of processes; they share the cores that torch has here
    :param host: the address to listen on
    :param port: the port to listen on; 0 = any that is free
    :param ready: called with the port, and with the versions of the models, when every process answers
    :raises ConfigError: the address cannot be listened on, or a process cannot be started at the beginning
    """
    threads = max(1, torch.get_num_threads() // count)
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    workers: list[_Worker] = []
    with listening(host, port) as place, tempfile.TemporaryDirectory(prefix="polymodal-") as folder:
        os.environ[_SHARED] = folder
        try:
            workers += [_Worker(number, settings, place, threads) for number in range(1, count + 1)]
            is_ready = False
            while not stopping.is_set():
                alive = [one for one in workers if one.process.is_alive()]
                wait([one.process.sentinel for one in alive] + [one.pipe for one in alive if one.versions is None], 0.2)
                for at, one in enumerate(workers):
                    failure = ""
                    try:
                        one.receive()
                    except ConfigError as error:
                        if not is_ready:
                            raise
                        failure = str(error)
                        one.process.join()
                    if stopping.is_set() or one.process.is_alive():
                        continue
                    if one.replaced_at == math.inf:
                        one.ends(failure or f"process {one.number} ended ({one.reason()})")
                        _forget(one.process.pid, folder)
                    if time.monotonic() >= one.replaced_at:
                        workers[at] = _Worker(one.number, settings, place, threads, one.early)
                if not is_ready and all(one.versions is not None for one in workers):
                    is_ready = True
                    if ready is not None:
                        ready(place.getsockname()[1], workers[0].versions or {})
        finally:
            _stop(workers)
            os.environ.pop(_SHARED, None)
            for number, handler in before.items():
                signal.signal(number, handler)


def _forget(pid: int | None, folder: str) -> None:
    """Let the counters no longer have the rows that wait in a process that has ended."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]


def _stop(workers: Sequence[_Worker]) -> None:
    """Stop all processes, and wait until each has answered what it accepted."""
    for one in workers:
        if one.process.is_alive():
            one.process.terminate()
    end = time.monotonic() + STOP_SECONDS + 10
    for one in workers:
        one.process.join(max(0.0, end - time.monotonic()))
        if one.process.is_alive():
            one.process.kill()
            one.process.join()
        one.pipe.close()
