"""Real threads and a real network; only a gate before it says when a batch may run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.compute.cancellation import WorkCancelled
from likeness.models.gpen.config import GpenConfig
from likeness.runtimes.base import Batch, Runtime
from likeness.runtimes.batching import BatchingRuntime
from likeness.runtimes.openvino_ import OpenVinoRuntime

State = dict[str, NDArray[np.float32]]
SMALL = GpenConfig(size=64, channel_multiplier=1, narrow=0.0625)
WAIT = 30
"""Seconds after which a test has hung."""


@pytest.fixture(scope="module")
def network(random_state: Callable[..., State]) -> OpenVinoRuntime:
    runtime = OpenVinoRuntime(random_state(SMALL, 1), SMALL.spec, precision="f32")
    runtime.run(pictures(1))
    return runtime


def pictures(count: int) -> Batch:
    return np.random.default_rng(2).uniform(-1, 1, (count, 3, 64, 64)).astype(np.float32)


class Gated:
    """The network behind a gate: batches wait in it until it is opened, and are noted as they come."""

    def __init__(self, inner: Runtime) -> None:
        self.spec = inner.spec
        self.description = inner.description
        self._inner = inner
        self.gate = threading.Event()
        self.arrived = threading.Semaphore(0)
        self.sizes: list[int] = []
        self.refused: Batch | None = None
        self.most = 1000

    def run(self, faces: Batch) -> Batch:
        self.sizes.append(len(faces))
        self.arrived.release()
        assert self.gate.wait(WAIT)
        if len(faces) > self.most:
            raise MemoryError(f"{len(faces)} faces")
        if self.refused is not None and any(np.array_equal(face, self.refused) for face in faces):
            raise ArithmeticError("this face breaks the network")
        return self._inner.run(faces)


@pytest.fixture
def gated(network: OpenVinoRuntime) -> Gated:
    return Gated(network)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(24) as pool:
        yield pool


def queued(runtime: BatchingRuntime, count: int) -> None:
    """Wait until so many calls stand in the queue."""
    with runtime._changed:  # pyright: ignore[reportPrivateUsage]
        assert runtime._changed.wait_for(lambda: len(runtime._queue) == count, WAIT)  # pyright: ignore[reportPrivateUsage]


def submit_in_order(pool: ThreadPoolExecutor, runtime: BatchingRuntime, calls: list[Batch]) -> list[Future[Batch]]:
    futures: list[Future[Batch]] = []
    for number, faces in enumerate(calls, start=1):
        futures.append(pool.submit(runtime.run, faces))
        queued(runtime, number)
    return futures


def busy(pool: ThreadPoolExecutor, runtime: BatchingRuntime, gated: Gated, count: int) -> list[Future[Batch]]:
    """Fill the network with ``count`` batches that wait in the gate."""
    futures: list[Future[Batch]] = []
    for _ in range(count):
        futures.append(pool.submit(runtime.run, pictures(1)))
        assert gated.arrived.acquire(timeout=WAIT)
    return futures


def test_an_idle_network_is_not_waited_for(network: OpenVinoRuntime) -> None:
    with BatchingRuntime(network) as runtime:
        faces = pictures(3)
        assert np.array_equal(runtime.run(faces), network.run(faces))
        assert (runtime.spec, runtime.description, runtime.runtime) == (SMALL.spec, network.description, network)


def test_calls_that_wait_share_a_batch(network: OpenVinoRuntime, gated: Gated, pool: ThreadPoolExecutor) -> None:
    runtime = BatchingRuntime(gated, max_batch=8)
    first = busy(pool, runtime, gated, 2)
    faces = pictures(12)
    calls = [faces[0:1], faces[1:3], faces[3:7], faces[7:8], faces[8:9], faces[9:12]]
    waiting = submit_in_order(pool, runtime, calls)
    assert gated.sizes == [1, 1]
    gated.gate.set()
    for future, call in zip([*first, *waiting], [pictures(1), pictures(1), *calls], strict=True):
        result = future.result(WAIT)
        assert np.abs(result - network.run(call)).max() < 1e-5
        assert result.base is None or result.base.shape == result.shape  # keeps no other caller's faces alive
    # In order, and never more than fit: 1 + 2 + 4 + 1 are 8.
    assert sorted(gated.sizes[2:]) == [4, 8]
    runtime.close()


def test_a_call_of_more_faces_than_fit_goes_alone_and_in_its_turn(
    network: OpenVinoRuntime, gated: Gated, pool: ThreadPoolExecutor
) -> None:
    runtime = BatchingRuntime(gated, max_batch=4, in_flight=1)
    first = busy(pool, runtime, gated, 1)
    faces = pictures(9)
    calls = [faces[:1], faces[:9], faces[1:2], faces[2:3]]
    waiting = submit_in_order(pool, runtime, calls)
    gated.gate.set()
    for future, call in zip([*first, *waiting], [pictures(1), *calls], strict=True):
        assert np.abs(future.result(WAIT) - network.run(call)).max() < 1e-5
    assert gated.sizes == [1, 1, 9, 2]  # small calls that came later do not overtake it


def test_an_error_reaches_the_caller_whose_faces_it_is_about(
    network: OpenVinoRuntime, gated: Gated, pool: ThreadPoolExecutor
) -> None:
    runtime = BatchingRuntime(gated, in_flight=1)
    faces = pictures(4)
    gated.refused = faces[2]
    first = busy(pool, runtime, gated, 1)
    waiting = submit_in_order(pool, runtime, [faces[1:2], faces[2:4], faces[3:4]])
    gated.gate.set()
    assert first[0].result(WAIT).shape == (1, 3, 64, 64)
    assert np.array_equal(waiting[0].result(WAIT), network.run(faces[1:2]))
    assert np.array_equal(waiting[2].result(WAIT), network.run(faces[3:4]))
    with pytest.raises(ArithmeticError, match="this face breaks the network"):
        waiting[1].result(WAIT)
    assert gated.sizes == [1, 4, 1, 2, 1]
    # And the runtime goes on.
    assert np.array_equal(runtime.run(faces[:1]), network.run(faces[:1]))


def test_too_many_at_once_run_one_by_one(network: OpenVinoRuntime, gated: Gated, pool: ThreadPoolExecutor) -> None:
    runtime = BatchingRuntime(gated, in_flight=1)
    gated.most = 2
    busy(pool, runtime, gated, 1)
    faces = pictures(3)
    waiting = submit_in_order(pool, runtime, [faces[:1], faces[1:3]])
    gated.gate.set()
    assert np.array_equal(waiting[0].result(WAIT), network.run(faces[:1]))
    assert np.array_equal(waiting[1].result(WAIT), network.run(faces[1:3]))


def test_wrong_faces_cost_nobody_a_batch(gated: Gated) -> None:
    runtime = BatchingRuntime(gated)
    for faces in (np.zeros((1, 3, 32, 32), np.float32), np.zeros((1, 3, 64, 64), np.float64)):
        with pytest.raises(ValueError, match="faces must be N x 3 x 64 x 64 float32"):
            runtime.run(faces)
    assert gated.sizes == []


def test_an_interrupted_caller_leaves_the_queue(
    network: OpenVinoRuntime, gated: Gated, pool: ThreadPoolExecutor
) -> None:
    class Interrupted(BatchingRuntime):
        """The second caller is interrupted while it waits, as Ctrl+C would."""

        def _may_run(self, call) -> bool:
            if len(call.faces) == 2:
                raise KeyboardInterrupt
            return super()._may_run(call)

    runtime = Interrupted(gated, in_flight=1)
    first = busy(pool, runtime, gated, 1)
    with pytest.raises(KeyboardInterrupt):
        runtime.run(pictures(2))
    queued(runtime, 0)
    later = pool.submit(runtime.run, pictures(3))
    gated.gate.set()
    assert np.array_equal(first[0].result(WAIT), network.run(pictures(1)))
    assert np.array_equal(later.result(WAIT), network.run(pictures(3)))
    assert gated.sizes == [1, 3]


@pytest.mark.parametrize("end", [KeyboardInterrupt, WorkCancelled])
def test_the_end_of_one_callers_work_costs_the_others_of_its_batch_nothing(
    end: type[BaseException], network: OpenVinoRuntime, gated: Gated, pool: ThreadPoolExecutor
) -> None:
    class Interrupted(Gated):
        def run(self, faces: Batch) -> Batch:
            result = super().run(faces)
            if len(faces) > 1:
                raise end
            return result

    broken = Interrupted(gated._inner)  # pyright: ignore[reportPrivateUsage]
    runtime = BatchingRuntime(broken, in_flight=1)
    busy(pool, runtime, broken, 1)
    waiting = submit_in_order(pool, runtime, [pictures(1), pictures(2)[1:]])
    broken.gate.set()
    with pytest.raises(end):
        waiting[0].result(WAIT)
    assert np.array_equal(waiting[1].result(WAIT), network.run(pictures(2)[1:]))
    assert runtime.run(pictures(1)).shape == (1, 3, 64, 64)


def test_a_caller_that_is_gone_is_not_put_back(network: OpenVinoRuntime, pool: ThreadPoolExecutor) -> None:
    """Ctrl+C in a caller whose faces are in a batch, then in the one who runs it: all later calls waited for the first."""
    gone = threading.Event()

    class Interrupted(BatchingRuntime):
        def _may_run(self, call) -> bool:
            if len(call.faces) == 2 and not self._queue:
                gone.set()
                raise KeyboardInterrupt
            return super()._may_run(call)

    class Cancelled(Gated):
        def run(self, faces: Batch) -> Batch:
            result = super().run(faces)
            if len(faces) == 3:
                assert gone.wait(WAIT)
                raise WorkCancelled
            return result

    inner = Cancelled(network)
    runtime = Interrupted(inner, in_flight=1)
    busy(pool, runtime, inner, 1)
    waiting = submit_in_order(pool, runtime, [pictures(1), pictures(2)])
    inner.gate.set()
    for future, end in zip(waiting, (WorkCancelled, KeyboardInterrupt), strict=True):
        with pytest.raises(end):
            future.result(WAIT)
    assert pool.submit(runtime.run, pictures(1)).result(WAIT).shape == (1, 3, 64, 64)
    runtime.close()


def test_closing_waits_for_the_calls_that_were_made(gated: Gated, pool: ThreadPoolExecutor) -> None:
    runtime = BatchingRuntime(gated, in_flight=1)
    futures = [*busy(pool, runtime, gated, 1), *submit_in_order(pool, runtime, [pictures(1), pictures(2)])]
    closing = pool.submit(runtime.close)
    asked = False
    while not asked:
        with runtime._changed:  # pyright: ignore[reportPrivateUsage]
            asked = runtime._closed  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(RuntimeError, match="closed"):
        runtime.run(pictures(1))
    assert not closing.done()
    gated.gate.set()
    closing.result(WAIT)
    assert [len(future.result(WAIT)) for future in futures] == [1, 1, 2]
    runtime.close()


def test_many_threads_all_get_their_own_faces(network: OpenVinoRuntime, pool: ThreadPoolExecutor) -> None:
    runtime = BatchingRuntime(network, max_batch=5)
    faces = pictures(20)
    expected = network.run(faces)
    order = np.random.default_rng(3).integers(0, 20, (60, 2))
    calls = [(min(pair), max(pair) + 1) for pair in order.tolist()]
    results = pool.map(lambda call: runtime.run(faces[call[0] : call[1]]), calls, timeout=WAIT)
    for (begin, end), result in zip(calls, results, strict=True):
        assert np.abs(result - expected[begin:end]).max() < 1e-5


def test_bad_options_are_refused(network: OpenVinoRuntime) -> None:
    for options in ({"max_batch": 0}, {"in_flight": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            BatchingRuntime(network, **options)
