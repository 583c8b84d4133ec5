"""Faces of several threads gathered into batches: what fills a GPU while many pictures are worked on at a time."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from likeness.runtimes.base import Batch, Runtime, WrappedRuntime, check_batch

__all__ = ["BatchingRuntime"]


@dataclass(kw_only=True, eq=False)
class _Call:
    """One caller's faces, and in the end their projections or an error."""

    faces: Batch
    result: Batch | None = None
    error: BaseException | None = None

    @property
    def done(self) -> bool:
        return self.result is not None or self.error is not None


class BatchingRuntime(WrappedRuntime):
    """A runtime whose `run` calls from several threads share batches; implements `Runtime`.

    While the network is idle a call runs at once, alone: nobody waits for company that may not come. While it is busy, calls
    queue up, and the next batch takes as many as fit. So batches grow with the load and no timer is needed: the longest wait
    is that for a turn, which a call without batches would have as well.

    Calls are served in their order, and a call's faces stay together. There is no thread behind it: whoever's call is first
    in the queue runs the batch, in its own thread, for all of them. If its work is cancelled meanwhile, another one does.

    Args:
        runtime: the network; it must be thread-safe.
        max_batch: most faces in one batch; a single call that brings more goes alone.
        in_flight: batches at once: with two, the faces of one are copied while the other is computed.

    Raises:
        ValueError: if ``max_batch`` or ``in_flight`` is below 1.
    """

    def __init__(self, runtime: Runtime, *, max_batch: int = 16, in_flight: int = 2) -> None:
        if max_batch < 1 or in_flight < 1:
            raise ValueError(f"max_batch and in_flight must be at least 1, not {max_batch} and {in_flight}")
        super().__init__(runtime)
        self._max_batch = max_batch
        self._in_flight = in_flight
        self._changed = threading.Condition()
        # All below is read and written with the condition's lock held.
        self._queue: deque[_Call] = deque()
        self._running = 0
        self._closed = False

    @property
    def runtime(self) -> Runtime:
        """The network that runs the batches."""
        return self._runtime

    def run(self, faces: Batch) -> Batch:
        """G(E(faces)): N x 3 x S x S float32 in [-1, 1] to the same; faces of other threads may share the batch.

        An error of the network reaches only the callers whose faces it fails with: a batch that failed is run again, call
        by call.

        Raises:
            ValueError: if ``faces`` has another shape or type.
            RuntimeError: if the runtime was closed.
        """
        check_batch(faces, self.spec)
        call = _Call(faces=faces)
        batch = self._wait_for_turn(call)
        if batch:
            try:
                self._answer(batch)
            finally:
                with self._changed:
                    # Only the end of this caller's own work, cancelled or interrupted, leaves one without an answer: the
                    # others' faces have nothing to do with that, and stand first for the next batch.
                    self._queue.extendleft(one for one in reversed(batch) if one is not call and not one.done)
                    self._running -= 1
                    self._changed.notify_all()
        if call.error is not None:
            raise call.error
        assert call.result is not None
        return call.result

    def close(self) -> None:
        """Take no more calls, and wait for those that were made; harmless if repeated."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._queue and not self._running)

    def __enter__(self) -> BatchingRuntime:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _wait_for_turn(self, call: _Call) -> list[_Call]:
        """Queue a call; return the batch to run once it stands first, or nothing once another thread has answered it."""
        with self._changed:
            if self._closed:
                raise RuntimeError("this runtime was closed")
            self._queue.append(call)
            try:
                self._changed.wait_for(lambda: call.done or self._may_run(call))
            except BaseException as error:  # an interrupt: nobody may wait for a call whose thread is gone
                call.error = error  # in a batch already, it needs no other
                if call in self._queue:
                    self._queue.remove(call)
                    self._changed.notify_all()
                raise
            if call.done:
                return []
            batch = [self._queue.popleft()]
            count = len(batch[0].faces)
            while self._queue and count + len(self._queue[0].faces) <= self._max_batch:
                batch.append(self._queue.popleft())
                count += len(batch[-1].faces)
            self._running += 1
            self._changed.notify_all()  # another call stands first now
            return batch

    def _may_run(self, call: _Call) -> bool:
        return self._running < self._in_flight and bool(self._queue) and self._queue[0] is call

    def _answer(self, batch: list[_Call]) -> None:
        if len(batch) > 1:
            try:
                projected = self._runtime.run(np.concatenate([call.faces for call in batch]))
            except Exception:
                # Whose faces were to blame, or that there were too many of them, shows when each call has its own turn.
                pass
            else:
                begin = 0
                for call in batch:
                    end = begin + len(call.faces)
                    # A view would keep all of the batch in memory for as long as anyone keeps one face of it.
                    call.result = projected[begin:end].copy()
                    begin = end
                return
        for call in batch:
            self._answer_alone(call)

    def _answer_alone(self, call: _Call) -> None:
        try:
            call.result = self._runtime.run(call.faces)
        except Exception as error:
            call.error = error
