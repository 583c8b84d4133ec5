"""What a run says about itself: mean losses and speed, to a file and to whoever asked."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from likeness.errors import TrainingError
from likeness.messages.notice import Notice

__all__ = ["Progress", "Statistics", "crossed"]


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Where a run stands: pictures seen, pictures a second, and the mean losses since the last report."""

    pictures: int
    rate: float
    losses: dict[str, float]


class Statistics:
    """Losses since the last report, and ``stats.jsonl``, the file of all reports."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._begin()

    def _begin(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._steps: dict[str, int] = {}
        self._pictures, self._since = 0, time.perf_counter()

    def add(self, losses: Mapping[str, Tensor], pictures: int) -> None:
        """One step's losses, on so many pictures; they are not waited for."""
        for name, value in losses.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            # Of its own: a loss may join between two reports.
            self._steps[name] = self._steps.get(name, 0) + 1
        self._pictures += pictures

    def progress(self, seen: int) -> Progress:
        """The steps since the last `write`.

        Raises:
            TrainingError: if a loss is no number.
        """
        means = {name: float(total) / self._steps[name] for name, total in self._sums.items()}
        if not np.isfinite(list(means.values())).all():
            raise TrainingError(Notice("training.diverged", {"seen": seen}))
        rate = self._pictures / (time.perf_counter() - self._since)
        return Progress(pictures=seen, rate=rate, losses=means)

    def write(self, progress: Progress) -> None:
        """Add a line to the file, and begin anew."""
        record = {"pictures": progress.pictures, "rate": progress.rate, **progress.losses}
        with self._path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({name: round(value, 5) for name, value in record.items()}) + "\n")
        self._begin()


def crossed(seen: int, batch: int, every: int) -> bool:
    """Whether the last ``batch`` pictures crossed a multiple of ``every``."""
    return seen // every != (seen - batch) // every
