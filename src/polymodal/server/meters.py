"""Counters of the server in the format of Prometheus."""

from __future__ import annotations

from functools import partial

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .models import Models


class Meters:
    """Counts requests, and shows the rows that wait."""

    def __init__(self, models: Models) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter("polymodal_requests_total", "Requests by route and status.", ["route", "status"], registry=self._registry)
        self._seconds = Histogram("polymodal_request_seconds", "Seconds of a request by route.", ["route"], registry=self._registry)
        waiting = Gauge("polymodal_waiting_rows", "Rows that wait for a prediction.", ["model"], registry=self._registry)
        batches = Gauge("polymodal_batches", "Batches that were computed.", ["model"], registry=self._registry)
        for name, served in models.by_name.items():
            waiting.labels(name).set_function(partial(getattr, served.batcher, "waiting"))
            batches.labels(name).set_function(partial(getattr, served.batcher, "batches"))
        self.media_type = CONTENT_TYPE_LATEST

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count a request by its route and status."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all values in the format of Prometheus."""
        return generate_latest(self._registry)
