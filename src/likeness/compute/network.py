"""A compiled network that any number of threads may run."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from likeness.compute.cancellation import checkpoint
from likeness.compute.forks import refuse_after_fork

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
        self.inputs: tuple[str, ...] = tuple(port.any_name for port in compiled.inputs)
        self.outputs: tuple[str, ...] = tuple(port.any_name for port in compiled.outputs)
        self._memory = memory
        self._idle: list[openvino.InferRequest] = []

    def run(self, inputs: Mapping[str, NDArray[np.float32]], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        """The named outputs for the named inputs, as arrays of their own.

        Raises:
            WorkCancelled: if they are not wanted any more (`likeness.compute.cancellation`).
            ForkError: in a process that was forked from one with networks.
        """
        checkpoint()
        refuse_after_fork()
        with self._request() as request:
            # Shared with the network for the time of the run, not copied into it.
            request.infer({name: np.ascontiguousarray(array) for name, array in inputs.items()}, share_inputs=True)
            # The tensors belong to the request, which another thread takes next: hence copies.
            return [np.array(request.get_tensor(name).data, dtype=np.float32) for name in outputs]

    @contextmanager
    def _request(self) -> Generator[openvino.InferRequest]:
        """An inference request that no other thread uses meanwhile."""
        try:
            request = self._idle.pop()  # list.pop and append are atomic
        except IndexError:
            request = self._compiled.create_infer_request()
        yield request
        self._idle.append(request)
