"""The work pool: a few threads that serve many clients in turn, a bounded line before them, and what can wait behind it."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from likeness.errors import ServerBusyError
from likeness.messages.notice import Notice

__all__ = ["Ticket", "WorkPool"]

_Result = TypeVar("_Result")

_FIRST_GUESS = 1.0
"""Seconds that a piece of work is taken to last before any was measured."""

_MEMORY = 0.2
"""Weight of the last piece of work in the running mean of their times."""

_MOST_BEFORE = 8
"""Pieces that go before one in the background: jobs may be slowed down, but never stand still."""

_PRESENCE_SECONDS = 10.0
"""For so long after a request a thread is kept free of the background: the next move of a slider is about to come."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Piece:
    """A piece of work and where its result goes."""

    work: Callable[[], Any]
    future: Future[Any]
    background: bool


class Ticket:
    """A place in the line, held from before a request is received until its work is done.

    As a context manager it gives the place back at the end, unless work was begun with it: then the work's end does.
    """

    def __init__(self, pool: WorkPool, client: str) -> None:
        self._pool = pool
        self._client = client
        self._used = False

    def __enter__(self) -> Ticket:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not self._used:
            self._used = True
            self._pool._leave(self._client)  # pyright: ignore[reportPrivateUsage] - the two are one mechanism

    def submit(self, work: Callable[[], _Result]) -> Future[_Result]:
        """Put work in the line, once. Cancelling the future takes it out again, if it has not begun.

        Raises:
            RuntimeError: if the ticket was used before, or the pool is closed.
        """
        if self._used:
            raise RuntimeError("a ticket is for one piece of work")
        self._used = True
        future = self._pool._put(work, self._client)  # pyright: ignore[reportPrivateUsage]
        future.add_done_callback(lambda _: self._pool._leave(self._client))  # pyright: ignore[reportPrivateUsage]
        return future


class WorkPool:
    """Threads that take work from clients in turn: one piece each, round and round, whoever has more waits longer.

    Work in the background is begun when nobody waits, or after every eighth piece; and while requests come, one thread (of
    several) is kept free of it.

    Args:
        workers: threads.
        queue: how many requests may be in the line or be received, over and above ``workers``.
        queue_per_client: how many places one client may have, so that none takes them all.
    """

    def __init__(self, *, workers: int, queue: int, queue_per_client: int) -> None:
        self._places = workers + queue
        self._per_client = queue_per_client
        self._workers = workers
        self._lines: OrderedDict[str, deque[_Piece]] = OrderedDict()
        self._background: deque[_Piece] = deque()
        self._held: dict[str, int] = {}
        self._running = 0
        self._running_behind = 0
        self._went_before = 0
        self._seen = -math.inf
        self._mean_seconds = _FIRST_GUESS
        self._closed = False
        self._changed = threading.Condition()
        self._threads = [
            threading.Thread(target=self._serve, name=f"likeness-{number}", daemon=True) for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def workers(self) -> int:
        return self._workers

    @property
    def running(self) -> int:
        """Pieces being worked on."""
        return self._running

    @property
    def waiting(self) -> int:
        """Pieces in the line."""
        with self._changed:
            return sum(not piece.future.cancelled() for line in self._lines.values() for piece in line)

    @property
    def admitted(self) -> int:
        """Places that are taken: requests received, waiting, or worked on."""
        with self._changed:
            return sum(self._held.values())

    def admit(self, client: str) -> Ticket:
        """Take a place in the line, before anything is received or decoded.

        Raises:
            ServerBusyError: if there is none left, or the client has its share.
        """
        with self._changed:
            if sum(self._held.values()) >= self._places:
                raise ServerBusyError(
                    Notice("busy.server", {"count": self._places}),
                    retry_after=self._retry_after(),
                )
            if self._held.get(client, 0) >= self._per_client:
                raise ServerBusyError(
                    Notice("busy.address", {"count": self._per_client}),
                    retry_after=self._retry_after(),
                )
            self._held[client] = self._held.get(client, 0) + 1
            self._seen = time.monotonic()
        return Ticket(self, client)

    def submit_background(self, work: Callable[[], _Result]) -> Future[_Result]:
        """Put work behind what somebody waits for, without a place in the line; it is bounded elsewhere, as a job's is.

        Raises:
            RuntimeError: if the pool is closed.
        """
        return self._put(work, None)

    def _put(self, work: Callable[[], _Result], client: str | None) -> Future[_Result]:
        future: Future[_Result] = Future()
        with self._changed:
            if self._closed:
                raise RuntimeError("the work pool is closed")
            line = self._background if client is None else self._lines.setdefault(client, deque())
            line.append(_Piece(work=work, future=future, background=client is None))
            # Any thread will do, but one that may not take the background must not be the only one to wake.
            self._changed.notify_all()
        return future

    def close(self) -> None:
        """Take no more work, cancel what waits, and wait for what is being worked on."""
        with self._changed:
            self._closed = True
            pieces = [piece for line in (*self._lines.values(), self._background) for piece in line]
            self._lines.clear()
            self._background.clear()
            self._changed.notify_all()
        for piece in pieces:
            piece.future.cancel()
        for thread in self._threads:
            thread.join()

    def _leave(self, client: str) -> None:
        with self._changed:
            self._seen = time.monotonic()
            left = self._held[client] - 1
            if left:
                self._held[client] = left
            else:
                del self._held[client]

    def _retry_after(self) -> int:
        """Seconds until about half of what is in hand is done."""
        seconds = self._mean_seconds * sum(self._held.values()) / self._workers / 2
        return max(1, min(60, math.ceil(seconds)))

    def _next(self) -> _Piece | None:
        """The next piece; waits for one. None when the pool is closed."""
        with self._changed:
            while True:
                piece = self._take()
                if piece is None:
                    if self._closed:
                        return None
                    # With something in the background left over, look again when nobody is about any more.
                    self._changed.wait(_PRESENCE_SECONDS if self._background else None)
                elif piece.future.set_running_or_notify_cancel():
                    self._running += 1
                    self._running_behind += piece.background
                    return piece

    def _take(self) -> _Piece | None:
        """The next client's next piece, or the background's; None if there is nothing that may be begun now."""
        if self._background and (not self._lines or self._went_before >= _MOST_BEFORE):
            about = bool(self._held) or time.monotonic() - self._seen < _PRESENCE_SECONDS
            if self._running_behind < (max(1, self._workers - 1) if about else self._workers):
                self._went_before = 0
                return self._background.popleft()
        if not self._lines:
            return None
        self._went_before = self._went_before + 1 if self._background else 0
        client, line = next(iter(self._lines.items()))
        piece = line.popleft()
        # Whoever was served goes to the end, also when its next piece comes later: others are before it then.
        del self._lines[client]
        if line:
            self._lines[client] = line
        return piece

    def _serve(self) -> None:
        while (piece := self._next()) is not None:
            began = time.perf_counter()
            result: Any = None
            failure: BaseException | None = None
            try:
                result = piece.work()
            except BaseException as error:  # whatever it is belongs to whoever waits for the result
                failure = error
            with self._changed:
                self._running -= 1
                self._running_behind -= piece.background
                self._mean_seconds += _MEMORY * (time.perf_counter() - began - self._mean_seconds)
            if failure is None:
                piece.future.set_result(result)
            else:
                piece.future.set_exception(failure)
            # A thread that waits must not keep the last picture alive.
            del piece, result, failure
