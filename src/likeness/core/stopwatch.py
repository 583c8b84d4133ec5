"""A stopwatch for the steps that reports list."""

from __future__ import annotations

import time

__all__ = ["Stopwatch"]


class Stopwatch:
    """Runs from when it is made; ``laps`` holds the milliseconds of each named step."""

    def __init__(self) -> None:
        self._began = self._last = time.perf_counter()
        self.laps: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.perf_counter() - self._began

    def lap(self, name: str) -> None:
        """End a step and give it its name; steps of one name are added up."""
        now = time.perf_counter()
        self.add(name, (now - self._last) * 1e3)
        self._last = now

    def add(self, name: str, milliseconds: float) -> None:
        """Count to a step what was measured elsewhere."""
        self.laps[name] = self.laps.get(name, 0.0) + milliseconds

    def skip(self) -> None:
        """Count the time since the last lap to none."""
        self._last = time.perf_counter()
