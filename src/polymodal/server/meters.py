"""Counters of the server in the format of Prometheus."""

from __future__ import annotations

import os
import threading
import time

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from .models import Models

_SHARE_SECONDS = 1.0
"""The time between two values of a process that others see."""


class Meters:
    """Counts requests, and shows the rows that wait."""

    def __init__(self, models: Models) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("polymodal_requests_total", "Requests by route and status.", ["route", "status"], registry=self._registry)
        self._seconds = Histogram("polymodal_request_seconds", "Seconds of a request by route.", ["route"], registry=self._registry)
        self._waiting = self._gauge("polymodal_waiting_rows", "Rows that wait for a prediction.")
        self._batches = self._gauge("polymodal_batches", "Batches that were computed.")
        self._models = models
        self._folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
        if self._folder is not None:
            threading.Thread(target=self._share, name="meters", daemon=True).start()
        self.media_type = CONTENT_TYPE_LATEST

    def _gauge(self, name: str, text: str) -> Gauge:
        """Return a gauge of each model, whose values of all processes that live are added."""
        return Gauge(name, text, ["model"], registry=self._registry, multiprocess_mode="livesum")

    def _share(self) -> None:
        """Let the other processes have the values of this one."""
        while True:
            self._look()
            time.sleep(_SHARE_SECONDS)

    def _look(self) -> None:
        """Take the values of the queues."""
        for name, served in self._models.by_name.items():
            self._waiting.labels(name).set(served.batcher.waiting)
            self._batches.labels(name).set(served.batcher.batches)

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count a request by its route and status."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all values in the format of Prometheus, added over the processes of this server."""
        self._look()
        registry = self._registry
        if self._folder is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, self._folder)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
