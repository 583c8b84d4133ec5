"""Work in a process apart, for what may end the process it is worked on in."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeAlias, TypeVar, cast

import cv2

from likeness.batch.journal import Item
from likeness.batch.keeping import PATIENCE
from likeness.compute.library import core_is_loaded
from likeness.errors import LikenessError

__all__ = ["Apart", "Ask"]

_log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")

Ask: TypeAlias = Callable[[Any], Any]
"""Asks the process that wants an item done, in the middle of the work, and returns what it replies."""

_Load: TypeAlias = Callable[[Ask], Callable[[Item], _Answer]]

_starting = threading.Lock()
"""A process that is forked while another is being started would hold that one's end of its pipe, and its death be unseen."""


@dataclass(frozen=True)
class _Question:
    asked: Any


class Apart(Generic[_Answer]):
    """A process that does one item after the other. Its death ends nothing else, and says which item it died of.

    It is forked from this one, so nothing with threads of its own (a network, a detector) may have been loaded here before
    it is started, or started again after a death. It ends when this process does, however that ends.

    Args:
        load: makes the work, in the process apart.
        patience: seconds that an item may take, or the next question of its work.
        cores: processor cores that it keeps to; None for all.
        finishes: whether it finishes what it has begun when this process and it are asked to end together.
    """

    def __init__(
        self,
        load: _Load[_Answer],
        *,
        patience: float = PATIENCE,
        cores: Collection[int] | None = None,
        finishes: bool = False,
    ) -> None:
        self._load = load
        self._patience = patience
        self._cores = cores
        self._finishes = finishes
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    @staticmethod
    def possible() -> bool:
        """Whether this process can be forked: not on every system, and not once a network was loaded."""
        return sys.platform.startswith("linux") and not core_is_loaded() and "torch" not in sys.modules

    @property
    def started(self) -> bool:
        """Whether there is a process that waits for an item."""
        return self._process is not None and self._process.is_alive()

    def work(self, item: Item, reply: Ask | None = None) -> _Answer | None:
        """Do an item; None if the process died of it, or hung.

        Args:
            item: what to do.
            reply: to what the work asks. If it raises, the process is ended.

        Raises:
            LikenessError: if the work cannot be made.
        """
        if not self.started:  # never, or it was ended while it had nothing to do
            self.close()
            self.start()
        answer = self._exchange(item, item)
        while isinstance(answer, _Question):
            assert reply is not None, answer
            try:
                told = reply(answer.asked)
            except BaseException:
                self.close()
                raise
            answer = self._exchange(told, item)
        if isinstance(answer, LikenessError):
            raise answer
        return cast("_Answer | None", answer)

    def _exchange(self, message: object, item: Item) -> object:
        """What it says to a message; None if it is no more."""
        pipe = self._pipe
        assert pipe is not None
        try:
            pipe.send(message)
            if pipe.poll(self._patience):
                return pipe.recv()
            _log.warning("%s takes more than %.0f s and is broken off", item.source, self._patience)
        except (EOFError, OSError):
            pass
        self.close()
        return None

    def kill(self) -> None:
        """End the process from another thread, or a signal's handler; who waits for its answer gets None."""
        process = self._process
        if process is not None:
            with suppress(ValueError, OSError):  # it has just been closed
                process.kill()

    def close(self) -> None:
        """End the process. May be called twice; `work` starts another."""
        if self._process is not None and self._pipe is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._pipe.close()
        self._process = self._pipe = None

    def start(self) -> None:
        """Start the process now rather than at its first item."""
        context = multiprocessing.get_context("fork")
        with _starting:
            ours, theirs = context.Pipe()
            given = (self._load, theirs, self._cores, self._finishes)
            # No daemon: those may have no processes of their own, in which pictures are decoded.
            process = context.Process(target=_serve, args=given, daemon=False)
            process.start()
            theirs.close()
        self._process, self._pipe = process, ours


def _serve(load: _Load[object], pipe: Connection, cores: Collection[int] | None, finishes: bool) -> None:
    """What the process apart does."""
    # Ctrl-C at a terminal reaches every process: the one that asked ends this one when it wants to.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if finishes else signal.SIG_DFL)
    if cores is not None:
        # Before the networks, which take as many threads as there are cores.
        os.sched_setaffinity(0, cores)
        cv2.setNumThreads(len(cores))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # The handlers of the one that asked may wait for threads that are not here. What is logged goes to stderr as it is.
    logging.getLogger("likeness").handlers.clear()

    def ask(question: object) -> object:
        pipe.send(_Question(question))
        return pipe.recv()

    try:
        work = load(ask)
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
