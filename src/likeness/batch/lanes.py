"""One picture per core: processes that work side by side, each on processor cores of its own.

Networks and filters that share the cores wait for one another in every layer, and threads of one Python for its lock: two
pictures at a time in one process took 1.8 times as long as in two (docs/speed.md).
"""

from __future__ import annotations

import os
import queue
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from likeness.batch.apart import Apart
from likeness.batch.journal import Item
from likeness.batch.network import Answer, PictureWork
from likeness.compute.cancellation import WorkCancelled
from likeness.core.memory import available
from likeness.restore.config import Settings

__all__ = ["Lanes", "lanes_for"]

_MEMORY = 1_200_000_000
"""Bytes that a process may need: its networks, and a picture of 24 megapixels."""


def lanes_for(settings: Settings, workers: int | None) -> int:
    """How many processes serve here: as many as ``workers``, by default one per core as far as memory goes; 1 where one does
    as well, as where the networks run on a GPU, or threads were asked for.
    """
    if (
        sys.platform != "linux"
        or settings["threads"] is not None
        or settings["runtime"] not in (None, "auto", "openvino")
    ):
        return 1
    if settings["device"] not in (None, "auto", "cpu") or (
        settings["device"] != "cpu" and Path("/dev/nvidia0").exists()
    ):
        return 1
    if workers is not None:
        return workers
    return max(1, min(len(os.sched_getaffinity(0)), available() // _MEMORY))


class Lanes:
    """The processes, started at once; `work` may be called from as many threads.

    Args:
        load: makes a process's work, given the file that it locks while it has a picture that wants to be alone.
        count: how many.
    """

    def __init__(self, load: Callable[[Path], PictureWork], count: int) -> None:
        self.count = count
        file, name = tempfile.mkstemp(prefix="likeness-", suffix=".lock")
        os.close(file)
        self._large = Path(name)
        cores = sorted(os.sched_getaffinity(0))
        self._all = [
            Apart(
                lambda _: load(self._large),
                cores=cores[number::count] or [cores[number % len(cores)]],
                finishes=True,
            )
            for number in range(count)
        ]
        self._ended = False
        self._idle: queue.SimpleQueue[Apart[Answer]] = queue.SimpleQueue()
        for apart in self._all:
            apart.start()
            self._idle.put(apart)

    def work(self, item: Item) -> Answer | None:
        """Do an item in a process that is idle; None if that died of it.

        Raises:
            LikenessError: if its work cannot be made.
            WorkCancelled: if it was broken off.
        """
        apart = self._idle.get()
        try:
            answer = None if self._ended else apart.work(item)
        finally:
            self._idle.put(apart)
        if answer is None and self._ended:
            raise WorkCancelled
        return answer

    def end(self) -> None:
        """Break off what is in work; nothing more is begun. For a signal's handler."""
        self._ended = True
        for apart in self._all:
            apart.kill()

    def close(self) -> None:
        """End the processes."""
        for apart in self._all:
            apart.close()
        self._large.unlink(missing_ok=True)
