"""What the server tells Prometheus."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["METRICS_TYPE", "Metrics"]

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus's text format."""

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """The figures of one application; several in a process do not share any."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "likeness_requests", "Requests answered.", ("route", "method", "status"), registry=self._registry
        )
        self.request_seconds = Histogram(
            "likeness_request_seconds",
            "From a request's head to its answer's end.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.work_seconds = Histogram(
            "likeness_work_seconds",
            "Work on one picture, without waiting.",
            ("kind",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.pictures = Counter("likeness_pictures", "Pictures by outcome.", ("outcome",), registry=self._registry)
        self.faces = Counter("likeness_faces", "Faces by outcome.", ("outcome",), registry=self._registry)
        self.received_bytes = Counter("likeness_received_bytes", "Bytes of request bodies.", registry=self._registry)

    def watch(self, name: str, description: str, value: Callable[[], float]) -> None:
        """Add a figure that is asked for whenever the page is read."""
        Gauge(name, description, registry=self._registry).set_function(value)

    def page(self) -> bytes:
        """All figures, in Prometheus's text format."""
        return generate_latest(self._registry)
