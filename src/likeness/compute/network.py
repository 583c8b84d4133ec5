"""A compiled network that any number of threads may run."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import openvino

__all__ = ["Network"]


class Network:
    """A compiled network and the requests that its threads hand to each other.

    Args:
        compiled: the network.
        memory: what it was made from, if it goes on reading there: OpenVINO keeps the address, not the array.
    """

    def __init__(self, compiled: openvino.CompiledModel, memory: object = None) -> None:
        self._compiled = compiled
        self._memory = memory
        self._idle: list[openvino.InferRequest] = []

    @property
    def at_once(self) -> int:
        """How many runs side by side it was compiled for."""
        return int(self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))

    def run(self, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """The named outputs for the named inputs, as arrays of their own."""
        with self._request() as request:
            request.infer({name: np.ascontiguousarray(array) for name, array in inputs.items()})
            return _copied(request, outputs)

    def run_each(
        self, inputs: Iterable[Mapping[str, NDArray[Any]]], outputs: Sequence[str]
    ) -> Generator[list[NDArray[np.float32]]]:
        """What `run` returns for each of several inputs, in their order; as many as `at_once` are worked on together.

        Inputs are taken as there is room for them, so the next is made ready while others run.
        """
        at_once = self.at_once
        running: deque[openvino.InferRequest] = deque()
        try:
            for item in inputs:
                if len(running) == at_once:
                    yield self._awaited(running.popleft(), outputs)
                request = self._taken()
                running.append(request)
                request.start_async({name: np.ascontiguousarray(array) for name, array in item.items()})
            while running:
                yield self._awaited(running.popleft(), outputs)
        finally:
            for request in running:  # what is broken off still writes to its tensors
                request.wait()

    def _awaited(self, request: openvino.InferRequest, outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        request.wait()
        result = _copied(request, outputs)
        self._idle.append(request)
        return result

    @contextmanager
    def _request(self) -> Generator[openvino.InferRequest]:
        """An inference request that no other thread uses meanwhile."""
        request = self._taken()
        yield request
        self._idle.append(request)

    def _taken(self) -> openvino.InferRequest:
        try:
            return self._idle.pop()  # list.pop and append are atomic
        except IndexError:
            return self._compiled.create_infer_request()


def _copied(request: openvino.InferRequest, outputs: Sequence[str]) -> list[NDArray[np.float32]]:
    # The tensors belong to the request, which another thread takes next: hence copies.
    return [np.array(request.get_tensor(name).data, dtype=np.float32) for name in outputs]
