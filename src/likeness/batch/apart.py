"""Work in a process apart, for pictures that may end the process they are worked on in."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import cast

import cv2

from likeness.batch.journal import Item
from likeness.batch.network import Answer
from likeness.compute.library import core_is_loaded
from likeness.errors import LikenessError

__all__ = ["Apart"]

_log = logging.getLogger(__name__)

_PATIENCE = 900.0
"""Seconds after which a process that is still at the same picture is taken for hung, and killed."""


class Apart:
    """A process that does one item after the other. Its death ends nothing else, and says which item it died of.

    It is forked from this one, so nothing with threads of its own (a network, a detector) may have been loaded here before
    its first item. It ends when this process does, however that ends.

    Args:
        load: makes the work, in the process apart.
        patience: seconds that an item may take.
        cores: processor cores that it keeps to; None for all. One that keeps to some also finishes what it has begun when
            this process and it are asked to end together.
    """

    def __init__(
        self,
        load: Callable[[], Callable[[Item], Answer]],
        *,
        patience: float = _PATIENCE,
        cores: Collection[int] | None = None,
    ) -> None:
        self._load = load
        self._patience = patience
        self._cores = cores
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    @staticmethod
    def possible() -> bool:
        """Whether this process can be forked: not on every system, and not once a network was loaded."""
        return sys.platform.startswith("linux") and not core_is_loaded() and "torch" not in sys.modules

    def work(self, item: Item) -> Answer | None:
        """Do an item; None if the process died of it, or hung.

        Raises:
            LikenessError: if the work cannot be made.
        """
        pipe = self._pipe or self.start()
        try:
            pipe.send(item)
            if not pipe.poll(self._patience):
                _log.warning("%s takes more than %.0f s and is broken off", item.source, self._patience)
                self.close()
                return None
            answer = pipe.recv()
        except (EOFError, OSError):
            self.close()
            return None
        if isinstance(answer, LikenessError):
            raise answer
        return cast("Answer", answer)

    def close(self) -> None:
        """End the process. May be called twice; `work` starts another."""
        if self._process is not None and self._pipe is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._pipe.close()
        self._process = self._pipe = None

    def start(self) -> Connection:
        """Start the process now rather than at its first item."""
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        # No daemon: those may have no processes of their own, in which pictures are decoded.
        process = context.Process(target=_serve, args=(self._load, theirs, self._cores), daemon=False)
        process.start()
        theirs.close()
        self._process, self._pipe = process, ours
        return ours


def _serve(load: Callable[[], Callable[[Item], Answer]], pipe: Connection, cores: Collection[int] | None) -> None:
    """What the process apart does."""
    # Ctrl-C at a terminal reaches every process: the one that asked ends this one when it wants to.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL if cores is None else signal.SIG_IGN)
    if cores is not None:
        # Before the networks, which take as many threads as there are cores.
        os.sched_setaffinity(0, cores)
        cv2.setNumThreads(len(cores))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # The handlers of the one that asked may wait for threads that are not here. What is logged goes to stderr as it is.
    logging.getLogger("likeness").handlers.clear()
    try:
        work = load()
    except LikenessError as error:
        pipe.recv()
        pipe.send(error)
        return
    while True:
        pipe.send(work(pipe.recv()))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
    os._exit(1)
