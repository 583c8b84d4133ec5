"""A real runtime that counts its calls and changes the network's answers visibly."""

from __future__ import annotations

from collections.abc import Callable

from likeness.runtimes.base import Batch, Runtime, WrappedRuntime


class Counting(WrappedRuntime):
    """Counts the calls of ``run``; ``change`` is made to each answer."""

    def __init__(self, inner: Runtime, change: Callable[[Batch], Batch]) -> None:
        super().__init__(inner)
        self.change = change
        self.calls = 0

    def run(self, faces: Batch) -> Batch:
        self.calls += 1
        return self.change(super().run(faces))
